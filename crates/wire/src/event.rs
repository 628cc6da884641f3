//! Events as they leave Sumun: what a CloudEvent carries, and what `verify`, mirrors and the auditor read. Every event
//! stands for itself: its lines hold the figures after it.

use crate::{Ended, Kind, Name, Sequence, Settings, State, Timestamp, Trace};
use alloc::boxed::Box;
use alloc::vec::Vec;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub sequence: Sequence,
    pub time: Timestamp,
    /// Where in a trace the request stood that made it. It says nothing of what happened.
    pub trace: Option<Trace>,
    pub data: EventData,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventData {
    Log(LogEvent),
    Item(ItemEvent),
    Reservation(Box<ReservationEvent>),
}

/// Bookkeeping of the log itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    Opened { retention_ms: u64, log_retention_ms: u64 },
    Time { retention_ms: u64, log_retention_ms: u64 },
}

/// `item.configured`, `item.removed`, `item.received`, `item.adjusted`, `lot.expired`: one item, one line a lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemEvent {
    pub verb: Verb,
    pub sku: Name,
    pub kind: Kind,
    pub lines: Vec<EventLine>,
    pub movement: Option<Name>,
    pub reason: Option<Name>,
    /// Of `item.configured`.
    pub settings: Option<Box<Settings>>,
}

/// `reservation.held`, `.captured`, `.released`, `.expired`, `.extended`, `.returned`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservationEvent {
    pub verb: Verb,
    pub reservation: Name,
    pub created_at: Timestamp,
    pub version: u64,
    pub state: State,
    pub ended: Option<Ended>,
    pub tombstone: bool,
    pub holder: Option<Name>,
    /// Nothing is left held.
    pub complete: bool,
    pub expires_at: Option<Timestamp>,
    pub needed_until: Option<Timestamp>,
    /// The id of a capture, release or return that had one.
    pub part: Option<Name>,
    /// One a sku and lot that this event moved. None for `.extended` and a tombstone.
    pub lines: Vec<EventLine>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    Configured,
    Removed,
    Received,
    Adjusted,
    LotExpired,
    Held,
    Captured,
    Released,
    Expired,
    Extended,
    Returned,
}

/// What an event moved of one sku and lot, and how the item (and the lot) stand after the whole event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    pub sku: Name,
    pub lot: Option<Name>,
    /// What was moved; signed for an adjustment, what nobody holds of the lot for `lot.expired`, 0 for settings.
    pub quantity: i64,
    pub version: u64,
    /// The sequence of the item's event before this one.
    pub previous: Option<Sequence>,
    pub on_hand: i64,
    pub reserved: u64,
    pub available: u64,
    pub received: u64,
    pub removed: u64,
    pub returned: u64,
    pub captured: u64,
    pub lot_figures: Option<LotFigures>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotFigures {
    pub on_hand: u64,
    pub reserved: u64,
    pub expires_at: Option<Timestamp>,
    pub location: Option<Name>,
}

/// The ordering key of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject<'a> {
    Log,
    Sku(&'a str),
    Reservation(&'a str),
}

impl Event {
    pub fn subject(&self) -> Subject<'_> {
        match &self.data {
            EventData::Log(_) => Subject::Log,
            EventData::Item(e) => Subject::Sku(&e.sku),
            EventData::Reservation(e) => Subject::Reservation(&e.reservation),
        }
    }
    /// The CloudEvents type.
    pub const fn kind(&self) -> &'static str {
        match &self.data {
            EventData::Log(LogEvent::Opened { .. }) => "log.opened",
            EventData::Log(LogEvent::Time { .. }) => "log.time",
            EventData::Item(e) => e.verb.kind(),
            EventData::Reservation(e) => e.verb.kind(),
        }
    }
    pub fn lines(&self) -> &[EventLine] {
        match &self.data {
            EventData::Log(_) => &[],
            EventData::Item(e) => &e.lines,
            EventData::Reservation(e) => &e.lines,
        }
    }
}

impl Verb {
    pub const fn kind(self) -> &'static str {
        match self {
            Verb::Configured => "item.configured",
            Verb::Removed => "item.removed",
            Verb::Received => "item.received",
            Verb::Adjusted => "item.adjusted",
            Verb::LotExpired => "lot.expired",
            Verb::Held => "reservation.held",
            Verb::Captured => "reservation.captured",
            Verb::Released => "reservation.released",
            Verb::Expired => "reservation.expired",
            Verb::Extended => "reservation.extended",
            Verb::Returned => "reservation.returned",
        }
    }
}
