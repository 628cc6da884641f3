//! What open reservations take in memory: as the server counts it and as the kernel does.

use super::drive::{FULL, Until};
use super::report::{Report, Wanted};
use super::stage::{MIB, Stage, connect, info, watch};
use super::work::Each;
use super::{Options, words};
use crate::crowd::Process;
use crate::support::Server;

const MEMORY: u64 = 4 << 30;
const ITEMS: u64 = 10_000;
const OPEN: u64 = 10_000_000;
const HELD: u64 = 1_000_000;
const TTL_MS: u64 = 7 * 24 * 3_600_000;
const EACH_BYTES: f64 = 128.0;
const HOLDER_BYTES: f64 = 64.0;

/// Series of reservation ids, and of holders.
const PLAIN: u8 = 40;
const BY_HOLDERS: u8 = 41;
const LIMITED: u8 = 42;
const HOLDERS: u8 = 43;

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let report = plain(Report::new("open", options.scale), options)?;
    holders(report, options)
}

/// Memory of the process, and of its records as it counts them, in bytes.
#[derive(Clone, Copy)]
struct Taken {
    rss: f64,
    counted: f64,
}

impl Taken {
    fn now(stage: &Stage<'_>, server: &Server) -> Result<Taken, String> {
        stage.catch_up(server)?;
        let rss = Process(server.pid()).memory().map_err(|error| error.to_string())?;
        Ok(Taken { rss: rss as f64, counted: info(&mut connect(server)?, "used_memory")? })
    }

    fn since(self, before: Taken, count: u64) -> Taken {
        let each = |now: f64, before: f64| (now - before) / count as f64;
        Taken { rss: each(self.rss, before.rss), counted: each(self.counted, before.counted) }
    }
}

fn begin<'a>(report: Report, options: &'a Options) -> Result<(Stage<'a>, Server), String> {
    let mut stage = Stage::new("open", options, &["--memory".to_owned(), format!("{MEMORY}B")]);
    stage.report = report;
    let server = stage.start()?;
    stage.receive(&server, 0..ITEMS)?;
    Ok((stage, server))
}

fn plain(report: Report, options: &Options) -> Result<Report, String> {
    let (mut stage, server) = begin(report, options)?;
    let watch = watch(&server);
    let count = stage.scaled(OPEN);
    let before = Taken::now(&stage, &server)?;
    hold(&mut stage, &server, count)?;
    let after = Taken::now(&stage, &server)?;
    let each = after.since(before, count);
    stage.report.figure("open reservations", count as f64, "");
    stage.report.wanted("each, as the server counts", each.counted, "B", Wanted::AtMost(EACH_BYTES));
    stage.report.wanted("each, as RSS has grown", each.rss, "B", Wanted::AtMost(EACH_BYTES));
    stage.report.figure("RSS with all of them", after.rss / MIB, "MiB");
    let open = info(&mut connect(&server)?, "open_reservations")?;
    stage.report.must(open == count as f64, || format!("{open} reservations are open, not {count}"));
    stage.within(watch, MEMORY)?;
    stage.stop_and_verify(server)?;
    Ok(stage.report)
}

fn hold(stage: &mut Stage<'_>, server: &Server, count: u64) -> Result<(), String> {
    let mut work = Each::of(0..count, b'*', |n, out| {
        words::reserve(out, &words::id(PLAIN, n), TTL_MS, n % ITEMS);
    });
    let outcome = stage.load("open reservations", server, FULL, Until::default(), &mut work)?;
    stage.report.figure("reserves", outcome.rate(), "/s");
    Ok(())
}

/// What a holder costs beside that: each reservation has one of its own, on items without a limit and with one.
fn holders(report: Report, options: &Options) -> Result<Report, String> {
    let (mut stage, server) = begin(report, options)?;
    let count = stage.scaled(HELD);
    let begin = Taken::now(&stage, &server)?;
    hold(&mut stage, &server, count)?;
    let plain = Taken::now(&stage, &server)?;
    held_by(&mut stage, &server, BY_HOLDERS, count)?;
    let held = Taken::now(&stage, &server)?;
    let mut limits = Each::of(0..ITEMS, b':', |item, out| {
        words::command(out, &[b"CONFIGURE", &words::sku(item), b"LIMIT", b"5"]);
    });
    stage.load("limits", &server, FULL, Until::default(), &mut limits)?;
    let before_limited = Taken::now(&stage, &server)?;
    held_by(&mut stage, &server, LIMITED, count)?;
    let limited = Taken::now(&stage, &server)?;
    let of_plain = plain.since(begin, count);
    let more = |taken: Taken| Taken { rss: taken.rss - of_plain.rss, counted: taken.counted - of_plain.counted };
    let (free, limited) = (more(held.since(plain, count)), more(limited.since(before_limited, count)));
    let report = &mut stage.report;
    report.figure("reservations with holders", count as f64, "");
    report.wanted("a holder more, as the server counts", free.counted, "B", Wanted::AtMost(HOLDER_BYTES));
    report.wanted("a holder more, as RSS has grown", free.rss, "B", Wanted::AtMost(HOLDER_BYTES));
    report.figure("a holder and what a limit counts of it more, as the server counts", limited.counted, "B");
    report.figure("a holder and what a limit counts of it more, as RSS has grown", limited.rss, "B");
    stage.stop_and_verify(server)?;
    Ok(stage.report)
}

fn held_by(stage: &mut Stage<'_>, server: &Server, series: u8, count: u64) -> Result<(), String> {
    let mut work = Each::of(0..count, b'*', |n, out| {
        let holder = words::id(HOLDERS, n << 8 | u64::from(series));
        words::reserve_for(out, &words::id(series, n), TTL_MS, n % ITEMS, &holder);
    });
    stage.load("reservations with holders", server, FULL, Until::default(), &mut work).map(drop)
}
