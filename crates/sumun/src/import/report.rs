//! What an import tells: refused rows as they come, progress, and the sum at the end.

use crate::clock::Clock;
use crate::failure::Failure;
use crate::findings::Findings;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

/// A row that was refused, as it stands in the report file.
#[derive(Debug, Serialize)]
pub(crate) struct Refused<'a> {
    pub(crate) row: u64,
    pub(crate) line: u64,
    pub(crate) id: Option<&'a str>,
    pub(crate) sku: Option<&'a str>,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sums {
    pub(crate) rows: u64,
    pub(crate) received: u64,
    pub(crate) replayed: u64,
    pub(crate) configured: u64,
    pub(crate) refused: u64,
}

#[derive(Debug)]
pub(crate) struct Report {
    file: Option<BufWriter<File>>,
    findings: Findings,
    progress: bool,
    /// Nobody watches: the first trouble is told, once.
    tells: bool,
    clock: Clock,
    shown: Option<Duration>,
    width: usize,
    pub(crate) sums: Sums,
}

const PROGRESS_EVERY: Duration = Duration::from_millis(200);

impl Report {
    pub(crate) fn new(refused: Option<&Path>, is_quiet: bool) -> Result<Report, Failure> {
        let made = |path: &Path| {
            File::create(path).map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))
        };
        let file = refused.map(made).transpose()?.map(BufWriter::new);
        let progress = std::io::stderr().is_terminal() && !is_quiet;
        let clock = Clock::start();
        Ok(Report {
            file,
            findings: Findings::default(),
            progress,
            tells: !progress && !is_quiet,
            clock,
            shown: None,
            width: 0,
            sums: Sums::default(),
        })
    }

    pub(crate) fn refused(&mut self, refused: &Refused<'_>) -> Result<(), Failure> {
        self.sums.refused += 1;
        let Refused { row, line, sku, message, code, .. } = refused;
        self.findings.add(|| {
            let about = sku.map_or_else(String::new, |sku| format!(" {sku:?}"));
            format!("row {row} (line {line}){about}: {code}: {message}")
        });
        if let Some(file) = &mut self.file {
            serde_json::to_writer(&mut *file, refused).map_err(std::io::Error::from)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    }

    /// What was refused so far stands in the file: whoever ends this process loses none of it.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.file.as_mut().map_or(Ok(()), Write::flush)?)
    }

    pub(crate) fn progress(&mut self, verb: &str, total: Option<u64>, trouble: Option<&str>) {
        if let Some(why) = trouble.filter(|_| std::mem::take(&mut self.tells)) {
            eprintln!("sumun: {why}; trying again");
        }
        let now = self.clock.elapsed();
        let is_due = self.shown.is_none_or(|shown| now >= shown + PROGRESS_EVERY);
        if !self.progress || !(is_due || trouble.is_some()) {
            return;
        }
        self.shown = Some(now);
        let Sums { rows, refused, .. } = self.sums;
        let of = total.map_or_else(String::new, |total| {
            format!(" of {total}, {} %", (rows * 100).checked_div(total).unwrap_or(100))
        });
        let pace = rows * 1_000 / u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(1);
        let trouble = trouble.map_or_else(String::new, |why| format!(", trying again: {why}"));
        self.line(&format!("{verb} {rows}{of} rows, {pace}/s, {refused} refused{trouble}"));
    }

    /// Over the line before; a terminal narrower than it shows more of them, which does no harm.
    fn line(&mut self, text: &str) {
        let width = text.chars().count();
        let mut out = std::io::stderr().lock();
        // Whoever does not see it is not kept from the import.
        let _ = write!(out, "\r{text:before$}", before = self.width);
        let _ = out.flush();
        self.width = width;
    }

    pub(crate) fn clear(&mut self) {
        if self.progress && self.width > 0 {
            self.line("");
            let _ = write!(std::io::stderr().lock(), "\r");
            self.width = 0;
        }
    }

    /// Begins to count and to measure anew.
    pub(crate) fn begin(&mut self) {
        self.clear();
        (self.sums, self.clock, self.shown) = (Sums::default(), Clock::start(), None);
    }

    pub(crate) fn seconds(&self) -> f64 {
        (self.clock.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0
    }

    /// The refused rows that are shown, and how many there are besides.
    pub(crate) fn findings(&self) -> String {
        self.findings.text()
    }
}
