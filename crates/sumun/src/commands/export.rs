//! `sumun item export`: all items out of a server.

use crate::caps::REPLY_TIMEOUT;
use crate::config::HttpAddress;
use crate::export::{self, Plan};
use crate::failure::Failure;
use crate::rows::Format;
use crate::web::Web;
use clap::Args;
use std::io::{self, BufWriter, Write};

/// Export all items, as whole records or as rows that an import takes
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun item export > items.ndjson                   whole records, one JSON a line, as GET /v1/items/SKU gives them
  sumun item export --format csv --prefix shoe- > shoes.csv
  sumun item export --for-import > rows.ndjson && sumun item import rows.ndjson --server 10.0.0.6:6380

A record is as it stood when it was read: items change while others are read. Removed items are left out.

Rows of --for-import, imported into an empty server, make the same items: settings, metadata, and on_hand of each lot
with its expiry and location. Their ids are made of the item's version and the lot, so that importing them twice changes
nothing. Open reservations, what holders have had of a limit, and the sums since the beginning (received, captured ...) do
not go along: what was on hand is received once. An item whose on_hand is below 0 has its settings alone, is named on
stderr, and the command then ends with 1.")]
pub(crate) struct Export {
    /// NDJSON, or CSV with `lots` and `metadata` as JSON in their cells
    #[arg(long, value_enum, default_value = "ndjson")]
    format: Format,
    /// Rows that `sumun item import` takes
    #[arg(long)]
    for_import: bool,
    /// Only items whose sku begins so
    #[arg(long)]
    prefix: Option<String>,
    #[command(flatten)]
    http: HttpAddress,
}

pub(crate) fn run(arguments: &Export) -> Result<(), Failure> {
    let mut web = Web::new(arguments.http.resolve()?, REPLY_TIMEOUT)?;
    let plan = Plan { format: arguments.format, for_import: arguments.for_import, prefix: arguments.prefix.clone() };
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let losses = export::run(&mut web, &plan, &mut out)?;
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    if losses.is_empty() { Ok(()) } else { Err(Failure::No(losses.join("\nsumun: "))) }
}
