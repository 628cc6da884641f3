//! What a change does to the model, and the events and the answer that must come of it.
//!
//! Never here: refusals.

use crate::complaint::{Complaint, wrong};
use crate::decide::Change;
use crate::item::{Item, Lot, Movement, MovementContent, Pile};
use crate::ledger::Ledger;
use crate::owned::PartVerb;
use crate::reservation::{Move, PartContent, Reservation};
use std::collections::{BTreeMap, BTreeSet};
use sumun_wire::{
    Answer, Ended, Event, EventData, EventLine, ItemEvent, Kind, LotFigures, Name, ReservationEvent, Sequence,
    Settings, State, Timestamp, Verb,
};

/// Units of a sku and lot that an event moves. The lot of settings is `None`, the quantity 0.
type Moved = (Name, Option<Name>, i64);

fn signed(quantity: u64) -> i64 {
    i64::try_from(quantity).expect("every quantity is at most 2^53 − 1")
}

impl Ledger {
    pub(crate) fn next(&self) -> Sequence {
        Sequence(self.last.map_or(1, |last| last.0 + 1))
    }

    /// Carries out a change: the events that must be in the log for it, and the answer.
    pub(crate) fn apply(&mut self, now: Timestamp, change: Change) -> Result<(Vec<Event>, Answer), Complaint> {
        self.lots_of_touched_items_have_ended(now, &change)?;
        match change {
            Change::Configure { sku, kind, settings } => {
                let event = self.put_settings(now, &sku, kind, settings);
                Ok((vec![event], available(self.items[&sku].available(now))))
            }
            Change::Remove { sku } => {
                self.item_mut(&sku).hidden = true;
                let event = self.item_event(now, Verb::Removed, &[(sku, None, 0)], None, None);
                Ok((vec![event], available(0)))
            }
            Change::Receive { sku, movement, content, create } => {
                Ok(self.put_receipt(now, &sku, movement, content, create))
            }
            Change::Adjust { sku, movement, content, moves } => {
                let item = self.item_mut(&sku);
                for (lot, delta) in &moves {
                    let pile = item.pile_mut(lot.as_ref());
                    if *delta > 0 {
                        pile.received += delta.unsigned_abs()
                    } else {
                        pile.removed += delta.unsigned_abs()
                    }
                }
                let moved: Vec<Moved> = moves.into_iter().map(|(lot, delta)| (sku.clone(), lot, delta)).collect();
                let reason = content.reason.clone();
                let event = self.item_event(now, Verb::Adjusted, &moved, Some(movement.clone()), reason);
                let answer = self.keep_movement(now, &sku, movement, content);
                Ok((vec![event], answer))
            }
            Change::Hold(new) => Ok(self.put_reservation(now, *new)),
            Change::Tombstone { id, part } => {
                let mut new = Reservation { id: id.clone(), created_at: now, tombstone: true, ..Default::default() };
                new.settle(Ended::Released);
                if let Some(part) = &part {
                    new.kept.entry(PartVerb::Release).or_default().insert(part.clone(), None);
                }
                self.reservations.insert(id.clone(), new);
                Ok(self.reservation_event(now, Verb::Released, &id, part, &[]))
            }
            Change::Part { verb, id, part, moves } => Ok(self.put_part(now, verb, &id, part, &moves)),
            Change::Extend { id, until } => {
                self.reservation_mut(&id).expires_at = Some(until);
                Ok(self.reservation_event(now, Verb::Extended, &id, None, &[]))
            }
        }
    }

