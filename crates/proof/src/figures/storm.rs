//! A million reservations that end in the same moment, on hot items and on ones that are not in memory: what others feel
//! of it, how late the last end is written, and whether anything can be captured late.

use super::drive::{FULL, Pace, Until, drive};
use super::pace::{Outcome, Second};
use super::report::{Report, Wanted};
use super::spread::Spread;
use super::stage::{Stage, connect, info, watch};
use super::watch::cool;
use super::work::{Each, Pass};
use super::{Options, words};
use crate::support::{Server, Value, clock, log};
use std::collections::HashSet;
use sumun_wire::{EventData, Verb};

const MEMORY: u64 = 512 << 20;
const ENDS: u64 = 1_000_000;
const HOT_ITEMS: u64 = 1_000;
const COLD_ITEMS: u64 = 200_000;
const OTHERS_ITEMS: u64 = 1_000;
const OTHERS_RATE: u64 = 5_000;
const SECOND_NS: u64 = 1_000_000_000;
/// How long the others are measured before the storm, and from shortly before it on.
const BEFORE_S: u64 = 8;
const STORM_S: u64 = 8;
const AHEAD_MS: u64 = 200;
/// How long the reservations take to be made, a restart and the measurement before included.
const LEAD_MS: u64 = 90_000;
const LEAD_MS_MIN: u64 = 35_000;
const CAPTURES: u64 = 2_000;
const LAST_END_MS: f64 = 5_000.0;

/// Series of reservation ids: those of the storm begin with `r50-`.
const STORM: u8 = 50;
const OTHERS_BEFORE: u8 = 51;
const OTHERS_IN_STORM: u8 = 52;

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let report = storm(Report::new("storm", options.scale), options, Items::InMemory)?;
    storm(report, options, Items::Cold)
}

/// What is in memory of the items of the storm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Items {
    /// All, since their reservations pin them.
    InMemory,
    /// None: the server has been started anew.
    Cold,
}

fn storm(report: Report, options: &Options, items: Items) -> Result<Report, String> {
    let name = match items {
        Items::InMemory => "items in memory",
        Items::Cold => "items cold after a start",
    };
    let mut stage = Stage::new("storm", options, &["--memory".to_owned(), format!("{MEMORY}B")]);
    stage.report = report;
    let mut server = stage.start()?;
    let (count, cold) = (stage.scaled(ENDS), stage.scaled(COLD_ITEMS));
    stage.receive(&server, 0..HOT_ITEMS + cold + OTHERS_ITEMS)?;
    let due_at = clock::unix_ms() + stage.scaled(LEAD_MS).max(LEAD_MS_MIN);
    let mut work = Each::of(0..count, b'*', |n, out| {
        let item = if n % 2 == 0 { n / 2 % HOT_ITEMS } else { HOT_ITEMS + n / 2 % cold };
        let left_ms = due_at.saturating_sub(clock::unix_ms()).max(1);
        words::reserve(out, &words::id(STORM, n), left_ms, item);
    });
    stage.load("reservations of the storm", &server, FULL, Until::default(), &mut work)?;
    if items == Items::Cold {
        stage.catch_up(&server)?;
        server.terminate()?;
        cool(&stage.setup.data)?;
        server = stage.start()?;
    }
    let watch = watch(&server);
    let others = Spread::Uniform { first: HOT_ITEMS + cold, items: OTHERS_ITEMS };
    let before = measure(&server, OTHERS_BEFORE, others, BEFORE_S)?;
    let left_ms = due_at.saturating_sub(clock::unix_ms());
    if left_ms < AHEAD_MS {
        return Err(format!("{name}: the machine was too slow: the storm came before all was ready"));
    }
    clock::sleep_ms(left_ms - AHEAD_MS);
    let sequence = info(&mut connect(&server)?, "sequence")? as u64;
    let (during, captured) = std::thread::scope(|scope| {
        let captures = scope.spawn(|| capture_at(&server, due_at, count));
        let during = measure(&server, OTHERS_IN_STORM, others, STORM_S);
        let captured = captures.join().unwrap_or_else(|_| Err("the one who captures panicked".to_owned()));
        during.and_then(|during| Ok((during, captured?)))
    })?;
    stage.report.figure(&format!("{name}: reservations that end at once"), count as f64, "");
    felt(&mut stage.report, name, &before, &during);
    stage.report.note(format!("{name}: of captures sent around the end {captured} were accepted"));
    ends(&mut stage, name, &server, sequence, count)?;
    stage.within(watch, MEMORY)?;
    stage.stop_and_verify(server)?;
    Ok(stage.report)
}

