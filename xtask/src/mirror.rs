//! `cargo xtask mirror`: a mirror built from events alone, beside a server under load, both killed many times.

use anyhow::anyhow;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Rounds, each with five kills or more; every third with a log that keeps next to nothing
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Where the randomness of load and moments begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let total = sumun_proof::mirror::run(arguments.rounds, arguments.seed, &mut |line| println!("{line}"));
    println!("{}", total.map_err(|why| anyhow!(why))?);
    Ok(())
}
