//! The log: a sequence of frames of opaque bytes, durable before anything that rests on them is shown.
//!
//! Never here: what the bytes mean, clocks, randomness, threads of its own (a `Crew` lends them).

pub mod caps;
mod chain;
pub mod disk;
pub mod faulty;
mod file;
mod follower;
mod frame;
mod layout;
mod reader;
mod real;
mod recover;
mod scan;
mod segment;
mod writer;

pub use file::{FileLog, Options, Setup};
pub use follower::Follower;
pub use reader::{Reader, ReaderEnd};
pub use real::RealDisk;
pub use recover::{OpenError, Report, Torn};
pub use segment::{FORMAT, segment_name, segment_number};

use std::fmt;

/// A place in a log, opaque outside of it. Positions of one log compare in log order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
}

/// The identity of a history: random, new at creation and at each restore.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(pub [u8; 16]);

/// Where a commit runs: on the calling thread, or on the log's own while the caller goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Here,
    Beside,
}

/// One batch of consecutive events, which becomes one frame.
#[derive(Debug)]
pub struct Batch {
    /// Sequence of the first event, 1 for the first of the log.
    pub first: u64,
    /// Events in it, at least 1.
    pub count: u32,
    pub epoch: u64,
    /// Opaque; at most `batch_bytes_max`. Given back by `Progress::Durable`, so that one buffer serves for ever.
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub enum Progress {
    /// Nothing was submitted that is not reported yet.
    Idle,
    /// The submitted batch is on its way; the wake handle is called when it has arrived.
    Pending,
    /// The submitted batch, and all before it, survive a power cut. `last` is its last event's sequence, `position` where
    /// its frame begins.
    Durable { last: u64, position: Position, bytes: Vec<u8> },
    /// Another writer owns the log now: nothing may be acknowledged any more.
    Fenced,
    /// The batch could be made durable nowhere. Whether it will be found after a restart is unknown: the caller drops
    /// what it knows and opens the log again.
    Failed(String),
}

/// No space can be laid out for a batch: the disk is full, or its quota is.
#[derive(Debug, thiserror::Error)]
#[error("no room for {wanted} bytes in the log: {why}")]
pub struct NoRoom {
    pub wanted: usize,
    pub why: String,
}

/// A frame as it was read. Its bytes are in the buffer that the reader was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub first: u64,
    pub count: u32,
    pub epoch: u64,
    /// Where the next frame begins.
    pub next: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Sequence of the first event kept; `last + 1` when none is.
    pub first: u64,
    pub first_position: Position,
    /// Sequence of the last durable event; 0 when there has been none.
    pub last: u64,
    pub end: Position,
    pub bytes: u64,
}

/// What a shard needs of a log. A file completes within the call, a Kafka partition later: both fit.
pub trait Log {
    fn id(&self) -> LogId;
    fn epoch(&self) -> u64;
    /// Sees to it that a batch of `bytes` fits into space laid out, or several of so much in all. Cheap when it is there
    /// already. May be called while a batch is outstanding, then for the one after it.
    fn make_room(&mut self, bytes: usize) -> Result<(), NoRoom>;
    /// Hands over a batch; at most one may be outstanding. `make_room` has been called for it.
    fn submit(&mut self, batch: Batch, place: Place);
    fn poll(&mut self) -> Progress;
    /// Background work that nothing waits for: lay out the next segment, remove what was trimmed.
    fn tend(&mut self);
    /// Reads the frame at `from` into `bytes` (cleared first). `None` at the durable end, which it never passes. The default
    /// position stands for the oldest frame kept.
    fn read(&mut self, from: Position, bytes: &mut Vec<u8>) -> Result<Option<Frame>, ReadError>;
    /// Where the frame that holds `sequence` begins; the end for one that is still to come.
    fn find(&mut self, sequence: u64) -> Result<Position, ReadError>;
    /// Lets go of whole segments before `position`.
    fn trim(&mut self, position: Position);
    fn bounds(&self) -> Bounds;
    fn batch_bytes_max(&self) -> usize;
    /// A clean end: all durable, and a closing frame says so.
    fn close(&mut self) -> Result<(), ReadError>;
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The way out: restore a backup. Or, with a copy of the directory kept, give up everything after `after`: move all
    /// later segments out of the directory and cut this one off at `offset` (at 0: move it out too); the next open goes on
    /// from there. A segment that is missing: move all older ones out, and the log begins after the gap.
    #[error(
        "log damaged in segment {segment} (`{}`) at offset {offset}, after sequence {after}: {why}; restore a backup, or copy \
         the directory and give up what comes after sequence {after}: {}",
        segment_name(*segment), way_out(*segment, *offset)
    )]
    Damaged { segment: u64, offset: u64, after: u64, why: String },
    #[error("sequence {wanted} is older than the log, which begins at {first}")]
    Trimmed { wanted: u64, first: u64 },
    #[error("no frame of this log begins at {} in segment {}", .0.offset, .0.segment)]
    NoSuchPosition(Position),
    #[error("cannot read the log: {0}")]
    Io(#[from] std::io::Error),
}

/// Lends threads to a log. Work of the log's own loop ends when the log is dropped, all other work by itself.
pub trait Crew: Send + Sync {
    fn start(&self, name: &'static str, work: Box<dyn FnOnce() + Send>);
}

fn way_out(segment: u64, offset: u64) -> String {
    let name = segment_name(segment);
    if offset == 0 {
        format!("move `{name}` and all later segments elsewhere")
    } else {
        format!("move all later segments elsewhere and run `truncate -s {offset} {name}`")
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
