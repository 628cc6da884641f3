//! The contract in small: stock without lots, limits without a window, reservations and their parts. One command in one
//! state gives the states that it may lead to, if it was answered as the contract says; none: not in this state.
//!
//! The model knows no clock. Where time decides it is given what is known of the moment (`Window`), and allows what
//! some moment of it allows.

use super::CLOCKS_APART_MS_MAX;
use super::answers::{begin, number, refused, refused_short};
use super::names::{Ask, Lines, Said, State, Verb};
use siphasher::sip128::{Hasher128, SipHasher13};
use smallvec::SmallVec;
use std::hash::Hash;

pub(super) const HOLDERS_MAX: usize = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Item {
    /// 0: there is none.
    pub(super) version: u32,
    pub(super) limit: Option<u32>,
    pub(super) received: u32,
    pub(super) returned: u32,
    pub(super) captured: u32,
    pub(super) reserved: u32,
    /// Held, and captured less returned.
    pub(super) used: [u32; HOLDERS_MAX],
}

/// When a reservation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Until {
    Never,
    At(u64),
    /// It was never said; not before this, nor so much after whatever moment it is seen at.
    NotBefore(u64, u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) sku: usize,
    pub(super) quantity: u32,
    pub(super) captured: u32,
    pub(super) released: u32,
    pub(super) expired: u32,
    pub(super) returned: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kept {
    verb: Verb,
    part: usize,
    content: Option<Lines>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reservation {
    pub(super) state: State,
    pub(super) ended: Option<State>,
    pub(super) tombstone: bool,
    capture: bool,
    pub(super) holder: Option<usize>,
    pub(super) until: Until,
    pub(super) version: u32,
    pub(super) lines: SmallVec<[Line; 2]>,
    kept: SmallVec<[Kept; 2]>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cell {
    Item(Item),
    Reservation(Option<Box<Reservation>>),
    /// Quantity, and the first answer.
    Movement(Option<(u32, i64)>),
}

/// Items, then reservations, then movements.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    cells: Vec<Cell>,
    pub(super) skus: usize,
    pub(super) reservations: usize,
    pub(super) hash: u128,
}

/// New contents of cells; the old ones, once they were swapped in.
pub(super) type Change = SmallVec<[(usize, Cell); 2]>;

/// What is known of the moment of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) sent_ms: u64,
    pub(super) answered_ms: u64,
    /// The first answer that is still open, this command's included: the moment is not later.
    pub(super) latest_ms: u64,
}

fn hash_of(at: usize, cell: &Cell) -> u128 {
    let mut hasher = SipHasher13::new();
    at.hash(&mut hasher);
    cell.hash(&mut hasher);
    hasher.finish128().as_u128()
}

impl Ledger {
    pub(super) fn new(skus: usize, reservations: usize, movements: usize) -> Ledger {
        let mut cells = vec![Cell::Item(Item::default()); skus];
        cells.extend(std::iter::repeat_n(Cell::Reservation(None), reservations));
        cells.extend(std::iter::repeat_n(Cell::Movement(None), movements));
        Ledger { cells, skus, reservations, hash: 0 }
    }

    /// Swaps the contents in; the change then takes them out again.
    pub(super) fn swap(&mut self, change: &mut Change) {
        for (at, cell) in change {
            self.hash ^= hash_of(*at, &self.cells[*at]) ^ hash_of(*at, cell);
            std::mem::swap(&mut self.cells[*at], cell);
        }
    }

    fn reservation(&self, id: usize) -> Option<&Reservation> {
        match &self.cells[self.skus + id] {
            Cell::Reservation(known) => known.as_deref(),
            Cell::Item(_) | Cell::Movement(_) => unreachable!("reservations follow the items"),
        }
    }

    pub(super) fn cell(&self, at: usize) -> &Cell {
        &self.cells[at]
    }

    /// Reservations that may have ended by now, and the change that it would be.
    pub(super) fn ends(&self, latest_ms: u64) -> Vec<(usize, Change)> {
        (0..self.reservations).filter_map(|id| Some((id, self.end(id, latest_ms)?))).collect()
    }

