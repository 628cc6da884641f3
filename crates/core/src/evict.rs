//! Records that leave memory and come back. A record that is not in memory is *missing*: deciding asks for it by key.
//!
//! A slot that records in memory still point at stays, with its name and nothing else.

use crate::event::NONE;
use crate::item::Item;
use crate::lot::Lot;
use crate::reservation::{Body, Reservation};
use crate::state::{Found, Movement, State, heap_of};
use crate::usage::Usage;
use alloc::boxed::Box;
use alloc::vec::Vec;
use sumun_wire::{Name, State as Status};

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// An item, with its lots that have units.
    Item(Name),
    /// A lot without units.
    Lot(Name, Name),
    Reservation(Name),
    Movement(Name, Name),
    Usage(Name, Name),
}

/// A record outside of memory: slots are of this run, so what they point at is told by name beside them.
#[derive(Clone, Debug)]
pub struct Record(Kept);

#[derive(Clone, Debug)]
enum Kept {
    Item(Box<Item>, Vec<Lot>),
    Lot(Box<Lot>),
    Reservation { reservation: Box<Reservation>, holder: Option<Name>, items: Vec<Name>, lots: Vec<Option<Name>> },
    Movement(Box<Movement>),
    Usage(Box<Usage>),
}

impl State {
    /// A key whose record may leave memory, by number: for whoever picks at random. `None` when that one may not.
    pub fn evictable(&self, number: u64) -> Option<Key> {
        let pick = |len: u32| (len > 0).then(|| (number / 5 % u64::from(len)) as u32);
        match number % 5 {
            0 => {
                let item = self.items.get(pick(self.items.end())?)?;
                let free = item.known && item.figures.version > 0 && item.figures.reserved == 0;
                (free && item.next_end() == u64::MAX).then(|| Key::Item(item.sku.clone()))
            }
            1 => {
                let lot = self.lots.get(pick(self.lots.end())?)?;
                let free = lot.known && lot.exists() && lot.on_hand == 0;
                free.then(|| Key::Lot(self.items[lot.item].sku.clone(), lot.id.clone()))
            }
            2 => {
                let reservation = self.reservations.get(pick(self.reservations.end())?)?;
                (reservation.state != Status::Held).then(|| Key::Reservation(reservation.id.clone()))
            }
            3 => {
                let movement = self.movements.get(pick(self.movements.end())?)?;
                Some(Key::Movement(self.items[movement.item].sku.clone(), movement.id.clone()))
            }
            _ => {
                let usage = self.usages.get(pick(self.usages.end())?)?;
                let key = || Key::Usage(self.items[usage.item].sku.clone(), self.holders[usage.holder].name.clone());
                (usage.held == 0 && usage.sequence > 0).then(key)
            }
        }
    }

    /// Takes a record out of memory. Only what `evictable` named may go.
    pub fn evict(&mut self, key: &Key) -> Record {
        let hash = self.cold_hash(key);
        let record = match key {
            Key::Item(sku) => self.evict_item(sku),
            Key::Lot(sku, lot) => {
                let slot = self.slot_of_lot(sku, lot);
                let kept = Kept::Lot(Box::new(self.lots[slot].clone()));
                self.lots[slot].known = false;
                self.drop_lot(slot);
                kept
            }
            Key::Reservation(id) => self.evict_reservation(id),
            Key::Movement(sku, id) => {
                let item = self.item_slot(sku);
                let Found::At(slot) = self.find_movement(item, id) else { panic!("{key:?} is in memory") };
                self.movement_index.remove(self.movement_hash(item, id), slot);
                let movement = self.movements.remove(slot);
                self.heap -= heap_of(&movement.id);
                self.release_item(item);
                Kept::Movement(Box::new(movement))
            }
            Key::Usage(sku, holder) => {
                let item = self.item_slot(sku);
                let Found::At(slot) = self.find_usage(item, holder) else { panic!("{key:?} is in memory") };
                self.usage_index.remove(self.usage_hash(item, holder), slot);
                let usage = self.usages.remove(slot);
                self.heap -= usage.heap_bytes();
                self.release_holder(usage.holder);
                self.release_item(item);
                Kept::Usage(Box::new(usage))
            }
        };
        self.cold.insert(hash);
        Record(record)
    }

    fn evict_item(&mut self, sku: &Name) -> Kept {
        let slot = self.item_slot(sku);
        let lists = self.items[slot].lots.take().unwrap_or_default();
        let slots: Vec<u32> = lists.ended.iter().chain(&lists.fresh).copied().collect();
        let lots = slots.iter().map(|lot| self.lots[*lot].clone()).collect();
        let kept = Kept::Item(Box::new(self.items[slot].clone()), lots);
        for lot in slots {
            self.unschedule_lot(lot);
            self.lots[lot].known = false;
            self.drop_lot(lot);
        }
        self.heap -= self.items[slot].metadata.take().map_or(0, |text| text.len());
        self.items[slot].known = false;
        self.drop_item(slot);
        kept
    }

    fn evict_reservation(&mut self, id: &Name) -> Kept {
        let Found::At(slot) = self.find_reservation(id) else { panic!("{id} is in memory") };
        let reservation = &self.reservations[slot];
        let holder = (reservation.holder != NONE).then(|| self.holders[reservation.holder].name.clone());
        let slots: Vec<u32> = (0..reservation.lines()).map(|at| reservation.line(at).0).collect();
        let items = slots.iter().map(|item| self.items[*item].sku.clone()).collect();
        let takes = (0..reservation.takes()).map(|at| reservation.take(at).lot);
        let lot_slots: Vec<u32> = takes.collect();
        let lots = lot_slots.iter().map(|lot| (*lot != NONE).then(|| self.lots[*lot].id.clone())).collect();
        let reservation = Box::new(self.remove_reservation(slot));
        lot_slots.into_iter().filter(|lot| *lot != NONE).for_each(|lot| self.drop_lot(lot));
        slots.into_iter().for_each(|item| self.drop_item(item));
        Kept::Reservation { reservation, holder, items, lots }
    }

