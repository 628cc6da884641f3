//! `sumun return`: what was captured comes back.

use super::verb::PartArguments;
use crate::failure::Failure;
use clap::Args;

/// Return what was captured, or a part of it: the units are on hand again
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun return order-1 --id rma-7
  sumun return order-2 milk=1 --id rma-8             a part")]
pub(crate) struct Return {
    /// Id of this return, the same when it is sent again
    #[arg(long)]
    id: String,
    #[command(flatten)]
    part: PartArguments,
}

pub(crate) fn run(arguments: &Return) -> Result<(), Failure> {
    arguments.part.send("RETURN", Some(&arguments.id))
}
