//! Taking back what an EXEC did that may not happen after all: copies of the records as they stood, put back in the
//! reverse order.

use crate::item::Item;
use crate::lot::Lot;
use crate::reservation::Reservation;
use crate::state::{State, heap_of};
use crate::usage::Usage;
use alloc::boxed::Box;
use alloc::vec::Vec;

#[derive(Debug)]
pub(crate) struct Undo {
    steps: Vec<Step>,
    sequence: u64,
    time: u64,
    open: u64,
    heap: usize,
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
        let (sequence, time, open, heap) = (self.sequence, self.time, self.open, self.heap);
        self.undo = Some(Undo { steps: Vec::new(), sequence, time, open, heap });
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
                    let refs = self.items[slot].refs;
                    self.items[slot] = *old;
                    self.items[slot].refs = refs;
                    // A slot made meanwhile is known to hold nothing.
                    self.items[slot].known = true;
                }
                Step::Lot(slot, old) => {
                    self.unschedule_lot(slot);
                    let refs = self.lots[slot].refs;
                    self.lots[slot] = *old;
                    self.lots[slot].refs = refs;
                    self.lots[slot].known = true;
                    self.schedule_lot(slot);
                }
                Step::Usage(slot, old) => self.usages[slot] = *old,
                Step::Reservation(slot, old) => {
                    self.timers.clear(slot, &mut self.reservations);
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
        (self.sequence, self.time, self.open) = (undo.sequence, undo.time, undo.open);
        self.heap = self.heap.max(undo.heap);
    }
    pub(crate) fn remember(&mut self, step: impl FnOnce(&State) -> Step) {
        if let Some(mut undo) = self.undo.take() {
            undo.steps.push(step(self));
            self.undo = Some(undo);
        }
    }
}
