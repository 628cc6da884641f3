//! `sumun item`: one item as it stands.

use super::verb::{Ask, Words};
use crate::failure::Failure;
use clap::Args;

/// Show an item: its quantities, settings and lots
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun item sneaker
  sumun item sneaker --json | jq .available

Ends with 1 when there is no such item.")]
pub(crate) struct Item {
    /// The item
    sku: String,
    #[command(flatten)]
    ask: Ask,
}

pub(crate) fn run(arguments: &Item) -> Result<(), Failure> {
    arguments.ask.send(&Words::new("ITEM", &arguments.sku))
}