    /// The change that an end by now would be, if there may be one.
    pub(super) fn end(&self, id: usize, latest_ms: u64) -> Option<Change> {
        self.reservation(id).filter(|known| known.may_be_due(latest_ms))?;
        let mut draft = Draft { ledger: self, change: Change::new() };
        draft.end(id);
        Some(draft.change)
    }

    /// What the command may do here if it was answered so.
    pub(super) fn outcomes(&self, ask: &Ask, said: &Said, window: Window) -> SmallVec<[Change; 2]> {
        let named = match ask {
            Ask::Reserve { id, .. } | Ask::Part { id, .. } | Ask::Extend { id, .. } | Ask::Reservation { id } => {
                self.reservation(*id).map(|known| (*id, known))
            }
            Ask::Configure { .. } | Ask::Receive { .. } | Ask::Item { .. } => None,
        };
        let mut outcomes = SmallVec::new();
        let mut attempt = |ended: Option<usize>, moves: bool| {
            let mut draft = Draft { ledger: self, change: Change::new() };
            if let Some(id) = ended {
                draft.end(id);
            }
            if draft.carry_out(ask, said, window, moves) {
                draft.change.retain(|(at, cell)| self.cells[*at] != *cell);
                if !outcomes.contains(&draft.change) {
                    outcomes.push(draft.change);
                }
            }
        };
        if named.is_none_or(|(_, known)| known.may_run(window.sent_ms)) {
            attempt(None, true);
            if matches!(ask, Ask::Extend { .. }) {
                attempt(None, false);
            }
        }
        // A command sees the end of what it names.
        if let Some((id, _)) = named.filter(|(_, known)| known.may_be_due(window.latest_ms)) {
            attempt(Some(id), true);
        }
        outcomes
    }
}

impl Reservation {
    fn may_be_due(&self, latest_ms: u64) -> bool {
        let by = latest_ms.saturating_add(CLOCKS_APART_MS_MAX);
        self.state == State::Held
            && match self.until {
                Until::Never => false,
                Until::At(at) | Until::NotBefore(at, _) => at <= by,
            }
    }

    /// Whether it may not have ended yet when a command was sent at that time.
    fn may_run(&self, sent_ms: u64) -> bool {
        match self.until {
            Until::At(at) if self.state == State::Held => sent_ms < at + CLOCKS_APART_MS_MAX,
            Until::At(_) | Until::Never | Until::NotBefore(..) => true,
        }
    }

    fn left(&self, verb: Verb, sku: usize) -> u32 {
        self.lines.iter().filter(|line| line.sku == sku).map(|line| line.left(verb)).sum()
    }

    fn captured(&self) -> u32 {
        self.lines.iter().map(|line| line.captured).sum()
    }

    fn error(&self) -> &'static str {
        match self.ended {
            Some(State::Captured) => "CAPTURED",
            Some(State::Expired) => "EXPIRED",
            Some(State::Released | State::Held | State::PartiallyCaptured) | None => "RELEASED",
        }
    }

    fn settle(&mut self, how: State) {
        if self.lines.iter().any(|line| line.held() > 0) {
            return;
        }
        self.ended = Some(how);
        self.state = if how != State::Captured && self.captured() > 0 { State::PartiallyCaptured } else { how };
    }
}

impl Line {
    fn held(&self) -> u32 {
        self.quantity - self.captured - self.released - self.expired
    }

    fn left(&self, verb: Verb) -> u32 {
        match verb {
            Verb::Capture | Verb::Release => self.held(),
            Verb::Return => self.captured - self.returned,
        }
    }
}

impl Item {
    pub(super) fn on_hand(&self) -> i64 {
        i64::from(self.received) + i64::from(self.returned) - i64::from(self.captured)
    }

    pub(super) fn available(&self) -> i64 {
        (self.on_hand() - i64::from(self.reserved)).max(0)
    }
}

/// A state with some of its cells written anew.
pub(super) struct Draft<'a> {
    ledger: &'a Ledger,
    change: Change,
}

