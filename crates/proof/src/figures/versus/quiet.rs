//! Who else works on this machine: processor time by `/proc`, ours and the kernel's own threads apart. A comparison on a
//! busy machine says nothing, as a neighbour slows those most that sync most.

use super::caps::{LOOK_MS, LOOK_QUICK_MS, OTHERS_MAX, PATIENCE_MS};
use crate::support::clock;
use std::fs;

/// Processor time of the machine since it started, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    all: u64,
    /// Of processes, and what a hypervisor gave to other machines.
    busy: u64,
    /// Of this process and its children, and of the kernel's threads: these work for whoever syncs.
    ours: u64,
}

impl Ticks {
    /// `server`: a child that has not ended, whose time is not this process's yet.
    pub(super) fn now(server: Option<u32>) -> Result<Ticks, String> {
        let stat = fs::read_to_string("/proc/stat").map_err(|error| format!("/proc/stat: {error}"))?;
        let line = stat.lines().next().unwrap_or_default();
        let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let [user, nice, system, _idle, _waiting, _interrupts, _soft, steal, ..] = fields[..] else {
            return Err(format!("/proc/stat begins with {line:?}"));
        };
        let own = std::process::id();
        let mut ours = 0;
        for entry in fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // It may end meanwhile.
            let Some(process) =
                fs::read_to_string(entry.path().join("stat")).ok().and_then(|text| Process::read(&text))
            else {
                continue;
            };
            ours += if pid == own {
                process.worked + process.children
            } else if Some(pid) == server || process.is_kernel {
                process.worked
            } else {
                0
            };
        }
        Ok(Ticks { all: fields[..8].iter().sum(), busy: user + nice + system + steal, ours })
    }

    /// Part of the machine that others had since.
    pub(super) fn others_since(self, before: Ticks) -> f64 {
        let others = (self.busy - before.busy).saturating_sub(self.ours.saturating_sub(before.ours));
        others as f64 / (self.all - before.all).max(1) as f64
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Process {
    is_kernel: bool,
    worked: u64,
    /// Of children that have ended and were waited for.
    children: u64,
}

impl Process {
    fn read(stat: &str) -> Option<Process> {
        const KERNEL_THREAD: u64 = 0x0020_0000;
        // The name stands in brackets and may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Process {
            is_kernel: field(6)? & KERNEL_THREAD != 0,
            worked: field(11)? + field(12)?,
            children: field(13)? + field(14)?,
        })
    }
}

/// Waits until nobody else works, and says which part of the machine others had at last, and why a round that begins
/// now would not count. A quick one looks for a moment and waits for nothing.
pub(super) fn wait(quick: bool) -> Result<(f64, Option<String>), String> {
    let began = clock::ticks_ns();
    loop {
        let before = Ticks::now(None)?;
        clock::sleep_ms(if quick { LOOK_QUICK_MS } else { LOOK_MS });
        let others = Ticks::now(None)?.others_since(before);
        if others <= OTHERS_MAX {
            return Ok((others, None));
        }
        let waited_ms = (clock::ticks_ns() - began) / 1_000_000;
        if quick || waited_ms >= PATIENCE_MS {
            let why = format!("others had {:.0} % of the machine, after {} s", others * 100.0, waited_ms / 1_000);
            return Ok((others, Some(why)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194304 1 2 3 4 100 20 30 4 20 0 1 0 5";
        assert_eq!(Process::read(stat), Some(Process { is_kernel: false, worked: 120, children: 34 }));
        let thread = "9 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 7 8 0 0 20 0 1 0 5";
        assert_eq!(Process::read(thread), Some(Process { is_kernel: true, worked: 15, children: 0 }));
    }

    #[test]
    fn others_are_what_is_neither_idle_nor_ours() {
        let before = Ticks { all: 1_000, busy: 300, ours: 100 };
        let now = Ticks { all: 1_200, busy: 450, ours: 200 };
        assert!((now.others_since(before) - 0.25).abs() < 1e-9);
        Ticks::now(None).expect("Linux has both files");
    }
}
