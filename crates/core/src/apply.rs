//! Apply: what an event does to each record it touches. Cannot fail, and reads no other record: a record that holds the
//! event already (its sequence says so) is left alone, so that after a restart neighbours of different age come right.
//! RSV-1 and STOCK-2 are asserted here, in release too.

use crate::event::{Event, ItemEntry, Kind, LotEntry, Move, NONE, UsageEntry};
use crate::item::Item;
use crate::lot::Lot;
use crate::record::Key;
use crate::reservation::{Body, Life, Line, Many, Mark, Marks, Part, PartVerb, Places, Reservation, Take};
use crate::slab::Slab;
use crate::state::{Found, Movement, State};
use crate::timers::Place;
use crate::undo::Step;
use crate::unsaved::Table;
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;
use sumun_wire::{Name, State as Status};

/// Slots of an event's entries.
type Slots = SmallVec<[u32; 4]>;

impl State {
    /// Applies an event that was decided on what is in memory.
    pub fn apply(&mut self, event: &Event) {
        self.apply_event(event, None);
    }

    /// Applies an event of the log's tail: `waits` gets the keys of records that are not in memory. The event waits at
    /// these keys, for `apply_late`, until they are read.
    pub fn replay(&mut self, event: &Event, waits: &mut Vec<Key>) {
        self.apply_event(event, Some(waits));
    }

    /// Applies an event to the one record that it waited for, right after that was installed. Skipped when the record holds it already, or is not there
    /// any more: then it ended so long ago that it was forgotten.
    pub fn apply_late(&mut self, event: &Event, key: &Key) {
        match key {
            Key::Reservation(id) => {
                let Some(slot) = self.slot_of_reservation(id) else { return };
                let items: Slots = event.items.iter().map(|entry| self.item_slot(event.name(entry.sku))).collect();
                let lot = |state: &mut State, entry: &LotEntry| {
                    state.lot_slot(items[entry.item as usize], event.name(entry.lot))
                };
                let lots: Slots = event.lots.iter().map(|entry| lot(self, entry)).collect();
                self.change_reservation_at(slot, event, &lots);
            }
            Key::Usage(sku, _) => {
                let item = self.item_slot(sku);
                for entry in event.usages.iter().filter(|e| event.name(event.items[e.item as usize].sku) == sku) {
                    self.apply_usage(event, entry, item, None);
                }
            }
            Key::Item(_) | Key::Lot(..) | Key::Movement(..) => unreachable!("an event tells all of these"),
        }
    }

    fn apply_event(&mut self, event: &Event, mut waits: Option<&mut Vec<Key>>) {
        assert!(event.sequence == self.sequence + 1, "LOG-2: sequences have no gap");
        assert!(event.time >= self.time, "LOG-2: time never goes backwards");
        self.time = event.time;
        let (mut items, mut lots) = (Slots::new(), Slots::new());
        for entry in &event.items {
            items.push(self.apply_item(event, entry));
        }
        for entry in &event.lots {
            lots.push(self.apply_lot(event, entry, items[entry.item as usize]));
        }
        for entry in &event.usages {
            self.apply_usage(event, entry, items[entry.item as usize], waits.as_deref_mut());
        }
        match event.kind {
            Kind::Received | Kind::Adjusted => self.apply_movement(event, items[0]),
            Kind::Held | Kind::Captured | Kind::Released if event.reservation.version == 1 => {
                self.begin_reservation(event, &items, &lots);
            }
            Kind::Held | Kind::Captured | Kind::Released | Kind::Expired | Kind::Extended | Kind::Returned => {
                self.change_reservation(event, &lots, waits);
            }
            Kind::Configured | Kind::Removed | Kind::LotExpired | Kind::LogOpened | Kind::LogTime => {}
        }
        self.sequence = event.sequence;
    }

