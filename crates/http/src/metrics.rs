//! What is measured, as Prometheus reads it: shard and server as the loop reports them, HTTP as it is counted here.
//!
//! Cost: an addition a request; everything else when it is asked for.

use crate::problem::ProblemCode;
use crate::route::{OPERATIONS, Operation, PLACES};
use http::StatusCode;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use sumun_server::Report;
use sumun_server::ledger::{Durations, Figures, Readiness, Store};

pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The statuses that are ever answered; the last stands for any other.
const STATUSES: [u16; 18] = [200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 500, 503, 304, 0];

#[derive(Debug)]
pub(crate) struct Metrics {
    /// By operation, the last row for paths that are none, and status.
    answered: Vec<[AtomicU64; STATUSES.len()]>,
    pub(crate) connections: AtomicU64,
    pub(crate) connections_open: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    lost: AtomicU64,
    memory_bytes: Option<u64>,
}

/// What `/readyz` says when it is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ready")]
pub(crate) struct Ready {
    status: &'static str,
    /// By how much the wall clock is ahead of shard time.
    clock_drift_ms: i64,
    /// What an operator should look at.
    warnings: Vec<String>,
}

impl Ready {
    pub(crate) fn of(report: &Report) -> Ready {
        const DRIFT_MS: u64 = 60_000;
        let drift = report.figures.clock_drift_ms;
        let mut warnings = Vec::new();
        if drift.unsigned_abs() > DRIFT_MS {
            warnings.push(format!("the wall clock is {drift} ms ahead of shard time, which does not follow it"));
        }
        if let Some(trouble) = &report.figures.store.trouble {
            warnings.push(format!("the store does not work: {trouble}"));
        }
        Ready { status: "ready", clock_drift_ms: drift, warnings }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByVerb {
    verb: String,
}

impl Metrics {
    pub(crate) fn new(memory_bytes: Option<u64>) -> Metrics {
        let row = || [const { AtomicU64::new(0) }; STATUSES.len()];
        Metrics {
            answered: (0..=OPERATIONS).map(|_| row()).collect(),
            connections: AtomicU64::new(0),
            connections_open: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            memory_bytes,
        }
    }

    pub(crate) fn answered(&self, operation: Option<Operation>, status: StatusCode) {
        let row = operation.map_or(OPERATIONS, |operation| operation as usize);
        let column = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.answered[row][column].fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it, in OpenMetrics text. Without a report the loop did not answer in time.
    pub(crate) fn text(&self, report: Option<&Report>, in_hand: usize, kept: usize) -> String {
        let mut registry = Registry::with_prefix("sumun");
        self.http(registry.sub_registry_with_prefix("http"), in_hand, kept);
        gauge(
            &mut registry,
            "shard_answers",
            "Whether the shard answered this scrape in time",
            report.is_some().into(),
        );
        if let Some(report) = report {
            shard(&mut registry, report);
            steps(&mut registry, report);
            resp(registry.sub_registry_with_prefix("resp"), report);
        }
        if let Some(most) = self.memory_bytes {
            bytes(&mut registry, "memory_limit", "What records and the store may take in memory", most as i64);
        }
        if let Some(resident) = resident_bytes() {
            bytes(&mut registry, "process_resident", "What the process takes in memory", resident as i64);
        }
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing into memory cannot fail");
        text
    }

    fn http(&self, registry: &mut Registry, in_hand: usize, kept: usize) {
        let requests = Family::<Answered, Counter>::default();
        let routes = PLACES.iter().flat_map(|place| {
            place.operations.iter().map(|(method, operation)| (*operation as usize, method.as_str(), place.path))
        });
        for (row, method, route) in routes.chain([(OPERATIONS, "other", "other")]) {
            for (status, count) in STATUSES.iter().zip(&self.answered[row]) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = Answered { method: method.to_owned(), route: route.to_owned(), status: *status };
                    requests.get_or_create(&labels).inc_by(count);
                }
            }
        }
        registry.register("requests", "Requests answered, by route and status", requests);
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        counter(registry, "connections", "Connections accepted", load(&self.connections));
        counter(registry, "connections_refused", "Connections refused: too many", load(&self.connections_refused));
        gauge(registry, "connections_open", "Connections now", load(&self.connections_open) as i64);
        counter(registry, "unproven_closed", "Requests closed unanswered: not proven", load(&self.lost));
        gauge(registry, "questions_in_hand", "Questions put to the shard and not yet answered", in_hand as i64);
        bytes(registry, "bodies_kept", "Bodies of requests and responses in memory", kept as i64);
    }
}

/// As the kernel counts it.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

fn shard(registry: &mut Registry, report: &Report) {
    let Figures { sequence, durable, events, ends, batches, batch_bytes, batch_commands, .. } = &report.figures;
    let Figures { commits_beside, commits_held, sync_us, sync_us_max, log_failures, .. } = &report.figures;
    let Figures { expiry_lag_ms, clock_drift_ms, open_reservations, items, memory_bytes, .. } = &report.figures;
    let Figures { is_writable, log_first, log_bytes, epoch, store, .. } = &report.figures;
    gauge(registry, "ready", "Whether commands are decided", (report.readiness == Readiness::Ready).into());
    gauge(registry, "log_writable", "Whether the log can be written", (*is_writable).into());
    gauge(registry, "log_sequence", "Newest event", *sequence as i64);
    gauge(registry, "log_durable_sequence", "Newest event that is durable", durable.sequence as i64);
    gauge(registry, "log_first_sequence", "Oldest event that the log keeps", *log_first as i64);
    gauge(registry, "log_epoch", "How often the log was opened", *epoch as i64);
    bytes(registry, "log_size", "What the log takes on disk", *log_bytes as i64);
    counter(registry, "log_failures", "Writes or syncs that failed", *log_failures);
    counter(registry, "events", "Events written", *events);
    counter(registry, "ends", "Reservations and lots ended by time", *ends);
    counter(registry, "commits", "Batches handed to the log", *batches);
    counter(registry, "commit_bytes", "Bytes of these batches", *batch_bytes);
    counter(registry, "commits_beside", "Commits on the log's own thread", *commits_beside);
    counter(registry, "commits_held", "Commits held back to gather more", *commits_held);
    gauge(registry, "commit_commands", "Commands a batch, smoothed", *batch_commands as i64);
    seconds(registry, "sync_smoothed", "One commit, written and synced, smoothed", *sync_us as f64 / 1e6);
    seconds(registry, "sync_longest", "The longest commit of this run", *sync_us_max as f64 / 1e6);
    durations(registry, "sync", "Commits, written and synced", report.figures.syncs);
    durations(registry, "step_cpu", "CPU time of steps, their syncs apart", report.figures.step_cpu);
    seconds(registry, "expiry_lag", "How late the last end by time was written", *expiry_lag_ms as f64 / 1e3);
    seconds(registry, "clock_drift", "How far the wall clock is ahead of shard time", *clock_drift_ms as f64 / 1e3);
    gauge(registry, "reservations_open", "Reservations that are held", *open_reservations as i64);
    gauge(registry, "items_in_memory", "Items in memory", *items as i64);
    bytes(registry, "records_memory", "What records take in memory", *memory_bytes as i64);
    self::store(registry.sub_registry_with_prefix("store"), store);
}

/// Steps take requests of all interfaces, and so do refusals count them.
fn steps(registry: &mut Registry, report: &Report) {
    let served = &report.resp;
    let up_ms = report.now_ms.saturating_sub(served.started_ms);
    seconds(registry, "uptime", "Since the server was started", up_ms as f64 / 1e3);
    counter(registry, "steps", "Steps taken", served.steps);
    gauge(registry, "step_requests_most", "Most requests that one step took", served.step_requests_max as i64);
    counter(registry, "requests", "Requests decided, of all interfaces", served.requests);
    counter(registry, "waits", "Times a request waited for another step or a record", served.waits);
    let commands = Family::<ByVerb, Counter>::default();
    for (verb, count) in &served.commands {
        commands.get_or_create(&ByVerb { verb: (*verb).to_owned() }).inc_by(*count);
    }
    registry.register("commands", "Commands decided, refused ones too, by verb", commands);
    let refused = Family::<ByCode, Counter>::default();
    for (code, count) in &served.refusals {
        let code = ProblemCode::of(*code).word().to_owned();
        refused.get_or_create(&ByCode { code }).inc_by(*count);
    }
    registry.register("refused", "Commands refused, by code", refused);
}

fn store(registry: &mut Registry, store: &Store) {
    let Store { saved, lag, lag_max, unsaved, chunks, records, bytes: written, reads, reading, trouble } = store;
    gauge(registry, "sequence", "Newest event up to which all stand in the store", *saved as i64);
    gauge(registry, "lag_events", "Events that the store is behind", *lag as i64);
    gauge(
        registry,
        "lag_max_events",
        "Events that it may be behind: from nine tenths on new work is refused",
        *lag_max as i64,
    );
    gauge(registry, "unsaved_records", "Records changed since they were stored", *unsaved as i64);
    counter(registry, "chunks", "Chunks written", *chunks);
    counter(registry, "records", "Records written", *records);
    counter(registry, "bytes", "Bytes written", *written);
    counter(registry, "reads", "Records read back", *reads);
    gauge(registry, "reading", "Records that are being read", *reading as i64);
    gauge(registry, "works", "Whether the store works", trouble.is_none().into());
}

fn resp(registry: &mut Registry, report: &Report) {
    let served = &report.resp;
    gauge(registry, "clients", "Connections now", served.clients as i64);
    counter(registry, "connections", "Connections accepted", served.connections);
    counter(registry, "connections_refused", "Connections refused: too many", served.connections_refused);
    counter(registry, "protocol_errors", "Connections closed for what they sent", served.protocol_errors);
    counter(registry, "received_bytes", "Bytes read", served.bytes_in);
    counter(registry, "sent_bytes", "Bytes written", served.bytes_out);
    bytes(registry, "clients_memory", "What connections keep in memory", served.kept_bytes as i64);
    counter(registry, "reader_pauses", "Times a connection was not read because it did not read", served.reader_pauses);
    counter(registry, "accept_pauses", "Times no descriptor was left to accept with", served.accept_pauses);
    counter(registry, "unproven_closed", "Connections closed unanswered: not proven", served.unproven_closed);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstCounter::new(value));
}
fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    registry.register(name, help, ConstGauge::new(value));
}
fn bytes(registry: &mut Registry, name: &str, help: &str, value: i64) {
    registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(value));
}
fn seconds(registry: &mut Registry, name: &str, help: &str, value: f64) {
    registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(value));
}
fn durations(registry: &mut Registry, name: &str, help: &str, of: Durations) {
    registry.register_with_unit(name, help, Unit::Seconds, Counted(of));
}

/// Durations that were counted elsewhere, as a histogram.
#[derive(Debug)]
struct Counted(Durations);

impl EncodeMetric for Counted {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Durations { counts, sum_ns, .. } = &self.0;
        let bound = |n: usize| if n + 1 == counts.len() { f64::MAX } else { (1_u64 << n) as f64 / 1e6 };
        let buckets: Vec<(f64, u64)> = counts.iter().enumerate().map(|(n, count)| (bound(n), *count)).collect();
        encoder.encode_histogram::<ByCode>(*sum_ns as f64 / 1e9, counts.iter().sum(), &buckets, None)
    }
    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
