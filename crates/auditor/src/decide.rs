//! What the contract says of a command, given how things stand: an answer, or a change that makes one event.
//! Deciding only reads. The checks stand in the contract's order.
//!
//! Never here: due ends (whoever calls has written them), comparison with what the system did.

use crate::cell::{Asked, Cell, Met};
use crate::item::{Item, MovementContent};
use crate::ledger::Ledger;
use crate::owned::PartVerb;
use crate::request;
use crate::reservation::{HeldLine, Move, PartContent, Reservation, Take, error_of, part_content};
use std::collections::BTreeMap;
use sumun_wire::limits::{PARTS_PER_RESERVATION_MAX, QUANTITY_MAX, TAKEN_PER_RESERVATION_MAX};
use sumun_wire::{
    Answer, Code, Command, Ended, Extend, Facts, Kind, Line, Name, Part, Refusal, Reserve, Settings, Short, State,
    Timestamp,
};

/// What a command that is let through changes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Configure { sku: Name, kind: Kind, settings: Settings },
    Remove { sku: Name },
    Receive { sku: Name, movement: Name, content: MovementContent, create: bool },
    Adjust { sku: Name, movement: Name, content: MovementContent, moves: Vec<(Option<Name>, i64)> },
    Hold(Box<Reservation>),
    Tombstone { id: Name, part: Option<Name> },
    Part { verb: PartVerb, id: Name, part: Option<(Name, PartContent)>, moves: Vec<Move> },
    Extend { id: Name, until: Timestamp },
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Answer(Answer),
    Do(Change),
}

#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) what: What,
    /// Refusals that the contract's words admit just as well.
    pub(crate) also: Vec<Refusal>,
    pub(crate) cell: Cell,
}

/// Without the verb: `decide` adds it.
pub(crate) type Verdict = (What, Met);

pub(crate) fn refuse(refusal: Refusal, met: Met) -> Verdict {
    (What::Answer(Answer::Refused(refusal)), met)
}

pub(crate) fn invalid(field: &'static str, met: Met) -> Verdict {
    refuse(Refusal::invalid(field, "is not what the contract allows"), met)
}

pub(crate) fn short(code: Code, shorts: Vec<Short>) -> Refusal {
    Refusal { code, facts: Facts::Short(shorts.into_iter().collect()) }
}

pub(crate) fn missing(skus: Vec<Name>) -> Refusal {
    Refusal { code: Code::NotFound, facts: Facts::Missing(skus.into_iter().collect()) }
}

/// Each sku once, in the order of the request, with the sum of its quantities.
pub(crate) fn wanted<'a>(lines: impl Iterator<Item = (&'a str, u64)>) -> Vec<(Name, u64)> {
    let mut wanted: Vec<(Name, u64)> = Vec::new();
    for (sku, quantity) in lines {
        match wanted.iter_mut().find(|(seen, _)| seen == sku) {
            Some((_, sum)) => *sum += quantity,
            None => wanted.push((Name::from(sku), quantity)),
        }
    }
    wanted
}

pub(crate) fn asked(command: &Command<'_>) -> Asked {
    match command {
        Command::Configure(_) => Asked::Configure,
        Command::Remove { .. } => Asked::Remove,
        Command::Receive(_) => Asked::Receive,
        Command::Adjust(_) => Asked::Adjust,
        Command::Reserve(c) if c.capture => Asked::ReserveCapture,
        Command::Reserve(_) => Asked::Reserve,
        Command::Capture(c) if c.lines.is_some() => Asked::CapturePart,
        Command::Capture(_) => Asked::Capture,
        Command::Release(c) if c.lines.is_some() => Asked::ReleasePart,
        Command::Release(_) => Asked::Release,
        Command::Return(c) if c.lines.is_some() => Asked::ReturnPart,
        Command::Return(_) => Asked::Return,
        Command::Extend(_) => Asked::Extend,
        Command::Reservation { .. } => Asked::Reservation,
        Command::Item { .. } => Asked::Item,
        Command::Holder { .. } => Asked::Holder,
    }
}