    fn apply_item(&mut self, event: &Event, entry: &ItemEntry) -> u32 {
        let slot = if entry.hint == NONE { self.item_slot(event.name(entry.sku)) } else { entry.hint };
        if self.items[slot].sequence >= event.sequence {
            return slot;
        }
        let names_lots = event.lots.iter().any(|lot| event.items[lot.item as usize].sku == entry.sku);
        if !entry.touched {
            // While a reservation is open its lots are counted: what counts is when it ended, or gave back.
            if names_lots && event.kind != Kind::Extended {
                self.stamp_item(event, slot);
            }
            return slot;
        }
        self.remember(|state| Step::Item(slot, Box::new(state.items[slot].clone())));
        let item = &mut self.items[slot];
        entry.figures.check();
        // An item's first event tells all of it; any other tells its figures.
        item.known |= entry.figures.version == 1;
        item.sequence = event.sequence;
        item.figures = entry.figures;
        item.kind = entry.kind;
        if names_lots {
            item.lots_touched_at = event.time;
        }
        if event.kind == Kind::Removed {
            item.hidden = true;
        }
        if event.kind == Kind::Configured {
            self.heap -= item.heap_bytes();
            item.set_settings(&event.settings, event.optional(event.settings.metadata));
            item.sort_lots(&self.lots);
            self.heap += item.heap_bytes();
        }
        self.mark(Table::Item, slot, event.sequence);
        slot
    }