/// Others' commands at their rate.
fn measure(server: &Server, series: u8, spread: Spread, seconds: u64) -> Result<Outcome, String> {
    let mut captured = vec![0; usize::try_from(HOT_ITEMS + COLD_ITEMS + OTHERS_ITEMS).map_err(|e| e.to_string())?];
    let mut work = Pass::new(series, spread, 0..u64::MAX >> 8, &mut captured);
    let until = Until { nanos: Some(seconds * SECOND_NS), ..Until::default() };
    drive(server.resp, Pace::Open { rate: OTHERS_RATE }, until, &mut work)
}

fn felt(report: &mut Report, name: &str, before: &Outcome, during: &Outcome) {
    let calm = before.latency.at_ms(0.99);
    // The last one is not a whole second.
    let worst = |seconds: &[Second]| seconds.iter().rev().skip(1).map(|second| second.p99_ms).fold(0.0, f64::max);
    let worst = (worst(&before.seconds), worst(&during.seconds));
    report.figure(&format!("{name}: others' p99 before"), calm, "ms");
    report.figure(&format!("{name}: others' p99 in the worst second before"), worst.0, "ms");
    report.figure(&format!("{name}: others' p99 in the worst second of the storm"), worst.1, "ms");
    report.figure(&format!("{name}: others' longest wait in the storm"), during.latency.at_ms(1.0), "ms");
    report.figure(&format!("{name}: others refused in the storm"), during.refused() as f64, "");
    let times = worst.1 / worst.0.max(calm);
    report.wanted(&format!("{name}: worst second, of the worst before"), times, "", Wanted::AtMost(2.0));
}

/// Sends captures one by one from shortly before the end until well after it. How many were accepted: the log tells when.
fn capture_at(server: &Server, due_at: u64, count: u64) -> Result<u64, String> {
    let mut connection = connect(server)?;
    let mut accepted = 0;
    while clock::unix_ms() + 20 < due_at {
        clock::sleep_ms(1);
    }
    for n in 0..CAPTURES.min(count / 4) {
        let id = words::id(STORM, count - 1 - n);
        let answer = connection.say(&format!("CAPTURE {}", words::text(&id))).map_err(|error| error.to_string())?;
        match answer.error() {
            None => accepted += 1,
            Some(error) if error.starts_with("EXPIRED") => {}
            Some(error) => return Err(format!("a capture around the end was answered -{error}")),
        }
    }
    Ok(accepted)
}

/// Whether each reservation of the storm has ended once, and when; nothing was captured at or after its end.
fn ends(stage: &mut Stage<'_>, name: &str, server: &Server, after: u64, count: u64) -> Result<(), String> {
    let (mut ended, mut latest_ms, mut late, mut twice) = (HashSet::new(), 0, 0, 0);
    let prefix = format!("r{STORM}-");
    for event in log::read(&stage.setup.data, after)? {
        let EventData::Reservation(found) = event.data else { continue };
        let Some(expires_at) = found.expires_at.filter(|_| found.reservation.starts_with(&prefix)) else { continue };
        match found.verb {
            Verb::Expired => latest_ms = latest_ms.max(event.time.0.saturating_sub(expires_at.0)),
            Verb::Captured => late += u64::from(event.time >= expires_at),
            Verb::Configured
            | Verb::Removed
            | Verb::Received
            | Verb::Adjusted
            | Verb::LotExpired
            | Verb::Held
            | Verb::Released
            | Verb::Extended
            | Verb::Returned => continue,
        }
        twice += u64::from(!ended.insert(found.reservation));
    }
    let lost = count - (ended.len() as u64).min(count);
    let report = &mut stage.report;
    report.must(lost == 0, || format!("{name}: {lost} of {count} reservations have not ended"));
    report.must(twice == 0, || format!("{name}: {twice} reservations have ended twice"));
    report.must(late == 0, || format!("{name}: {late} were captured when they had ended"));
    let latest = latest_ms as f64;
    report.wanted(&format!("{name}: the last end is written after"), latest, "ms", Wanted::AtMost(LAST_END_MS));
    let sample = words::id(STORM, 0);
    let command = format!("RESERVATION {}", words::text(&sample));
    let found = connect(server)?.say(&command).map_err(|error| error.to_string())?;
    let state = found.field("state").and_then(Value::text).map(str::to_owned);
    stage.report.must(state.as_deref() == Some("expired"), || format!("{name}: {command} is {found}"));
    Ok(())
}
