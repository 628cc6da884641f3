//! `sumun item import`: a file of items and receipts into a server.

use crate::config::ServerAddress;
use crate::failure::Failure;
use crate::import::{self, Outcome, Plan, Short, Sums};
use crate::rows::{Format, Source};
use crate::show::{Form, say};
use crate::units::Millis;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Import items and receipts from a CSV or NDJSON file; again changes nothing
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun item import catalogue.csv --dry-run          check the file alone
  sumun item import catalogue.csv --refused refused.ndjson
  zcat stock.ndjson.gz | sumun item import - --format ndjson --json

Columns (names in NDJSON): sku; a receipt: id (the movement's), quantity, lot, expires_at (RFC 3339), location; settings:
kind, safety_stock, backorder_limit, limit, limit_window_ms, allocation, metadata (JSON). An empty cell or null is absent.
A row with a quantity receives it once, under its id. A row with any setting sets them all: what it leaves out takes its
default, but for the kind. Settings go before the row's quantity, and when they are refused, it and the rows of its sku
behind it are not received (held_back). Two rows may have one id, or set one item, only with the same content.

Rows go in their order. A lost connection, a server that starts again or is overloaded is waited for. Whatever happens,
run it again: what was done counts as replayed. Settings set again unchanged leave no event.

Ends with 0 when all was done, 1 when rows were refused, 2 when the file cannot be what it says (nothing is sent then),
3 when the server cannot be reached, 4 when it was stopped.")]
pub(crate) struct Import {
    /// The file, `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is; otherwise its extension tells: .csv, .ndjson, .jsonl
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write each refused row to this file: row, line, id, sku, code, message, one JSON a line
    #[arg(long, value_name = "FILE")]
    refused: Option<PathBuf>,
    /// Check the file and send nothing
    #[arg(long)]
    dry_run: bool,
    /// How long to go on without an answer of the server
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    give_up_after: Millis,
    /// No progress on the terminal
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    server: ServerAddress,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(arguments: &Import) -> Result<(), Failure> {
    let plan = Plan {
        server: arguments.server.resolve()?,
        refused: arguments.refused.clone(),
        give_up_after: Duration::from_millis(arguments.give_up_after.0),
        quiet: arguments.quiet,
        dry_run: arguments.dry_run,
    };
    let source = Source::open(&arguments.file, arguments.format)?;
    if let Some(path) = plan.refused.as_deref().filter(|path| source.is(path)) {
        return Err(Failure::Usage(format!("--refused {} is the file to import itself", path.display())));
    }
    let outcome = import::run(&source, &plan)?;
    tell(arguments, &outcome)?;
    ended(outcome, arguments)
}

fn tell(arguments: &Import, outcome: &Outcome) -> Result<(), Failure> {
    let Sums { rows, received, replayed, configured, refused } = outcome.report.sums;
    let seconds = outcome.report.seconds();
    if arguments.form.json {
        let done = outcome.short.is_none();
        let sums = serde_json::json!({
            "rows": rows, "received": received, "replayed": replayed, "configured": configured, "refused": refused,
            "seconds": seconds, "done": done, "dry_run": arguments.dry_run,
        });
        return say(&sums.to_string());
    }
    if arguments.dry_run {
        return say(&format!("{rows} rows: {received} to receive, {configured} to configure, {refused} refused"));
    }
    say(&format!(
        "{rows} rows: {received} received, {replayed} replayed, {configured} configured, {refused} refused, in \
         {seconds:.1} s"
    ))
}

fn ended(outcome: Outcome, arguments: &Import) -> Result<(), Failure> {
    let Sums { rows, refused, .. } = outcome.report.sums;
    if refused > 0 && !arguments.quiet {
        eprintln!("refused:\n{}", outcome.report.findings());
    }
    let again = "run the same command again: what was done counts as replayed";
    match outcome.short {
        Some(Short::GivenUp(why)) => Err(Failure::Unreachable(format!(
            "{why}; given up after {} without an answer, {rows} rows are through. When the server is back, {again}",
            arguments.give_up_after
        ))),
        Some(Short::Stopped) => Err(anyhow::anyhow!("stopped, {rows} rows are through. To go on, {again}").into()),
        Some(Short::Failed(failure)) => Err(failure),
        None if refused > 0 => Err(Failure::No(match arguments.refused.as_deref().map(Path::display) {
            Some(path) => format!("{refused} rows were refused: {path} says which and why"),
            None => format!("{refused} rows were refused; --refused FILE keeps all of them with their reasons"),
        })),
        None => Ok(()),
    }
}
