//! All records of a shard and the tables that find them.

use crate::event::NONE;
use crate::evict::Key;
use crate::index::Index;
use crate::item::Item;
use crate::lot::Lot;
use crate::names::Hashing;
use crate::reservation::Reservation;
use crate::slab::Slab;
use crate::timers::Timers;
use crate::undo::{Step, Undo};
use crate::usage::Usage;
use alloc::collections::BTreeSet;
use core::cell::Cell;
use hashbrown::HashSet;
use sumun_wire::Name;

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
    /// Whether open reservations stand in the timers: they are put there when a replay is complete.
    pub(crate) armed: bool,
    /// Expiry and slot of every lot that has units and has not ended.
    pub(crate) lot_ends: BTreeSet<(u64, u32)>,
    /// Hashes of the keys of records that may stand elsewhere than in memory.
    pub(crate) cold: HashSet<u64, foldhash::quality::FixedState>,
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
}

/// A holder's name, once.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) name: Name,
    pub(crate) hash: u64,
    pub(crate) refs: u32,
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
    /// `seed` makes the tables' hashing unpredictable; records and events do not depend on it.
    pub fn new(seed: u64) -> State {
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
            lot_ends: BTreeSet::new(),
            cold: HashSet::with_hasher(foldhash::quality::FixedState::with_seed(seed)),
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
    pub const fn bytes(&self) -> usize {
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
    }

    // Look-ups. Each compares the key itself, so that two keys of one hash stay two.

    pub(crate) fn find_item(&self, sku: &str) -> Found {
        let hash = self.hashing.name(sku);
        match self.item_index.find(hash, |slot| self.items[slot].sku == sku) {
            Some(slot) if self.items[slot].known => Found::At(slot),
            Some(_) => Found::Unknown,
            None => self.elsewhere(hash),
        }
    }
    pub(crate) fn find_lot(&self, item: u32, lot: &str) -> Found {
        let hash = self.lot_hash(item, lot);
        match self.lot_index.find(hash, |slot| self.lots[slot].item == item && self.lots[slot].id == lot) {
            Some(slot) if self.lots[slot].known => Found::At(slot),
            Some(_) => Found::Unknown,
            None => self.elsewhere(hash),
        }
    }
    pub(crate) fn find_reservation(&self, id: &str) -> Found {
        let hash = self.hashing.name(id);
        match self.reservation_index.find(hash, |slot| self.reservations[slot].id == id) {
            Some(slot) => Found::At(slot),
            None => self.elsewhere(self.hashing.pair(hash, "reservation")),
        }
    }
    pub(crate) fn find_movement(&self, item: u32, id: &str) -> Found {
        let hash = self.movement_hash(item, id);
        let same = |slot: u32| self.movements[slot].item == item && self.movements[slot].id == id;
        match self.movement_index.find(hash, same) {
            Some(slot) => Found::At(slot),
            None => self.elsewhere(hash),
        }
    }
    pub(crate) fn find_usage(&self, item: u32, holder: &str) -> Found {
        let hash = self.usage_hash(item, holder);
        let same = |slot: u32| {
            let usage = &self.usages[slot];
            usage.item == item && self.holders[usage.holder].name == holder
        };
        match self.usage_index.find(hash, same) {
            Some(slot) => Found::At(slot),
            None => self.elsewhere(hash),
        }
    }
    fn elsewhere(&self, hash: u64) -> Found {
        if !self.cold.is_empty() && self.cold.contains(&hash) { Found::Unknown } else { Found::Absent }
    }

    pub(crate) fn lot_hash(&self, item: u32, lot: &str) -> u64 {
        self.hashing.pair(self.items[item].hash ^ 0x6c6f74, lot)
    }
    pub(crate) fn movement_hash(&self, item: u32, id: &str) -> u64 {
        self.hashing.pair(self.items[item].hash ^ 0x6d6f76, id)
    }
    pub(crate) fn usage_hash(&self, item: u32, holder: &str) -> u64 {
        self.hashing.pair(self.items[item].hash ^ 0x757361, holder)
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
        let hash = self.hashing.name(name);
        if let Some(slot) = self.holder_index.find(hash, |slot| self.holders[slot].name == name) {
            return slot;
        }
        let holder = Holder { name: Name::from(name), hash, refs: 0 };
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
            self.holder_index.remove(holder.hash, slot);
        }
    }
    pub(crate) fn usage_slot(&mut self, item: u32, holder: &str) -> u32 {
        if let Found::At(slot) = self.find_usage(item, holder) {
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

    pub(crate) fn item_key(&self, item: u32) -> Key {
        Key::Item(self.items[item].sku.clone())
    }
}

pub(crate) fn heap_of(name: &Name) -> usize {
    if name.is_heap_allocated() { name.len() } else { 0 }
}
