//! Rows of an import: what a line of CSV or NDJSON says, checked as far as the file alone can tell.
//! A row has a sku and a receipt, settings, or both. Names and limits are those of the contract.
//! Never here: the server, what is sent to it.

mod csv;
mod ndjson;
mod source;
mod twice;

pub(crate) use source::Source;
pub(crate) use twice::{Again, Twice};

use crate::failure::Failure;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fs::File;
use sumun_wire::limits::QUANTITY_MAX;
use sumun_wire::{Allocation, Kind, Timestamp, text};

/// The columns of a CSV file and the names of NDJSON, and whether each is a setting.
const COLUMNS: [(&str, bool); 13] = [
    ("id", false),
    ("sku", false),
    ("quantity", false),
    ("lot", false),
    ("expires_at", false),
    ("location", false),
    ("kind", true),
    ("safety_stock", true),
    ("backorder_limit", true),
    ("limit", true),
    ("limit_window_ms", true),
    ("allocation", true),
    ("metadata", true),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Csv,
    Ndjson,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) sku: String,
    pub(crate) settings: Option<Settings>,
    /// With the movement's id.
    pub(crate) receipt: Option<Receipt>,
    /// Its id, also of a row that has settings alone: for the report.
    pub(crate) id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) id: String,
    pub(crate) quantity: u64,
    pub(crate) lot: Option<String>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) location: Option<String>,
}

/// All settings at once: what is absent takes its default, but for the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) kind: Option<Kind>,
    pub(crate) safety_stock: u64,
    pub(crate) backorder_limit: u64,
    pub(crate) limit: Option<u64>,
    pub(crate) limit_window_ms: Option<u64>,
    pub(crate) allocation: Allocation,
    pub(crate) metadata: Option<String>,
}

/// Why a row cannot be taken, and what could be read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) why: String,
    pub(crate) sku: Option<String>,
    pub(crate) id: Option<String>,
    /// It would have set something, or nobody can tell that it would not.
    pub(crate) has_settings: bool,
}

#[derive(Debug)]
pub(crate) struct Found {
    /// Counted from 1, the header apart.
    pub(crate) row: u64,
    /// Where it begins in the file, from 1.
    pub(crate) line: u64,
    pub(crate) what: Result<Row, Flaw>,
}

/// A file's rows, one after the other.
#[derive(Debug)]
pub(crate) enum Rows {
    Csv(csv::Reader),
    Ndjson(ndjson::Reader),
}

impl Rows {
    pub(crate) fn open(file: File, name: &str, format: Format) -> Result<Rows, Failure> {
        match format {
            Format::Csv => csv::Reader::open(file, name).map(Rows::Csv),
            Format::Ndjson => Ok(Rows::Ndjson(ndjson::Reader::new(file, name))),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Found>, Failure> {
        match self {
            Rows::Csv(reader) => reader.next(),
            Rows::Ndjson(reader) => reader.next(),
        }
    }
}

/// A row as it was written: numbers are exact, nothing is checked yet.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Draft {
    id: Option<String>,
    sku: Option<String>,
    quantity: Option<u64>,
    lot: Option<String>,
    expires_at: Option<String>,
    location: Option<String>,
    kind: Option<String>,
    safety_stock: Option<u64>,
    backorder_limit: Option<u64>,
    limit: Option<u64>,
    limit_window_ms: Option<u64>,
    allocation: Option<String>,
    metadata: Option<Box<RawValue>>,
}

impl Draft {
    fn row(self) -> Result<Row, Flaw> {
        let (sku, id, has_settings) = (self.sku.clone(), self.id.clone(), self.has_settings());
        self.checked().map_err(|why| Flaw { why, sku, id, has_settings })
    }

    const fn has_settings(&self) -> bool {
        self.kind.is_some()
            || self.safety_stock.is_some()
            || self.backorder_limit.is_some()
            || self.limit.is_some()
            || self.limit_window_ms.is_some()
            || self.allocation.is_some()
            || self.metadata.is_some()
    }

