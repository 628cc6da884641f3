//! A lot: a part of an item's on_hand with its own id, expiry and place. A record of its own.
//! STOCK-1: 0 ≤ reserved ≤ on_hand, asserted whenever its figures are set.

use crate::state::heap_of;
use sumun_wire::{Allocation, Name};

#[derive(Clone, Debug)]
pub(crate) struct Lot {
    pub(crate) item: u32,
    pub(crate) id: Name,
    /// Reservations in memory that took from it.
    pub(crate) refs: u32,
    /// Those of them that are open: it is remembered while there are any.
    pub(crate) open: u32,
    pub(crate) unsaved: bool,
    /// Whether the record is in memory. What is known and has sequence 0 is known not to exist.
    pub(crate) known: bool,
    pub(crate) ended: bool,
    pub(crate) location: Option<Name>,
    pub(crate) expires_at: Option<u64>,
    /// The store may hold an end of an earlier life of this id, which was forgotten before its last change was staged.
    pub(crate) stale_end: Option<u64>,
    /// Sequence of its first receipt.
    pub(crate) first: u64,
    pub(crate) on_hand: u64,
    pub(crate) reserved: u64,
    pub(crate) sequence: u64,
    /// Time of the last event that touched or stamped it: it is remembered for the retention from here.
    pub(crate) touched_at: u64,
}

impl Lot {
    pub(crate) fn new(item: u32, id: &str) -> Lot {
        Lot {
            item,
            id: Name::from(id),
            refs: 0,
            open: 0,
            unsaved: false,
            known: false,
            ended: false,
            location: None,
            expires_at: None,
            stale_end: None,
            first: 0,
            on_hand: 0,
            reserved: 0,
            sequence: 0,
            touched_at: 0,
        }
    }
    pub(crate) fn heap_bytes(&self) -> usize {
        heap_of(&self.id) + self.location.as_ref().map_or(0, heap_of)
    }
    /// Leaves the name and who points at it: whoever reads the record takes all else from the store.
    pub(crate) fn forget(&mut self) {
        let (id, refs, open) = (core::mem::take(&mut self.id), self.refs, self.open);
        *self = Lot { id, refs, open, ..Lot::new(self.item, "") };
    }
    pub(crate) const fn exists(&self) -> bool {
        self.sequence > 0
    }
    pub(crate) const fn free(&self) -> u64 {
        self.on_hand - self.reserved
    }
    pub(crate) fn is_due(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
    /// The order in which lots are taken: by expiry and first receipt, or by first receipt alone. First receipts are
    /// sequences, so that there are no ties.
    pub(crate) fn rank(&self, allocation: Allocation) -> (u64, u64) {
        match allocation {
            Allocation::Fefo => (self.expires_at.unwrap_or(u64::MAX), self.first),
            Allocation::Fifo => (0, self.first),
        }
    }
}
