//! Apply: what an event does to each record it touches. Cannot fail, and reads no other record: a record that holds the
//! event already (its sequence says so) is left alone, so that after a restart neighbours of different age come right.
//! RSV-1 and STOCK-2 are asserted here, in release too.

use crate::event::{Event, ItemEntry, Kind, LotEntry, Move, NONE, UsageEntry};
use crate::links::Links;
use crate::reservation::{Body, Line, Many, Part, PartVerb, Reservation, Take};
use crate::state::{Found, Movement, State, heap_of};
use crate::undo::Step;
use alloc::boxed::Box;
use smallvec::SmallVec;
use sumun_wire::{Name, State as Status};

/// Slots of an event's entries.
type Slots = SmallVec<[u32; 4]>;

impl State {
    pub fn apply(&mut self, event: &Event) {
        assert!(event.sequence == self.sequence + 1, "LOG-2: sequences have no gap");
        assert!(event.time >= self.time, "LOG-2: time never goes backwards");
        self.time = event.time;
        let items: Slots = event.items.iter().map(|entry| self.apply_item(event, entry)).collect();
        let lots: Slots =
            event.lots.iter().map(|entry| self.apply_lot(event, entry, items[entry.item as usize])).collect();
        for entry in &event.usages {
            self.apply_usage(event, entry, items[entry.item as usize]);
        }
        match event.kind {
            Kind::Received | Kind::Adjusted => self.apply_movement(event, items[0]),
            Kind::Held | Kind::Captured | Kind::Released if event.reservation.version == 1 => {
                self.begin_reservation(event, &items, &lots);
            }
            Kind::Held | Kind::Captured | Kind::Released | Kind::Expired | Kind::Extended | Kind::Returned => {
                self.change_reservation(event, &lots);
            }
            Kind::Configured | Kind::Removed | Kind::LotExpired | Kind::LogOpened | Kind::LogTime => {}
        }
        self.sequence = event.sequence;
    }

    fn apply_item(&mut self, event: &Event, entry: &ItemEntry) -> u32 {
        let slot = if entry.hint == NONE { self.item_slot(event.name(entry.sku)) } else { entry.hint };
        if !entry.touched || self.items[slot].sequence >= event.sequence {
            return slot;
        }
        self.remember(|state| Step::Item(slot, Box::new(state.items[slot].clone())));
        let item = &mut self.items[slot];
        entry.figures.check();
        item.known = true;
        item.sequence = event.sequence;
        item.figures = entry.figures;
        item.kind = entry.kind;
        let sku = entry.sku;
        let new = |lot: &&LotEntry| lot.first == event.sequence && event.items[lot.item as usize].sku == sku;
        item.lots_remembered += event.lots.iter().filter(new).count() as u32;
        if event.kind == Kind::Removed {
            item.hidden = true;
        }
        if event.kind == Kind::Configured {
            self.heap -= item.heap_bytes();
            item.set_settings(&event.settings, event.optional(event.settings.metadata));
            item.sort_lots(&self.lots);
            self.heap += item.heap_bytes();
        }
        slot
    }

    fn apply_lot(&mut self, event: &Event, entry: &LotEntry, item: u32) -> u32 {
        let slot = if entry.hint == NONE { self.lot_slot(item, event.name(entry.lot)) } else { entry.hint };
        if self.lots[slot].sequence >= event.sequence {
            return slot;
        }
        self.remember(|state| Step::Lot(slot, Box::new(state.lots[slot].clone())));
        self.unschedule_lot(slot);
        let lot = &mut self.lots[slot];
        self.heap -= lot.heap_bytes();
        let stood = (lot.on_hand > 0, lot.ended);
        if !lot.exists() {
            lot.expires_at = entry.expires_at;
            lot.location = event.optional(entry.location).map(Name::from);
            lot.first = entry.first;
        }
        assert!(entry.reserved <= entry.on_hand, "STOCK-1: per lot reserved <= on_hand");
        lot.known = true;
        lot.on_hand = entry.on_hand;
        lot.reserved = entry.reserved;
        lot.ended = entry.ended;
        lot.sequence = event.sequence;
        lot.touched_at = event.time;
        self.heap += lot.heap_bytes();
        if stood != (lot.on_hand > 0, lot.ended) {
            self.items[item].place(slot, &self.lots);
        }
        self.schedule_lot(slot);
        slot
    }

