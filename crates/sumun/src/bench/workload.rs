//! What a load asks for: every request is a function of its number, the seed and the run, so that a run can be repeated
//! and no request has to be remembered.

use super::zipf::Zipf;
use crate::random::{below, mix};
use crate::resp;
use clap::ValueEnum;

/// Lines of the widest scenario.
pub(super) const LINES: usize = 3;
/// Those on whose behalf the scenario with limits reserves, and what each may have of an item: never reached, as one of
/// them meets one item again once in a thousand million requests.
const HOLDERS: u64 = 100_000;
pub(super) const LIMIT: u64 = 1_000;
/// Lots of each item of the scenario that has them, and how long after the start the first of them ends.
pub(super) const LOTS: u64 = 4;
const LOT_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How long those reservations are held that are not to end within a run.
const LASTING_MS: u64 = 600_000;
const UUID_BYTES: usize = 36;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Everybody reserves the one item
    Hot,
    /// Reserves spread evenly over all items
    Uniform,
    /// Few units, held for a second: most are refused
    FlashSale,
    /// Reserve, then capture when the answer has come
    FullLife,
    /// Three items in one reservation
    MultiLine,
    /// As uniform, with random ids of 36 bytes
    RandomIds,
    /// Few items are wanted most: Zipf's law with exponent 0.99
    Zipf,
    /// As uniform, each for one of 100,000 holders, of items with a limit
    Holders,
    /// As uniform, of items with four lots
    Lots,
}

impl Scenario {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Scenario::Hot => "hot",
            Scenario::Uniform => "uniform",
            Scenario::FlashSale => "flash-sale",
            Scenario::FullLife => "full-life",
            Scenario::MultiLine => "multi-line",
            Scenario::RandomIds => "random-ids",
            Scenario::Zipf => "zipf",
            Scenario::Holders => "holders",
            Scenario::Lots => "lots",
        }
    }
    pub(crate) const fn default_items(self) -> u64 {
        match self {
            Scenario::Hot => 1,
            Scenario::FlashSale => 10,
            Scenario::Uniform | Scenario::FullLife | Scenario::MultiLine | Scenario::RandomIds => 10_000,
            Scenario::Zipf | Scenario::Holders | Scenario::Lots => 10_000,
        }
    }
    pub(crate) const fn default_units(self) -> u64 {
        match self {
            Scenario::FlashSale => 1_000,
            Scenario::Hot | Scenario::Uniform | Scenario::FullLife | Scenario::MultiLine => 1_000_000_000,
            Scenario::RandomIds | Scenario::Zipf | Scenario::Holders | Scenario::Lots => 1_000_000_000,
        }
    }
    /// In a sale that goes on, holds end and their units come back; elsewhere none ends within a run.
    pub(crate) const fn default_ttl_ms(self) -> u64 {
        match self {
            Scenario::FlashSale => 1_000,
            Scenario::Hot | Scenario::Uniform | Scenario::FullLife | Scenario::MultiLine => 600_000,
            Scenario::RandomIds | Scenario::Zipf | Scenario::Holders | Scenario::Lots => 600_000,
        }
    }
    /// Whether a refusal for want of units is what the scenario is about.
    pub(crate) const fn expects_refusals(self) -> bool {
        matches!(self, Scenario::FlashSale)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    /// No other run has it: ids and skus begin with it.
    pub(crate) run: u64,
    pub(crate) items: u64,
    pub(crate) units: u64,
    pub(crate) ttl_ms: u64,
    /// Of a hundred reservations, so many are held for the ttl, the others longer than any run.
    pub(crate) ending: u64,
    prefix: String,
    zipf: Option<Zipf>,
}

impl Workload {
    pub(crate) fn new(scenario: Scenario, seed: u64, run: u64, items: u64, units: u64, ttl_ms: u64) -> Workload {
        let prefix = format!("{:08x}-", run >> 32);
        let items = items.max(1);
        let zipf = (scenario == Scenario::Zipf).then(|| Zipf::new(items));
        Workload { scenario, seed, run, items, units, ttl_ms, ending: 100, prefix, zipf }
    }

    pub(crate) fn sku(&self, item: u64) -> String {
        format!("s{}{item}", self.prefix)
    }

    pub(super) fn write_sku(&self, out: &mut Vec<u8>, first: &[u8], item: u64) {
        name(out, &[first, b"s", self.prefix.as_bytes()], item);
    }

    pub(super) fn write_id(&self, out: &mut Vec<u8>, first: &[u8], n: u64) {
        if self.scenario == Scenario::RandomIds {
            out.push(b'$');
            resp::decimal(out, (first.len() + UUID_BYTES) as u64);
            return [b"\r\n", first, &self.random_id(n), b"\r\n"].iter().for_each(|part| out.extend_from_slice(part));
        }
        name(out, &[first, b"r", self.prefix.as_bytes()], n);
    }

    /// The same names as they stand in JSON, without quotes: nothing in them needs escaping.
    pub(super) fn plain_sku(&self, out: &mut Vec<u8>, item: u64) {
        plain(out, &[b"s", self.prefix.as_bytes()], item);
    }

    pub(super) fn plain_id(&self, out: &mut Vec<u8>, n: u64) {
        if self.scenario == Scenario::RandomIds {
            return out.extend_from_slice(&self.random_id(n));
        }
        plain(out, &[b"r", self.prefix.as_bytes()], n);
    }

    pub(super) fn plain_holder(&self, out: &mut Vec<u8>, n: u64) {
        plain(out, &[b"h"], below(mix(!self.seed ^ mix(n)), HOLDERS));
    }

