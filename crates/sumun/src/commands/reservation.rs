//! `sumun reservation`: one reservation as it stands.

use super::verb::{Ask, Words};
use crate::failure::Failure;
use clap::Args;

/// Show a reservation: its state, lines, and the lots they took
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun reservation order-1
  sumun reservation order-1 --json | jq -r .state

Ends with 1 when there is no such reservation.")]
pub(crate) struct Reservation {
    /// Id of the reservation
    reservation: String,
    #[command(flatten)]
    ask: Ask,
}

pub(crate) fn run(arguments: &Reservation) -> Result<(), Failure> {
    arguments.ask.send(&Words::new("RESERVATION", &arguments.reservation))
}