    pub(crate) fn schedule_lot(&mut self, slot: u32) {
        let lot = &self.lots[slot];
        if let Some(at) = lot.expires_at.filter(|_| lot.on_hand > 0 && !lot.ended) {
            self.lot_ends.insert((at, slot));
        }
    }
    pub(crate) fn unschedule_lot(&mut self, slot: u32) {
        let lot = &self.lots[slot];
        if let Some(at) = lot.expires_at.filter(|_| lot.on_hand > 0 && !lot.ended) {
            self.lot_ends.remove(&(at, slot));
        }
    }

    fn apply_usage(&mut self, event: &Event, entry: &UsageEntry, item: u32) {
        let holder = event.holder().expect("what counts has a holder");
        let slot = if entry.hint == NONE { self.usage_slot(item, holder) } else { entry.hint };
        if self.usages[slot].sequence >= event.sequence {
            return;
        }
        self.remember(|state| Step::Usage(slot, Box::new(state.usages[slot].clone())));
        let moved = event.moved(entry.item) as u64;
        let began = event.reservation.created_at;
        let usage = &mut self.usages[slot];
        self.heap -= usage.heap_bytes();
        usage.sequence = event.sequence;
        usage.held = entry.held;
        match event.kind {
            Kind::Captured => usage.capture(began, moved, event.time),
            Kind::Returned => usage.give_back(began, moved),
            Kind::Held | Kind::Released | Kind::Expired | Kind::Extended => {}
            Kind::LogOpened
            | Kind::LogTime
            | Kind::Configured
            | Kind::Removed
            | Kind::Received
            | Kind::Adjusted
            | Kind::LotExpired => unreachable!("only reservations count"),
        }
        assert!(usage.captured == entry.captured, "LIMIT-1: what is counted is what the event says");
        self.heap += usage.heap_bytes();
    }

    fn apply_movement(&mut self, event: &Event, item: u32) {
        let id = event.name(event.part.id);
        if self.find_movement(item, id) != Found::Absent {
            return;
        }
        let movement =
            Movement { item, id: Name::from(id), digest: event.part.digest, answer: event.items[0].figures.available };
        let hash = self.movement_hash(item, id);
        self.heap += heap_of(&movement.id);
        self.items[item].refs += 1;
        let slot = self.movements.insert(movement);
        self.moved += self.movement_index.insert(hash, slot);
        self.remember(|_| Step::NewMovement(slot));
    }

    /// Version 1 of a reservation holds the whole record, and replaces whatever stood under its id.
    fn begin_reservation(&mut self, event: &Event, items: &Slots, lots: &Slots) {
        let id = event.name(event.reservation.id);
        if let Found::At(slot) = self.find_reservation(id) {
            if self.reservations[slot].sequence >= event.sequence {
                return;
            }
            assert!(self.reservations[slot].state != Status::Held, "RSV-1: an open reservation is not replaced");
            self.remove_reservation(slot);
        }
        let holder = event.holder().map_or(NONE, |holder| self.holder_slot(holder));
        if holder != NONE {
            self.holders[holder].refs += 1;
        }
        let mut reservation = Reservation {
            id: Name::from(id),
            body: body(event, items, lots),
            created_at: event.reservation.created_at,
            expires_at: event.reservation.expires_at.unwrap_or(u64::MAX),
            sequence: event.sequence,
            version: 1,
            holder,
            links: Links::default(),
            state: event.reservation.state,
            ended: event.reservation.ended,
            tombstone: event.reservation.tombstone,
            capture: event.reservation.capture,
            counted: event.items.first().is_some_and(|entry| entry.counted),
            timer: Default::default(),
        };
        if event.part.id.is_some() {
            let part = part(event, PartVerb::Release);
            reservation.many().parts.push(part);
        }
        let slot = self.insert_reservation(reservation);
        self.remember(|_| Step::NewReservation(slot));
    }

