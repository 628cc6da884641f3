//! The store while no server works on it: what it holds, row by row, for whoever checks or copies it; and a new one,
//! built from records.
//!
//! A store that is being built has no head until it is whole: build it beside its place, and move it there then.
//! Never here: what records must be, files.

use super::tables::{self, ENDS, HASHES, HASHES_PREFIX, HEAD, Head, ITEMS, LOTS, OPEN, USAGES};
use crate::caps::STAGE_BYTES;
use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use sumun_codec::decode_record;
use sumun_core::{Filing, Key, Record, Staged, State};
use sumun_log::LogId;
use sumun_store::{Chunk, Reader, Store, StoreError, Table};
use sumun_wire::State as Status;

#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It holds something else than was written.
    #[error("the store is malformed: {0}")]
    Malformed(String),
}

fn malformed(why: impl Into<String>) -> OfflineError {
    OfflineError::Malformed(why.into())
}

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    pub log: LogId,
    /// Its hashes depend on it.
    pub seed: u64,
    /// P: all events up to here stand in its records.
    pub saved: u64,
    /// No record holds a later event.
    pub newest: u64,
    /// Of the newest event.
    pub time: u64,
    /// Number of the oldest generation that has not left, and when it began.
    pub generation: (u32, u64),
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    Items,
    /// Lots with units, and those that open reservations took from.
    Lots,
    Open,
    Usages,
    /// What retention takes away, by number.
    Generation(u32),
}

/// Is given a record, where it stands, and its bytes.
pub type VisitRecord<'a, E> = dyn FnMut(Shelf, &Record<'_>, &[u8]) -> Result<(), E> + 'a;

/// When a lot ends: time, sku, lot.
pub type LotEnd = (u64, String, String);

/// Reads a store.
pub struct Holdings {
    reader: Box<dyn Reader>,
    about: About,
    generations: Vec<u32>,
}

impl Holdings {
    /// `None` when nothing was ever kept there.
    pub fn open(store: &dyn Store) -> Result<Option<Holdings>, OfflineError> {
        let mut reader = store.reader();
        let mut head = Vec::new();
        let found = reader.get(HEAD, &[], &mut head)?;
        let there = store.tables()?;
        if !found {
            return if there.is_empty() { Ok(None) } else { Err(malformed("it has records and no head")) };
        }
        let head = Head::read(&head).map_err(OfflineError::Malformed)?;
        let generations: Vec<u32> = head.generations.iter().map(|(number, _)| *number).collect();
        let known = |table: &Table| {
            table.number() <= ENDS.number() || generations.iter().any(|number| tables::generation(*number) == *table)
        };
        if let Some(table) = there.iter().find(|table| !known(table)) {
            return Err(malformed(format!("{table} is not one that its head names")));
        }
        let about = About {
            log: head.log,
            seed: head.seed,
            saved: head.saved,
            newest: head.newest,
            time: head.time,
            generation: head.generations[0],
        };
        Ok(Some(Holdings { reader, about, generations }))
    }

    pub const fn about(&self) -> &About {
        &self.about
    }
    /// From the oldest to the one that was filled last.
    pub fn generations(&self) -> &[u32] {
        &self.generations
    }

    /// Visits all records: what stays and what is open first, then generations from the oldest on. Of one key the
    /// newest stands in the last place, but for an open reservation, whose id may have had an earlier life.
    pub fn each<E: From<OfflineError>>(&mut self, visit: &mut VisitRecord<'_, E>) -> Result<(), E> {
        let fixed = [(Shelf::Items, ITEMS), (Shelf::Lots, LOTS), (Shelf::Open, OPEN), (Shelf::Usages, USAGES)];
        let turning = self.generations.iter().map(|number| (Shelf::Generation(*number), tables::generation(*number)));
        let mut result = Ok(());
        for (shelf, table) in fixed.into_iter().chain(turning) {
            let scanned = self.reader.scan(table, &[], None, &mut |key, value| {
                if matches!(shelf, Shelf::Generation(_)) && key.starts_with(HASHES_PREFIX) {
                    return ControlFlow::Continue(());
                }
                result = row(shelf, key, value).map_err(E::from).and_then(|record| visit(shelf, &record, value));
                if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            scanned.map_err(|error| E::from(error.into()))?;
            std::mem::replace(&mut result, Ok(()))?;
        }
        Ok(())
    }

    /// Hashes that filters are filled with: of a generation, or (`None`) of items and usages.
    pub fn hashes(&mut self, generation: Option<u32>) -> Result<HashSet<u64>, OfflineError> {
        let (table, prefix) = generation.map_or((HASHES, &[][..]), |n| (tables::generation(n), HASHES_PREFIX));
        let mut hashes = HashSet::new();
        self.reader.scan(table, prefix, None, &mut |_, value| {
            hashes.extend(value.as_chunks::<8>().0.iter().map(|hash| u64::from_le_bytes(*hash)));
            ControlFlow::Continue(())
        })?;
        Ok(hashes)
    }

    /// When lots end, as the store would tell whoever reads ahead: time, sku and lot, in this order.
    pub fn ends(&mut self) -> Result<BTreeSet<LotEnd>, OfflineError> {
        let mut ends = BTreeSet::new();
        let mut strange = None;
        self.reader.scan(ENDS, &[], None, &mut |key, _| match tables::end_row(key) {
            Some((at, sku, lot)) => {
                ends.insert((at, sku.to_owned(), lot.to_owned()));
                ControlFlow::Continue(())
            }
            None => {
                strange = Some(malformed(format!("`{}` is no end of a lot", key.escape_ascii())));
                ControlFlow::Break(())
            }
        })?;
        strange.map_or(Ok(ends), Err)
    }

    /// All that a key names, as deciding would be given it.
    pub fn read(&mut self, key: &Key) -> Result<Vec<Vec<u8>>, OfflineError> {
        Ok(tables::read(self.reader.as_mut(), key, &self.generations)?)
    }
}

impl std::fmt::Debug for Holdings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holdings").field("about", &self.about).finish_non_exhaustive()
    }
}

