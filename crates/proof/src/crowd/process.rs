//! A process as `/proc` shows it: memory, processor time, open files.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use std::io;

/// By its pid.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    fn status(self, name: &str) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let number = found.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name} of process {}", self.0)))
    }

    /// Resident, in bytes.
    pub fn memory(self) -> io::Result<u64> {
        Ok(self.status("VmRSS")? * 1_024)
    }

    /// The most that was ever resident, in bytes.
    pub fn memory_peak(self) -> io::Result<u64> {
        Ok(self.status("VmHWM")? * 1_024)
    }

    /// Processor time of all its threads so far, in milliseconds.
    pub fn worked_ms(self) -> io::Result<u64> {
        const TICK_MS: u64 = 10;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name stands in brackets and may hold anything; user and system time are the 12th and 13th behind it.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
        let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(ticks * TICK_MS)
    }

    pub fn open_files(self) -> io::Result<u64> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.0))?.count() as u64)
    }

    /// Sets how many files it may open at most.
    pub fn limit_open_files(self, most: u64) -> io::Result<()> {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        // The soft limit alone, so that it can be raised again: the hard one is inherited.
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let current = Some(maximum.map_or(most, |maximum| most.min(maximum)));
        prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum })?;
        Ok(())
    }
}
