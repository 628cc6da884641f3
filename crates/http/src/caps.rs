//! Every bound of the HTTP side, in one place: nothing between a socket and the loop grows without one.

/// Connections at one time, at most. The next one is told 503 and closed.
pub const CONNECTIONS_MAX: usize = 4_096;
/// Connections that are being told so.
pub const REFUSALS_MAX: usize = 64;
/// A request's line and headers: what a connection can make us keep before it has asked anything.
pub const HEAD_BYTES_MAX: usize = 32 * 1_024;
pub const HEADERS_MAX: usize = 100;
/// A request's body, as it comes and unpacked (the contract's limit).
pub const BODY_BYTES_MAX: usize = 4 * 1_024 * 1_024;
/// What is read and thrown away of a body that is too large, so that its sender comes to read the answer.
pub const BODY_DRAIN_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// And for how long, when its length says so from the first.
pub const BODY_DRAIN_MS_MAX: u64 = 1_000;
/// Bodies of requests and responses of all connections together; those that are shorter than `BODY_COUNTED_BYTES` are
/// not counted.
pub const KEPT_BYTES_MAX: usize = 128 * 1_024 * 1_024;
pub const BODY_COUNTED_BYTES: usize = 1_024;
/// When a request refused for want of memory may be tried again.
pub const SCARCE_RETRY_MS: u32 = 100;
/// When a request may be tried again that came while the log is replayed or cannot be written.
pub const LOADING_RETRY_MS: u32 = 1_000;

/// How long a request's head may take from its first byte, and its body.
pub const HEAD_MS_MAX: u64 = 10_000;
pub const BODY_MS_MAX: u64 = 30_000;
/// How long a connection may stay without a request.
pub const IDLE_MS_MAX: u64 = 75_000;
/// How long the peer may take nothing of what it is sent.
pub const STALL_MS_MAX: u64 = 30_000;
/// How often these are looked at.
pub const SWEEP_MS: u64 = 250;
/// How long `/readyz` and `/metrics` wait for the loop.
pub const REPORT_MS_MAX: u64 = 2_000;
/// How long accepting rests when there is no file descriptor left.
pub const ACCEPT_PAUSE_MS: u64 = 100;
pub const LISTEN_BACKLOG: i32 = 1_024;

/// HTTP/2: requests at once on a connection, and what it may send ahead.
pub const STREAMS_MAX: u32 = 128;
pub const STREAM_WINDOW_BYTES: u32 = 64 * 1_024;
pub const CONNECTION_WINDOW_BYTES: u32 = 256 * 1_024;
pub const SEND_BUFFER_BYTES: usize = 64 * 1_024;

pub const PAGE_LIMIT_MAX: usize = 1_000;
pub const PAGE_LIMIT_DEFAULT: usize = 100;
/// Skus that a list of items may name.
pub const PAGE_SKUS_MAX: usize = 1_000;
/// What is told of a request that is malformed.
pub const TOLD_CHARS_MAX: usize = 300;
/// A request's own id, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Answers shorter than this are not compressed; longer than the second they are, on a thread of their own.
pub const GZIP_BYTES_MIN: usize = 1_024;
pub const GZIP_BYTES_BESIDE: usize = 64 * 1_024;
/// Threads for these, and for reading the log.
pub const BLOCKING_THREADS_MAX: usize = 2 + sumun_feed::caps::READERS_MAX;
/// Types of events that a filter may name.
pub const TYPES_MAX: usize = 64;
/// A stream's events leave in pieces of about so much; one piece is on its way.
pub const STREAM_CHUNK_BYTES: usize = 16 * 1_024;
/// A stream on which nothing happens says so, and how far it has come.
pub const STREAM_QUIET_MS: u64 = 15_000;
