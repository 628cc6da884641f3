//! Reservations: quantities claimed together, then captured, released, expired, returned.
//! RSV-1: one terminal state, once. Asserted when an event changes the state.
//!
//! Cost: one line without lot, an id of up to 24 bytes: 96 bytes, its places in the timers and in the lists by item and
//! by holder included; no allocation of its own. What is known only while it is held shares room with what is known only
//! since it ended. Everything else (several lines, lots, named places, parts, extensions) stands in one box.

use crate::event::{Kind, NONE};
use crate::links::Links;
use crate::state::heap_of;
use crate::timers::Place;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use sumun_wire::{Ended, Name, State};

#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    pub(crate) id: Name,
    pub(crate) body: Body,
    pub(crate) created_at: u64,
    /// `u64::MAX`: does not end by time.
    pub(crate) expires_at: u64,
    pub(crate) sequence: u64,
    pub(crate) life: Life,
    /// Slot of the holder's name, or `NONE`.
    pub(crate) holder: u32,
    pub(crate) state: State,
    pub(crate) ended: Option<Ended>,
    pub(crate) timer: Place,
    pub(crate) marks: Marks,
}

/// The budget of memory rests on it: what is held is never evicted.
const _: () = assert!(size_of::<Option<Reservation>>() == 96);

/// What only a held one has, and what only an ended one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    Open(Places),
    /// Time of its last event: it is remembered for the retention from here.
    Ended {
        touched_at: u64,
    },
}

/// Where an open reservation stands among others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) timer: Links,
    /// In the list of its first line's item; those of its other items stand in the box.
    pub(crate) item: Links,
    pub(crate) holder: Links,
}

impl Places {
    pub(crate) const UNSET: Places = Places { timer: Links::UNSET, item: Links::UNSET, holder: Links::UNSET };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Tombstone = 1,
    Capture = 2,
    /// Of a body of one line.
    Counted = 4,
    /// The store may hold it among the open ones.
    Filed = 8,
    Unsaved = 16,
    /// Looked at since the hand passed.
    Used = 32,
}

/// Marks in one byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks(Cell<u8>);

impl Marks {
    pub(crate) fn of(marks: &[(Mark, bool)]) -> Marks {
        let all = Marks::default();
        marks.iter().for_each(|(mark, is)| {
            all.set(*mark, *is);
        });
        all
    }
    pub(crate) fn has(&self, mark: Mark) -> bool {
        self.0.get() & mark as u8 != 0
    }
    /// Returns what stood there.
    pub(crate) fn set(&self, mark: Mark, is: bool) -> bool {
        let (was, bit) = (self.0.get(), mark as u8);
        self.0.set(if is { was | bit } else { was & !bit });
        was & bit != 0
    }
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
    /// Sequence of the event that began it: known of what is held.
    pub(crate) begun: u64,
    pub(crate) version: u32,
    pub(crate) needed_until: Option<u64>,
    pub(crate) lines: Vec<Line>,
    /// By line, then in the order taken.
    pub(crate) takes: Vec<Take>,
    pub(crate) parts: Vec<Part>,
    /// Its places in the lists of its items, but for the first line's: while it is held.
    pub(crate) chains: Vec<Chain>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    pub(crate) item: u32,
    pub(crate) links: Links,
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
pub enum PartVerb {
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
    pub(crate) fn all_takes(&self) -> impl Iterator<Item = Take> {
        (0..self.takes()).map(|at| self.take(at))
    }
    /// One line changes as a whole or becomes `Many`: so its state says what became of it.
    fn one(&self, item: u32, quantity: u64) -> Take {
        let captured = if matches!(self.state, State::Captured) { quantity } else { 0 };
        let released = if matches!(self.state, State::Released) { quantity } else { 0 };
        Take {
            line: 0,
            item,
            lot: NONE,
            counted: self.marks.has(Mark::Counted),
            quantity,
            captured,
            released,
            returned: 0,
        }
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
    /// Counts its events. One line that changes in part, or stays open, becomes `Many`: so its state says that, too.
    pub(crate) fn version(&self) -> u32 {
        match &self.body {
            Body::Empty => 1,
            Body::One { .. } => one_version(self.state, self.marks.has(Mark::Capture)),
            Body::Many(many) => many.version,
        }
    }
    /// Sequence of the event that began it; 0 of what has ended.
    pub(crate) fn begun(&self) -> u64 {
        match &self.body {
            Body::Empty | Body::One { .. } if self.state == State::Held => self.sequence,
            Body::Many(many) if self.state == State::Held => many.begun,
            Body::Empty | Body::One { .. } | Body::Many(_) => 0,
        }
    }
    /// When it began, while it is held; time of its last event, since it ended.
    pub(crate) const fn touched_at(&self) -> u64 {
        match self.life {
            Life::Open(_) => self.created_at,
            Life::Ended { touched_at } => touched_at,
        }
    }
    pub(crate) fn places(&self) -> &Places {
        match &self.life {
            Life::Open(places) => places,
            Life::Ended { .. } => unreachable!("RSV-1: what stands in a list is held"),
        }
    }
    pub(crate) fn places_mut(&mut self) -> &mut Places {
        match &mut self.life {
            Life::Open(places) => places,
            Life::Ended { .. } => unreachable!("RSV-1: what stands in a list is held"),
        }
    }
    /// The item of its first line.
    pub(crate) fn first_item(&self) -> u32 {
        if self.lines() == 0 { NONE } else { self.line(0).0 }
    }
    /// The body in its general form, from where it can take parts and ids.
    pub(crate) fn many(&mut self) -> &mut Many {
        let many = match &self.body {
            Body::Many(_) => None,
            Body::Empty => Some(Many { version: self.version(), ..Many::default() }),
            Body::One { item, quantity } => {
                let line = Line { item: *item, quantity: *quantity, lot: None, location: None };
                let takes = alloc::vec![self.one(*item, *quantity)];
                let (begun, version) = (self.begun(), self.version());
                Some(Many { begun, version, lines: alloc::vec![line], takes, ..Many::default() })
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
                        + many.chains.len() * size_of::<Chain>()
                }
            }
    }
}

/// The version of a body of one line: it is held, or was born ended, or has ended as a whole.
pub(crate) fn one_version(state: State, capture: bool) -> u32 {
    if state == State::Held || capture { 1 } else { 2 }
}
