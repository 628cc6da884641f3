//! Where records stand in the store: tables, and keys that order as names do. A name never holds the byte 0, which ends
//! it in a key.
//!
//! ```text
//! 0 head     ``                the head (below)
//! 1 items    sku               items
//! 2 lots     sku 0 lot         lots with units, and those that open reservations took from
//! 3 open     id                held reservations
//! 4 usages   sku 0 holder      what holders hold and have captured
//! 5 hashes   chunk u64 BE      hashes of items and usages stored for the first time, 8 bytes each, little-endian
//! 6 ends     time u64 BE sku 0 lot   nothing: a row for each of `lots` that has units and will end
//! 16 + n     generation n: `r` id (ended reservations), `m` sku 0 id (movements), `l` sku 0 lot (lots without units),
//!            `#` chunk u64 BE (hashes of what was stored by it)
//! head       format u8 (1), log id 16 bytes, then little-endian u64s: seed, chunk, P, newest, time, and a pair for each generation, from
//!            the oldest: number, when it began
//! ```
//!
//! P: all events up to it stand in the records. Newest: no record holds a later event.

use crate::caps::ENDS_PAGE;
use crate::lists::{Skus, SkusOf};
use std::ops::ControlFlow;
use sumun_core::{FIRST_GENERATION, Filing, Key, Record, Staged, record};
use sumun_log::LogId;
use sumun_store::{Chunk, Reader, StoreError, Table};

pub(crate) const HEAD: Table = Table::new(0);
pub(crate) const ITEMS: Table = Table::new(1);
pub(crate) const LOTS: Table = Table::new(2);
pub(crate) const OPEN: Table = Table::new(3);
pub(crate) const USAGES: Table = Table::new(4);
pub(crate) const HASHES: Table = Table::new(5);
pub(crate) const ENDS: Table = Table::new(6);
/// Hashes of a generation stand in it, behind all names.
pub(crate) const HASHES_PREFIX: &[u8] = b"#";
const FORMAT: u8 = 1;
const END: &[u8] = &[0];

pub(crate) const fn generation(number: u32) -> Table {
    Table::new(16 + number)
}

/// What the store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) log: LogId,
    pub(crate) seed: u64,
    /// Number of the chunk that it came with.
    pub(crate) chunk: u64,
    pub(crate) saved: u64,
    pub(crate) newest: u64,
    /// Of the newest event.
    pub(crate) time: u64,
    /// Number, and when it began.
    pub(crate) generations: Vec<(u32, u64)>,
}

impl Head {
    pub(crate) fn new(log: LogId, seed: u64, now: u64) -> Head {
        Head { log, seed, chunk: 0, saved: 0, newest: 0, time: 0, generations: vec![(FIRST_GENERATION, now)] }
    }
    pub(crate) fn put(&self, chunk: &mut Chunk) {
        chunk.put_with(HEAD, &[], |out| {
            out.push(FORMAT);
            out.extend_from_slice(&self.log.0);
            let numbers = [self.seed, self.chunk, self.saved, self.newest, self.time].into_iter();
            let generations = self.generations.iter().flat_map(|(number, began)| [u64::from(*number), *began]);
            numbers.chain(generations).for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        });
    }
    /// `Err`: what is wrong with it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Head, String> {
        let (format, rest) = bytes.split_first().ok_or("the head is empty")?;
        if *format > FORMAT {
            return Err(format!("it has format {format}, newer than {FORMAT}: a newer Sumun wrote it"));
        }
        let (log, rest) = rest.split_first_chunk::<16>().ok_or("the head is cut")?;
        let (numbers, left) = rest.as_chunks::<8>();
        if *format == 0 || !left.is_empty() {
            return Err("the head is malformed".into());
        }
        let numbers: Vec<u64> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let [seed, chunk, saved, newest, time, generations @ ..] = &numbers[..] else {
            return Err("the head is cut".into());
        };
        let (pairs, left) = generations.as_chunks::<2>();
        if !left.is_empty() || pairs.is_empty() {
            return Err("the head's generations are malformed".into());
        }
        let number = |[number, began]: &[u64; 2]| u32::try_from(*number).map(|number| (number, *began));
        let generations = pairs.iter().map(number).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        Ok(Head {
            log: LogId(*log),
            seed: *seed,
            chunk: *chunk,
            saved: *saved,
            newest: *newest,
            time: *time,
            generations,
        })
    }
}

