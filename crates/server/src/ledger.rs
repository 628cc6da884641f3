//! What the reactor needs of the shard behind it: decide, commit, say what is proven. The engine is one; the other is
//! a twin in the tests that holds, fails and delays syncs, so that LOG-1 is shown at the sockets themselves.
//!
//! The cycle: `open_step`, any number of `handle` and `exec` until `is_full`, `close_step`, `poll`. What was answered
//! in a step may leave when that step is proven.

use std::time::Duration;
pub use sumun_engine::{Durations, Foreseen, ListBy, OpenPage, Skus, SkusOf};
use sumun_wire::{Answer, Command, Refusal, Trace};

/// A cycle's number. Steps are proven in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step(pub u64);

#[derive(Debug, PartialEq, Eq)]
pub enum Handled {
    Answer(Answer),
    /// Not in this step: the connection waits, no other.
    Later,
    /// Not before `arrivals` has moved on: a record is being read.
    Reading,
}

/// Of a list: as `Handled`.
#[derive(Debug, PartialEq, Eq)]
pub enum Listed<T> {
    Page(T),
    Later,
    Reading,
    Refused(Refusal),
}

#[derive(Debug, PartialEq, Eq)]
pub enum Executed {
    /// One answer a command.
    Done,
    Later,
    Reading,
    /// `EXECABORT`: nothing was done.
    Aborted(&'static str),
    /// Nothing was done.
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// All steps up to this one.
    Upto(Step),
    /// Steps up to `proven` are; those after it that are closed by now never will be known to be: whoever waits for
    /// one gets no answer.
    Lost { proven: Step },
}

/// Where the log durably ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    pub sequence: u64,
    pub segment: u64,
    pub offset: u64,
}

/// What `INFO` shows of the shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub shard: u64,
    pub log_id: String,
    pub epoch: u64,
    pub sequence: u64,
    pub durable: End,
    /// Of this run, ends by time among them.
    pub events: u64,
    pub ends: u64,
    pub batches: u64,
    pub batch_bytes: u64,
    /// Smoothed.
    pub batch_commands: u64,
    /// Commits on the log's own thread, and those held back to gather more.
    pub commits_beside: u64,
    pub commits_held: u64,
    /// Smoothed.
    pub sync_us: u64,
    pub sync_us_max: u64,
    /// CPU time of a step, its sync apart.
    pub step_cpu_us_max: u64,
    pub syncs: Durations,
    pub step_cpu: Durations,
    pub log_failures: u64,
    pub expiry_lag_ms: u64,
    pub clock_drift_ms: i64,
    pub open_reservations: u64,
    pub items: u64,
    pub memory_bytes: u64,
    pub is_writable: bool,
    /// The oldest event that the log keeps, and how many bytes it takes.
    pub log_first: u64,
    pub log_bytes: u64,
    pub log_segments: u64,
    /// A time not before the oldest event's, as last looked at.
    pub log_oldest_ms: Option<u64>,
    pub log_reopens: u64,
    pub trim_failures: u64,
    pub retention_ms: u64,
    pub log_retention_ms: u64,
    /// What records may take in memory.
    pub memory_bytes_max: u64,
    /// Of the batch that is not yet handed to the log.
    pub pending_bytes: u64,
    pub store: Store,
}

/// What `INFO` shows of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// All events up to here stand in it.
    pub saved: u64,
    /// Events that it is behind.
    pub lag: u64,
    /// Events that it may be behind.
    pub lag_max: u64,
    /// Records that changed since they were stored.
    pub unsaved: u64,
    /// Of this run.
    pub chunks: u64,
    pub records: u64,
    pub bytes: u64,
    pub reads: u64,
    /// Records that are being read now.
    pub reading: u64,
    /// Generations of ended records, and when the oldest began.
    pub generations: u64,
    pub oldest_ms: u64,
    /// Why it does not work, while it does not.
    pub trouble: Option<String>,
}

/// Whether commands can be decided yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The log is being replayed; `done_permille` of it is.
    Loading {
        done_permille: u16,
    },
    Ready,
}

/// The ledger is gone for good: another writer owns the log, or what it holds cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

pub trait Ledger {
    /// Shard time in Unix milliseconds as the last cycle saw it; it never goes backwards.
    fn now_ms(&self) -> u64;
    fn readiness(&self) -> Readiness;
    /// Goes on with the replay for a moment (about a millisecond).
    fn replay(&mut self) -> Result<(), Broken>;
    /// Whether a step could take anything: not while a full batch waits for the one before it. The waker tells when.
    fn can_step(&self) -> bool;
    /// Ends what is due, within a budget.
    fn open_step(&mut self);
    /// Commands that name these come soon.
    fn foresee(&self, names: &[Foreseen<'_>]);
    /// The event that the command makes carries the trace.
    fn handle(&mut self, command: &Command<'_>, trace: Option<&Trace>) -> Handled;
    /// Decides all, with nothing in between; `answers` is empty and gets one a command.
    fn exec(&mut self, commands: &[Command<'_>], answers: &mut Vec<Answer>) -> Executed;
    /// Open reservations, a bounded look at them: due ones are left out, and none is ended.
    fn list_open(&mut self, by: ListBy<'_>, after: Option<&str>, limit: usize) -> Listed<OpenPage>;
    /// Names of items; the ticket is the caller's, `None` at first, and given again when it asks again.
    fn list_skus(&mut self, ticket: &mut Option<u64>, of: &SkusOf) -> Listed<Skus>;
    /// How often records have arrived that commands may wait for.
    fn arrivals(&self) -> u64;
    /// Whether the step has taken what it may: lines and bytes are bounded.
    fn is_full(&self) -> bool;
    fn close_step(&mut self) -> Step;
    fn poll(&mut self) -> Result<Proof, Broken>;
    /// How long there is nothing to do unless a socket or the waker says so; `None`: until then.
    fn idle(&mut self) -> Option<Duration>;
    /// An id that nobody has used.
    fn fresh_id(&mut self) -> String;
    fn figures(&self) -> Figures;
}
