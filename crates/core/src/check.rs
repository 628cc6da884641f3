//! Invariants over several records, checked whole: when a replay is complete, and by the simulation after every step.

use crate::event::NONE;
use crate::lists::Of;
use crate::state::State;
use alloc::vec;
use alloc::vec::Vec;
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
                    // After a start it is read when it is first named.
                    if let Some(usage) = self.slot_of_usage(take.item, holder) {
                        held[usage as usize] += take.left();
                    }
                }
            }
        }
        assert!(open == self.open, "RSV-1: open reservations are counted");
        for (slot, item) in self.items.iter() {
            assert!(item.held == reserved[slot as usize], "STOCK-1: what open lines hold is counted");
        }
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
        if self.armed && self.begins.is_empty() {
            self.check_lists();
        }
        for (slot, usage) in self.usages.iter() {
            assert!(usage.held == held[slot as usize], "LIMIT-1: held is the sum of the holder's open lines");
        }
    }
}

impl State {
    /// Each open reservation stands once in the list of each of its items and of its holder, in the order of begins.
    fn check_lists(&self) {
        let mut expected = 0;
        for (_, reservation) in self.reservations.iter().filter(|(_, r)| r.state == Status::Held) {
            let mut items: Vec<u32> = (0..reservation.lines()).map(|at| reservation.line(at).0).collect();
            items.sort_unstable();
            items.dedup();
            expected += items.len() + usize::from(reservation.holder != NONE);
        }
        let items = self.items.iter().map(|(slot, _)| Of::Item(slot));
        let listed: usize =
            items.chain(self.holders.iter().map(|(slot, _)| Of::Holder(slot))).map(|of| self.walk(of)).sum();
        assert!(listed == expected, "RSV-1: what is held stands in its lists");
    }
    fn walk(&self, of: Of) -> usize {
        let (mut count, mut previous, mut at) = (0, NONE, self.list(of).first);
        while at != NONE {
            let reservation = &self.reservations[at];
            let is_of = match of {
                Of::Item(item) => (0..reservation.lines()).any(|line| reservation.line(line).0 == item),
                Of::Holder(holder) => reservation.holder == holder,
            };
            let is_later = previous == NONE || self.reservations[previous].begun() < reservation.begun();
            let is_linked = reservation.links(of).previous() == previous;
            assert!(reservation.state == Status::Held && is_of && is_later && is_linked, "a list holds what it says");
            (count, previous, at) = (count + 1, at, reservation.links(of).next());
        }
        assert!(self.list(of).last == previous, "a list ends where it says");
        count
    }
}

fn sum_ended(state: &State, item: &crate::item::Item, of: fn(&crate::lot::Lot) -> u64) -> u64 {
    item.lots.iter().flat_map(|lots| &lots.ended).map(|lot| of(&state.lots[*lot])).sum()
}
