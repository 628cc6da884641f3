//! Records that leave memory and come back. A record that is not in memory is *missing*: deciding asks for it by key.
//!
//! What the store holds and nothing needs may leave: a hand passes over each table, some slots a step of each. What was
//! looked at since it passed last stays once more. A slot that records in memory still point at stays, with its name
//! and nothing else. Movements and old ends leave before memory is short (`relieve`).
//! Cost: a flag's look a slot that the hand passes.

use crate::caps::{LOT_ENDS_AHEAD_MS, RELIEF_PARTS, RELIEF_SLOTS_MAX, RELIEF_SLOTS_MIN};
use crate::event::NONE;
use crate::item::Item;
use crate::lot::Lot;
use crate::record::{self, Key, Record, body};
use crate::reservation::{Life, Mark, Marks, Places, Reservation};
use crate::state::{Movement, State, heap_of};
use crate::timers::Place;
use crate::unsaved::Table;
use crate::usage::Usage;
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;
use sumun_wire::{Name, State as Status};

const HAND_TABLES: [Table; 5] = [Table::Reservation, Table::Movement, Table::Usage, Table::Lot, Table::Item];

const RESERVATIONS: usize = 0;
const MOVEMENTS: usize = 1;

/// Where the hand stands in each table, as `HAND_TABLES` has them.
pub(crate) type Hands = [u32; HAND_TABLES.len()];

impl State {
    /// Moves the hand over `slots` slots of each table: what may leave, and was not looked at since the hand passed last,
    /// leaves. So a table that fills fast and is small does not wait for a large one.
    /// `saved` is the sequence up to which the store holds all events.
    pub fn evict(&mut self, saved: u64, now: u64, slots: u32) {
        (0..HAND_TABLES.len()).for_each(|hand| self.pass(hand, saved, now, slots));
    }

    /// Lets go of what is seldom asked for again, whether or not memory is short: movements, and ended reservations where
    /// there are more than `ended_max`. Tables never shrink: what these once took would be lost to others.
    pub fn relieve(&mut self, saved: u64, now: u64, ended_max: usize) {
        let share = |len: usize| (len / RELIEF_PARTS).clamp(RELIEF_SLOTS_MIN, RELIEF_SLOTS_MAX) as u32;
        self.pass(MOVEMENTS, saved, now, share(self.movements.len()));
        if self.reservations.len() - self.open as usize > ended_max {
            self.pass(RESERVATIONS, saved, now, share(self.reservations.len()));
        }
    }

    /// A small table is passed once a call at most.
    fn pass(&mut self, hand: usize, saved: u64, now: u64, slots: u32) {
        let table = HAND_TABLES[hand];
        let end = self.end_of(table);
        for _ in 0..slots.min(end) {
            let from = if self.hands[hand] < end { self.hands[hand] } else { 0 };
            let slot = self.next_of(table, from);
            self.hands[hand] = slot + 1;
            if self.may_leave(table, slot, saved, now) {
                self.drop_record(table, slot);
            }
        }
    }

    fn end_of(&self, table: Table) -> u32 {
        match table {
            Table::Item => self.items.end(),
            Table::Lot => self.lots.end(),
            Table::Reservation => self.reservations.end(),
            Table::Movement => self.movements.end(),
            Table::Usage => self.usages.end(),
        }
    }

    /// Passes over what holds nothing.
    fn next_of(&self, table: Table, from: u32) -> u32 {
        match table {
            Table::Item => self.items.pass_empty(from),
            Table::Lot => self.lots.pass_empty(from),
            Table::Reservation => self.reservations.pass_empty(from),
            Table::Movement => self.movements.pass_empty(from),
            Table::Usage => self.usages.pass_empty(from),
        }
    }

    /// A record by number leaves memory, if it may: for whoever picks at random.
    pub fn evict_any(&mut self, number: u64, saved: u64, now: u64) -> bool {
        let table = HAND_TABLES[(number % HAND_TABLES.len() as u64) as usize];
        let end = self.end_of(table);
        let slot = (number / HAND_TABLES.len() as u64 % u64::from(end.max(1))) as u32;
        let may = (0..2).any(|_| self.may_leave(table, slot, saved, now));
        if may {
            self.drop_record(table, slot);
        }
        may
    }

    /// Takes a record out of memory if it may leave: `true` when it did. For whoever picks at random.
    pub fn evict_key(&mut self, key: &Key, saved: u64, now: u64) -> bool {
        let Some((table, slot)) = self.find_key(key) else { return false };
        let may = (0..2).any(|_| self.may_leave(table, slot, saved, now));
        if may {
            self.drop_record(table, slot);
        }
        may
    }

