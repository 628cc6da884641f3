//! `sumun`: the one binary. Commands, configuration, the load clients and the demo; what a server does stands in the
//! crates below.
//!
//! Never here: decisions about quantities, the log's format, the reactor.

mod bench;
mod caps;
mod carry;
mod child;
mod client;
mod clock;
mod commands;
mod config;
mod demo;
mod event_text;
mod export;
mod failure;
mod findings;
mod import;
mod load;
mod logfile;
mod machine;
mod mistakes;
mod nearest;
mod operator;
mod otel;
mod picture;
mod prove;
mod random;
mod resp;
mod rows;
mod scratch;
mod show;
mod storefile;
mod top;
mod units;
mod web;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Clap ends wrong usage with 2 by itself, and `--help` with 0.
    match commands::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
