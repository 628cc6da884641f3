//! `sumun extend`: a hold is made to last.

use super::verb::{Ask, Words};
use crate::failure::Failure;
use crate::units::Millis;
use clap::Args;

/// Extend a reservation: it is held until the later of its end and now + ttl
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun extend order-1 --ttl 15m")]
pub(crate) struct Extend {
    /// Id of the reservation
    reservation: String,
    /// How long from now it is held at least
    #[arg(long, value_name = "DURATION")]
    ttl: Millis,
    #[command(flatten)]
    ask: Ask,
}

pub(crate) fn run(arguments: &Extend) -> Result<(), Failure> {
    arguments.ask.send(&Words::new("EXTEND", &arguments.reservation).word(arguments.ttl.0))
}
