//! Drafting an event: copies of the figures that it will leave, moved step by step, then sealed.

use crate::caps::LOTS_LOOKED_THROUGH;
use crate::event::{Event, ItemEntry, LotEntry, Move, NONE, Span, UsageEntry};
use crate::item::available;
use crate::state::{Found, State};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) state: &'a State,
    pub(crate) event: &'a mut Event,
    /// Where lots stand in the event, by slot, once they are too many to look through; and how many of them it knows.
    places: Option<HashMap<u32, u32, FixedState>>,
    indexed: usize,
}

/// What a move does to on_hand and to reserved, of the item and of the lot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(state: &'a State, event: &'a mut Event) -> Draft<'a> {
        Draft { state, event, places: None, indexed: 0 }
    }

    /// The entry of an item, made when it is not there yet.
    pub(crate) fn item(&mut self, slot: u32) -> u32 {
        if let Some(at) = self.event.items.iter().rposition(|entry| entry.hint == slot) {
            return at as u32;
        }
        let item = &self.state.items[slot];
        let sku = self.event.add(&item.sku);
        self.event.items.push(ItemEntry {
            sku,
            hint: slot,
            touched: false,
            counted: false,
            kind: item.kind,
            figures: item.figures,
        });
        self.event.items.len() as u32 - 1
    }

    /// The entry of a lot, made when it is not there yet.
    pub(crate) fn lot(&mut self, slot: u32) -> u32 {
        if let Some(at) = self.find_lot(slot) {
            return at;
        }
        let lot = &self.state.lots[slot];
        let item = self.item(lot.item);
        let id = self.event.add(&lot.id);
        let location = self.event.add_optional(lot.location.as_deref());
        self.event.lots.push(LotEntry {
            item,
            lot: id,
            hint: slot,
            on_hand: lot.on_hand,
            reserved: lot.reserved,
            expires_at: lot.expires_at,
            location,
            first: lot.first,
            // What gets units back after its end is born ended again. One with units ends by an event of its own.
            ended: lot.ended || (lot.on_hand == 0 && lot.is_due(self.event.time)),
        });
        self.event.lots.len() as u32 - 1
    }

    /// Where a lot stands in the event. Few are looked through; a reservation may take a thousand.
    fn find_lot(&mut self, slot: u32) -> Option<u32> {
        let lots = &self.event.lots;
        if lots.len() <= LOTS_LOOKED_THROUGH {
            return lots.iter().rposition(|entry| entry.hint == slot).map(|at| at as u32);
        }
        let places = self.places.get_or_insert_default();
        for (at, entry) in lots.iter().enumerate().skip(self.indexed) {
            places.insert(entry.hint, at as u32);
        }
        self.indexed = lots.len();
        places.get(&slot).copied()
    }

    /// Free units of a lot as drafted so far.
    pub(crate) fn lot_free(&mut self, slot: u32) -> u64 {
        match self.find_lot(slot) {
            Some(at) => {
                let entry = &self.event.lots[at as usize];
                entry.on_hand - entry.reserved
            }
            None => self.state.lots[slot].free(),
        }
    }

    /// Moves `quantity` of an item, in a lot or without (`NONE`), on behalf of a line.
    pub(crate) fn shift(&mut self, line: u32, item: u32, lot: u32, quantity: i64, by: Shift) {
        let item = self.item(item);
        let lot = if lot == NONE { NONE } else { self.lot(lot) };
        self.event.moves.push(Move { line, item, lot, quantity });
        self.add(item, lot, by);
    }

    /// Changes figures without a move of its own: `item` and `lot` are places in the event.
    pub(crate) fn add(&mut self, item: u32, lot: u32, by: Shift) {
        let entry = &mut self.event.items[item as usize];
        entry.touched = true;
        let figures = &mut entry.figures;
        figures.on_hand += by.on_hand;
        figures.reserved = figures.reserved.checked_add_signed(by.reserved).expect("STOCK-1: 0 <= reserved");
        if lot == NONE {
            return;
        }
        let lot = &mut self.event.lots[lot as usize];
        let sums = &mut figures.lots;
        change(&mut lot.on_hand, by.on_hand);
        change(&mut lot.reserved, by.reserved);
        change(&mut sums.on_hand, by.on_hand);
        change(&mut sums.reserved, by.reserved);
        if lot.ended {
            change(&mut sums.ended_on_hand, by.on_hand);
            change(&mut sums.ended_reserved, by.reserved);
        }
        assert!(lot.reserved <= lot.on_hand, "STOCK-1: per lot reserved <= on_hand");
    }

    /// Gives every touched item its version and what is available of it now.
    pub(crate) fn seal(&mut self) {
        for entry in self.event.items.iter_mut().filter(|entry| entry.touched) {
            let (mut safety_stock, mut backorder_limit) = (0, 0);
            entry.figures.version = 1;
            entry.figures.previous = 0;
            if entry.hint != NONE {
                let item = &self.state.items[entry.hint];
                entry.figures.version = item.figures.version + 1;
                entry.figures.previous = item.sequence;
                (safety_stock, backorder_limit) = (item.safety_stock, item.backorder_limit);
            }
            if matches!(self.event.kind, crate::EventKind::Configured) {
                safety_stock = self.event.settings.safety_stock;
                backorder_limit = self.event.settings.backorder_limit;
            }
            entry.figures.check();
            entry.figures.available = available(&entry.figures, safety_stock, backorder_limit);
        }
    }

    /// What the holder has of each counted item after the event: `held` and `captured` are what every move adds.
    pub(crate) fn usages(&mut self, held: i64, captured: i64) {
        let holder = self.event.reservation.holder;
        for at in 0..self.event.items.len() {
            let entry = self.event.items[at];
            if !entry.counted {
                continue;
            }
            let moved = self.event.moved(at as u32);
            let (hint, mut now_held, mut now_captured) = self.usage(entry.hint, holder);
            change(&mut now_held, held * moved);
            change(&mut now_captured, captured * moved);
            self.event.usages.push(UsageEntry { item: at as u32, hint, held: now_held, captured: now_captured });
        }
    }

    fn usage(&self, item: u32, holder: Span) -> (u32, u64, u64) {
        match self.state.find_usage(item, self.event.name(holder)) {
            Found::At(slot) => {
                let usage = &self.state.usages[slot];
                (slot, usage.held, usage.captured)
            }
            Found::Absent => (NONE, 0, 0),
            Found::Unknown => unreachable!("what is decided on is in memory: missing records were asked for before"),
        }
    }
}

fn change(figure: &mut u64, by: i64) {
    *figure = figure.checked_add_signed(by).expect("STOCK-1: no figure falls below 0");
}
