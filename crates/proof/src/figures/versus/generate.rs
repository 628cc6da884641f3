//! The generators as processes: `sumun bench`, and `redis-benchmark` as a second one that knows nothing of Sumun. Each is
//! waited for within a bound, and ended by its id past it.

use super::caps::GENERATOR_MS;
use super::peers::{Running, ask};
use super::results::Lane;
use super::rows::{Peer, Shape};
use crate::support::{binary, clock};
use serde_json::Value as Json;
use std::fs::{self, File};
use std::process::{Command, Stdio};

/// The usual script, as `sumun bench --peer redis` says it.
const RESERVE: &str = include_str!("../../../../sumun/src/bench/reserve.lua");

/// A load with its numbers as they are in this run.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    pub(super) scenario: &'static str,
    pub(super) shape: Shape,
    /// Commands a second of an open loop.
    pub(super) rate: Option<u64>,
    /// Seconds, or commands.
    pub(super) duration_ms: Option<u64>,
    pub(super) commands: Option<u64>,
    pub(super) warm_up_ms: u64,
    pub(super) ttl_ms: u64,
    /// Of a hundred reservations, those held for the ttl; the others outlast the load.
    pub(super) ending: u64,
}

/// `sumun bench`. Refusals for the moment are asked again, so that all that is counted was done.
pub(super) fn bench(peer: &Running, load: &Bench) -> Result<Lane, String> {
    let mut command = Command::new(binary::sumun());
    command.args(["bench", load.scenario, "--json", "--retry", "--server", &peer.address.to_string()]);
    let kind = match peer.peer {
        Peer::Sumun => "sumun",
        Peer::Web | Peer::Echo => "http",
        Peer::Never | Peer::Always => "redis",
    };
    command.args(["--peer", kind]);
    command.args(["--connections", &load.shape.connections.to_string(), "--ttl", &format!("{}ms", load.ttl_ms)]);
    command.args(["--ending", &load.ending.to_string()]);
    command.args(["--warm-up", &format!("{}ms", load.warm_up_ms)]);
    match load.rate {
        Some(rate) => command.args(["--rate", &rate.to_string()]),
        None => command.args(["--pipeline", &load.shape.pipeline.to_string()]),
    };
    match (load.duration_ms, load.commands) {
        (Some(ms), _) => command.args(["--duration", &format!("{ms}ms")]),
        (None, commands) => command.args(["--count", &commands.unwrap_or(1).to_string()]),
    };
    let text = run(peer, command, load.duration_ms.unwrap_or_default() + load.warm_up_ms)?;
    let report: Json = serde_json::from_str(&text).map_err(|error| format!("no report: {error}: {text:?}"))?;
    Ok(read(&report))
}

fn read(report: &Json) -> Lane {
    let number = |path: &str| report.pointer(path).and_then(Json::as_f64).unwrap_or_default();
    let count = |path: &str| report.pointer(path).and_then(Json::as_u64).unwrap_or_default();
    let each = |path: &str| report.pointer(path).and_then(Json::as_array).into_iter().flatten();
    let errors = report["errors"].as_object().into_iter().flatten();
    let refused = errors.filter_map(|(_, count)| count.as_u64()).sum::<u64>() + count("/unanswered") + count("/lost");
    let done = count("/answers").saturating_sub(refused);
    let mut lane = Lane {
        generator: "sumun bench".to_owned(),
        rate: done as f64 / number("/seconds").max(1e-9),
        p50_us: number("/latency_us/p50"),
        p99_us: number("/latency_us/p99"),
        max_us: number("/latency_us/max"),
        done,
        refused,
        asked_again: count("/asked_again"),
        ..Lane::default()
    };
    let full = |minute: &&Json| minute["answers"].as_u64() > Some(0);
    lane.minutes_p99_us = each("/minutes").filter(full).filter_map(|minute| minute["p99"].as_f64()).collect();
    let mut windows: Vec<u64> = each("/windows").filter_map(Json::as_u64).collect();
    windows.sort_unstable();
    if let (Some(&worst), Some(&median)) = (windows.first(), windows.get(windows.len() / 2)) {
        lane.more.insert("worst_second".to_owned(), worst as f64 / median.max(1) as f64);
    }
    lane
}

