//! How long a start takes: with much history and many open reservations, after a stop and after a kill, from a cold page
//! cache, with ends that are due. After each, what was acknowledged is asked again.

use super::drive::{FULL, Until, drive};
use super::report::{Report, Wanted};
use super::spread::Spread;
use super::stage::{Known, Stage, connect, info};
use super::watch::cool;
use super::work::{Each, Pass};
use super::{Options, words};
use crate::support::{Server, Value, clock};
use std::sync::atomic::{AtomicBool, Ordering};

const ITEMS: u64 = 100_000;
const OPEN: u64 = 1_000_000;
/// Ended reservations at which a start is measured.
const ENDED: [u64; 3] = [1_000_000, 3_000_000, 10_000_000];
const BURST: u64 = 500_000;
/// Of the server that is killed under load.
const OPEN_FEW: u64 = 100_000;
const ENDED_FEW: u64 = 1_000_000;
const LOAD_MS: u64 = 4_000;
const TTL_MS: u64 = 7 * 24 * 3_600_000;
/// Ends that are to come while the server is down: how long their reservations take to be made, at most.
const DUE_MS: u64 = 60_000;
const DUE_MS_MIN: u64 = 5_000;

const READY_MS: f64 = 3_500.0;
const SERVING_MS: f64 = 1_000.0;
/// Growth with history that is noise: of the time with the least of it.
const GROWTH: f64 = 1.25;

/// Series of reservation ids.
const HELD: u8 = 10;
const PASSED: u8 = 11;
const IN_BURST: u8 = 12;
const DUE: u8 = 13;

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let mut stage = Stage::new("restart", options, &[]);
    with_history(&mut stage)?;
    let mut report = std::mem::replace(&mut stage.report, Report::new("", options.scale));
    // Its disk is free before the next one begins.
    drop(stage);
    let mut stage = Stage::new("restart", options, &[]);
    std::mem::swap(&mut stage.report, &mut report);
    under_load(&mut stage)?;
    Ok(stage.report)
}

struct Shop {
    items: u64,
    open: u64,
    ended: u64,
    captured: Vec<u32>,
}

impl Shop {
    /// Items, and reservations that stay open.
    fn found(stage: &mut Stage<'_>, server: &Server, open: u64) -> Result<Shop, String> {
        let (items, open) = (stage.scaled(ITEMS), stage.scaled(open));
        stage.receive(server, 0..items)?;
        hold(stage, server, (HELD, open), items, TTL_MS)?;
        let captured = vec![0; usize::try_from(items).map_err(|error| error.to_string())?];
        Ok(Shop { items, open, ended: 0, captured })
    }

    fn all(&self) -> Spread {
        Spread::Uniform { first: 0, items: self.items }
    }

    /// Reservations pass through until so many have ended.
    fn pass_until(&mut self, stage: &mut Stage<'_>, server: &Server, ended: u64) -> Result<(), String> {
        let mut work = Pass::new(PASSED, self.all(), self.ended..ended, &mut self.captured);
        stage.load("history", server, FULL, Until::default(), &mut work)?;
        self.ended = ended;
        Ok(())
    }

    /// Answers about reservations, and about some of so many items.
    fn known(&self, server: &Server, items: u64) -> Result<Known, String> {
        Known::ask(server, &[(HELD, self.open), (PASSED, self.ended)], items)
    }

    /// What was known is as it was, and as many are open as were never ended.
    fn judge(&self, stage: &mut Stage<'_>, server: &Server, known: &Known) -> Result<(), String> {
        let changed = known.changed(server)?;
        stage.report.must(changed.is_none(), || changed.unwrap_or_default());
        let open = info(&mut connect(server)?, "open_reservations")?;
        stage.report.must(open == self.open as f64, || format!("{open} reservations are open, not {}", self.open));
        Ok(())
    }
}

fn hold(
    stage: &mut Stage<'_>,
    server: &Server,
    (series, count): (u8, u64),
    items: u64,
    ttl_ms: u64,
) -> Result<(), String> {
    let until = clock::unix_ms() + ttl_ms;
    let mut work = Each::of(0..count, b'*', |n, out| {
        let left = until.saturating_sub(clock::unix_ms()).max(1);
        words::reserve(out, &words::id(series, n), left, n % items);
    });
    stage.load("open reservations", server, FULL, Until::default(), &mut work).map(drop)
}

fn with_history(stage: &mut Stage<'_>) -> Result<(), String> {
    let mut server = stage.start()?;
    let mut shop = Shop::found(stage, &server, OPEN)?;
    stage.report.figure("items", shop.items as f64, "");
    stage.report.figure("open reservations", shop.open as f64, "");
    let mut times = Vec::new();
    for ended in ENDED.map(|ended| stage.scaled(ended)) {
        shop.pass_until(stage, &server, ended)?;
        let known = shop.known(&server, shop.items)?;
        server.terminate()?;
        let (started, took_ms) = cold_start(stage)?;
        server = started;
        let name = format!("ready after a stop, {ended} ended, cold");
        stage.report.wanted(&name, took_ms, "ms", Wanted::AtMost(READY_MS));
        times.push(took_ms);
        shop.judge(stage, &server, &known)?;
    }
    let growth = times.last().copied().unwrap_or_default() / times.first().copied().unwrap_or(1.0);
    stage.report.wanted("with all history, of the time with the least", growth, "", Wanted::AtMost(GROWTH));
    server = after_a_burst(stage, server, &mut shop)?;
    server = with_ends_due(stage, server, &shop)?;
    stage.stop_and_verify(server)
}

