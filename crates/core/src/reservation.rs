//! Reservations: quantities claimed together, then captured, released, expired, returned.
//! RSV-1: one terminal state, once. Asserted when an event changes the state.
//!
//! Cost: one line without lot, an id of up to 24 bytes: 88 bytes, no allocation of its own. Everything else (several
//! lines, lots, named places, parts) stands in one box.

use crate::event::{Kind, NONE};
use crate::links::Links;
use crate::state::heap_of;
use alloc::boxed::Box;
use alloc::vec::Vec;
use sumun_wire::{Ended, Name, State};

#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) id: Name,
    pub(crate) body: Body,
    pub(crate) created_at: u64,
    /// `u64::MAX`: does not end by time.
    pub(crate) expires_at: u64,
    pub(crate) sequence: u64,
    pub(crate) version: u32,
    /// Slot of the holder's name, or `NONE`.
    pub(crate) holder: u32,
    pub(crate) links: Links,
    pub(crate) state: State,
    pub(crate) ended: Option<Ended>,
    pub(crate) tombstone: bool,
    pub(crate) capture: bool,
    /// Of a body of one line.
    pub(crate) counted: bool,
    pub(crate) timer: crate::timers::Place,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A tombstone.
    Empty,
    One {
        item: u32,
        quantity: u64,
    },
    Many(Box<Many>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Many {
    pub(crate) needed_until: Option<u64>,
    pub(crate) lines: Vec<Line>,
    /// By line, then in the order taken.
    pub(crate) takes: Vec<Take>,
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) item: u32,
    pub(crate) quantity: u64,
    pub(crate) lot: Option<Name>,
    pub(crate) location: Option<Name>,
}

/// What a line took of one lot, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Take {
    pub(crate) line: u32,
    pub(crate) item: u32,
    /// Slot, or `NONE` for units without lot.
    pub(crate) lot: u32,
    pub(crate) counted: bool,
    pub(crate) quantity: u64,
    pub(crate) captured: u64,
    pub(crate) released: u64,
    pub(crate) returned: u64,
}

impl Take {
    /// Neither captured nor released. It is held, or it has expired.
    pub(crate) const fn left(&self) -> u64 {
        self.quantity - self.captured - self.released
    }
    pub(crate) const fn returnable(&self) -> u64 {
        self.captured - self.returned
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartVerb {
    Capture,
    Release,
    Return,
}

impl PartVerb {
    pub(crate) const fn of(kind: Kind) -> Option<PartVerb> {
        match kind {
            Kind::Captured => Some(PartVerb::Capture),
            Kind::Released => Some(PartVerb::Release),
            Kind::Returned => Some(PartVerb::Return),
            Kind::LogOpened
            | Kind::LogTime
            | Kind::Configured
            | Kind::Removed
            | Kind::Received
            | Kind::Adjusted
            | Kind::LotExpired
            | Kind::Held
            | Kind::Expired
            | Kind::Extended => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) verb: PartVerb,
    pub(crate) id: Name,
    pub(crate) digest: u128,
    /// Of a part, not of the whole: those are capped.
    pub(crate) partial: bool,
}

impl Reservation {
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.state == State::Held && self.expires_at <= now
    }
    pub(crate) fn expires(&self) -> Option<u64> {
        (self.expires_at != u64::MAX).then_some(self.expires_at)
    }
    pub(crate) fn takes(&self) -> usize {
        match &self.body {
            Body::Empty => 0,
            Body::One { .. } => 1,
            Body::Many(many) => many.takes.len(),
        }
    }
    pub(crate) fn take(&self, at: usize) -> Take {
        match &self.body {
            Body::Empty => unreachable!("an empty body has no takes"),
            Body::One { item, quantity } => self.one(*item, *quantity),
            Body::Many(many) => many.takes[at],
        }
    }
    /// One line changes as a whole or becomes `Many`: so its state says what became of it.
    const fn one(&self, item: u32, quantity: u64) -> Take {
        let captured = if matches!(self.state, State::Captured) { quantity } else { 0 };
        let released = if matches!(self.state, State::Released) { quantity } else { 0 };
        Take { line: 0, item, lot: NONE, counted: self.counted, quantity, captured, released, returned: 0 }
    }
    pub(crate) fn lines(&self) -> usize {
        match &self.body {
            Body::Empty => 0,
            Body::One { .. } => 1,
            Body::Many(many) => many.lines.len(),
        }
    }
    /// Item, quantity, and what the line named.
    pub(crate) fn line(&self, at: usize) -> (u32, u64, Option<&str>, Option<&str>) {
        match &self.body {
            Body::Empty => unreachable!("an empty body has no lines"),
            Body::One { item, quantity } => (*item, *quantity, None, None),
            Body::Many(many) => {
                let line = &many.lines[at];
                (line.item, line.quantity, line.lot.as_deref(), line.location.as_deref())
            }
        }
    }
    pub(crate) fn needed_until(&self) -> Option<u64> {
        match &self.body {
            Body::Many(many) => many.needed_until,
            Body::Empty | Body::One { .. } => None,
        }
    }
    pub(crate) fn parts(&self) -> &[Part] {
        match &self.body {
            Body::Many(many) => &many.parts,
            Body::Empty | Body::One { .. } => &[],
        }
    }
    /// The body in its general form, from where it can take parts and ids.
    pub(crate) fn many(&mut self) -> &mut Many {
        let many = match &self.body {
            Body::Many(_) => None,
            Body::Empty => Some(Many::default()),
            Body::One { item, quantity } => {
                let line = Line { item: *item, quantity: *quantity, lot: None, location: None };
                let takes = alloc::vec![self.one(*item, *quantity)];
                Some(Many { needed_until: None, lines: alloc::vec![line], takes, parts: Vec::new() })
            }
        };
        if let Some(many) = many {
            self.body = Body::Many(Box::new(many));
        }
        match &mut self.body {
            Body::Many(many) => many,
            Body::Empty | Body::One { .. } => unreachable!("the body was made general above"),
        }
    }
    /// What it owns beside its slot, by length: the same for a copy.
    pub(crate) fn heap_bytes(&self) -> usize {
        heap_of(&self.id)
            + match &self.body {
                Body::Empty | Body::One { .. } => 0,
                Body::Many(many) => {
                    size_of::<Many>()
                        + many.lines.len() * size_of::<Line>()
                        + many.takes.len() * size_of::<Take>()
                        + many.parts.len() * size_of::<Part>()
                }
            }
    }
}
