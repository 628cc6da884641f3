//! The sale: who comes when, what each buyer knows and does next. A buyer who has no answer asks again with the same id.
//! Never here: sockets, the child process, the log.

use crate::load::{Handler, Latency, Line, Pool};
use crate::random::{below, mix};
use crate::resp;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use sumun_wire::State;

const MS: u64 = 1_000_000;
/// Requests in flight on one connection, on average.
const DEPTH: usize = 8;
/// How often a buyer asks who is told that nothing is left; one in a hundred has more patience.
const TRIES: u8 = 3;
const TRIES_OF_PATIENT: u8 = 15;
/// How often the item is looked at.
const LOOK_NS: u64 = 200 * MS;
/// Beyond the ttl: how long holds may take to come free before the sale is called over all the same.
const PATIENCE_NS: u64 = 10_000 * MS;
/// The tag of looking at the item; all others are buyers.
const LOOK: u64 = u64::MAX;

/// What a buyer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing for sure: no answer yet.
    Nothing,
    /// There was nothing left.
    Refused,
    Held,
    Captured,
    Released,
    /// The hold ended by its time.
    Expired,
}

/// What a buyer does with what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Pay,
    ChangeMind,
    Forget,
}

#[derive(Clone, Copy, Debug)]
struct Buyer {
    known: Known,
    tries: u8,
    done: bool,
}

/// An answer that the server has acknowledged: the audit finds each in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Acknowledged {
    pub(super) sequence: u64,
    pub(super) buyer: u32,
    pub(super) known: AcknowledgedState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AcknowledgedState {
    Held,
    Captured,
    Released,
    /// A release that came late: the reservation had expired.
    Expired,
}

/// The item as the server last showed it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) available: u64,
    pub(super) reserved: u64,
    pub(super) captured: u64,
    pub(super) at: u64,
}

#[derive(Debug)]
pub(super) struct Sale {
    mark: String,
    sku: String,
    units: u64,
    sale_ns: u64,
    start: u64,
    buyers: Vec<Buyer>,
    arrived: u32,
    done: u32,
    /// Who has something to send, and since when.
    ready: VecDeque<(u32, u64)>,
    /// Who thinks, until when.
    thinking: BinaryHeap<Reverse<(u64, u32)>>,
    in_flight: usize,
    looking: bool,
    look: Look,
    over_since: Option<u64>,
    pub(super) acknowledged: Vec<Acknowledged>,
    pub(super) counts: Counts,
    pub(super) second: Latency,
    pub(super) surprises: Vec<String>,
    pub(super) child_stirred: bool,
    pub(super) interrupted: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) answers: u64,
    pub(super) sold: u64,
    pub(super) released: u64,
    /// Held, and never heard of again.
    pub(super) forgotten: u64,
    /// Told too late that they had to pay earlier.
    pub(super) expired: u64,
    pub(super) refused: u64,
    pub(super) asked_again: u64,
}

impl Sale {
    pub(super) fn new(buyers: u32, units: u64, sale_ns: u64, mark: &str) -> Sale {
        let buyer = Buyer { known: Known::Nothing, tries: 0, done: false };
        Sale {
            mark: mark.to_owned(),
            sku: format!("sneaker{mark}"),
            units,
            sale_ns,
            start: 0,
            buyers: vec![buyer; buyers as usize],
            arrived: 0,
            done: 0,
            ready: VecDeque::new(),
            thinking: BinaryHeap::new(),
            in_flight: 0,
            looking: false,
            look: Look { available: units, ..Look::default() },
            over_since: None,
            acknowledged: Vec::new(),
            counts: Counts::default(),
            second: Latency::new(),
            surprises: Vec::new(),
            child_stirred: false,
            interrupted: false,
        }
    }

    pub(super) fn begin(&mut self, now: u64) {
        self.start = now;
    }
    pub(super) fn sku(&self) -> &str {
        &self.sku
    }
    pub(super) const fn units(&self) -> u64 {
        self.units
    }
    pub(super) const fn arrived(&self) -> u32 {
        self.arrived
    }
    pub(super) const fn look(&self) -> Look {
        self.look
    }
    pub(super) fn waiting(&self) -> usize {
        self.ready.len() + self.in_flight
    }
    pub(super) fn elapsed(&self, now: u64) -> u64 {
        now.saturating_sub(self.start)
    }
    pub(super) fn known(&self, buyer: u32) -> Known {
        self.buyers[buyer as usize].known
    }
    pub(super) fn size(&self) -> usize {
        self.buyers.len()
    }

