//! What a load asks for: every request is a function of its number, the seed and the run, so that a run can be repeated
//! and no request has to be remembered.

use crate::random::{below, mix};
use crate::resp;
use clap::ValueEnum;

/// Lines of the widest scenario.
pub(super) const LINES: usize = 3;

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
        }
    }
    pub(crate) const fn default_items(self) -> u64 {
        match self {
            Scenario::Hot => 1,
            Scenario::FlashSale => 10,
            Scenario::Uniform | Scenario::FullLife | Scenario::MultiLine | Scenario::RandomIds => 10_000,
        }
    }
    pub(crate) const fn default_units(self) -> u64 {
        match self {
            Scenario::FlashSale => 1_000,
            Scenario::Hot | Scenario::Uniform | Scenario::FullLife | Scenario::MultiLine | Scenario::RandomIds => {
                1_000_000_000
            }
        }
    }
    /// In a sale that goes on, holds end and their units come back; elsewhere none ends within a run.
    pub(crate) const fn default_ttl_ms(self) -> u64 {
        match self {
            Scenario::FlashSale => 1_000,
            Scenario::Hot | Scenario::Uniform | Scenario::FullLife | Scenario::MultiLine | Scenario::RandomIds => {
                600_000
            }
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
    prefix: String,
}

impl Workload {
    pub(crate) fn new(scenario: Scenario, seed: u64, run: u64, items: u64, units: u64, ttl_ms: u64) -> Workload {
        let prefix = format!("{:08x}-", run >> 32);
        Workload { scenario, seed, run, items: items.max(1), units, ttl_ms, prefix }
    }

    pub(crate) fn sku(&self, item: u64) -> String {
        format!("s{}{item}", self.prefix)
    }

    pub(super) fn write_sku(&self, out: &mut Vec<u8>, first: &[u8], item: u64) {
        name(out, &[first, b"s", self.prefix.as_bytes()], item);
    }

    pub(super) fn write_id(&self, out: &mut Vec<u8>, first: &[u8], n: u64) {
        if self.scenario == Scenario::RandomIds {
            let (a, b) = (mix(self.run ^ n), mix(self.seed ^ mix(n)));
            return uuid(out, first, a, b);
        }
        name(out, &[first, b"r", self.prefix.as_bytes()], n);
    }

    /// The items of request `n`, each another, and how many there are.
    pub(super) fn items(&self, n: u64) -> ([u64; LINES], usize) {
        let item = below(mix(self.seed ^ n), self.items);
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

/// 36 bytes in the shape of a UUID.
fn uuid(out: &mut Vec<u8>, first: &[u8], a: u64, b: u64) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = *b"00000000-0000-0000-0000-000000000000";
    let mut bits = (u128::from(a) << 64) | u128::from(b);
    for place in text.iter_mut().filter(|place| **place != b'-') {
        *place = HEX[(bits & 15) as usize];
        bits >>= 4;
    }
    out.push(b'$');
    resp::decimal(out, (first.len() + text.len()) as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(first);
    out.extend_from_slice(&text);
    out.extend_from_slice(b"\r\n");
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
    fn the_name_written_is_the_name_prepared() {
        let workload = workload(Scenario::Hot, 1);
        let mut written = Vec::new();
        workload.write_sku(&mut written, b"stock:", 120);
        let mut prepared = Vec::new();
        resp::bulk(&mut prepared, format!("stock:{}", workload.sku(120)).as_bytes());
        assert_eq!(written, prepared);
    }
}
