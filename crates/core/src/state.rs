//! All records of a shard and the tables that find them.

use crate::away::Away;
use crate::event::NONE;
use crate::evict::Hands;
use crate::index::Index;
use crate::item::Item;
use crate::links::List;
use crate::lists::Begins;
use crate::lot::Lot;
use crate::names::Hashing;
use crate::record::Key;
use crate::reservation::{Mark, Reservation};
use crate::slab::Slab;
use crate::timers::Timers;
use crate::undo::{Step, Undo};
use crate::unsaved::Unsaved;
use crate::usage::Usage;
use alloc::collections::BTreeSet;
use core::cell::Cell;
use sumun_wire::{Name, State as Status};

#[derive(Debug)]
pub struct State {
    pub(crate) hashing: Hashing,
    pub(crate) items: Slab<Item>,
    pub(crate) item_index: Index,
    pub(crate) lots: Slab<Lot>,
    pub(crate) lot_index: Index,
    pub(crate) reservations: Slab<Reservation>,
    pub(crate) reservation_index: Index,
    pub(crate) usages: Slab<Usage>,
    pub(crate) usage_index: Index,
    pub(crate) movements: Slab<Movement>,
    pub(crate) movement_index: Index,
    pub(crate) holders: Slab<Holder>,
    pub(crate) holder_index: Index,
    pub(crate) timers: Timers,
    /// Whether open reservations stand in timers and lists: they are put there when a replay is complete.
    pub(crate) armed: bool,
    /// Open reservations on their way into the lists, while timers and lists are being set.
    pub(crate) begins: Begins,
    /// Expiry and slot of every lot that has units and has not ended.
    pub(crate) lot_ends: BTreeSet<(u64, u32)>,
    /// What is known of records that are not in memory.
    pub(crate) away: Away,
    pub(crate) unsaved: Unsaved,
    pub(crate) hands: Hands,
    pub(crate) retention_ms: u64,
    pub(crate) sequence: u64,
    pub(crate) time: u64,
    pub(crate) open: u64,
    /// What records own beside their slots, in bytes.
    pub(crate) heap: usize,
    /// Entries that tables moved in growing since this was last taken.
    pub(crate) moved: usize,
    /// Lots and allocations that deciding has looked at since this was last taken.
    looked: Cell<usize>,
    pub(crate) undo: Option<Undo>,
}

/// A receipt or adjustment that was made, by its id.
#[derive(Clone, Debug)]
pub(crate) struct Movement {
    pub(crate) item: u32,
    pub(crate) id: Name,
    pub(crate) digest: u128,
    /// What was available after it: a replay answers the same.
    pub(crate) answer: u64,
    pub(crate) sequence: u64,
    pub(crate) made_at: u64,
    pub(crate) unsaved: bool,
}

/// A holder's name, once.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) name: Name,
    pub(crate) refs: u32,
    /// What it holds, in the order of begins.
    pub(crate) open: List,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub items: usize,
    pub lots: usize,
    pub reservations: usize,
    pub open: usize,
    pub usages: usize,
    pub movements: usize,
    pub holders: usize,
    /// An estimate of the memory that records take.
    pub bytes: usize,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    At(u32),
    /// There has never been such a record.
    Absent,
    /// It may stand elsewhere: it has to be read first.
    Unknown,
}

impl State {
    /// `seed` makes the tables' hashing unpredictable; records and events do not depend on it, the store's hashes do.
    /// What has ended is remembered for `retention_ms`.
    pub fn new(seed: u64, retention_ms: u64) -> State {
        State {
            hashing: Hashing::new(seed),
            items: Slab::new(),
            item_index: Index::new(),
            lots: Slab::new(),
            lot_index: Index::new(),
            reservations: Slab::new(),
            reservation_index: Index::new(),
            usages: Slab::new(),
            usage_index: Index::new(),
            movements: Slab::new(),
            movement_index: Index::new(),
            holders: Slab::new(),
            holder_index: Index::new(),
            timers: Timers::new(),
            armed: false,
            begins: Begins::default(),
            lot_ends: BTreeSet::new(),
            away: Away::new(),
            unsaved: Unsaved::new(),
            hands: Hands::default(),
            retention_ms,
            sequence: 0,
            time: 0,
            open: 0,
            heap: 0,
            moved: 0,
            looked: Cell::new(0),
            undo: None,
        }
    }

    /// Of the last event that was applied.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
    /// Time of the last event that was applied.
    pub const fn time(&self) -> u64 {
        self.time
    }
    pub const fn open_reservations(&self) -> u64 {
        self.open
    }
    /// A start on a store: all events up to `sequence` stand in its records.
    pub fn begin_at(&mut self, sequence: u64) {
        assert!(self.sequence == 0, "a start is the first thing that a state sees");
        self.sequence = sequence;
    }
    /// Time stood there already.
    pub fn not_before(&mut self, time: u64) {
        self.time = self.time.max(time);
    }
    /// How many entries tables have moved in growing since the last call: work that a step bounds.
    pub fn take_moved(&mut self) -> usize {
        core::mem::take(&mut self.moved)
    }

