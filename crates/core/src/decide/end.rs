//! Ends by time: reservations that expire, lots that do. A command sees the ends of what it names.

use super::{Deciding, Decision};
use crate::draft::{Draft, Shift};
use crate::event::{Event, Move, NONE};
use crate::record::Key;
use crate::state::State;
use crate::{EventKind, reservation::Reservation};
use alloc::vec::Vec;
use sumun_wire::{Ended, State as Status};

impl State {
    /// Moves the timers on to `now`, by at most `work` entries: what is due then is found by `end_due`. Returns how many
    /// entries it moved.
    pub fn advance(&mut self, now: u64, work: u32) -> u32 {
        let mut left = work;
        self.timers.advance(now, &mut left, &mut self.reservations);
        work - left
    }

    /// The event that ends something that is due by `now`, if anything is: `true` when there is one. Records that it
    /// misses are in `missing`.
    pub fn end_due(&self, now: u64, event: &mut Event, missing: &mut Vec<Key>) -> bool {
        let mut deciding = Deciding { state: self, now, event, missing };
        if let Some((at, slot)) = self.lot_ends.first().copied()
            && at <= now
        {
            return matches!(deciding.end_lots(self.lots[slot].item), Err(Decision::First));
        }
        let Some(slot) = self.timers.due() else { return false };
        matches!(deciding.end_reservation(slot), Err(Decision::First))
    }

    /// When `end_due` may next have something to do; `None` when nothing ends by time.
    pub fn next_end(&self, now: u64) -> Option<u64> {
        let lot = self.lot_ends.first().map(|(at, _)| (*at).max(now));
        let reservation = self.timers.next(now);
        lot.into_iter().chain(reservation).min()
    }
}

impl Deciding<'_> {
    /// Ends the due lots of an item before anything else is said or done about it.
    pub(crate) fn end_lots(&mut self, item: u32) -> Result<(), Decision> {
        let state = self.state;
        let Some(lots) = state.items[item].lots.as_ref().filter(|lots| lots.next_end <= self.now) else {
            return Ok(());
        };
        // After a start an item may be known by the tail's events alone.
        self.item_at(item)?;
        self.begin(EventKind::LotExpired);
        let mut draft = Draft::new(state, self.event);
        let entry = draft.item(item);
        draft.event.items[entry as usize].touched = true;
        for slot in lots.fresh.iter().filter(|slot| state.lots[**slot].is_due(self.now)) {
            let at = draft.lot(*slot);
            let lot = &mut draft.event.lots[at as usize];
            lot.ended = true;
            let (on_hand, reserved) = (lot.on_hand, lot.reserved);
            let sums = &mut draft.event.items[entry as usize].figures.lots;
            sums.ended_on_hand += on_hand;
            sums.ended_reserved += reserved;
            draft.event.moves.push(Move { line: 0, item: entry, lot: at, quantity: (on_hand - reserved) as i64 });
        }
        draft.seal();
        Err(Decision::First)
    }

    /// Ends a reservation whose time has come, its items' due lots before it.
    pub(crate) fn end_reservation(&mut self, slot: u32) -> Result<(), Decision> {
        let state = self.state;
        let reservation = &state.reservations[slot];
        if !reservation.is_due(self.now) {
            return Ok(());
        }
        self.see_all(reservation)?;
        self.end_lots_of(reservation)?;
        self.begin(EventKind::Expired);
        let mut draft = Draft::new(state, self.event);
        draft.reservation(slot, reservation);
        for at in 0..reservation.takes() {
            let take = reservation.take(at);
            draft.give(&take, take.left(), Shift { on_hand: 0, reserved: -(take.left() as i64) });
        }
        draft.event.reservation.ended = Some(Ended::Expired);
        draft.event.reservation.state =
            if captured_any(reservation) { Status::PartiallyCaptured } else { Status::Expired };
        draft.stamp(reservation);
        draft.usages(-1, 0);
        draft.seal();
        Err(Decision::First)
    }

    /// Items and lots of a reservation that has something to move, in memory.
    pub(crate) fn see_all(&mut self, reservation: &Reservation) -> Result<(), Decision> {
        let state = self.state;
        let asked = self.missing.len();
        state.look(reservation.takes());
        for at in 0..reservation.takes() {
            let take = reservation.take(at);
            let _ = self.item_at(take.item);
            if take.lot != NONE {
                let _ = self.lot_at(take.lot);
            }
            if take.counted && state.items[take.item].known {
                let _ = self.usage(take.item, &state.holders[reservation.holder].name);
            }
        }
        if self.missing.len() > asked { Err(Decision::Missing) } else { Ok(()) }
    }

    pub(crate) fn end_lots_of(&mut self, reservation: &Reservation) -> Result<(), Decision> {
        (0..reservation.lines()).try_for_each(|at| self.end_lots(reservation.line(at).0))
    }
}

pub(crate) fn captured_any(reservation: &Reservation) -> bool {
    (0..reservation.takes()).any(|at| reservation.take(at).captured > 0)
}