    pub(super) fn id(&self, buyer: u32) -> String {
        format!("buyer{}-{buyer}", self.mark)
    }
    /// The buyer that a reservation belongs to.
    pub(super) fn buyer(&self, id: &str) -> Option<u32> {
        let number = id.strip_prefix("buyer")?.strip_prefix(&self.mark)?.strip_prefix('-')?;
        number.parse().ok().filter(|&n: &u32| (n as usize) < self.buyers.len())
    }

    /// When the buyer comes: most of them at once, then fewer and fewer.
    fn arrival(&self, buyer: u32) -> u64 {
        let share = f64::from(buyer) / self.buyers.len() as f64;
        self.start + ((1.0 - (1.0 - share).sqrt()) * self.sale_ns as f64) as u64
    }

    /// Over when everybody knows how it ended and nothing is held any more.
    pub(super) fn is_over(&mut self, now: u64) -> bool {
        if (self.done as usize) < self.buyers.len() {
            return false;
        }
        let since = *self.over_since.get_or_insert(now);
        let free = self.look.reserved == 0 && self.look.at > since;
        free || now > since + super::TTL_MS * MS + PATIENCE_NS
    }

    pub(super) fn wake_at(&self, now: u64) -> u64 {
        let arrival = if (self.arrived as usize) < self.buyers.len() { self.arrival(self.arrived) } else { u64::MAX };
        let thought = self.thinking.peek().map_or(u64::MAX, |Reverse((due, _))| *due);
        // What cannot be sent now waits for an answer, or for the server to come back.
        arrival.min(thought).max(now + MS).min(now + LOOK_NS)
    }

    /// Lets in who has come, wakes who has thought, and sends what there is room for.
    pub(super) fn pump(&mut self, pool: &mut Pool, now: u64) {
        while (self.arrived as usize) < self.buyers.len() && self.arrival(self.arrived) <= now {
            self.ready.push_back((self.arrived, self.arrival(self.arrived)));
            self.arrived += 1;
        }
        while let Some(Reverse((due, buyer))) = self.thinking.peek().copied().filter(|Reverse((due, _))| *due <= now) {
            self.thinking.pop();
            self.ready.push_back((buyer, due));
        }
        if !self.looking && now >= self.look.at + LOOK_NS {
            self.send_look(pool, now);
        }
        let most = pool.size() * DEPTH;
        while self.in_flight < most && !self.ready.is_empty() {
            let Some(mut line) = pool.line() else { return };
            let Some((buyer, meant)) = self.ready.pop_front() else { return };
            self.in_flight += 1;
            line.send(u64::from(buyer), meant, |out| self.write(out, buyer));
        }
    }

    fn send_look(&mut self, pool: &mut Pool, now: u64) {
        let Some(mut line) = pool.line() else { return };
        self.looking = true;
        line.send(LOOK, now, |out| resp::command(out, &["ITEM", &self.sku]));
    }

    fn write(&self, out: &mut Vec<u8>, buyer: u32) {
        let id = self.id(buyer);
        match (self.known(buyer), self.intent(buyer)) {
            (Known::Held, Intent::ChangeMind) => resp::command(out, &["RELEASE", &id]),
            (Known::Held, Intent::Pay | Intent::Forget) => resp::command(out, &["CAPTURE", &id]),
            (Known::Nothing | Known::Refused | Known::Captured | Known::Released | Known::Expired, _) => {
                let ttl = super::TTL_MS.to_string();
                resp::command(out, &["RESERVE", &id, &ttl, "1", &self.sku, "1", "FOR", &id]);
            }
        }
    }

    fn intent(&self, buyer: u32) -> Intent {
        match mix(u64::from(buyer)) % 20 {
            0..=13 => Intent::Pay,
            14..=16 => Intent::ChangeMind,
            _ => Intent::Forget,
        }
    }

    fn think(&mut self, buyer: u32, now: u64, least_ms: u64, most_ms: u64) {
        let chance = mix(u64::from(buyer) ^ now);
        self.thinking.push(Reverse((now + (least_ms + below(chance, most_ms - least_ms)) * MS, buyer)));
    }

    fn learn(&mut self, buyer: u32, known: Known) {
        self.buyers[buyer as usize].known = known;
        match known {
            Known::Nothing | Known::Held => return,
            Known::Refused => self.counts.refused += 1,
            Known::Captured => self.counts.sold += 1,
            Known::Released => self.counts.released += 1,
            Known::Expired => self.counts.expired += 1,
        }
        self.end(buyer);
    }

    fn end(&mut self, buyer: u32) {
        assert!(!self.buyers[buyer as usize].done, "buyer {buyer} has ended before");
        self.buyers[buyer as usize].done = true;
        self.done += 1;
    }

