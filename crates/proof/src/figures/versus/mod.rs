//! Sumun beside its peers: interleaved rounds of the same load on fresh servers, judged by the ratios of each round.
//!
//! A round counts only while nobody else works on the machine, when records were stored and at least a tenth of the
//! reservations made ended in it. All rounds are kept as JSON, and tables and pictures are made from it alone. Never
//! here: the peers' own parts, and how their commands are said.

mod caps;
pub(super) mod followers;
mod generate;
mod memory;
mod peers;
mod quiet;
pub mod results;
mod rows;
mod sync;
mod table;

pub use rows::Row;

use super::report::{Report, number};
use crate::crowd::Process;
use crate::support::{binary, clock};
use caps::{ENDED_MIN, ENDING, ENDING_MS, ENDING_MS_MIN, ITEMS, LONG_MS, LONG_S, OTHERS_MAX, ROUNDS_MIN, TRIES};
use generate::Bench;
use peers::{Info, Running};
use quiet::Ticks;
use results::{Lane, Measurement, Results, Round, Verdict, judge};
use rows::{Disk, LanePlan, Length, Load, Pace, Peer, Plan};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Options {
    /// That count, of each row.
    pub rounds: usize,
    /// All but the long ones when it is empty.
    pub only: Vec<Row>,
    /// The long rows too.
    pub long: bool,
    /// Of the stated lengths and counts.
    pub scale: f64,
    /// One round of a few seconds, on any machine and of any build, that judges nothing.
    pub quick: bool,
}

/// Part of the stated size in quick mode.
const QUICK: f64 = 0.02;
const QUICK_SECONDS_MIN: f64 = 0.25;
/// Where the pictures and the JSON of whole runs stand, and the document with the tables.
const JSON: &str = "benches/redis.json";
const DOCUMENT: &str = "docs/performance.md";
const PLOTS: &str = "docs/plots";

/// Measures, and writes what came of it: what is whole into the documentation, the rest below `target/figures`.
pub fn run(options: &Options) -> Result<(Report, Results), String> {
    if !(options.scale > 0.0 && options.scale <= 1.0) {
        return Err(format!("a scale is above 0 and at most 1, not {}", options.scale));
    }
    if cfg!(debug_assertions) && !options.quick {
        return Err("figures of a debug build are not figures".to_owned());
    }
    let all = rows::plans();
    let wanted = |plan: &&Plan| {
        if options.only.is_empty() { options.long || !plan.long } else { options.only.contains(&plan.row) }
    };
    let plans: Vec<Plan> = all.iter().filter(wanted).cloned().collect();
    let machine = machine();
    let folder = folder(options);
    let mut run = Run { options, report: Report::new("versus", options.scale), results: Results::default() };
    run.results.machine.clone_from(&machine);
    run.rounds(&plans, &folder.join("rounds.json"))?;
    run.verdicts(&plans);
    let Run { mut report, results, .. } = run;
    let kept = keep(&results, &all, options, machine)?;
    table_and_pictures(&kept, &all, options)?;
    report.note(format!("rounds, tables and pictures in {}", folder.display()));
    report.write(&folder.join("report.json")).map_err(|error| error.to_string())?;
    Ok((report, results))
}

/// Where the rounds, tables and pictures of a run are written, whatever else they are put into.
pub fn folder(options: &Options) -> PathBuf {
    super::target().join("figures").join(if options.quick { "versus-quick" } else { "versus" })
}

/// Whether it is what the documentation is made of.
fn is_whole(options: &Options) -> bool {
    !options.quick && options.scale >= 1.0
}

/// What was measured, put among what is there of earlier runs when it is whole.
fn keep(
    results: &Results,
    plans: &[Plan],
    options: &Options,
    machine: BTreeMap<String, String>,
) -> Result<Results, String> {
    if !is_whole(options) {
        return Ok(results.clone());
    }
    let json = binary::workspace().join(JSON);
    let mut kept = Results::read(&json, machine)?;
    for plan in plans {
        let row = plan.row.word();
        let Some(measured) = results.rows.get(row) else { continue };
        // What was measured once is not given up for rounds that do not count.
        if measured.valid().count() >= needed(plan, options) || !kept.rows.contains_key(row) {
            kept.rows.insert(row.to_owned(), measured.clone());
        }
    }
    kept.write(&json)?;
    Ok(kept)
}

