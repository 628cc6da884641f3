//! Every bound of the server, in one place: nothing between a socket and the log grows without one.

/// One argument of a request, in bytes (the contract's limit).
pub const BULK_BYTES_MAX: usize = 64 * 1_024;
/// Arguments of one request, its name included. The longest sensible one (a reserve of 64 lines, each with lot and
/// location) has under 400; the rest of the room lets an excess be refused by its own name.
pub const ARGUMENTS_MAX: usize = 4_096;
/// One request as a whole, and so the longest partial request that a connection can make us keep.
pub const REQUEST_BYTES_MAX: usize = 256 * 1_024;
/// One inline request, as in Redis.
pub const INLINE_BYTES_MAX: usize = 64 * 1_024;
/// The line that holds a count or a length: sign, digits, end of line, with room to spare.
pub const HEADER_BYTES_MAX: usize = 32;
/// Requests of a connection that are parsed before the first of them is decided.
pub const AHEAD_MAX: usize = 16;
/// Arguments that a connection keeps room for while it is idle: 32 × 8 bytes.
pub const ARGUMENTS_KEPT_MAX: usize = 32;

/// A transaction (`MULTI` … `EXEC`): the contract's limits.
pub const TRANSACTION_COMMANDS_MAX: usize = 1_024;
pub const TRANSACTION_LINES_MAX: usize = 4_096;
pub const TRANSACTION_BYTES_MAX: usize = 256 * 1_024;

/// A connection's name, and what `CLIENT SETINFO` gives it, in bytes.
pub const CLIENT_TEXT_BYTES_MAX: usize = 256;
/// What is quoted of an unknown command, its arguments, or an unknown subcommand.
pub const QUOTED_BYTES_MAX: usize = 128;

/// One read of a connection, and so what it may hand in before the next one's turn. One such buffer serves all.
pub const READ_BYTES_MAX: usize = 64 * 1_024;
/// While all connections together keep more than they may, a connection reads so much at a time.
pub const READ_BYTES_SCARCE: usize = 4 * 1_024;
/// A partial request that has grown to this is given up when memory is short.
pub const PARTIAL_BYTES_SCARCE: usize = 8 * 1_024;
/// A connection whose unsent replies exceed this is not read, nor is anything decided for it.
pub const UNSENT_BYTES_MAX: usize = 256 * 1_024;
/// The same while all connections together keep more than they may.
pub const UNSENT_BYTES_SCARCE: usize = 4 * 1_024;
/// Requests, replies and transactions of all connections together.
pub const KEPT_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Of those, what transactions may take.
pub const TRANSACTIONS_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// When a command refused for want of memory may be tried again.
pub const SCARCE_RETRY_MS: u32 = 100;
/// Empty buffers kept for the next connection that needs one, and the greatest worth keeping.
pub const SPARE_BUFFERS_MAX: usize = 256;
pub const SPARE_BUFFER_BYTES_MAX: usize = 64 * 1_024;

pub const CLIENTS_MAX: usize = 10_000;
/// File descriptors that are not clients': log, store, listeners, what the runtime opens.
pub const DESCRIPTORS_RESERVED: u64 = 64;
/// Connections accepted before those that are there get their turn.
pub const ACCEPTS_PER_TURN_MAX: usize = 128;
/// How long accepting rests when there is no file descriptor left.
pub const ACCEPT_PAUSE_MS: u64 = 100;
pub const LISTEN_BACKLOG: i32 = 1_024;
/// A peer that has vanished without a word is noticed after about this long.
pub const KEEPALIVE_S: u64 = 300;
/// Waits shorter than this end by a timer finer than epoll's own.
pub const FINE_WAIT_MS_MAX: u64 = 5;
/// How long an end may take to send what was answered, unless the options say otherwise.
pub const GRACE_MS: u64 = 30_000;
/// Events taken from the kernel at once.
pub const EVENTS_MAX: usize = 1_024;
/// Bytes of a closing connection's input that are thrown away, so that its last reply is not lost to a reset.
pub const DISCARDED_BYTES_MAX: usize = 256 * 1_024;

/// Questions from beside the sockets that are in hand, and what they keep, from when they are put in to their answer.
pub const HANDED_MAX: usize = 16_384;
pub const HANDED_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// Those of them that are decided in one turn: about what one read of a connection brings.
pub const HANDED_PER_TURN: usize = 1_024;
/// What their answers may keep until they are proven, past which no more of them are decided.
pub const HANDED_UNPROVEN_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Records of a page take about so much, or one record more.
pub const PAGE_BYTES_MAX: usize = 1_024 * 1_024;
/// Steps that a page of open reservations may take before it comes short, and scans that a page of items may.
pub const PAGE_STEPS_MAX: u32 = 256;
pub const PAGE_SCANS_MAX: u32 = 16;
/// Items of a page that are read at once.
pub const PAGE_WINDOW: usize = 64;

/// The control socket serves this machine's own tools, a handful at a time.
pub const CONTROL_CLIENTS_MAX: usize = 16;
pub const CONTROL_LINE_BYTES_MAX: usize = 64;
