//! An item as it stands in memory: its newest figures, its settings, and the lists of its lots that have units.
//! STOCK-1, STOCK-2: asserted whenever figures are set.

use crate::event::{Figures, SettingsEntry};
use crate::links::List;
use crate::lot::Lot;
use crate::slab::Slab;
use crate::state::heap_of;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use sumun_wire::{Allocation, Kind, Limit, Name};

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) sku: Name,
    pub(crate) hash: u64,
    /// Records in memory that point at this slot: it is not given up while there are any.
    pub(crate) refs: u32,
    /// Whether the record is in memory. What is known and has version 0 is known not to exist; what is not known and
    /// has a sequence took its figures from the tail of a replay, and nothing else yet.
    pub(crate) known: bool,
    pub(crate) hidden: bool,
    /// Whether holders' quantities count: the item has, or once had, a limit.
    pub(crate) counts: bool,
    pub(crate) kind: Kind,
    pub(crate) allocation: Allocation,
    pub(crate) limit: Option<Limit>,
    pub(crate) safety_stock: u64,
    pub(crate) backorder_limit: u64,
    pub(crate) metadata: Option<Box<str>>,
    /// Of the newest event that touched it.
    pub(crate) sequence: u64,
    pub(crate) figures: Figures,
    /// Time of the last event that named one of its lots; 0 when none did. So whether a lot is remembered rests on the
    /// item alone.
    pub(crate) lots_touched_at: u64,
    /// Of the newest event that named one of its lots without touching the item itself.
    pub(crate) stamped: u64,
    /// Its lots from which open reservations took: those are remembered while they are open.
    pub(crate) open: u32,
    /// What open reservations in memory hold of it: all of them are, so `reserved` when that is known.
    pub(crate) held: u64,
    /// Reservations that hold some of it, in the order of begins.
    pub(crate) holding: List,
    /// Settings are those of the newest event, though the rest may be unknown.
    pub(crate) configured: bool,
    pub(crate) filed: bool,
    pub(crate) unsaved: bool,
    /// Looked at since the hand passed.
    pub(crate) used: Cell<bool>,
    pub(crate) lots: Option<Box<ItemLots>>,
}

/// Slots of the item's lots that have units.
#[derive(Clone, Debug, Default)]
pub(crate) struct ItemLots {
    /// Not ended, in allocation order.
    pub(crate) fresh: Vec<u32>,
    /// Ended, in allocation order.
    pub(crate) ended: Vec<u32>,
    /// When the first of the fresh ones ends; `u64::MAX` when none does.
    pub(crate) next_end: u64,
}

