//! `cargo xtask ways`: random histories whose commands go by RESP2, RESP3 and HTTP, judged by one model.

use anyhow::anyhow;
use sumun_proof::ways::{Recipe, Tally, run as history};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Histories, each with two kills
    #[arg(long, default_value_t = 50)]
    histories: u64,
    /// The first one's seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Steps of each: a command, or those of one MULTI
    #[arg(long, default_value_t = 400)]
    steps: usize,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut total = Tally::default();
    for seed in arguments.seed..arguments.seed + arguments.histories {
        let tally = history(&Recipe { seed, steps: arguments.steps }).map_err(|why| anyhow!(why))?;
        println!("seed {seed}: {} commands, {} events, {} ends", tally.commands, tally.events, tally.ends);
        total.add(&tally);
    }
    println!("{} histories: {total:#?}", arguments.histories);
    Ok(())
}
