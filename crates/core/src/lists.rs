//! Where open reservations stand in the lists of their items and of their holder: in the order in which they began.
//! A list has a reservation once, however many of its lines name the item.
//!
//! Cost: constant to join a list at its end and to leave it. What joins late (a start reads open records in no order) is
//! sorted before, in runs that are merged as work allows.

use crate::caps::BEGINS_RUN;
use crate::event::NONE;
use crate::links::{Links, List};
use crate::reservation::{Body, Chain, Reservation};
use crate::state::State;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use smallvec::SmallVec;
use sumun_wire::State as Status;

/// Which list: by the slot of whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Item(u32),
    Holder(u32),
}

impl Reservation {
    pub(crate) fn links(&self, of: Of) -> &Links {
        match of {
            Of::Holder(_) => &self.places().holder,
            Of::Item(item) if item == self.first_item() => &self.places().item,
            Of::Item(item) => {
                let Body::Many(many) = &self.body else { unreachable!("one line has one item") };
                let at = many.chains.binary_search_by_key(&item, |chain| chain.item);
                &many.chains[at.expect("it stands in the list of each of its items")].links
            }
        }
    }
    fn links_mut(&mut self, of: Of) -> &mut Links {
        match of {
            Of::Holder(_) => &mut self.places_mut().holder,
            Of::Item(item) if item == self.first_item() => &mut self.places_mut().item,
            Of::Item(item) => {
                let Body::Many(many) = &mut self.body else { unreachable!("one line has one item") };
                let at = many.chains.binary_search_by_key(&item, |chain| chain.item);
                &mut many.chains[at.expect("it stands in the list of each of its items")].links
            }
        }
    }
    /// The lists that it belongs to while it is held, by number.
    fn list(&self, at: usize) -> Option<Of> {
        let chains: &[Chain] = if let Body::Many(many) = &self.body { &many.chains } else { &[] };
        match at.checked_sub(1) {
            None => Some(Of::Item(self.first_item())),
            Some(further) if further < chains.len() => Some(Of::Item(chains[further].item)),
            Some(further) => (further == chains.len() && self.holder != NONE).then_some(Of::Holder(self.holder)),
        }
    }
    /// Makes room for its places in the lists of its further items.
    pub(crate) fn make_chains(&mut self) {
        let first = self.first_item();
        if let Body::Many(many) = &mut self.body {
            let mut items: SmallVec<[u32; 8]> = many.lines.iter().map(|line| line.item).collect();
            items.sort_unstable();
            items.dedup();
            let further = items.iter().filter(|item| **item != first);
            many.chains = further.map(|item| Chain { item: *item, links: Links::UNSET }).collect();
            many.chains.shrink_to_fit();
        }
    }
}

impl State {
    pub(crate) fn list(&self, of: Of) -> List {
        match of {
            Of::Item(slot) => self.items[slot].holding,
            Of::Holder(slot) => self.holders[slot].open,
        }
    }
    fn list_mut(&mut self, of: Of) -> &mut List {
        match of {
            Of::Item(slot) => &mut self.items[slot].holding,
            Of::Holder(slot) => &mut self.holders[slot].open,
        }
    }
    fn is_listed(&self, slot: u32) -> bool {
        self.armed && self.reservations[slot].state == Status::Held
    }

    /// Does something in each list that a reservation belongs to while it is held.
    fn in_lists(&mut self, slot: u32, mut act: impl FnMut(&mut State, Of)) {
        if !self.is_listed(slot) {
            return;
        }
        let mut at = 0;
        while let Some(of) = self.reservations[slot].list(at) {
            act(self, of);
            at += 1;
        }
    }

