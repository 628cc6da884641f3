//! Every cap of this crate, in one place.

/// The longest key. The store below allows 65,535 bytes, of which one may be needed to tell keys apart.
pub const KEY_BYTES_MAX: usize = 65_534;
/// Keys and values of one chunk together; one value may be as long.
pub const CHUNK_BYTES_MAX: usize = 16 << 20;
/// Changes in one chunk.
pub const CHUNK_CHANGES_MAX: usize = 1 << 20;
/// Tables that may exist at once. All of them are named in a row that each chunk writes again.
pub const TABLES_MAX: usize = 1_024;
/// The journal is sealed by the first flush after it has grown beyond this (as fjall has it), and the store flushes
/// everything when it has: so it is at most this and one chunk.
pub const JOURNAL_BYTES_MAX: u64 = 64_000_000;
/// A file of a table. It is synced as a whole, and what the log syncs meanwhile waits for it: with 64 MiB some 50 ms.
pub(crate) const TABLE_FILE_BYTES: u64 = 16 << 20;
/// Files of a table that are merged at once, each of a flush. Together with the size of a file it says how large the first
/// level of what is merged may be: each merge writes that again.
pub(crate) const MERGED_FILES: u8 = 12;
/// The least that fjall takes for the sum of sealed journals; the store keeps them far below it.
pub(crate) const SEALED_JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// Write buffers of one table that may wait for their flush before a writer waits too. At 4 fjall would put it to
/// sleep.
pub(crate) const SEALED_BUFFERS_MAX: usize = 3;
/// Sorted runs of one table that may wait to be merged before a writer waits too. At 20 fjall would make it spin.
pub(crate) const UNMERGED_RUNS_MAX: usize = 18;
/// How long a writer waits for background work before it looks again, and how often it looks until the store is stuck.
pub(crate) const WAIT_MS: u64 = 2;
pub(crate) const WAITS_MAX: u32 = 15_000;
/// Open files of tables that are kept.
pub(crate) const OPEN_FILES_MAX: usize = 256;
/// Threads that flush and merge. With two, one spins while the other merges.
pub(crate) const WORKERS: usize = 1;
/// The least that is cut off a journal's front, and the least part of what is copied for it.
pub(crate) const FRONT_BYTES_MIN: u64 = 64 << 10;
pub(crate) const FRONT_PART: u64 = 4;
/// How much of a journal is held while it is checked.
pub(crate) const WINDOW_BYTES: usize = 256 << 10;
/// Free space on a disk that was full, from which on the store is opened again: what a recovery may write.
pub const REOPEN_BYTES: u64 = 32 * 1024 * 1024;