/// From a cold page cache.
fn cold_start(stage: &mut Stage<'_>) -> Result<(Server, f64), String> {
    cool(&stage.setup.data)?;
    stage.start_timed()
}

/// Killed with as much in the log and not in the store as a burst leaves there.
fn after_a_burst(stage: &mut Stage<'_>, mut server: Server, shop: &mut Shop) -> Result<Server, String> {
    // The burst changes items, and no reservation but its own.
    let known = shop.known(&server, 0)?;
    let count = stage.scaled(BURST);
    let mut captured = vec![0; shop.captured.len()];
    let mut work = Pass::new(IN_BURST, shop.all(), 0..count, &mut captured);
    stage.load("a burst", &server, FULL, Until::default(), &mut work)?;
    let lag = info(&mut connect(&server)?, "store_lag")?;
    server.kill()?;
    let (server, took_ms) = cold_start(stage)?;
    stage.report.figure("events behind the store when it was killed", lag, "");
    stage.report.wanted("ready after kill -9, cold", took_ms, "ms", Wanted::AtMost(READY_MS));
    shop.judge(stage, &server, &known)?;
    reached(stage, &server, IN_BURST, &(0..count).map(|n| (n, "captured")).collect::<Vec<_>>())?;
    Ok(server)
}

/// Killed, and started when all of a second crowd of reservations have come to their end.
fn with_ends_due(stage: &mut Stage<'_>, mut server: Server, shop: &Shop) -> Result<Server, String> {
    let ttl_ms = stage.scaled(DUE_MS).max(DUE_MS_MIN);
    let (count, due_at) = (stage.scaled(OPEN), clock::unix_ms() + ttl_ms);
    hold(stage, &server, (DUE, count), shop.items, ttl_ms)?;
    let left_ms = due_at.saturating_sub(clock::unix_ms());
    stage.report.must(left_ms > 0, || "the load was too slow for the ends that were to come".to_owned());
    let known = shop.known(&server, 0)?;
    server.kill()?;
    while clock::unix_ms() <= due_at + 50 {
        clock::sleep_ms(10);
    }
    let (server, took_ms) = cold_start(stage)?;
    stage.report.figure(&format!("ready after kill -9, {count} ends due, cold"), took_ms, "ms");
    shop.judge(stage, &server, &known)?;
    reached(stage, &server, DUE, &(0..count).map(|n| (n, "expired")).collect::<Vec<_>>())?;
    Ok(server)
}

/// Killed in the middle of all that it can do.
fn under_load(stage: &mut Stage<'_>) -> Result<(), String> {
    let mut server = stage.start()?;
    let mut shop = Shop::found(stage, &server, OPEN_FEW)?;
    let ended = stage.scaled(ENDED_FEW);
    shop.pass_until(stage, &server, ended)?;
    let (killed, address) = (AtomicBool::new(false), server.resp);
    let mut captured = vec![0; shop.captured.len()];
    let mut work = Pass::new(IN_BURST, shop.all(), 0..u64::MAX >> 8, &mut captured);
    let (lag, outcome) = std::thread::scope(|scope| {
        let until = Until { killed: Some(&killed), ..Until::default() };
        let load = scope.spawn({
            let work = &mut work;
            move || drive(address, FULL, until, work)
        });
        clock::sleep_ms(LOAD_MS);
        let lag = connect(&server).and_then(|mut connection| info(&mut connection, "store_lag"));
        killed.store(true, Ordering::Release);
        let gone = server.kill();
        let outcome = load.join().unwrap_or_else(|_| Err("the load panicked".to_owned()));
        gone.and(lag).and_then(|lag| Ok((lag, outcome?)))
    })?;
    let (server, took_ms) = stage.start_timed()?;
    let name = format!("serving after kill -9 under load, {} open, {ended} ended", shop.open);
    stage.report.wanted(&name, took_ms, "ms", Wanted::AtMost(SERVING_MS));
    stage.report.figure("events behind the store shortly before", lag, "");
    stage.report.figure("answers a second until then", outcome.rate(), "/s");
    reached(stage, &server, IN_BURST, &work.recent().collect::<Vec<_>>())?;
    stage.stop_and_verify(server)
}

/// Whether reservations stand where they were acknowledged to stand, or further: a held one may have been captured.
fn reached(
    stage: &mut Stage<'_>,
    server: &Server,
    series: u8,
    acknowledged: &[(u64, &'static str)],
) -> Result<(), String> {
    /// So many of them are asked, and so many of the last.
    const ASKED: usize = 2_000;
    let mut connection = connect(server)?;
    let some = acknowledged.iter().step_by((acknowledged.len() / ASKED).max(1));
    let last = acknowledged.iter().rev().take(ASKED);
    let mut wrong = Vec::new();
    for (n, state) in some.chain(last) {
        let command = format!("RESERVATION {}", words::text(&words::id(series, *n)));
        let found = connection.say(&command).map_err(|error| error.to_string())?;
        let stands = found.field("state").and_then(Value::text);
        if stands != Some(state) && !(*state == "held" && stands == Some("captured")) {
            wrong.push(format!("{command} was acknowledged as {state} and is {found}"));
        }
    }
    let count = wrong.len();
    stage.report.must(count == 0, || format!("{count} acknowledged reservations differ: {:?}", wrong.pop()));
    Ok(())
}
