//! `cargo xtask sim`: seeds of the simulation, and which cells of the verb table they reached.

use anyhow::bail;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use sumun_sim::{Report, Setup};

/// So many seeds reach every cell of the verb table: one that is empty then is a failure.
const SEEDS_OF_ALL_CELLS: u64 = 200;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Run this one seed
    #[arg(long)]
    seed: Option<u64>,
    /// Run so many seeds, from --from on
    #[arg(long, default_value_t = SEEDS_OF_ALL_CELLS)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Commands of a seed
    #[arg(long, default_value_t = 5_000)]
    commands: u64,
    /// Restarts of a seed
    #[arg(long, default_value_t = 12)]
    restarts: u64,
    /// Print every cell with its count
    #[arg(long)]
    cells: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let setup = Setup { commands: arguments.commands, restarts: arguments.restarts };
    let (from, count) = arguments.seed.map_or((arguments.from, arguments.seeds), |seed| (seed, 1));
    let next = AtomicU64::new(from);
    let total = Mutex::new((Report::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        break;
                    }
                    let result = std::panic::catch_unwind(|| sumun_sim::run(seed, &setup));
                    let mut total = total.lock().expect("no seed panics outside of its catch");
                    match result {
                        Ok(Ok(report)) => total.0.merge(&report),
                        Ok(Err(failure)) => total.1.push(failure.to_string()),
                        Err(_) => total.1.push(format!("seed {seed} panicked")),
                    }
                }
            });
        }
    });
    let (report, failures) = total.into_inner().expect("all threads have ended");
    println!(
        "{count} seeds: {} commands, {} events, {} restarts, {} failed logs, {} full disks, {} records read back",
        report.commands, report.events, report.restarts, report.failures, report.full, report.fetched
    );
    if arguments.cells {
        print!("{}", report.coverage);
    }
    for failure in failures.iter().take(3) {
        println!("{failure}");
    }
    if !failures.is_empty() {
        bail!("{} of {count} seeds failed", failures.len());
    }
    if arguments.seed.is_none() && count >= SEEDS_OF_ALL_CELLS {
        let empty = report.coverage.empty();
        if !empty.is_empty() {
            bail!("cells that were never reached:\n  {}", empty.join("\n  "));
        }
    }
    Ok(())
}
