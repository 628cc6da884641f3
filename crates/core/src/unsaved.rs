//! What the store does not hold yet: one queue, in the order in which saved records were first touched again. So all
//! events below its head stand in the store (LOG-4 rests on this), and a hot record cannot hold the head back.
//!
//! Cost: 16 bytes an unsaved record; an event that touches what is unsaved already costs a flag's look.

use crate::away::Filing;
use crate::caps::UNSAVED_CHUNK;
use crate::record::{Key, Record};
use crate::reservation::Mark;
use crate::slab::Slab;
use crate::state::State;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem::take;
use sumun_wire::State as Status;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Item,
    Lot,
    Reservation,
    Movement,
    Usage,
}

/// A hint: the slot may hold another record by now, or one that was staged meanwhile.
#[derive(Clone, Copy, Debug)]
struct Entry {
    sequence: u64,
    table: Table,
    slot: u32,
    /// The slot is one of a key at which an event waits: its record was not in memory.
    waits: bool,
}

/// First in, first out, in chunks: growing copies nothing.
#[derive(Debug)]
pub(crate) struct Unsaved {
    chunks: VecDeque<Vec<Entry>>,
    /// Entries taken of the first chunk.
    taken: usize,
    len: usize,
    /// Keys at which events of the log's tail wait, as entries name them.
    keys: Slab<Key>,
}

impl Unsaved {
    pub(crate) const fn new() -> Unsaved {
        Unsaved { chunks: VecDeque::new(), taken: 0, len: 0, keys: Slab::new() }
    }
    fn push(&mut self, entry: Entry) {
        if self.chunks.back().is_none_or(|chunk| chunk.len() == UNSAVED_CHUNK) {
            self.chunks.push_back(Vec::with_capacity(UNSAVED_CHUNK));
        }
        self.chunks.back_mut().expect("pushed above").push(entry);
        self.len += 1;
    }
    /// Takes back what was pushed since there were `len`.
    pub(crate) fn truncate(&mut self, len: usize) {
        while self.len > len {
            let last = self.chunks.back_mut().expect("what is counted is there");
            last.pop();
            self.len -= 1;
            if last.is_empty() {
                self.chunks.pop_back();
            }
        }
        if self.len == 0 {
            self.chunks.clear();
            self.taken = 0;
        }
    }
    fn head(&self) -> Option<Entry> {
        self.chunks.front().and_then(|chunk| chunk.get(self.taken)).copied()
    }
    /// The first few, as far as their chunk goes.
    pub(crate) fn first(&self, most: usize) -> impl Iterator<Item = (Table, u32)> {
        let chunk = self.chunks.front().and_then(|chunk| chunk.get(self.taken..)).unwrap_or_default();
        chunk.iter().take(most).filter(|entry| !entry.waits).map(|entry| (entry.table, entry.slot))
    }
    fn pop(&mut self) {
        self.taken += 1;
        self.len -= 1;
        if self.chunks.front().is_some_and(|chunk| chunk.len() == self.taken) {
            self.chunks.pop_front();
            self.taken = 0;
        }
    }
}

/// A record that goes to the store.
#[derive(Clone, Debug)]
pub struct Staged<'a> {
    pub record: Record<'a>,
    /// Whether the store may hold an older copy in the place that it leaves: an ended reservation among the open ones, a
    /// lot that has lost its last unit among those with units.
    pub leaves: bool,
    /// The store may hold this end of a lot that had the same id.
    pub stale_end: Option<u64>,
    pub filing: Filing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is unsaved.
    Empty,
    /// A record was handed over.
    Staged,
    /// The next one has to be read first.
    Unread(Key),
}

impl State {
    /// Records that wait for the store.
    pub const fn unsaved(&self) -> usize {
        self.unsaved.len
    }
    /// All events up to here stand in records that are saved.
    pub fn saved_through(&self) -> u64 {
        self.unsaved.head().map_or(self.sequence, |entry| entry.sequence - 1)
    }

    /// Marks a record as newer than the store's: by the event `sequence`.
    pub(crate) fn mark(&mut self, table: Table, slot: u32, sequence: u64) {
        let set = |flag: &mut bool| core::mem::replace(flag, true);
        let was_unsaved = match table {
            Table::Item => set(&mut self.items[slot].unsaved),
            Table::Lot => set(&mut self.lots[slot].unsaved),
            Table::Reservation => self.reservations[slot].marks.set(Mark::Unsaved, true),
            Table::Movement => set(&mut self.movements[slot].unsaved),
            Table::Usage => set(&mut self.usages[slot].unsaved),
        };
        if !was_unsaved {
            // What waited is marked late: its place in the queue was taken when it began to wait.
            let sequence = sequence.max(self.sequence);
            self.unsaved.push(Entry { sequence, table, slot, waits: false });
        }
    }
    /// An event waits at a key until the record is read. The queue does not move past it before.
    pub(crate) fn wait(&mut self, key: &Key, sequence: u64) {
        if self.away.wait(self.key_hash(key)) {
            let slot = self.unsaved.keys.insert(key.clone());
            self.unsaved.push(Entry { sequence, table: Table::Reservation, slot, waits: true });
        }
    }

