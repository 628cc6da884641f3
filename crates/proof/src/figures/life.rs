//! The whole life of reservations, as a load: most are captured, some of these come back, some are given up, some are
//! left to end; units come in meanwhile.

use super::drive::{Next, Work};
use super::spread::{Spread, Zipf, scatter};
use super::words::{self, Decimal, command, id, sku};
use super::work::unexpected;
use std::collections::VecDeque;

const SERIES: u8 = 20;
const RECEIPTS: u8 = 21;
/// How long a reservation is held before it is captured or given up, and how long after that some comes back.
const HELD_NS: u64 = 500_000_000;
const KEPT_NS: u64 = 1_000_000_000;
const TTL_MS: u64 = 60_000;
/// Of those that are left to end.
const TTL_SHORT_MS: u64 = 2_000;
/// Of a hundred reservations: captured, given up; the rest is left to end.
const CAPTURED: u64 = 60;
const GIVEN_UP: u64 = 20;
/// Of a hundred that were captured.
const RETURNED: u64 = 8;
/// One of so many new commands is a receipt.
const RECEIPT_EVERY: u64 = 25;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Reserve,
    Capture,
    Release,
    Return,
    Receive,
}

impl Verb {
    const ALL: [Verb; 5] = [Verb::Reserve, Verb::Capture, Verb::Release, Verb::Return, Verb::Receive];

    /// The verb and the reservation of a command's number.
    fn of(number: u64) -> (Verb, u64) {
        (Verb::ALL[(number & 7) as usize], number >> 3)
    }

    const fn number(self, n: u64) -> u64 {
        n << 3 | self as u64
    }
}

/// What an item must show, as acknowledged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) captured: u32,
    pub(super) returned: u32,
}

pub(super) struct Life {
    spread: Spread,
    next: u64,
    now_ns: u64,
    /// What follows, each in the order of its time.
    to_end: VecDeque<(u64, u64)>,
    to_return: VecDeque<(u64, u64)>,
    sums: Vec<Sums>,
}

impl Life {
    pub(super) fn new(items: u64) -> Life {
        Life {
            spread: Spread::Zipf(Zipf::new(items, 0.99)),
            next: 0,
            now_ns: 0,
            to_end: VecDeque::new(),
            to_return: VecDeque::new(),
            sums: vec![Sums::default(); usize::try_from(items).expect("items fit into memory")],
        }
    }

    pub(super) fn sums(&self) -> impl Iterator<Item = Sums> {
        self.sums.iter().copied()
    }

    fn item(&self, n: u64) -> u64 {
        self.spread.item(u64::from(SERIES) << 56, n)
    }

    fn is_left(n: u64) -> bool {
        Life::fate(n) >= CAPTURED + GIVEN_UP
    }

    fn fate(n: u64) -> u64 {
        scatter(n ^ 0x11fe) % 100
    }
}

impl Work for Life {
    fn next(&mut self, now_ns: u64) -> Next {
        self.now_ns = now_ns;
        for waiting in [&mut self.to_return, &mut self.to_end] {
            if let Some((_, number)) = waiting.pop_front_if(|(due, _)| *due <= now_ns) {
                return Next::Say(number);
            }
        }
        self.next += 1;
        let verb = if self.next.is_multiple_of(RECEIPT_EVERY) { Verb::Receive } else { Verb::Reserve };
        Next::Say(verb.number(self.next))
    }

    fn write(&self, number: u64, out: &mut Vec<u8>) {
        let (verb, n) = Verb::of(number);
        let name = id(SERIES, n);
        match verb {
            Verb::Reserve => {
                words::reserve(out, &name, if Life::is_left(n) { TTL_SHORT_MS } else { TTL_MS }, self.item(n));
            }
            Verb::Capture => words::capture(out, &name),
            Verb::Release => command(out, &[b"RELEASE", &name]),
            Verb::Return => command(out, &[b"RETURN", &name, b"ID", b"back"]),
            Verb::Receive => {
                let one = Decimal::new(1);
                command(out, &[b"RECEIVE", &sku(self.item(n)), one.as_bytes(), b"ID", &id(RECEIPTS, n)]);
            }
        }
    }

    fn answered(&mut self, number: u64, reply: &[u8]) -> Result<(), String> {
        let (verb, n) = Verb::of(number);
        if reply.first() != Some(&if verb == Verb::Receive { b':' } else { b'*' }) {
            return Err(format!("{verb:?}: {}", unexpected(n, reply)));
        }
        let item = usize::try_from(self.item(n)).map_err(|error| error.to_string())?;
        match verb {
            Verb::Reserve if Life::is_left(n) => {}
            Verb::Reserve => {
                let then = if Life::fate(n) < CAPTURED { Verb::Capture } else { Verb::Release };
                self.to_end.push_back((self.now_ns + HELD_NS, then.number(n)));
            }
            Verb::Capture => {
                self.sums[item].captured += 1;
                if scatter(n) % 100 < RETURNED {
                    self.to_return.push_back((self.now_ns + KEPT_NS, Verb::Return.number(n)));
                }
            }
            Verb::Return => self.sums[item].returned += 1,
            Verb::Release | Verb::Receive => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reserved_is_captured_given_up_or_left_in_the_shares_that_are_stated() {
        let mut life = Life::new(100);
        let (mut now, mut counts) = (0, [0u64; 5]);
        for _ in 0..100_000 {
            now += 1_000_000;
            let Next::Say(number) = life.next(now) else { panic!("a life has always something to say") };
            let (verb, _) = Verb::of(number);
            counts[verb as usize] += 1;
            life.answered(number, if verb == Verb::Receive { b":1\r\n" } else { b"*0\r\n" }).expect("as expected");
        }
        let [reserved, captured, released, returned, received] = counts.map(|count| count as f64);
        for (part, whole, share) in [
            (captured, reserved, 0.6),
            (released, reserved, 0.2),
            (returned, captured, 0.08),
            (received, reserved + received, 0.04),
        ] {
            assert!((part / whole - share).abs() < 0.02, "{counts:?}");
        }
        let sums = life.sums().fold((0, 0), |sum, one| (sum.0 + one.captured, sum.1 + one.returned));
        assert_eq!((f64::from(sums.0), f64::from(sums.1)), (captured, returned));
    }
}
