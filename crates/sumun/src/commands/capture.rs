//! `sumun capture`: what is held is taken for good.

use super::verb::PartArguments;
use crate::failure::Failure;
use clap::Args;

/// Capture a reservation, or a part of it: the units are sold
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun capture order-1
  sumun capture order-2 milk=2 --id shipment-1       a part, under an id of its own")]
pub(crate) struct Capture {
    /// Id of this capture, the same when it is sent again; a part needs one
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    part: PartArguments,
}

pub(crate) fn run(arguments: &Capture) -> Result<(), Failure> {
    arguments.part.send("CAPTURE", arguments.id.as_deref())
}