    /// Puts a reservation that is held at the end of its lists: what begins now began last.
    pub(crate) fn enlist(&mut self, slot: u32) {
        let begun = self.reservations[slot].begun();
        self.in_lists(slot, |state, of| {
            let last = state.list(of).last;
            let is_later = last == NONE || state.reservations[last].begun() < begun;
            assert!(is_later, "RSV-1: what is open is in memory from its begin, or from the start, on");
            *state.reservations[slot].links_mut(of) = Links::new(last, NONE);
            state.join(slot, of);
        });
    }
    /// Takes a reservation that is still held out of its lists.
    pub(crate) fn delist(&mut self, slot: u32) {
        self.in_lists(slot, |state, of| {
            let links = *state.reservations[slot].links(of);
            state.meet(links.previous(), links.next(), of);
            state.meet_back(links.next(), links.previous(), of);
        });
    }
    /// Puts a reservation back between the neighbours that it had when it left. They are neighbours again: what was done
    /// since was taken back in the reverse order.
    pub(crate) fn enlist_again(&mut self, slot: u32) {
        self.in_lists(slot, |state, of| state.join(slot, of));
    }

    /// Its neighbours learn of it.
    fn join(&mut self, slot: u32, of: Of) {
        let links = *self.reservations[slot].links(of);
        self.meet(links.previous(), slot, of);
        self.meet_back(links.next(), slot, of);
    }
    /// After `previous` comes `slot`.
    fn meet(&mut self, previous: u32, slot: u32, of: Of) {
        if previous == NONE {
            self.list_mut(of).first = slot;
        } else {
            self.reservations[previous].links_mut(of).set_next(slot);
        }
    }
    /// Before `next` comes `slot`.
    fn meet_back(&mut self, next: u32, slot: u32, of: Of) {
        if next == NONE {
            self.list_mut(of).last = slot;
        } else {
            self.reservations[next].links_mut(of).set_previous(slot);
        }
    }

    /// Sets the timers of open reservations from slot `from`, then puts them into the lists, as many as `work` allows:
    /// after a replay, before anything is decided. Returns where to go on, or `None` when all is set.
    pub fn arm(&mut self, now: u64, from: u32, work: u32) -> Option<u32> {
        self.armed = true;
        let end = self.reservations.end();
        let until = end.min(from.saturating_add(work));
        for slot in from..until {
            let Some(r) = self.reservations.get(slot).filter(|r| r.state == Status::Held) else { continue };
            self.begins.push(r.begun(), slot);
            if r.expires_at != u64::MAX {
                self.timers.set(slot, now, &mut self.reservations);
            }
        }
        if until < end {
            return Some(until);
        }
        for _ in until..from.saturating_add(work) {
            let slot = self.begins.pop()?;
            self.enlist(slot);
        }
        (!self.begins.is_empty()).then_some(end)
    }
}

/// Open reservations by begin, put in in any order and taken out in that of begins: sorted runs, merged.
#[derive(Debug, Default)]
pub(crate) struct Begins {
    /// Latest first. All but the last one are sorted.
    runs: Vec<Vec<(u64, u32)>>,
    /// The first of each run, once nothing more is put in.
    firsts: BinaryHeap<Reverse<(u64, u32, usize)>>,
}

impl Begins {
    fn push(&mut self, begun: u64, slot: u32) {
        if self.runs.last().is_none_or(|run| run.len() == BEGINS_RUN) {
            self.sort();
            self.runs.push(Vec::new());
        }
        self.runs.last_mut().expect("pushed above").push((begun, slot));
    }
    fn sort(&mut self) {
        if let Some(last) = self.runs.last_mut() {
            last.sort_unstable_by_key(|(begun, _)| Reverse(*begun));
        }
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.firsts.is_empty() && self.runs.is_empty()
    }
    fn pop(&mut self) -> Option<u32> {
        if self.firsts.is_empty() {
            self.sort();
            let firsts = self.runs.iter_mut().enumerate().filter_map(|(at, run)| {
                let (begun, slot) = run.pop()?;
                Some(Reverse((begun, slot, at)))
            });
            self.firsts = firsts.collect();
        }
        let Reverse((_, slot, at)) = self.firsts.pop()?;
        if let Some((begun, slot)) = self.runs[at].pop() {
            self.firsts.push(Reverse((begun, slot, at)));
        } else {
            self.runs[at] = Vec::new();
        }
        if self.firsts.is_empty() {
            *self = Begins::default();
        }
        Some(slot)
    }
}
