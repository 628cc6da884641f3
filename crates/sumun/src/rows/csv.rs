//! CSV: a header of known columns, cells in any quoting, an empty cell is an absent value.
//! A row is bounded in bytes, since a quote that nobody closes makes one row of the rest of the file.

use super::{COLUMNS, Draft, Flaw, Found, Row, unknown};
use crate::caps::ROW_BYTES_MAX;
use crate::failure::Failure;
use serde_json::value::RawValue;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::rc::Rc;

#[derive(Debug)]
pub(crate) struct Reader {
    name: String,
    reader: csv::Reader<Bounded>,
    gauge: Rc<Gauge>,
    record: csv::ByteRecord,
    /// Of each cell, its place in `COLUMNS`.
    columns: Vec<usize>,
    row: u64,
    /// The first line that no row before took.
    line: u64,
}

/// What the file has given so far.
#[derive(Debug, Default)]
struct Gauge {
    /// Bytes since the last row was begun.
    taken: Cell<usize>,
    quotes: Cell<u64>,
    /// Whether the first line ends with a carriage return and a line feed.
    has_returns: Cell<bool>,
    has_begun: Cell<bool>,
    total: Cell<u64>,
    ends_with_feed: Cell<bool>,
}

#[derive(Debug)]
struct Bounded {
    file: File,
    gauge: Rc<Gauge>,
}

const TOO_LONG: &str = "a row is too long";

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.gauge.taken.get() > ROW_BYTES_MAX {
            return Err(io::Error::other(TOO_LONG));
        }
        let length = self.file.read(buffer)?;
        self.gauge.taken.set(self.gauge.taken.get() + length);
        if !self.gauge.has_begun.replace(true) {
            let end = buffer[..length].iter().position(|&byte| byte == b'\n');
            self.gauge.has_returns.set(end.is_some_and(|end| end > 0 && buffer[end - 1] == b'\r'));
        }
        self.gauge.total.set(self.gauge.total.get() + length as u64);
        if let Some(last) = buffer[..length].last() {
            self.gauge.ends_with_feed.set(*last == b'\n');
        }
        let quotes = buffer[..length].iter().filter(|&&byte| byte == b'"').count();
        self.gauge.quotes.set(self.gauge.quotes.get() + quotes as u64);
        Ok(length)
    }
}

