//! Linearizability: whether what concurrent clients were answered, a kill in their midst included, could have come of
//! one command after the other, each at some moment between its sending and its answer.
//!
//! `record` makes a history against the real binary, `judge` judges one, `trial` does both. The judgement knows what was
//! sent, what came back and when, and nothing else; `model` says what the contract makes of a command, written from the
//! contract alone.
//! What was lost with a connection may have happened at any later time, or never. The end of a reservation is a step of
//! its own that may happen at any time from its `expires_at` on. The sequences in the answers only say in which order
//! to try, so that a right history is judged in one pass; a history whose sequences contradict the order of time is
//! wrong besides (`order`).
//!
//! Never here: any part of the server, its log, or the order that the log gives.

mod answers;
mod future;
pub mod history;
mod judge;
mod line;
mod model;
mod names;
mod order;
mod plan;
mod record;
mod search;
mod trial;

pub use history::{History, Operation};
pub use judge::{Verdict, judge};
pub use record::{Recipe, Recorded, record};
pub use trial::{REPLACED_MAX, Trial, trial};

/// How far the server's clock and the recorder's may stand apart, both read from one machine's, and rounded.
const CLOCKS_APART_MS_MAX: u64 = 25;
/// Configurations of one part of a history that are looked at before its judgement is given up.
const CONFIGURATIONS_MAX: usize = 6_000_000;
/// When it is judged again.
const CONFIGURATIONS_AGAIN_MAX: usize = 10 * CONFIGURATIONS_MAX;