    fn random_id(&self, n: u64) -> [u8; UUID_BYTES] {
        uuid(mix(self.run ^ n), mix(self.seed ^ mix(n)))
    }

    /// How long request `n` holds.
    pub(super) fn ttl_of(&self, n: u64) -> u64 {
        if self.ending >= 100 || below(mix(mix(n) ^ self.run), 100) < self.ending {
            return self.ttl_ms;
        }
        self.ttl_ms.max(LASTING_MS)
    }

    /// Whether each request is on somebody's behalf.
    pub(super) fn has_holders(&self) -> bool {
        self.scenario == Scenario::Holders
    }

    pub(super) fn write_holder(&self, out: &mut Vec<u8>, n: u64) {
        name(out, &[b"h"], below(mix(!self.seed ^ mix(n)), HOLDERS));
    }

    /// The lots of each item: units and end of each, in Unix time. None: units without lot.
    pub(super) fn lots(&self, now_ms: u64) -> Vec<(u64, u64)> {
        let lots = if self.scenario == Scenario::Lots { LOTS } else { 0 };
        (1..=lots).map(|lot| ((self.units / LOTS).max(1), now_ms + lot * LOT_MS)).collect()
    }

    /// The items of request `n`, each another, and how many there are.
    pub(super) fn items(&self, n: u64) -> ([u64; LINES], usize) {
        let mixed = mix(self.seed ^ n);
        let item = self.zipf.as_ref().map_or_else(|| below(mixed, self.items), |zipf| zipf.rank(mixed));
        match self.scenario {
            Scenario::Hot => ([0; LINES], 1),
            Scenario::MultiLine => {
                let mut items = [item; LINES];
                for (at, item) in items.iter_mut().enumerate() {
                    *item = (*item + at as u64 * (self.items / LINES as u64).max(1)) % self.items;
                }
                (items, LINES.min(usize::try_from(self.items).unwrap_or(LINES)))
            }
            Scenario::Uniform | Scenario::FlashSale | Scenario::FullLife | Scenario::RandomIds => ([item; LINES], 1),
            Scenario::Zipf | Scenario::Holders | Scenario::Lots => ([item; LINES], 1),
        }
    }
}

/// A bulk string of parts and a number, without an allocation of its own.
fn name(out: &mut Vec<u8>, parts: &[&[u8]], n: u64) {
    let digits = n.checked_ilog10().map_or(1, |log| log as usize + 1);
    out.push(b'$');
    resp::decimal(out, (parts.iter().map(|part| part.len()).sum::<usize>() + digits) as u64);
    out.extend_from_slice(b"\r\n");
    parts.iter().for_each(|part| out.extend_from_slice(part));
    resp::decimal(out, n);
    out.extend_from_slice(b"\r\n");
}

/// The parts and a number.
fn plain(out: &mut Vec<u8>, parts: &[&[u8]], n: u64) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    resp::decimal(out, n);
}

/// 36 bytes in the shape of a UUID.
fn uuid(a: u64, b: u64) -> [u8; UUID_BYTES] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = *b"00000000-0000-0000-0000-000000000000";
    let mut bits = (u128::from(a) << 64) | u128::from(b);
    for place in text.iter_mut().filter(|place| **place != b'-') {
        *place = HEX[(bits & 15) as usize];
        bits >>= 4;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn workload(scenario: Scenario, items: u64) -> Workload {
        Workload::new(scenario, 1, 0xdead_beef_0000_0000, items, 10, 1_000)
    }

    #[test]
    fn ids_are_never_the_same_and_have_the_length_they_say() {
        for scenario in [Scenario::Hot, Scenario::RandomIds] {
            let workload = workload(scenario, 1);
            let mut seen = HashSet::new();
            for n in (0..10_000).chain([u64::MAX / 2]) {
                let mut id = Vec::new();
                workload.write_id(&mut id, b"", n);
                assert_eq!(resp::scan(&id), Ok(Some(id.len())));
                assert!(seen.insert(id));
            }
        }
        let mut id = Vec::new();
        workload(Scenario::RandomIds, 1).write_id(&mut id, b"", 7);
        assert!(id.starts_with(b"$36\r\n"));
    }

    #[test]
    fn lines_of_one_request_are_of_different_items() {
        for items in [1, 2, 3, 4, 10, 10_000] {
            let workload = workload(Scenario::MultiLine, items);
            for n in 0..1_000 {
                let (found, lines) = workload.items(n);
                let different: HashSet<u64> = found[..lines].iter().copied().collect();
                assert_eq!(different.len(), lines, "{items} items: {found:?}");
                assert!(found.iter().all(|&item| item < items));
            }
        }
    }

    #[test]
    fn as_many_end_as_are_meant_to() {
        let mut workload = workload(Scenario::Hot, 1);
        assert!((0..1_000).all(|n| workload.ttl_of(n) == 1_000));
        workload.ending = 20;
        let ending = (0..100_000).filter(|n| workload.ttl_of(*n) == 1_000).count();
        assert!((19_000..21_000).contains(&ending), "{ending}");
        assert!((0..1_000).all(|n| [1_000, LASTING_MS].contains(&workload.ttl_of(n))));
    }

    #[test]
    fn the_name_written_is_the_name_prepared() {
        let workload = workload(Scenario::Hot, 1);
        let mut written = Vec::new();
        workload.write_sku(&mut written, b"stock:", 120);
        let mut prepared = Vec::new();
        resp::bulk(&mut prepared, format!("stock:{}", workload.sku(120)).as_bytes());
        assert_eq!(written, prepared);
    }
}
