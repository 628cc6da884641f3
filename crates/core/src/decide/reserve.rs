//! Reserve: quantities of one or more items claimed together, all lines or none (RSV-2).
//! IDEM-1: the same id with the same content has one effect. LIMIT-1: the holder's limit is checked here.

use super::{Deciding, Decision, Outcome, refuse};
use crate::EventKind;
use crate::allocate::allocate;
use crate::draft::Draft;
use crate::event::{NONE, Named};
use crate::record::Key;
use crate::reservation::{Mark, Reservation};
use smallvec::SmallVec;
use sumun_wire::limits::{QUANTITY_MAX, TAKEN_PER_RESERVATION_MAX};
use sumun_wire::{Answer, Code, Ended, Facts, Name, Refusal, Reserve, Sequence, Short, State as Status, Timestamp};

/// One sku of the request, its lines counted together.
struct Wanted<'a> {
    item: u32,
    sku: &'a str,
    quantity: u64,
}

type Wants<'a> = SmallVec<[Wanted<'a>; 2]>;

impl Deciding<'_> {
    pub(super) fn reserve(&mut self, c: &Reserve<'_>) -> Outcome {
        let state = self.state;
        let found = state.find_reservation(c.reservation, self.now);
        if let Some(slot) = self.see(found, || Key::Reservation(c.reservation.into()))? {
            self.end_reservation(slot)?;
            return self.replay_reserve(&state.reservations[slot], c);
        }
        let wants = self.wants(c)?;
        self.see_for_reserve(c, &wants)?;
        let limited = |want: &Wanted<'_>| state.items[want.item].limit.is_some();
        if c.holder.is_none() && wants.iter().any(limited) {
            return refuse(Refusal::invalid("holder", "is required: the item has a limit"));
        }
        wants.iter().try_for_each(|want| self.end_lots(want.item))?;
        self.check_limits(c, &wants)?;
        self.begin(if c.capture { EventKind::Captured } else { EventKind::Held });
        self.draft_reserve(c);
        self.take_all(c, &wants)?;
        self.check_caps(&wants)?;
        self.finish_reserve(c, &wants)
    }

    /// What the request wants of each sku, in the order of its lines. All of them must exist.
    fn wants<'c>(&mut self, c: &Reserve<'c>) -> Result<Wants<'c>, Decision> {
        let mut wants = Wants::new();
        let mut unknown: SmallVec<[Name; 1]> = SmallVec::new();
        let mut elsewhere = false;
        for line in &c.lines {
            if let Some(want) = wants.iter_mut().find(|want| want.sku == line.sku) {
                want.quantity += line.quantity;
                continue;
            }
            match self.item(line.sku) {
                Ok(Some(item)) if self.state.items[item].exists() => {
                    wants.push(Wanted { item, sku: line.sku, quantity: line.quantity });
                }
                Ok(_) if unknown.iter().any(|sku| sku == line.sku) => {}
                Ok(_) => unknown.push(line.sku.into()),
                Err(_) => elsewhere = true,
            }
        }
        if elsewhere {
            return Err(Decision::Missing);
        }
        if !unknown.is_empty() {
            return refuse(Refusal { code: Code::NotFound, facts: Facts::Missing(unknown) });
        }
        Ok(wants)
    }

    fn see_for_reserve(&mut self, c: &Reserve<'_>, wants: &Wants<'_>) -> Result<(), Decision> {
        let asked = self.missing.len();
        for want in wants {
            for lot in c.lines.iter().filter(|line| line.sku == want.sku).filter_map(|line| line.lot) {
                let _ = self.lot(want.item, lot);
            }
            if let Some(holder) = c.holder
                && self.state.items[want.item].counts
            {
                let _ = self.usage(want.item, holder);
            }
        }
        if self.missing.len() > asked { Err(Decision::Missing) } else { Ok(()) }
    }

    fn check_limits(&mut self, c: &Reserve<'_>, wants: &Wants<'_>) -> Result<(), Decision> {
        let state = self.state;
        let mut shorts: SmallVec<[Short; 1]> = SmallVec::new();
        for want in wants {
            let (Some(limit), Some(holder)) = (state.items[want.item].limit, c.holder) else { continue };
            let used = self.usage(want.item, holder)?.map_or(0, |slot| {
                let usage = &state.usages[slot];
                usage.held + usage.counted(self.now, limit.window_ms)
            });
            let left = limit.quantity.saturating_sub(used);
            if want.quantity > left {
                let holder = Some(holder.into());
                shorts.push(Short {
                    sku: want.sku.into(),
                    wanted: want.quantity,
                    available: left,
                    reserved: 0,
                    holder,
                });
            }
        }
        if shorts.is_empty() { Ok(()) } else { refuse(Refusal { code: Code::Limit, facts: Facts::Short(shorts) }) }
    }

    /// The event's own fields, as far as the request gives them.
    fn draft_reserve(&mut self, c: &Reserve<'_>) {
        let event = &mut *self.event;
        event.reservation.id = event.add(c.reservation);
        event.reservation.hint = NONE;
        event.reservation.version = 1;
        event.reservation.capture = c.capture;
        event.reservation.created_at = self.now;
        event.reservation.needed_until = c.needed_until.map(|at| at.0);
        event.reservation.holder = event.add_optional(c.holder);
        if c.capture {
            event.reservation.state = Status::Captured;
            event.reservation.ended = Some(Ended::Captured);
        } else {
            event.reservation.expires_at = c.ttl_ms.map(|ttl| self.now + ttl);
        }
        for (number, line) in c.lines.iter().enumerate() {
            if line.lot.is_some() || line.location.is_some() {
                let lot = event.add_optional(line.lot);
                let location = event.add_optional(line.location);
                event.named.push(Named { line: number as u32, lot, location });
            }
        }
    }

    fn take_all(&mut self, c: &Reserve<'_>, wants: &Wants<'_>) -> Result<(), Decision> {
        let state = self.state;
        let mut draft = Draft::new(state, self.event);
        let mut shorts: SmallVec<[Short; 1]> = SmallVec::new();
        for want in wants {
            let item = &state.items[want.item];
            let available = item.available();
            // Nothing to look for when there is nothing to have: refusals are the burst's common case.
            let given = if available == 0 && !item.has_lots(self.now, state.retention_ms) {
                0
            } else {
                allocate(&mut draft, want.item, want.sku, c)
            };
            if want.quantity > available || given < want.quantity {
                let (wanted, available, reserved) = (want.quantity, available.min(given), item.figures.reserved);
                shorts.push(Short { sku: want.sku.into(), wanted, available, reserved, holder: None });
            }
        }
        if shorts.is_empty() {
            return Ok(());
        }
        refuse(Refusal { code: Code::Insufficient, facts: Facts::Short(shorts) })
    }

    fn check_caps(&self, wants: &Wants<'_>) -> Result<(), Decision> {
        if self.event.moves.len() > TAKEN_PER_RESERVATION_MAX
            && self.event.moves.iter().filter(|m| m.lot != NONE).count() > TAKEN_PER_RESERVATION_MAX
        {
            return refuse(Refusal::invalid("lines", "would take more than 1024 lots"));
        }
        let full = |want: &Wanted<'_>| {
            let figures = &self.state.items[want.item].figures;
            figures.captured + figures.reserved + want.quantity > QUANTITY_MAX
        };
        if wants.iter().any(full) {
            return refuse(Refusal::invalid("quantity", "the item's captured and reserved would pass 2^53-1"));
        }
        Ok(())
    }

    fn finish_reserve(&mut self, c: &Reserve<'_>, wants: &Wants<'_>) -> Outcome {
        let state = self.state;
        let moves = &mut self.event.moves;
        if !moves.is_sorted_by_key(|m| m.line) {
            moves.sort_by_key(|m| m.line);
        }
        for entry in &mut self.event.items {
            entry.counted = c.holder.is_some() && state.items[entry.hint].counts;
            if c.capture {
                let want = wants.iter().find(|want| want.item == entry.hint);
                entry.figures.captured += want.map_or(0, |want| want.quantity);
            }
        }
        let mut draft = Draft::new(state, self.event);
        draft.usages(i64::from(!c.capture), i64::from(c.capture));
        draft.seal();
        Ok(Decision::Event(outcome(self.event, false)))
    }

    fn replay_reserve(&self, r: &Reservation, c: &Reserve<'_>) -> Outcome {
        if r.marks.has(Mark::Tombstone) {
            return refuse(Refusal::bare(Code::Released));
        }
        if !self.same_content(r, c) {
            return refuse(Refusal::bare(Code::IdConflict));
        }
        match (r.state, r.ended) {
            (Status::Held | Status::Captured, _) => Ok(Decision::Answer(outcome_of(r, true))),
            (_, Some(Ended::Expired)) => refuse(Refusal::bare(Code::Expired)),
            (Status::Released | Status::PartiallyCaptured | Status::Expired, _) => {
                refuse(Refusal::bare(Code::Released))
            }
        }
    }

    /// Holder, needed-until, the capture flag, and the lines in any order.
    fn same_content(&self, r: &Reservation, c: &Reserve<'_>) -> bool {
        let state = self.state;
        let holder = (r.holder != NONE).then(|| state.holders[r.holder].name.as_str());
        if holder != c.holder
            || r.needed_until() != c.needed_until.map(|at| at.0)
            || r.marks.has(Mark::Capture) != c.capture
            || r.lines() != c.lines.len()
        {
            return false;
        }
        // Each line of the request claims one equal line of the record; there are at most 64.
        let mut claimed = 0u64;
        c.lines.iter().all(|line| {
            let same = |at: &usize| {
                let (item, quantity, lot, location) = r.line(*at);
                claimed & 1 << at == 0
                    && quantity == line.quantity
                    && lot == line.lot
                    && location == line.location
                    && state.items[item].sku == line.sku
            };
            let at = (0..r.lines()).find(same);
            at.inspect(|at| claimed |= 1 << at).is_some()
        })
    }
}

/// The answer that rests on a drafted event.
pub(super) fn outcome(event: &crate::Event, replayed: bool) -> Answer {
    Answer::Outcome(sumun_wire::Outcome {
        state: event.reservation.state,
        expires_at: event.reservation.expires_at.map(Timestamp),
        sequence: Sequence(event.sequence),
        replayed,
        tombstone: event.reservation.tombstone,
    })
}

/// The answer that shows a record as it stands.
pub(super) fn outcome_of(r: &Reservation, replayed: bool) -> Answer {
    Answer::Outcome(sumun_wire::Outcome {
        state: r.state,
        expires_at: r.expires().map(Timestamp),
        sequence: Sequence(r.sequence),
        replayed,
        tombstone: r.marks.has(Mark::Tombstone),
    })
}