impl Item {
    pub(crate) fn new(sku: &str, hash: u64) -> Item {
        Item {
            sku: Name::from(sku),
            hash,
            refs: 0,
            known: false,
            hidden: false,
            counts: false,
            kind: Kind::Stock,
            allocation: Allocation::Fefo,
            limit: None,
            safety_stock: 0,
            backorder_limit: 0,
            metadata: None,
            sequence: 0,
            figures: Figures::default(),
            lots_touched_at: 0,
            stamped: 0,
            open: 0,
            held: 0,
            holding: List::EMPTY,
            configured: false,
            filed: false,
            unsaved: false,
            used: Cell::new(true),
            lots: None,
        }
    }
    pub(crate) fn heap_bytes(&self) -> usize {
        heap_of(&self.sku) + self.metadata.as_ref().map_or(0, |text| text.len())
    }
    pub(crate) const fn exists(&self) -> bool {
        self.figures.version > 0 && !self.hidden
    }
    /// Whether a lot of it is remembered.
    pub(crate) fn has_lots(&self, now: u64, retention_ms: u64) -> bool {
        self.open > 0 || self.lots_with_units() > 0 || self.lots_touched_at.saturating_add(retention_ms) > now
    }
    pub(crate) fn next_end(&self) -> u64 {
        self.lots.as_ref().map_or(u64::MAX, |lots| lots.next_end)
    }
    pub(crate) fn lots_with_units(&self) -> usize {
        self.lots.as_ref().map_or(0, |lots| lots.fresh.len() + lots.ended.len())
    }
    pub(crate) fn available(&self) -> u64 {
        available(&self.figures, self.safety_stock, self.backorder_limit)
    }
    pub(crate) fn set_settings(&mut self, settings: &SettingsEntry, metadata: Option<&str>) {
        self.kind = settings.kind;
        self.allocation = settings.allocation;
        self.limit = settings.limit;
        self.safety_stock = settings.safety_stock;
        self.backorder_limit = settings.backorder_limit;
        self.metadata = metadata.map(Box::from);
        self.counts = settings.counts;
        self.hidden = false;
        self.configured = true;
    }
    /// Puts a lot where it belongs after its figures, or the item's allocation, changed.
    pub(crate) fn place(&mut self, slot: u32, lots: &Slab<Lot>) {
        let lists = self.lots.get_or_insert_default();
        for list in [&mut lists.fresh, &mut lists.ended] {
            if let Some(at) = list.iter().position(|s| *s == slot) {
                list.remove(at);
            }
        }
        let lot = &lots[slot];
        if lot.on_hand > 0 {
            let list = if lot.ended { &mut lists.ended } else { &mut lists.fresh };
            let at = list.partition_point(|other| lots[*other].rank(self.allocation) < lot.rank(self.allocation));
            list.insert(at, slot);
        }
        let mut ends = lists.fresh.iter().filter_map(|s| lots[*s].expires_at);
        // In the order of expiry the first ends first: those without an expiry stand last.
        let next = if self.allocation == Allocation::Fefo { ends.next() } else { ends.min() };
        lists.next_end = next.unwrap_or(u64::MAX);
    }
    pub(crate) fn sort_lots(&mut self, lots: &Slab<Lot>) {
        let allocation = self.allocation;
        if let Some(lists) = &mut self.lots {
            lists.fresh.sort_unstable_by_key(|slot| lots[*slot].rank(allocation));
            lists.ended.sort_unstable_by_key(|slot| lots[*slot].rank(allocation));
        }
    }
}

/// on_hand − reserved of what has not ended, less safety stock, plus backorders; never below 0.
pub(crate) fn available(figures: &Figures, safety_stock: u64, backorder_limit: u64) -> u64 {
    let on_hand = figures.on_hand - figures.lots.ended_on_hand as i64;
    let reserved = (figures.reserved - figures.lots.ended_reserved) as i64;
    (on_hand - reserved - safety_stock as i64 + backorder_limit as i64).max(0) as u64
}

impl Figures {
    /// Units without lot.
    pub(crate) const fn loose_on_hand(&self) -> i64 {
        self.on_hand - self.lots.on_hand as i64
    }
    pub(crate) const fn loose_reserved(&self) -> u64 {
        self.reserved - self.lots.reserved
    }
    pub(crate) const fn loose_free(&self) -> u64 {
        let free = self.loose_on_hand() - self.loose_reserved() as i64;
        if free > 0 { free as u64 } else { 0 }
    }
    pub(crate) fn check(&self) {
        let sum = self.received as i64 - self.removed as i64 + self.returned as i64 - self.captured as i64;
        assert!(sum == self.on_hand, "STOCK-2: received - removed + returned - captured = on_hand");
        assert!(self.returned <= self.captured, "STOCK-2: no more is returned than was captured");
        assert!(self.lots.reserved <= self.lots.on_hand, "STOCK-1: no lot holds more than it has");
        assert!(self.lots.reserved <= self.reserved, "STOCK-1: what lots hold is part of what the item holds");
        assert!(self.lots.ended_on_hand <= self.lots.on_hand, "STOCK-1: ended lots are lots");
        assert!(self.lots.ended_reserved <= self.lots.reserved, "STOCK-1: ended lots are lots");
    }
}
