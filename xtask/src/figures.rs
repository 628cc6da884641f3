//! `cargo xtask figures`: what Sumun promises in figures, measured on the released binary, alone and beside its peers.

use anyhow::{anyhow, ensure};
use std::process::Command;
use sumun_proof::figures::versus::{self, Row};
use sumun_proof::figures::{self, Options, What, report_path};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(value_enum)]
    what: Which,
    /// All counts are multiplied by this: 1 is the size that is stated
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Leave `sumun verify` out: it needs memory for all records
    #[arg(long)]
    no_verify: bool,
    /// Leave the data behind
    #[arg(long)]
    keep: bool,
    /// Of `soak`: how long
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Of `soak`: commands a second
    #[arg(long, default_value_t = 30_000)]
    rate: u64,
    /// Of `soak` and `disk`: how long ids are remembered, as 60s
    #[arg(long, default_value = "60s", value_parser = seconds)]
    retention: u64,
    /// Of `versus`: rounds of each row that have to count; five at least are judged
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Of `versus`: this row alone; again for more of them
    #[arg(long, value_name = "ROW", value_parser = row)]
    only: Vec<Row>,
    /// Of `versus`: the rows that take ten minutes a server too
    #[arg(long)]
    long: bool,
    /// Of `versus`: a few seconds a row, of any build on any machine, judged by nobody
    #[arg(long)]
    quick: bool,
}

fn row(text: &str) -> Result<Row, String> {
    let words = || Row::ALL.map(Row::word).join(", ");
    Row::ALL.into_iter().find(|row| row.word() == text).ok_or_else(|| format!("one of {}", words()))
}

fn seconds(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('s').and_then(|number| number.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| "a whole number of seconds, as 60s".to_owned())
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Which {
    /// Ten times more items than memory holds
    Outgrow,
    /// Starts with much history and many open reservations, after stops and kills
    Restart,
    /// Full life at a steady rate: does anything grow?
    Soak,
    /// Bytes an event, write amplification, space after retention, full disks (as root: it mounts disks in memory)
    Disk,
    /// A million reservations that end at once
    Storm,
    /// What an open reservation takes in memory
    Open,
    /// What 1,000 followers of one subject each cost the hot path
    Followers,
    /// Sumun beside Redis, as docs/performance.md has it
    Versus,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if cfg!(debug_assertions) && !arguments.quick {
        return in_release();
    }
    let what = match arguments.what {
        Which::Outgrow => What::Outgrow,
        Which::Restart => What::Restart,
        Which::Soak => What::Soak,
        Which::Disk => What::Disk,
        Which::Storm => What::Storm,
        Which::Open => What::Open,
        Which::Followers => What::Followers,
        Which::Versus => return beside_peers(arguments),
    };
    let options = Options {
        scale: arguments.scale,
        verify: !arguments.no_verify,
        keep: arguments.keep,
        minutes: arguments.minutes,
        rate: arguments.rate,
        retention_s: arguments.retention,
    };
    let report = figures::run(what, &options).map_err(|why| anyhow!(why))?;
    println!("written to {}", report_path(what).display());
    ensure!(report.failures.is_empty(), "what must hold does not:\n  {}", report.failures.join("\n  "));
    Ok(())
}

fn beside_peers(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { rounds, long, scale, quick, .. } = *arguments;
    let options = versus::Options { rounds, only: arguments.only.clone(), long, scale, quick };
    let (report, _) = versus::run(&options).map_err(|why| anyhow!(why))?;
    ensure!(report.failures.is_empty(), "this does not count:\n  {}", report.failures.join("\n  "));
    Ok(())
}

/// The same again as a release: a slow load would be measured for the server, and the server is built as it is released.
fn in_release() -> anyhow::Result<()> {
    let release = ["run", "--quiet", "--release", "--package", "xtask", "--"];
    let status = Command::new("cargo").args(release).args(std::env::args_os().skip(1)).status()?;
    ensure!(status.success(), "the figures are not as they must be");
    Ok(())
}
