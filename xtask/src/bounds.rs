//! `cargo xtask bounds`: what a step does at most with 10 million open reservations, and what each of them takes. The
//! tests assert the same bounds with a million; this shows them in the released build.

use anyhow::ensure;
use std::process::Command;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Open reservations
    #[arg(long, default_value_t = 10_000_000)]
    open: u64,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let open = arguments.open.to_string();
    let example = ["run", "--quiet", "--release", "-p", "sumun-engine", "--example", "bounds", "--", &open];
    ensure!(Command::new("cargo").args(example).status()?.success(), "a bound does not hold");
    Ok(())
}
