//! The commands, one file each: arguments, their help, and what they call.

mod adjust;
mod bench;
mod capture;
mod config;
mod configure;
mod demo;
mod export;
mod extend;
mod import;
mod item;
mod log;
mod receive;
mod release;
mod reservation;
mod reserve;
mod return_;
mod serve;
mod snapshot;
mod store;
mod top;
mod verb;
mod verify;

use crate::failure::Failure;
use clap::{Parser, Subcommand};

/// Sumun decides who gets a limited quantity: durably, exactly once
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 the answer is no; 2 wrong usage or configuration; 3 the server cannot be \
                  reached; 4 anything else."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Bench(bench::Bench),
    Verify(verify::Verify),
    Log(log::Log),
    Snapshot(snapshot::Snapshot),
    Store(store::Store),
    Top(top::Top),
    Config(config::Config),
    Configure(configure::Configure),
    Receive(receive::Receive),
    Adjust(adjust::Adjust),
    Reserve(reserve::Reserve),
    Capture(capture::Capture),
    Release(release::Release),
    Extend(extend::Extend),
    Return(return_::Return),
    Item(item::Item),
    Reservation(reservation::Reservation),
}

impl Cli {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::Serve(arguments) => serve::run(arguments),
            Command::Demo(arguments) => demo::run(arguments),
            Command::Bench(arguments) => bench::run(arguments),
            Command::Verify(arguments) => verify::run(arguments),
            Command::Log(arguments) => log::run(arguments),
            Command::Snapshot(arguments) => snapshot::run(arguments),
            Command::Store(arguments) => store::run(arguments),
            Command::Top(arguments) => top::run(arguments),
            Command::Config(arguments) => config::run(arguments),
            Command::Configure(arguments) => configure::run(arguments),
            Command::Receive(arguments) => receive::run(arguments),
            Command::Adjust(arguments) => adjust::run(arguments),
            Command::Reserve(arguments) => reserve::run(arguments),
            Command::Capture(arguments) => capture::run(arguments),
            Command::Release(arguments) => release::run(arguments),
            Command::Extend(arguments) => extend::run(arguments),
            Command::Return(arguments) => return_::run(arguments),
            Command::Item(arguments) => item::run(arguments),
            Command::Reservation(arguments) => reservation::run(arguments),
        }
    }
}