    pub(crate) fn insert_reservation(&mut self, reservation: Reservation) -> u32 {
        for at in 0..reservation.lines() {
            self.items[reservation.line(at).0].refs += 1;
        }
        for take in (0..reservation.takes()).map(|at| reservation.take(at)).filter(|take| take.lot != NONE) {
            self.lots[take.lot].refs += 1;
        }
        let hash = self.hashing.name(&reservation.id);
        self.heap += reservation.heap_bytes();
        self.open += u64::from(reservation.state == Status::Held);
        let slot = self.reservations.insert(reservation);
        self.moved += self.reservation_index.insert(hash, slot);
        self.schedule(slot);
        slot
    }

    pub(crate) fn remove_reservation(&mut self, slot: u32) -> Reservation {
        self.timers.clear(slot, &mut self.reservations);
        let reservation = self.reservations.remove(slot);
        for at in 0..reservation.lines() {
            self.items[reservation.line(at).0].refs -= 1;
        }
        for take in (0..reservation.takes()).map(|at| reservation.take(at)).filter(|take| take.lot != NONE) {
            self.lots[take.lot].refs -= 1;
        }
        self.reservation_index.remove(self.hashing.name(&reservation.id), slot);
        self.heap -= reservation.heap_bytes();
        self.open -= u64::from(reservation.state == Status::Held);
        self.release_holder(reservation.holder);
        reservation
    }

    /// Sets the timer of an open reservation that ends by time.
    pub(crate) fn schedule(&mut self, slot: u32) {
        let reservation = &self.reservations[slot];
        if self.armed && reservation.state == Status::Held && reservation.expires_at != u64::MAX {
            self.timers.set(slot, self.time, &mut self.reservations);
        }
    }

    /// Sets the timers of reservations from slot `from`, as many as `work` allows: after a replay, before anything is
    /// decided. Returns where to go on, or `None` when all are set.
    pub fn arm(&mut self, now: u64, from: u32, work: u32) -> Option<u32> {
        self.armed = true;
        let end = self.reservations.end();
        let until = end.min(from.saturating_add(work));
        for slot in from..until {
            let due = |r: &Reservation| r.state == Status::Held && r.expires_at != u64::MAX;
            if self.reservations.get(slot).is_some_and(due) {
                self.timers.set(slot, now, &mut self.reservations);
            }
        }
        (until < end).then_some(until)
    }

    fn change_reservation(&mut self, event: &Event, lots: &Slots) {
        let slot = match event.reservation.hint {
            NONE => match self.find_reservation(event.name(event.reservation.id)) {
                Found::At(slot) => slot,
                Found::Absent | Found::Unknown => panic!("RSV-1: an event follows the one that began its reservation"),
            },
            hint => hint,
        };
        if self.reservations[slot].sequence >= event.sequence {
            return;
        }
        self.remember(|state| Step::Reservation(slot, Box::new(state.reservations[slot].clone())));
        self.timers.clear(slot, &mut self.reservations);
        let reservation = &mut self.reservations[slot];
        self.heap -= reservation.heap_bytes();
        self.open -= u64::from(reservation.state == Status::Held);
        change(reservation, event, lots);
        self.heap += reservation.heap_bytes();
        self.open += u64::from(reservation.state == Status::Held);
        self.schedule(slot);
    }
}