    fn may_leave(&self, table: Table, slot: u32, saved: u64, now: u64) -> bool {
        match table {
            Table::Item => {
                let Some(item) = self.items.get(slot).filter(|item| item.known && item.figures.version > 0) else {
                    return false;
                };
                let later = item.next_end() > now.saturating_add(LOT_ENDS_AHEAD_MS);
                let free = item.figures.reserved == 0 && later && item.open == 0;
                let clean =
                    !item.unsaved && item.sequence.max(item.stamped) <= saved && self.lots_are_clean(item, saved);
                free && clean && !item.used.take() && !self.away.is_pinned(item.hash)
            }
            Table::Lot => {
                let Some(lot) = self.lots.get(slot).filter(|lot| lot.known && lot.exists()) else { return false };
                // A lot with units leaves with its item; that an item has an open lot is counted.
                let free = lot.on_hand == 0 && lot.open == 0 && !lot.unsaved && lot.sequence <= saved;
                free && !self.away.is_pinned(self.lot_hash(lot.item, &lot.id))
            }
            Table::Reservation => {
                let Some(r) = self.reservations.get(slot).filter(|r| r.state != Status::Held) else { return false };
                let free = !r.marks.has(Mark::Unsaved) && r.sequence <= saved;
                let old = !self.is_remembered(r.touched_at(), now);
                free && (old || !r.marks.set(Mark::Used, false)) && !self.away.is_pinned(self.reservation_hash(&r.id))
            }
            Table::Movement => {
                let Some(movement) = self.movements.get(slot) else { return false };
                let free = !movement.unsaved && movement.sequence <= saved;
                free && !self.away.is_pinned(self.movement_hash(movement.item, &movement.id))
            }
            Table::Usage => {
                let Some(usage) = self.usages.get(slot) else { return false };
                let free = usage.held == 0 && !usage.unsaved && usage.sequence <= saved && usage.sequence > 0;
                let pinned = || {
                    let holder = &self.holders[usage.holder].name;
                    self.away.is_pinned(self.usage_hash(usage.item, holder))
                };
                free && !usage.used.take() && !pinned()
            }
        }
    }

    fn lots_are_clean(&self, item: &Item, saved: u64) -> bool {
        let lists = item.lots.iter();
        lists.flat_map(|lots| lots.fresh.iter().chain(&lots.ended)).all(|slot| {
            let lot = &self.lots[*slot];
            !lot.unsaved && lot.sequence <= saved
        })
    }

    fn drop_record(&mut self, table: Table, slot: u32) {
        match table {
            Table::Item => self.drop_item_record(slot),
            Table::Lot => self.drop_lot_record(slot),
            Table::Reservation => self.drop_reservation(slot),
            Table::Movement => self.drop_movement(slot),
            Table::Usage => self.drop_usage(slot),
        }
    }
    pub(crate) fn drop_movement(&mut self, slot: u32) {
        let movement = &self.movements[slot];
        let (item, hash) = (movement.item, self.movement_hash(movement.item, &movement.id));
        self.movement_index.remove(hash, slot);
        let movement = self.movements.remove(slot);
        self.heap -= heap_of(&movement.id);
        self.release_item(item);
    }
    pub(crate) fn drop_usage(&mut self, slot: u32) {
        let usage = &self.usages[slot];
        let item = usage.item;
        let hash = self.usage_hash(item, &self.holders[usage.holder].name);
        self.usage_index.remove(hash, slot);
        let usage = self.usages.remove(slot);
        self.heap -= usage.heap_bytes();
        self.release_holder(usage.holder);
        self.release_item(item);
    }

    fn drop_item_record(&mut self, slot: u32) {
        let lists = self.items[slot].lots.take().unwrap_or_default();
        let slots: Vec<u32> = lists.ended.iter().chain(&lists.fresh).copied().collect();
        for lot in slots {
            self.unschedule_lot(lot);
            self.drop_lot_record(lot);
        }
        self.heap -= self.items[slot].metadata.take().map_or(0, |text| text.len());
        let item = &mut self.items[slot];
        // What is not known holds nothing of an event: whoever reads it takes all from the store.
        (item.known, item.configured, item.hidden) = (false, false, false);
        (item.sequence, item.stamped) = (0, 0);
        self.drop_item(slot);
    }
    fn drop_lot_record(&mut self, slot: u32) {
        self.heap -= self.lots[slot].heap_bytes();
        self.lots[slot].forget();
        self.heap += self.lots[slot].heap_bytes();
        self.drop_lot(slot);
    }