    /// How many lots and allocations deciding has looked at since the last call: work that a step bounds, whether or not
    /// anything comes of it.
    pub fn take_looked(&self) -> usize {
        self.looked.take()
    }
    pub(crate) fn look(&self, at: usize) {
        self.looked.set(self.looked.get() + at);
    }

    pub fn counts(&self) -> Counts {
        Counts {
            items: self.items.len(),
            lots: self.lots.len(),
            reservations: self.reservations.len(),
            open: self.open as usize,
            usages: self.usages.len(),
            movements: self.movements.len(),
            holders: self.holders.len(),
            bytes: self.bytes(),
        }
    }
    pub fn bytes(&self) -> usize {
        self.items.bytes()
            + self.lots.bytes()
            + self.reservations.bytes()
            + self.usages.bytes()
            + self.movements.bytes()
            + self.holders.bytes()
            + self.item_index.bytes()
            + self.lot_index.bytes()
            + self.reservation_index.bytes()
            + self.usage_index.bytes()
            + self.movement_index.bytes()
            + self.holder_index.bytes()
            + self.heap
            + self.away.bytes()
    }

    // Where a record stands in memory. Each compares the key itself, so that two keys of one hash stay two.

    pub(crate) fn slot_of_item(&self, sku: &str) -> Option<u32> {
        self.item_index.find(self.hashing.name(sku), |slot| self.items[slot].sku == sku)
    }
    pub(crate) fn slot_of_lot(&self, item: u32, lot: &str) -> Option<u32> {
        let same = |slot: u32| self.lots[slot].item == item && self.lots[slot].id == lot;
        self.lot_index.find(self.lot_hash(item, lot), same)
    }
    pub(crate) fn slot_of_reservation(&self, id: &str) -> Option<u32> {
        self.reservation_index.find(self.hashing.name(id), |slot| self.reservations[slot].id == id)
    }
    pub(crate) fn slot_of_holder(&self, name: &str) -> Option<u32> {
        self.holder_index.find(self.hashing.name(name), |slot| self.holders[slot].name == name)
    }
    pub(crate) fn slot_of_movement(&self, item: u32, id: &str) -> Option<u32> {
        let same = |slot: u32| self.movements[slot].item == item && self.movements[slot].id == id;
        self.movement_index.find(self.movement_hash(item, id), same)
    }
    pub(crate) fn slot_of_usage(&self, item: u32, holder: &str) -> Option<u32> {
        let same = |slot: u32| {
            let usage = &self.usages[slot];
            usage.item == item && self.holders[usage.holder].name == holder
        };
        self.usage_index.find(self.usage_hash(item, holder), same)
    }

    // What is known of a key at a time: what retention has taken away is absent, wherever it may still stand.

    pub(crate) fn find_item(&self, sku: &str) -> Found {
        match self.slot_of_item(sku) {
            Some(slot) if self.items[slot].known => {
                self.items[slot].used.set(true);
                Found::At(slot)
            }
            Some(_) => Found::Unknown,
            None => {
                let hash = self.hashing.name(sku);
                self.elsewhere(hash, self.away.maybe_fixed(hash))
            }
        }
    }
    pub(crate) fn find_lot(&self, item: u32, lot: &str, now: u64) -> Found {
        match self.slot_of_lot(item, lot) {
            Some(slot) if self.lots[slot].known => {
                let lot = &self.lots[slot];
                let kept = lot.on_hand > 0 || lot.open > 0 || self.is_remembered(lot.touched_at, now);
                if kept { Found::At(slot) } else { Found::Absent }
            }
            Some(_) => Found::Unknown,
            // The lots with units of an item in memory are in memory.
            None if self.has_only_begun(item) => Found::Absent,
            None => self.in_generations(self.lot_hash(item, lot)),
        }
    }
    pub(crate) fn find_reservation(&self, id: &str, now: u64) -> Found {
        match self.slot_of_reservation(id) {
            Some(slot) => {
                let r = &self.reservations[slot];
                r.marks.set(Mark::Used, true);
                let kept = r.state == Status::Held || self.is_remembered(r.touched_at(), now);
                if kept { Found::At(slot) } else { Found::Absent }
            }
            None => self.in_generations(self.reservation_hash(id)),
        }
    }
    pub(crate) fn find_movement(&self, item: u32, id: &str, now: u64) -> Found {
        match self.slot_of_movement(item, id) {
            Some(slot) if self.is_remembered(self.movements[slot].made_at, now) => Found::At(slot),
            Some(_) => Found::Absent,
            None if self.has_only_begun(item) => Found::Absent,
            None => self.in_generations(self.movement_hash(item, id)),
        }
    }
    /// Nothing but the item's settings has ever been told of it: no lot and no movement of its stands anywhere.
    fn has_only_begun(&self, item: u32) -> bool {
        let item = &self.items[item];
        item.known && item.figures.version == 1
    }
    pub(crate) fn find_usage(&self, item: u32, holder: &str) -> Found {
        match self.slot_of_usage(item, holder) {
            Some(slot) => {
                self.usages[slot].used.set(true);
                Found::At(slot)
            }
            None => {
                let hash = self.usage_hash(item, holder);
                self.elsewhere(hash, self.away.maybe_fixed(hash))
            }
        }
    }
    fn in_generations(&self, hash: u64) -> Found {
        self.elsewhere(hash, self.away.maybe_in_generations(hash))
    }
    fn elsewhere(&self, hash: u64, maybe: bool) -> Found {
        if (maybe || self.away.is_waiting(hash)) && !self.away.is_absent(hash) { Found::Unknown } else { Found::Absent }
    }
    /// What ended, or was made, at `at` is remembered for the retention, to the millisecond.
    pub(crate) const fn is_remembered(&self, at: u64, now: u64) -> bool {
        at.saturating_add(self.retention_ms) > now
    }

