//! What a load heard: answers and their latencies, in all and by the second, and refusals for the moment.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;
/// Refusals that pass: nothing was written, and the same may be asked again.
const PASSING: [&[u8]; 3] = [b"-OVERLOADED", b"-MISCONF", b"-LOADING"];

/// Latencies in nanoseconds, to three digits, up to five minutes.
#[derive(Clone, Debug)]
pub(super) struct Latency(Histogram<u64>);

impl Latency {
    fn new() -> Latency {
        Latency(Histogram::new_with_bounds(512, 300 * SECOND_NS, 3).expect("these bounds are valid"))
    }

    /// In milliseconds.
    pub(super) fn at_ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// One second of a load.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Second {
    /// Since the load began.
    pub(super) at_s: u64,
    pub(super) answers: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

/// What came of a load.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) answers: u64,
    /// By their word.
    pub(super) refusals: BTreeMap<String, u64>,
    /// From the first command to the last answer.
    pub(super) took_ns: u64,
    pub(super) latency: Latency,
    pub(super) seconds: Vec<Second>,
    /// How the connections went, when the server was taken away under the load.
    pub(super) broken: Option<String>,
}

impl Outcome {
    pub(super) fn rate(&self) -> f64 {
        self.answers as f64 * 1e9 / self.took_ns.max(1) as f64
    }

    /// Answers a second in the middle one of the whole seconds, which a short stall does not change.
    pub(super) fn middle_rate(&self) -> f64 {
        let mut whole: Vec<u64> = self.seconds.iter().map(|second| second.answers).collect();
        whole.pop();
        whole.sort_unstable();
        if whole.len() < 3 { self.rate() } else { whole[whole.len() / 2] as f64 }
    }

    /// Refusals of all kinds.
    pub(super) fn refused(&self) -> u64 {
        self.refusals.values().sum()
    }
}

/// An `Outcome` that comes to be.
#[derive(Debug)]
pub(super) struct Heard {
    start: u64,
    last: u64,
    outcome: Outcome,
    second: Histogram<u64>,
    of_second: u64,
    pub(super) broken: Option<String>,
}

impl Heard {
    pub(super) fn new(start: u64) -> Heard {
        let latency = Latency::new();
        let second = latency.0.clone();
        let (refusals, seconds) = (BTreeMap::new(), Vec::new());
        let outcome = Outcome { answers: 0, refusals, took_ns: 0, latency, seconds, broken: None };
        Heard { start, last: start, outcome, second, of_second: 0, broken: None }
    }

    /// Counts a reply that is a refusal for the moment. False: it is not one.
    pub(super) fn refused(&mut self, reply: &[u8]) -> bool {
        let Some(word) = PASSING.iter().find(|word| reply.starts_with(word)) else { return false };
        let word = String::from_utf8_lossy(&word[1..]).into_owned();
        *self.outcome.refusals.entry(word).or_default() += 1;
        true
    }

    pub(super) fn answered(&mut self, meant: u64, now: u64) {
        let second = (now - self.start) / SECOND_NS;
        while self.of_second < second {
            self.turn_over();
        }
        let waited = now.saturating_sub(meant);
        self.second.saturating_record(waited);
        self.outcome.latency.0.saturating_record(waited);
        self.outcome.answers += 1;
        self.last = now;
    }

    fn turn_over(&mut self) {
        let at = |quantile| self.second.value_at_quantile(quantile) as f64 / 1e6;
        let (answers, max_ms) = (self.second.len(), self.second.max() as f64 / 1e6);
        let (p50_ms, p99_ms) = (at(0.5), at(0.99));
        self.outcome.seconds.push(Second { at_s: self.of_second, answers, p50_ms, p99_ms, max_ms });
        self.second.reset();
        self.of_second += 1;
    }

    pub(super) fn finish(mut self, now: u64) -> Outcome {
        self.turn_over();
        self.outcome.took_ns = if self.last > self.start { self.last } else { now } - self.start;
        self.outcome.broken = self.broken;
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_in_the_second_in_which_they_came() {
        let mut heard = Heard::new(0);
        for (meant_ms, now_ms) in [(0, 1), (0, 999), (10, 1_010), (2_999, 3_000)] {
            heard.answered(meant_ms * 1_000_000, now_ms * 1_000_000);
        }
        let outcome = heard.finish(9);
        let answers: Vec<u64> = outcome.seconds.iter().map(|second| second.answers).collect();
        assert_eq!(answers, [2, 1, 0, 1]);
        assert!((outcome.seconds[1].p99_ms - 1_000.0).abs() < 2.0, "{:?}", outcome.seconds[1]);
        assert_eq!(outcome.took_ns, 3_000_000_000);
    }

    #[test]
    fn a_refusal_for_the_moment_is_told_from_an_answer() {
        let mut heard = Heard::new(0);
        assert!(heard.refused(b"-OVERLOADED retry after 40 ms\r\n"));
        assert!(!heard.refused(b"-NOTFOUND x\r\n"));
        assert!(!heard.refused(b":1\r\n"));
        assert_eq!(heard.finish(1).refusals.get("OVERLOADED"), Some(&1));
    }
}
