//! `sumun demo`: its arguments.

use crate::caps::{BUYERS_MAX, CONNECTIONS_MAX};
use crate::demo::{self, Plan};
use crate::failure::Failure;
use crate::load::length_ns;
use crate::units::Millis;
use clap::Args;
use std::path::PathBuf;

/// Watch a flash sale that survives kill -9
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun demo                                         watch it, kill it, look into it
  sumun demo --once                                  kills the server itself, ends after the audit
  sumun demo --buyers 1000000 --units 500 --duration 60s

It starts `sumun serve` as a child on a free port, sends every buyer over real sockets, starts the server again when it \
dies, and at the end checks every acknowledged answer against the log. Ends with 1 when one unit was lost or sold twice.")]
pub(crate) struct Demo {
    /// End after the audit; kills the server once in the middle
    #[arg(long)]
    once: bool,
    /// Kill the server once in the middle, by its own hand
    #[arg(long)]
    kill: bool,
    /// Directory to work in, which is kept; a temporary one when not given
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How many come
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=i64::from(BUYERS_MAX)))]
    buyers: u32,
    /// How many units there are
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=sumun_wire::limits::QUANTITY_MAX))]
    units: u64,
    /// Connections that they share
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_MAX)))]
    connections: u32,
    /// How long buyers keep coming
    #[arg(long, value_name = "DURATION", default_value = "20s")]
    duration: Millis,
}

pub(crate) fn run(arguments: &Demo) -> Result<(), Failure> {
    demo::run(&Plan {
        directory: arguments.data.clone(),
        buyers: arguments.buyers,
        units: arguments.units,
        connections: arguments.connections,
        sale_ns: length_ns("--duration", arguments.duration)?,
        kill: arguments.kill || arguments.once,
        once: arguments.once,
    })
}