impl Draft<'_> {
    fn cell(&self, at: usize) -> &Cell {
        self.change.iter().find(|(there, _)| *there == at).map_or(&self.ledger.cells[at], |(_, cell)| cell)
    }

    fn cell_mut(&mut self, at: usize) -> &mut Cell {
        let place = self.change.iter().position(|(there, _)| *there == at).unwrap_or_else(|| {
            self.change.push((at, self.ledger.cells[at].clone()));
            self.change.len() - 1
        });
        &mut self.change[place].1
    }

    pub(super) fn item(&self, sku: usize) -> &Item {
        match self.cell(sku) {
            Cell::Item(item) => item,
            Cell::Reservation(_) | Cell::Movement(_) => unreachable!("items come first"),
        }
    }

    fn item_mut(&mut self, sku: usize) -> &mut Item {
        match self.cell_mut(sku) {
            Cell::Item(item) => item,
            Cell::Reservation(_) | Cell::Movement(_) => unreachable!("items come first"),
        }
    }

    pub(super) fn known(&self, id: usize) -> Option<&Reservation> {
        match self.cell(self.ledger.skus + id) {
            Cell::Reservation(known) => known.as_deref(),
            Cell::Item(_) | Cell::Movement(_) => unreachable!("reservations follow the items"),
        }
    }

    pub(super) fn known_mut(&mut self, id: usize) -> &mut Option<Box<Reservation>> {
        match self.cell_mut(self.ledger.skus + id) {
            Cell::Reservation(known) => known,
            Cell::Item(_) | Cell::Movement(_) => unreachable!("reservations follow the items"),
        }
    }

    /// `moves`: of an extend of which the time does not show whether it moved the end, try that it did.
    fn carry_out(&mut self, ask: &Ask, said: &Said, window: Window, moves: bool) -> bool {
        match ask {
            Ask::Configure { sku, limit } => self.configure(*sku, *limit, said),
            Ask::Receive { sku, quantity, movement } => self.receive(*sku, *quantity, *movement, said),
            Ask::Reserve { .. } => self.reserve(ask, said, window),
            Ask::Part { verb, id, lines, part } => self.part(*verb, *id, lines.as_ref(), *part, said, window),
            Ask::Extend { id, ttl_ms } => self.extend(*id, *ttl_ms, said, window, moves),
            Ask::Item { sku } => self.read_item(*sku, said),
            Ask::Reservation { id } => self.read_reservation(*id, said, window),
        }
    }

    fn configure(&mut self, sku: usize, limit: Option<u32>, said: &Said) -> bool {
        let item = self.item(sku);
        if item.version == 0 || item.limit != limit {
            let item = self.item_mut(sku);
            item.limit = limit;
            item.version += 1;
        }
        number(said, self.item(sku).available())
    }

    fn receive(&mut self, sku: usize, quantity: u32, movement: usize, said: &Said) -> bool {
        let at = self.ledger.skus + self.ledger.reservations + movement;
        match self.cell(at) {
            Cell::Movement(Some((same, first))) if *same == quantity => {
                let first = *first;
                return self.moved(sku, said, first, true);
            }
            Cell::Movement(Some(_)) => return refused(said, "CONFLICT", ""),
            Cell::Movement(None) | Cell::Item(_) | Cell::Reservation(_) => {}
        }
        let item = self.item_mut(sku);
        // An unknown sku is configured first.
        item.version += if item.version == 0 { 2 } else { 1 };
        item.received += quantity;
        let available = item.available();
        *self.cell_mut(at) = Cell::Movement(Some((quantity, available)));
        self.moved(sku, said, available, false)
    }

    fn reserve(&mut self, ask: &Ask, said: &Said, window: Window) -> bool {
        let Ask::Reserve { id, ttl_ms, lines, holder, capture } = ask else { return false };
        if let Some(known) = self.known(*id) {
            let mut wanted: Lines = lines.clone();
            let mut own: Lines = known.lines.iter().map(|line| (line.sku, line.quantity)).collect();
            wanted.sort_unstable();
            own.sort_unstable();
            return match known.state {
                _ if known.tombstone => refused(said, known.error(), ""),
                _ if own != wanted || known.holder != *holder || known.capture != *capture => {
                    refused(said, "CONFLICT", "")
                }
                State::Held | State::Captured => self.outcome(*id, said, window, true),
                State::PartiallyCaptured | State::Released | State::Expired => refused(said, known.error(), ""),
            };
        }
        if let Some((word, facts)) = self.lacks(lines, *holder) {
            return facts.map_or_else(|| refused(said, word, ""), |facts| refused_short(said, word, facts));
        }
        for (sku, quantity) in lines {
            let item = self.item_mut(*sku);
            item.version += 1;
            if *capture {
                item.captured += quantity;
            } else {
                item.reserved += quantity;
            }
            if let Some(holder) = holder {
                item.used[*holder] += quantity;
            }
        }
        let line = |(sku, quantity): &(usize, u32)| {
            let captured = if *capture { *quantity } else { 0 };
            Line { sku: *sku, quantity: *quantity, captured, released: 0, expired: 0, returned: 0 }
        };
        let Some(until) = begin(*capture, *ttl_ms, said, window) else { return false };
        *self.known_mut(*id) = Some(Box::new(Reservation {
            state: if *capture { State::Captured } else { State::Held },
            ended: capture.then_some(State::Captured),
            tombstone: false,
            capture: *capture,
            holder: *holder,
            until,
            version: 1,
            lines: lines.iter().map(line).collect(),
            kept: SmallVec::new(),
        }));
        self.outcome(*id, said, window, false)
    }

    /// What a reserve is refused for: the word, and what was wanted and could have been had.
    fn lacks(&self, lines: &Lines, holder: Option<usize>) -> Option<(&'static str, Option<(u32, i64)>)> {
        if lines.iter().any(|(sku, _)| self.item(*sku).version == 0) {
            return Some(("NOTFOUND", None));
        }
        let limited = |sku: usize| self.item(sku).limit.map(|limit| (limit, self.item(sku).used));
        if holder.is_none() && lines.iter().any(|(sku, _)| limited(*sku).is_some()) {
            return Some(("INVALID", None));
        }
        for (sku, quantity) in lines {
            if let (Some((limit, used)), Some(holder)) = (limited(*sku), holder) {
                let left = limit.saturating_sub(used[holder]);
                if *quantity > left {
                    return Some(("LIMIT", Some((*quantity, i64::from(left)))));
                }
            }
        }
        let short = lines.iter().find(|(sku, quantity)| i64::from(*quantity) > self.item(*sku).available())?;
        Some(("INSUFFICIENT", Some((short.1, self.item(short.0).available()))))
    }

    fn part(
        &mut self,
        verb: Verb,
        id: usize,
        lines: Option<&Lines>,
        part: Option<usize>,
        said: &Said,
        window: Window,
    ) -> bool {
        let content = lines.map(|lines| {
            let mut content = lines.clone();
            content.sort_unstable();
            content
        });
        let Some(known) = self.known(id) else {
            if verb == Verb::Release && lines.is_none() {
                self.bury(id, part);
                return self.outcome(id, said, window, false);
            }
            return refused(said, "NOTFOUND", "");
        };
        if let Some(kept) = known.kept.iter().find(|kept| kept.verb == verb && Some(kept.part) == part) {
            return if kept.content == content {
                self.outcome(id, said, window, true)
            } else {
                refused(said, "CONFLICT", "")
            };
        }
        match (verb, known.state, &content) {
            (_, State::Held, _) => {}
            (Verb::Return, _, _) if known.captured() > 0 => {}
            (Verb::Capture, State::Captured, None)
            | (Verb::Release, State::Released | State::Expired | State::PartiallyCaptured, None) => {
                return self.outcome(id, said, window, true);
            }
            (Verb::Capture | Verb::Release | Verb::Return, _, _) => return refused(said, known.error(), ""),
        }
        match lines {
            None if known.lines.iter().all(|line| line.left(verb) == 0) => return refused(said, "EXCEEDS", ""),
            None => {}
            Some(lines) => {
                if let Some((sku, quantity)) = lines.iter().find(|(sku, quantity)| *quantity > known.left(verb, *sku)) {
                    return refused_short(said, "EXCEEDS", (*quantity, i64::from(known.left(verb, *sku))));
                }
            }
        }
        self.take(verb, id, lines);
        let known = self.known_mut(id).as_mut().expect("it was just seen");
        match verb {
            Verb::Capture => known.settle(State::Captured),
            Verb::Release => known.settle(State::Released),
            Verb::Return => {}
        }
        known.kept.extend(part.map(|part| Kept { verb, part, content }));
        self.outcome(id, said, window, false)
    }

    /// Moves the units of the reservation's lines, and its own and its items' counts of events.
    fn take(&mut self, verb: Verb, id: usize, lines: Option<&Lines>) {
        let known = self.known_mut(id).as_mut().expect("the caller has seen it");
        known.version += 1;
        let holder = known.holder;
        let mut moved: SmallVec<[(usize, u32); 2]> = SmallVec::new();
        for line in &mut known.lines {
            let asked =
                |lines: &Lines| lines.iter().find(|(sku, _)| *sku == line.sku).map_or(0, |(_, quantity)| *quantity);
            let quantity = lines.map_or(line.left(verb), asked);
            match verb {
                Verb::Capture => line.captured += quantity,
                Verb::Release => line.released += quantity,
                Verb::Return => line.returned += quantity,
            }
            moved.push((line.sku, quantity));
        }
        for (sku, quantity) in moved.into_iter().filter(|(_, quantity)| *quantity > 0) {
            let item = self.item_mut(sku);
            item.version += 1;
            match verb {
                Verb::Capture => {
                    item.reserved -= quantity;
                    item.captured += quantity;
                }
                Verb::Release => item.reserved -= quantity,
                Verb::Return => item.returned += quantity,
            }
            if let (Verb::Release | Verb::Return, Some(holder)) = (verb, holder) {
                item.used[holder] -= quantity;
            }
        }
    }

    /// The end by time.
    fn end(&mut self, id: usize) {
        self.take(Verb::Release, id, None);
        let before: SmallVec<[u32; 2]> =
            self.ledger.reservation(id).into_iter().flat_map(|known| &known.lines).map(|line| line.released).collect();
        let known = self.known_mut(id).as_mut().expect("the caller has seen it");
        for (line, released) in known.lines.iter_mut().zip(before) {
            line.expired = line.released - released;
            line.released = released;
        }
        known.settle(State::Expired);
    }

    /// A release that comes before its reserve.
    fn bury(&mut self, id: usize, part: Option<usize>) {
        let kept = part.map(|part| Kept { verb: Verb::Release, part, content: None });
        *self.known_mut(id) = Some(Box::new(Reservation {
            state: State::Released,
            ended: Some(State::Released),
            tombstone: true,
            capture: false,
            holder: None,
            until: Until::Never,
            version: 1,
            lines: SmallVec::new(),
            kept: kept.into_iter().collect(),
        }));
    }

    fn extend(&mut self, id: usize, ttl_ms: u64, said: &Said, window: Window, moves: bool) -> bool {
        let Some(known) = self.known(id) else { return refused(said, "NOTFOUND", "") };
        if known.state != State::Held {
            return refused(said, known.error(), "");
        }
        let old = known.until;
        if moves {
            let Some(until) = begin(false, ttl_ms, said, window) else { return false };
            let later = match (old, until) {
                (Until::At(old), Until::At(new)) => new > old,
                (Until::At(old), Until::NotBefore(..)) => window.answered_ms.saturating_add(ttl_ms) > old,
                (Until::NotBefore(old, _), Until::At(new)) => new > old,
                (Until::NotBefore(..), Until::NotBefore(..)) => true,
                (Until::Never, _) | (_, Until::Never) => false,
            };
            if !later {
                return false;
            }
            let known = self.known_mut(id).as_mut().expect("it was just seen");
            known.version += 1;
            known.until = match (old, until) {
                (Until::At(old), Until::NotBefore(new, ttl)) => Until::NotBefore(old.max(new), ttl),
                (Until::NotBefore(old, one), Until::NotBefore(new, other)) => {
                    Until::NotBefore(old.max(new), one.max(other))
                }
                (Until::At(_) | Until::NotBefore(..) | Until::Never, new) => new,
            };
        } else if let Until::At(old) = old
            && (window.sent_ms + ttl_ms).saturating_sub(CLOCKS_APART_MS_MAX) > old
        {
            // It must have moved.
            return false;
        }
        self.outcome(id, said, window, false)
    }
}
