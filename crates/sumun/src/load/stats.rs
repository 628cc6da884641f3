//! What a load comes to: latencies in a histogram, throughput by one-second windows.

use crate::caps::WINDOWS_MAX;
use hdrhistogram::Histogram;
use serde::Serialize;

const SECOND: u64 = 1_000_000_000;

/// Latencies in nanoseconds, to three digits, from half a microsecond to five minutes.
#[derive(Clone, Debug)]
pub(crate) struct Latency(Histogram<u64>);

/// In nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) mean: u64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl Latency {
    pub(crate) fn new() -> Latency {
        Latency(Histogram::new_with_bounds(512, 300 * SECOND, 3).expect("these bounds are valid"))
    }
    pub(crate) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }
    pub(crate) fn percentiles(&self) -> Percentiles {
        if self.0.is_empty() {
            return Percentiles::default();
        }
        let at = |quantile| self.0.value_at_quantile(quantile);
        Percentiles {
            count: self.0.len(),
            mean: self.0.mean() as u64,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max(),
        }
    }
}

/// Answers by the second in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Throughput {
    start: u64,
    windows: Vec<u64>,
    total: u64,
}

impl Throughput {
    pub(crate) const fn new(start: u64) -> Throughput {
        Throughput { start, windows: Vec::new(), total: 0 }
    }

    pub(crate) fn record(&mut self, now: u64) {
        self.total += 1;
        let window = usize::try_from(now.saturating_sub(self.start) / SECOND).unwrap_or(WINDOWS_MAX);
        if window < WINDOWS_MAX {
            if self.windows.len() <= window {
                self.windows.resize(window + 1, 0);
            }
            self.windows[window] += 1;
        }
    }

    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Answers in each whole second until `end`. A load shorter than one has a single window, scaled to a second.
    pub(crate) fn windows(&self, end: u64) -> Vec<u64> {
        let length = end.saturating_sub(self.start);
        let whole = usize::try_from(length / SECOND).unwrap_or(WINDOWS_MAX).min(WINDOWS_MAX);
        if whole == 0 {
            let scaled = u128::from(self.total) * u128::from(SECOND) / u128::from(length.max(1));
            return vec![u64::try_from(scaled).unwrap_or(u64::MAX)];
        }
        (0..whole).map(|window| self.windows.get(window).copied().unwrap_or(0)).collect()
    }

    /// Least, middle and greatest of the windows.
    pub(crate) fn spread(&self, end: u64) -> (u64, u64, u64) {
        let mut windows = self.windows(end);
        windows.sort_unstable();
        (windows[0], windows[windows.len() / 2], windows[windows.len() - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_seconds_and_an_idle_one_counts_as_nothing() {
        let mut throughput = Throughput::new(10 * SECOND);
        for (second, answers) in [(10, 5), (11, 7), (13, 1), (14, 100)] {
            (0..answers).for_each(|n| throughput.record(second * SECOND + n));
        }
        assert_eq!(throughput.windows(14 * SECOND + 500), [5, 7, 0, 1]);
        assert_eq!(throughput.spread(14 * SECOND), (0, 5, 7));
        assert_eq!(throughput.total(), 113);
    }

    #[test]
    fn a_load_shorter_than_a_second_is_scaled_to_one() {
        let mut throughput = Throughput::new(0);
        (0..50).for_each(|n| throughput.record(n));
        assert_eq!(throughput.spread(SECOND / 10), (500, 500, 500));
    }

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut latency = Latency::new();
        (1..=10_000_u64).for_each(|us| latency.record(us * 1_000));
        let found = latency.percentiles();
        for (value, exact) in
            [(found.p50, 5_000), (found.p90, 9_000), (found.p99, 9_900), (found.p999, 9_990), (found.max, 10_000)]
        {
            let exact = exact * 1_000;
            assert!(value.abs_diff(exact) * 1_000 <= exact + 512_000, "{value} {exact}");
        }
        latency.clear();
        assert_eq!(latency.percentiles().count, 0);
    }
}
