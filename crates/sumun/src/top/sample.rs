//! What is asked of the server each time: its metrics, whether it is ready, and its newest events.

use super::metrics::Metrics;
use crate::caps::{TOP_EVENTS, TOP_PATIENCE};
use crate::clock::Clock;
use crate::web::{self, Web};
use serde::Deserialize;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// When it was taken, by the clock of this process.
    pub(crate) at: Duration,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    pub(crate) hot: Hot,
}

#[derive(Clone, Debug)]
pub(crate) enum Readiness {
    Ready { warnings: Vec<String> },
    Not(String),
}

/// Items that the newest events touched, most often first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hot {
    /// How many events were looked at.
    pub(crate) events: usize,
    pub(crate) items: Vec<(String, usize)>,
}

#[derive(Deserialize)]
struct Ready {
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
struct Data {
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    sku: String,
}

#[derive(Debug)]
pub(crate) struct Sampler {
    web: Web,
    clock: Clock,
}

impl Sampler {
    pub(crate) fn new(address: SocketAddr) -> std::io::Result<Sampler> {
        Ok(Sampler { web: Web::new(address, TOP_PATIENCE)?, clock: Clock::start() })
    }

    /// In words why there is none.
    pub(crate) fn take(&mut self) -> Result<Sample, String> {
        let page = self.get("/metrics")?;
        let at = self.clock.elapsed();
        if page.status != 200 {
            return Err(format!("/metrics: {}", web::problem(&page)));
        }
        let text = String::from_utf8_lossy(&page.body);
        let metrics = Metrics::parse(&text).map_err(|error| format!("/metrics: {error}: is that a Sumun server?"))?;
        if metrics.value("sumun_shard_answers").is_none() {
            return Err("/metrics has nothing of Sumun's: is that a Sumun server?".to_owned());
        }
        let page = self.get("/readyz")?;
        let readiness = match serde_json::from_slice::<Ready>(&page.body) {
            Ok(ready) if page.status == 200 => Readiness::Ready { warnings: ready.warnings },
            Ok(_) | Err(_) => Readiness::Not(web::problem(&page)),
        };
        let hot = self.hot(&metrics)?;
        Ok(Sample { at, metrics, readiness, hot })
    }

    fn get(&mut self, target: &str) -> Result<web::Page, String> {
        self.web.get(target).map_err(|silent| silent.to_string())
    }

    fn hot(&mut self, metrics: &Metrics) -> Result<Hot, String> {
        let figure = |name: &str| metrics.value(name).unwrap_or_default() as u64;
        let newest = figure("sumun_log_durable_sequence");
        let first = figure("sumun_log_first_sequence").max(1);
        let after = newest.saturating_sub(TOP_EVENTS).max(first - 1);
        if after >= newest {
            return Ok(Hot::default());
        }
        let page = self.get(&format!("/v1/events?after={after}&limit={TOP_EVENTS}"))?;
        // What was trimmed meanwhile, or is refused, is not worth losing the rest for.
        let Ok(Events { events }) = serde_json::from_slice(&page.body) else { return Ok(Hot::default()) };
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for event in &events {
            let mut skus: Vec<&str> = event.data.lines.iter().map(|line| line.sku.as_str()).collect();
            skus.sort_unstable();
            skus.dedup();
            skus.into_iter().for_each(|sku| *counts.entry(sku).or_default() += 1);
        }
        let mut items: Vec<(String, usize)> = counts.into_iter().map(|(sku, n)| (sku.to_owned(), n)).collect();
        items.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        Ok(Hot { events: events.len(), items })
    }
}