/// `redis-benchmark` on one item, with random ids. It ends at the first error.
pub(super) fn redis_benchmark(peer: &Running, shape: Shape, commands: u64, ttl_ms: u64) -> Result<Lane, String> {
    let mut connection = peer.connect()?;
    let ttl = ttl_ms.to_string();
    // An id that has been there and has ended would be refused: of two numbers, none comes back.
    let id = "rsv:__rand_int__:__rand_int__";
    let words: Vec<String> = if peer.is_redis() {
        ask(&mut connection, &["SET", "stock:hot", "1000000000"])?;
        let script = ask(&mut connection, &["SCRIPT", "LOAD", RESERVE])?;
        let script = script.text().ok_or("the script has no name")?;
        ["EVALSHA", script, "2", id, "stock:hot", &ttl, "1"].map(str::to_owned).to_vec()
    } else {
        ask(&mut connection, &["RECEIVE", "hot", "1000000000", "ID", "prepared"])?;
        ["RESERVE", id, &ttl, "1", "hot", "1"].map(str::to_owned).to_vec()
    };
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "-p", &peer.address.port().to_string(), "--csv", "-q"]);
    command.args(["-r", "2147483647", "-c", &shape.connections.to_string(), "-P", &shape.pipeline.to_string()]);
    command.args(["-n", &commands.to_string()]).args(words);
    let text = run(peer, command, 0)?;
    let line = text.lines().nth(1).ok_or_else(|| format!("redis-benchmark said {text:?}"))?;
    let fields: Vec<f64> = line.split("\",\"").filter_map(|field| field.trim_matches('"').parse().ok()).collect();
    // rps, then in ms: average, least, p50, p95, p99, most.
    let [rate, _average, _least, p50, _p95, p99, most] = fields[..] else {
        return Err(format!("redis-benchmark said {line:?}"));
    };
    let us = |ms: f64| ms * 1_000.0;
    let (p50_us, p99_us, max_us) = (us(p50), us(p99), us(most));
    let generator = "redis-benchmark".to_owned();
    Ok(Lane { generator, rate, p50_us, p99_us, max_us, done: commands, ..Lane::default() })
}

/// Runs it to its end and gives what it printed. Both generators end with 1 when anything was refused, and say it.
fn run(peer: &Running, mut command: Command, length_ms: u64) -> Result<String, String> {
    let (out, err) = (peer.folder().join("generator.out"), peer.folder().join("generator.err"));
    let file = |path| File::create(path).map_err(|error| format!("{}: {error}", out.display()));
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file(&out)?)
        .stderr(file(&err)?)
        .spawn()
        .map_err(|error| format!("cannot start {name} (scripts/setup test installs what is needed): {error}"))?;
    let status = clock::eventually(length_ms + GENERATOR_MS, || child.try_wait().ok().flatten());
    let said = |path| fs::read_to_string(path).unwrap_or_default();
    let Some(status) = status else {
        let _already_gone = child.kill();
        let _status = child.wait();
        return Err(format!("{name} did not end within {} s", (length_ms + GENERATOR_MS) / 1_000));
    };
    let text = said(&out);
    if text.trim().is_empty() || !(status.success() || text.trim_start().starts_with('{')) {
        return Err(format!("{name} ended with {status}: {text} {}", said(&err).trim()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_not_done() {
        let report = serde_json::json!({
            "answers": 1_000, "seconds": 2.0, "errors": { "INSUFFICIENT": 90 }, "unanswered": 10, "lost": 0,
            "asked_again": 7, "latency_us": { "p50": 1.5, "p99": 9.0, "max": 10.0 }, "windows": [450, 550],
            "minutes": [{ "answers": 1_000, "p99": 9.0 }, { "answers": 0, "p99": 0.0 }],
        });
        let lane = read(&report);
        assert_eq!((lane.done, lane.refused, lane.asked_again), (900, 100, 7));
        assert!((lane.rate - 450.0).abs() < 1e-9 && (lane.p99_us - 9.0).abs() < 1e-9);
        assert_eq!(lane.minutes_p99_us, [9.0]);
        assert!((lane.more["worst_second"] - 450.0 / 550.0).abs() < 1e-9);
    }
}
