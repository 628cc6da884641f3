//! Records as they are shown. These allocate: reads of whole records are not the burst.

use crate::event::NONE;
use crate::item::Item;
use crate::reservation::{Mark, Reservation};
use crate::state::{Found, State};
use alloc::boxed::Box;
use alloc::vec::Vec;
use sumun_wire::{
    Answer, Command, Ended, HolderRecord, ItemRecord, LotRow, Name, Refusal, ReservationLine, ReservationRecord,
    Sequence, Settings, State as Status, Taken, Timestamp,
};

impl State {
    /// Answers a read with what stands, ending nothing: for when nothing can be written. `None`: not a read, or not
    /// in memory.
    pub fn as_it_stands(&self, now: u64, command: &Command<'_>) -> Option<Answer> {
        match command {
            Command::Item { sku } => (self.find_item(sku) != Found::Unknown).then(|| self.show_item(sku, now)),
            Command::Reservation { id } => {
                (self.find_reservation(id, now) != Found::Unknown).then(|| self.show_reservation(id, now))
            }
            Command::Holder { sku, holder } => {
                let known = match self.find_item(sku) {
                    Found::At(slot) => self.find_usage(slot, holder) != Found::Unknown,
                    Found::Absent => true,
                    Found::Unknown => false,
                };
                known.then(|| self.show_holder(now, sku, holder))
            }
            Command::Configure(_)
            | Command::Remove { .. }
            | Command::Receive(_)
            | Command::Adjust(_)
            | Command::Reserve(_)
            | Command::Capture(_)
            | Command::Release(_)
            | Command::Return(_)
            | Command::Extend(_) => None,
        }
    }

    pub(crate) fn show_item(&self, sku: &str, now: u64) -> Answer {
        let Found::At(slot) = self.find_item(sku) else { return Answer::Item(None) };
        let item = &self.items[slot];
        Answer::Item(item.exists().then(|| Box::new(self.item_record(item, now))))
    }

    fn item_record(&self, item: &Item, now: u64) -> ItemRecord {
        let f = &item.figures;
        ItemRecord {
            sku: item.sku.clone(),
            kind: item.kind,
            on_hand: f.on_hand,
            reserved: f.reserved,
            available: item.available(),
            received: f.received,
            removed: f.removed,
            returned: f.returned,
            captured: f.captured,
            expired: f.lots.ended_on_hand,
            settings: Settings {
                safety_stock: item.safety_stock,
                backorder_limit: item.backorder_limit,
                limit: item.limit,
                allocation: item.allocation,
                metadata: item.metadata.as_deref().map(Into::into),
            },
            lots: self.lot_rows(item, now),
            version: f.version,
            sequence: Sequence(item.sequence),
        }
    }

    fn lot_rows(&self, item: &Item, now: u64) -> Vec<LotRow> {
        if !item.has_lots(now, self.retention_ms) {
            return Vec::new();
        }
        self.look(item.lots_with_units());
        let slots = item.lots.iter().flat_map(|lots| lots.ended.iter().chain(&lots.fresh));
        let mut rows: Vec<LotRow> = slots
            .map(|slot| {
                let lot = &self.lots[*slot];
                LotRow {
                    lot: Some(lot.id.clone()),
                    location: lot.location.clone(),
                    on_hand: lot.on_hand as i64,
                    reserved: lot.reserved,
                    expires_at: lot.expires_at.map(Timestamp),
                }
            })
            .collect();
        let (on_hand, reserved) = (item.figures.loose_on_hand(), item.figures.loose_reserved());
        if on_hand != 0 || reserved != 0 {
            rows.push(LotRow { lot: None, location: None, on_hand, reserved, expires_at: None });
        }
        rows
    }

    pub(crate) fn show_reservation(&self, id: &str, now: u64) -> Answer {
        let Found::At(slot) = self.find_reservation(id, now) else { return Answer::Reservation(None) };
        let r = &self.reservations[slot];
        self.look(r.takes());
        Answer::Reservation(Some(Box::new(self.shown(r))))
    }

    pub(crate) fn shown(&self, r: &Reservation) -> ReservationRecord {
        ReservationRecord {
            id: r.id.clone(),
            state: r.state,
            ended: r.ended,
            tombstone: r.marks.has(Mark::Tombstone),
            holder: (r.holder != NONE).then(|| self.holders[r.holder].name.clone()),
            created_at: Timestamp(r.created_at),
            expires_at: r.expires().map(Timestamp),
            needed_until: r.needed_until().map(Timestamp),
            lines: (0..r.lines()).map(|line| self.line(r, line)).collect(),
            version: u64::from(r.version()),
            sequence: Sequence(r.sequence),
        }
    }

    fn line(&self, r: &Reservation, at: usize) -> ReservationLine {
        let (item, quantity, lot, location) = r.line(at);
        let mut line = ReservationLine {
            sku: self.items[item].sku.clone(),
            quantity,
            captured: 0,
            released: 0,
            expired: 0,
            returned: 0,
            lot: lot.map(Name::from),
            location: location.map(Name::from),
            taken: Vec::new(),
        };
        for take in (0..r.takes()).map(|take| r.take(take)).filter(|take| take.line as usize == at) {
            line.captured += take.captured;
            line.released += take.released;
            line.returned += take.returned;
            if r.state != Status::Held && r.ended == Some(Ended::Expired) {
                line.expired += take.left();
            }
            let lot = (take.lot != NONE).then(|| self.lots[take.lot].id.clone());
            line.taken.push(Taken { lot, quantity: take.quantity });
        }
        line
    }

    pub(crate) fn show_holder(&self, now: u64, sku: &str, holder: &str) -> Answer {
        let slot = match self.find_item(sku) {
            Found::At(slot) if self.items[slot].exists() => slot,
            Found::At(_) | Found::Absent | Found::Unknown => return Answer::Refused(Refusal::missing(sku)),
        };
        let limit = self.items[slot].limit;
        let window = limit.and_then(|limit| limit.window_ms);
        let mut record = HolderRecord::default();
        if let Found::At(usage) = self.find_usage(slot, holder) {
            let usage = &self.usages[usage];
            record.held = usage.held;
            record.counted = usage.counted(now, window);
            record.next_free_at = usage.next_free_at(now, window).map(Timestamp);
        }
        record.left = limit.map(|limit| limit.quantity.saturating_sub(record.held + record.counted));
        Answer::Holder(record)
    }
}
