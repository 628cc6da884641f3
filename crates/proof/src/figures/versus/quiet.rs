//! Who else works on this machine: processor time of each process by `/proc`, ours and the kernel's own threads apart,
//! and what a hypervisor gave to others. A comparison on a busy machine says nothing, as a neighbour slows those most
//! that sync most. What a namespace hides of other processes is not seen.

use super::caps::{LOOK_MS, LOOK_QUICK_MS, OTHERS_MAX, PATIENCE_MS};
use crate::support::clock;
use std::collections::BTreeMap;
use std::fs;

/// Processor time since the machine started, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    all: u64,
    others: u64,
}

impl Ticks {
    pub(super) fn now() -> Result<Ticks, String> {
        let stat = fs::read_to_string("/proc/stat").map_err(|error| format!("/proc/stat: {error}"))?;
        let line = stat.lines().next().unwrap_or_default();
        let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let [_user, _nice, _system, _idle, _waiting, _interrupts, _soft, steal, ..] = fields[..] else {
            return Err(format!("/proc/stat begins with {line:?}"));
        };
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?.flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            // It may end meanwhile.
            let found = || fs::read_to_string(entry.path().join("stat")).ok().and_then(|text| Process::read(&text));
            if let Some((pid, process)) = pid.and_then(|pid| Some((pid, found()?))) {
                processes.insert(pid, process);
            }
        }
        Ok(Ticks { all: fields[..8].iter().sum(), others: steal + of_others(&processes, std::process::id()) })
    }

    /// Part of the machine that others had since.
    pub(super) fn others_since(self, before: Ticks) -> f64 {
        self.others.saturating_sub(before.others) as f64 / self.all.saturating_sub(before.all).max(1) as f64
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Process {
    parent: u32,
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
            parent: u32::try_from(field(1)?).ok()?,
            is_kernel: field(6)? & KERNEL_THREAD != 0,
            worked: field(11)? + field(12)?,
            children: field(13)? + field(14)?,
        })
    }
}

/// Work of all who are neither this process, nor come from it, nor the kernel. Children count with their parent once
/// they have ended, so that the sum never loses what was done.
fn of_others(processes: &BTreeMap<u32, Process>, own: u32) -> u64 {
    const GENERATIONS_MAX: usize = 64;
    let is_ours = |pid: u32| {
        let line = std::iter::successors(Some(pid), |pid| Some(processes.get(pid)?.parent));
        line.take(GENERATIONS_MAX).any(|pid| pid == own)
    };
    let others = processes.iter().filter(|(pid, process)| !process.is_kernel && !is_ours(**pid));
    others.map(|(_, process)| process.worked + process.children).sum()
}

/// Waits until nobody else works, and says which part of the machine others had at last, and why a round that begins
/// now would not count. A quick one looks for a moment and waits for nothing.
pub(super) fn wait(quick: bool) -> Result<(f64, Option<String>), String> {
    let began = clock::ticks_ns();
    loop {
        let before = Ticks::now()?;
        clock::sleep_ms(if quick { LOOK_QUICK_MS } else { LOOK_MS });
        let others = Ticks::now()?.others_since(before);
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
        let process = Process { parent: 1, is_kernel: false, worked: 120, children: 34 };
        assert_eq!(Process::read(stat), Some(process));
        let thread = "9 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 7 8 0 0 20 0 1 0 5";
        assert_eq!(Process::read(thread), Some(Process { parent: 2, is_kernel: true, worked: 15, children: 0 }));
    }

    #[test]
    fn others_are_all_but_us_our_children_s_children_and_the_kernel() {
        let process = |parent, worked, children| Process { parent, is_kernel: false, worked, children };
        let mut processes = BTreeMap::from([(1, process(0, 10, 5)), (7, process(1, 100, 100)), (8, process(7, 50, 0))]);
        processes.extend([(9, process(8, 30, 0)), (20, process(1, 3, 0))]);
        processes.insert(2, Process { is_kernel: true, ..process(0, 1_000, 0) });
        assert_eq!(of_others(&processes, 7), 18);
        // What has ended is its parent's.
        processes.remove(&20);
        processes.insert(1, process(0, 10, 9));
        assert_eq!(of_others(&processes, 7), 19);
        assert!(Ticks::now().expect("Linux has both files").all > 0);
    }

    #[test]
    fn the_part_of_others_is_of_the_whole_machine() {
        let (before, now) = (Ticks { all: 1_000, others: 100 }, Ticks { all: 1_200, others: 150 });
        assert!((now.others_since(before) - 0.25).abs() < 1e-9);
    }
}