fn change(reservation: &mut Reservation, event: &Event, lots: &Slots) {
    let entry = &event.reservation;
    assert!(event.kind == Kind::Returned || reservation.state == Status::Held, "RSV-1: one terminal state, once");
    assert!(entry.version == reservation.version + 1, "LOG-2: versions have no gap");
    let ends = entry.state != Status::Held;
    let whole = matches!(reservation.body, Body::One { .. }) && ends && event.kind != Kind::Returned;
    let partly = event
        .moves
        .first()
        .is_some_and(|m| matches!(&reservation.body, Body::One { quantity, .. } if *quantity != m.quantity as u64));
    if !whole || partly || event.part.id.is_some() {
        let many = reservation.many();
        moves(many, event, lots);
        if let Some(verb) = PartVerb::of(event.kind).filter(|_| event.part.id.is_some()) {
            many.parts.push(part(event, verb));
        }
    }
    reservation.version = entry.version;
    reservation.sequence = event.sequence;
    reservation.state = entry.state;
    reservation.ended = entry.ended;
    reservation.expires_at = entry.expires_at.unwrap_or(u64::MAX);
}

/// Books each move on what its line took of its lot. Moves stand in the order of the takes, or in the reverse.
fn moves(many: &mut Many, event: &Event, lots: &Slots) {
    let book = |moved: &Move, take: &mut Take| {
        let quantity = moved.quantity as u64;
        match PartVerb::of(event.kind) {
            Some(PartVerb::Capture) => take.captured += quantity,
            Some(PartVerb::Release) => take.released += quantity,
            Some(PartVerb::Return) => take.returned += quantity,
            // What is left when a reservation expires is what expired.
            None => {}
        }
        assert!(take.captured + take.released <= take.quantity, "RSV-1: no more than was reserved");
        assert!(take.returned <= take.captured, "STOCK-2: no more is returned than was captured");
    };
    let is = |moved: &Move, take: &Take| {
        let lot = if moved.lot == NONE { NONE } else { lots[moved.lot as usize] };
        take.line == moved.line && take.lot == lot
    };
    let mut moves = event.moves.iter().peekable();
    let reverse = matches!(event.kind, Kind::Released | Kind::Returned);
    let count = many.takes.len();
    for at in 0..count {
        let take = &mut many.takes[if reverse { count - 1 - at } else { at }];
        if let Some(moved) = moves.next_if(|moved| is(moved, take)) {
            book(moved, take);
        }
    }
    assert!(moves.next().is_none(), "RSV-2: what an event moves is what its reservation took");
}

fn part(event: &Event, verb: PartVerb) -> Part {
    let id = Name::from(event.name(event.part.id));
    Part { verb, id, digest: event.part.digest, partial: event.part.partial }
}

fn body(event: &Event, items: &Slots, lots: &Slots) -> Body {
    if let [only] = event.moves.as_slice()
        && only.lot == NONE
        && event.named.is_empty()
        && event.reservation.needed_until.is_none()
    {
        return Body::One { item: items[only.item as usize], quantity: only.quantity as u64 };
    }
    if event.moves.is_empty() {
        return Body::Empty;
    }
    let mut many = Many { needed_until: event.reservation.needed_until, ..Many::default() };
    let captured = event.reservation.capture;
    for moved in &event.moves {
        let (item, quantity) = (items[moved.item as usize], moved.quantity as u64);
        let counted = event.items[moved.item as usize].counted;
        if many.lines.len() == moved.line as usize {
            let named = event.named.iter().find(|named| named.line == moved.line);
            let name = |span| event.optional(span).map(Name::from);
            let (lot, location) = named.map_or((None, None), |named| (name(named.lot), name(named.location)));
            many.lines.push(Line { item, quantity: 0, lot, location });
        }
        many.lines[moved.line as usize].quantity += quantity;
        let lot = if moved.lot == NONE { NONE } else { lots[moved.lot as usize] };
        let captured = if captured { quantity } else { 0 };
        let take = Take { line: moved.line, item, lot, counted, quantity, captured, released: 0, returned: 0 };
        many.takes.push(take);
    }
    many.lines.shrink_to_fit();
    many.takes.shrink_to_fit();
    Body::Many(Box::new(many))
}
