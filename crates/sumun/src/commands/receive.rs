//! `sumun receive`: units come in.

use super::verb::{Ask, Words};
use crate::failure::Failure;
use crate::units::Moment;
use clap::Args;

/// Receive units of an item; an unknown item is created
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun receive sneaker 1000 --id delivery-4711
  sumun receive milk 200 --id delivery-4712 --lot L7 --expires 2026-05-01T00:00:00Z --at seoul
  sumun receive sneaker 1 --id '*'                   a fresh id: only for trying things out

The same id with the same content is done once, however often it is sent. Prints what is available after.")]
pub(crate) struct Receive {
    /// The item
    sku: String,
    /// How many units
    quantity: u64,
    /// The movement's id, the same when it is sent again; '*' makes a fresh one
    #[arg(long, value_name = "MOVEMENT")]
    id: String,
    /// The lot that they belong to
    #[arg(long)]
    lot: Option<String>,
    /// When the lot expires: RFC 3339 or Unix milliseconds
    #[arg(long, value_name = "TIME", requires = "lot")]
    expires: Option<Moment>,
    /// Where the lot is
    #[arg(long, value_name = "LOCATION", requires = "lot")]
    at: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

pub(crate) fn run(arguments: &Receive) -> Result<(), Failure> {
    let words = Words::new("RECEIVE", &arguments.sku)
        .word(arguments.quantity)
        .word("ID")
        .word(&arguments.id)
        .option("LOT", arguments.lot.as_ref())
        .option("EXPIRES", arguments.expires.map(|time| time.0))
        .option("AT", arguments.at.as_ref());
    arguments.ask.send(&words)
}
