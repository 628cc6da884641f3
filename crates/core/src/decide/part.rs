//! Capture, release, return, extend: what becomes of what was reserved, whole or in parts.
//! RSV-1: a reservation reaches one terminal state, once. IDEM-1: a part's id has one effect.

use super::end::captured_any;
use super::reserve::{outcome, outcome_of};
use super::{Deciding, Decision, Outcome, refuse};
use crate::EventKind;
use crate::draft::{Draft, Shift};
use crate::event::NONE;
use crate::names::Digest;
use crate::record::Key;
use crate::reservation::{Mark, PartVerb, Reservation, Take};
use smallvec::SmallVec;
use sumun_wire::limits::PARTS_PER_RESERVATION_MAX;
use sumun_wire::{Code, Ended, Extend, Facts, Name, Part, Refusal, Short, State as Status};

/// What is still to be moved of one item.
struct Wanted {
    item: u32,
    quantity: u64,
}

impl Deciding<'_> {
    fn reservation(&mut self, id: &str) -> Result<Option<u32>, Decision> {
        let Some(slot) = self.see(self.state.find_reservation(id, self.now), || Key::Reservation(id.into()))? else {
            return Ok(None);
        };
        self.end_reservation(slot)?;
        Ok(Some(slot))
    }

    pub(super) fn capture(&mut self, c: &Part<'_>) -> Outcome {
        let Some(slot) = self.reservation(c.reservation)? else { return refuse(Refusal::missing(c.reservation)) };
        let r = &self.state.reservations[slot];
        if let Some(replay) = replay(r, PartVerb::Capture, c)? {
            return Ok(replay);
        }
        match (r.state, &c.lines) {
            (Status::Held, _) => self.move_part(slot, PartVerb::Capture, c),
            (Status::Captured, None) => Ok(Decision::Answer(outcome_of(r, true))),
            (_, _) => refuse(final_error(r)),
        }
    }

    pub(super) fn release(&mut self, c: &Part<'_>) -> Outcome {
        let Some(slot) = self.reservation(c.reservation)? else {
            return if c.lines.is_some() { refuse(Refusal::missing(c.reservation)) } else { self.tombstone(c) };
        };
        let r = &self.state.reservations[slot];
        if let Some(replay) = replay(r, PartVerb::Release, c)? {
            return Ok(replay);
        }
        match (r.state, &c.lines) {
            (Status::Held, _) => self.move_part(slot, PartVerb::Release, c),
            (Status::Captured, _) | (_, Some(_)) => refuse(final_error(r)),
            (Status::Released | Status::Expired | Status::PartiallyCaptured, None) => {
                Ok(Decision::Answer(outcome_of(r, true)))
            }
        }
    }

    pub(super) fn give_back(&mut self, c: &Part<'_>) -> Outcome {
        let Some(slot) = self.reservation(c.reservation)? else { return refuse(Refusal::missing(c.reservation)) };
        let r = &self.state.reservations[slot];
        if let Some(replay) = replay(r, PartVerb::Return, c)? {
            return Ok(replay);
        }
        if r.state != Status::Held && !captured_any(r) {
            return refuse(final_error(r));
        }
        self.move_part(slot, PartVerb::Return, c)
    }

    pub(super) fn extend(&mut self, c: &Extend<'_>) -> Outcome {
        let Some(slot) = self.reservation(c.reservation)? else { return refuse(Refusal::missing(c.reservation)) };
        let state = self.state;
        let r = &state.reservations[slot];
        if r.state != Status::Held {
            return refuse(final_error(r));
        }
        let until = self.now + c.ttl_ms;
        if until <= r.expires_at {
            return Ok(Decision::Answer(outcome_of(r, false)));
        }
        self.see_all(r)?;
        self.begin(EventKind::Extended);
        let mut draft = Draft::new(state, self.event);
        draft.reservation(slot, r);
        draft.event.reservation.expires_at = Some(until);
        draft.stamp(r);
        Ok(Decision::Event(outcome(self.event, false)))
    }

    /// A release of an id that was never seen: what comes after its own cancel is refused.
    fn tombstone(&mut self, c: &Part<'_>) -> Outcome {
        self.begin(EventKind::Released);
        let event = &mut *self.event;
        event.reservation.id = event.add(c.reservation);
        event.reservation.version = 1;
        event.reservation.created_at = self.now;
        event.reservation.state = Status::Released;
        event.reservation.ended = Some(Ended::Released);
        event.reservation.tombstone = true;
        event.part.id = event.add_optional(c.id);
        event.part.digest = digest(c);
        Ok(Decision::Event(outcome(event, false)))
    }

    fn move_part(&mut self, slot: u32, verb: PartVerb, c: &Part<'_>) -> Outcome {
        let state = self.state;
        let r = &state.reservations[slot];
        self.see_all(r)?;
        self.check_existence(r, verb, c)?;
        let mut wanted = self.wanted(r, verb, c)?;
        if c.lines.is_some() && parts(r, verb) >= PARTS_PER_RESERVATION_MAX {
            return refuse(Refusal::invalid(
                "id",
                "the reservation has 1024 parts of this kind; the whole still passes",
            ));
        }
        self.end_lots_of(r)?;
        self.begin(match verb {
            PartVerb::Capture => EventKind::Captured,
            PartVerb::Release => EventKind::Released,
            PartVerb::Return => EventKind::Returned,
        });
        let mut draft = Draft::new(state, self.event);
        draft.reservation(slot, r);
        draft.event.part.id = draft.event.add_optional(c.id);
        draft.event.part.digest = digest(c);
        draft.event.part.partial = c.lines.is_some();
        let takes = r.takes();
        for at in 0..takes {
            // Captures go in the order taken; releases and returns in exactly the reverse.
            let take = r.take(if verb == PartVerb::Capture { at } else { takes - 1 - at });
            let Some(want) = wanted.iter_mut().find(|want| want.item == take.item) else { continue };
            let quantity = want.quantity.min(movable(&take, verb));
            want.quantity -= quantity;
            draft.give(&take, quantity, shift(verb, quantity));
        }
        self.finish_part(r, verb)
    }

    fn finish_part(&mut self, r: &Reservation, verb: PartVerb) -> Outcome {
        let moved: u64 = self.event.moves.iter().map(|m| m.quantity as u64).sum();
        let left: u64 = (0..r.takes()).map(|at| r.take(at).left()).sum();
        let mut draft = Draft::new(self.state, self.event);
        let (held, captured) = match verb {
            PartVerb::Capture => (-1, 1),
            PartVerb::Release => (-1, 0),
            PartVerb::Return => (0, -1),
        };
        for at in 0..draft.event.items.len() {
            let moved = draft.event.moved(at as u32) as u64;
            let figures = &mut draft.event.items[at].figures;
            match verb {
                PartVerb::Capture => figures.captured += moved,
                PartVerb::Return => figures.returned += moved,
                PartVerb::Release => {}
            }
        }
        let ends = verb != PartVerb::Return && moved == left;
        let entry = &mut draft.event.reservation;
        match verb {
            PartVerb::Capture if ends => (entry.state, entry.ended) = (Status::Captured, Some(Ended::Captured)),
            PartVerb::Release if ends => {
                entry.state = if captured_any(r) { Status::PartiallyCaptured } else { Status::Released };
                entry.ended = Some(Ended::Released);
            }
            PartVerb::Capture | PartVerb::Release | PartVerb::Return => {}
        }
        if ends || verb == PartVerb::Return {
            draft.stamp(r);
        }
        draft.usages(held, captured);
        draft.seal();
        Ok(Decision::Event(outcome(self.event, false)))
    }

    /// A part that names an item that was removed finds none, nor does a return to it. What is held stands in items
    /// that exist: the whole of it can always be captured and released.
    fn check_existence(&self, r: &Reservation, verb: PartVerb, c: &Part<'_>) -> Result<(), Decision> {
        let mut unknown: SmallVec<[Name; 1]> = SmallVec::new();
        for at in 0..r.lines() {
            let item = &self.state.items[r.line(at).0];
            let named = match &c.lines {
                Some(lines) => lines.iter().any(|line| line.sku == item.sku),
                None => verb == PartVerb::Return && (0..r.takes()).any(|take| returnable(r, take, r.line(at).0)),
            };
            if named && !item.exists() && !unknown.contains(&item.sku) {
                unknown.push(item.sku.clone());
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        refuse(Refusal { code: Code::NotFound, facts: Facts::Missing(unknown) })
    }

    /// How much of each item is to be moved: all that can be, or what the request names, if that much is there.
    fn wanted(&self, r: &Reservation, verb: PartVerb, c: &Part<'_>) -> Result<SmallVec<[Wanted; 2]>, Decision> {
        let state = self.state;
        let left = |sku: &str| -> u64 {
            let takes = (0..r.takes()).map(|at| r.take(at)).filter(|take| state.items[take.item].sku == sku);
            takes.map(|take| movable(&take, verb)).sum()
        };
        let mut wanted: SmallVec<[Wanted; 2]> = SmallVec::new();
        let mut shorts: SmallVec<[Short; 1]> = SmallVec::new();
        let Some(lines) = &c.lines else {
            for at in 0..r.lines() {
                let item = r.line(at).0;
                if !wanted.iter().any(|want| want.item == item) {
                    wanted.push(Wanted { item, quantity: left(&state.items[item].sku) });
                }
            }
            if wanted.iter().all(|want| want.quantity == 0) {
                return refuse(self.nothing_left(r));
            }
            return Ok(wanted);
        };
        for (number, line) in lines.iter().enumerate() {
            if lines[..number].iter().any(|earlier| earlier.sku == line.sku) {
                continue;
            }
            let sum: u64 = lines.iter().filter(|l| l.sku == line.sku).map(|l| l.quantity).sum();
            let left = left(line.sku);
            if sum > left {
                let sku = Name::from(line.sku);
                shorts.push(Short { sku, wanted: sum, available: left, reserved: 0, holder: None });
            } else if let Some(at) = (0..r.lines()).find(|at| state.items[r.line(*at).0].sku == line.sku) {
                wanted.push(Wanted { item: r.line(at).0, quantity: sum });
            }
        }
        if shorts.is_empty() {
            return Ok(wanted);
        }
        refuse(Refusal { code: Code::Exceeds, facts: Facts::Short(shorts) })
    }

    /// Of a whole return: all that was captured has been returned.
    fn nothing_left(&self, r: &Reservation) -> Refusal {
        let item = r.line(0).0;
        let wanted = (0..r.lines()).map(|at| r.line(at)).filter(|line| line.0 == item).map(|line| line.1).sum();
        let sku = self.state.items[item].sku.clone();
        let short = Short { sku, wanted, available: 0, reserved: 0, holder: None };
        Refusal { code: Code::Exceeds, facts: Facts::Short(SmallVec::from_iter([short])) }
    }
}

fn returnable(r: &Reservation, take: usize, item: u32) -> bool {
    let take = r.take(take);
    take.item == item && take.returnable() > 0
}

const fn movable(take: &Take, verb: PartVerb) -> u64 {
    match verb {
        PartVerb::Capture | PartVerb::Release => take.left(),
        PartVerb::Return => take.returnable(),
    }
}

const fn shift(verb: PartVerb, quantity: u64) -> Shift {
    let quantity = quantity as i64;
    match verb {
        PartVerb::Capture => Shift { on_hand: -quantity, reserved: -quantity },
        PartVerb::Release => Shift { on_hand: 0, reserved: -quantity },
        PartVerb::Return => Shift { on_hand: quantity, reserved: 0 },
    }
}

fn parts(r: &Reservation, verb: PartVerb) -> usize {
    r.parts().iter().filter(|part| part.verb == verb && part.partial).count()
}

/// How a reservation that has ended answers what it can no longer do.
fn final_error(r: &Reservation) -> Refusal {
    Refusal::bare(match r.ended {
        Some(Ended::Captured) => Code::Captured,
        Some(Ended::Released) | None => Code::Released,
        Some(Ended::Expired) => Code::Expired,
    })
}

/// The answer to an id that was used before.
fn replay(r: &Reservation, verb: PartVerb, c: &Part<'_>) -> Result<Option<Decision>, Decision> {
    let Some(id) = c.id else { return Ok(None) };
    let Some(part) = r.parts().iter().find(|part| part.verb == verb && part.id == id) else { return Ok(None) };
    if part.digest != digest(c) {
        return refuse(Refusal::bare(Code::IdConflict));
    }
    Ok(Some(Decision::Answer(outcome_of(r, true))))
}

/// The multiset of lines as sent; no lines is a content of its own.
fn digest(c: &Part<'_>) -> u128 {
    let Some(lines) = &c.lines else { return Digest::new(0).finish() };
    let mut sorted: SmallVec<[(&str, u64); 2]> = lines.iter().map(|line| (line.sku, line.quantity)).collect();
    sorted.sort_unstable();
    sorted.iter().fold(Digest::new(1), |digest, (sku, quantity)| digest.text(Some(sku)).number(*quantity)).finish()
}

impl Draft<'_> {
    /// The fields of an event about a reservation that is there: as they stand, with the next version.
    pub(crate) fn reservation(&mut self, slot: u32, r: &Reservation) {
        let event = &mut *self.event;
        event.reservation.id = event.add(&r.id);
        event.reservation.hint = slot;
        event.reservation.version = r.version() + 1;
        event.reservation.state = r.state;
        event.reservation.ended = r.ended;
        event.reservation.tombstone = r.marks.has(Mark::Tombstone);
        event.reservation.capture = r.marks.has(Mark::Capture);
        event.reservation.created_at = r.created_at;
        event.reservation.expires_at = r.expires();
        event.reservation.needed_until = r.needed_until();
        if r.holder != NONE {
            event.reservation.holder = event.add(&self.state.holders[r.holder].name);
        }
    }

    /// Moves what was taken, or a part of it.
    pub(crate) fn give(&mut self, take: &Take, quantity: u64, by: Shift) {
        if quantity > 0 {
            self.shift(take.line, take.item, take.lot, quantity as i64, by);
            let entry = self.item(take.item);
            self.event.items[entry as usize].counted = take.counted;
        }
    }

    /// Names every lot that the reservation took, moved or not: each is remembered for the retention from here.
    pub(crate) fn stamp(&mut self, r: &Reservation) {
        for at in 0..r.takes() {
            let take = r.take(at);
            if take.lot != NONE {
                self.lot(take.lot);
            }
        }
    }
}
