//! Generations begin and go by time, whether or not anybody asks for something meanwhile.

use super::{Keeper, Staging, tables};
use crate::caps::{GENERATION_MS_MIN, GENERATION_MS_SHORT, GENERATIONS};
use sumun_core::State;

/// At most a minute more than the retention stands in the store, or as much again where that is less.
fn wide_ms(retention_ms: u64) -> u64 {
    (retention_ms / GENERATIONS).max(GENERATION_MS_MIN.min(retention_ms)).max(GENERATION_MS_SHORT)
}

impl Keeper {
    /// Begins a generation when the last is wide enough and holds something; lets the oldest go when nothing in it is
    /// remembered.
    pub(super) fn turn_generations(&mut self, state: &mut State, now: u64, retention_ms: u64) {
        if self.staging.is_some() {
            return;
        }
        let (number, began) = *self.head.generations.last().expect("a store has a generation");
        if now >= began.saturating_add(wide_ms(retention_ms)) && (self.fills || state.unsaved() > 0) {
            state.begin_generation(number + 1, true);
            self.head.generations.push((number + 1, now));
            self.fills = false;
        }
        // What stands in a generation was staged before the next one began.
        let old = |(_, next_began): &(u32, u64)| next_began.saturating_add(retention_ms) <= now;
        if !self.head.generations.get(1).is_some_and(old) {
            return;
        }
        // A return of what stands in it may wait for the store: it has written the record anew before the old one goes.
        let oldest = self.head.generations[0].0;
        let (leaving, since) = *self.leaving.get_or_insert((oldest, state.sequence()));
        if leaving == oldest && self.saved_with(state) >= since && !self.is_busy() {
            self.leaving = None;
            let (number, _) = self.head.generations.remove(0);
            state.drop_generation(number);
            let mut chunk = self.spare.pop().unwrap_or_default();
            chunk.drop_table(tables::generation(number));
            let staging = Staging { chunk, generation: self.head.generations[0].0, ..Staging::default() };
            self.seal(staging, state, now);
        }
    }

    /// When there is something to turn. What waits to be staged first wakes the loop by itself.
    pub(super) fn turns_at_ms(&self) -> Option<u64> {
        let (_, began) = *self.head.generations.last().expect("a store has a generation");
        let begins = self.fills.then(|| began.saturating_add(wide_ms(self.by.retention_ms)));
        let oldest = self.head.generations.get(1).filter(|_| self.leaving.is_none());
        let leaves = oldest.map(|(_, next_began)| next_began.saturating_add(self.by.retention_ms));
        begins.into_iter().chain(leaves).min()
    }
}
