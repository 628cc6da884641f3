//! `cargo xtask crash`: `kill -9` of the real server under load, many times.

use anyhow::anyhow;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Kill so many times
    #[arg(long, default_value_t = 100)]
    kills: u64,
    /// Where the randomness of load and moments begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let total = sumun_proof::crash::run(arguments.kills, arguments.seed, &mut |line| println!("{line}"));
    let total = total.map_err(|why| anyhow!(why))?;
    println!("{} kills: {total}; nothing acknowledged was lost, nothing was done twice", arguments.kills);
    Ok(())
}
