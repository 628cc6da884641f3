//! What a load came to, as text and JSON, and the picture while it runs.

use super::load::{Goal, Pace, Plan, Second};
use crate::load::{Latency, Percentiles, Throughput};
use crate::picture::{Picture, short_time, sparkline, thousands};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::IsTerminal;

const SECOND: u64 = 1_000_000_000;
const SPARK_WIDTH: usize = 60;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    peer: &'static str,
    server: String,
    scenario: &'static str,
    #[serde(rename = "loop")]
    pace: &'static str,
    /// Requests a second that an open loop sent.
    rate: Option<u64>,
    /// Requests in flight on each connection of a closed loop.
    pipeline: Option<u32>,
    connections: u32,
    items: u64,
    units: u64,
    seed: u64,
    seconds: f64,
    answers: u64,
    throughput: Spread,
    /// Answers in each whole second.
    windows: Vec<u64>,
    /// From the time that a request was meant for (open loop) or was sent at (closed loop).
    latency_us: LatencyUs,
    /// Refusals and errors by their first word.
    errors: BTreeMap<String, u64>,
    /// Refusals for the moment that were asked again.
    asked_again: u64,
    /// Each minute of it, the last one as far as it went.
    minutes: Vec<MinuteUs>,
    /// In flight on connections that were lost: whether they were done is unknown.
    lost: u64,
    unanswered: u64,
    connections_lost: u64,
    #[serde(skip)]
    latency: Percentiles,
    #[serde(skip)]
    refusals_expected: bool,
}

/// Answers a second.
#[derive(Debug, Serialize)]
struct Spread {
    min: u64,
    median: u64,
    max: u64,
    mean: u64,
}