    pub(crate) fn lot_hash(&self, item: u32, lot: &str) -> u64 {
        self.hashing.lot(self.items[item].hash, lot)
    }
    pub(crate) fn movement_hash(&self, item: u32, id: &str) -> u64 {
        self.hashing.movement(self.items[item].hash, id)
    }
    pub(crate) fn usage_hash(&self, item: u32, holder: &str) -> u64 {
        self.hashing.usage(self.items[item].hash, holder)
    }
    /// For filters, where ids of reservations stand beside skus.
    pub(crate) fn reservation_hash(&self, id: &str) -> u64 {
        self.hashing.pair(self.hashing.name(id), "reservation")
    }

    // Slots: found, or made.

    pub(crate) fn item_slot(&mut self, sku: &str) -> u32 {
        let hash = self.hashing.name(sku);
        if let Some(slot) = self.item_index.find(hash, |slot| self.items[slot].sku == sku) {
            return slot;
        }
        let item = Item::new(sku, hash);
        self.heap += item.heap_bytes();
        let slot = self.items.insert(item);
        self.moved += self.item_index.insert(hash, slot);
        self.remember(|_| Step::NewItem(slot));
        slot
    }
    pub(crate) fn lot_slot(&mut self, item: u32, id: &str) -> u32 {
        let hash = self.lot_hash(item, id);
        if let Some(slot) = self.lot_index.find(hash, |slot| self.lots[slot].item == item && self.lots[slot].id == id) {
            return slot;
        }
        let lot = Lot::new(item, id);
        self.heap += lot.heap_bytes();
        let slot = self.lots.insert(lot);
        self.items[item].refs += 1;
        self.moved += self.lot_index.insert(hash, slot);
        self.remember(|_| Step::NewLot(slot));
        slot
    }
    pub(crate) fn holder_slot(&mut self, name: &str) -> u32 {
        if let Some(slot) = self.slot_of_holder(name) {
            return slot;
        }
        let hash = self.hashing.name(name);
        let holder = Holder { name: Name::from(name), refs: 0, open: List::EMPTY };
        self.heap += heap_of(&holder.name);
        let slot = self.holders.insert(holder);
        self.moved += self.holder_index.insert(hash, slot);
        slot
    }
    pub(crate) fn release_holder(&mut self, slot: u32) {
        if slot == NONE {
            return;
        }
        self.holders[slot].refs -= 1;
        if self.holders[slot].refs == 0 {
            let holder = self.holders.remove(slot);
            self.heap -= heap_of(&holder.name);
            self.holder_index.remove(self.hashing.name(&holder.name), slot);
        }
    }
    pub(crate) fn usage_slot(&mut self, item: u32, holder: &str) -> u32 {
        if let Some(slot) = self.slot_of_usage(item, holder) {
            return slot;
        }
        let hash = self.usage_hash(item, holder);
        let name = self.holder_slot(holder);
        self.holders[name].refs += 1;
        self.items[item].refs += 1;
        let slot = self.usages.insert(Usage::new(item, name));
        self.moved += self.usage_index.insert(hash, slot);
        self.remember(|_| Step::NewUsage(slot));
        slot
    }

    pub(crate) fn insert_movement(&mut self, movement: Movement) -> u32 {
        let hash = self.movement_hash(movement.item, &movement.id);
        self.heap += heap_of(&movement.id);
        self.items[movement.item].refs += 1;
        let slot = self.movements.insert(movement);
        self.moved += self.movement_index.insert(hash, slot);
        slot
    }
    pub(crate) fn item_key(&self, item: u32) -> Key {
        Key::Item(self.items[item].sku.clone())
    }
}

pub(crate) fn heap_of(name: &Name) -> usize {
    if name.is_heap_allocated() { name.len() } else { 0 }
}
