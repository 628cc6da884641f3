//! `cargo xtask power`: power cuts under the real server, many times.

use anyhow::anyhow;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Cut the power so many times
    #[arg(long, default_value_t = 50)]
    rounds: u64,
    /// Where the randomness of load, moments and cuts begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let total = sumun_proof::power::run(arguments.rounds, arguments.seed, &mut |line| println!("{line}"));
    let total = total.map_err(|why| anyhow!(why))?;
    println!("{} power cuts: {total}; nothing acknowledged was lost, nothing was done twice", arguments.rounds);
    Ok(())
}
