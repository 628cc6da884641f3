//! Reading ahead of ends by time: what open reservations will need, once after a start; and items whose lots end soon,
//! from the store's rows of ends, each row once. Those items stay until their ends are written (`LOT_ENDS_AHEAD_MS`).
//!
//! A step's share is small: commands' reads stand in the same queue.

use super::{Keeper, What, tables};
use crate::caps::{AHEAD_PAUSE_MS, AHEAD_SLOTS, READS_AHEAD_MAX};
use sumun_core::caps::LOT_ENDS_AHEAD_MS;
use sumun_core::{Key, State};

#[derive(Debug)]
pub(crate) struct Ahead {
    /// Reservations from this slot on have not been looked at since the start.
    open: Option<u32>,
    /// Rows before this key have been seen.
    from: Vec<u8>,
    is_asked: bool,
    /// When there may be more rows to see.
    at_ms: u64,
    /// What is to be read.
    keys: Vec<Key>,
}

impl Ahead {
    pub(crate) const fn new() -> Ahead {
        Ahead { open: Some(0), from: Vec::new(), is_asked: false, at_ms: 0, keys: Vec::new() }
    }
    /// When there is something to do that no answer of the store's will wake the loop for.
    pub(crate) const fn next_at_ms(&self) -> Option<u64> {
        match (&self.open, self.is_asked) {
            (Some(_), _) => Some(0),
            (None, false) => Some(self.at_ms),
            (None, true) => None,
        }
    }
}

impl Keeper {
    /// Asks for some of what will be needed.
    pub(crate) fn read_ahead(&mut self, state: &State, now: u64) {
        while self.asked.len() < READS_AHEAD_MAX {
            let Some(key) = self.ahead.keys.pop() else { break };
            if !state.holds(&key) {
                self.ask([key]);
            }
        }
        if !self.ahead.keys.is_empty() {
            return;
        }
        if let Some(from) = self.ahead.open {
            self.ahead.open = state.missing_of_open(from, AHEAD_SLOTS, &mut self.ahead.keys);
        } else if !self.ahead.is_asked && now >= self.ahead.at_ms {
            self.ahead.is_asked = true;
            let from = std::mem::take(&mut self.ahead.from);
            self.tell(What::Ends { from, until: now + LOT_ENDS_AHEAD_MS });
        }
    }

    /// A page of rows has come.
    pub(crate) fn hear_ends(&mut self, page: tables::Ends, now: u64) {
        self.ahead.is_asked = false;
        if page.is_last {
            self.ahead.at_ms = now + AHEAD_PAUSE_MS;
        }
        self.ahead.from = page.next;
        self.ahead.keys.extend(page.items);
    }
}
