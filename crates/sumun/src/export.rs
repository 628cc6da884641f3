//! An export: all items, page by page, as whole records or as rows that an import takes.
//!
//! A row for an import receives what is on_hand under an id made of the item's version and the lot, which together name
//! one state of it: an export of the same state has the same ids. Never here: how rows are read.

use crate::caps::{EXPORT_PAGE, EXPORT_PATIENCE, EXPORT_PAUSE};
use crate::clock::{Clock, pause};
use crate::failure::Failure;
use crate::rows::Format;
use crate::web::{self, Web};
use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) format: Format,
    pub(crate) for_import: bool,
    pub(crate) prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    next: Option<String>,
}

/// An item as `GET /v1/items/{sku}` gives it.
#[derive(Debug, Deserialize)]
struct Record {
    sku: String,
    kind: String,
    on_hand: i64,
    reserved: u64,
    available: u64,
    received: u64,
    removed: u64,
    returned: u64,
    captured: u64,
    expired: u64,
    safety_stock: u64,
    backorder_limit: u64,
    limit: Option<Limit>,
    allocation: String,
    metadata: Option<Box<RawValue>>,
    lots: Vec<Lot>,
    version: u64,
    sequence: u64,
}

#[derive(Debug, Deserialize)]
struct Limit {
    quantity: u64,
    window_ms: Option<u64>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Lot {
    lot: Option<String>,
    location: Option<String>,
    on_hand: i64,
    reserved: u64,
    expires_at: Option<String>,
}

/// A row as an import takes it.
#[derive(Debug, Default, Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    sku: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lot: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_stock: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backorder_limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_window_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

const ROW_COLUMNS: [&str; 13] = [
    "id",
    "sku",
    "quantity",
    "lot",
    "expires_at",
    "location",
    "kind",
    "safety_stock",
    "backorder_limit",
    "limit",
    "limit_window_ms",
    "allocation",
    "metadata",
];

const RECORD_COLUMNS: [&str; 19] = [
    "sku",
    "kind",
    "on_hand",
    "reserved",
    "available",
    "received",
    "removed",
    "returned",
    "captured",
    "expired",
    "safety_stock",
    "backorder_limit",
    "limit",
    "limit_window_ms",
    "allocation",
    "metadata",
    "lots",
    "version",
    "sequence",
];

/// Writes all items; gives what cannot be imported again, in words.
pub(crate) fn run(web: &mut Web, plan: &Plan, out: &mut dyn Write) -> Result<Vec<String>, Failure> {
    let mut losses = Vec::new();
    let mut writer = Writer::new(plan, out)?;
    let mut after = None;
    // A server that was never there is told at once.
    let mut patience = Duration::ZERO;
    loop {
        let page = page(web, plan.prefix.as_deref(), after.as_deref(), patience)?;
        patience = EXPORT_PATIENCE;
        let page: Page<'_> = serde_json::from_slice(&page.body)
            .map_err(|error| anyhow!("a page of items that cannot be read: {error}"))?;
        for item in page.items {
            if !writer.item(item, &mut losses)? {
                return Ok(losses);
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    writer.finish()?;
    Ok(losses)
}

/// One page; what may pass is asked again for a while, since reading changes nothing.
fn page(web: &mut Web, prefix: Option<&str>, after: Option<&str>, patience: Duration) -> Result<web::Page, Failure> {
    let mut target = format!("/v1/items?limit={EXPORT_PAGE}");
    for (name, value) in [("prefix", prefix), ("after", after)] {
        if let Some(value) = value {
            target.push_str(&format!("&{name}={}", web::encoded(value)));
        }
    }
    let clock = Clock::start();
    loop {
        let why = match web.get(&target) {
            Ok(page) if page.status == 200 => return Ok(page),
            Ok(page) if page.status == 503 && clock.elapsed() <= EXPORT_PATIENCE => {
                pause(EXPORT_PAUSE);
                continue;
            }
            Ok(page) if page.status == 503 => web::problem(&page),
            Ok(page) => return Err(anyhow!("{target}: {}", web::problem(&page)).into()),
            Err(silent) => silent.to_string(),
        };
        if clock.elapsed() > patience {
            return Err(Failure::Unreachable(format!(
                "{why}; what was printed, if anything, is not whole: begin again, or name another server with --http"
            )));
        }
        pause(EXPORT_PAUSE);
    }
}

enum Writer<'a> {
    Lines { out: &'a mut dyn Write, for_import: bool },
    Table { out: Box<csv::Writer<&'a mut dyn Write>>, for_import: bool },
}

/// Whether the reader still reads: one that has gone (`| head`) has seen enough.
fn written(result: io::Result<()>) -> Result<bool, Failure> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn csv_written(result: csv::Result<()>) -> Result<bool, Failure> {
    written(result.map_err(|error| {
        let said = error.to_string();
        if let csv::ErrorKind::Io(error) = error.into_kind() { error } else { io::Error::other(said) }
    }))
}

impl<'a> Writer<'a> {
    fn new(plan: &Plan, out: &'a mut dyn Write) -> Result<Writer<'a>, Failure> {
        let for_import = plan.for_import;
        match plan.format {
            Format::Ndjson => Ok(Writer::Lines { out, for_import }),
            Format::Csv => {
                let mut out = Box::new(csv::Writer::from_writer(out));
                let columns = if for_import { &ROW_COLUMNS[..] } else { &RECORD_COLUMNS[..] };
                csv_written(out.write_record(columns))?;
                Ok(Writer::Table { out, for_import })
            }
        }
    }

    fn item(&mut self, item: &RawValue, losses: &mut Vec<String>) -> Result<bool, Failure> {
        if let Writer::Lines { out, for_import: false } = self {
            return written(out.write_all(line(item.get()).as_bytes()));
        }
        let record: Record =
            serde_json::from_str(item.get()).map_err(|error| anyhow!("an item that cannot be read: {error}"))?;
        match self {
            Writer::Table { out, for_import: false } => csv_written(out.write_record(cells(&record)?)),
            Writer::Lines { out, for_import: true } => {
                let mut go = true;
                for row in rows(&record, losses) {
                    go &= written(out.write_all(line(&json(&row)?).as_bytes()))?;
                }
                Ok(go)
            }
            Writer::Table { out, for_import: true } => {
                let mut go = true;
                for row in rows(&record, losses) {
                    go &= csv_written(out.write_record(row.cells()))?;
                }
                Ok(go)
            }
            Writer::Lines { for_import: false, .. } => unreachable!("written above"),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        let flushed = match self {
            Writer::Lines { out, .. } => out.flush(),
            Writer::Table { mut out, .. } => out.flush(),
        };
        written(flushed).map(drop)
    }
}

/// One line of NDJSON: metadata stands as it was set, and may have line breaks; within a text JSON has none.
fn line(json: &str) -> String {
    let mut line = json.replace(['\n', '\r'], " ");
    line.push('\n');
    line
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(value).map_err(io::Error::from)?)
}

fn raw(json: Option<&RawValue>) -> String {
    json.map_or("", RawValue::get).to_owned()
}

fn number<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn cells(record: &Record) -> Result<Vec<String>, Failure> {
    let r = record;
    Ok(vec![
        r.sku.clone(),
        r.kind.clone(),
        r.on_hand.to_string(),
        r.reserved.to_string(),
        r.available.to_string(),
        r.received.to_string(),
        r.removed.to_string(),
        r.returned.to_string(),
        r.captured.to_string(),
        r.expired.to_string(),
        r.safety_stock.to_string(),
        r.backorder_limit.to_string(),
        number(r.limit.as_ref().map(|limit| limit.quantity)),
        number(r.limit.as_ref().and_then(|limit| limit.window_ms)),
        r.allocation.clone(),
        raw(r.metadata.as_deref()),
        json(&r.lots)?,
        r.version.to_string(),
        r.sequence.to_string(),
    ])
}

impl Row<'_> {
    fn cells(&self) -> [String; 13] {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        [
            text(self.id.as_deref()),
            self.sku.to_owned(),
            number(self.quantity),
            text(self.lot),
            text(self.expires_at),
            text(self.location),
            text(self.kind),
            number(self.safety_stock),
            number(self.backorder_limit),
            number(self.limit),
            number(self.limit_window_ms),
            text(self.allocation),
            raw(self.metadata),
        ]
    }
}

/// The item's settings with its first quantity, then a row a lot, in the order in which they are taken.
fn rows<'a>(record: &'a Record, losses: &mut Vec<String>) -> Vec<Row<'a>> {
    let id = |lot: Option<&str>| match lot {
        Some(lot) => format!("export-{}-{:016x}", record.version, xxh3_64(lot.as_bytes())),
        None => format!("export-{}", record.version),
    };
    let mut rows = Vec::with_capacity(record.lots.len().max(1));
    for lot in record.lots.iter().filter(|lot| lot.on_hand > 0) {
        rows.push(Row {
            id: Some(id(lot.lot.as_deref())),
            sku: &record.sku,
            quantity: Some(lot.on_hand),
            lot: lot.lot.as_deref(),
            expires_at: lot.expires_at.as_deref(),
            location: lot.location.as_deref(),
            ..Row::default()
        });
    }
    if record.lots.is_empty() {
        let quantity = (record.on_hand > 0).then_some(record.on_hand);
        rows.push(Row { id: quantity.map(|_| id(None)), sku: &record.sku, quantity, ..Row::default() });
    }
    if rows.is_empty() {
        rows.push(Row { sku: &record.sku, ..Row::default() });
    }
    if record.on_hand < 0 {
        let Record { sku, on_hand, .. } = record;
        losses.push(format!("`{sku}` has {on_hand} on hand (captured backorders): an import can only receive"));
    }
    let first = &mut rows[0];
    first.kind = Some(&record.kind);
    first.safety_stock = (record.safety_stock > 0).then_some(record.safety_stock);
    first.backorder_limit = (record.backorder_limit > 0).then_some(record.backorder_limit);
    first.limit = record.limit.as_ref().map(|limit| limit.quantity);
    first.limit_window_ms = record.limit.as_ref().and_then(|limit| limit.window_ms);
    first.allocation = Some(&record.allocation);
    first.metadata = record.metadata.as_deref();
    rows
}