    fn checked(self) -> Result<Row, String> {
        let has_settings = self.has_settings();
        let sku = name("sku", self.sku)?.ok_or("`sku` is missing")?;
        let id = name("id", self.id)?;
        if id.as_deref() == Some("*") {
            return Err("`id` must not be `*`: it makes sending again safe, so it has to stay the same".to_owned());
        }
        if self.quantity.is_none() && !has_settings {
            return Err("there is nothing to do: neither `quantity` nor settings".to_owned());
        }
        let (lot, location) = (name("lot", self.lot)?, name("location", self.location)?);
        let expires_at = self.expires_at.map(time).transpose()?;
        let places = [("lot", lot.is_some()), ("expires_at", expires_at.is_some()), ("location", location.is_some())];
        let receipt = match (self.quantity, &id) {
            (None, _) => {
                if let Some((column, _)) = places.iter().find(|(_, given)| *given) {
                    return Err(format!("`{column}` needs `quantity`"));
                }
                None
            }
            (Some(_), None) => return Err("`quantity` needs an `id`: it makes sending again safe".to_owned()),
            (Some(quantity), Some(id)) => {
                if let (None, Some((column, _))) = (&lot, places.iter().find(|(_, given)| *given)) {
                    return Err(format!("`{column}` needs `lot`"));
                }
                let quantity = figure("quantity", quantity, 1)?;
                Some(Receipt { id: id.clone(), quantity, lot, expires_at, location })
            }
        };
        let settings = Settings {
            kind: self.kind.map(|word| one_of("kind", &word, [Kind::Stock, Kind::Points], Kind::word)).transpose()?,
            safety_stock: figure("safety_stock", self.safety_stock.unwrap_or(0), 0)?,
            backorder_limit: figure("backorder_limit", self.backorder_limit.unwrap_or(0), 0)?,
            limit: self.limit.map(|limit| figure("limit", limit, 1)).transpose()?,
            limit_window_ms: self.limit_window_ms.map(|ms| figure("limit_window_ms", ms, 1)).transpose()?,
            allocation: match self.allocation {
                Some(word) => one_of("allocation", &word, [Allocation::Fefo, Allocation::Fifo], Allocation::word)?,
                None => Allocation::default(),
            },
            metadata: self.metadata.map(|json| String::from(Box::<str>::from(json))),
        };
        settings.check(receipt.as_ref())?;
        Ok(Row { sku, settings: has_settings.then_some(settings), receipt, id })
    }
}

impl Settings {
    /// What contradicts itself in one row; the rest is the server's to judge.
    fn check(&self, receipt: Option<&Receipt>) -> Result<(), String> {
        if self.limit_window_ms.is_some() && self.limit.is_none() {
            return Err("`limit_window_ms` needs `limit`".to_owned());
        }
        if let Some(why) = self.metadata.as_deref().and_then(sumun_server::resp::json::flaw) {
            return Err(format!("`metadata` {why}"));
        }
        let has_lot = receipt.is_some_and(|receipt| receipt.lot.is_some());
        if self.kind == Some(Kind::Points) && (has_lot || self.safety_stock > 0 || self.backorder_limit > 0) {
            return Err("`kind` points has one balance: no lot, no safety stock, no backorder limit".to_owned());
        }
        if has_lot && self.backorder_limit > 0 {
            return Err("an item with lots has no `backorder_limit`".to_owned());
        }
        Ok(())
    }
}

fn name(column: &str, value: Option<String>) -> Result<Option<String>, String> {
    match value.as_deref().and_then(text::flaw) {
        Some(why) => Err(format!("`{column}` {why}")),
        None => Ok(value),
    }
}

fn figure(column: &str, value: u64, least: u64) -> Result<u64, String> {
    if (least..=QUANTITY_MAX).contains(&value) {
        Ok(value)
    } else {
        Err(format!("`{column}` must be {least} to {QUANTITY_MAX}, not {value}"))
    }
}

fn time(text: String) -> Result<u64, String> {
    let flaw =
        || format!("`expires_at` is RFC 3339 with at most milliseconds, as in `2026-05-01T12:00:00Z`, not `{text}`");
    Timestamp::from_rfc3339(&text).map(|Timestamp(ms)| ms).ok_or_else(flaw)
}

fn one_of<T: Copy>(column: &str, word: &str, all: [T; 2], said: impl Fn(T) -> &'static str) -> Result<T, String> {
    let flaw = || format!("`{column}` must be `{}` or `{}`, not `{word}`", said(all[0]), said(all[1]));
    all.into_iter().find(|one| said(*one) == word).ok_or_else(flaw)
}

/// What is said of a column that nobody knows.
fn unknown(name: &str) -> String {
    let known = COLUMNS.map(|(known, _)| known);
    let hint = match crate::nearest::nearest(name, known) {
        Some(near) => format!("; did you mean `{near}`?"),
        None if ["on_hand", "version", "lots"].contains(&name) => {
            "; a whole record is no row: `sumun item export --for-import` prints rows".to_owned()
        }
        None => format!("; the columns are {}", known.join(", ")),
    };
    format!("unknown column `{name}`{hint}")
}

#[cfg(test)]
mod tests;