    pub(crate) fn drop_reservation(&mut self, slot: u32) {
        self.reservation_index.remove(self.hashing.name(&self.reservations[slot].id), slot);
        self.drop_unindexed(slot);
    }
    pub(crate) fn drop_unindexed(&mut self, slot: u32) {
        let reservation = self.remove_reservation(slot);
        self.drop_named(&reservation);
    }
    /// Gives up what a reservation that is gone was the last to point at.
    pub(crate) fn drop_named(&mut self, reservation: &Reservation) {
        for take in reservation.all_takes().filter(|take| take.lot != NONE) {
            self.drop_lot(take.lot);
        }
        (0..reservation.lines()).for_each(|at| self.drop_item(reservation.line(at).0));
    }

    /// Puts a record where deciding will find it, unless memory has a newer one; an item comes with its lots that have
    /// units. None: there is none. Either way the key is pinned, once a call, until `unpin`.
    pub fn install(&mut self, key: &Key, records: &[Record<'_>]) {
        for record in records {
            match record {
                Record::Item(item) => self.install_item(item),
                Record::Lot(lot) => self.install_lot(lot),
                Record::Reservation(r) => self.install_reservation(r),
                Record::Movement(movement) => self.install_movement(movement),
                Record::Usage(usage) => self.install_usage(usage),
            }
        }
        // A slot that others point at says itself that there is no record.
        match (key, records) {
            (Key::Item(sku), []) => {
                if let Some(slot) = self.slot_of_item(sku) {
                    self.items[slot].known = true;
                }
            }
            (Key::Lot(sku, lot), []) => {
                if let Some(slot) = self.slot_of_item(sku).and_then(|item| self.slot_of_lot(item, lot)) {
                    self.lots[slot].known = true;
                }
            }
            (Key::Reservation(_) | Key::Movement(..) | Key::Usage(..), []) | (_, [_, ..]) => {}
        }
        self.away.read(self.key_hash(key));
        self.away.pin(self.key_hash(key), self.find_key(key).is_some());
    }
    pub fn unpin(&mut self, key: &Key) {
        self.away.unpin(self.key_hash(key));
    }

    /// Whether the record is in memory.
    pub fn holds(&self, key: &Key) -> bool {
        self.find_key(key).is_some()
    }

    /// A start: an open reservation as the store has it.
    pub fn install_open(&mut self, record: &Record<'_>) {
        if let Record::Reservation(r) = record {
            self.install_reservation(r);
        }
    }

    fn install_item(&mut self, r: &record::Item<'_>) {
        let slot = self.item_slot(r.sku);
        if self.items[slot].known {
            self.items[slot].filed = true;
            return;
        }
        self.heap -= self.items[slot].heap_bytes();
        let item = &mut self.items[slot];
        // What the tail of a replay said of it is newer.
        if r.sequence > item.sequence {
            item.sequence = r.sequence;
            item.figures = r.figures;
            item.kind = r.kind;
        }
        if !item.configured {
            item.hidden |= r.hidden;
            item.counts = r.counts;
            item.allocation = r.allocation;
            item.limit = r.limit;
            item.safety_stock = r.safety_stock;
            item.backorder_limit = r.backorder_limit;
            item.metadata = r.metadata.map(Box::from);
        }
        item.lots_touched_at = item.lots_touched_at.max(r.lots_touched_at);
        (item.known, item.filed) = (true, true);
        self.items[slot].sort_lots(&self.lots);
        self.heap += self.items[slot].heap_bytes();
        // Before that an item may be older than its neighbours.
        if self.armed {
            let item = &self.items[slot];
            assert!(item.figures.reserved == item.held, "STOCK-1: reserved is the sum of open lines");
        }
    }

    fn install_lot(&mut self, r: &record::Lot<'_>) {
        let item = self.item_slot(r.sku);
        let slot = self.lot_slot(item, r.lot);
        // What a generation held, or none did, may be older than what came with the item.
        if self.lots[slot].known && self.lots[slot].sequence >= r.sequence {
            return;
        }
        self.heap -= self.lots[slot].heap_bytes();
        let lot = &mut self.lots[slot];
        *lot = Lot {
            known: true,
            ended: r.ended,
            location: r.location.map(Name::from),
            expires_at: r.expires_at,
            stale_end: None,
            first: r.first,
            on_hand: r.on_hand,
            reserved: r.reserved,
            sequence: r.sequence,
            touched_at: r.touched_at,
            unsaved: false,
            id: core::mem::take(&mut lot.id),
            item,
            refs: lot.refs,
            open: lot.open,
        };
        self.heap += self.lots[slot].heap_bytes();
        if self.lots[slot].on_hand > 0 {
            self.items[item].place(slot, &self.lots);
            self.schedule_lot(slot);
        }
    }

    fn install_reservation(&mut self, r: &record::Reservation<'_>) {
        if let Some(slot) = self.slot_of_reservation(r.id) {
            if r.state == Status::Held {
                self.reservations[slot].marks.set(Mark::Filed, true);
            }
            return;
        }
        let items: SmallVec<[u32; 2]> = r.lines.iter().map(|line| self.item_slot(line.sku)).collect();
        let lot_of = |state: &mut State, take: &record::Take<'_>| {
            take.lot.map_or(NONE, |lot| state.lot_slot(items[take.line as usize], lot))
        };
        let lots: SmallVec<[u32; 2]> = r.takes.iter().map(|take| lot_of(self, take)).collect();
        let holder = r.holder.map_or(NONE, |holder| self.holder_slot(holder));
        if holder != NONE {
            self.holders[holder].refs += 1;
        }
        self.insert_reservation(Reservation {
            id: r.id.into(),
            body: body(r, &items, &lots),
            created_at: r.created_at,
            expires_at: r.expires_at.unwrap_or(u64::MAX),
            sequence: r.sequence,
            life: if r.state == Status::Held {
                Life::Open(Places::UNSET)
            } else {
                Life::Ended { touched_at: r.touched_at }
            },
            holder,
            state: r.state,
            ended: r.ended,
            timer: Place::Unset,
            marks: Marks::of(&[
                (Mark::Tombstone, r.tombstone),
                (Mark::Capture, r.capture),
                (Mark::Counted, r.takes.first().is_some_and(|take| take.counted)),
                (Mark::Filed, r.state == Status::Held),
                (Mark::Used, true),
            ]),
        });
    }

