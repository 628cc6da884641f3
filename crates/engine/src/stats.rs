//! What a shard counts. Plain numbers: whoever shows them reads them between steps.

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
    pub sync_ns_last: u64,
    pub sync_ns_max: u64,
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
    /// How late the last end by time was written.
    pub expiry_lag_ms: u64,
}