fn table_and_pictures(kept: &Results, plans: &[Plan], options: &Options) -> Result<(), String> {
    let (folder, root) = (folder(options), binary::workspace());
    let (pictures, tables) = (table::pictures(kept), table::markdown(kept, plans));
    let text = |path: &str| {
        let shown = pictures.iter().map(|(name, _)| format!("\n![{name}]({path}versus-{name}.svg)"));
        tables.clone() + &shown.collect::<String>()
    };
    write(&folder.join("tables.md"), &text(""))?;
    for (name, picture) in &pictures {
        let file = format!("versus-{name}.svg");
        write(&folder.join(&file), picture)?;
        if is_whole(options) {
            write(&root.join(PLOTS).join(&file), picture)?;
        }
    }
    if is_whole(options) {
        let path = root.join(DOCUMENT);
        let document = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        write(&path, &table::splice(&document, &text("plots/"))?)?;
    }
    Ok(())
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Rounds that have to count.
fn needed(plan: &Plan, options: &Options) -> usize {
    if plan.once { 1 } else { ROUNDS_MIN.min(options.rounds) }
}

struct Run<'a> {
    options: &'a Options,
    report: Report,
    results: Results,
}

impl Run<'_> {
    /// Round by round over all rows, so that what disturbs for a while disturbs all alike. Void rounds are made again,
    /// as often as the cap says. What there is is written after each.
    fn rounds(&mut self, plans: &[Plan], json: &Path) -> Result<(), String> {
        let rounds_of = |plan: &Plan| if plan.once || self.options.quick { 1 } else { self.options.rounds };
        let tries = if self.options.quick { 1 } else { TRIES };
        let most = plans.iter().map(rounds_of).max().unwrap_or_default() * tries;
        for turn in 0..most {
            for plan in plans {
                let rounds = rounds_of(plan);
                let row = self.results.rows.entry(plan.row.word().to_owned()).or_insert_with(|| Measurement {
                    at_s: clock::unix_ms() / 1_000,
                    scale: self.options.scale,
                    quick: self.options.quick,
                    rounds: Vec::new(),
                });
                let valid = row.rounds.iter().filter(|round| round.void.is_none()).count();
                if valid >= rounds || row.rounds.len() >= rounds * tries {
                    continue;
                }
                println!("-- {}, round {}", plan.load, row.rounds.len() + 1);
                let round = measure(plan, turn, self.options)?;
                if let Some(why) = &round.void {
                    println!("   void: {why}");
                }
                row.rounds.push(round);
                self.results.write(json)?;
            }
        }
        Ok(())
    }

    /// Says what each claim came to; rows with too few rounds that count make the run fail.
    fn verdicts(&mut self, plans: &[Plan]) {
        for plan in plans {
            let measured = self.results.rows.get(plan.row.word());
            for claim in &plan.claims {
                let judged = judge(plan, claim, measured);
                let Some(found) = judged.spread else { continue };
                let name = format!("{}: {}", plan.load, claim.says);
                match (judged.verdict, claim.must) {
                    (Verdict::Met | Verdict::NotMet, Some(must)) => {
                        self.report.wanted(&name, found.median, claim.unit, must);
                    }
                    (Verdict::Met | Verdict::NotMet | Verdict::Stated, _) => {
                        self.report.figure(&name, found.median, claim.unit);
                    }
                    (Verdict::NotJudged | Verdict::NotRun, _) => {
                        let unit = claim.unit;
                        self.report.note(format!("{name}: {} {unit}, not judged", number(found.median)));
                    }
                }
            }
            let Some(measured) = measured.filter(|measured| !measured.quick) else { continue };
            let needed = needed(plan, self.options);
            let mut void = measured.rounds.iter().filter_map(|round| round.void.as_deref());
            let (void, why) = (void.clone().count(), void.next_back().unwrap_or("none"));
            let counted = measured.rounds.len() - void;
            self.report.must(counted >= needed, || {
                format!("{}: {counted} rounds count, {needed} are needed; {void} are void, the last: {why}", plan.load)
            });
        }
    }
}

