//! Full life at a steady rate for a while, with a short retention: memory, disk, the store's lag and latencies stay as
//! they are once the first have been forgotten.

use super::drive::{Pace, Until};
use super::life::Life;
use super::pace::{Latency, Second};
use super::plot::{Series, svg};
use super::report::{Report, Wanted};
use super::stage::{MIB, Stage, connect, info, watch};
use super::watch::disk_used;
use super::{Options, What, report_path, words};
use crate::crowd::Process;
use crate::support::{Server, binary, clock};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const MEMORY: u64 = 512 << 20;
const ITEMS: u64 = 100_000;
const JUDGED: u64 = 10_000;
/// All that was held when the load ended has ended by itself after it.
const ENDED_MS: u64 = 75_000;
/// Runs of so many minutes are those whose pictures stand in the documentation.
const MINUTES_WHOLE: f64 = 10.0;
/// What may change from the middle third to the last one and still be flat: of the former.
const FLAT: f64 = 1.15;
const FLAT_P99: f64 = 1.5;
/// A lag below this is none.
const LAG_SMALL: f64 = 10_000.0;

/// What the server took in one second of the run.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at_s: f64,
    memory_mib: f64,
    log_mib: f64,
    store_mib: f64,
    lag: f64,
}

pub(super) fn run(options: &Options) -> Result<Report, String> {
    let retention = format!("{}s", options.retention_s);
    let flags = ["--memory", &format!("{MEMORY}B"), "--retention", &retention].map(str::to_owned);
    let mut stage = Stage::new("soak", options, &flags);
    let server = stage.start()?;
    let watch = watch(&server);
    let items = stage.scaled(ITEMS);
    stage.receive(&server, 0..items)?;
    let seconds = (options.minutes * 60.0) as u64;
    stage.report.figure("minutes", options.minutes, "");
    stage.report.figure("commands a second, as meant", options.rate as f64, "/s");
    let mut life = Life::new(items);
    let until = Until { nanos: Some(seconds * 1_000_000_000), ..Until::default() };
    let over = AtomicBool::new(false);
    let (outcome, samples) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(&server, &stage.setup.data, &over));
        let outcome = super::drive::drive(server.resp, Pace::Open { rate: options.rate }, until, &mut life);
        over.store(true, Ordering::Release);
        let samples = sampler.join().unwrap_or_else(|_| Err("the sampler panicked".to_owned()));
        outcome.and_then(|outcome| Ok((outcome, samples?)))
    })?;
    stage.report.figure("commands a second, as answered", outcome.rate(), "/s");
    stage.report.wanted("refused for the moment", outcome.refused() as f64, "", Wanted::AtMost(0.0));
    state(&mut stage.report, &outcome.latency, &outcome.seconds, &samples);
    draw(&mut stage, &outcome.seconds, &samples)?;
    judge(&mut stage, &server, &life)?;
    stage.within(watch, MEMORY)?;
    stage.stop_and_verify(server)?;
    Ok(stage.report)
}

/// Looks once a second, until it is over.
fn sample(server: &Server, data: &Path, over: &AtomicBool) -> Result<Vec<Sample>, String> {
    let (began, mut samples, mut connection) = (clock::ticks_ns(), Vec::new(), connect(server)?);
    while !over.load(Ordering::Acquire) {
        let memory = Process(server.pid()).memory().map_err(|error| error.to_string())?;
        samples.push(Sample {
            at_s: (clock::ticks_ns() - began) as f64 / 1e9,
            memory_mib: memory as f64 / MIB,
            log_mib: disk_used(&data.join("0/log")) as f64 / MIB,
            store_mib: disk_used(&data.join("0/store")) as f64 / MIB,
            lag: info(&mut connection, "store_lag")?,
        });
        clock::sleep_ms(1_000);
    }
    Ok(samples)
}