impl Reader {
    pub(crate) fn open(file: File, name: &str) -> Result<Reader, Failure> {
        let gauge = Rc::new(Gauge::default());
        let bounded = Bounded { file, gauge: Rc::clone(&gauge) };
        let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bounded);
        let record = csv::ByteRecord::new();
        let mut reader = Reader { name: name.to_owned(), reader, gauge, record, columns: Vec::new(), row: 0, line: 1 };
        if reader.advance()?.is_none() {
            return Err(Failure::Usage(format!("{name}: it is empty; its first line names the columns")));
        }
        reader.columns = reader.header()?;
        Ok(reader)
    }

    fn header(&self) -> Result<Vec<usize>, Failure> {
        let flaw = |why: String| Failure::Usage(format!("{}:1: {why}", self.name));
        let mut columns = Vec::new();
        for (at, cell) in self.record.iter().enumerate() {
            let title = std::str::from_utf8(cell)
                .map_err(|_| flaw(format!("column {}: the header is not UTF-8; save the file as UTF-8", at + 1)))?;
            let Some(column) = COLUMNS.iter().position(|(known, _)| *known == title) else {
                let hint = if title.contains([';', '\t']) { "; cells are separated by commas" } else { "" };
                return Err(flaw(format!("column {}: {}{hint}", at + 1, unknown(title))));
            };
            if columns.contains(&column) {
                return Err(flaw(format!("column {}: `{title}` is there twice", at + 1)));
            }
            columns.push(column);
        }
        match COLUMNS.iter().position(|(known, _)| *known == "sku") {
            Some(sku) if columns.contains(&sku) => Ok(columns),
            Some(_) | None => Err(flaw("there is no column `sku`".to_owned())),
        }
    }

    /// Reads the next record; gives the line it begins at.
    fn advance(&mut self) -> Result<Option<u64>, Failure> {
        self.gauge.taken.set(0);
        let flaw = |line: u64, why: &str| Err(Failure::Usage(format!("{}:{line}: {why}", self.name)));
        match self.reader.read_byte_record(&mut self.record) {
            Ok(true) => {
                let breaks = self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
                // The reader counts line feeds: it stands behind the row's own, or between it and the carriage return
                // before it. Blank lines before a row are no part of it.
                let is_last =
                    self.reader.position().byte() == self.gauge.total.get() && !self.gauge.ends_with_feed.get();
                let behind = u64::from(!self.gauge.has_returns.get() && !is_last);
                let line = self.line.max(self.reader.position().line().saturating_sub(breaks + behind));
                self.line = line + breaks + 1;
                Ok(Some(line))
            }
            Ok(false) if self.gauge.quotes.get() % 2 == 1 => {
                let line = self.line.saturating_sub(1);
                flaw(line, "a `\"` before this has no other that closes it (within quotes it is written twice)")
            }
            Ok(false) => Ok(None),
            Err(error) if error.to_string().contains(TOO_LONG) => {
                let why = format!("a row of more than {ROW_BYTES_MAX} bytes begins here; is a quote not closed?");
                flaw(self.line, &why)
            }
            Err(error) => Err(Failure::Usage(format!("cannot read {}: {error}", self.name))),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Found>, Failure> {
        let Some(line) = self.advance()? else { return Ok(None) };
        self.row += 1;
        Ok(Some(Found { row: self.row, line, what: self.read() }))
    }

    fn read(&self) -> Result<Row, Flaw> {
        if self.record.len() != self.columns.len() {
            let (found, named) = (self.record.len(), self.columns.len());
            return Err(self.flaw(format!("{found} cells where the header names {named}")));
        }
        self.draft().map_err(|why| self.flaw(why))?.row()
    }

    fn draft(&self) -> Result<Draft, String> {
        let mut draft = Draft::default();
        for (cell, column) in self.record.iter().zip(&self.columns) {
            let (name, _) = COLUMNS[*column];
            let text = std::str::from_utf8(cell).map_err(|_| format!("`{name}` is not UTF-8"))?;
            if text.is_empty() {
                continue;
            }
            let number = || plain(text).ok_or_else(|| format!("`{name}` must be a plain whole number, not `{text}`"));
            match name {
                "id" => draft.id = Some(text.to_owned()),
                "sku" => draft.sku = Some(text.to_owned()),
                "quantity" => draft.quantity = Some(number()?),
                "lot" => draft.lot = Some(text.to_owned()),
                "expires_at" => draft.expires_at = Some(text.to_owned()),
                "location" => draft.location = Some(text.to_owned()),
                "kind" => draft.kind = Some(text.to_owned()),
                "safety_stock" => draft.safety_stock = Some(number()?),
                "backorder_limit" => draft.backorder_limit = Some(number()?),
                "limit" => draft.limit = Some(number()?),
                "limit_window_ms" => draft.limit_window_ms = Some(number()?),
                "allocation" => draft.allocation = Some(text.to_owned()),
                "metadata" => {
                    let json = RawValue::from_string(text.to_owned());
                    draft.metadata = Some(json.map_err(|_| "`metadata` must be a JSON text".to_owned())?);
                }
                other => unreachable!("`{other}` is in COLUMNS and nowhere else"),
            }
        }
        Ok(draft)
    }

    /// With what can be read of the row all the same.
    fn flaw(&self, why: String) -> Flaw {
        let fits = self.record.len() == self.columns.len();
        let cell = |wanted: &str| {
            let at = self.columns.iter().position(|column| COLUMNS[*column].0 == wanted)?;
            let text = std::str::from_utf8(self.record.get(at)?).ok()?;
            (fits && !text.is_empty()).then(|| text.to_owned())
        };
        let mut cells = self.record.iter().zip(&self.columns);
        let has_settings = !fits || cells.any(|(cell, column)| COLUMNS[*column].1 && !cell.is_empty());
        Flaw { why, sku: cell("sku"), id: cell("id"), has_settings }
    }
}

/// Digits alone, without leading zeros.
fn plain(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}
