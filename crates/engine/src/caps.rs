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
/// Events before a command (ends of what it names) that one step writes for it; then it waits for the next.
pub const FIRSTS_PER_COMMAND: u32 = 256;
/// Bytes of frames that one slice of a replay reads.
pub const LOAD_BYTES: usize = 4 * 1024 * 1024;
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
/// Smoothed sync time from which commits run beside the loop, and below which they run in it again.
pub const SYNC_SLOW_NS: u64 = 300_000;
pub const SYNC_FAST_NS: u64 = 200_000;
/// Smoothed commands a batch from which the loop is short of CPU: commits run beside it.
pub const BATCH_BUSY: u64 = 256;
/// The longest that a commit is held back to gather more.
pub const GATHER_NS_MAX: u64 = 2_000_000;