    /// The end of a due reservation.
    pub(crate) fn expire(&mut self, now: Timestamp, id: &str) -> Result<Event, Complaint> {
        let skus: Vec<Name> = self.reservations[id].lines.iter().map(|line| line.sku.clone()).collect();
        self.lots_have_ended(now, skus.iter())?;
        let moves = self.reservations[id].moves(PartVerb::Release, None);
        let mut moved = Vec::new();
        for (l, t, quantity) in moves {
            let line = &mut self.reservation_mut(id).lines[l];
            line.takes[t].expired += quantity;
            let (sku, lot) = (line.sku.clone(), line.takes[t].lot.clone());
            self.item_mut(&sku).pile_mut(lot.as_ref()).reserved -= quantity;
            moved.push((sku, lot, signed(quantity)));
        }
        self.reservation_mut(id).settle(Ended::Expired);
        let (mut events, _) = self.reservation_event(now, Verb::Expired, id, None, &moved);
        Ok(events.remove(0))
    }

    /// The end of these lots of an item.
    pub(crate) fn expire_lots(&mut self, now: Timestamp, sku: &str, lots: &[Name]) -> Event {
        let item = self.item_mut(sku);
        let mut moved = Vec::new();
        for name in lots {
            let lot = item.lots.get_mut(name).expect("the caller looked");
            lot.ended = true;
            let free = i64::try_from(lot.pile.free()).expect("every figure is at most 2^53 − 1");
            moved.push((Name::from(sku), Some(name.clone()), free));
        }
        self.item_event(now, Verb::LotExpired, &moved, None, None)
    }

    fn lots_of_touched_items_have_ended(&self, now: Timestamp, change: &Change) -> Result<(), Complaint> {
        let skus: BTreeSet<Name> = match change {
            Change::Configure { sku, .. }
            | Change::Remove { sku }
            | Change::Receive { sku, .. }
            | Change::Adjust { sku, .. } => BTreeSet::from([sku.clone()]),
            Change::Hold(new) => new.lines.iter().map(|line| line.sku.clone()).collect(),
            Change::Part { id, moves, .. } => {
                moves.iter().map(|(l, _, _)| self.reservations[id].lines[*l].sku.clone()).collect()
            }
            Change::Tombstone { .. } | Change::Extend { .. } => BTreeSet::new(),
        };
        self.lots_have_ended(now, skus.iter())
    }

