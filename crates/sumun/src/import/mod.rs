//! An import: a file's rows checked, then sent in their order, so that a second run of the same file changes nothing.
//!
//! A row's settings go before its quantity, and a row whose settings are refused receives nothing. So do the rows of that
//! sku behind it: they would make an item that is not what the file says, and its kind could never be changed.
//! Never here: how rows are written in a file.

mod link;
mod report;

use crate::caps::{IMPORT_BATCH_BYTES, IMPORT_BATCH_ROWS, IMPORT_HELD_BACK_MAX};
use crate::failure::Failure;
use crate::resp::{self, Value};
use crate::rows::{Again, Found, Receipt, Row, Settings, Source, Twice};
use link::{Ended, Link};
pub(crate) use report::{Refused, Report, Sums};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    pub(crate) refused: Option<PathBuf>,
    pub(crate) give_up_after: Duration,
    pub(crate) quiet: bool,
    pub(crate) dry_run: bool,
}

/// What came of it, whole or not.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) report: Report,
    /// Why it did not go through to the end.
    pub(crate) short: Option<Short>,
}

#[derive(Debug)]
pub(crate) enum Short {
    Stopped,
    GivenUp(String),
    Failed(Failure),
}

pub(crate) fn run(source: &Source, plan: &Plan) -> Result<Outcome, Failure> {
    let mut report = Report::new(plan.refused.as_deref(), plan.quiet)?;
    let again = check(source, &mut report, plan.dry_run)?;
    if plan.dry_run {
        report.clear();
        report.flush()?;
        return Ok(Outcome { report, short: None });
    }
    let total = report.sums.rows;
    report.begin();
    let link = Link::new(plan.server, plan.give_up_after, stop_signal()?);
    let mut import = Import { link, report, again, total, batch: Batch::default(), held_back: HashSet::new() };
    let short = match import.send_all(source) {
        Ok(()) => None,
        Err(Ended::Stopped) => Some(Short::Stopped),
        Err(Ended::GivenUp(why)) => Some(Short::GivenUp(why)),
        Err(Ended::Failed(failure)) => Some(Short::Failed(failure)),
    };
    import.report.clear();
    import.report.flush()?;
    Ok(Outcome { report: import.report, short })
}

/// Reads all of it: a file that is wrong as a whole is refused before anything is sent.
fn check(source: &Source, report: &mut Report, tells: bool) -> Result<Again, Failure> {
    let mut rows = source.rows()?;
    let mut twice = Twice::default();
    while let Some(found) = rows.next()? {
        report.sums.rows += 1;
        if let Ok(row) = &found.what {
            twice.note(found.row, row)?;
        }
        report.progress("checked", None, None);
    }
    let again = twice.finish()?;
    if tells {
        let mut rows = source.rows()?;
        while let Some(found) = rows.next()? {
            match judged(&found, &again) {
                Ok(row) => {
                    report.sums.received += u64::from(row.receipt.is_some());
                    report.sums.configured += u64::from(row.settings.is_some());
                }
                Err((code, why)) => refuse(report, &found, code, &why)?,
            }
        }
    }
    Ok(again)
}

/// The row, unless the file alone says that it cannot be taken.
fn judged<'a>(found: &'a Found, again: &Again) -> Result<&'a Row, (&'static str, String)> {
    let row = found.what.as_ref().map_err(|flaw| ("invalid", flaw.why.clone()))?;
    match again.first(found.row) {
        Some(first) => {
            let what = "its id, or its item's settings, with other content";
            Err(("duplicate", format!("row {first} has {what}")))
        }
        None => Ok(row),
    }
}

fn refuse(report: &mut Report, found: &Found, code: &str, message: &str) -> Result<(), Failure> {
    let (sku, id) = match &found.what {
        Ok(row) => (Some(row.sku.as_str()), row.id.as_deref()),
        Err(flaw) => (flaw.sku.as_deref(), flaw.id.as_deref()),
    };
    report.refused(&Refused { row: found.row, line: found.line, id, sku, code, message })
}

/// The first Ctrl-C is heard between two batches, the second ends the process at once.
fn stop_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 4, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Rows that are sent together.
#[derive(Debug, Default)]
struct Batch {
    rows: Vec<Found>,
    bytes: usize,
    /// Their skus, and which of the rows sets its item.
    skus: HashMap<String, Option<usize>>,
}