fn state(report: &mut Report, latency: &Latency, seconds: &[Second], samples: &[Sample]) {
    report.figure("p50 of all", latency.at_ms(0.5), "ms");
    report.figure("p99 of all", latency.at_ms(0.99), "ms");
    report.figure("p99.9 of all", latency.at_ms(0.999), "ms");
    let of = |pick: fn(&Sample) -> f64| samples.iter().map(pick).collect::<Vec<_>>();
    let p99: Vec<f64> = seconds.iter().map(|second| second.p99_ms).collect();
    let lag: Vec<f64> = samples.iter().map(|sample| sample.lag + LAG_SMALL).collect();
    for (name, values, flat) in [
        ("memory", of(|sample| sample.memory_mib), FLAT),
        ("disk of the log", of(|sample| sample.log_mib), FLAT),
        ("disk of the store", of(|sample| sample.store_mib), FLAT),
        ("lag of the store", lag, FLAT_P99),
        ("p99 of a second", p99, FLAT_P99),
    ] {
        let (middle, last) = thirds(&values);
        report.figure(&format!("{name}: median of the middle third"), middle, "");
        report.wanted(&format!("{name}: last third, of that"), last / middle, "", Wanted::AtMost(flat));
    }
}

/// Medians of the middle third and of the last one.
fn thirds(values: &[f64]) -> (f64, f64) {
    let third = values.len() / 3;
    (median(&values[third..third * 2]), median(&values[third * 2..]))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn draw(stage: &mut Stage<'_>, seconds: &[Second], samples: &[Sample]) -> Result<(), String> {
    let folder: PathBuf = if stage.options.minutes >= MINUTES_WHOLE {
        binary::workspace().join("docs/plots")
    } else {
        report_path(What::Soak).with_extension("plots")
    };
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let of = |name: &str, pick: fn(&Sample) -> f64| Series {
        name: name.to_owned(),
        points: samples.iter().map(|sample| (sample.at_s, pick(sample))).collect(),
    };
    let p99 = seconds.iter().map(|second| (second.at_s as f64, second.p99_ms)).collect();
    let (rate, retention) = (stage.options.rate, stage.options.retention_s);
    for (file, title, series) in [
        ("memory", "resident memory, MiB", vec![of("memory", |sample| sample.memory_mib)]),
        ("disk", "disk, MiB", vec![of("log", |sample| sample.log_mib), of("store", |sample| sample.store_mib)]),
        ("lag", "events that the store is behind", vec![of("lag", |sample| sample.lag)]),
        ("p99", "p99 of each second, ms", vec![Series { name: "p99".to_owned(), points: p99 }]),
    ] {
        let title = format!("{title} · {rate} commands a second, retention {retention} s");
        let path = folder.join(format!("soak-{file}.svg"));
        std::fs::write(&path, svg(&title, "seconds", &series)).map_err(|error| error.to_string())?;
    }
    stage.report.note(format!("plots in {}", folder.display()));
    Ok(())
}

/// Whether items have what was acknowledged, and nothing is held for ever.
fn judge(stage: &mut Stage<'_>, server: &Server, life: &Life) -> Result<(), String> {
    let mut connection = connect(server)?;
    let open = clock::eventually(ENDED_MS, || {
        let open = info(&mut connection, "open_reservations").ok()?;
        clock::sleep_ms(100);
        (open == 0.0).then_some(())
    });
    stage
        .report
        .must(open.is_some(), || format!("reservations are open after {ENDED_MS} ms, longer than any was held"));
    let mut wrong = Vec::new();
    for (item, sums) in life.sums().enumerate().take(usize::try_from(JUDGED).unwrap_or(usize::MAX)) {
        let sku = words::sku(item as u64);
        let found = connection.say(&format!("ITEM {}", words::text(&sku))).map_err(|error| error.to_string())?;
        let wanted = (Some(i64::from(sums.captured)), Some(i64::from(sums.returned)));
        if (found.number("captured"), found.number("returned")) != wanted {
            wrong.push(format!("{found}, not {sums:?}"));
        }
    }
    let count = wrong.len();
    stage.report.must(count == 0, || format!("{count} items differ from what was acknowledged: {:?}", wrong.pop()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_that_grows_is_told_from_one_that_is_flat() {
        let flat: Vec<f64> = (0..300).map(|n| if n < 100 { f64::from(n) } else { 100.0 + f64::from(n % 7) }).collect();
        let (middle, last) = thirds(&flat);
        assert!((last / middle - 1.0).abs() < 0.02);
        let growing: Vec<f64> = (0..300).map(f64::from).collect();
        let (middle, last) = thirds(&growing);
        assert!(last / middle > 1.6, "{middle} {last}");
    }
}