    fn answered(&mut self, buyer: u32, reply: &[u8], now: u64) {
        let state = resp::field(reply, b"state");
        let sequence = resp::field_number(reply, b"sequence");
        let (Some(state), Some(sequence)) = (state, sequence) else {
            return self.surprise(buyer, reply);
        };
        let known = match state {
            b"held" => AcknowledgedState::Held,
            b"captured" => AcknowledgedState::Captured,
            b"released" => AcknowledgedState::Released,
            b"expired" => AcknowledgedState::Expired,
            _ => return self.surprise(buyer, reply),
        };
        self.acknowledge(sequence, buyer, known);
        match known {
            AcknowledgedState::Captured | AcknowledgedState::Released | AcknowledgedState::Expired => {}
            AcknowledgedState::Held => {
                match self.intent(buyer) {
                    Intent::Pay | Intent::ChangeMind => self.think(buyer, now, 50, super::TTL_MS / 2),
                    // Nothing more is heard of them: the hold ends by its time.
                    Intent::Forget => {
                        self.counts.forgotten += 1;
                        self.end(buyer);
                    }
                }
            }
        }
    }

    /// Keeps what the server has acknowledged, and believes it.
    pub(super) fn acknowledge(&mut self, sequence: u64, buyer: u32, known: AcknowledgedState) {
        self.acknowledged.push(Acknowledged { sequence, buyer, known });
        match known {
            AcknowledgedState::Held => self.learn(buyer, Known::Held),
            AcknowledgedState::Captured => self.learn(buyer, Known::Captured),
            AcknowledgedState::Released => self.learn(buyer, Known::Released),
            AcknowledgedState::Expired => self.learn(buyer, Known::Expired),
        }
    }

    fn refused(&mut self, buyer: u32, code: &[u8], reply: &[u8], now: u64) {
        match code {
            b"INSUFFICIENT" => {
                self.buyers[buyer as usize].tries += 1;
                if self.goes_on_trying(buyer) {
                    self.think(buyer, now, 300, 2_500);
                } else {
                    self.learn(buyer, Known::Refused);
                }
            }
            b"EXPIRED" => self.learn(buyer, Known::Expired),
            // Not an answer about the sale: the same request may pass in a moment.
            b"OVERLOADED" | b"LOADING" | b"MISCONF" => {
                self.counts.asked_again += 1;
                self.think(buyer, now, 50, 150);
            }
            _ => self.surprise(buyer, reply),
        }
    }

    /// Holds may end and their units come back, until all are sold.
    fn goes_on_trying(&self, buyer: u32) -> bool {
        let patient = mix(!u64::from(buyer)).is_multiple_of(100);
        let most = if patient { TRIES_OF_PATIENT } else { TRIES };
        self.buyers[buyer as usize].tries < most && self.look.captured < self.units
    }

    /// An answer that no rule of the contract gives here: the audit fails by it.
    fn surprise(&mut self, buyer: u32, reply: &[u8]) {
        self.surprises.push(format!("{} was answered {}", self.id(buyer), reply.escape_ascii()));
        if !self.buyers[buyer as usize].done {
            self.end(buyer);
        }
    }

    fn looked(&mut self, reply: &[u8], now: u64) {
        self.looking = false;
        let figure = |name: &[u8]| resp::field_number(reply, name).unwrap_or(0);
        self.look = match resp::field(reply, b"sku") {
            Some(_) => Look {
                available: figure(b"available"),
                reserved: figure(b"reserved"),
                captured: figure(b"captured"),
                at: now,
            },
            None => self.look,
        };
    }
}

impl Handler for Sale {
    fn opened(&mut self, _line: &mut Line<'_>, _now: u64) {}

    fn reply(&mut self, _line: &mut Line<'_>, tag: u64, meant: u64, reply: &[u8], now: u64) {
        let Ok(buyer) = u32::try_from(tag) else { return self.looked(reply, now) };
        self.in_flight -= 1;
        self.counts.answers += 1;
        self.second.record(now.saturating_sub(meant));
        match resp::error_code(reply) {
            Some(code) => self.refused(buyer, code, reply, now),
            None => self.answered(buyer, reply, now),
        }
    }

    fn lost(&mut self, tag: u64, meant: u64, _now: u64) {
        let Ok(buyer) = u32::try_from(tag) else {
            self.looking = false;
            return;
        };
        self.in_flight -= 1;
        self.counts.asked_again += 1;
        self.ready.push_front((buyer, meant));
    }

    fn other(&mut self, which: usize) {
        match which {
            super::CHILD => self.child_stirred = true,
            _ => self.interrupted = true,
        }
    }
}

impl AcknowledgedState {
    pub(super) const fn state(self) -> State {
        match self {
            AcknowledgedState::Held => State::Held,
            AcknowledgedState::Captured => State::Captured,
            AcknowledgedState::Released => State::Released,
            AcknowledgedState::Expired => State::Expired,
        }
    }
}