impl Ledger {
    /// `hint` is what the system answered: where the contract leaves freedom, its choice is followed if it is one.
    pub(crate) fn decide(&self, now: Timestamp, command: &Command<'_>, hint: Option<&Answer>) -> Decision {
        let mut also = Vec::new();
        let (what, met) = match request::flaw(command) {
            Some(field) => invalid(field, Met::Invalid),
            None => match command {
                Command::Configure(c) => self.configure(c),
                Command::Remove { sku } => self.remove(sku),
                Command::Receive(c) => self.receive(c, &mut also),
                Command::Adjust(c) => self.adjust(now, c),
                Command::Reserve(c) => self.reserve(now, c, hint),
                Command::Capture(c) => self.part(PartVerb::Capture, c, &mut also),
                Command::Release(c) => self.part(PartVerb::Release, c, &mut also),
                Command::Return(c) => self.part(PartVerb::Return, c, &mut also),
                Command::Extend(c) => self.extend(now, c),
                Command::Reservation { id } => self.read_reservation(id),
                Command::Item { sku } => self.read_item(now, sku, hint),
                Command::Holder { sku, holder } => self.read_holder(now, sku, holder, hint),
            },
        };
        Decision { what, also, cell: Cell { asked: asked(command), met } }
    }

    /// The item, if it exists and is not hidden.
    pub(crate) fn visible(&self, sku: &str) -> Option<&Item> {
        self.items.get(sku).filter(|item| !item.hidden)
    }

    fn reserve(&self, now: Timestamp, c: &Reserve<'_>, hint: Option<&Answer>) -> Verdict {
        if let Some(known) = self.reservations.get(c.reservation) {
            return reserve_again(known, c);
        }
        let wanted = wanted(c.lines.iter().map(|line| (line.sku, line.quantity)));
        let unknown: Vec<Name> =
            wanted.iter().filter(|(sku, _)| self.visible(sku).is_none()).map(|(sku, _)| sku.clone()).collect();
        if !unknown.is_empty() {
            return refuse(missing(unknown), Met::Unknown);
        }
        if let Some(refused) = self.over_limit(now, c, &wanted, hint) {
            return refused;
        }
        let mut shorts = Vec::new();
        let mut takes: BTreeMap<usize, Vec<Take>> = BTreeMap::new();
        let mut past_cap = false;
        for (sku, wanted) in wanted {
            let item = self.visible(&sku).expect("checked above");
            let given = allocate(item, now, &sku, c);
            let sum: u64 = given.values().flatten().map(|take| take.quantity).sum();
            let available = sum.min(item.available(now));
            if available < wanted {
                shorts.push(Short { sku, wanted, available, reserved: item.reserved(), holder: None });
                continue;
            }
            past_cap |= item.sum(|pile| pile.captured) + item.reserved() + wanted > QUANTITY_MAX;
            takes.extend(given);
        }
        if !shorts.is_empty() {
            return refuse(short(Code::Insufficient, shorts), Met::Insufficient);
        }
        let lots = takes.values().flatten().filter(|take| take.lot.is_some()).count();
        if past_cap || lots > TAKEN_PER_RESERVATION_MAX {
            return invalid("lines", Met::Cap);
        }
        (What::Do(Change::Hold(Box::new(self.new_reservation(now, c, takes)))), Met::Done)
    }

    fn new_reservation(&self, now: Timestamp, c: &Reserve<'_>, mut takes: BTreeMap<usize, Vec<Take>>) -> Reservation {
        let lines = c.lines.iter().enumerate().map(|(l, line)| HeldLine {
            sku: Name::from(line.sku),
            quantity: line.quantity,
            lot: line.lot.map(Name::from),
            location: line.location.map(Name::from),
            counted: c.holder.is_some() && self.items[line.sku].counting,
            takes: takes.remove(&l).unwrap_or_default(),
        });
        let mut new = Reservation {
            id: Name::from(c.reservation),
            holder: c.holder.map(Name::from),
            created_at: now,
            needed_until: c.needed_until,
            capture: c.capture,
            lines: lines.collect(),
            ..Reservation::default()
        };
        if c.capture {
            new.lines.iter_mut().flat_map(|line| &mut line.takes).for_each(|take| take.captured = take.quantity);
            new.settle(Ended::Captured);
        } else {
            new.expires_at = c.ttl_ms.map(|ttl_ms| Timestamp(now.0 + ttl_ms));
        }
        new
    }