/// One round: all lanes of a row in turn, another one first each time.
fn measure(plan: &Plan, turn: usize, options: &Options) -> Result<Round, String> {
    let (others_before, busy) = quiet::wait(options.quick)?;
    let mut round = Round { others_before, void: busy, lanes: Vec::new() };
    if round.void.is_some() && !options.quick {
        return Ok(round);
    }
    let mut order: Vec<&LanePlan> = plan.lanes.iter().collect();
    let first = turn % order.len().max(1);
    order.rotate_left(first);
    // Those that need another one's figure come after it.
    order.sort_by_key(|lane| needs(lane).is_some());
    for lane in order {
        let rate = needs(lane).and_then(|other| round.lane(other)).map(|other| ((other.rate / 2.0) as u64).max(1));
        match run_lane(lane, rate, options) {
            Ok(found) => {
                println!("   {:<26} {}", lane.name, said(&found));
                let void = why_void(lane, &found);
                round.lanes.push(found);
                if let Some(why) = void {
                    round.void.get_or_insert(format!("{}: {why}", lane.name));
                }
            }
            Err(why) => {
                println!("   {:<26} {why}", lane.name);
                round.void.get_or_insert(format!("{}: {why}", lane.name));
            }
        }
    }
    Ok(round)
}

fn needs(lane: &LanePlan) -> Option<&'static str> {
    match lane.load {
        Load::Bench { pace: Pace::HalfOf(other), .. } => Some(other),
        Load::Bench { .. } | Load::RedisBenchmark { .. } | Load::Sync | Load::Memory => None,
    }
}

fn said(lane: &Lane) -> String {
    let text = |value: f64| number(value);
    let mut said = format!(
        "{}/s, p50 {} p99 {} µs; {} done, {} refused, {} asked again",
        text(lane.rate),
        text(lane.p50_us),
        text(lane.p99_us),
        lane.done,
        lane.refused,
        lane.asked_again
    );
    if lane.reserved > 0 {
        said += &format!(
            "; {} reserved, {} ended, {} stored; {} events behind, {} before",
            lane.reserved, lane.ended, lane.stored, lane.lag_after, lane.lag_before
        );
    }
    said + &format!("; others {:.0} %", lane.others * 100.0)
}

/// Why what a lane showed does not count.
fn why_void(lane: &LanePlan, found: &Lane) -> Option<String> {
    if found.others > OTHERS_MAX {
        return Some(format!("others had {:.0} % of the machine", found.others * 100.0));
    }
    if matches!(lane.load, Load::Sync | Load::Memory) {
        return None;
    }
    if found.refused > 0 {
        return Some(format!("{} commands were refused, or had no answer", found.refused));
    }
    if lane.disk == Disk::Slow && found.p50_us < caps::SLOW_SYNC_US as f64 {
        return Some(format!("p50 was {:.0} µs: the slow disk was not in the way", found.p50_us));
    }
    if !lane.peer.is_sumun() {
        return None;
    }
    if found.stored == 0 {
        return Some("no record was stored in it".to_owned());
    }
    if (found.ended as f64) < found.reserved as f64 * ENDED_MIN {
        return Some(format!("only {} of {} reservations ended in it", found.ended, found.reserved));
    }
    None
}

/// A fresh server, the load, and what the server counted before and after.
fn run_lane(lane: &LanePlan, rate: Option<u64>, options: &Options) -> Result<Lane, String> {
    let scale = if options.quick { QUICK } else { options.scale };
    let named = |found: Lane| Lane { name: lane.name.to_owned(), ..found };
    let timed = |measure: &mut dyn FnMut() -> Result<Lane, String>| {
        let before = Ticks::now()?;
        let found = measure()?;
        Ok::<Lane, String>(Lane { others: Ticks::now()?.others_since(before), ..found })
    };
    match lane.load {
        Load::Sync => timed(&mut || sync::measure(millis(1.0, scale))).map(named),
        Load::Memory => timed(&mut || memory::measure(if options.quick { QUICK / 10.0 } else { scale })).map(named),
        Load::Bench { .. } | Load::RedisBenchmark { .. } => {
            let server = Running::start(lane.peer, lane.disk)?;
            let before = server.info()?;
            let mut load = || drive(&server, lane, rate, scale);
            let found = timed(&mut load)?;
            let after = server.info()?;
            let peak = Process(server.pid).memory_peak().map_err(|error| error.to_string())?;
            let mut found = counted(found, lane, &server, &before, &after);
            found.rate *= lane.lines;
            if let Peer::Web | Peer::Echo = lane.peer {
                found.more.insert("document_bytes".to_owned(), server.document_bytes()? as f64);
            }
            found.more.insert("rss_peak_mib".to_owned(), peak as f64 / super::stage::MIB);
            found.more.insert("step_cpu_us_max".to_owned(), after.number("step_cpu_us_max") as f64);
            found.more.insert("sync_us".to_owned(), after.number("sync_us") as f64);
            Ok(named(found))
        }
    }
}