    /// Puts a record where deciding will find it; `None`: there is none.
    pub fn install(&mut self, key: &Key, record: Option<Record>) {
        let hash = self.cold_hash(key);
        self.cold.remove(&hash);
        match (key, record.map(|record| record.0)) {
            (Key::Item(sku), Some(Kept::Item(item, lots))) => self.install_item(sku, *item, lots),
            (Key::Lot(sku, id), Some(Kept::Lot(lot))) => {
                let item = self.item_slot(sku);
                let slot = self.lot_slot(item, id);
                self.put_lot(slot, Lot { item, ..*lot });
            }
            (Key::Reservation(_), Some(Kept::Reservation { reservation, holder, items, lots })) => {
                self.install_reservation(*reservation, holder, &items, &lots);
            }
            (Key::Movement(sku, id), Some(Kept::Movement(movement))) => {
                let item = self.item_slot(sku);
                self.items[item].refs += 1;
                self.heap += heap_of(&movement.id);
                let slot = self.movements.insert(Movement { item, ..*movement });
                self.moved += self.movement_index.insert(self.movement_hash(item, id), slot);
            }
            (Key::Usage(sku, name), Some(Kept::Usage(usage))) => {
                let item = self.item_slot(sku);
                let slot = self.usage_slot(item, name);
                let holder = self.usages[slot].holder;
                self.heap += usage.heap_bytes();
                self.usages[slot] = usage.moved_to(item, holder);
            }
            (Key::Item(sku), None) => {
                let slot = self.item_slot(sku);
                self.items[slot].known = true;
            }
            (Key::Lot(sku, id), None) => {
                let slot = self.slot_of_lot(sku, id);
                self.lots[slot].known = true;
            }
            (Key::Reservation(_) | Key::Movement(..) | Key::Usage(..), None) => {}
            (key, Some(_)) => panic!("a record of another kind than {key:?}"),
        }
    }

    fn install_item(&mut self, sku: &Name, item: Item, lots: Vec<Lot>) {
        let slot = self.item_slot(sku);
        self.heap -= self.items[slot].heap_bytes();
        self.heap += item.heap_bytes();
        self.items[slot] = Item { refs: self.items[slot].refs, known: true, ..item };
        for lot in lots {
            let at = self.lot_slot(slot, &lot.id);
            self.put_lot(at, Lot { item: slot, known: true, ..lot });
            self.items[slot].place(at, &self.lots);
            self.schedule_lot(at);
        }
    }

    fn put_lot(&mut self, slot: u32, lot: Lot) {
        self.heap -= self.lots[slot].heap_bytes();
        self.heap += lot.heap_bytes();
        self.lots[slot] = Lot { refs: self.lots[slot].refs, ..lot };
    }

    fn install_reservation(&mut self, mut r: Reservation, holder: Option<Name>, items: &[Name], lots: &[Option<Name>]) {
        let items: Vec<u32> = items.iter().map(|sku| self.item_slot(sku)).collect();
        r.holder = holder.map_or(NONE, |name| self.holder_slot(&name));
        if r.holder != NONE {
            self.holders[r.holder].refs += 1;
        }
        match &mut r.body {
            Body::Empty => {}
            Body::One { item, .. } => *item = items[0],
            Body::Many(many) => {
                for (line, item) in many.lines.iter_mut().zip(&items) {
                    line.item = *item;
                }
                for (take, lot) in many.takes.iter_mut().zip(lots) {
                    take.item = items[take.line as usize];
                    take.lot = lot.as_ref().map_or(NONE, |lot| self.lot_slot(take.item, lot));
                }
            }
        }
        self.insert_reservation(r);
    }

    fn slot_of_lot(&mut self, sku: &Name, lot: &Name) -> u32 {
        let item = self.item_slot(sku);
        self.lot_slot(item, lot)
    }
    fn drop_lot(&mut self, slot: u32) {
        let Some(lot) = self.lots.get(slot).filter(|lot| !lot.known && lot.refs == 0) else { return };
        let (item, hash) = (lot.item, self.lot_hash(lot.item, &lot.id));
        self.cold.insert(hash);
        self.lot_index.remove(hash, slot);
        let lot = self.lots.remove(slot);
        self.heap -= lot.heap_bytes();
        self.release_item(item);
    }
    fn release_item(&mut self, slot: u32) {
        self.items[slot].refs -= 1;
        self.drop_item(slot);
    }
    fn drop_item(&mut self, slot: u32) {
        if self.items.get(slot).is_none_or(|item| item.known || item.refs > 0) {
            return;
        }
        let item = self.items.remove(slot);
        self.heap -= item.heap_bytes();
        self.item_index.remove(item.hash, slot);
        self.cold.insert(item.hash);
    }

    fn cold_hash(&self, key: &Key) -> u64 {
        let item = |sku: &Name| self.hashing.name(sku);
        match key {
            Key::Item(sku) => item(sku),
            Key::Lot(sku, lot) => self.hashing.pair(item(sku) ^ 0x6c6f74, lot),
            Key::Reservation(id) => self.hashing.pair(self.hashing.name(id), "reservation"),
            Key::Movement(sku, id) => self.hashing.pair(item(sku) ^ 0x6d6f76, id),
            Key::Usage(sku, holder) => self.hashing.pair(item(sku) ^ 0x757361, holder),
        }
    }
}