    /// A missing holder, then LIMIT. Within the last thousandth of a window the system may count or not: its answer says
    /// which.
    fn over_limit(
        &self,
        now: Timestamp,
        c: &Reserve<'_>,
        wanted: &[(Name, u64)],
        hint: Option<&Answer>,
    ) -> Option<Verdict> {
        let limited: Vec<(&Name, u64, sumun_wire::Limit)> =
            wanted.iter().filter_map(|(sku, sum)| Some((sku, *sum, self.items.get(sku)?.settings.limit?))).collect();
        if limited.is_empty() {
            return None;
        }
        let Some(holder) = c.holder else { return Some(invalid("holder", Met::NoHolder)) };
        let hinted: Option<&[Short]> = match hint {
            Some(Answer::Refused(Refusal { code: Code::Limit, facts: Facts::Short(shorts) })) => {
                Some(shorts.as_slice())
            }
            _ => None,
        };
        let mut shorts = Vec::new();
        for (sku, wanted, limit) in limited {
            let used = self.used(now, sku, holder, limit.window_ms);
            let mut lefts: Vec<u64> = used
                .iter()
                .filter(|used| used.held + used.counted + wanted > limit.quantity)
                .map(|used| limit.quantity.saturating_sub(used.held + used.counted))
                .collect();
            let hinted = hinted.map(|shorts| shorts.iter().find(|short| short.sku == *sku));
            let must = lefts.len() == used.len();
            let available = match hinted {
                Some(Some(short)) if lefts.contains(&short.available) => short.available,
                Some(Some(_)) | None if must => lefts.pop().expect("used is never empty"),
                Some(None) if must => lefts.pop().expect("used is never empty"),
                Some(_) | None => continue,
            };
            shorts.push(Short { sku: sku.clone(), wanted, available, reserved: 0, holder: Some(Name::from(holder)) });
        }
        (!shorts.is_empty()).then(|| refuse(short(Code::Limit, shorts), Met::Limit))
    }

    /// What may count of a holder at `now`: one element for each choice that the contract leaves, the most first.
    pub(crate) fn used(&self, now: Timestamp, sku: &str, holder: &str, window_ms: Option<u64>) -> Vec<Used> {
        let mut held = 0;
        let mut sure = Vec::new();
        let mut late: BTreeMap<Timestamp, u64> = BTreeMap::new();
        let all = self.reservations.values().chain(&self.past);
        for reservation in all.filter(|r| r.holder.as_deref() == Some(holder)) {
            let counted = reservation.lines.iter().filter(|line| line.counted && line.sku == sku);
            let (mut now_held, mut captured) = (0, 0);
            for line in counted {
                now_held += line.sum(Take::held);
                captured += line.sum(|take| take.captured - take.returned);
            }
            held += now_held;
            if captured == 0 {
                continue;
            }
            let begin = reservation.created_at;
            let age = u128::from(now.0.saturating_sub(begin.0));
            match window_ms.map(u128::from) {
                Some(window) if age * 1000 > window * 1001 => {}
                Some(window) if age >= window => *late.entry(begin).or_default() += captured,
                Some(_) | None => sure.push((begin, captured)),
            }
        }
        let mut counted: u64 = sure.iter().map(|(_, captured)| captured).sum();
        let mut oldest = sure.iter().map(|(begin, _)| *begin).min();
        let mut all = vec![Used { held, counted, oldest }];
        for (begin, captured) in late.into_iter().rev() {
            counted += captured;
            oldest = Some(begin);
            all.push(Used { held, counted, oldest });
        }
        all.reverse();
        all
    }

