//! What a shard counts. Plain numbers: whoever shows them reads them between steps.

/// Durations, counted in buckets of powers of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// Those below 2^n microseconds, and not below half of that; the last has all beyond.
    pub counts: [u64; Durations::BUCKETS],
    pub sum_ns: u64,
    pub max_ns: u64,
}

impl Durations {
    /// The last but one ends at some 2 s.
    pub const BUCKETS: usize = 23;

    pub(crate) fn note(&mut self, ns: u64) {
        let bucket = (u64::BITS - (ns / 1_000).leading_zeros()) as usize;
        self.counts[bucket.min(Durations::BUCKETS - 1)] += 1;
        self.sum_ns += ns;
        self.max_ns = self.max_ns.max(ns);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub steps: u64,
    pub commands: u64,
    pub events: u64,
    pub ends: u64,
    pub batches: u64,
    pub batch_bytes: u64,
    pub batch_commands_smoothed: u64,
    /// Of commits: written and synced.
    pub sync_ns_smoothed: u64,
    pub syncs: Durations,
    /// CPU time of steps, their syncs apart.
    pub step_cpu: Durations,
    pub commits_beside: u64,
    pub commits_held: u64,
    pub refused_overloaded: u64,
    pub refused_read_only: u64,
    /// Records that were read back into memory.
    pub fetched: u64,
    pub log_failures: u64,
    pub reopens: u64,
    /// Looks at how much of the log may go that could not read it.
    pub trim_failures: u64,
    /// By how much the wall clock is ahead of shard time.
    pub clock_drift_ms: i64,
    /// How late the ends by time are that are due.
    pub expiry_lag_ms: u64,
}