    pub(crate) fn lots_have_ended<'a>(
        &self,
        now: Timestamp,
        mut skus: impl Iterator<Item = &'a Name>,
    ) -> Result<(), Complaint> {
        let due = |sku: &&Name| self.items.get(*sku).is_some_and(|item| !item.due_lots(now).is_empty());
        match skus.find(due) {
            Some(sku) => wrong("ends", Some(self.next()), format!("`{sku}` was touched before its due lots had ended")),
            None => Ok(()),
        }
    }

    fn put_settings(&mut self, now: Timestamp, sku: &Name, kind: Kind, settings: Settings) -> Event {
        let item = self.items.entry(sku.clone()).or_default();
        item.kind = kind;
        item.hidden = false;
        item.counting |= settings.limit.is_some();
        item.settings = settings;
        self.item_event(now, Verb::Configured, &[(sku.clone(), None, 0)], None, None)
    }

    fn put_receipt(
        &mut self,
        now: Timestamp,
        sku: &Name,
        movement: Name,
        content: MovementContent,
        create: bool,
    ) -> (Vec<Event>, Answer) {
        let mut events = Vec::new();
        if create {
            let kind = self.items.get(sku).map_or(Kind::Stock, |item| item.kind);
            events.push(self.put_settings(now, sku, kind, Settings::default()));
        }
        let first = self.next();
        let quantity = content.amount;
        let item = self.item_mut(sku);
        if let Some(name) = &content.lot {
            let (expires_at, location) = (content.expires_at, content.location.clone());
            let born =
                || Lot { pile: Pile::default(), expires_at, location, first, ended: false, last: now, doubtful: false };
            item.lots.entry(name.clone()).or_insert_with(born);
        }
        item.pile_mut(content.lot.as_ref()).received += quantity.unsigned_abs();
        let moved = [(sku.clone(), content.lot.clone(), quantity)];
        events.push(self.item_event(now, Verb::Received, &moved, Some(movement.clone()), None));
        (events, self.keep_movement(now, sku, movement, content))
    }

    fn keep_movement(&mut self, now: Timestamp, sku: &Name, movement: Name, content: MovementContent) -> Answer {
        let item = self.item_mut(sku);
        let answer = item.available(now);
        item.movements.insert(movement, Movement { content, answer, at: now, doubtful: false });
        available(answer)
    }

    fn put_reservation(&mut self, now: Timestamp, new: Reservation) -> (Vec<Event>, Answer) {
        let mut moved = Vec::new();
        for line in &new.lines {
            for take in &line.takes {
                let pile = self.item_mut(&line.sku).pile_mut(take.lot.as_ref());
                if new.capture {
                    pile.captured += take.quantity
                } else {
                    pile.reserved += take.quantity
                }
                moved.push((line.sku.clone(), take.lot.clone(), signed(take.quantity)));
            }
        }
        let (id, verb) = (new.id.clone(), if new.capture { Verb::Captured } else { Verb::Held });
        self.reservations.insert(id.clone(), new);
        self.reservation_event(now, verb, &id, None, &moved)
    }

    fn put_part(
        &mut self,
        now: Timestamp,
        verb: PartVerb,
        id: &Name,
        part: Option<(Name, PartContent)>,
        moves: &[Move],
    ) -> (Vec<Event>, Answer) {
        let mut moved = Vec::new();
        for (l, t, quantity) in moves {
            let line = &mut self.reservation_mut(id).lines[*l];
            let take = &mut line.takes[*t];
            match verb {
                PartVerb::Capture => take.captured += quantity,
                PartVerb::Release => take.released += quantity,
                PartVerb::Return => take.returned += quantity,
            }
            let (sku, lot) = (line.sku.clone(), take.lot.clone());
            let pile = self.item_mut(&sku).pile_mut(lot.as_ref());
            match verb {
                PartVerb::Capture => {
                    pile.reserved -= quantity;
                    pile.captured += quantity;
                }
                PartVerb::Release => pile.reserved -= quantity,
                PartVerb::Return => pile.returned += quantity,
            }
            moved.push((sku, lot, signed(*quantity)));
        }
        let known = self.reservation_mut(id);
        let event = match verb {
            PartVerb::Capture => {
                known.settle(Ended::Captured);
                Verb::Captured
            }
            PartVerb::Release => {
                known.settle(Ended::Released);
                Verb::Released
            }
            PartVerb::Return => Verb::Returned,
        };
        let name = part.as_ref().map(|(name, _)| name.clone());
        if let Some((name, content)) = part {
            known.kept.entry(verb).or_default().insert(name, content);
        }
        self.reservation_event(now, event, id, name, &moved)
    }

    fn item_event(
        &mut self,
        now: Timestamp,
        verb: Verb,
        moved: &[Moved],
        movement: Option<Name>,
        reason: Option<Name>,
    ) -> Event {
        let sku = moved[0].0.clone();
        let sequence = self.next();
        let lines = self.lines(now, sequence, moved);
        let item = &self.items[&sku];
        let settings = (verb == Verb::Configured).then(|| Box::new(item.settings.clone()));
        let data = EventData::Item(ItemEvent { verb, sku, kind: item.kind, lines, movement, reason, settings });
        (self.last, self.last_time) = (Some(sequence), now);
        Event { sequence, time: now, trace: None, data }
    }

    fn reservation_event(
        &mut self,
        now: Timestamp,
        verb: Verb,
        id: &str,
        part: Option<Name>,
        moved: &[Moved],
    ) -> (Vec<Event>, Answer) {
        let sequence = self.next();
        let lines = self.lines(now, sequence, moved);
        (self.last, self.last_time) = (Some(sequence), now);
        let known = self.reservation_mut(id);
        known.version += 1;
        known.sequence = sequence;
        (known.last, known.doubtful) = (now, false);
        let lots: Vec<(Name, Name)> = known.lots().collect();
        let data = ReservationEvent {
            verb,
            reservation: known.id.clone(),
            created_at: known.created_at,
            version: known.version,
            state: known.state,
            ended: known.ended,
            tombstone: known.tombstone,
            holder: known.holder.clone(),
            complete: known.state != State::Held,
            expires_at: known.expires_at,
            needed_until: known.needed_until,
            part,
            lines,
        };
        let answer = Answer::Outcome(known.outcome(false));
        // Whatever it moved, it stamps all lots that the reservation took from.
        for (sku, lot) in lots {
            self.stamp(now, &sku, &lot);
        }
        (vec![Event { sequence, time: now, trace: None, data: EventData::Reservation(Box::new(data)) }], answer)
    }

    /// One line a sku and lot, in the order first moved; an item's count goes up by one.
    fn lines(&mut self, now: Timestamp, sequence: Sequence, moved: &[Moved]) -> Vec<EventLine> {
        let mut sums: Vec<Moved> = Vec::new();
        for (sku, lot, quantity) in moved {
            match sums.iter_mut().find(|(s, l, _)| s == sku && l == lot) {
                Some((_, _, sum)) => *sum += quantity,
                None => sums.push((sku.clone(), lot.clone(), *quantity)),
            }
        }
        let mut previous = BTreeMap::new();
        for sku in sums.iter().map(|(sku, _, _)| sku).collect::<BTreeSet<_>>() {
            let item = self.item_mut(sku);
            item.version += 1;
            previous.insert(sku.clone(), item.sequence.replace(sequence));
            // Units that come to a lot past its end are born ended: there is no event for them.
            let late = item.lots.values_mut().filter(|lot| lot.due(now) && lot.pile.on_hand() > 0);
            late.for_each(|lot| lot.ended = true);
        }
        for (sku, lot, _) in &sums {
            if let Some(lot) = lot {
                self.stamp(now, sku, lot);
            }
        }
        self.stamped(now);
        sums.into_iter().map(|(s, lot, q)| line(&self.items[&s], now, previous[&s], (s, lot, q))).collect()
    }

    fn stamp(&mut self, now: Timestamp, sku: &Name, lot: &Name) {
        let lot = self.items.get_mut(sku).and_then(|item| item.lots.get_mut(lot));
        let lot = lot.expect("a lot outlives the reservations that took from it");
        (lot.last, lot.doubtful) = (now, false);
    }

    fn item_mut(&mut self, sku: &str) -> &mut Item {
        self.touched_items.insert(Name::from(sku));
        self.items.get_mut(sku).expect("decided on an item that is there")
    }

    fn reservation_mut(&mut self, id: &str) -> &mut Reservation {
        self.touched_reservations.insert(Name::from(id));
        self.reservations.get_mut(id).expect("decided on a reservation that is there")
    }
}

fn available(available: u64) -> Answer {
    Answer::Available { available, replayed: false }
}

fn line(item: &Item, now: Timestamp, previous: Option<Sequence>, (sku, lot, quantity): Moved) -> EventLine {
    let lot_figures = lot.as_ref().map(|name| {
        let lot = &item.lots[name];
        LotFigures {
            on_hand: u64::try_from(lot.pile.on_hand()).expect("no lot is below 0"),
            reserved: lot.pile.reserved,
            expires_at: lot.expires_at,
            location: lot.location.clone(),
        }
    });
    EventLine {
        sku,
        lot,
        quantity,
        version: item.version,
        previous,
        on_hand: item.on_hand(),
        reserved: item.reserved(),
        available: item.available(now),
        received: item.sum(|pile| pile.received),
        removed: item.sum(|pile| pile.removed),
        returned: item.sum(|pile| pile.returned),
        captured: item.sum(|pile| pile.captured),
        lot_figures,
    }
}
