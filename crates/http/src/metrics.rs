//! What is measured, as Prometheus reads it: shard and server as the loop reports them, HTTP as it is counted here.
//!
//! Cost: an addition a request; everything else when it is asked for.

use crate::ask::Asker;
use crate::caps;
use crate::problem::ProblemCode;
use crate::route::{OPERATIONS, Operation, PLACES};
use crate::socket::Late;
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
use sumun_feed::Counts;
use sumun_server::ledger::{Durations, Figures, Readiness, Store};
use sumun_server::{Handover, Report};

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
    /// By code.
    refused: [AtomicU64; ProblemCode::ALL.len()],
    ended: [AtomicU64; Late::ALL.len()],
}

/// What else is shown, as it stands now.
#[derive(Debug)]
pub(crate) struct Around<'a> {
    /// `None`: the loop did not answer in time.
    pub(crate) report: Option<&'a Report>,
    pub(crate) asker: &'a Asker,
    /// Of bodies.
    pub(crate) kept: usize,
    pub(crate) feed: Option<Counts>,
    pub(crate) spans: Option<sumun_trace::Figures>,
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

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByWhy {
    why: String,
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
            refused: [const { AtomicU64::new(0) }; ProblemCode::ALL.len()],
            ended: [const { AtomicU64::new(0) }; Late::ALL.len()],
        }
    }

    pub(crate) fn answered(&self, operation: Option<Operation>, status: StatusCode) {
        let row = operation.map_or(OPERATIONS, |operation| operation as usize);
        let column = STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len() - 1);
        self.answered[row][column].fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn refused(&self, code: ProblemCode) {
        self.refused[code as usize].fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn ended(&self, why: Late) {
        self.ended[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// All of it, in OpenMetrics text.
    pub(crate) fn text(&self, around: &Around<'_>) -> String {
        let mut registry = Registry::with_prefix("sumun");
        self.http(registry.sub_registry_with_prefix("http"), around);
        handover(registry.sub_registry_with_prefix("handover"), around.asker.handover());
        gauge(
            &mut registry,
            "shard_answers",
            "Whether the shard answered this scrape in time: without it most of the rest is missing; 0 is an outage",
            around.report.is_some().into(),
        );
        if let Some(report) = around.report {
            shard(&mut registry, report);
            log(registry.sub_registry_with_prefix("log"), &report.figures);
            commits(&mut registry, &report.figures);
            steps(&mut registry, report);
            store(registry.sub_registry_with_prefix("store"), &report.figures.store);
            resp(registry.sub_registry_with_prefix("resp"), report);
        }
        if let Some(most) = self.memory_bytes {
            bytes(&mut registry, "memory_limit", "What records and the store may take in memory", most as i64);
        }
        if let Some(resident) = resident_bytes() {
            bytes(&mut registry, "process_resident", "What the process takes in memory", resident as i64);
        }
        if let Some(counts) = &around.feed {
            feed(registry.sub_registry_with_prefix("feed"), counts);
        }
        if let Some(figures) = &around.spans {
            spans(registry.sub_registry_with_prefix("trace_spans"), figures);
        }
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing into memory cannot fail");
        text
    }

    fn http(&self, registry: &mut Registry, around: &Around<'_>) {
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
        registry.register("requests", "Requests answered, by route and status; a 500 is a mistake of ours", requests);
        let refused = Family::<ByCode, Counter>::default();
        for (code, count) in ProblemCode::ALL.iter().zip(&self.refused) {
            let labels = ByCode { code: code.word().to_owned() };
            refused.get_or_create(&labels).inc_by(count.load(Ordering::Relaxed));
        }
        registry.register("refused", "Requests refused, by code; watch overloaded and read_only", refused);
        let ended = Family::<ByWhy, Counter>::default();
        for (why, count) in Late::ALL.iter().zip(&self.ended) {
            let labels = ByWhy { why: why.word().to_owned() };
            ended.get_or_create(&labels).inc_by(count.load(Ordering::Relaxed));
        }
        registry.register(
            "connections_ended",
            "Connections ended for what their peer took too long for; `stalled` are followers and others that do not read",
            ended,
        );
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        counter(registry, "connections", "Connections accepted", load(&self.connections));
        counter(
            registry,
            "connections_refused",
            "Connections refused: there were too many",
            load(&self.connections_refused),
        );
        gauge(registry, "connections_open", "Connections now", load(&self.connections_open) as i64);
        counter(
            registry,
            "unproven_closed",
            "Requests closed unanswered: not proven durable; any means that the log failed",
            load(&self.lost),
        );
        let in_hand = around.asker.handover().in_hand() as i64;
        gauge(registry, "questions_in_hand", "As sumun_handover_questions", in_hand);
        bytes(registry, "bodies_kept", "Bodies of requests and responses in memory", around.kept as i64);
        bytes(
            registry,
            "bodies_kept_max",
            "What they may take: then requests are refused",
            caps::KEPT_BYTES_MAX as i64,
        );
    }
}

/// As the kernel counts it.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

fn handover(registry: &mut Registry, handover: &Handover) {
    use sumun_server::caps::{HANDED_BYTES_MAX, HANDED_MAX};
    let in_hand = handover.in_hand() as i64;
    gauge(
        registry,
        "questions",
        "Questions put to the shard and not yet answered; near its most, it is overloaded",
        in_hand,
    );
    gauge(registry, "questions_max", "How many there may be", HANDED_MAX as i64);
    bytes(registry, "kept", "What these questions keep in memory", handover.bytes() as i64);
    bytes(registry, "kept_max", "What they may keep", HANDED_BYTES_MAX as i64);
    counter(registry, "refused", "Questions turned away: there were too many", handover.refused());
}

fn shard(registry: &mut Registry, report: &Report) {
    let Figures { events, ends, expiry_lag_ms, clock_drift_ms, open_reservations, items, .. } = &report.figures;
    let Figures { memory_bytes, memory_bytes_max, retention_ms, step_cpu, .. } = &report.figures;
    gauge(registry, "ready", "Whether commands are decided; 0 while the log is replayed", is_ready(report));
    counter(registry, "events", "Events written", *events);
    counter(registry, "ends", "Reservations and lots ended by time", *ends);
    seconds(
        registry,
        "expiry_lag",
        "How late the ends by time are that are due; beyond 0.1 on a calm machine it cannot keep up",
        *expiry_lag_ms as f64 / 1e3,
    );
    seconds(
        registry,
        "clock_drift",
        "How far the wall clock is ahead of shard time; beyond 60 in either direction look at the clock",
        *clock_drift_ms as f64 / 1e3,
    );
    gauge(registry, "reservations_open", "Reservations that are held", *open_reservations as i64);
    gauge(registry, "items_in_memory", "Items in memory", *items as i64);
    bytes(registry, "records_memory", "What records take in memory", *memory_bytes as i64);
    bytes(
        registry,
        "records_memory_max",
        "What they may take: from 0.9 of it on reserves and receipts are refused",
        *memory_bytes_max as i64,
    );
    seconds(registry, "retention", "How long ids are remembered, as configured", *retention_ms as f64 / 1e3);
    durations(
        registry,
        "step_cpu",
        "CPU time of steps, their syncs apart; they are meant to stay below 0.002",
        *step_cpu,
    );
}

fn is_ready(report: &Report) -> i64 {
    (report.readiness == Readiness::Ready).into()
}

/// The log, and commits to it.
fn log(registry: &mut Registry, figures: &Figures) {
    let Figures { sequence, durable, is_writable, log_first, log_bytes, log_segments, log_oldest_ms, .. } = figures;
    let Figures { log_reopens, trim_failures, log_retention_ms, log_failures, epoch, .. } = figures;
    gauge(registry, "writable", "Whether the log can be written; 0: writes are refused", (*is_writable).into());
    gauge(registry, "sequence", "Newest event", *sequence as i64);
    gauge(registry, "durable_sequence", "Newest event that is durable", durable.sequence as i64);
    gauge(registry, "first_sequence", "Oldest event that the log keeps", *log_first as i64);
    gauge(registry, "epoch", "How often the log was opened", *epoch as i64);
    bytes(registry, "size", "What the log takes on disk", *log_bytes as i64);
    gauge(registry, "segments", "Files that it takes", *log_segments as i64);
    seconds(registry, "retention", "How long the log is kept, as configured", *log_retention_ms as f64 / 1e3);
    if let Some(ms) = log_oldest_ms {
        let help =
            "Unix time about which its oldest event is, as last looked at; much older than log_retention: it cannot go";
        seconds(registry, "oldest_timestamp", help, *ms as f64 / 1e3);
    }
    counter(registry, "trim_failures", "Looks at what of the log may go that could not read it", *trim_failures);
    counter(registry, "failures", "Writes or syncs that failed; any means that the disk does", *log_failures);
    counter(registry, "reopens", "Times that it was opened again after a failure", *log_reopens);
}

fn commits(registry: &mut Registry, figures: &Figures) {
    let Figures { batches, batch_bytes, batch_commands, commits_beside, commits_held, .. } = figures;
    let Figures { sync_us, sync_us_max, syncs, pending_bytes, .. } = figures;
    counter(registry, "commits", "Batches handed to the log", *batches);
    counter(registry, "commit_bytes", "Bytes of these batches", *batch_bytes);
    counter(registry, "commits_beside", "Commits on the log's own thread: the disk is slow", *commits_beside);
    counter(registry, "commits_held", "Commits held back to gather more", *commits_held);
    gauge(registry, "commit_commands", "Commands a batch, smoothed", *batch_commands as i64);
    bytes(registry, "commit_waiting", "Of the batch that is not yet handed to the log", *pending_bytes as i64);
    seconds(registry, "sync_smoothed", "One commit, written and synced, smoothed", *sync_us as f64 / 1e6);
    seconds(registry, "sync_longest", "The longest commit of this run", *sync_us_max as f64 / 1e6);
    durations(registry, "sync", "Commits, written and synced: what every answer waits for", *syncs);
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
    registry.register(
        "refused",
        "Commands refused by the shard, by code, of all interfaces; overloaded and read_only are not the client's doing",
        refused,
    );
}

fn store(registry: &mut Registry, store: &Store) {
    let Store { saved, lag, lag_max, unsaved, chunks, records, bytes: written, reads, reading, trouble, .. } = store;
    gauge(registry, "sequence", "Newest event up to which all stand in the store", *saved as i64);
    gauge(registry, "lag_events", "Events that the store is behind, which a start replays", *lag as i64);
    gauge(
        registry,
        "lag_max_events",
        "Events that it may be behind; from nine tenths of it on, reserves are refused",
        *lag_max as i64,
    );
    gauge(registry, "unsaved_records", "Records changed since they were stored", *unsaved as i64);
    counter(registry, "chunks", "Chunks written", *chunks);
    counter(registry, "records", "Records written", *records);
    counter(registry, "bytes", "Bytes written", *written);
    counter(registry, "reads", "Records read back", *reads);
    gauge(registry, "reading", "Records that are being read", *reading as i64);
    gauge(registry, "works", "Whether the store works; 0: the server's log says why", trouble.is_none().into());
    gauge(registry, "generations", "Generations of ended records", store.generations as i64);
    if store.oldest_ms > 0 {
        let help = "Unix time at which the oldest of them began; older than retention and a generation: it cannot go";
        seconds(registry, "oldest_timestamp", help, store.oldest_ms as f64 / 1e3);
    }
}

fn resp(registry: &mut Registry, report: &Report) {
    let served = &report.resp;
    gauge(registry, "clients", "Connections now", served.clients as i64);
    counter(registry, "connections", "Connections accepted", served.connections);
    counter(registry, "connections_refused", "Connections refused: there were too many", served.connections_refused);
    counter(registry, "protocol_errors", "Connections closed for what they sent", served.protocol_errors);
    counter(registry, "received_bytes", "Bytes read", served.bytes_in);
    counter(registry, "sent_bytes", "Bytes written", served.bytes_out);
    bytes(registry, "clients_memory", "What connections keep in memory", served.kept_bytes as i64);
    bytes(registry, "transactions_memory", "Of that, in a MULTI", served.transactions_bytes as i64);
    counter(registry, "reader_pauses", "Times a connection was not read because it did not read", served.reader_pauses);
    counter(registry, "accept_pauses", "Times no descriptor was left to accept with", served.accept_pauses);
    counter(
        registry,
        "scarce_closed",
        "Connections closed: large requests while memory was short",
        served.scarce_closed,
    );
    counter(
        registry,
        "unproven_closed",
        "Connections closed unanswered: not proven durable; any means that the log failed",
        served.unproven_closed,
    );
}

fn feed(registry: &mut Registry, counts: &Counts) {
    let Counts { followers, live, ring_events, ring_bytes, outbox_events, behind, left_behind, refused, .. } = counts;
    gauge(registry, "followers", "Who follows the log", *followers as i64);
    gauge(
        registry,
        "followers_live",
        "Those that are served as events happen; the others catch up, or stall",
        *live as i64,
    );
    gauge(
        registry,
        "follower_behind_events",
        "How far the follower is behind that is furthest; growing for long: it stalls, or cannot keep up",
        *behind as i64,
    );
    counter(registry, "followers_left_behind", "Times that a follower's queue was full", *left_behind);
    counter(registry, "followers_refused", "Followers turned away: there were too many", *refused);
    gauge(registry, "outbox_events", "Events that wait for followers to take them", *outbox_events as i64);
    gauge(registry, "ring_events", "Newest events kept for followers a little behind", *ring_events as i64);
    bytes(registry, "ring", "What these take in memory", *ring_bytes as i64);
    gauge(registry, "pages", "Pages and histories that are being read from the log", counts.pages as i64);
    gauge(
        registry,
        "pages_waiting",
        "Those that wait for one to be through; for long: somebody pages through the whole log",
        counts.pages_waiting as i64,
    );
}

fn spans(registry: &mut Registry, figures: &sumun_trace::Figures) {
    gauge(registry, "queued", "Spans that wait to be sent", figures.queued as i64);
    counter(registry, "sent", "Spans that the collector took", figures.exported);
    counter(
        registry,
        "dropped",
        "Spans dropped: the collector is slow, or there are more than it is sent",
        figures.dropped,
    );
    counter(registry, "failed", "Spans that the collector did not take: it is down, or refuses them", figures.failed);
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
        let bound = |n: usize| if n + 1 == counts.len() { f64::INFINITY } else { (1_u64 << n) as f64 / 1e6 };
        let buckets: Vec<(f64, u64)> = counts.iter().enumerate().map(|(n, count)| (bound(n), *count)).collect();
        encoder.encode_histogram::<ByCode>(*sum_ns as f64 / 1e9, counts.iter().sum(), &buckets, None)
    }
    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
