//! Records as they stand outside of memory: what they point at is told by name. Borrowed both ways, so that a record is
//! written from where it stands and read into where it will stand.
//!
//! `Key` says which record; a store keeps its bytes under a key of its own.

use crate::event::{Figures, NONE};
use crate::reservation::{Body, Mark, Reservation as Slot, one_version};
use crate::state::State;
use crate::unsaved::Table;
use smallvec::SmallVec;
use sumun_wire::{Allocation, Ended, Kind, Limit, Name, State as Status};

pub use crate::reservation::PartVerb;
pub use crate::usage::Bucket;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An item, with its lots that have units, and those that open reservations took from.
    Item(Name),
    /// A lot without units, as a rule: others come with their item.
    Lot(Name, Name),
    Reservation(Name),
    Movement(Name, Name),
    Usage(Name, Name),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    Item(Item<'a>),
    Lot(Lot<'a>),
    Reservation(Reservation<'a>),
    Movement(Movement<'a>),
    Usage(Usage<'a>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    pub sku: &'a str,
    pub kind: Kind,
    pub hidden: bool,
    pub counts: bool,
    pub allocation: Allocation,
    pub limit: Option<Limit>,
    pub safety_stock: u64,
    pub backorder_limit: u64,
    pub metadata: Option<&'a str>,
    pub sequence: u64,
    pub figures: Figures,
    /// Time of the last event that named one of its lots; 0 when none did.
    pub lots_touched_at: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot<'a> {
    pub sku: &'a str,
    pub lot: &'a str,
    pub location: Option<&'a str>,
    pub expires_at: Option<u64>,
    pub first: u64,
    pub on_hand: u64,
    pub reserved: u64,
    pub ended: bool,
    pub sequence: u64,
    pub touched_at: u64,
}

impl Lot<'_> {
    /// When it ends by time, if it will.
    pub fn ends_at(&self) -> Option<u64> {
        self.expires_at.filter(|_| self.on_hand > 0 && !self.ended)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation<'a> {
    pub id: &'a str,
    pub holder: Option<&'a str>,
    pub created_at: u64,
    pub expires_at: Option<u64>,
    pub needed_until: Option<u64>,
    pub sequence: u64,
    pub version: u32,
    pub state: Status,
    pub ended: Option<Ended>,
    pub tombstone: bool,
    pub capture: bool,
    /// Sequence of the event that began it, while it is held; else 0.
    pub begun: u64,
    /// Time of its last event, once it has ended; else `created_at`.
    pub touched_at: u64,
    pub lines: SmallVec<[Line<'a>; 1]>,
    pub takes: SmallVec<[Take<'a>; 1]>,
    pub parts: SmallVec<[Part<'a>; 0]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub sku: &'a str,
    pub quantity: u64,
    pub lot: Option<&'a str>,
    pub location: Option<&'a str>,
}

/// What a line took of one lot, or without lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take<'a> {
    /// From 0.
    pub line: u32,
    pub lot: Option<&'a str>,
    pub counted: bool,
    pub quantity: u64,
    pub captured: u64,
    pub released: u64,
    pub returned: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    pub verb: PartVerb,
    pub id: &'a str,
    pub digest: u128,
    pub partial: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement<'a> {
    pub sku: &'a str,
    pub id: &'a str,
    pub digest: u128,
    /// What was available after it.
    pub answer: u64,
    pub sequence: u64,
    pub made_at: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    pub sku: &'a str,
    pub holder: &'a str,
    pub sequence: u64,
    pub held: u64,
    pub captured: u64,
    pub buckets: SmallVec<[Bucket; 4]>,
}

impl Record<'_> {
    pub fn key(&self) -> Key {
        match self {
            Record::Item(r) => Key::Item(r.sku.into()),
            Record::Lot(r) => Key::Lot(r.sku.into(), r.lot.into()),
            Record::Reservation(r) => Key::Reservation(r.id.into()),
            Record::Movement(r) => Key::Movement(r.sku.into(), r.id.into()),
            Record::Usage(r) => Key::Usage(r.sku.into(), r.holder.into()),
        }
    }
    /// Of the newest event that it holds.
    pub const fn sequence(&self) -> u64 {
        match self {
            Record::Item(r) => r.sequence,
            Record::Lot(r) => r.sequence,
            Record::Reservation(r) => r.sequence,
            Record::Movement(r) => r.sequence,
            Record::Usage(r) => r.sequence,
        }
    }
}

impl State {
    /// A record as it stands in memory. `None` when it is not there, or not whole.
    pub fn record(&self, key: &Key) -> Option<Record<'_>> {
        let item = |sku: &str| self.slot_of_item(sku);
        let (table, slot) = match key {
            Key::Item(sku) => (Table::Item, item(sku)?),
            Key::Lot(sku, lot) => (Table::Lot, self.slot_of_lot(item(sku)?, lot)?),
            Key::Reservation(id) => (Table::Reservation, self.slot_of_reservation(id)?),
            Key::Movement(sku, id) => (Table::Movement, self.slot_of_movement(item(sku)?, id)?),
            Key::Usage(sku, holder) => (Table::Usage, self.slot_of_usage(item(sku)?, holder)?),
        };
        self.record_at(table, slot)
    }

    pub(crate) fn record_at(&self, table: Table, slot: u32) -> Option<Record<'_>> {
        match table {
            Table::Item => self.item_record_at(slot),
            Table::Lot => {
                let lot = self.lots.get(slot).filter(|lot| lot.known && lot.exists())?;
                Some(Record::Lot(Lot {
                    sku: &self.items[lot.item].sku,
                    lot: &lot.id,
                    location: lot.location.as_deref(),
                    expires_at: lot.expires_at,
                    first: lot.first,
                    on_hand: lot.on_hand,
                    reserved: lot.reserved,
                    ended: lot.ended,
                    sequence: lot.sequence,
                    touched_at: lot.touched_at,
                }))
            }
            Table::Reservation => self.reservations.get(slot).map(|r| Record::Reservation(self.reservation_record(r))),
            Table::Movement => {
                let movement = self.movements.get(slot)?;
                Some(Record::Movement(Movement {
                    sku: &self.items[movement.item].sku,
                    id: &movement.id,
                    digest: movement.digest,
                    answer: movement.answer,
                    sequence: movement.sequence,
                    made_at: movement.made_at,
                }))
            }
            Table::Usage => {
                let usage = self.usages.get(slot).filter(|usage| usage.sequence > 0)?;
                Some(Record::Usage(Usage {
                    sku: &self.items[usage.item].sku,
                    holder: &self.holders[usage.holder].name,
                    sequence: usage.sequence,
                    held: usage.held,
                    captured: usage.captured,
                    buckets: SmallVec::from_slice(usage.buckets()),
                }))
            }
        }
    }

    fn item_record_at(&self, slot: u32) -> Option<Record<'_>> {
        let item = self.items.get(slot).filter(|item| item.known && item.figures.version > 0)?;
        Some(Record::Item(Item {
            sku: &item.sku,
            kind: item.kind,
            hidden: item.hidden,
            counts: item.counts,
            allocation: item.allocation,
            limit: item.limit,
            safety_stock: item.safety_stock,
            backorder_limit: item.backorder_limit,
            metadata: item.metadata.as_deref(),
            sequence: item.sequence,
            figures: item.figures,
            lots_touched_at: item.lots_touched_at,
        }))
    }

    fn reservation_record<'a>(&'a self, r: &'a Slot) -> Reservation<'a> {
        let lines = (0..r.lines()).map(|at| {
            let (item, quantity, lot, location) = r.line(at);
            Line { sku: &self.items[item].sku, quantity, lot, location }
        });
        let takes = (0..r.takes()).map(|at| {
            let take = r.take(at);
            Take {
                line: take.line,
                lot: (take.lot != NONE).then(|| self.lots[take.lot].id.as_str()),
                counted: take.counted,
                quantity: take.quantity,
                captured: take.captured,
                released: take.released,
                returned: take.returned,
            }
        });
        let part = |part: &'a crate::reservation::Part| Part {
            verb: part.verb,
            id: &part.id,
            digest: part.digest,
            partial: part.partial,
        };
        Reservation {
            id: &r.id,
            holder: (r.holder != NONE).then(|| self.holders[r.holder].name.as_str()),
            created_at: r.created_at,
            expires_at: r.expires(),
            needed_until: r.needed_until(),
            sequence: r.sequence,
            version: r.version(),
            state: r.state,
            ended: r.ended,
            tombstone: r.marks.has(Mark::Tombstone),
            capture: r.marks.has(Mark::Capture),
            begun: r.begun(),
            touched_at: r.touched_at(),
            lines: lines.collect(),
            takes: takes.collect(),
            parts: r.parts().iter().map(part).collect(),
        }
    }
}

/// A reservation's body as it will stand in memory, from lines and takes whose slots are given beside them.
pub(crate) fn body(r: &Reservation<'_>, items: &[u32], lots: &[u32]) -> Body {
    use crate::reservation::{self, Many};
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    if r.lines.is_empty() && r.parts.is_empty() {
        return Body::Empty;
    }
    if let ([line], [take], [], None) = (&r.lines[..], &r.takes[..], &r.parts[..], r.needed_until)
        && line.lot.is_none()
        && line.location.is_none()
        && take.lot.is_none()
        && take.returned == 0
        && whole(r, take)
    {
        return Body::One { item: items[0], quantity: line.quantity };
    }
    let lines = r.lines.iter().zip(items).map(|(line, item)| reservation::Line {
        item: *item,
        quantity: line.quantity,
        lot: line.lot.map(Name::from),
        location: line.location.map(Name::from),
    });
    let takes = r.takes.iter().zip(lots).map(|(take, lot)| reservation::Take {
        line: take.line,
        item: items[take.line as usize],
        lot: *lot,
        counted: take.counted,
        quantity: take.quantity,
        captured: take.captured,
        released: take.released,
        returned: take.returned,
    });
    let part = |part: &Part<'_>| reservation::Part {
        verb: part.verb,
        id: part.id.into(),
        digest: part.digest,
        partial: part.partial,
    };
    Body::Many(Box::new(Many {
        begun: r.begun,
        version: r.version,
        needed_until: r.needed_until,
        lines: lines.collect(),
        takes: takes.collect(),
        parts: r.parts.iter().map(part).collect(),
        chains: Vec::new(),
    }))
}

/// Whether the state tells all of one line: what became of it, when it began, its version.
fn whole(r: &Reservation<'_>, take: &Take<'_>) -> bool {
    let (captured, released) = match (r.state, r.ended) {
        (Status::Held, _) => {
            if r.begun != r.sequence {
                return false;
            }
            (0, 0)
        }
        (Status::Expired, _) => (0, 0),
        (Status::Captured, _) => (take.quantity, 0),
        (Status::Released, _) => (0, take.quantity),
        (Status::PartiallyCaptured, _) => return false,
    };
    take.captured == captured && take.released == released && r.version == one_version(r.state, r.capture)
}
