//! `cargo xtask linear`: histories of concurrent clients against the real binary, a kill -9 in each, and whether one
//! command after the other could have come to the same answers.

use anyhow::{anyhow, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use sumun_proof::linear::{History, Recipe, Verdict, judge, trial};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Record and judge so many
    #[arg(long, default_value_t = 50)]
    histories: u64,
    /// The first one's seed; every second one has reservations that end by time
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients, each on a connection of its own
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// Operations of each client
    #[arg(long, default_value_t = 500)]
    operations: u64,
    /// Judge this one, as it was written down, and record none
    #[arg(long)]
    history: Option<PathBuf>,
    /// Where a history that is not linearizable is written down
    #[arg(long, default_value = "target/histories")]
    failed: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(path) = &arguments.history {
        let history = History::parse(&std::fs::read_to_string(path)?).map_err(|error| anyhow!(error))?;
        let verdict = judge(&history).map_err(|error| anyhow!(error))?;
        println!("{}", words(&verdict));
        return if verdict == Verdict::Linearizable { Ok(()) } else { bail!("it was not shown to be linearizable") };
    }
    let (mut operations, mut lost, mut replayed, mut expired, mut wrong) = (0, 0, 0, 0, 0);
    let (mut replaced, mut judged_again, mut slowest_us) = (0, 0, 0);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for seed in arguments.seed..arguments.seed + arguments.histories {
        let (clients, each) = (arguments.clients, arguments.operations);
        let recipe = Recipe { seed, clients, operations: each, short_lives: seed.is_multiple_of(2) };
        let trial = trial(&recipe).map_err(|error| anyhow!(error))?;
        for (seed, recorded) in &trial.replaced {
            let path = keep(&arguments.failed, *seed, &recorded.history)?;
            println!("seed {seed}: undecided, and another history took its place; this one is in {}", path.display());
        }
        replaced += trial.replaced.len();
        judged_again += trial.judged_again;
        slowest_us = trial.slowest_us.max(slowest_us);
        let recorded = trial.recorded;
        operations += recorded.history.operations.len();
        lost += recorded.lost;
        replayed += recorded.replayed;
        expired += recorded.expired;
        for (word, count) in recorded.refused {
            *refused.entry(word).or_default() += count;
        }
        if trial.verdict != Verdict::Linearizable {
            wrong += 1;
            let path = keep(&arguments.failed, trial.seed, &recorded.history)?;
            println!("seed {}: {}\nThe history is in {}", trial.seed, words(&trial.verdict), path.display());
        }
    }
    let refused: Vec<String> = refused.iter().map(|(word, count)| format!("{word} {count}")).collect();
    println!(
        "{} histories, each with a kill: {operations} operations, {lost} answers lost, {replayed} replays, {expired} \
         looks at what had ended by time; refused: {}",
        arguments.histories,
        refused.join(", ")
    );
    println!(
        "{judged_again} judged again, {replaced} replaced since they stayed undecided; the slowest judgement took {} ms",
        slowest_us / 1_000
    );
    if wrong > 0 { bail!("{wrong} of {} were not shown to be linearizable", arguments.histories) } else { Ok(()) }
}

fn words(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Linearizable => "linearizable",
        Verdict::Violation(why) => why,
        Verdict::Undecided => "undecided: too many ways to order it",
    }
}

fn keep(folder: &Path, seed: u64, history: &History) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("linear-{seed}.txt"));
    std::fs::write(&path, history.to_string())?;
    Ok(path)
}
