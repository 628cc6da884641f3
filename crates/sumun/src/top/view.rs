//! What two samples come to: rates between them, and what stands now. What a sample does not have is not shown as zero.

use super::metrics::Metrics;
use super::sample::{Readiness, Sample};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct View {
    pub(crate) ready: bool,
    /// Why it is not, or what an operator should look at.
    pub(crate) notes: Vec<String>,
    pub(crate) uptime_seconds: Option<f64>,
    /// Between the two samples; null when the server was started between them.
    pub(crate) interval_seconds: Option<f64>,
    pub(crate) requests: Count,
    pub(crate) events: Count,
    pub(crate) ends: Count,
    pub(crate) commands: Vec<Named>,
    pub(crate) refused: Vec<Named>,
    pub(crate) commits: Latency,
    pub(crate) steps: Latency,
    pub(crate) log: Log,
    pub(crate) store: Store,
    pub(crate) memory: Memory,
    pub(crate) connections: Connections,
    pub(crate) reservations_open: Option<u64>,
    pub(crate) items_in_memory: Option<u64>,
    pub(crate) expiry_lag_seconds: Option<f64>,
    pub(crate) hot: Vec<HotItem>,
    /// Of how many of the newest events `hot` tells.
    pub(crate) hot_of_events: usize,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Count {
    pub(crate) per_second: Option<f64>,
    pub(crate) total: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) count: Count,
}

