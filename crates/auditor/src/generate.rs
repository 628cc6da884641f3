//! Commands from a seed, over the contract's whole input space, biased to meet each other: few skus, lots and holders,
//! ids sent again with the same and with other content, parts, times near every end. What the model knows steers them,
//! so that every cell of the verb table is reached. The same seed and the same answers give the same commands.
//!
//! Never here: judgement; any randomness but the seed's.

use crate::cell::Stand;
use crate::ledger::Ledger;
use crate::owned::{OwnedCommand, OwnedLine, PartVerb};
use crate::reservation::{Reservation, Take};
use std::collections::VecDeque;
use sumun_wire::limits::{LINES_MAX, QUANTITY_MAX, TTL_MS_MAX};
use sumun_wire::{Allocation, Kind, Limit, Name, State, Timestamp};

mod bad;
mod comeback;
mod recipe;

const SKUS: [&str; 6] = ["apple", "bread", "cheese", "date", "egg", "수문"];
const POINTS: &str = "points";
const LOTS: [&str; 4] = ["l1", "l2", "l3", "l4"];
const PLACES: [&str; 2] = ["north", "south"];
const HOLDERS: [&str; 3] = ["ann", "ben", "cho"];
const WINDOWS_MS: [u64; 6] = [1, 50, 999, 1_000, 60_000, 86_400_000];

/// What comes next: time goes on by so much, then these commands, alone or as one EXEC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub advance_ms: u64,
    pub commands: Vec<OwnedCommand>,
    pub exec: bool,
}

#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    /// Commands of a recipe that are still to come, each with the time that goes by before it.
    script: VecDeque<(u64, OwnedCommand)>,
    names: u64,
    /// How often, in a hundred commands, one comes back to what is forgotten.
    comebacks: u64,
}

/// SplitMix64: small, and good enough to scatter.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }
    #[expect(clippy::should_implement_trait, reason = "an endless source is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// 0 ≤ … < `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }
    /// True so many times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).expect("an index")]
    }
}

impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator { random: Random::new(seed), script: VecDeque::new(), names: 0, comebacks: 0 }
    }

    /// One that often comes back to ids and lots around the moment when they are forgotten. It knows the retention from
    /// the model: give that a short one, a second to a minute, else it waits for days.
    #[must_use]
    pub fn forgetting(mut self) -> Generator {
        self.comebacks = 12;
        self
    }

    /// The next step, given what the model knows.
    pub fn step(&mut self, ledger: &Ledger) -> Step {
        let advance_ms = self.advance(ledger);
        let now = Timestamp(ledger.now.0 + advance_ms);
        let exec = self.random.chance(6);
        let count = if exec { self.random.between(1, 6) } else { 1 };
        let mut commands = Vec::new();
        for nth in 0..count {
            let waits = self.script.front().is_some_and(|(wait_ms, _)| *wait_ms > 0);
            if nth > 0 && waits {
                break;
            }
            commands.push(self.command(ledger, now));
        }
        Step { advance_ms, commands, exec }
    }

    fn advance(&mut self, ledger: &Ledger) -> u64 {
        if let Some((wait_ms, _)) = self.script.front().filter(|(wait_ms, _)| *wait_ms > 0 || self.random.chance(80)) {
            return *wait_ms;
        }
        match self.random.below(1_000) {
            0..380 => 0,
            380..650 => 1,
            650..860 => self.random.between(2, 50),
            860..940 => self.random.between(51, 5_000),
            940..985 => self.until_an_edge(ledger),
            985..996 => self.random.between(10_000, 3_600_000),
            _ => self.random.between(1, 10) * 86_400_000,
        }
    }

    /// To the end of a reservation, a lot or a window, or one millisecond beside it.
    fn until_an_edge(&mut self, ledger: &Ledger) -> u64 {
        let mut edges: Vec<u64> = Vec::new();
        for known in ledger.reservations.values() {
            edges.extend(known.expires_at.filter(|_| known.state == State::Held).map(|at| at.0));
            edges.extend(WINDOWS_MS.iter().map(|window| known.created_at.0 + window));
        }
        edges.extend(
            ledger.items.values().flat_map(|item| item.lots.values()).filter_map(|lot| lot.expires_at).map(|at| at.0),
        );
        edges.retain(|at| *at > ledger.now.0 + 1 && *at < ledger.now.0 + 864_000_000);
        if edges.is_empty() {
            return 1;
        }
        *self.random.pick(&edges) - ledger.now.0 + self.random.below(3) - 1
    }

    fn command(&mut self, ledger: &Ledger, now: Timestamp) -> OwnedCommand {
        if let Some((_, next)) = self.script.pop_front() {
            return next;
        }
        if self.comebacks > 0
            && self.random.chance(self.comebacks)
            && let Some(command) = self.comeback(ledger, now)
        {
            return command;
        }
        let mut command = match self.random.below(100) {
            0..7 => self.configure(ledger),
            7..10 => OwnedCommand::Remove { sku: self.sku() },
            10..24 => self.receive(ledger, now),
            24..31 => self.adjust(ledger),
            31..55 => self.reserve(ledger, now),
            55..67 => self.part(ledger, PartVerb::Capture),
            67..78 => self.part(ledger, PartVerb::Release),
            78..87 => self.part(ledger, PartVerb::Return),
            87..92 => {
                let ttl_ms = self.ttl();
                OwnedCommand::Extend { reservation: self.reservation_id(ledger), ttl_ms }
            }
            92..95 => OwnedCommand::Reservation { id: self.reservation_id(ledger) },
            95..97 => OwnedCommand::Item { sku: self.sku() },
            97..99 => OwnedCommand::Holder { sku: self.sku(), holder: (*self.random.pick(&HOLDERS)).to_owned() },
            _ => return self.recipe(now),
        };
        if self.random.chance(6) {
            self.spoil(&mut command);
        }
        command
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn sku(&mut self) -> String {
        match self.random.below(100) {
            0..3 => "nobody".to_owned(),
            3..10 => POINTS.to_owned(),
            _ => (*self.random.pick(&SKUS)).to_owned(),
        }
    }

    fn quantity(&mut self) -> u64 {
        match self.random.below(100) {
            0..80 => self.random.between(1, 4),
            80..97 => self.random.between(5, 40),
            97..99 => 1_000_000,
            _ => QUANTITY_MAX,
        }
    }

    fn ttl(&mut self) -> u64 {
        match self.random.below(10) {
            0..3 => self.random.between(1, 30),
            3..6 => self.random.between(100, 5_000),
            6..9 => self.random.between(10_000, 86_400_000),
            _ => TTL_MS_MAX,
        }
    }

    fn reservation_id(&mut self, ledger: &Ledger) -> String {
        if self.random.chance(4) {
            return self.fresh("r");
        }
        match self.reservation(ledger) {
            Some(known) => known.id.to_string(),
            None => self.fresh("r"),
        }
    }

    /// One of those known: each way to stand is as likely as another, young ones likelier than old ones.
    fn reservation<'a>(&mut self, ledger: &'a Ledger) -> Option<&'a Reservation> {
        use Stand::{Captured, Expired, Held, PartlyExpired, PartlyReleased, Released, Tombstone};
        let mut stands =
            vec![Held, Held, Held, Held, Captured, PartlyReleased, PartlyExpired, Released, Expired, Tombstone];
        stands.retain(|stand| ledger.reservations.values().any(|known| known.stand() == *stand));
        if stands.is_empty() {
            return None;
        }
        let stand = *self.random.pick(&stands);
        let mut all: Vec<&Reservation> = ledger.reservations.values().filter(|r| r.stand() == stand).collect();
        all.sort_by_key(|known| std::cmp::Reverse(known.sequence));
        if self.random.chance(70) {
            all.truncate(12);
        }
        Some(*self.random.pick(&all))
    }

    fn configure(&mut self, ledger: &Ledger) -> OwnedCommand {
        let mut sku = self.sku();
        if self.random.chance(10) {
            sku = self.fresh("sku");
        }
        let known = ledger.items.get(sku.as_str());
        if let Some(known) = known.filter(|_| self.random.chance(15)) {
            let settings = known.settings.clone();
            return OwnedCommand::Configure {
                sku,
                kind: None,
                safety_stock: settings.safety_stock,
                backorder_limit: settings.backorder_limit,
                limit: settings.limit,
                allocation: settings.allocation,
                metadata: settings.metadata,
            };
        }
        let points = sku == POINTS;
        let kind = match self.random.below(10) {
            0 => Some(Kind::Stock),
            1 => Some(Kind::Points),
            _ => points.then_some(Kind::Points),
        };
        let stock = !points || self.random.chance(10);
        let window_ms = self.random.chance(60).then(|| *self.random.pick(&WINDOWS_MS));
        let limit = Limit { quantity: self.random.between(1, 9), window_ms };
        OwnedCommand::Configure {
            sku,
            kind,
            safety_stock: if stock && self.random.chance(25) { self.random.between(1, 5) } else { 0 },
            backorder_limit: if stock && self.random.chance(20) { self.random.between(1, 6) } else { 0 },
            limit: self.random.chance(45).then_some(limit),
            allocation: if self.random.chance(30) { Allocation::Fifo } else { Allocation::Fefo },
            metadata: self.random.chance(10).then(|| "{\"colour\":\"red\"}".to_owned()),
        }
    }

    fn receive(&mut self, ledger: &Ledger, now: Timestamp) -> OwnedCommand {
        let sku = if self.random.chance(4) { self.fresh("sku") } else { self.sku() };
        let mut quantity = self.quantity();
        let with_lot = sku != POINTS && self.random.chance(55) || self.random.chance(3);
        let mut lot = with_lot.then(|| (*self.random.pick(&LOTS)).to_owned());
        if with_lot && self.random.chance(15) {
            lot = Some(self.fresh("lot"));
        }
        let known = lot.as_ref().and_then(|lot| ledger.items.get(sku.as_str())?.lots.get(lot.as_str()));
        let dated = with_lot && self.random.chance(60);
        let mut expires_at = dated.then(|| self.soon(now));
        let mut location = (with_lot && self.random.chance(40)).then(|| (*self.random.pick(&PLACES)).to_owned());
        if let Some(known) = known.filter(|_| self.random.chance(85)) {
            expires_at = known.expires_at.filter(|_| self.random.chance(50));
            location = known.location.as_ref().filter(|_| self.random.chance(50)).map(ToString::to_string);
        }
        let mut movement = self.fresh("m");
        if let Some((id, old)) = self.old_movement(ledger, &sku) {
            movement = id;
            if self.random.chance(60) && old.received {
                quantity = old.amount.unsigned_abs();
                lot = old.lot.map(|lot| lot.to_string());
                expires_at = old.expires_at;
                location = old.location.map(|at| at.to_string());
            }
        }
        OwnedCommand::Receive { sku, quantity, movement: Some(movement), lot, expires_at, location }
    }

    fn soon(&mut self, now: Timestamp) -> Timestamp {
        match self.random.below(10) {
            0 => Timestamp(now.0.saturating_sub(self.random.below(5))),
            1..4 => Timestamp(now.0 + self.random.between(1, 100)),
            4..8 => Timestamp(now.0 + self.random.between(100, 100_000)),
            _ => Timestamp(now.0 + self.random.between(1, 20) * 86_400_000),
        }
    }

    fn old_movement(&mut self, ledger: &Ledger, sku: &str) -> Option<(String, crate::item::MovementContent)> {
        let item = ledger.items.get(sku).filter(|item| !item.movements.is_empty() && self.random.chance(12))?;
        let all: Vec<_> = item.movements.iter().collect();
        let (id, movement) = *self.random.pick(&all);
        Some((id.to_string(), movement.content.clone()))
    }

    fn adjust(&mut self, ledger: &Ledger) -> OwnedCommand {
        let sku = self.sku();
        let known = ledger.items.get(sku.as_str());
        let on_hand = known.map_or(0, |item| item.on_hand());
        let mut delta = match self.random.below(10) {
            0 => -on_hand,
            1..4 => i64::try_from(self.random.between(1, 9)).expect("small"),
            _ => -i64::try_from(self.random.between(1, 6)).expect("small"),
        };
        let mut reason = "count".to_owned();
        let mut lot = self.random.chance(30).then(|| (*self.random.pick(&LOTS)).to_owned());
        let mut movement = self.fresh("m");
        if let Some((id, old)) = self.old_movement(ledger, &sku) {
            movement = id;
            if self.random.chance(60) && !old.received {
                delta = old.amount;
                lot = old.lot.map(|lot| lot.to_string());
                reason = old.reason.map_or(reason, |reason| reason.to_string());
            }
        }
        OwnedCommand::Adjust { sku, delta, reason, movement: Some(movement), lot }
    }

    fn reserve(&mut self, ledger: &Ledger, now: Timestamp) -> OwnedCommand {
        let again = if self.random.chance(22) { self.reservation(ledger) } else { None };
        if let Some(known) = again {
            let mut command = again_as(known);
            if let OwnedCommand::Reserve { ttl_ms, lines, holder, capture, .. } = &mut command {
                *ttl_ms = Some(self.ttl());
                if lines.is_empty() {
                    lines.push(OwnedLine { sku: self.sku(), quantity: 1, ..OwnedLine::default() });
                    *capture = self.random.chance(50);
                }
                let last = lines.len() - 1;
                match self.random.below(10) {
                    0 => *capture = !*capture,
                    1 => *holder = Some("dan".to_owned()),
                    2 => lines[0].quantity += 1,
                    3..6 => lines.swap(0, last),
                    _ => {}
                }
            }
            return command;
        }
        let count = match self.random.below(100) {
            0..60 => 1,
            60..97 => self.random.between(2, 5),
            _ => LINES_MAX as u64,
        };
        let one = self.random.chance(25).then(|| self.sku());
        let lines = (0..count).map(|_| OwnedLine {
            sku: one.clone().unwrap_or_else(|| self.sku()),
            quantity: self.quantity(),
            lot: self.random.chance(15).then(|| (*self.random.pick(&LOTS)).to_owned()),
            location: self.random.chance(12).then(|| (*self.random.pick(&PLACES)).to_owned()),
        });
        let lines = lines.collect();
        let capture = self.random.chance(18);
        let ttl_ms = if capture && self.random.chance(50) { None } else { Some(self.ttl()) };
        OwnedCommand::Reserve {
            reservation: self.fresh("r"),
            ttl_ms,
            lines,
            holder: self.random.chance(75).then(|| (*self.random.pick(&HOLDERS)).to_owned()),
            needed_until: self.random.chance(15).then(|| self.soon(now)),
            capture,
        }
    }

    fn part(&mut self, ledger: &Ledger, verb: PartVerb) -> OwnedCommand {
        let known = if self.random.chance(96) { self.reservation(ledger) } else { None };
        let Some(known) = known else {
            let reservation = self.fresh("r");
            let lines = self.random.chance(40).then(|| vec![(self.sku(), 1)]);
            let id = (lines.is_some() || verb == PartVerb::Return || self.random.chance(40)).then(|| self.fresh("p"));
            return OwnedCommand::Part { verb, reservation, id, lines };
        };
        let reservation = known.id.to_string();
        let kept: Vec<_> = known.kept.get(&verb).into_iter().flatten().collect();
        if !kept.is_empty() && self.random.chance(35) {
            let (id, content) = *self.random.pick(&kept);
            let mut lines: Option<Vec<(String, u64)>> =
                content.as_ref().map(|c| c.iter().rev().map(|(sku, q)| (sku.to_string(), *q)).collect());
            if self.random.chance(25) {
                lines = if lines.is_some() { None } else { Some(vec![(self.sku(), 1)]) };
            }
            return OwnedCommand::Part { verb, reservation, id: Some(id.to_string()), lines };
        }
        let lines = self.random.chance(65).then(|| self.part_lines(known, verb));
        let named = lines.is_some() || verb == PartVerb::Return || self.random.chance(40);
        OwnedCommand::Part { verb, reservation, id: named.then(|| self.fresh("p")), lines }
    }

    fn part_lines(&mut self, known: &Reservation, verb: PartVerb) -> Vec<(String, u64)> {
        if known.lines.is_empty() || self.random.chance(4) {
            return vec![(self.sku(), 1)];
        }
        let count = self.random.between(1, 2);
        let mut lines = Vec::new();
        let own: Vec<&Name> = known.lines.iter().map(|line| &line.sku).collect();
        for _ in 0..count {
            let sku = (*self.random.pick(&own)).to_string();
            let left = known.sum_of(&sku, |take: &Take| take.left(verb));
            let most = left + u64::from(self.random.chance(10));
            let quantity = if self.random.chance(35) { most.max(1) } else { self.random.between(1, most.max(1)) };
            lines.push((sku, quantity));
        }
        lines
    }
}

/// The reserve that made it, but for its ttl.
fn again_as(known: &Reservation) -> OwnedCommand {
    let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
    OwnedCommand::Reserve {
        reservation: known.id.to_string(),
        ttl_ms: None,
        lines: known
            .lines
            .iter()
            .map(|line| OwnedLine {
                sku: line.sku.to_string(),
                quantity: line.quantity,
                lot: text(&line.lot),
                location: text(&line.location),
            })
            .collect(),
        holder: text(&known.holder),
        needed_until: known.needed_until,
        capture: known.capture,
    }
}
