//! `sumun configure`: the settings of an item, all at once.

use super::verb::{Ask, Words};
use crate::failure::Failure;
use crate::units::Millis;
use clap::Args;
use sumun_wire::{Allocation, Kind};

/// Set an item's settings: all at once, what is left out takes its default
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun configure sneaker                            create it, or back to all defaults
  sumun configure sneaker --limit 2 --window 7d      at most 2 a holder within 7 days
  sumun configure milk --safety 10 --allocation fifo
  sumun configure api-calls --kind points

Prints what is available after.")]
pub(crate) struct Configure {
    /// The item
    sku: String,
    /// What it counts; never changes once set
    #[arg(long, value_parser = [Kind::Stock.word(), Kind::Points.word()])]
    kind: Option<String>,
    /// Units kept back from reservations
    #[arg(long, value_name = "QUANTITY")]
    safety: Option<u64>,
    /// Units that may be promised before they are there
    #[arg(long, value_name = "QUANTITY")]
    backorder: Option<u64>,
    /// What one holder may hold and have captured
    #[arg(long, value_name = "QUANTITY")]
    limit: Option<u64>,
    /// How long captured units count against the limit; without it for ever
    #[arg(long, value_name = "DURATION", requires = "limit")]
    window: Option<Millis>,
    /// Which lot is taken first: earliest expiry, or earliest receipt
    #[arg(long, value_parser = [Allocation::Fefo.word(), Allocation::Fifo.word()])]
    allocation: Option<String>,
    /// JSON that stands with the item
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

pub(crate) fn run(arguments: &Configure) -> Result<(), Failure> {
    let words = Words::new("CONFIGURE", &arguments.sku)
        .option("KIND", arguments.kind.as_ref())
        .option("SAFETY", arguments.safety)
        .option("BACKORDER", arguments.backorder)
        .option("LIMIT", arguments.limit)
        .option("WINDOW", arguments.window.map(|window| window.0))
        .option("ALLOCATION", arguments.allocation.as_ref())
        .option("METADATA", arguments.metadata.as_ref());
    arguments.ask.send(&words)
}
