//! What the disk bears: bytes of an event, what the store writes for what it is given, space once retention has passed,
//! and what happens when a disk is full.

use super::drive::{FULL, Until};
use super::full::{self, Where};
use super::report::{Report, Wanted};
use super::spread::Spread;
use super::stage::{MIB, Stage, connect, info};
use super::watch::{Bytes, disk_used, written_by_thread};
use super::work::{Each, Pass};
use super::{Options, words};
use crate::crowd::Process;
use crate::support::{Server, clock};

const ITEMS: u64 = 10_000;
const RESERVATIONS: u64 = 1_000_000;
const TTL_MS: u64 = 7 * 24 * 3_600_000;
/// How long the store's files are put in order once it has caught up.
const SETTLE_MS: u64 = 5_000;
const EVENT_BYTES: f64 = 200.0;
/// Threads that write to the store.
const STORE_THREADS: [&str; 3] = ["sumun-store", "sumun-read", "fjall:worker"];
/// Threads that write to the log alone, and to no socket.
const LOG_THREADS: [&str; 3] = ["log-commit", "log-layout", "log-chores"];
/// Past retention: the widest generation of a short one, and a pause before the log's segments are looked at.
const FORGET_MS: u64 = 180_000;
/// Part of the most space at which what was forgotten has gone.
const GONE: f64 = 0.25;

/// Series of reservation ids.
const COUNTED: u8 = 30;
const FORGOTTEN: u8 = 31;

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let mut report = written(Report::new("disk", options.scale), options)?;
    for place in [Where::Log, Where::Store, Where::Both] {
        report = full::run(report, options, place)?;
    }
    forgotten(report, options)
}

/// Log and store as they stand at one moment, in bytes; both as files, and as the kernel was told to write.
struct Written {
    sequence: f64,
    log: f64,
    staged: f64,
    store_io: f64,
    log_io: f64,
}

impl Written {
    fn now(server: &Server) -> Result<Written, String> {
        let threads = written_by_thread(Process(server.pid())).map_err(|error| error.to_string())?;
        let sum = |names: &[&str], bytes: fn(&Bytes) -> u64| {
            threads.iter().filter(|(name, _)| names.contains(&&***name)).map(|(_, all)| bytes(all) as f64).sum()
        };
        let mut connection = connect(server)?;
        Ok(Written {
            sequence: info(&mut connection, "sequence")?,
            log: info(&mut connection, "log_bytes")?,
            staged: info(&mut connection, "store_bytes")?,
            store_io: sum(&STORE_THREADS, |all| all.paged),
            log_io: sum(&LOG_THREADS, |all| all.asked),
        })
    }

    fn an_event(&self, before: &Written) -> f64 {
        (self.log - before.log) / (self.sequence - before.sequence)
    }
}

fn written(report: Report, options: &Options) -> Result<Report, String> {
    let mut stage = Stage::new("disk", options, &[]);
    stage.report = report;
    let server = stage.start()?;
    let (items, count) = (stage.scaled(ITEMS), stage.scaled(RESERVATIONS));
    stage.receive(&server, 0..items)?;
    stage.catch_up(&server)?;
    let begin = Written::now(&server)?;
    let mut reserves = Each::of(0..count, b'*', |n, out| {
        words::reserve(out, &words::id(COUNTED, n), TTL_MS, n % items);
    });
    stage.load("reserves", &server, FULL, Until::default(), &mut reserves)?;
    let held = Written::now(&server)?;
    let mut captures = Each::of(0..count, b'*', |n, out| words::capture(out, &words::id(COUNTED, n)));
    stage.load("captures", &server, FULL, Until::default(), &mut captures)?;
    let captured = Written::now(&server)?;
    stage.catch_up(&server)?;
    clock::sleep_ms(SETTLE_MS);
    let end = Written::now(&server)?;
    let report = &mut stage.report;
    report.wanted("bytes of a held event in the log", held.an_event(&begin), "B", Wanted::AtMost(EVENT_BYTES));
    report.wanted("bytes of a captured event in the log", captured.an_event(&held), "B", Wanted::AtMost(EVENT_BYTES));
    let (staged, store_io) = (end.staged - begin.staged, end.store_io - begin.store_io);
    report.figure("record bytes that the store was given", staged / MIB, "MiB");
    report.figure("bytes that the store wrote", store_io / MIB, "MiB");
    report.figure("the store's write amplification, of record bytes", store_io / staged, "");
    report.figure("bytes that the store wrote, of those in the log", store_io / (end.log - begin.log), "");
    report.figure(
        "bytes that the log wrote, space laid out ahead among them, of those in it",
        (end.log_io - begin.log_io) / (end.log - begin.log),
        "",
    );
    let (log, store) = (disk_used(&stage.data().join("log")), disk_used(&stage.data().join("store")));
    stage.report.figure("disk of the log", log as f64 / MIB, "MiB");
    stage.report.figure("disk of the store", store as f64 / MIB, "MiB");
    stage.stop_and_verify(server)?;
    Ok(stage.report)
}

/// Space while everything is remembered, and when it has been forgotten.
fn forgotten(report: Report, options: &Options) -> Result<Report, String> {
    let flags = ["--retention".to_owned(), format!("{}s", options.retention_s)];
    let mut stage = Stage::new("disk", options, &flags);
    stage.report = report;
    let server = stage.start()?;
    let (items, count) = (stage.scaled(ITEMS), stage.scaled(RESERVATIONS));
    stage.receive(&server, 0..items)?;
    let mut captured = vec![0; usize::try_from(items).map_err(|error| error.to_string())?];
    let mut work = Pass::new(FORGOTTEN, Spread::Uniform { first: 0, items }, 0..count, &mut captured);
    stage.load("what is to be forgotten", &server, FULL, Until::default(), &mut work)?;
    let began = clock::ticks_ns();
    let mut most = 0;
    let small = clock::eventually(options.retention_s * 1_000 + FORGET_MS, || {
        let used = disk_used(&stage.data());
        most = most.max(used);
        clock::sleep_ms(500);
        (used as f64 <= GONE * most as f64).then_some(())
    });
    let took_s = (clock::ticks_ns() - began) as f64 / 1e9;
    let (log, store) = (disk_used(&stage.data().join("log")), disk_used(&stage.data().join("store")));
    let report = &mut stage.report;
    report.figure("retention", options.retention_s as f64, "s");
    report.figure("disk at most, all remembered", most as f64 / MIB, "MiB");
    report.figure("disk of the log, all forgotten", log as f64 / MIB, "MiB");
    report.figure("disk of the store, all forgotten", store as f64 / MIB, "MiB");
    let name =
        if small.is_some() { "until three quarters were free" } else { "and three quarters were not free after" };
    report.figure(name, took_s, "s");
    stage.stop_and_verify(server)?;
    Ok(stage.report)
}
