//! More items than memory holds: what a server with ten times as many takes, how fast those are that everybody asks for,
//! and how long a cold one takes.

use super::drive::{FULL, Pace, Until};
use super::report::{Report, Wanted};
use super::spread::{Spread, Zipf};
use super::stage::{MIB, Stage, connect, info, watch};
use super::watch::{cool, disk_used};
use super::work::{Each, Pass};
use super::{Options, words};
use crate::support::{Server, Value};
use sumun_auditor::generate::Random;

const ITEMS: u64 = 10_000_000;
const MEMORY: u64 = 512 << 20;
/// The store and the shard need so much, however few items there are.
const MEMORY_MIN: u64 = 16 << 20;
const HOT_ITEMS: u64 = 10_000;
/// Reservations of each kind of load: ten millions in all.
const HOT: u64 = 1_000_000;
const SPREAD: u64 = 4_000_000;
/// Reads and reserves whose latency is measured, and their rate.
const COLD: u64 = 40_000;
const COLD_RATE: u64 = 2_000;
const ZIPF: f64 = 0.99;
/// Items whose sums are compared with what was acknowledged.
const JUDGED: u64 = 20_000;

/// Series of reservation ids.
const HOT_ALONE: u8 = 1;
const HOT_AMONG: u8 = 2;
const BY_ZIPF: u8 = 3;
const UNIFORM: u8 = 4;
const ON_COLD: u8 = 5;
const TO_WARM_UP: u8 = 6;

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let memory = ((MEMORY as f64 * options.scale) as u64).max(MEMORY_MIN);
    let mut stage = Stage::new("outgrow", options, &["--memory".to_owned(), format!("{memory}B")]);
    let (items, hot_items) = (stage.scaled(ITEMS), stage.scaled(HOT_ITEMS).max(100));
    let mut captured = vec![0; usize::try_from(items).map_err(|error| error.to_string())?];
    let server = stage.start()?;
    let watch = watch(&server);
    stage.report.figure("items", items as f64, "");

    stage.receive(&server, 0..hot_items)?;
    let hot = Spread::Uniform { first: 0, items: hot_items };
    // The first commands of a process find nothing in the machine's caches.
    pass(&mut stage, &server, "hot items, to warm up", (TO_WARM_UP, hot, HOT / 5), &mut captured)?;
    let alone = pass(&mut stage, &server, "hot items alone", (HOT_ALONE, hot, HOT), &mut captured)?;
    let made = stage.receive(&server, hot_items..items)?;
    stage.report.figure("receipts of new items", made.rate(), "/s");
    stage.report.figure("the store catches up after them", stage.catch_up(&server)?, "ms");
    let zipf = Spread::Zipf(Zipf::new(items, ZIPF));
    pass(&mut stage, &server, "Zipf 0.99 over all", (BY_ZIPF, zipf, SPREAD), &mut captured)?;
    let all = Spread::Uniform { first: 0, items };
    pass(&mut stage, &server, "uniform over all", (UNIFORM, all, SPREAD), &mut captured)?;
    stage.catch_up(&server)?;
    let among = pass(&mut stage, &server, "hot items among all", (HOT_AMONG, hot, HOT), &mut captured)?;
    stage.report.wanted("hot items among all, of what they do alone", among / alone, "", Wanted::AtLeast(0.8));
    stage.catch_up(&server)?;
    cold(&mut stage, &server, items, &mut captured)?;

    judge(&mut stage, &server, items, &captured)?;
    let mut connection = connect(&server)?;
    for (name, unit) in [("items", "items in memory"), ("store_reads", "records read back"), ("used_memory", "bytes")] {
        let found = info(&mut connection, name)?;
        stage.report.figure(&format!("INFO {name}"), found, unit);
    }
    stage.report.figure("disk of the log", disk_used(&stage.data().join("log")) as f64 / MIB, "MiB");
    stage.report.figure("disk of the store", disk_used(&stage.data().join("store")) as f64 / MIB, "MiB");
    stage.within(watch, memory)?;
    stage.stop_and_verify(server)?;
    Ok(stage.report)
}

/// Reservations that pass through. Gives the commands a second.
fn pass(
    stage: &mut Stage<'_>,
    server: &Server,
    name: &str,
    (series, spread, count): (u8, Spread, u64),
    captured: &mut [u32],
) -> Result<f64, String> {
    let mut work = Pass::new(series, spread, 0..stage.scaled(count), captured);
    let outcome = stage.load(name, server, FULL, Until::default(), &mut work)?;
    let rate = outcome.middle_rate();
    stage.report.figure(&format!("{name}: reserve and capture, commands"), rate, "/s");
    stage.report.figure(&format!("{name}: p99 in the full loop"), outcome.latency.at_ms(0.99), "ms");
    Ok(rate)
}

/// Latencies of single commands on items that are in memory by chance alone, the files' pages cold at first.
fn cold(stage: &mut Stage<'_>, server: &Server, items: u64, captured: &mut [u32]) -> Result<(), String> {
    let dropped = cool(&stage.setup.data)?;
    stage.report.note(format!("before cold reads {dropped}"));
    let count = stage.scaled(COLD).max(2_000);
    let all = Spread::Uniform { first: 0, items };
    let pace = Pace::Open { rate: COLD_RATE };
    let mut reads = Each::of(0..count, b'*', |n, out| {
        words::command(out, &[b"ITEM", &words::sku(all.item(77, n))]);
    });
    let outcome = stage.load("cold reads", server, pace, Until::default(), &mut reads)?;
    quantiles(&mut stage.report, "ITEM of any item at 2,000/s", &outcome.latency);
    let mut reserves = Pass::new(ON_COLD, all, 0..count / 2, captured);
    let outcome = stage.load("cold reserves", server, pace, Until::default(), &mut reserves)?;
    quantiles(&mut stage.report, "reserve and capture on any item at 2,000/s", &outcome.latency);
    Ok(())
}

fn quantiles(report: &mut Report, name: &str, latency: &super::pace::Latency) {
    for (word, quantile) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        report.figure(&format!("{name}: {word}"), latency.at_ms(quantile), "ms");
    }
}

/// Whether items have what was acknowledged: as many captured, nothing held.
fn judge(stage: &mut Stage<'_>, server: &Server, items: u64, captured: &[u32]) -> Result<(), String> {
    let (mut random, mut connection, mut wrong) = (Random::new(9), connect(server)?, Vec::new());
    for _ in 0..JUDGED.min(items) {
        let item = random.below(items);
        let sku = words::sku(item);
        let found = connection.say(&format!("ITEM {}", words::text(&sku))).map_err(|error| error.to_string())?;
        let wanted = usize::try_from(item).ok().and_then(|item| captured.get(item)).copied().unwrap_or_default();
        if found.number("captured") != Some(i64::from(wanted)) || found.number("reserved") != Some(0) {
            wrong.push((wanted, found));
        }
    }
    let count = wrong.len();
    let one: Option<(u32, Value)> = wrong.pop();
    stage.report.must(one.is_none(), || format!("{count} items differ from what was acknowledged: {one:?}"));
    Ok(())
}
