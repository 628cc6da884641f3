//! Every bound of the core that the contract does not already name (those are `sumun_wire::limits`).

/// Slots of a slab that are allocated at once. A chunk is touched page by page, as it fills.
pub const SLAB_CHUNK: usize = 16_384;
/// Sub-tables of an index: one of them rehashes at a time, so that 10 million entries cost no more than 60,000 moves.
pub const INDEX_TABLES: usize = 256;
/// Entries that a sub-table keeps room for, however few it has.
pub const INDEX_KEPT: usize = 448;
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
/// Entries of the queue of unsaved records that are allocated at once.
pub const UNSAVED_CHUNK: usize = 4_096;
/// Keys that the first part of a filter takes; each further part takes so many times as many.
pub const FILTER_KEYS_MIN: usize = 16_384;
pub const FILTER_GROWTH: usize = 4;
/// Bits a key of a filter: of keys that were never seen, fewer than one in 2,000 costs a read. Whoever is new waits for it,
/// and all behind on that connection, for as long as the store's syncs hold up its readers.
pub const FILTER_BITS: usize = 20;
/// Open reservations that a start sorts at once by their begin; runs of so many are merged.
pub const BEGINS_RUN: usize = 65_536;
/// Hashes of a sub-table that count as one look when a page of all reservations is told.
pub const PAGE_HASHES_PER_LOOK: usize = 64;
/// An item whose next lot ends within this time stays in memory: whoever reads ahead of ends reads so far ahead.
pub const LOT_ENDS_AHEAD_MS: u64 = 60_000;
/// Names, or records to be staged, that are looked at together before they are needed.
pub const FORESEEN: usize = 32;
/// Part of a table that one call passes while it lets go of what is seldom asked for again, and its bounds in slots.
pub const RELIEF_PARTS: usize = 64;
pub const RELIEF_SLOTS_MIN: usize = 64;
pub const RELIEF_SLOTS_MAX: usize = 4_096;
