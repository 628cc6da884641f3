//! What an engine is opened with, and why it may not start.

use sumun_log::{Log, OpenError, ReadError, Report};
use sumun_store::StoreError;

#[derive(Clone, Debug)]
pub struct Options {
    pub shard: u32,
    /// Bytes that records may take.
    pub memory: usize,
    pub retention_ms: u64,
    pub log_retention_ms: u64,
    /// How long events wait before their records are staged for the store, while it is not far behind.
    pub stage_after_ms: u64,
    /// Start although the clock is far behind the log.
    pub accept_clock: bool,
}

/// A log as it was opened, and what was found.
pub struct Opened {
    pub log: Box<dyn Log + Send>,
    pub report: Report,
}

/// Opens the shard's log: at the start, and again when it could not be written.
pub type Opener = Box<dyn FnMut() -> Result<Opened, OpenError> + Send>;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("event {sequence} of the log cannot be read: {error}")]
    Event { sequence: u64, error: sumun_codec::DecodeError },
    #[error(transparent)]
    OpenStore(#[from] StoreError),
    #[error("the store is malformed: {0}; rebuild it from a snapshot and the log")]
    Store(String),
    #[error(
        "the store belongs to log {store}, the log beside it is {log}: bring both from one data directory, or rebuild the \
         store from a snapshot and the log"
    )]
    OtherLog { store: String, log: String },
    #[error(
        "the store holds events up to {newest}, the log ends at {last}: the log has lost its end; bring back the log's newest \
         segments, or rebuild the store from a snapshot and the log"
    )]
    Ahead { newest: u64, last: u64 },
    #[error(
        "the store holds all events up to {saved}, the log begins at {first}: what lies between is lost; bring back the log's \
         older segments, or rebuild the store from a snapshot and the log"
    )]
    Behind { saved: u64, first: u64 },
    #[error("{0}")]
    StoreBroken(String),
    #[error(
        "the clock stands {behind_ms} ms before the last time in the log; set it right, or start with --accept-clock: \
         then time stands still until the clock has caught up"
    )]
    Clock { behind_ms: u64 },
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("report", &self.report).finish_non_exhaustive()
    }
}
