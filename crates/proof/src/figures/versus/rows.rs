//! The rows: which peers run under which load, and what is wanted of what they show. Each lane is a fresh server.

use crate::figures::Wanted;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    Callers64,
    Callers256,
    Callers1024,
    Burst,
    OneCaller,
    OpenLoop,
    SlowDisk,
    Kinds64,
    KindsBurst,
    Spread64,
    SpreadBurst,
    Http,
    Memory,
    TenMinutesFull,
    TenMinutesPaced,
}

impl Row {
    pub const ALL: [Row; 15] = [
        Row::Callers64,
        Row::Callers256,
        Row::Callers1024,
        Row::Burst,
        Row::OneCaller,
        Row::OpenLoop,
        Row::SlowDisk,
        Row::Kinds64,
        Row::KindsBurst,
        Row::Spread64,
        Row::SpreadBurst,
        Row::Http,
        Row::Memory,
        Row::TenMinutesFull,
        Row::TenMinutesPaced,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Row::Callers64 => "callers-64",
            Row::Callers256 => "callers-256",
            Row::Callers1024 => "callers-1024",
            Row::Burst => "burst",
            Row::OneCaller => "one-caller",
            Row::OpenLoop => "open-loop",
            Row::SlowDisk => "slow-disk",
            Row::Kinds64 => "kinds-64",
            Row::KindsBurst => "kinds-burst",
            Row::Spread64 => "spread-64",
            Row::SpreadBurst => "spread-burst",
            Row::Http => "http",
            Row::Memory => "memory",
            Row::TenMinutesFull => "ten-minutes-full",
            Row::TenMinutesPaced => "ten-minutes-paced",
        }
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// As released, with its defaults: every reply durable, store and expiry at work.
    Sumun,
    /// The same, over HTTP with keep-alive.
    Web,
    /// A bare axum server that answers a reservation for a reservation.
    Echo,
    /// Redis without persistence.
    Never,
    /// Redis with `appendfsync always`.
    Always,
}