/// Upper bounds: the histogram's buckets are powers of two.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Latency {
    pub(crate) per_second: Option<f64>,
    pub(crate) p50_below_seconds: Option<f64>,
    pub(crate) p99_below_seconds: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Log {
    pub(crate) sequence: Option<u64>,
    pub(crate) first_sequence: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) writable: Option<bool>,
    pub(crate) failures: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Store {
    pub(crate) lag_events: Option<u64>,
    pub(crate) unsaved_records: Option<u64>,
    pub(crate) written_bytes: Count,
    pub(crate) reads: Count,
    pub(crate) reading: Option<u64>,
    pub(crate) works: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Memory {
    pub(crate) records_bytes: Option<u64>,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) connections_bytes: Option<u64>,
    pub(crate) bodies_bytes: Option<u64>,
    pub(crate) process_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Connections {
    pub(crate) resp: Option<u64>,
    pub(crate) http: Option<u64>,
    pub(crate) refused: Count,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct HotItem {
    pub(crate) sku: String,
    pub(crate) events: usize,
}

const HOT_SHOWN: usize = 10;

/// Two scrapes of one run of the server, or one alone.
struct Pair<'a> {
    old: Option<(&'a Metrics, f64)>,
    new: &'a Metrics,
}

impl Pair<'_> {
    fn now(&self, name: &str) -> Option<u64> {
        self.new.value(&format!("sumun_{name}")).map(|value| value.max(0.0) as u64)
    }
    fn flag(&self, name: &str) -> Option<bool> {
        self.now(name).map(|value| value != 0)
    }
    fn count(&self, name: &str) -> Count {
        let name = format!("sumun_{name}_total");
        let total = self.new.value(&name);
        let per_second = self.old.and_then(|(old, seconds)| Some((total? - old.value(&name)?).max(0.0) / seconds));
        Count { per_second, total: total.map(|total| total as u64) }
    }
    /// Those that ever were, the busiest first.
    fn named(&self, name: &str) -> Vec<Named> {
        let name = format!("sumun_{name}_total");
        let before = |label: &str| {
            let (old, seconds) = self.old?;
            let (_, value) = old.by_label(&name).find(|(other, _)| *other == label)?;
            Some((value, seconds))
        };
        let rows = self.new.by_label(&name).filter(|(_, total)| *total > 0.0);
        let mut rows: Vec<Named> = rows
            .map(|(label, total)| {
                let per_second = before(label).map(|(value, seconds)| (total - value).max(0.0) / seconds);
                Named { name: label.to_owned(), count: Count { per_second, total: Some(total as u64) } }
            })
            .collect();
        let rate = |named: &Named| named.count.per_second.unwrap_or_default();
        rows.sort_by(|a, b| {
            rate(b)
                .total_cmp(&rate(a))
                .then_with(|| b.count.total.cmp(&a.count.total))
                .then_with(|| a.name.cmp(&b.name))
        });
        rows
    }
    fn latency(&self, name: &str) -> Latency {
        let name = format!("sumun_{name}");
        let Some((old, seconds)) = self.old else { return Latency::default() };
        let before = old.buckets(&name);
        let counts: Vec<(f64, f64)> = self
            .new
            .buckets(&name)
            .into_iter()
            .zip(before.iter().map(|(_, count)| *count).chain(std::iter::repeat(0.0)))
            .map(|((bound, count), before)| (bound, (count - before).max(0.0)))
            .collect();
        let Some(all) = counts.last().map(|(_, count)| *count) else { return Latency::default() };
        let below = |part: f64| {
            let (bound, _) = counts.iter().find(|(_, count)| all > 0.0 && *count >= all * part)?;
            bound.is_finite().then_some(*bound)
        };
        Latency { per_second: Some(all / seconds), p50_below_seconds: below(0.5), p99_below_seconds: below(0.99) }
    }
}

impl View {
    pub(crate) fn of(old: Option<&Sample>, new: &Sample) -> View {
        let uptime = |sample: &Sample| sample.metrics.value("sumun_uptime_seconds");
        // A server that was started in between counts from 0 again.
        let old = old.filter(|old| uptime(old) <= uptime(new));
        let seconds = old.map(|old| new.at.saturating_sub(old.at).as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let pair = Pair { old: old.map(|old| &old.metrics).zip(seconds), new: &new.metrics };
        let (mut ready, mut notes) = match &new.readiness {
            Readiness::Ready { warnings } => (true, warnings.clone()),
            Readiness::Not(why) => (false, vec![why.clone()]),
        };
        if pair.flag("shard_answers") == Some(false) {
            ready = false;
            notes.push("the shard did not answer in time".to_owned());
        }
        if pair.flag("log_writable") == Some(false) {
            notes.push("the log cannot be written".to_owned());
        }
        View {
            ready,
            notes,
            uptime_seconds: uptime(new),
            interval_seconds: seconds,
            requests: pair.count("requests"),
            events: pair.count("events"),
            ends: pair.count("ends"),
            commands: pair.named("commands"),
            refused: pair.named("refused"),
            commits: pair.latency("sync_seconds"),
            steps: pair.latency("step_cpu_seconds"),
            log: Log {
                sequence: pair.now("log_sequence"),
                first_sequence: pair.now("log_first_sequence"),
                bytes: pair.now("log_size_bytes"),
                writable: pair.flag("log_writable"),
                failures: pair.count("log_failures").total,
            },
            store: Store {
                lag_events: pair.now("store_lag_events"),
                unsaved_records: pair.now("store_unsaved_records"),
                written_bytes: pair.count("store_bytes"),
                reads: pair.count("store_reads"),
                reading: pair.now("store_reading"),
                works: pair.flag("store_works"),
            },
            memory: Memory {
                records_bytes: pair.now("records_memory_bytes"),
                limit_bytes: pair.now("memory_limit_bytes"),
                connections_bytes: pair.now("resp_clients_memory_bytes"),
                bodies_bytes: pair.now("http_bodies_kept_bytes"),
                process_bytes: pair.now("process_resident_bytes"),
            },
            connections: Connections {
                resp: pair.now("resp_clients"),
                http: pair.now("http_connections_open"),
                refused: sum(pair.count("resp_connections_refused"), pair.count("http_connections_refused")),
            },
            reservations_open: pair.now("reservations_open"),
            items_in_memory: pair.now("items_in_memory"),
            expiry_lag_seconds: new.metrics.value("sumun_expiry_lag_seconds"),
            hot: new
                .hot
                .items
                .iter()
                .take(HOT_SHOWN)
                .map(|(sku, events)| HotItem { sku: sku.clone(), events: *events })
                .collect(),
            hot_of_events: new.hot.events,
        }
    }
}

fn sum(a: Count, b: Count) -> Count {
    let both = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b);
    Count { per_second: both(a.per_second, b.per_second), total: a.total.zip(b.total).map(|(a, b)| a + b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn sample(at: u64, text: &str) -> Sample {
        Sample {
            at: Duration::from_secs(at),
            metrics: Metrics::parse(text).expect("metrics"),
            readiness: Readiness::Ready { warnings: Vec::new() },
            hot: super::super::sample::Hot::default(),
        }
    }

    #[test]
    fn rates_lie_between_two_samples_of_one_run() {
        let text = |up: u64, n: u64, low: u64, all: u64| {
            format!(
                "sumun_uptime_seconds {up}\nsumun_requests_total {n}\nsumun_commands_total{{verb=\"item\"}} {n}\n\
                 sumun_sync_seconds_bucket{{le=\"0.001\"}} {low}\nsumun_sync_seconds_bucket{{le=\"0.002\"}} {all}\n\
                 sumun_sync_seconds_bucket{{le=\"+Inf\"}} {all}\n"
            )
        };
        let (old, new) = (sample(10, &text(5, 100, 50, 50)), sample(12, &text(7, 140, 69, 70)));
        let view = View::of(Some(&old), &new);
        assert_eq!(view.requests.per_second, Some(20.0));
        assert_eq!((view.commands[0].name.as_str(), view.commands[0].count.per_second), ("item", Some(20.0)));
        assert_eq!(view.commits.per_second, Some(10.0));
        assert_eq!((view.commits.p50_below_seconds, view.commits.p99_below_seconds), (Some(0.001), Some(0.002)));
        assert_eq!(view.log.sequence, None, "what is not told is not 0");
        let restarted = sample(13, &text(1, 3, 1, 1));
        let view = View::of(Some(&new), &restarted);
        assert_eq!((view.requests.per_second, view.requests.total, view.interval_seconds), (None, Some(3), None));
    }
}