/// Where a record belongs; the parts of its key, one after the other, are its name there.
pub(crate) fn place<'a>(record: &'a Record<'_>, filing: Filing) -> (Table, [&'a [u8]; 4]) {
    match (record, filing) {
        (Record::Item(item), _) => (ITEMS, [item.sku.as_bytes(), &[], &[], &[]]),
        (Record::Usage(usage), _) => (USAGES, [usage.sku.as_bytes(), END, usage.holder.as_bytes(), &[]]),
        (Record::Lot(lot), Filing::Generation { number, .. }) => {
            (generation(number), [b"l", lot.sku.as_bytes(), END, lot.lot.as_bytes()])
        }
        (Record::Lot(lot), Filing::Open | Filing::Fixed(_)) => {
            (LOTS, [lot.sku.as_bytes(), END, lot.lot.as_bytes(), &[]])
        }
        (Record::Reservation(r), Filing::Generation { number, .. }) => {
            (generation(number), [b"r", r.id.as_bytes(), &[], &[]])
        }
        (Record::Reservation(r), Filing::Open | Filing::Fixed(_)) => (OPEN, [r.id.as_bytes(), &[], &[], &[]]),
        (Record::Movement(movement), Filing::Generation { number, .. }) => {
            (generation(number), [b"m", movement.sku.as_bytes(), END, movement.id.as_bytes()])
        }
        (Record::Movement(_), Filing::Open | Filing::Fixed(_)) => {
            unreachable!("movements are what retention takes away")
        }
    }
}

/// Writes a record where it belongs, and takes it from where it stood before.
pub(crate) fn put(chunk: &mut Chunk, staged: &Staged<'_>) {
    match &staged.record {
        Record::Reservation(r) if staged.leaves => chunk.remove(OPEN, &[r.id.as_bytes()]),
        Record::Lot(lot) => {
            if staged.leaves {
                chunk.remove(LOTS, &[lot.sku.as_bytes(), END, lot.lot.as_bytes()]);
            }
            let gone = if lot.ends_at().is_none() { lot.expires_at } else { None };
            for at in staged.stale_end.into_iter().chain(gone) {
                chunk.remove(ENDS, &end_key(&at.to_be_bytes(), lot));
            }
        }
        Record::Item(_) | Record::Reservation(_) | Record::Movement(_) | Record::Usage(_) => {}
    }
    put_record(chunk, &staged.record, staged.filing);
}

/// Writes a record where it belongs.
pub(crate) fn put_record(chunk: &mut Chunk, record: &Record<'_>, filing: Filing) {
    let (table, key) = place(record, filing);
    chunk.put_with(table, &key, |out| sumun_codec::encode_record(record, out));
    if let Record::Lot(lot) = record
        && let Some(at) = lot.ends_at()
    {
        chunk.put(ENDS, &end_key(&at.to_be_bytes(), lot), &[]);
    }
}

fn end_key<'a>(at: &'a [u8; 8], lot: &record::Lot<'a>) -> [&'a [u8]; 4] {
    [at, lot.sku.as_bytes(), END, lot.lot.as_bytes()]
}

/// Writes hashes of what a chunk stores, for filters: those of what stays, and those of what stands in a generation.
pub(crate) fn put_hashes(chunk: &mut Chunk, number: u64, fixed: &[u64], of_generation: (u32, &[u64])) {
    let (turning, hashes) = of_generation;
    for (table, prefix, hashes) in [(HASHES, &[][..], fixed), (generation(turning), HASHES_PREFIX, hashes)] {
        if !hashes.is_empty() {
            chunk.put_with(table, &[prefix, &number.to_be_bytes()], |out| {
                hashes.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
            });
        }
    }
}

