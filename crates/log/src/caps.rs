//! Every cap of this crate, in one place.

/// The largest batch that one frame may hold, whatever the options say. The format allows no more.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// `batch_bytes_max` unless the options say otherwise; the contract asks for at least 1 MiB.
pub const BATCH_BYTES_MAX_DEFAULT: usize = 4 << 20;
/// Size of a segment laid out ahead of time, unless the options say otherwise.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;
/// Size of a segment that somebody waits for: the first of an open, or one laid out because zero-filling is behind.
pub const SEGMENT_BYTES_AT_ONCE: u64 = 8 << 20;
/// How much a reader holds of a segment at a time.
pub const WINDOW_BYTES: usize = 256 << 10;
/// How much is zero-filled between two syncs, so that commits beside it wait for no more than that.
pub const ZERO_BYTES: usize = 1 << 20;
/// One entry of a segment's index stands for this many bytes.
pub const INDEX_STRIDE_BYTES: u64 = 1 << 20;
/// Segments removed or shortened by one job of the crew.
pub const CHORES_PER_JOB_MAX: usize = 64;
/// Attempts of a reader beside a running server to get past a frame that was being written when it looked.
pub const READER_ATTEMPTS_MAX: usize = 64;
/// Segments that a reader beside a running server holds open: what is trimmed while it reads are the oldest.
pub const READER_HELD_MAX: usize = 512;
/// The largest number of a segment, and the largest epoch: one beyond is damage, and what counts on from there never overflows.
pub const COUNT_MAX: u64 = 1 << 62;
/// The largest offset at which a segment may end; all of a log's together can be added up.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 40;
