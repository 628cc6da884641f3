//! Every bound of a step, a batch and a queue of the engine.

/// A step takes no further command once its batch is this long.
pub const STEP_BYTES: usize = 512 * 1024;
/// The longest event: 1,024 lots with the longest names, twice over. One may come after a step is full.
pub const EVENT_BYTES_MAX: usize = 768 * 1024;
/// All events of one EXEC.
pub const EXEC_BYTES_MAX: usize = 1024 * 1024;
/// The longest batch, and so the longest frame: what a full step holds and what may come on top.
pub const BATCH_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Room in the log without which nothing new begins: a batch, and as much again for ends.
pub const ROOM_BYTES: usize = BATCH_BYTES_MAX;
/// Commands that one step takes.
pub const STEP_COMMANDS: u32 = 16_384;
/// Lines that one step decides, of all its commands.
pub const STEP_LINES: u32 = 65_536;
/// Lots and allocations that one step looks at; a command of 64 lines may look at 1,024 lots for each on top.
pub const STEP_LOOKS: usize = 16_384;
/// Entries that tables may move in growing before the step is full: some of a million's sub-tables, one of ten
/// millions'. Each such step commits for itself; a table of any size has 256 of them, once in a doubling.
pub const STEP_MOVED: usize = 16_384;
/// Events by time that one step writes: what is due beyond waits for the next.
pub const STEP_ENDS: u32 = 1_024;
/// Timer entries that one step moves ahead of their time.
pub const STEP_TIMERS: u32 = 8_192;
/// CPU time after which a step takes no more commands, looked at once in so many of them.
pub const STEP_CPU_NS: u64 = 1_000_000;
pub const PACE_COMMANDS: u32 = 64;
/// CPU time after which a step writes no more ends by time, looked at once in so many of them.
pub const ENDS_CPU_NS: u64 = 500_000;
/// How long ends rest after that: what they leave for the store to do takes as long again.
pub const ENDS_REST_NS: u64 = 1_000_000;
pub const PACE_ENDS: u32 = 64;
/// Events before a command (ends of what it names) that one step writes for it; then it waits for the next.
pub const FIRSTS_PER_COMMAND: u32 = 256;
/// Bytes of frames that one slice of a replay reads.
pub const LOAD_BYTES: usize = 4 * 1024 * 1024;
/// How often a start that waits for the store looks again.
pub const LOAD_WAIT_MS: u64 = 1;
/// Slots that one slice looks at when timers are set after a replay.
pub const ARM_SLOTS: u32 = 1 << 20;
/// Part of the memory budget, in tenths, past which reserves and receipts are refused as overloaded; the rest is kept
/// for what ends things.
pub const MEMORY_TENTHS: usize = 9;
/// What a client that is refused as overloaded is told to wait.
pub const RETRY_AFTER_MS: u32 = 40;
/// How long a log that cannot be opened again is left alone before the next attempt.
pub const REOPEN_MS: u64 = 500;
/// A log without an event for this long gets a `log.time`.
pub const IDLE_EVENT_MS: u64 = 60 * 60 * 1_000;
/// A start this much before the last time in the log is refused.
pub const CLOCK_BACK_MS: u64 = 60 * 60 * 1_000;
/// A start this much after the last time in the log is reported.
pub const CLOCK_AHEAD_MS: u64 = 24 * 60 * 60 * 1_000;
/// A difference of the wall clock from shard time that is reported.
pub const CLOCK_DRIFT_MS: u64 = 60 * 1_000;
/// Smoothed sync time from which commits run beside the loop, and below which they run in it again; and what one sync
/// counts for there at most.
pub const SYNC_SLOW_NS: u64 = 500_000;
pub const SYNC_FAST_NS: u64 = 350_000;
pub const SYNC_COUNTED_NS_MAX: u64 = 1_000_000;
/// Smoothed commands and ends a batch from which the loop is short of CPU: commits run beside it.
pub const BATCH_BUSY: u64 = 256;
/// The longest that a commit is held back to gather more.
pub const GATHER_NS_MAX: u64 = 2_000_000;
/// Records that one call stages for the store, at most.
pub const STAGE_RECORDS: u32 = 256;
/// Bytes of a chunk past which it is handed over.
pub const STAGE_BYTES: usize = 512 * 1024;
/// Chunks that wait for the log or the store before nothing more is staged.
pub const WRITES_MAX: usize = 4;
/// Between two chunks, unless the last one was full.
pub const STORE_PAUSE_MS: u64 = 20;
/// What is ahead of the store goes there within so many times what changes wait, evenly, or at this rate if that is
/// faster: a burst is not held up by the store's part of it, nor syncs of the log by the store's.
pub const STORE_SPREAD: u64 = 8;
pub const STORE_EVENTS_PER_S_MIN: u64 = 50_000;
/// How long a store that failed is left alone before it is opened again.
pub const STORE_RETRY_MS: u64 = 500;
/// The same after it has failed again and again.
pub const STORE_RETRY_MS_MAX: u64 = 8_000;
/// How long nothing may come of the reads that commands wait for, before those are refused as overloaded, and what they
/// are told to wait.
pub const READ_WAIT_MS: u64 = 2_000;
pub const READ_RETRY_MS: u32 = 500;
/// Reservations and allocations that a page of open reservations looks at in one step.
pub const LIST_LOOKS: u32 = 4_096;
/// Lists of items under way at once.
pub const SCANS_MAX: usize = 64;
/// Records that are being read at once.
pub const READS_MAX: usize = 4_096;
/// Records that are being read, past which nothing is read ahead: a command's read waits for those before it.
pub const READS_AHEAD_MAX: usize = 128;
/// Reservations that one call looks at, after a start, for what they will need.
pub const AHEAD_SLOTS: u32 = 1_024;
/// Between two looks for lots that end soon; well below `LOT_ENDS_AHEAD_MS`.
pub const AHEAD_PAUSE_MS: u64 = 10_000;
/// Rows of lots' ends that are told at once.
pub const ENDS_PAGE: usize = 1_024;
/// Answers of the store that one call hears.
pub const INSTALLS_PER_TEND: u32 = 512;
/// How long a record that was read stays for the command that asked for it.
pub const PIN_MS: u64 = 1_000;
/// Slots of each table that the hand passes a call while memory is short.
pub const EVICT_SLOTS: u32 = 512;
/// Part of the memory budget that ended reservations take before they leave, and about what one takes.
pub const ENDED_MEMORY_PART: usize = 8;
pub const ENDED_BYTES: usize = 150;
/// Part of it that records may take that are not stored yet, once memory is short: beyond, they are stored at once.
pub const UNSAVED_MEMORY_PART: usize = 16;
/// Part of the memory budget, in tenths, past which what the store holds leaves memory.
pub const EVICT_TENTHS: usize = 7;
/// Generations that a retention is cut into; the least that one is wide, and that of a retention that is shorter.
pub const GENERATIONS: u64 = 16;
pub const GENERATION_MS_MIN: u64 = 60_000;
pub const GENERATION_MS_SHORT: u64 = 1_000;
/// Hashes of a filter that are told at once, about: the loop takes a cache miss for each.
pub const FILTER_PAGE_HASHES: usize = 16_384;
/// What may be ahead of the store, and so what a start replays: events, their bytes, and how long it may take.
pub const LAG_EVENTS: u64 = 1_000_000;
pub const LAG_BYTES: u64 = 256 * 1024 * 1024;
pub const LAG_REPLAY_MS: u64 = 500;
/// What a burst may write before it is stored as fast as may be, and what of that is given back in a second.
pub const BURST_EVENTS: u64 = 1_000_000;
pub const BURST_EVENTS_PER_S: u64 = 60_000;
/// Taken for the rate of a replay until one of at least so many events has been measured.
pub const REPLAY_EVENTS_PER_S: u64 = 1_600_000;
pub const REPLAY_EVENTS_MIN: u64 = 10_000;
/// Between two looks at how much of the log may go, and the least.
pub const TRIM_PAUSE_MS: u64 = 60_000;
pub const TRIM_PAUSE_MS_MIN: u64 = 1_000;
/// A block of a snapshot is written once it is this long; one record more than that, the longest, it may hold.
pub const SNAPSHOT_BLOCK_BYTES: usize = 256 * 1024;
pub const SNAPSHOT_BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Notices for the operator that are kept until somebody takes them.
pub const NOTICES_MAX: usize = 64;
/// Between two looks at how far the wall clock is from shard time.
pub const DRIFT_LOOK_MS: u64 = 10_000;
