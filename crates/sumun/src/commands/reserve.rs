//! `sumun reserve`: quantities of items are claimed together.

use super::verb::{Ask, LineArgument, PlaceArgument, Words};
use crate::failure::Failure;
use crate::units::{Millis, Moment};
use clap::Args;

/// Reserve quantities of one or more items: all lines or none
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun reserve order-1 sneaker=1 --ttl 15m --for alice
  sumun reserve order-2 milk=3 butter=1 --ttl 15m --until 2026-05-01T00:00:00Z --at 1=seoul
  sumun reserve order-3 milk=3 --ttl 15m --lot 1=L7
  sumun reserve order-4 api-calls=10 --capture       taken at once, nothing to wait for

An answer without error means that you have it. The same id with the same content is reserved once.")]
pub(crate) struct Reserve {
    /// Id of the reservation: yours to choose, the same when it is sent again
    reservation: String,
    /// What to take: SKU=QUANTITY …
    #[arg(value_name = "SKU=QUANTITY", required = true)]
    lines: Vec<LineArgument>,
    /// How long it is held
    #[arg(long, value_name = "DURATION", required_unless_present = "capture")]
    ttl: Option<Millis>,
    /// On whose behalf
    #[arg(long = "for", value_name = "HOLDER")]
    holder: Option<String>,
    /// Until when it has to keep: lots that expire before are not taken
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Takes a line from this lot alone: LINE=LOT, lines counted from 1
    #[arg(long = "lot", value_name = "LINE=LOT")]
    lots: Vec<PlaceArgument>,
    /// Takes a line from this location alone: LINE=LOCATION
    #[arg(long = "at", value_name = "LINE=LOCATION")]
    locations: Vec<PlaceArgument>,
    /// Capture in the same step
    #[arg(long)]
    capture: bool,
    #[command(flatten)]
    ask: Ask,
}

pub(crate) fn run(arguments: &Reserve) -> Result<(), Failure> {
    let words = Words::new("RESERVE", &arguments.reservation)
        .word(arguments.ttl.map_or(0, |ttl| ttl.0))
        .lines(&arguments.lines)
        .option("FOR", arguments.holder.as_ref())
        .option("UNTIL", arguments.until.map(|time| time.0))
        .places("LOT", &arguments.lots)
        .places("AT", &arguments.locations);
    arguments.ask.send(&if arguments.capture { words.word("CAPTURE") } else { words })
}