    /// Hands the record that has waited longest to `keep`, as it stands now. It counts as saved from here on: whoever
    /// cannot keep it drops the state.
    pub fn stage(&mut self, keep: &mut dyn FnMut(&Staged<'_>)) -> Stage {
        while let Some(head) = self.unsaved.head() {
            let entry = match self.arrived(head) {
                Ok(entry) => entry,
                Err(key) => return Stage::Unread(key),
            };
            let Some(entry) = entry.filter(|entry| self.take_mark(*entry)) else {
                self.pop(head);
                continue;
            };
            let Some(record) = self.record_at(entry.table, entry.slot) else {
                self.mark_again(entry);
                return Stage::Unread(self.key_at(entry));
            };
            let (leaves, filing) = self.file(entry, &record);
            let stale_end = if entry.table == Table::Lot { self.lots[entry.slot].stale_end } else { None };
            keep(&Staged { record, leaves, stale_end, filing });
            self.filed(entry, filing);
            self.pop(head);
            return Stage::Staged;
        }
        Stage::Empty
    }

    /// The entry of a record that was read since an event began to wait for it; none when there is no such record. An
    /// entry that never waited is its own.
    fn arrived(&self, entry: Entry) -> Result<Option<Entry>, Key> {
        if !entry.waits {
            return Ok(Some(entry));
        }
        let key = &self.unsaved.keys[entry.slot];
        if self.away.is_waiting(self.key_hash(key)) {
            return Err(key.clone());
        }
        Ok(self.find_key(key).map(|(table, slot)| Entry { table, slot, waits: false, ..entry }))
    }
    fn pop(&mut self, entry: Entry) {
        if entry.waits {
            self.unsaved.keys.remove(entry.slot);
        }
        self.unsaved.pop();
    }

    fn take_mark(&mut self, entry: Entry) -> bool {
        let slot = entry.slot;
        let was_unsaved = match entry.table {
            Table::Item => self.items.get_mut(slot).map(|record| take(&mut record.unsaved)),
            Table::Lot => self.lots.get_mut(slot).map(|record| take(&mut record.unsaved)),
            Table::Reservation => self.reservations.get(slot).map(|record| record.marks.set(Mark::Unsaved, false)),
            Table::Movement => self.movements.get_mut(slot).map(|record| take(&mut record.unsaved)),
            Table::Usage => self.usages.get_mut(slot).map(|record| take(&mut record.unsaved)),
        };
        was_unsaved.unwrap_or(false)
    }
    fn mark_again(&mut self, entry: Entry) {
        match entry.table {
            Table::Item => self.items[entry.slot].unsaved = true,
            Table::Lot => self.lots[entry.slot].unsaved = true,
            Table::Reservation | Table::Movement | Table::Usage => {
                unreachable!("an event tells all of a movement; the others wait at their key until they are read")
            }
        }
    }
    fn key_at(&self, entry: Entry) -> Key {
        match entry.table {
            Table::Item => self.item_key(entry.slot),
            Table::Lot | Table::Reservation | Table::Movement | Table::Usage => {
                unreachable!("items alone are known in part")
            }
        }
    }

    /// Where the store keeps it, and whether it leaves another place.
    fn file(&self, entry: Entry, record: &Record<'_>) -> (bool, Filing) {
        match record {
            Record::Item(_) => (false, State::filing_fixed(self.items[entry.slot].hash, self.items[entry.slot].filed)),
            Record::Usage(usage) => {
                let slot = &self.usages[entry.slot];
                (false, State::filing_fixed(self.usage_hash(slot.item, usage.holder), slot.filed))
            }
            // An empty one that an open reservation took from outlives its generation.
            Record::Lot(lot) if lot.on_hand > 0 || self.lots[entry.slot].open > 0 => (false, Filing::Open),
            Record::Lot(lot) => (true, self.filing_generation(self.lot_hash(self.lots[entry.slot].item, lot.lot))),
            Record::Reservation(r) if r.state == Status::Held => (false, Filing::Open),
            Record::Reservation(r) => (
                self.reservations[entry.slot].marks.has(Mark::Filed),
                self.filing_generation(self.reservation_hash(r.id)),
            ),
            Record::Movement(movement) => {
                let slot = &self.movements[entry.slot];
                (false, self.filing_generation(self.movement_hash(slot.item, movement.id)))
            }
        }
    }

    fn filed(&mut self, entry: Entry, filing: Filing) {
        match entry.table {
            Table::Item => self.items[entry.slot].filed = true,
            Table::Usage => self.usages[entry.slot].filed = true,
            Table::Reservation => {
                self.reservations[entry.slot].marks.set(Mark::Filed, matches!(filing, Filing::Open));
            }
            Table::Lot => self.lots[entry.slot].stale_end = None,
            Table::Movement => {}
        }
        self.away.note(filing);
    }
}
