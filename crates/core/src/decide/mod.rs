//! Decide, then apply. Deciding reads, and comes to an event, an answer, or the records that it would have to see.
//!
//! What is checked, in this order: what the request alone shows; the id; skus that do not exist; a missing holder;
//! the limit; what is available; caps. Ends of what the command names come before: they are events of their own, after
//! each of which the command is decided anew.

mod end;
mod item;
mod part;
mod reserve;

use crate::event::Event;
use crate::record::Key;
use crate::state::{Found, State};
use crate::validate;
use alloc::vec::Vec;
use sumun_wire::{Answer, Command, Refusal};

#[derive(Debug)]
pub enum Decision {
    /// The event is the command's: write it, apply it, then give the answer.
    Event(Answer),
    /// The event comes before the command: write it, apply it, decide again.
    First,
    /// Nothing to write.
    Answer(Answer),
    /// Records that are not in memory have to be installed first; they were added to `missing`.
    Missing,
}

/// What ends the decision early.
pub(crate) type Outcome = Result<Decision, Decision>;

impl State {
    /// Decides a command at shard time `now`. Allocates nothing once `event` is warm, but for records that are read.
    pub fn decide(&self, now: u64, command: &Command<'_>, event: &mut Event, missing: &mut Vec<Key>) -> Decision {
        if let Err(refusal) = validate::command(command) {
            return Decision::Answer(Answer::Refused(refusal));
        }
        let mut deciding = Deciding { state: self, now, event, missing };
        let outcome = match command {
            Command::Configure(c) => deciding.configure(c),
            Command::Remove { sku } => deciding.remove(sku),
            Command::Receive(c) => deciding.receive(c),
            Command::Adjust(c) => deciding.adjust(c),
            Command::Reserve(c) => deciding.reserve(c),
            Command::Capture(c) => deciding.capture(c),
            Command::Release(c) => deciding.release(c),
            Command::Return(c) => deciding.give_back(c),
            Command::Extend(c) => deciding.extend(c),
            Command::Reservation { id } => deciding.read_reservation(id),
            Command::Item { sku } => deciding.read_item(sku),
            Command::Holder { sku, holder } => deciding.read_holder(sku, holder),
        };
        match outcome {
            Ok(decision) | Err(decision) => decision,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Deciding<'a> {
    pub(crate) state: &'a State,
    pub(crate) now: u64,
    pub(crate) event: &'a mut Event,
    pub(crate) missing: &'a mut Vec<Key>,
}

pub(crate) fn refuse<T>(refusal: Refusal) -> Result<T, Decision> {
    Err(Decision::Answer(Answer::Refused(refusal)))
}

impl<'a> Deciding<'a> {
    pub(crate) fn begin(&mut self, kind: crate::EventKind) {
        self.event.clear(self.state.sequence + 1, self.now, kind);
    }

    /// The slot of a record, or `None` when there is none; a record that is elsewhere ends the decision.
    pub(crate) fn see(&mut self, found: Found, key: impl FnOnce() -> Key) -> Result<Option<u32>, Decision> {
        match found {
            Found::At(slot) => Ok(Some(slot)),
            Found::Absent => Ok(None),
            Found::Unknown => {
                self.missing.push(key());
                Err(Decision::Missing)
            }
        }
    }
    pub(crate) fn item(&mut self, sku: &str) -> Result<Option<u32>, Decision> {
        self.see(self.state.find_item(sku), || Key::Item(sku.into()))
    }
    /// An item that a record in memory points at: its slot is there, its record may not be.
    pub(crate) fn item_at(&mut self, slot: u32) -> Result<(), Decision> {
        if self.state.items[slot].known {
            return Ok(());
        }
        self.missing.push(self.state.item_key(slot));
        Err(Decision::Missing)
    }
    pub(crate) fn lot_at(&mut self, slot: u32) -> Result<(), Decision> {
        let lot = &self.state.lots[slot];
        if lot.known {
            return Ok(());
        }
        self.missing.push(Key::Lot(self.state.items[lot.item].sku.clone(), lot.id.clone()));
        Err(Decision::Missing)
    }
    pub(crate) fn lot(&mut self, item: u32, lot: &str) -> Result<Option<u32>, Decision> {
        let state = self.state;
        self.see(state.find_lot(item, lot, self.now), || Key::Lot(state.items[item].sku.clone(), lot.into()))
    }
    pub(crate) fn movement(&mut self, item: u32, id: &str) -> Result<Option<u32>, Decision> {
        let state = self.state;
        self.see(state.find_movement(item, id, self.now), || Key::Movement(state.items[item].sku.clone(), id.into()))
    }
    pub(crate) fn usage(&mut self, item: u32, holder: &str) -> Result<Option<u32>, Decision> {
        let state = self.state;
        self.see(state.find_usage(item, holder), || Key::Usage(state.items[item].sku.clone(), holder.into()))
    }
}
