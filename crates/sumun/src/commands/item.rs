//! `sumun item`: one item as it stands; many into the server and out of it.

use super::verb::{Ask, Words};
use super::{export, import};
use crate::failure::Failure;
use clap::{Args, Subcommand};

/// Show an item: its quantities, settings and lots; or import and export many
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  sumun item sneaker
  sumun item sneaker --json | jq .available
  sumun item import catalogue.csv                    a million rows in some seconds; again changes nothing
  sumun item export > items.ndjson
  sumun item -- import                               the item called `import`

Ends with 1 when there is no such item.")]
pub(crate) struct Item {
    #[command(subcommand)]
    command: Option<Many>,
    /// The item
    #[arg(required = true)]
    sku: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Debug, Subcommand)]
enum Many {
    Import(import::Import),
    Export(export::Export),
}

pub(crate) fn run(arguments: &Item) -> Result<(), Failure> {
    match &arguments.command {
        Some(Many::Import(arguments)) => import::run(arguments),
        Some(Many::Export(arguments)) => export::run(arguments),
        None => {
            let sku = arguments.sku.as_deref().expect("clap requires it without a subcommand");
            arguments.ask.send(&Words::new("ITEM", sku))
        }
    }
}
