//! Every bound of the core that the contract does not already name (those are `sumun_wire::limits`).

/// Slots of a slab that are allocated at once. A chunk is touched page by page, as it fills.
pub const SLAB_CHUNK: usize = 65_536;
/// Sub-tables of an index: one of them rehashes at a time, so that 10 million entries cost no more than 40,000 moves.
pub const INDEX_TABLES: usize = 256;
/// Seconds that the coarse timer ring spans: the longest ttl, and two months by which the ring may lag after a sleep of
/// the machine.
pub const TIMER_SECONDS: u64 = 1 << 23;
/// Milliseconds that the fine timer ring spans: the second that runs and the one being fed.
pub const TIMER_MILLIS: u64 = 2_048;
/// Captured quantities of a holder are kept by begin in buckets no wider than this part of their age.
pub const USAGE_PRECISION: u64 = 1_000;
/// Buckets of one holder before they are merged for the first time.
pub const USAGE_BUCKETS_MERGE: usize = 32;
/// Lots of an event that are looked through one by one; more of them are found by a table.
pub const LOTS_LOOKED_THROUGH: usize = 16;
