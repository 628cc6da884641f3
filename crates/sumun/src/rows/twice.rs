//! Rows that say something else under an id, or of an item's settings, than an earlier row of the file.
//! Memory is flat whatever the file's size: entries are sorted in runs, runs go to a nameless file and are merged.

use super::{Receipt, Row, Settings};
use crate::caps::{TWICE_ENTRIES_MAX, TWICE_FOUND_MAX};
use crate::failure::Failure;
use crate::scratch;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// What is compared, in this order: so that one key's entries stand together, the first row first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: u128,
    row: u64,
    content: u64,
}

const ENTRY_BYTES: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Twice {
    entries: Vec<Entry>,
    /// Ends of the runs in the file, in entries.
    runs: Vec<u64>,
    file: Option<File>,
    text: Vec<u8>,
}

/// Rows that contradict an earlier one, with that one.
#[derive(Debug, Default)]
pub(crate) struct Again(HashMap<u64, u64>);

impl Again {
    /// The row that `row` contradicts.
    pub(crate) fn first(&self, row: u64) -> Option<u64> {
        self.0.get(&row).copied()
    }
}

impl Twice {
    pub(crate) fn note(&mut self, number: u64, row: &Row) -> io::Result<()> {
        if let Some(receipt) = &row.receipt {
            let key = self.hash(|text| words(text, &["receipt", &row.sku, &receipt.id]), xxh3_128);
            let content = self.hash(|text| receipt_text(text, receipt), xxh3_64);
            self.push(Entry { key, row: number, content })?;
        }
        if let Some(settings) = &row.settings {
            let key = self.hash(|text| words(text, &["settings", &row.sku]), xxh3_128);
            let content = self.hash(|text| settings_text(text, settings), xxh3_64);
            self.push(Entry { key, row: number, content })?;
        }
        Ok(())
    }

    fn hash<T>(&mut self, write: impl FnOnce(&mut Vec<u8>), hash: impl FnOnce(&[u8]) -> T) -> T {
        self.text.clear();
        write(&mut self.text);
        hash(&self.text)
    }

    fn push(&mut self, entry: Entry) -> io::Result<()> {
        self.entries.push(entry);
        if self.entries.len() < TWICE_ENTRIES_MAX { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.entries.sort_unstable();
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(scratch::nameless()?),
        };
        let mut out = BufWriter::with_capacity(256 << 10, file);
        for Entry { key, row, content } in &self.entries {
            out.write_all(&key.to_be_bytes())?;
            out.write_all(&row.to_be_bytes())?;
            out.write_all(&content.to_be_bytes())?;
        }
        out.flush()?;
        let end = self.runs.last().copied().unwrap_or(0) + self.entries.len() as u64;
        self.runs.push(end);
        self.entries.clear();
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Again, Failure> {
        let mut judge = Judge { first: None, again: Again::default() };
        let Some(file) = &self.file else {
            self.entries.sort_unstable();
            self.entries.iter().try_for_each(|entry| judge.see(*entry))?;
            return Ok(judge.again);
        };
        let begins = std::iter::once(0).chain(self.runs.iter().copied());
        let mut runs: Vec<Run<'_>> =
            begins.zip(&self.runs).map(|(at, end)| Run { file, at, end: *end, buffer: Vec::new(), next: 0 }).collect();
        self.entries.sort_unstable();
        let mut rest = self.entries.iter().copied();
        let mut heap = BinaryHeap::new();
        for (place, run) in runs.iter_mut().enumerate() {
            heap.extend(run.next()?.map(|entry| Reverse((entry, place))));
        }
        let last = runs.len();
        heap.extend(rest.next().map(|entry| Reverse((entry, last))));
        while let Some(Reverse((entry, place))) = heap.pop() {
            judge.see(entry)?;
            let next = if place == last { rest.next() } else { runs[place].next()? };
            heap.extend(next.map(|entry| Reverse((entry, place))));
        }
        Ok(judge.again)
    }
}

struct Judge {
    first: Option<Entry>,
    again: Again,
}

impl Judge {
    fn see(&mut self, entry: Entry) -> Result<(), Failure> {
        match self.first {
            Some(first) if first.key == entry.key => {
                if first.content != entry.content {
                    self.again.0.entry(entry.row).or_insert(first.row);
                }
            }
            Some(_) | None => self.first = Some(entry),
        }
        if self.again.0.len() > TWICE_FOUND_MAX {
            return Err(Failure::Usage(format!(
                "more than {TWICE_FOUND_MAX} rows say something else under an id that an earlier row has: is `id` what \
                 differs from row to row?"
            )));
        }
        Ok(())
    }
}

/// A sorted run in the file.
struct Run<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    next: usize,
}

const RUN_BUFFER_ENTRIES: u64 = 1_024;

impl Run<'_> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        if self.next == self.buffer.len() {
            let count = RUN_BUFFER_ENTRIES.min(self.end - self.at);
            if count == 0 {
                return Ok(None);
            }
            self.buffer.resize(count as usize * ENTRY_BYTES, 0);
            self.file.read_exact_at(&mut self.buffer, self.at * ENTRY_BYTES as u64)?;
            (self.at, self.next) = (self.at + count, 0);
        }
        let bytes = &self.buffer[self.next..self.next + ENTRY_BYTES];
        self.next += ENTRY_BYTES;
        let eight = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let key = u128::from(eight(0)) << 64 | u128::from(eight(8));
        Ok(Some(Entry { key, row: eight(16), content: eight(24) }))
    }
}

/// Each with its length, so that no two lists are one text.
fn words(text: &mut Vec<u8>, words: &[&str]) {
    for word in words {
        text.extend_from_slice(&(word.len() as u64).to_be_bytes());
        text.extend_from_slice(word.as_bytes());
    }
}

fn number(text: &mut Vec<u8>, value: Option<u64>) {
    text.extend_from_slice(&value.unwrap_or(u64::MAX).to_be_bytes());
}

fn receipt_text(text: &mut Vec<u8>, receipt: &Receipt) {
    let Receipt { id: _, quantity, lot, expires_at, location } = receipt;
    number(text, Some(*quantity));
    number(text, *expires_at);
    words(text, &[lot.as_deref().unwrap_or_default(), location.as_deref().unwrap_or_default()]);
}

fn settings_text(text: &mut Vec<u8>, settings: &Settings) {
    let Settings { kind, safety_stock, backorder_limit, limit, limit_window_ms, allocation, metadata } = settings;
    for value in [Some(*safety_stock), Some(*backorder_limit), *limit, *limit_window_ms] {
        number(text, value);
    }
    let kind = kind.map_or("", sumun_wire::Kind::word);
    words(text, &[kind, allocation.word(), metadata.as_deref().unwrap_or_default()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_in_a_file_find_what_memory_finds() {
        let entry = |n: u64| Entry { key: u128::from(n % 1_000), row: n, content: u64::from(n == 2_500 || n == 1) };
        let wanted = [(1_001, 1), (2_001, 1), (2_500, 500)];
        for spills in [0, 700, 1_000] {
            let mut twice = Twice::default();
            for n in 1..3_000 {
                twice.push(entry(n)).expect("written");
                if spills > 0 && n % spills == 0 {
                    twice.spill().expect("written");
                }
            }
            let again = twice.finish().expect("merged");
            let mut found: Vec<(u64, u64)> = again.0.into_iter().collect();
            found.sort_unstable();
            assert_eq!(found, wanted, "{spills}");
        }
    }
}