impl Batch {
    /// Whether the row can go with these: settings are sent before all quantities, so that none may come behind a
    /// quantity of its sku.
    fn fits(&self, row: &Row) -> bool {
        let is_first = |sku: &str| self.skus.get(sku).is_none_or(Option::is_some);
        self.rows.len() < IMPORT_BATCH_ROWS
            && (self.rows.is_empty() || self.bytes + size(row) <= IMPORT_BATCH_BYTES)
            && (row.settings.is_none() || is_first(&row.sku))
    }

    fn push(&mut self, found: Found) {
        let Ok(row) = &found.what else { return };
        self.bytes += size(row);
        let place = row.settings.is_some().then_some(self.rows.len());
        let setter = self.skus.entry(row.sku.clone()).or_insert(place);
        *setter = setter.or(place);
        self.rows.push(found);
    }
}

/// Bytes that it takes in a transaction, about.
fn size(row: &Row) -> usize {
    let metadata = row.settings.as_ref().and_then(|settings| settings.metadata.as_ref()).map_or(0, String::len);
    let receipt = row.receipt.as_ref().map_or(0, |receipt| {
        let texts = [receipt.lot.as_ref(), receipt.location.as_ref()];
        receipt.id.len() + texts.into_iter().flatten().map(String::len).sum::<usize>() + 64
    });
    2 * row.sku.len() + metadata + receipt + 128
}

struct Import {
    link: Link,
    report: Report,
    again: Again,
    total: u64,
    batch: Batch,
    /// Skus, as hashes, whose settings were refused: nothing is received for them.
    held_back: HashSet<u128>,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Ended {
        Ended::Failed(failure)
    }
}

impl Import {
    fn send_all(&mut self, source: &Source) -> Result<(), Ended> {
        let mut rows = source.rows()?;
        while let Some(found) = rows.next()? {
            self.take(found)?;
            self.report.progress("imported", Some(self.total), None);
        }
        self.send()
    }

    fn take(&mut self, found: Found) -> Result<(), Ended> {
        match judged(&found, &self.again) {
            Ok(row) => {
                if !self.batch.fits(row) {
                    self.send()?;
                }
                self.batch.push(found);
            }
            Err((code, why)) => {
                if let Err(flaw) = &found.what
                    && flaw.has_settings
                    && let Some(sku) = flaw.sku.clone()
                {
                    // What stands before it in the file is not held back by it.
                    self.send()?;
                    self.hold_back(&sku)?;
                }
                self.report.sums.rows += 1;
                refuse(&mut self.report, &found, code, &why)?;
            }
        }
        Ok(())
    }

    fn hold_back(&mut self, sku: &str) -> Result<(), Failure> {
        self.held_back.insert(xxh3_128(sku.as_bytes()));
        if self.held_back.len() <= IMPORT_HELD_BACK_MAX {
            return Ok(());
        }
        Err(Failure::No(format!("the settings of more than {IMPORT_HELD_BACK_MAX} items were refused: mend the file")))
    }

    /// Sends the batch: settings, then quantities.
    fn send(&mut self) -> Result<(), Ended> {
        let batch = std::mem::take(&mut self.batch);
        if batch.rows.is_empty() {
            return Ok(());
        }
        if self.link.is_stopped() {
            return Err(Ended::Stopped);
        }
        let refused = self.configure(&batch)?;
        let mut sent = Vec::new();
        let mut commands = Vec::new();
        for found in &batch.rows {
            let Ok(row) = &found.what else { continue };
            let first = batch.skus.get(&row.sku).copied().flatten();
            if row.settings.is_some() {
                if let Some(text) = first.and_then(|first| refused.get(&first)) {
                    self.refuse(found, text)?;
                    continue;
                }
                self.report.sums.configured += 1;
            } else if self.held_back.contains(&xxh3_128(row.sku.as_bytes())) {
                let why = "an earlier row has this item's settings and was refused: mend that one first";
                refuse(&mut self.report, found, "held_back", why)?;
                continue;
            }
            if let Some(receipt) = &row.receipt {
                commands.push(receive(&row.sku, receipt));
                sent.push(found);
            }
        }
        let answers = self.exec(&commands)?;
        for (found, answer) in sent.into_iter().zip(&answers) {
            self.received(found, answer)?;
        }
        self.report.sums.rows += batch.rows.len() as u64;
        self.report.flush()?;
        Ok(())
    }