    /// An end or a return names lots of items of which it moves nothing.
    fn stamp_item(&mut self, event: &Event, slot: u32) {
        self.remember(|state| Step::Item(slot, Box::new(state.items[slot].clone())));
        let item = &mut self.items[slot];
        item.lots_touched_at = item.lots_touched_at.max(event.time);
        item.stamped = item.stamped.max(event.sequence);
        self.mark(Table::Item, slot, event.sequence);
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
        // A lot that was forgotten, or never seen, begins anew.
        if lot.first != entry.first {
            if lot.unsaved {
                lot.stale_end = lot.stale_end.or(lot.expires_at);
            }
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
        self.mark(Table::Lot, slot, event.sequence);
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

    fn apply_usage(&mut self, event: &Event, entry: &UsageEntry, item: u32, waits: Option<&mut Vec<Key>>) {
        let holder = event.holder().expect("what counts has a holder");
        if let Some(waits) = waits
            && self.find_usage(item, holder) == Found::Unknown
        {
            let key = Key::Usage(self.items[item].sku.clone(), holder.into());
            self.wait(&key, event.sequence);
            waits.push(key);
            return;
        }
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
        self.mark(Table::Usage, slot, event.sequence);
    }

    fn apply_movement(&mut self, event: &Event, item: u32) {
        let id = event.name(event.part.id);
        if let Some(slot) = self.slot_of_movement(item, id) {
            if self.movements[slot].sequence >= event.sequence {
                return;
            }
            // It was forgotten: its id begins anew.
            self.drop_movement(slot);
        }
        let slot = self.insert_movement(Movement {
            item,
            id: Name::from(id),
            digest: event.part.digest,
            answer: event.items[0].figures.available,
            sequence: event.sequence,
            made_at: event.time,
            unsaved: false,
        });
        self.mark(Table::Movement, slot, event.sequence);
        self.remember(|_| Step::NewMovement(slot));
    }

    /// Version 1 of a reservation holds the whole record, and replaces whatever stood under its id.
    fn begin_reservation(&mut self, event: &Event, items: &Slots, lots: &Slots) {
        let id = event.name(event.reservation.id);
        let (mut filed, mut unsaved, mut replaced) = (false, false, None);
        if let Some(slot) = self.slot_of_reservation(id) {
            if self.reservations[slot].sequence >= event.sequence {
                return;
            }
            let old = &self.reservations[slot];
            assert!(old.state != Status::Held, "RSV-1: an open reservation is not replaced");
            // The store may still hold the one before it as open, and events of its that are unsaved hold P.
            (filed, unsaved) = (old.marks.has(Mark::Filed), old.marks.has(Mark::Unsaved));
            replaced = Some(slot);
            self.replace_reservation(slot);
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
            life: life(event),
            holder,
            state: event.reservation.state,
            ended: event.reservation.ended,
            timer: Place::Unset,
            marks: Marks::of(&[
                (Mark::Tombstone, event.reservation.tombstone),
                (Mark::Capture, event.reservation.capture),
                (Mark::Counted, event.items.first().is_some_and(|entry| entry.counted)),
                (Mark::Filed, filed),
                (Mark::Unsaved, unsaved),
                (Mark::Used, true),
            ]),
        };
        if event.part.id.is_some() {
            let part = part(event, PartVerb::Release);
            reservation.many().parts.push(part);
        }
        let slot = self.insert_reservation(reservation);
        assert!(
            replaced.is_none_or(|old| old == slot),
            "LOG-4: it stands where the one before it did, in the queue too"
        );
        self.mark(Table::Reservation, slot, event.sequence);
        self.remember(|_| Step::NewReservation(slot));
    }

    pub(crate) fn insert_reservation(&mut self, mut reservation: Reservation) -> u32 {
        for at in 0..reservation.lines() {
            self.items[reservation.line(at).0].refs += 1;
        }
        for take in reservation.all_takes().filter(|take| take.lot != NONE) {
            self.lots[take.lot].refs += 1;
        }
        if reservation.state == Status::Held {
            reservation.make_chains();
            hold(&mut self.items, &reservation);
            open_lots(&mut self.items, &mut self.lots, &reservation);
        }
        let hash = self.hashing.name(&reservation.id);
        self.heap += reservation.heap_bytes();
        self.open += u64::from(reservation.state == Status::Held);
        let slot = self.reservations.insert(reservation);
        self.moved += self.reservation_index.insert(hash, slot);
        self.schedule(slot);
        self.enlist(slot);
        slot
    }

    /// Makes room, in the same slot, for a reservation whose id begins anew.
    fn replace_reservation(&mut self, slot: u32) {
        self.reservation_index.remove(self.hashing.name(&self.reservations[slot].id), slot);
        if self.undo_is_off() {
            self.drop_unindexed(slot);
        } else {
            let old = Box::new(self.reservations.remove(slot));
            self.remember(|_| Step::Replaced(slot, old));
        }
    }

    /// The index must not know it any more.
    pub(crate) fn remove_reservation(&mut self, slot: u32) -> Reservation {
        self.timers.clear(slot, &mut self.reservations);
        self.delist(slot);
        let reservation = self.reservations.remove(slot);
        self.let_go(&reservation);
        reservation
    }

    /// What a reservation pointed at, no longer.
    pub(crate) fn let_go(&mut self, reservation: &Reservation) {
        for at in 0..reservation.lines() {
            self.items[reservation.line(at).0].refs -= 1;
        }
        for take in reservation.all_takes().filter(|take| take.lot != NONE) {
            self.lots[take.lot].refs -= 1;
        }
        if reservation.state == Status::Held {
            let_loose(&mut self.items, reservation);
            close_lots(&mut self.items, &mut self.lots, reservation);
        }
        self.heap -= reservation.heap_bytes();
        self.open -= u64::from(reservation.state == Status::Held);
        self.release_holder(reservation.holder);
    }

    /// Sets the timer of an open reservation that ends by time.
    pub(crate) fn schedule(&mut self, slot: u32) {
        let reservation = &self.reservations[slot];
        if self.armed && reservation.state == Status::Held && reservation.expires_at != u64::MAX {
            self.timers.set(slot, self.time, &mut self.reservations);
        }
    }

    fn change_reservation(&mut self, event: &Event, lots: &Slots, waits: Option<&mut Vec<Key>>) {
        let slot = match event.reservation.hint {
            NONE => self.slot_of_reservation(event.name(event.reservation.id)),
            hint => Some(hint),
        };
        match (slot, waits) {
            (Some(slot), _) => self.change_reservation_at(slot, event, lots),
            (None, Some(waits)) => {
                let key = Key::Reservation(event.name(event.reservation.id).into());
                self.wait(&key, event.sequence);
                waits.push(key);
            }
            (None, None) => panic!("RSV-1: an event follows the one that began its reservation"),
        }
    }

    fn change_reservation_at(&mut self, slot: u32, event: &Event, lots: &Slots) {
        if self.reservations[slot].sequence >= event.sequence {
            return;
        }
        self.remember(|state| Step::Reservation(slot, Box::new(state.reservations[slot].clone())));
        self.timers.clear(slot, &mut self.reservations);
        let was_open = self.reservations[slot].state == Status::Held;
        let ends = was_open && event.reservation.state != Status::Held;
        if was_open {
            let_loose(&mut self.items, &self.reservations[slot]);
        }
        if ends {
            self.delist(slot);
        }
        let reservation = &mut self.reservations[slot];
        self.heap -= reservation.heap_bytes();
        change(reservation, event, lots);
        self.heap += reservation.heap_bytes();
        if ends {
            self.open -= 1;
            close_lots(&mut self.items, &mut self.lots, &self.reservations[slot]);
        } else if was_open {
            hold(&mut self.items, &self.reservations[slot]);
        }
        self.mark(Table::Reservation, slot, event.sequence);
        self.schedule(slot);
    }
}

/// Counts what an open reservation holds at its items.
pub(crate) fn hold(items: &mut Slab<Item>, open: &Reservation) {
    open.all_takes().for_each(|take| items[take.item].held += take.left());
}
pub(crate) fn let_loose(items: &mut Slab<Item>, open: &Reservation) {
    open.all_takes().for_each(|take| items[take.item].held -= take.left());
}

/// Counts an open reservation at the lots that it took from.
pub(crate) fn open_lots(items: &mut Slab<Item>, lots: &mut Slab<Lot>, open: &Reservation) {
    for take in open.all_takes().filter(|take| take.lot != NONE) {
        let lot = &mut lots[take.lot];
        items[lot.item].open += u32::from(lot.open == 0);
        lot.open += 1;
    }
}
fn close_lots(items: &mut Slab<Item>, lots: &mut Slab<Lot>, ended: &Reservation) {
    for take in ended.all_takes().filter(|take| take.lot != NONE) {
        let lot = &mut lots[take.lot];
        lot.open -= 1;
        items[lot.item].open -= u32::from(lot.open == 0);
    }
}

fn life(event: &Event) -> Life {
    match event.reservation.state {
        Status::Held => Life::Open(Places::UNSET),
        Status::Captured | Status::PartiallyCaptured | Status::Released | Status::Expired => {
            Life::Ended { touched_at: event.time }
        }
    }
}

fn change(reservation: &mut Reservation, event: &Event, lots: &Slots) {
    let entry = &event.reservation;
    assert!(event.kind == Kind::Returned || reservation.state == Status::Held, "RSV-1: one terminal state, once");
    assert!(entry.version == reservation.version() + 1, "LOG-2: versions have no gap");
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
    if let Body::Many(many) = &mut reservation.body {
        many.version = entry.version;
        if ends {
            many.chains = Vec::new();
        }
    }
    if ends {
        reservation.life = life(event);
    }
    reservation.sequence = event.sequence;
    reservation.state = entry.state;
    reservation.ended = entry.ended;
    reservation.expires_at = entry.expires_at.unwrap_or(u64::MAX);
    assert!(reservation.version() == entry.version, "LOG-2: versions have no gap");
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
    let mut many =
        Many { begun: event.sequence, version: 1, needed_until: event.reservation.needed_until, ..Many::default() };
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
