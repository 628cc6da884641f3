//! Caps of the command line's own work, and of what it may configure: what it buffers, opens and waits for. Those of the
//! server stand in its crate.

use std::time::Duration;

/// A reply of the server that the blocking client takes: an item with all its lots is the largest.
pub(crate) const REPLY_BYTES_MAX: usize = 4 << 20;
/// Aggregates within aggregates: a reservation's `taken` stands four deep.
pub(crate) const REPLY_DEPTH_MAX: usize = 8;
/// How long the blocking client waits for a connection and for one reply.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// Commands that preparing items sends before it reads their replies.
pub(crate) const PREPARE_PIPELINE: usize = 256;

/// Connections of one load.
pub(crate) const CONNECTIONS_MAX: u32 = 20_000;
/// Requests in flight on one connection of a closed loop.
pub(crate) const PIPELINE_MAX: u32 = 4_096;
/// Requests in flight in all. Past it an open loop holds arrivals back, and their latency goes on counting.
pub(crate) const IN_FLIGHT_MAX: usize = 1 << 20;
/// Connections being opened at one time: below the usual listen backlog, past which the kernel delays by seconds.
pub(crate) const CONNECTING_MAX: usize = 100;
/// What one read of a load's connection takes, and so the largest reply that a load can take.
pub(crate) const READ_BYTES: usize = 256 << 10;
/// Bytes waiting to be written on one connection, past which nothing more is sent on it.
pub(crate) const UNSENT_BYTES_MAX: usize = 4 << 20;
/// Pause before a lost connection is opened again.
pub(crate) const RECONNECT_NS: u64 = 100_000_000;
/// Events that a load takes from the kernel at once.
pub(crate) const EVENTS_MAX: usize = 1_024;
/// How long a load waits for its last replies, and for a server that has gone.
pub(crate) const DRAIN_NS: u64 = 10_000_000_000;
/// Items that a load prepares.
pub(crate) const ITEMS_MAX: u64 = 1_000_000;
/// The longest load, and the one-second windows that are kept of it.
pub(crate) const LOAD_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
pub(crate) const WINDOWS_MAX: usize = 86_400;

/// How long a server that was started may take until it is ready.
pub(crate) const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server that was asked to stop may take: its own default grace, and a little.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(35);
/// The ready line of a server.
pub(crate) const READY_LINE_BYTES_MAX: usize = 4_096;
/// Starts of the demo's server that may fail one after the other.
pub(crate) const START_FAILURES_MAX: u32 = 3;
/// What is shown of a failed server's own log.
pub(crate) const SERVER_LOG_TAIL_BYTES: usize = 2_000;
pub(crate) const BUYERS_MAX: u32 = 10_000_000;
/// Differences that an audit spells out; the rest is counted.
pub(crate) const FINDINGS_SHOWN_MAX: usize = 20;
/// What the store of a server keeps in memory, each a part of what `--memory` says: blocks it has read, and what it has
/// not yet sorted into files.
pub(crate) const STORE_MEMORY_PART: u64 = 16;
pub(crate) const STORE_CACHE_BYTES_MIN: u64 = 8 << 20;
pub(crate) const STORE_CACHE_BYTES_MAX: u64 = 512 << 20;
pub(crate) const STORE_BUFFER_BYTES_MIN: u64 = 8 << 20;
/// What is not sorted yet is read back one by one at a start.
pub(crate) const STORE_BUFFER_BYTES_MAX: u64 = 24 << 20;
/// The same for a store that a command looks at or makes.
pub(crate) const LOOK_CACHE_BYTES: u64 = 32 << 20;
pub(crate) const LOOK_BUFFER_BYTES: u64 = 32 << 20;
/// A segment has to hold the largest batch, and to stay well below what a disk can lay out in a moment.
pub(crate) const SEGMENT_BYTES_MIN: u64 = 4 << 20;
pub(crate) const SEGMENT_BYTES_MAX: u64 = 4 << 30;
/// The longest `store_delay`.
pub(crate) const STORE_DELAY_MS_MAX: u64 = 60_000;
/// Taken for `--memory` where nothing tells how much there is.
pub(crate) const MEMORY_UNKNOWN_BYTES: u64 = 1 << 30;
/// How long a running server may take to say where its log ends.
pub(crate) const CONTROL_TIMEOUT: Duration = Duration::from_secs(5);

/// Copies of a running server's store that are begun until one is whole, and the pause between two.
pub(crate) const STORE_COPIES_MAX: u32 = 100;
pub(crate) const STORE_COPY_PAUSE: Duration = Duration::from_millis(20);

/// A row of an import: settings with 16 KiB of metadata, each byte escaped, stay far below.
pub(crate) const ROW_BYTES_MAX: usize = 256 << 10;
/// Rows of one EXEC, and bytes of them, about: half of what the contract lets a transaction have, so that a step of the
/// server stays short.
pub(crate) const IMPORT_BATCH_ROWS: usize = 512;
pub(crate) const IMPORT_BATCH_BYTES: usize = 128 << 10;
/// The first pause before a batch is sent again, the longest, and how often an end is looked for meanwhile.
pub(crate) const IMPORT_PAUSE: Duration = Duration::from_millis(20);
pub(crate) const IMPORT_PAUSE_MAX: Duration = Duration::from_secs(2);
pub(crate) const IMPORT_LOOK: Duration = Duration::from_millis(100);
/// Items whose settings were refused, which are kept in mind: 16 bytes each.
pub(crate) const IMPORT_HELD_BACK_MAX: usize = 1_000_000;
/// Ids of rows that are sorted in memory at a time, 32 bytes each, and rows with an id twice that are kept in mind.
pub(crate) const TWICE_ENTRIES_MAX: usize = 1 << 20;
pub(crate) const TWICE_FOUND_MAX: usize = 1_000_000;
/// Items of one page of an export, and the largest page that is taken: items have 1,024 lots at most.
pub(crate) const EXPORT_PAGE: usize = 250;
pub(crate) const WEB_BODY_BYTES_MAX: usize = 256 << 20;
/// How long an export asks again when it is not answered.
pub(crate) const EXPORT_PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const EXPORT_PAUSE: Duration = Duration::from_millis(250);
/// How long `top` waits for an answer, how often it may ask, how long it looks for a key at a time, and the newest events
/// that it counts items in.
pub(crate) const TOP_PATIENCE: Duration = Duration::from_secs(3);
pub(crate) const TOP_EVERY_MS_MIN: u64 = 100;
pub(crate) const TOP_LOOK: Duration = Duration::from_millis(50);
pub(crate) const TOP_EVENTS: u64 = 200;