    fn part(&self, verb: PartVerb, c: &Part<'_>, also: &mut Vec<Refusal>) -> Verdict {
        let content = part_content(c.lines.as_deref());
        let Some(known) = self.reservations.get(c.reservation) else {
            if verb == PartVerb::Release && content.is_none() {
                let part = c.id.map(Name::from);
                return (What::Do(Change::Tombstone { id: Name::from(c.reservation), part }), Met::Created);
            }
            return refuse(Refusal::missing(c.reservation), Met::Unknown);
        };
        let stand = known.stand();
        if let Some(kept) = c.id.and_then(|id| known.kept.get(&verb)?.get(id)) {
            if *kept == content {
                return (What::Answer(Answer::Outcome(known.outcome(true))), Met::ReplayedId(stand));
            }
            return refuse(Refusal::bare(Code::IdConflict), Met::IdConflict);
        }
        let late = match (verb, known.state) {
            (_, State::Held) => false,
            (PartVerb::Return, _) => known.sum(|take| take.captured) == 0,
            (PartVerb::Capture, State::Captured) if content.is_none() => {
                return (What::Answer(Answer::Outcome(known.outcome(true))), Met::Replayed(stand));
            }
            (PartVerb::Release, State::Released | State::Expired | State::PartiallyCaptured) if content.is_none() => {
                return (What::Answer(Answer::Outcome(known.outcome(true))), Met::Replayed(stand));
            }
            (PartVerb::Capture | PartVerb::Release, _) => true,
        };
        if late {
            return refuse(Refusal::bare(error_of(stand)), Met::Late(stand));
        }
        let moves = match c.lines.as_ref() {
            None => match self.whole(verb, known, also) {
                Ok(moves) => moves,
                Err(verdict) => return *verdict,
            },
            Some(lines) => {
                let wanted = wanted(lines.iter().map(|line| (line.sku, line.quantity)));
                if let Some(refused) = self.part_refused(verb, known, &wanted, also) {
                    return refused;
                }
                known.moves(verb, Some(&wanted))
            }
        };
        let moved: u64 = moves.iter().map(|(_, _, quantity)| quantity).sum();
        let last = content.is_some() && verb != PartVerb::Return && moved == known.sum(Take::held);
        let part = c.id.map(|id| (Name::from(id), content));
        let change = Change::Part { verb, id: known.id.clone(), part, moves };
        (What::Do(change), if last { Met::DoneLast } else { Met::Done })
    }

    /// Of the whole: what moves. Only a return can find nothing, or a sku that is gone.
    fn whole(&self, verb: PartVerb, known: &Reservation, also: &mut Vec<Refusal>) -> Result<Vec<Move>, Box<Verdict>> {
        let moves = known.moves(verb, None);
        let own = wanted(known.lines.iter().map(|line| (line.sku.as_str(), line.quantity)));
        let hidden: Vec<Name> = own.iter().map(|(sku, _)| sku.clone()).filter(|s| self.visible(s).is_none()).collect();
        if verb != PartVerb::Return || (hidden.is_empty() && !moves.is_empty()) {
            return Ok(moves);
        }
        let named: Vec<Name> =
            hidden.iter().filter(|sku| known.sum_of(sku, |take| take.left(verb)) > 0).cloned().collect();
        if !named.is_empty() {
            also.push(missing(hidden));
            return Err(Box::new(refuse(missing(named), Met::Hidden)));
        }
        // Nothing goes to a sku that is gone: whether it is named all the same, the contract does not say.
        if !hidden.is_empty() {
            also.push(missing(hidden));
        }
        if !moves.is_empty() {
            return Ok(moves);
        }
        let (sku, wanted) = own.into_iter().next().expect("only a tombstone has no lines, and it is late");
        let shorts = vec![Short { sku, wanted, available: 0, reserved: 0, holder: None }];
        Err(Box::new(refuse(short(Code::Exceeds, shorts), Met::Exceeds)))
    }

    fn part_refused(
        &self,
        verb: PartVerb,
        known: &Reservation,
        wanted: &[(Name, u64)],
        also: &mut Vec<Refusal>,
    ) -> Option<Verdict> {
        let own = |sku: &Name| known.lines.iter().any(|line| line.sku == *sku);
        let hidden = wanted.iter().map(|(sku, _)| sku).filter(|sku| own(sku) && self.visible(sku).is_none());
        let hidden: Vec<Name> = hidden.cloned().collect();
        if !hidden.is_empty() {
            return Some(refuse(missing(hidden), Met::Hidden));
        }
        let mut shorts = Vec::new();
        for (sku, wanted) in wanted {
            let available = known.sum_of(sku, |take| take.left(verb));
            if available < *wanted {
                shorts.push(Short { sku: sku.clone(), wanted: *wanted, available, reserved: 0, holder: None });
            }
        }
        if !shorts.is_empty() {
            let foreign = shorts.iter().any(|short| !own(&short.sku));
            let met = if foreign { Met::ExceedsForeign } else { Met::Exceeds };
            return Some(refuse(short(Code::Exceeds, shorts), met));
        }
        let kept = known.kept.get(&verb).map_or(0, BTreeMap::len);
        if kept >= PARTS_PER_RESERVATION_MAX {
            match verb {
                PartVerb::Capture | PartVerb::Release => return Some(invalid("id", Met::Cap)),
                // "A return is never refused for a cap", and "≤ 1,024 returns a reservation": either is by the book.
                PartVerb::Return => also.push(Refusal::invalid("id", "too many returns")),
            }
        }
        None
    }