impl Peer {
    pub(super) const fn is_sumun(self) -> bool {
        matches!(self, Peer::Sumun | Peer::Web)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disk {
    AsItIs,
    /// A sync takes a millisecond.
    Slow,
}

/// How many connections, and requests in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) connections: u32,
    pub(super) pipeline: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Length {
    Seconds(f64),
    Commands(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    Closed,
    /// Commands a second.
    At(u64),
    /// Half of what another lane of the round showed: that one runs before.
    HalfOf(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Load {
    /// `sumun bench`.
    Bench { scenario: &'static str, shape: Shape, length: Length, pace: Pace },
    /// `redis-benchmark`, on one item.
    RedisBenchmark { shape: Shape, commands: u64 },
    /// Bare writes and syncs, without any server.
    Sync,
    /// Idle connections, slow readers, ends.
    Memory,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct LanePlan {
    pub(super) name: &'static str,
    pub(super) peer: Peer,
    pub(super) disk: Disk,
    pub(super) load: Load,
    /// Lines of a command: what its rate is counted in.
    pub(super) lines: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    Rate,
    P50,
    P99,
    Refused,
    WorstMinute,
    FirstMinute,
    More(&'static str),
}

/// What is held against what, round by round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) says: &'static str,
    pub(super) lane: &'static str,
    pub(super) metric: Metric,
    pub(super) over: Option<(&'static str, Metric)>,
    pub(super) unit: &'static str,
    pub(super) must: Option<Wanted>,
    pub(super) aim: Option<f64>,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) row: Row,
    pub(super) load: &'static str,
    pub(super) lanes: Vec<LanePlan>,
    pub(super) claims: Vec<Claim>,
    /// One round says it all: it takes minutes, or has nobody beside it.
    pub(super) once: bool,
    /// Only when it is asked for.
    pub(super) long: bool,
}

const ONE: Shape = Shape { connections: 1, pipeline: 1 };
const C64: Shape = Shape { connections: 64, pipeline: 1 };
const C256: Shape = Shape { connections: 256, pipeline: 1 };
const C1024: Shape = Shape { connections: 1_024, pipeline: 1 };
const DEEP: Shape = Shape { connections: 16, pipeline: 64 };
const SHORT: Length = Length::Seconds(3.0);
const BURST: Length = Length::Commands(1_000_000);
const LONG: Length = Length::Seconds(600.0);

const fn lane(name: &'static str, peer: Peer, scenario: &'static str, shape: Shape, length: Length) -> LanePlan {
    let load = Load::Bench { scenario, shape, length, pace: Pace::Closed };
    LanePlan { name, peer, disk: Disk::AsItIs, load, lines: 1.0 }
}

const fn uniform(name: &'static str, peer: Peer, shape: Shape, length: Length) -> LanePlan {
    lane(name, peer, "uniform", shape, length)
}

const fn independent(name: &'static str, peer: Peer, shape: Shape, commands: u64) -> LanePlan {
    let load = Load::RedisBenchmark { shape, commands };
    LanePlan { name, peer, disk: Disk::AsItIs, load, lines: 1.0 }
}

const fn slow(name: &'static str, peer: Peer, shape: Shape) -> LanePlan {
    LanePlan { disk: Disk::Slow, ..uniform(name, peer, shape, SHORT) }
}

const fn paced(name: &'static str, peer: Peer, length: Length, pace: Pace) -> LanePlan {
    let load = Load::Bench { scenario: "uniform", shape: C64, length, pace };
    LanePlan { name, peer, disk: Disk::AsItIs, load, lines: 1.0 }
}

const SYNC: LanePlan = LanePlan { name: "sync", peer: Peer::Sumun, disk: Disk::AsItIs, load: Load::Sync, lines: 1.0 };

const fn ratio(says: &'static str, metric: Metric, lane: &'static str, over: &'static str) -> Claim {
    Claim { says, lane, metric, over: Some((over, metric)), unit: "×", must: None, aim: None }
}

const fn figure(says: &'static str, lane: &'static str, metric: Metric, unit: &'static str) -> Claim {
    Claim { says, lane, metric, over: None, unit, must: None, aim: None }
}

impl Claim {
    const fn least(self, must: f64) -> Claim {
        Claim { must: Some(Wanted::AtLeast(must)), ..self }
    }
    const fn most(self, must: f64) -> Claim {
        Claim { must: Some(Wanted::AtMost(must)), ..self }
    }
    const fn aim(self, aim: f64) -> Claim {
        Claim { aim: Some(aim), ..self }
    }
}

use Metric::{FirstMinute, More, P50, P99, Rate, Refused, WorstMinute};
use Peer::{Always, Echo, Never, Sumun, Web};

/// All rows, in the order in which they run.
pub(super) fn plans() -> Vec<Plan> {
    let mut plans = vec![callers_64(), callers_256(), callers_1024(), burst(), one_caller(), open_loop(), slow_disk()];
    plans.extend(kinds());
    plans.extend([http(), memory(), ten_minutes_full(), ten_minutes_paced()]);
    debug_assert!(plans.len() == Row::ALL.len(), "each row has its plan");
    plans
}

fn plan(row: Row, load: &'static str, lanes: Vec<LanePlan>, claims: Vec<Claim>) -> Plan {
    Plan { row, load, lanes, claims, once: false, long: false }
}

fn callers_64() -> Plan {
    let lanes = vec![
        uniform("sumun", Sumun, C64, SHORT),
        uniform("none", Never, C64, SHORT),
        uniform("always", Always, C64, SHORT),
        independent("sumun, redis-benchmark", Sumun, C64, 250_000),
        independent("none, redis-benchmark", Never, C64, 250_000),
        independent("always, redis-benchmark", Always, C64, 120_000),
    ];
    let claims = vec![
        ratio("rate, of none's", Rate, "sumun", "none").least(1.15).aim(1.4),
        ratio("rate, of always'", Rate, "sumun", "always").least(1.8),
        figure("commands a second", "sumun", Rate, "/s").aim(100_000.0),
        ratio("rate, of none's, by redis-benchmark", Rate, "sumun, redis-benchmark", "none, redis-benchmark")
            .least(1.15),
        ratio("rate, of always', by redis-benchmark", Rate, "sumun, redis-benchmark", "always, redis-benchmark")
            .least(1.8),
    ];
    plan(Row::Callers64, "64 callers, one command at a time", lanes, claims)
}

fn callers_256() -> Plan {
    let lanes = vec![
        uniform("sumun", Sumun, C256, SHORT),
        uniform("none", Never, C256, SHORT),
        uniform("always", Always, C256, SHORT),
    ];
    let claims = vec![
        ratio("rate, of none's", Rate, "sumun", "none").least(1.6).aim(2.0),
        ratio("p99, of none's", P99, "sumun", "none").most(0.8),
        figure("p99", "sumun", P99, "µs").most(5_000.0).aim(3_000.0),
    ];
    plan(Row::Callers256, "256 callers", lanes, claims)
}

fn callers_1024() -> Plan {
    let lanes = vec![
        uniform("sumun", Sumun, C1024, SHORT),
        uniform("none", Never, C1024, SHORT),
        uniform("always", Always, C1024, SHORT),
    ];
    let claims = vec![ratio("rate, of none's", Rate, "sumun", "none").least(1.8).aim(2.0)];
    plan(Row::Callers1024, "1,024 callers", lanes, claims)
}

fn burst() -> Plan {
    let lanes = vec![
        uniform("sumun", Sumun, DEEP, BURST),
        uniform("none", Never, DEEP, BURST),
        uniform("always", Always, DEEP, BURST),
        independent("sumun, redis-benchmark", Sumun, DEEP, 1_000_000),
        independent("none, redis-benchmark", Never, DEEP, 1_000_000),
    ];
    let claims = vec![
        ratio("rate, of none's", Rate, "sumun", "none").least(4.0).aim(6.0),
        figure("commands a second", "sumun", Rate, "/s").aim(1_000_000.0),
        figure("refused for the moment", "sumun", Refused, "").most(0.0),
        ratio("rate, of none's, by redis-benchmark", Rate, "sumun, redis-benchmark", "none, redis-benchmark")
            .least(4.0),
    ];
    plan(Row::Burst, "16 connections × 64 pipelined, bursts of 1,000,000", lanes, claims)
}

fn one_caller() -> Plan {
    let lanes = vec![
        SYNC,
        uniform("sumun", Sumun, ONE, SHORT),
        uniform("none", Never, ONE, SHORT),
        uniform("always", Always, ONE, SHORT),
    ];
    let claims = vec![
        ratio("p50, of a bare write and sync", P50, "sumun", "sync").most(1.5).aim(1.2),
        ratio("p50, of always'", P50, "sumun", "always").most(0.8),
    ];
    plan(Row::OneCaller, "1 caller", lanes, claims)
}

fn open_loop() -> Plan {
    let half = Pace::HalfOf("maximum");
    let lanes = vec![
        uniform("maximum", Sumun, C64, SHORT),
        SYNC,
        paced("sumun", Sumun, SHORT, half),
        paced("none", Never, SHORT, half),
    ];
    let claims = vec![
        ratio("p50, of a bare write and sync", P50, "sumun", "sync").most(4.0),
        ratio("p99, of none's at the same rate", P99, "sumun", "none").most(1.5).aim(1.0),
    ];
    plan(Row::OpenLoop, "open loop at half of the 64 callers' maximum", lanes, claims)
}

fn slow_disk() -> Plan {
    let lanes = vec![
        slow("sumun 64", Sumun, C64),
        slow("always 64", Always, C64),
        slow("sumun 256", Sumun, C256),
        slow("always 256", Always, C256),
    ];
    let claims = vec![
        ratio("64 callers: rate, of always'", Rate, "sumun 64", "always 64").least(1.4),
        ratio("256 callers: rate, of always'", Rate, "sumun 256", "always 256").least(1.8),
    ];
    plan(Row::SlowDisk, "a disk with 1 ms a sync", lanes, claims)
}

/// Kinds of commands, and how they are spread, both against the plain reserve at both loads.
fn kinds() -> Vec<Plan> {
    let mut plans = Vec::new();
    for (row, load, shape, length) in [
        (Row::Kinds64, "kinds of commands, 64 callers", C64, SHORT),
        (Row::KindsBurst, "kinds of commands, 16 × 64", DEEP, BURST),
    ] {
        let lanes = vec![
            uniform("plain", Sumun, shape, length),
            lane("full life", Sumun, "full-life", shape, length),
            LanePlan { lines: 3.0, ..lane("three lines", Sumun, "multi-line", shape, length) },
            lane("holders", Sumun, "holders", shape, length),
            lane("lots", Sumun, "lots", shape, length),
        ];
        let of = |says, lane| ratio(says, Rate, lane, "plain").least(0.6).aim(0.8);
        let claims = vec![
            of("reserve and capture, of plain", "full life"),
            of("three lines, by lines, of plain", "three lines"),
            of("per-holder limits, of plain", "holders"),
            of("lots, of plain", "lots"),
        ];
        plans.push(plan(row, load, lanes, claims));
    }
    for (row, load, shape, length) in [
        (Row::Spread64, "spread over items and ids, 64 callers", C64, SHORT),
        (Row::SpreadBurst, "spread over items and ids, 16 × 64", DEEP, BURST),
    ] {
        let lanes = vec![
            uniform("uniform", Sumun, shape, length),
            lane("hot", Sumun, "hot", shape, length),
            lane("random ids", Sumun, "random-ids", shape, length),
            lane("zipf", Sumun, "zipf", shape, length),
        ];
        let claims = vec![
            ratio("one hot item, of uniform", Rate, "hot", "uniform").least(0.95),
            ratio("random ids of 36 bytes, of uniform", Rate, "random ids", "uniform").least(0.85),
            ratio("Zipf 0.99, of uniform", Rate, "zipf", "uniform").least(0.95),
        ];
        plans.push(plan(row, load, lanes, claims));
    }
    plans
}

fn http() -> Plan {
    let lanes = vec![uniform("http", Web, C64, SHORT), uniform("axum echo", Echo, C64, SHORT)];
    let claims = vec![
        ratio("rate, of the echo's", Rate, "http", "axum echo").least(0.6).aim(0.8),
        ratio("p99, of the echo's", P99, "http", "axum echo").most(3.0),
        figure("requests a second", "http", Rate, "/s"),
        // The echo must not have less to write.
        ratio("bytes of the document answered, of the echo's", More("document_bytes"), "http", "axum echo").most(1.02),
    ];
    plan(Row::Http, "HTTP reserve with keep-alive, 64 connections", lanes, claims)
}

fn memory() -> Plan {
    let lane = LanePlan { name: "sumun", load: Load::Memory, ..SYNC };
    let claims = vec![
        figure("an empty server's RSS", "sumun", More("empty_mib"), "MiB").most(100.0),
        figure("9,999 idle connections, each", "sumun", More("idle_bytes"), "B").most(1_024.0),
        figure("64 clients that read nothing, together", "sumun", More("readers_mib"), "MiB").most(64.0),
        figure("RSS at most while 10,000,000 reservations ended", "sumun", More("peak_mib"), "MiB"),
        figure("RSS 20 s after, of that", "sumun", More("after"), "×").most(0.75),
    ];
    Plan { once: true, ..plan(Row::Memory, "memory", vec![lane], claims) }
}

fn ten_minutes_full() -> Plan {
    let lanes = vec![uniform("sumun", Sumun, DEEP, LONG), uniform("none", Never, DEEP, LONG)];
    let claims = vec![
        figure("the rate that the store sustains", "sumun", Rate, "/s"),
        ratio("rate, of none's", Rate, "sumun", "none").aim(1.5),
        figure("worst second, of the median one", "sumun", More("worst_second"), "×").least(0.1),
        figure("refused with a retry time, and asked again", "sumun", Refused, ""),
        figure("RSS at most", "sumun", More("rss_peak_mib"), "MiB"),
    ];
    let plan = plan(Row::TenMinutesFull, "16 × 64 pipelined for ten minutes", lanes, claims);
    Plan { once: true, long: true, ..plan }
}

fn ten_minutes_paced() -> Plan {
    let lanes = vec![paced("sumun", Sumun, LONG, Pace::At(60_000))];
    let worst = Claim { over: Some(("sumun", FirstMinute)), unit: "×", ..figure("", "sumun", WorstMinute, "") };
    let claims = vec![
        Claim { says: "worst minute's p99, of the first one's", ..worst }.most(2.0),
        figure("CPU of the longest step", "sumun", More("step_cpu_us_max"), "µs").most(2_000.0),
    ];
    let plan = plan(Row::TenMinutesPaced, "ten minutes at 60,000 a second", lanes, claims);
    Plan { once: true, long: true, ..plan }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_plan_whose_claims_name_its_lanes() {
        let plans = plans();
        assert_eq!(plans.iter().map(|plan| plan.row).collect::<Vec<_>>(), Row::ALL);
        for plan in &plans {
            let has = |name: &str| plan.lanes.iter().any(|lane| lane.name == name);
            for claim in &plan.claims {
                assert!(has(claim.lane) && claim.over.is_none_or(|(lane, _)| has(lane)), "{claim:?}");
            }
            for lane in &plan.lanes {
                if let Load::Bench { pace: Pace::HalfOf(other), .. } = lane.load {
                    assert!(has(other), "{lane:?}");
                }
            }
        }
    }
}