    fn install_movement(&mut self, r: &record::Movement<'_>) {
        let item = self.item_slot(r.sku);
        if self.slot_of_movement(item, r.id).is_some() {
            return;
        }
        self.insert_movement(Movement {
            item,
            id: r.id.into(),
            digest: r.digest,
            answer: r.answer,
            sequence: r.sequence,
            made_at: r.made_at,
            unsaved: false,
        });
    }

    fn install_usage(&mut self, r: &record::Usage<'_>) {
        let item = self.item_slot(r.sku);
        if let Some(slot) = self.slot_of_usage(item, r.holder) {
            self.usages[slot].filed = true;
            return;
        }
        let slot = self.usage_slot(item, r.holder);
        let usage = &mut self.usages[slot];
        *usage = Usage::from_record(usage.item, usage.holder, r);
        self.heap += self.usages[slot].heap_bytes();
    }

    fn drop_lot(&mut self, slot: u32) {
        let Some(lot) = self.lots.get(slot).filter(|lot| lot.refs == 0 && !(lot.known && lot.exists())) else { return };
        let (item, hash) = (lot.item, self.lot_hash(lot.item, &lot.id));
        self.lot_index.remove(hash, slot);
        let lot = self.lots.remove(slot);
        self.heap -= lot.heap_bytes();
        self.release_item(item);
    }
    pub(crate) fn release_item(&mut self, slot: u32) {
        self.items[slot].refs -= 1;
        self.drop_item(slot);
    }
    fn drop_item(&mut self, slot: u32) {
        if self.items.get(slot).is_none_or(|item| item.known || item.sequence > 0 || item.refs > 0) {
            return;
        }
        let item = self.items.remove(slot);
        self.heap -= item.heap_bytes();
        self.item_index.remove(item.hash, slot);
    }

    pub(crate) fn find_key(&self, key: &Key) -> Option<(Table, u32)> {
        let item = |sku: &str| self.slot_of_item(sku);
        match key {
            Key::Item(sku) => item(sku).filter(|slot| self.items[*slot].known).map(|slot| (Table::Item, slot)),
            Key::Lot(sku, lot) => {
                let slot = self.slot_of_lot(item(sku)?, lot)?;
                self.lots[slot].known.then_some((Table::Lot, slot))
            }
            Key::Reservation(id) => Some((Table::Reservation, self.slot_of_reservation(id)?)),
            Key::Movement(sku, id) => Some((Table::Movement, self.slot_of_movement(item(sku)?, id)?)),
            Key::Usage(sku, holder) => Some((Table::Usage, self.slot_of_usage(item(sku)?, holder)?)),
        }
    }
    /// What filters and the store know a key by.
    pub fn key_hash(&self, key: &Key) -> u64 {
        let item = |sku: &Name| self.hashing.name(sku);
        match key {
            Key::Item(sku) => item(sku),
            Key::Lot(sku, lot) => self.hashing.lot(item(sku), lot),
            Key::Reservation(id) => self.reservation_hash(id),
            Key::Movement(sku, id) => self.hashing.movement(item(sku), id),
            Key::Usage(sku, holder) => self.hashing.usage(item(sku), holder),
        }
    }
}
