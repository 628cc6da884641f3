//! Every cap of this crate, in one place.

/// Spans that wait to be sent; about a kilobyte each. What comes when it is full is dropped.
pub const QUEUE_SPANS_MAX: usize = 4_096;
/// Spans of one request to the collector.
pub const BATCH_SPANS_MAX: usize = 512;
/// How long the first of a batch waits for others.
pub const GATHER_MS: u64 = 1_000;
/// How long a collector may take for a batch: then the batch is dropped.
pub const EXPORT_MS_MAX: u64 = 5_000;
/// How long a stop may take to send what waits.
pub const FLUSH_MS: u64 = 2_000;
/// Of a collector's answer: it has little to say.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
/// What a request's attributes may hold of what somebody else made up.
pub const ATTRIBUTE_BYTES_MAX: usize = 256;