fn millis(seconds: f64, scale: f64) -> u64 {
    ((seconds * scale).max(QUICK_SECONDS_MIN) * 1_000.0) as u64
}

/// A part of the reservations ends while the load goes on, however fast it goes; in loads of minutes all of them do,
/// else what is open would grow without end.
fn drive(server: &Running, lane: &LanePlan, rate: Option<u64>, scale: f64) -> Result<Lane, String> {
    let ttl_ms = ((ENDING_MS as f64 * scale) as u64).max(ENDING_MS_MIN);
    match lane.load {
        Load::Bench { scenario, shape, length: Length::Seconds(seconds), pace } => {
            let (duration_ms, warm_up_ms) = (Some(millis(seconds, scale)), millis(0.5, scale));
            let rate = if let Pace::At(rate) = pace { Some(rate) } else { rate };
            let (ttl_ms, ending) = if seconds >= LONG_S { (LONG_MS, 100) } else { (ttl_ms, ENDING) };
            let (commands, ttl_ms) = (None, ttl_ms.min(duration_ms.unwrap_or(ttl_ms)));
            generate::bench(server, &Bench { scenario, shape, rate, duration_ms, commands, warm_up_ms, ttl_ms, ending })
        }
        Load::Bench { scenario, shape, length: Length::Commands(commands), .. } => {
            let (duration_ms, warm_up_ms, ending) = (None, 0, ENDING);
            let commands = Some(((commands as f64 * scale) as u64).max(1));
            generate::bench(server, &Bench { scenario, shape, rate, duration_ms, commands, warm_up_ms, ttl_ms, ending })
        }
        Load::RedisBenchmark { shape, commands } => {
            let commands = ((commands as f64 * scale) as u64).max(1);
            // It says the same ttl each time: the longest that leaves a tenth to end.
            let ttl_ms = if shape.pipeline > 1 { ttl_ms * 3 } else { ttl_ms * 6 };
            generate::redis_benchmark(server, shape, commands, ttl_ms)
        }
        Load::Sync | Load::Memory => Err("this is no load of a server".to_owned()),
    }
}

/// What the server counted: reservations made and ended, records stored, how far the store is behind.
fn counted(found: Lane, lane: &LanePlan, server: &Running, before: &Info, after: &Info) -> Lane {
    let grown = |name| after.number(name).saturating_sub(before.number(name));
    if server.peer == Peer::Echo {
        return found;
    }
    if server.is_redis() {
        let ended = grown("expired_keys");
        return Lane { ended, reserved: after.expiring() + ended, ..found };
    }
    let (captured, prepared) = match lane.load {
        // Half of its commands; those before the measurement are not counted.
        Load::Bench { scenario: "full-life", .. } => (found.done / 2, 2 * ITEMS),
        Load::Bench { scenario: "lots", .. } => (0, 9 * ITEMS),
        Load::Bench { scenario: "hot", .. } | Load::RedisBenchmark { .. } => (0, 2),
        Load::Bench { .. } | Load::Sync | Load::Memory => (0, 2 * ITEMS),
    };
    let ended = grown("ends") + captured;
    Lane {
        ended,
        reserved: after.number("open_reservations") + ended,
        stored: grown("store_records").saturating_sub(prepared),
        lag_before: before.number("store_lag"),
        lag_after: after.number("store_lag"),
        ..found
    }
}

/// The machine, and the versions of what is compared.
fn machine() -> BTreeMap<String, String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let line = |path: &str, name: &str| {
        let text = read(path);
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
        found.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let redis = std::process::Command::new("redis-server").arg("--version").output();
    let redis = redis.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let redis = redis.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or("unknown").to_owned();
    BTreeMap::from([
        ("processor".to_owned(), format!("{cores} cores, {}", line("/proc/cpuinfo", "model name"))),
        ("memory".to_owned(), line("/proc/meminfo", "MemTotal")),
        ("kernel".to_owned(), read("/proc/sys/kernel/osrelease").trim().to_owned()),
        ("file system".to_owned(), file_system(&super::target())),
        ("Redis".to_owned(), redis),
    ])
}

/// What the data lies on: the mount whose path is the longest that holds it.
fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let holds = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        folder.starts_with(path).then(|| (path.len(), kind.to_owned()))
    };
    mounts.lines().filter_map(holds).max().map_or_else(|| "unknown".to_owned(), |(_, kind)| kind)
}
