//! `sumun release`: what is held goes back.

use super::verb::PartArguments;
use crate::failure::Failure;
use clap::Args;

/// Release a reservation, or a part of it: the units go back
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun release order-1
  sumun release order-2 milk=1 --id changed-mind-1   a part, under an id of its own

An id that is not known yet is blocked from then on, so that a late reserve of it is refused.")]
pub(crate) struct Release {
    /// Id of this release, the same when it is sent again; a part needs one
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    part: PartArguments,
}

pub(crate) fn run(arguments: &Release) -> Result<(), Failure> {
    arguments.part.send("RELEASE", arguments.id.as_deref())
}
