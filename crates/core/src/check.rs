//! Invariants over several records, checked whole: when a replay is complete, and by the simulation after every step.

use crate::event::NONE;
use crate::state::State;
use alloc::vec;
use sumun_wire::State as Status;

impl State {
    /// STOCK-1, STOCK-2, LIMIT-1 over all records in memory: figures are the sums of lots and open lines.
    /// Cost: one pass over everything.
    pub fn check(&self) {
        let mut reserved = vec![0u64; self.items.end() as usize];
        let mut in_lots = vec![0u64; self.lots.end() as usize];
        let mut held = vec![0u64; self.usages.end() as usize];
        let mut open = 0;
        for (_, reservation) in self.reservations.iter().filter(|(_, r)| r.state == Status::Held) {
            open += 1;
            for take in (0..reservation.takes()).map(|at| reservation.take(at)) {
                reserved[take.item as usize] += take.left();
                if take.lot != NONE {
                    in_lots[take.lot as usize] += take.left();
                }
                if take.counted && take.left() > 0 {
                    let holder = &self.holders[reservation.holder].name;
                    let crate::state::Found::At(usage) = self.find_usage(take.item, holder) else {
                        panic!("LIMIT-1: the usage of a holder who holds something is in memory")
                    };
                    held[usage as usize] += take.left();
                }
            }
        }
        assert!(open == self.open, "RSV-1: open reservations are counted");
        for (slot, item) in self.items.iter().filter(|(_, item)| item.known) {
            item.figures.check();
            assert!(item.figures.reserved == reserved[slot as usize], "STOCK-1: reserved is the sum of open lines");
            let slots = || item.lots.iter().flat_map(|lots| lots.fresh.iter().chain(&lots.ended));
            let sum = |of: fn(&crate::lot::Lot) -> u64| slots().map(|lot| of(&self.lots[*lot])).sum::<u64>();
            let sums = item.figures.lots;
            assert!(sum(|lot| lot.on_hand) == sums.on_hand, "STOCK-1: the item's figures are the sums of its lots");
            assert!(sum(|lot| lot.reserved) == sums.reserved, "STOCK-1: the item's figures are the sums of its lots");
            let ended = |of: fn(&crate::lot::Lot) -> u64| sum_ended(self, item, of);
            assert!(ended(|lot| lot.on_hand) == sums.ended_on_hand, "STOCK-1: ended lots are counted apart");
            assert!(ended(|lot| lot.reserved) == sums.ended_reserved, "STOCK-1: ended lots are counted apart");
        }
        for (slot, lot) in self.lots.iter().filter(|(_, lot)| lot.known) {
            assert!(lot.reserved == in_lots[slot as usize], "STOCK-1: a lot's reserved is the sum of open lines");
        }
        for (slot, usage) in self.usages.iter() {
            assert!(usage.held == held[slot as usize], "LIMIT-1: held is the sum of the holder's open lines");
        }
    }
}

fn sum_ended(state: &State, item: &crate::item::Item, of: fn(&crate::lot::Lot) -> u64) -> u64 {
    item.lots.iter().flat_map(|lots| &lots.ended).map(|lot| of(&state.lots[*lot])).sum()
}