    fn extend(&self, now: Timestamp, c: &Extend<'_>) -> Verdict {
        let Some(known) = self.reservations.get(c.reservation) else {
            return refuse(Refusal::missing(c.reservation), Met::Unknown);
        };
        if known.state != State::Held {
            return refuse(Refusal::bare(error_of(known.stand())), Met::Late(known.stand()));
        }
        let until = Timestamp(now.0 + c.ttl_ms);
        if known.expires_at.is_none_or(|at| at >= until) {
            return (What::Answer(Answer::Outcome(known.outcome(false))), Met::Unchanged);
        }
        (What::Do(Change::Extend { id: known.id.clone(), until }), Met::Done)
    }
}

/// What a holder holds, and what it has captured that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) held: u64,
    pub(crate) counted: u64,
    /// The oldest begin that counts.
    pub(crate) oldest: Option<Timestamp>,
}

fn reserve_again(known: &Reservation, c: &Reserve<'_>) -> Verdict {
    let stand = known.stand();
    if known.tombstone {
        return refuse(Refusal::bare(Code::Released), Met::Late(stand));
    }
    if !known.same_content(c) {
        return refuse(Refusal::bare(Code::IdConflict), Met::IdConflict);
    }
    match known.state {
        State::Held | State::Captured => (What::Answer(Answer::Outcome(known.outcome(true))), Met::Replayed(stand)),
        State::PartiallyCaptured | State::Released | State::Expired => {
            refuse(Refusal::bare(error_of(stand)), Met::Late(stand))
        }
    }
}

/// What the lines of one sku are given together: those that name a lot first, then those that name a location, then the
/// rest, each in their order. A line that is given less than it wants shows in the sum.
fn allocate(item: &Item, now: Timestamp, sku: &str, c: &Reserve<'_>) -> BTreeMap<usize, Vec<Take>> {
    let good =
        |lot: &crate::item::Lot| lot.expires_at.is_none_or(|at| at > now && c.needed_until.is_none_or(|n| at > n));
    let order = item.lots_in_order();
    let mut free: BTreeMap<Name, u64> = BTreeMap::new();
    for (name, lot) in item.lots.iter().filter(|(_, lot)| good(lot)) {
        free.insert(name.clone(), u64::try_from(lot.pile.free()).expect("a lot's reserved is at most its on_hand"));
    }
    // Without lots, what is available (backorders included) is what there is; else only units that are there.
    let loose = i128::from(item.available(now));
    let mut loose = if item.lots.is_empty() { loose } else { item.loose.free().max(0) };
    let mut lines: Vec<(usize, &Line<'_>)> = c.lines.iter().enumerate().filter(|(_, line)| line.sku == sku).collect();
    lines.sort_by_key(|(_, line)| match (line.lot, line.location) {
        (Some(_), _) => 0,
        (None, Some(_)) => 1,
        (None, None) => 2,
    });
    let mut given = BTreeMap::new();
    for (l, line) in lines {
        let mut rest = line.quantity;
        let mut takes = Vec::new();
        for name in &order {
            let named = line.lot.is_none_or(|lot| lot == name);
            let there = line.location.is_none_or(|at| item.lots[name].location.as_deref() == Some(at));
            let units = free.get_mut(name).filter(|_| named && there);
            let Some(units) = units else { continue };
            let quantity = rest.min(*units);
            *units -= quantity;
            rest -= quantity;
            if quantity > 0 {
                takes.push(Take { lot: Some(name.clone()), quantity, ..Take::default() });
            }
        }
        if line.lot.is_none() && line.location.is_none() {
            let quantity = u64::try_from(i128::from(rest).min(loose)).expect("not below 0");
            loose -= i128::from(quantity);
            if quantity > 0 {
                takes.push(Take { lot: None, quantity, ..Take::default() });
            }
        }
        given.insert(l, takes);
    }
    given
}
