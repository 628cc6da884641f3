//! Taking back what an EXEC did that may not happen after all: copies of the records as they stood, put back in the
//! reverse order.

use crate::item::Item;
use crate::lot::Lot;
use crate::reservation::Reservation;
use crate::state::{State, heap_of};
use crate::usage::Usage;
use alloc::boxed::Box;
use alloc::vec::Vec;
use sumun_wire::State as Status;

#[derive(Debug)]
pub(crate) struct Undo {
    steps: Vec<Step>,
    sequence: u64,
    time: u64,
}

#[derive(Debug)]
pub(crate) enum Step {
    Item(u32, Box<Item>),
    Lot(u32, Box<Lot>),
    Usage(u32, Box<Usage>),
    Reservation(u32, Box<Reservation>),
    NewReservation(u32),
    NewMovement(u32),
}

impl State {
    /// From here on `roll_back` can take everything back, until `keep`.
    pub fn begin_undo(&mut self) {
        assert!(self.undo.is_none(), "one thing at a time can be taken back");
        self.undo = Some(Undo { steps: Vec::new(), sequence: self.sequence, time: self.time });
    }
    pub const fn undo_is_off(&self) -> bool {
        self.undo.is_none()
    }
    pub fn keep(&mut self) {
        self.undo = None;
    }
    /// Slots that were made meanwhile for items, lots, holders and usages stay, empty: they do no harm.
    pub fn roll_back(&mut self) {
        let undo = self.undo.take().expect("begun before");
        for step in undo.steps.into_iter().rev() {
            match step {
                Step::Item(slot, old) => {
                    let item = &mut self.items[slot];
                    self.heap -= item.heap_bytes();
                    // A slot made meanwhile is known to hold nothing.
                    *item = Item { refs: item.refs, known: true, ..*old };
                    self.heap += item.heap_bytes();
                }
                Step::Lot(slot, old) => {
                    self.unschedule_lot(slot);
                    let lot = &mut self.lots[slot];
                    self.heap -= lot.heap_bytes();
                    *lot = Lot { refs: lot.refs, known: true, ..*old };
                    self.heap += lot.heap_bytes();
                    self.schedule_lot(slot);
                }
                Step::Usage(slot, old) => {
                    self.heap -= self.usages[slot].heap_bytes();
                    self.heap += old.heap_bytes();
                    self.usages[slot] = *old;
                }
                Step::Reservation(slot, old) => {
                    self.timers.clear(slot, &mut self.reservations);
                    self.heap -= self.reservations[slot].heap_bytes();
                    self.heap += old.heap_bytes();
                    self.open -= u64::from(self.reservations[slot].state == Status::Held);
                    self.open += u64::from(old.state == Status::Held);
                    self.reservations[slot] = *old;
                    self.reservations[slot].links = Default::default();
                    self.reservations[slot].timer = Default::default();
                    self.schedule(slot);
                }
                Step::NewReservation(slot) => {
                    self.remove_reservation(slot);
                }
                Step::NewMovement(slot) => {
                    let movement = self.movements.remove(slot);
                    self.heap -= heap_of(&movement.id);
                    self.items[movement.item].refs -= 1;
                    self.movement_index.remove(self.movement_hash(movement.item, &movement.id), slot);
                }
            }
        }
        (self.sequence, self.time) = (undo.sequence, undo.time);
    }
    pub(crate) fn remember(&mut self, step: impl FnOnce(&State) -> Step) {
        if let Some(mut undo) = self.undo.take() {
            undo.steps.push(step(self));
            self.undo = Some(undo);
        }
    }
}
