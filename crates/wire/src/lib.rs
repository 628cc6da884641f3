//! What is said to Sumun and by it, as plain types: commands, answers, refusals, records, events, and the limits of
//! each. One vocabulary for every interface (RESP, HTTP, command line), for the core that decides and for the auditor
//! that judges it. Names are those of the public contract.
//!
//! Never here: bytes of any protocol, decisions, state, clocks, I/O, other crates of ours.
#![no_std]

extern crate alloc;

pub mod answer;
pub mod command;
pub mod event;
pub mod limits;
mod moment;
pub mod record;
pub mod text;
mod trace;

pub use answer::{Answer, Code, Facts, Invalid, Outcome, Refusal, Short};
pub use command::{Adjust, Command, Configure, Extend, Line, Lines, Part, PartLine, PartLines, Receive, Reserve};
pub use event::{Event, EventData, EventLine, ItemEvent, LogEvent, LotFigures, ReservationEvent, Subject, Verb};
pub use record::{
    Allocation, Ended, HolderRecord, ItemRecord, Kind, Limit, LotRow, ReservationLine, ReservationRecord, Settings,
    State, Taken,
};
pub use trace::Trace;

/// An id, sku, holder, lot, location or reason. Up to 24 bytes cost no allocation.
pub type Name = compact_str::CompactString;

/// Unix time in milliseconds. Every time that Sumun takes or gives has this resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// A place in one shard's log: 1, 2, 3 …, one an event, without gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);