/// Reads all that a key names, newest generation first: no values when there is none.
pub(crate) fn read(reader: &mut dyn Reader, key: &Key, generations: &[u32]) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut values = Vec::new();
    let mut value = Vec::new();
    let mut name = Vec::new();
    let mut parts = |parts: &[&[u8]]| {
        name.clear();
        parts.iter().for_each(|part| name.extend_from_slice(part));
        name.clone()
    };
    match key {
        Key::Item(sku) => {
            if reader.get(ITEMS, sku.as_bytes(), &mut value)? {
                values.push(value);
                reader.scan(LOTS, &parts(&[sku.as_bytes(), END]), None, &mut |_, value| {
                    values.push(value.to_vec());
                    ControlFlow::Continue(())
                })?;
            }
        }
        Key::Usage(sku, holder) => {
            if reader.get(USAGES, &parts(&[sku.as_bytes(), END, holder.as_bytes()]), &mut value)? {
                values.push(value);
            }
        }
        Key::Lot(..) | Key::Reservation(_) | Key::Movement(..) => {
            let name = match key {
                Key::Lot(sku, lot) => parts(&[b"l", sku.as_bytes(), END, lot.as_bytes()]),
                Key::Movement(sku, id) => parts(&[b"m", sku.as_bytes(), END, id.as_bytes()]),
                Key::Reservation(id) => parts(&[b"r", id.as_bytes()]),
                Key::Item(_) | Key::Usage(..) => unreachable!("matched above"),
            };
            // A lot that open reservations took from stands among those with units: then it is in no generation.
            if let Key::Lot(..) = key
                && reader.get(LOTS, &name[1..], &mut value)?
            {
                return Ok(vec![value]);
            }
            for number in generations.iter().rev() {
                if reader.get(generation(*number), &name, &mut value)? {
                    values.push(value);
                    break;
                }
            }
        }
    }
    Ok(values)
}

/// Items some lots of which end soon.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) items: Vec<Key>,
    /// Rows before this key have been seen.
    pub(crate) next: Vec<u8>,
    /// Whether these were all up to the time asked for.
    pub(crate) is_last: bool,
}

/// Reads a page of lots' ends, from a key on, up to a time.
pub(crate) fn read_ends(reader: &mut dyn Reader, from: &[u8], until: u64) -> Result<Ends, StoreError> {
    let mut page = Ends { items: Vec::new(), next: (until + 1).to_be_bytes().to_vec(), is_last: true };
    let mut rows = 0;
    reader.scan(ENDS, &[], Some(from), &mut |key, _| {
        if key >= page.next.as_slice() {
            return ControlFlow::Break(());
        }
        if rows == ENDS_PAGE {
            (page.next, page.is_last) = (key.to_vec(), false);
            return ControlFlow::Break(());
        }
        rows += 1;
        let item = end_row(key).map(|(_, sku, _)| Key::Item(sku.into()));
        if item.is_some() && item.as_ref() != page.items.last() {
            page.items.extend(item);
        }
        ControlFlow::Continue(())
    })?;
    Ok(page)
}

/// Reads a page of the names of items.
pub(crate) fn read_skus(reader: &mut dyn Reader, of: &SkusOf) -> Result<Skus, StoreError> {
    let mut skus = Skus::default();
    let after = of.after.as_deref().map(str::as_bytes);
    reader.scan(ITEMS, of.prefix.as_bytes(), after, &mut |key, _| {
        if after == Some(key) {
            return ControlFlow::Continue(());
        }
        if skus.names.len() == of.limit {
            skus.more = true;
            return ControlFlow::Break(());
        }
        skus.names.extend(std::str::from_utf8(key).map(sumun_wire::Name::from));
        ControlFlow::Continue(())
    })?;
    Ok(skus)
}

/// What a row of ends says: time, sku and lot. `None`: nothing of ours.
pub(crate) fn end_row(key: &[u8]) -> Option<(u64, &str, &str)> {
    let (at, names) = key.split_first_chunk::<8>()?;
    let (sku, lot) = std::str::from_utf8(names).ok()?.split_once('\0')?;
    Some((u64::from_be_bytes(*at), sku, lot))
}