    /// Sets the items of the batch; gives those rows that were refused, each with why.
    fn configure(&mut self, batch: &Batch) -> Result<HashMap<usize, String>, Ended> {
        let mut places: Vec<usize> = batch.skus.values().flatten().copied().collect();
        places.sort_unstable();
        let setting = |place: &usize| {
            let row = batch.rows[*place].what.as_ref().ok()?;
            Some((row.sku.as_str(), row.settings.as_ref()?))
        };
        let rows: Vec<(&str, &Settings)> = places.iter().filter_map(setting).collect();
        let commands: Vec<Vec<u8>> = rows.iter().map(|(sku, settings)| configure(sku, settings)).collect();
        let answers = self.exec(&commands)?;
        let mut refused = HashMap::new();
        for ((place, (sku, _)), answer) in places.into_iter().zip(rows).zip(answers) {
            match answer {
                Value::Error(text) => {
                    self.hold_back(sku)?;
                    refused.insert(place, text);
                }
                Value::Null | Value::Integer(_) | Value::Text(_) | Value::Array(_) | Value::Map(_) => {
                    self.held_back.remove(&xxh3_128(sku.as_bytes()));
                }
            }
        }
        Ok(refused)
    }

    fn exec(&mut self, commands: &[Vec<u8>]) -> Result<Vec<Value>, Ended> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let (report, total) = (&mut self.report, self.total);
        self.link.exec(commands, &mut |trouble| report.progress("imported", Some(total), trouble))
    }

    fn received(&mut self, found: &Found, answer: &Value) -> Result<(), Failure> {
        match answer {
            Value::Error(text) => {
                let has_settings = found.what.as_ref().is_ok_and(|row| row.settings.is_some());
                let stands = if has_settings { "; its settings stand, its quantity was not received" } else { "" };
                self.refuse(found, &format!("{text}{stands}"))
            }
            Value::Map(pairs) => {
                let is_replay = pairs.iter().any(|(name, value)| name == "replayed" && *value == Value::Integer(1));
                self.report.sums.replayed += u64::from(is_replay);
                self.report.sums.received += u64::from(!is_replay);
                Ok(())
            }
            Value::Null | Value::Integer(_) | Value::Text(_) | Value::Array(_) => {
                Err(anyhow::anyhow!("RECEIVE was answered with {answer:?}").into())
            }
        }
    }

    /// As the server said it: its first word is the code.
    fn refuse(&mut self, found: &Found, text: &str) -> Result<(), Failure> {
        let (code, message) = text.split_once(' ').unwrap_or((text, ""));
        refuse(&mut self.report, found, &code.to_lowercase(), message)
    }
}

fn receive(sku: &str, receipt: &Receipt) -> Vec<u8> {
    let Receipt { id, quantity, lot, expires_at, location } = receipt;
    let (quantity, expires) = (quantity.to_string(), expires_at.map(|ms| ms.to_string()));
    let mut words = vec!["RECEIVE", sku, &quantity, "ID", id, "WITHREPLAYED"];
    option(&mut words, "LOT", lot.as_deref());
    option(&mut words, "EXPIRES", expires.as_deref());
    option(&mut words, "AT", location.as_deref());
    command(&words)
}

fn configure(sku: &str, settings: &Settings) -> Vec<u8> {
    let Settings { kind, safety_stock, backorder_limit, limit, limit_window_ms, allocation, metadata } = settings;
    let text = |n: &u64| n.to_string();
    let (safety, backorder) = (text(safety_stock), text(backorder_limit));
    let (limit, window) = (limit.as_ref().map(text), limit_window_ms.as_ref().map(text));
    let mut words = vec!["CONFIGURE", sku, "SAFETY", &safety, "BACKORDER", &backorder];
    option(&mut words, "KIND", kind.map(sumun_wire::Kind::word));
    option(&mut words, "LIMIT", limit.as_deref());
    option(&mut words, "WINDOW", window.as_deref());
    option(&mut words, "ALLOCATION", Some(allocation.word()));
    option(&mut words, "METADATA", metadata.as_deref());
    command(&words)
}

fn option<'a>(words: &mut Vec<&'a str>, name: &'static str, value: Option<&'a str>) {
    if let Some(value) = value {
        words.extend([name, value]);
    }
}

fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(words.iter().map(|word| word.len() + 8).sum());
    resp::command(&mut bytes, words);
    bytes
}
