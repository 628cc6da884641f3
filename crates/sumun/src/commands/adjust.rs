//! `sumun adjust`: a count is put right.

use super::verb::{Ask, Words};
use crate::failure::Failure;
use clap::Args;

/// Adjust an item's units on hand, up or down
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun adjust sneaker -3 --reason damaged --id count-2026-05-01-7
  sumun adjust milk 5 --reason found --lot L7 --id count-2026-05-01-8

Never goes below what is reserved. Prints what is available after.")]
pub(crate) struct Adjust {
    /// The item
    sku: String,
    /// By how much, as -3 or 5
    #[arg(allow_negative_numbers = true)]
    delta: i64,
    /// Why, in one word
    #[arg(long, value_name = "WORD")]
    reason: String,
    /// The movement's id, the same when it is sent again; '*' makes a fresh one
    #[arg(long, value_name = "MOVEMENT")]
    id: String,
    /// The lot, when it has to be that one
    #[arg(long)]
    lot: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

pub(crate) fn run(arguments: &Adjust) -> Result<(), Failure> {
    let words = Words::new("ADJUST", &arguments.sku)
        .word(arguments.delta)
        .word("REASON")
        .word(&arguments.reason)
        .word("ID")
        .word(&arguments.id)
        .option("LOT", arguments.lot.as_ref());
    arguments.ask.send(&words)
}