#[derive(Debug, Serialize)]
struct MinuteUs {
    answers: u64,
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct LatencyUs {
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Report {
    pub(super) fn new(plan: &Plan, nanos: u64, latency: &Latency, throughput: &Throughput, end: u64) -> Report {
        let (min, median, max) = throughput.spread(end);
        let percentiles = latency.percentiles();
        let us = |nanos: u64| nanos as f64 / 1_000.0;
        let (pace, rate, pipeline) = match plan.pace {
            Pace::Open { rate } => ("open", Some(rate), None),
            Pace::Closed { pipeline } => ("closed", None, Some(pipeline)),
        };
        Report {
            peer: plan.peer.word(),
            server: plan.server.to_string(),
            scenario: plan.workload.scenario.word(),
            pace,
            rate,
            pipeline,
            connections: plan.connections,
            items: plan.workload.items,
            units: plan.workload.units,
            seed: plan.workload.seed,
            seconds: nanos as f64 / 1e9,
            answers: throughput.total(),
            throughput: Spread {
                min,
                median,
                max,
                mean: (throughput.total() as f64 * 1e9 / nanos.max(1) as f64) as u64,
            },
            windows: throughput.windows(end),
            latency_us: LatencyUs {
                mean: us(percentiles.mean),
                p50: us(percentiles.p50),
                p90: us(percentiles.p90),
                p99: us(percentiles.p99),
                p999: us(percentiles.p999),
                max: us(percentiles.max),
            },
            errors: BTreeMap::new(),
            asked_again: 0,
            minutes: Vec::new(),
            lost: 0,
            unanswered: 0,
            connections_lost: 0,
            latency: percentiles,
            refusals_expected: plan.workload.scenario.expects_refusals(),
        }
    }

    pub(super) fn with_failures(
        mut self,
        errors: BTreeMap<String, u64>,
        lost: u64,
        unanswered: u64,
        connections_lost: u64,
    ) -> Report {
        (self.errors, self.lost, self.unanswered, self.connections_lost) = (errors, lost, unanswered, connections_lost);
        self
    }

    pub(super) fn with_minutes(mut self, asked_again: u64, minutes: &[Percentiles]) -> Report {
        let us = |nanos: u64| nanos as f64 / 1_000.0;
        let minute = |found: &Percentiles| MinuteUs {
            answers: found.count,
            p50: us(found.p50),
            p99: us(found.p99),
            max: us(found.max),
        };
        (self.asked_again, self.minutes) = (asked_again, minutes.iter().map(minute).collect());
        self
    }

    /// Whether every request was answered, by what its scenario is about.
    pub(crate) fn clean(&self) -> bool {
        let expected =
            |code: &String| self.refusals_expected && ["INSUFFICIENT", "insufficient_stock"].contains(&code.as_str());
        self.lost == 0 && self.unanswered == 0 && self.errors.keys().all(expected)
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and texts alone")
    }

    pub(crate) fn text(&self) -> String {
        let pace = match (self.rate, self.pipeline) {
            (Some(rate), _) => format!("open loop at {}/s", thousands(rate)),
            (None, pipeline) => format!("closed loop, {} in flight each", pipeline.unwrap_or(1)),
        };
        let Spread { min, median, max, .. } = self.throughput;
        let latency = self.latency;
        let mut lines = vec![
            format!("{} {} on {}, {} connections, {pace}", self.peer, self.scenario, self.server, self.connections),
            format!("answers      {} in {:.1} s", thousands(self.answers), self.seconds),
            format!(
                "throughput   {} / {} / {} a second (min / median / max of one-second windows)",
                thousands(min),
                thousands(median),
                thousands(max)
            ),
            format!(
                "latency      p50 {}   p90 {}   p99 {}   p99.9 {}   max {}",
                short_time(latency.p50),
                short_time(latency.p90),
                short_time(latency.p99),
                short_time(latency.p999),
                short_time(latency.max)
            ),
        ];
        if self.rate.is_some() {
            lines.push(
                "             from the time each request was meant for (coordinated omission corrected)".to_owned(),
            );
        }
        lines.extend(self.errors.iter().map(|(code, n)| format!("{code:<12} {}", thousands(*n))));
        for (name, n) in [
            ("asked again", self.asked_again),
            ("lost", self.lost),
            ("unanswered", self.unanswered),
            ("reconnects", self.connections_lost),
        ] {
            if n > 0 {
                lines.push(format!("{name:<12} {}", thousands(n)));
            }
        }
        lines.join("\n")
    }
}

/// The picture while a load runs, on stderr when that is a terminal.
#[derive(Debug)]
pub(crate) struct Live {
    picture: Option<Picture>,
    next: u64,
    rates: Vec<u64>,
    title: String,
}

impl Live {
    pub(crate) fn new(plan: &Plan) -> Live {
        let goal = match plan.goal {
            Goal::Nanos(nanos) => format!("{:.0} s", nanos as f64 / 1e9),
            Goal::Count(count) => format!("{} requests", thousands(count)),
        };
        let title = format!("{} {} on {}, {goal}", plan.peer.word(), plan.workload.scenario.word(), plan.server);
        let picture = std::io::stderr().is_terminal().then(Picture::default);
        Live { picture, next: 0, rates: Vec::new(), title }
    }

    pub(super) const fn next(&self) -> u64 {
        if self.picture.is_some() { self.next } else { u64::MAX }
    }

    /// Draws a second that has passed.
    pub(super) fn show(&mut self, now: u64, second: &mut Second, state: impl Fn() -> (usize, usize)) {
        let Some(picture) = self.picture.as_mut().filter(|_| now >= self.next) else { return };
        let first = self.next == 0;
        self.next = now + SECOND;
        let found = second.latency.percentiles();
        let (answers, refusals) = (second.answers, second.refusals);
        (second.answers, second.refusals) = (0, 0);
        second.latency.clear();
        if first {
            return;
        }
        if self.rates.len() == SPARK_WIDTH {
            self.rates.remove(0);
        }
        self.rates.push(answers);
        let (open, in_flight) = state();
        let lines = [
            self.title.clone(),
            format!("{} {}/s", sparkline(&self.rates, SPARK_WIDTH), thousands(answers)),
            format!(
                "p50 {}   p99 {}   p99.9 {}   max {}",
                short_time(found.p50),
                short_time(found.p99),
                short_time(found.p999),
                short_time(found.max)
            ),
            format!("{open} connections, {} in flight, {}/s refused", thousands(in_flight as u64), thousands(refusals)),
        ];
        // A terminal that has gone takes nothing of the result.
        let _ = picture.draw(&mut std::io::stderr().lock(), &lines);
    }
}