/// A record that stands where it belongs, under its own name.
fn row<'a>(shelf: Shelf, key: &[u8], value: &'a [u8]) -> Result<Record<'a>, OfflineError> {
    let name = || key.escape_ascii();
    let record = decode_record(value)
        .map_err(|error| malformed(format!("the record at `{}` cannot be read: {error}", name())))?;
    let fits = match (&record, shelf) {
        (Record::Item(_), Shelf::Items) | (Record::Usage(_), Shelf::Usages) => true,
        (Record::Lot(_), Shelf::Lots) => true,
        (Record::Reservation(r), Shelf::Open) => r.state == Status::Held,
        (Record::Reservation(r), Shelf::Generation(_)) => r.state != Status::Held,
        (Record::Lot(lot), Shelf::Generation(_)) => lot.on_hand == 0,
        (Record::Movement(_), Shelf::Generation(_)) => true,
        (
            Record::Item(_) | Record::Usage(_) | Record::Lot(_) | Record::Reservation(_) | Record::Movement(_),
            Shelf::Items | Shelf::Lots | Shelf::Open | Shelf::Usages | Shelf::Generation(_),
        ) => false,
    };
    let filing = match shelf {
        Shelf::Generation(number) => Filing::Generation { number, hash: 0 },
        Shelf::Items | Shelf::Lots | Shelf::Open | Shelf::Usages => Filing::Open,
    };
    if !fits {
        return Err(malformed(format!("the record at `{}` stands among {shelf:?}, where it does not belong", name())));
    }
    if tables::place(&record, filing).1.concat() != key {
        return Err(malformed(format!("under `{}` stands a record of another name", name())));
    }
    Ok(record)
}

/// Builds a store, a record at a time.
pub struct Builder<'a> {
    store: &'a mut dyn Store,
    head: Head,
    chunk: Chunk,
    fixed: Vec<u64>,
    turning: Vec<u64>,
    records: u64,
}

impl<'a> Builder<'a> {
    /// In a store that is empty.
    pub fn new(store: &'a mut dyn Store, about: &About) -> Builder<'a> {
        let mut head = Head::new(about.log, about.seed, about.generation.1);
        head.generations = vec![about.generation];
        (head.saved, head.newest, head.time) = (about.saved, about.newest, about.time);
        let chunk = Chunk::new();
        Builder { store, head, chunk, fixed: Vec::new(), turning: Vec::new(), records: 0 }
    }

    /// As `State::stage` hands it over.
    pub fn put_staged(&mut self, staged: &Staged<'_>) -> Result<(), OfflineError> {
        let filing = match staged.filing {
            Filing::Generation { hash, .. } => Filing::Generation { number: self.head.generations[0].0, hash },
            filing @ (Filing::Open | Filing::Fixed(_)) => filing,
        };
        self.file(&staged.record, filing)
    }

    /// A record with where it stood: `turning` among what retention takes away. Of one key the newest comes last.
    pub fn put(&mut self, record: &Record<'_>, turning: bool, hashing: &State) -> Result<(), OfflineError> {
        let hash = hashing.key_hash(&record.key());
        let filing = match (record, turning) {
            (_, true) => Filing::Generation { number: self.head.generations[0].0, hash },
            (Record::Item(_) | Record::Usage(_), false) => Filing::Fixed(Some(hash)),
            (Record::Lot(_) | Record::Reservation(_), false) => Filing::Open,
            (Record::Movement(_), false) => return Err(malformed("a movement stands among what stays")),
        };
        self.file(record, filing)
    }

    fn file(&mut self, record: &Record<'_>, filing: Filing) -> Result<(), OfflineError> {
        match filing {
            Filing::Open | Filing::Fixed(None) => {}
            Filing::Fixed(Some(hash)) => self.fixed.push(hash),
            Filing::Generation { hash, .. } => self.turning.push(hash),
        }
        tables::put_record(&mut self.chunk, record, filing);
        self.records += 1;
        if self.chunk.bytes() >= STAGE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), OfflineError> {
        self.head.chunk += 1;
        let number = self.head.generations[0].0;
        tables::put_hashes(&mut self.chunk, self.head.chunk, &self.fixed, (number, &self.turning));
        self.store.write(&self.chunk)?;
        self.chunk.clear();
        self.fixed.clear();
        self.turning.clear();
        Ok(())
    }

    /// Writes what is left and the head. How many records there are.
    pub fn finish(mut self) -> Result<u64, OfflineError> {
        self.write()?;
        self.head.put(&mut self.chunk);
        self.store.write(&self.chunk)?;
        self.store.sync()?;
        Ok(self.records)
    }
}

impl std::fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("records", &self.records).finish_non_exhaustive()
    }
}
