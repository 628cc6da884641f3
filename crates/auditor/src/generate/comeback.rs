//! Comes back to what is forgotten soon, or was: at the millisecond, one before, one after, with the same content and
//! with other, after a return that came shortly before; lots that were emptied are received, adjusted and reserved.

use super::{Generator, again_as};
use crate::item::Lot;
use crate::ledger::Ledger;
use crate::owned::{OwnedCommand, OwnedLine, PartVerb};
use crate::reservation::{Reservation, Take};
use sumun_wire::{Allocation, Name, State, Timestamp};

/// How many of what is forgotten soonest are chosen from: else time would run past all others.
const SOON: usize = 6;

type Script = Vec<(u64, OwnedCommand)>;

enum Edge<'a> {
    Reservation(&'a Reservation),
    Movement(&'a Name, &'a Name),
    Lot(&'a Name, &'a Name, &'a Lot),
}

impl Generator {
    /// The first command of a script that comes back to something. None where there is nothing yet.
    pub(super) fn comeback(&mut self, ledger: &Ledger, now: Timestamp) -> Option<OwnedCommand> {
        let script = match self.random.below(10) {
            0..5 => self.at_an_edge(ledger, now)?,
            5 => self.after_long(ledger)?,
            6 => self.empty_a_lot(ledger, now)?,
            7 => self.lot_of_an_open_one(ledger),
            8 => self.stamped_by_a_return(ledger),
            _ => self.short_life(ledger),
        };
        let mut script = script.into_iter();
        let (wait_ms, first) = script.next()?;
        self.script.extend(script);
        if wait_ms == 0 {
            return Some(first);
        }
        let read = OwnedCommand::Item { sku: self.sku() };
        self.script.push_front((wait_ms, first));
        Some(read)
    }

    /// To the moment at which something is forgotten, or beside it, and then to that thing.
    fn at_an_edge(&mut self, ledger: &Ledger, now: Timestamp) -> Option<Script> {
        let keep = ledger.retention;
        let mut edges: Vec<(Timestamp, Edge<'_>)> = Vec::new();
        let ended = ledger.reservations.values().filter(|known| known.state != State::Held);
        edges.extend(ended.map(|known| (keep.end(known.last), Edge::Reservation(known))));
        for (sku, item) in &ledger.items {
            edges.extend(item.movements.iter().map(|(id, known)| (keep.end(known.at), Edge::Movement(sku, id))));
            let idle = item.lots.iter().filter(|(_, lot)| lot.idle());
            edges.extend(idle.map(|(name, lot)| (keep.end(lot.last), Edge::Lot(sku, name, lot))));
        }
        edges.retain(|(at, _)| at.0 > now.0 + 8);
        edges.sort_by_key(|(at, _)| *at);
        let which = self.random.below(3);
        let kind = |edge: &Edge<'_>| match edge {
            Edge::Reservation(_) => 0,
            Edge::Movement(..) => 1,
            Edge::Lot(..) => 2,
        };
        edges.retain(|(_, edge)| kind(edge) == which);
        if self.random.chance(90) {
            edges.truncate(SOON);
        }
        if edges.is_empty() {
            return None;
        }
        let (at, edge) = self.random.pick(&edges);
        let wait_ms = at.0 - now.0;
        Some(match edge {
            Edge::Reservation(known) => self.back_to(known, wait_ms, keep.0),
            Edge::Movement(sku, id) => {
                let again = self.movement_again(ledger, sku, id);
                let other = other_movement(&again);
                let wait_ms = self.beside(wait_ms);
                if self.random.chance(50) {
                    vec![(wait_ms, again), (0, other)]
                } else {
                    vec![(wait_ms, other), (0, again)]
                }
            }
            Edge::Lot(sku, name, lot) => {
                let mut script = self.lot_again(sku, name, lot);
                script[0].0 = self.beside(wait_ms);
                script
            }
        })
    }

    /// So long, or a millisecond less or more.
    fn beside(&mut self, wait_ms: u64) -> u64 {
        (wait_ms + *self.random.pick(&[0, 1, 1, 2])).saturating_sub(1)
    }

    /// Now and then a return comes shortly before: then it is remembered anew, and met at that end, too.
    fn back_to(&mut self, known: &Reservation, wait_ms: u64, retention_ms: u64) -> Script {
        let mut script = Vec::new();
        let returnable = known.lines.iter().find(|line| line.sum(|take: &Take| take.captured - take.returned) > 0);
        if let Some(line) = returnable.filter(|_| self.random.chance(50)) {
            let early = self.random.between(1, 3);
            let returned = OwnedCommand::Part {
                verb: PartVerb::Return,
                reservation: known.id.to_string(),
                id: Some(self.fresh("p")),
                lines: Some(vec![(line.sku.to_string(), 1)]),
            };
            script.push((wait_ms - early, returned));
            script.push((early, OwnedCommand::Reservation { id: known.id.to_string() }));
            script.push((self.beside(retention_ms - early.min(retention_ms)), self.again(known)));
        } else {
            script.push((self.beside(wait_ms), self.again(known)));
        }
        script.push((0, self.again(known)));
        script.push((0, OwnedCommand::Reservation { id: known.id.to_string() }));
        script
    }

    /// Anything that names it.
    fn again(&mut self, known: &Reservation) -> OwnedCommand {
        let reservation = known.id.to_string();
        let verb = *self.random.pick(&[PartVerb::Capture, PartVerb::Release, PartVerb::Return]);
        match self.random.below(10) {
            0..5 => {
                let mut command = again_as(known);
                let (ttl, other, one) = (self.random.between(1, 20_000), self.random.chance(35), self.sku());
                if let OwnedCommand::Reserve { ttl_ms, lines, capture, .. } = &mut command {
                    *ttl_ms = Some(ttl);
                    if lines.is_empty() {
                        lines.push(OwnedLine { sku: one, quantity: 1, ..OwnedLine::default() });
                    } else if other {
                        lines[0].quantity += 1;
                        *capture = !*capture;
                    }
                }
                command
            }
            5 => OwnedCommand::Extend { reservation, ttl_ms: self.random.between(1, 100_000) },
            6 => OwnedCommand::Reservation { id: reservation },
            7 => {
                let kept = known.kept.get(&verb).into_iter().flatten().next();
                let lines = kept.and_then(|(_, content)| content.clone());
                let id = kept.map_or_else(|| self.fresh("p"), |(id, _)| id.to_string());
                let lines = lines.map(|lines| lines.iter().map(|(sku, q)| (sku.to_string(), *q)).collect());
                OwnedCommand::Part { verb, reservation, id: Some(id), lines }
            }
            _ => OwnedCommand::Part { verb, reservation, id: Some(self.fresh("p")), lines: None },
        }
    }

    fn movement_again(&mut self, ledger: &Ledger, sku: &Name, id: &Name) -> OwnedCommand {
        let content = &ledger.items[sku].movements[id].content;
        let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
        let (sku, movement, lot) = (sku.to_string(), Some(id.to_string()), text(&content.lot));
        match &content.reason {
            Some(reason) => {
                OwnedCommand::Adjust { sku, delta: content.amount, reason: reason.to_string(), movement, lot }
            }
            None => OwnedCommand::Receive {
                sku,
                quantity: content.amount.unsigned_abs(),
                movement,
                lot,
                expires_at: content.expires_at,
                location: text(&content.location),
            },
        }
    }

    /// What a lot that is forgotten answers otherwise than one that is not. The first comes at the edge.
    fn lot_again(&mut self, sku: &Name, name: &Name, lot: &Lot) -> Script {
        let (sku, lot_name) = (sku.to_string(), Some(name.to_string()));
        let movement = |generator: &mut Generator| Some(generator.fresh("m"));
        let mut script = Vec::new();
        for _ in 0..self.random.between(1, 3) {
            let one = match self.random.below(8) {
                0 => OwnedCommand::Adjust {
                    sku: sku.clone(),
                    delta: 1,
                    reason: "found".to_owned(),
                    movement: movement(self),
                    lot: lot_name.clone(),
                },
                1 => OwnedCommand::Reserve {
                    reservation: self.fresh("r"),
                    ttl_ms: Some(self.random.between(1, 5_000)),
                    lines: vec![OwnedLine { sku: sku.clone(), quantity: 1, lot: lot_name.clone(), location: None }],
                    holder: Some("ann".to_owned()),
                    needed_until: None,
                    capture: false,
                },
                2 => OwnedCommand::Configure {
                    sku: sku.clone(),
                    kind: None,
                    safety_stock: 0,
                    backorder_limit: self.random.between(0, 2),
                    limit: None,
                    allocation: Allocation::Fefo,
                    metadata: None,
                },
                3 => OwnedCommand::Item { sku: sku.clone() },
                _ => {
                    let other = self.random.chance(60);
                    let later = lot.expires_at.map_or(253_000_000_000_000, |at| at.0 + 1);
                    OwnedCommand::Receive {
                        sku: sku.clone(),
                        quantity: self.random.between(1, 5),
                        movement: movement(self),
                        lot: lot_name.clone(),
                        expires_at: other.then_some(Timestamp(later)),
                        location: self.random.chance(40).then(|| "moved".to_owned()),
                    }
                }
            };
            script.push((0, one));
        }
        script.push((0, OwnedCommand::Item { sku }));
        script
    }

    /// Things that have been gone for longer.
    fn after_long(&mut self, ledger: &Ledger) -> Option<Script> {
        if self.random.chance(60) && !ledger.past.is_empty() {
            let known = self.random.pick(&ledger.past);
            return Some(vec![(0, self.again(known)), (0, self.again(known))]);
        }
        let mut lots = Vec::new();
        for (sku, item) in &ledger.items {
            lots.extend(item.past_lots.iter().map(|(name, lot)| (sku, name, lot)));
        }
        if lots.is_empty() {
            return None;
        }
        let (sku, name, lot) = *self.random.pick(&lots);
        Some(self.lot_again(sku, name, lot))
    }

    /// All that nobody holds of a lot goes, and at its end as a record it is met again.
    fn empty_a_lot(&mut self, ledger: &Ledger, now: Timestamp) -> Option<Script> {
        let mut lots = Vec::new();
        for (sku, item) in &ledger.items {
            let free = item.lots.iter().filter(|(_, lot)| lot.pile.free() > 0 && !lot.due(now));
            lots.extend(free.map(|(name, lot)| (sku, name, lot)));
        }
        if lots.is_empty() {
            return None;
        }
        let (sku, name, lot) = *self.random.pick(&lots);
        let out = OwnedCommand::Adjust {
            sku: sku.to_string(),
            delta: -i64::try_from(lot.pile.free()).ok()?,
            reason: "out".to_owned(),
            movement: Some(self.fresh("m")),
            lot: Some(name.to_string()),
        };
        let mut script = vec![(0, out)];
        if self.random.chance(30) {
            let mut again = self.lot_again(sku, name, lot);
            again[0].0 = self.beside(ledger.retention.0);
            script.extend(again);
        }
        Some(script)
    }

    /// A lot without units of which an open reservation took: remembered for as long as that, and `retention` after.
    fn lot_of_an_open_one(&mut self, ledger: &Ledger) -> Script {
        let keep_ms = ledger.retention.0;
        let (a, b, r) = (self.fresh("sku"), self.fresh("sku"), self.fresh("r"));
        let receive = |sku: &str, id: &str, expires_at, location: Option<&str>| OwnedCommand::Receive {
            sku: sku.to_owned(),
            quantity: 2,
            movement: Some(id.to_owned()),
            lot: Some("l1".to_owned()),
            expires_at,
            location: location.map(str::to_owned),
        };
        let other = || receive(&a, "m2", None, Some("moved"));
        let line = |sku: &str| OwnedLine { sku: sku.to_owned(), quantity: 2, ..OwnedLine::default() };
        let hold = OwnedCommand::Reserve {
            reservation: r.clone(),
            ttl_ms: Some(keep_ms * 4 + 100),
            lines: vec![line(&a), line(&b)],
            holder: None,
            needed_until: None,
            capture: false,
        };
        let part = |verb, lines| OwnedCommand::Part { verb, reservation: r.clone(), id: Some("p1".to_owned()), lines };
        let end = if self.random.chance(50) { PartVerb::Release } else { PartVerb::Capture };
        let mut script = vec![
            (0, receive(&a, "m1", None, Some("north"))),
            (0, receive(&b, "m1", None, None)),
            (0, hold),
            (0, part(PartVerb::Capture, Some(vec![(a.clone(), 2)]))),
            (keep_ms + self.random.below(3), other()),
            (1, OwnedCommand::Extend { reservation: r.clone(), ttl_ms: keep_ms * 5 }),
            (keep_ms + self.random.below(3), other()),
            (0, OwnedCommand::Part { verb: end, reservation: r.clone(), id: Some("p2".to_owned()), lines: None }),
        ];
        script.push((self.beside(keep_ms), other()));
        script.push((1, other()));
        script.push((0, OwnedCommand::Item { sku: a.clone() }));
        script
    }

    /// A reservation over lots of two items: what goes back to one keeps the lot of the other, too.
    fn stamped_by_a_return(&mut self, ledger: &Ledger) -> Script {
        let keep_ms = ledger.retention.0;
        let (a, b, r) = (self.fresh("sku"), self.fresh("sku"), self.fresh("r"));
        let receive = |sku: &str, id: &str, location: &str| OwnedCommand::Receive {
            sku: sku.to_owned(),
            quantity: 2,
            movement: Some(id.to_owned()),
            lot: Some("l1".to_owned()),
            expires_at: None,
            location: Some(location.to_owned()),
        };
        let line = |sku: &str| OwnedLine { sku: sku.to_owned(), quantity: 2, ..OwnedLine::default() };
        let buy = OwnedCommand::Reserve {
            reservation: r.clone(),
            ttl_ms: None,
            lines: vec![line(&a), line(&b)],
            holder: Some("ben".to_owned()),
            needed_until: None,
            capture: true,
        };
        let back = |id: &str, sku: &str| OwnedCommand::Part {
            verb: PartVerb::Return,
            reservation: r.clone(),
            id: Some(id.to_owned()),
            lines: Some(vec![(sku.to_owned(), 1)]),
        };
        let before = self.random.between(1, 3).min(keep_ms);
        vec![
            (0, receive(&a, "m1", "north")),
            (0, receive(&b, "m1", "north")),
            (0, buy),
            (keep_ms - before, back("p1", &a)),
            (before, receive(&b, "m2", "south")),
            (self.beside(keep_ms - before), receive(&b, "m3", "south")),
            (0, OwnedCommand::Item { sku: b.clone() }),
            (1, back("p2", &a)),
            (0, back("p1", &a)),
        ]
    }

    /// An id that lives, ends, is forgotten and lives again, with a limit that counts on.
    fn short_life(&mut self, ledger: &Ledger) -> Script {
        let keep_ms = ledger.retention.0;
        let (sku, r) = (self.sku(), self.fresh("r"));
        let first = match self.random.below(4) {
            0 => OwnedCommand::Part { verb: PartVerb::Release, reservation: r.clone(), id: None, lines: None },
            which => OwnedCommand::Reserve {
                reservation: r.clone(),
                ttl_ms: Some(self.random.between(1, 5)),
                lines: vec![OwnedLine { sku, quantity: 1, ..OwnedLine::default() }],
                holder: Some("cho".to_owned()),
                needed_until: None,
                capture: which == 1,
            },
        };
        let read = OwnedCommand::Reservation { id: r.clone() };
        let end_ms = self.random.below(6);
        let since_begin = self.random.chance(50);
        let again_ms = self.beside(keep_ms.saturating_sub(if since_begin { end_ms } else { 0 }));
        vec![(0, first.clone()), (end_ms, read.clone()), (again_ms, first.clone()), (1, first), (0, read)]
    }
}

/// The same id with other content.
fn other_movement(command: &OwnedCommand) -> OwnedCommand {
    let mut other = command.clone();
    match &mut other {
        OwnedCommand::Receive { quantity, .. } => *quantity = 1 + *quantity % 7,
        OwnedCommand::Adjust { delta, .. } => *delta = if *delta == 1 { 2 } else { 1 },
        OwnedCommand::Configure { .. }
        | OwnedCommand::Remove { .. }
        | OwnedCommand::Reserve { .. }
        | OwnedCommand::Part { .. }
        | OwnedCommand::Extend { .. }
        | OwnedCommand::Reservation { .. }
        | OwnedCommand::Item { .. }
        | OwnedCommand::Holder { .. } => unreachable!("a movement is a receipt or an adjustment"),
    }
    other
}
