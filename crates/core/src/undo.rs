//! Taking back what an EXEC did that may not happen after all: copies of the records as they stood, put back in the
//! reverse order; what was made meanwhile is removed, so that names which were refused take no memory (MEM-1).
//!
//! Cost: nothing but a look at `undo` while nothing can be taken back.

use crate::apply::{hold, let_loose, open_lots};
use crate::item::Item;
use crate::links::Links;
use crate::lot::Lot;
use crate::reservation::Reservation;
use crate::state::{State, heap_of};
use crate::timers::Place;
use crate::usage::Usage;
use alloc::boxed::Box;
use alloc::vec::Vec;
use sumun_wire::State as Status;

#[derive(Debug)]
pub(crate) struct Undo {
    steps: Vec<Step>,
    sequence: u64,
    time: u64,
    unsaved: usize,
}

#[derive(Debug)]
pub(crate) enum Step {
    Item(u32, Box<Item>),
    Lot(u32, Box<Lot>),
    Usage(u32, Box<Usage>),
    Reservation(u32, Box<Reservation>),
    NewItem(u32),
    NewLot(u32),
    NewUsage(u32),
    NewReservation(u32),
    /// Its id began anew. It goes when nothing can be taken back any more.
    Replaced(u32, Box<Reservation>),
    NewMovement(u32),
}

impl State {
    /// From here on `roll_back` can take everything back, until `keep`.
    pub fn begin_undo(&mut self) {
        assert!(self.undo.is_none(), "one thing at a time can be taken back");
        self.undo = Some(Undo { steps: Vec::new(), sequence: self.sequence, time: self.time, unsaved: self.unsaved() });
    }
    pub const fn undo_is_off(&self) -> bool {
        self.undo.is_none()
    }
    pub fn keep(&mut self) {
        for step in self.undo.take().into_iter().flat_map(|undo| undo.steps) {
            if let Step::Replaced(_, old) = step {
                self.let_go(&old);
                self.drop_named(&old);
            }
        }
    }
    pub fn roll_back(&mut self) {
        let undo = self.undo.take().expect("begun before");
        for step in undo.steps.into_iter().rev() {
            match step {
                Step::Item(slot, old) => self.restore_item(slot, *old),
                Step::Lot(slot, old) => self.restore_lot(slot, *old),
                Step::Usage(slot, old) => {
                    self.heap -= self.usages[slot].heap_bytes();
                    self.heap += old.heap_bytes();
                    self.usages[slot] = *old;
                }
                Step::Reservation(slot, old) => self.restore_reservation(slot, *old),
                // What pointed at a new slot was made after it, and is gone by now.
                Step::NewItem(slot) => {
                    let item = self.items.remove(slot);
                    assert!(item.refs == 0, "nothing points at what is taken back");
                    self.heap -= item.heap_bytes();
                    self.item_index.remove(item.hash, slot);
                }
                Step::NewLot(slot) => {
                    let lot = self.lots.remove(slot);
                    assert!(lot.refs == 0, "nothing points at what is taken back");
                    self.heap -= lot.heap_bytes();
                    self.lot_index.remove(self.lot_hash(lot.item, &lot.id), slot);
                    self.items[lot.item].refs -= 1;
                }
                Step::NewUsage(slot) => {
                    let usage = self.usages.remove(slot);
                    let hash = self.usage_hash(usage.item, &self.holders[usage.holder].name);
                    self.usage_index.remove(hash, slot);
                    self.items[usage.item].refs -= 1;
                    self.release_holder(usage.holder);
                }
                Step::NewReservation(slot) => {
                    self.reservation_index.remove(self.hashing.name(&self.reservations[slot].id), slot);
                    self.remove_reservation(slot);
                }
                Step::Replaced(slot, old) => {
                    self.reservation_index.insert(self.hashing.name(&old.id), slot);
                    let back = self.reservations.insert(*old);
                    assert!(back == slot, "the slot that was freed last is taken first");
                }
                Step::NewMovement(slot) => {
                    let movement = self.movements.remove(slot);
                    self.heap -= heap_of(&movement.id);
                    self.items[movement.item].refs -= 1;
                    self.movement_index.remove(self.movement_hash(movement.item, &movement.id), slot);
                }
            }
        }
        self.unsaved.truncate(undo.unsaved);
        (self.sequence, self.time) = (undo.sequence, undo.time);
    }

    fn restore_item(&mut self, slot: u32, old: Item) {
        let item = &mut self.items[slot];
        self.heap -= item.heap_bytes();
        *item = Item { refs: item.refs, open: item.open, held: item.held, holding: item.holding, ..old };
        self.heap += item.heap_bytes();
    }
    fn restore_lot(&mut self, slot: u32, old: Lot) {
        self.unschedule_lot(slot);
        let lot = &mut self.lots[slot];
        self.heap -= lot.heap_bytes();
        *lot = Lot { refs: lot.refs, open: lot.open, ..old };
        self.heap += lot.heap_bytes();
        self.schedule_lot(slot);
    }
    fn restore_reservation(&mut self, slot: u32, mut old: Reservation) {
        self.timers.clear(slot, &mut self.reservations);
        let now = &self.reservations[slot];
        self.heap -= now.heap_bytes();
        self.heap += old.heap_bytes();
        let is_open = now.state == Status::Held;
        if is_open {
            let_loose(&mut self.items, now);
        }
        if old.state == Status::Held {
            hold(&mut self.items, &old);
            // Where it stood among the timers is not where it will.
            old.timer = Place::Unset;
            old.places_mut().timer = Links::UNSET;
        }
        let reopens = old.state == Status::Held && !is_open;
        self.reservations[slot] = old;
        if reopens {
            self.open += 1;
            open_lots(&mut self.items, &mut self.lots, &self.reservations[slot]);
            self.enlist_again(slot);
        }
        self.schedule(slot);
    }
    pub(crate) fn remember(&mut self, step: impl FnOnce(&State) -> Step) {
        if let Some(mut undo) = self.undo.take() {
            undo.steps.push(step(self));
            self.undo = Some(undo);
        }
    }
}
