//! What the server counts: plain numbers, since one thread has them all. `INFO` shows them.

use crate::resp::command::Refused;
use sumun_wire::{Answer, Code, Command, Refusal};

#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) started_ms: u64,
    pub(crate) connections: u64,
    /// Turned away because there were too many.
    pub(crate) connections_refused: u64,
    pub(crate) accept_pauses: u64,
    pub(crate) requests: u64,
    pub(crate) protocol_errors: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) steps: u64,
    /// Most requests that one step took.
    pub(crate) step_requests_max: u64,
    /// Times that a connection was not read on because of its unsent replies.
    pub(crate) reader_pauses: u64,
    pub(crate) waits: u64,
    /// Connections closed because what they waited for could not be proven.
    pub(crate) unproven_closed: u64,
    /// Connections closed because their partial request grew while memory was short.
    pub(crate) scarce_closed: u64,
    /// What all connections keep now, and the most they ever did.
    pub(crate) kept_bytes: usize,
    pub(crate) kept_bytes_max: usize,
    pub(crate) transactions_bytes: usize,
    commands: [u64; COMMANDS.len()],
    refusals: [u64; CODES.len()],
}

/// What is decided, in the order of `place`.
const COMMANDS: [&str; 12] = [
    "configure",
    "remove",
    "receive",
    "adjust",
    "reserve",
    "capture",
    "release",
    "return",
    "extend",
    "reservation",
    "item",
    "holder",
];

const fn place(command: &Command<'_>) -> usize {
    match command {
        Command::Configure(_) => 0,
        Command::Remove { .. } => 1,
        Command::Receive(_) => 2,
        Command::Adjust(_) => 3,
        Command::Reserve(_) => 4,
        Command::Capture(_) => 5,
        Command::Release(_) => 6,
        Command::Return(_) => 7,
        Command::Extend(_) => 8,
        Command::Reservation { .. } => 9,
        Command::Item { .. } => 10,
        Command::Holder { .. } => 11,
    }
}

/// INVALID is the first: it has a way of its own to be counted.
const CODES: [Code; 12] = [
    Code::Invalid,
    Code::NotFound,
    Code::IdConflict,
    Code::Conflict,
    Code::Expired,
    Code::Captured,
    Code::Released,
    Code::Limit,
    Code::Insufficient,
    Code::Exceeds,
    Code::Overloaded,
    Code::ReadOnly,
];

impl Metrics {
    pub(crate) fn observe_answer(&mut self, command: &Command<'_>, answer: &Answer) {
        self.commands[place(command)] += 1;
        match answer {
            Answer::Refused(refusal) => self.observe_refusal(refusal),
            Answer::Available { .. }
            | Answer::Outcome(_)
            | Answer::Item(_)
            | Answer::Reservation(_)
            | Answer::Holder(_) => {}
        }
    }

    pub(crate) fn observe_refusal(&mut self, refusal: &Refusal) {
        if let Some(at) = CODES.iter().position(|code| *code == refusal.code) {
            self.refusals[at] += 1;
        }
    }

    /// What is no command at all is counted by nobody: it has no code.
    pub(crate) fn observe_misread(&mut self, refused: Refused) {
        match refused {
            Refused::Invalid(_) => self.refusals[0] += 1,
            Refused::TooFew => {}
        }
    }

    /// A connection that kept `before` keeps `after` now, of which its transaction takes the second figure.
    pub(crate) fn observe_kept(&mut self, before: (usize, usize), after: (usize, usize)) {
        self.kept_bytes = self.kept_bytes + after.0 - before.0;
        self.transactions_bytes = self.transactions_bytes + after.1 - before.1;
        self.kept_bytes_max = self.kept_bytes_max.max(self.kept_bytes);
    }

    pub(crate) fn observe_step(&mut self, requests: u64) {
        self.steps += 1;
        self.step_requests_max = self.step_requests_max.max(requests);
    }

    /// Commands decided, refused ones too, by name.
    pub(crate) fn commands(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        COMMANDS.into_iter().zip(self.commands)
    }

    /// Refusals of a code's word: two codes share `CONFLICT`.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (Code, u64)> + '_ {
        CODES.into_iter().zip(self.refusals)
    }
}
