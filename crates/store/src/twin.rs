//! The store's twin in memory, for simulations and tests: deterministic from a seed, and as unkind as a disk may be.
//! What was synced stays; of what was written since, some whole chunks stay, in order, up to one chosen at random,
//! whenever it is opened. A write that fails may have come to pass. After a failure a store refuses all, until it is
//! opened again.
//! A `Twin` is the disk; it is cloned as a handle, and outlives the stores opened on it.
//! Never here: threads, time.

use crate::{Change, Chunk, Opener, Reader, Stats, Store, StoreError, Table, Visit};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The kinds of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Open,
    Write,
    Sync,
    Read,
}

type Records = BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>;

#[derive(Clone)]
pub struct Twin(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    random: u64,
    synced: Records,
    /// Chunks since the last sync, oldest first.
    pending: Vec<Chunk>,
    chunks_synced: u64,
    /// The store that is open; an older one is dead.
    open: Option<u64>,
    opened: u64,
    fail_next: Vec<Call>,
    full: bool,
    stuck: bool,
}

#[derive(Debug)]
pub struct TwinStore {
    disk: Twin,
    number: u64,
    failed: Option<StoreError>,
}

struct TwinReader {
    disk: Twin,
    number: u64,
}

impl Twin {
    pub fn new(seed: u64) -> Twin {
        Twin(Arc::new(Mutex::new(Disk { random: seed, ..Disk::default() })))
    }

    /// The power goes, or the process: stores and readers of before are dead, and what was not synced is kept up to
    /// some chunk, which the next opening decides.
    pub fn crash(&self) {
        self.disk().open = None;
    }

    /// The next call of a kind fails. Given several times, so do the ones after it.
    pub fn fail_next(&self, call: Call) {
        self.disk().fail_next.push(call);
    }

    /// While it is full, writes fail.
    pub fn set_full(&self, full: bool) {
        self.disk().full = full;
    }

    /// While it is stuck, writes and syncs fail.
    pub fn set_stuck(&self, stuck: bool) {
        self.disk().stuck = stuck;
    }

    /// Chunks that were written since the last sync.
    pub fn pending(&self) -> usize {
        self.disk().pending.len()
    }

    /// All records that are synced, for those who compare.
    pub fn records(&self) -> BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.disk().synced.clone()
    }

    /// Changes what a synced record holds, or puts one: damage that nothing notices here.
    pub fn tamper(&self, table: Table, key: &[u8], value: &[u8]) {
        self.disk().synced.entry(table).or_default().insert(key.to_vec(), value.to_vec());
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opener for Twin {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        let mut disk = self.disk();
        if disk.open.is_some() {
            return Err(StoreError::Locked { dir: "twin".into() });
        }
        disk.may_fail(Call::Open)?;
        disk.settle();
        disk.opened += 1;
        let number = disk.opened;
        disk.open = Some(number);
        Ok(Box::new(TwinStore { disk: self.clone(), number, failed: None }))
    }
    fn has_room(&self) -> bool {
        !self.disk().full
    }
}

impl Disk {
    fn draw(&mut self) -> u64 {
        // SplitMix64: small, and the same everywhere.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn may_fail(&mut self, call: Call) -> Result<(), StoreError> {
        match self.fail_next.iter().position(|next| *next == call) {
            Some(index) => {
                self.fail_next.remove(index);
                Err(StoreError::Failed { why: format!("{call:?} was told to fail") })
            }
            None => Ok(()),
        }
    }

    // What survives: a beginning of what was written since the sync.
    fn settle(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let kept = self.draw() % (pending.len() as u64 + 1);
        for chunk in pending.iter().take(usize::try_from(kept).expect("at most a length")) {
            apply(&mut self.synced, chunk);
            self.chunks_synced += 1;
        }
    }

    fn write(&mut self, chunk: &Chunk) -> Result<(), StoreError> {
        if self.full {
            return Err(StoreError::Full { why: "the twin was told to be full".to_owned() });
        }
        self.may_move()?;
        let outcome = self.may_fail(Call::Write);
        if outcome.is_ok() || self.draw() & 1 == 1 {
            self.pending.push(chunk.clone());
        }
        outcome
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.may_move()?;
        self.may_fail(Call::Sync)?;
        for chunk in std::mem::take(&mut self.pending) {
            apply(&mut self.synced, &chunk);
            self.chunks_synced += 1;
        }
        Ok(())
    }

    fn may_move(&self) -> Result<(), StoreError> {
        if self.stuck { Err(StoreError::Stuck { why: "the twin was told so".to_owned() }) } else { Ok(()) }
    }

    fn tables(&self) -> Vec<Table> {
        let mut there: BTreeMap<Table, ()> = self.synced.keys().map(|table| (*table, ())).collect();
        for change in self.pending.iter().flat_map(Chunk::changes) {
            match change {
                Change::Put { table, .. } => {
                    there.insert(table, ());
                }
                Change::Remove { .. } => {}
                Change::DropTable { table } => {
                    there.remove(&table);
                }
            }
        }
        there.into_keys().collect()
    }
}

fn apply(records: &mut Records, chunk: &Chunk) {
    for change in chunk.changes() {
        match change {
            Change::Put { table, key, value } => {
                records.entry(table).or_default().insert(key.to_vec(), value.to_vec());
            }
            Change::Remove { table, key } => {
                records.get_mut(&table).and_then(|records| records.remove(key));
            }
            Change::DropTable { table } => {
                records.remove(&table);
            }
        }
    }
}

impl TwinStore {
    fn run(&mut self, call: impl FnOnce(&mut Disk) -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.usable()?;
        let outcome = call(&mut self.disk.disk());
        if let Err(error) = &outcome {
            self.failed = Some(error.again());
        }
        outcome
    }

    fn usable(&self) -> Result<(), StoreError> {
        if self.disk.disk().open != Some(self.number) {
            return Err(StoreError::Closed);
        }
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.again()))
    }
}

impl Store for TwinStore {
    fn write(&mut self, chunk: &Chunk) -> Result<(), StoreError> {
        self.run(|disk| if chunk.is_empty() { Ok(()) } else { disk.write(chunk) })
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.run(Disk::sync)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(TwinReader { disk: self.disk.clone(), number: self.number })
    }

    fn tables(&self) -> Result<Vec<Table>, StoreError> {
        self.usable()?;
        Ok(self.disk.disk().tables())
    }

    fn stats(&self) -> Stats {
        let disk = self.disk.disk();
        let bytes = |records: &BTreeMap<Vec<u8>, Vec<u8>>| -> usize {
            records.iter().map(|(key, value)| key.len() + value.len()).sum()
        };
        let pending = disk.pending.iter().map(Chunk::bytes).sum::<usize>() as u64;
        Stats {
            tables: disk.tables().len() as u64,
            chunks: disk.chunks_synced + disk.pending.len() as u64,
            chunks_synced: disk.chunks_synced,
            table_bytes: disk.synced.values().map(bytes).sum::<usize>() as u64,
            journal_bytes: pending,
            write_buffer_bytes: pending,
            ..Stats::default()
        }
    }
}

impl Drop for TwinStore {
    fn drop(&mut self) {
        let mut disk = self.disk.disk();
        if disk.open == Some(self.number) {
            disk.open = None;
        }
    }
}

impl TwinReader {
    fn disk(&self) -> Result<MutexGuard<'_, Disk>, StoreError> {
        let mut disk = self.disk.disk();
        if disk.open != Some(self.number) {
            return Err(StoreError::Closed);
        }
        disk.may_fail(Call::Read)?;
        Ok(disk)
    }
}

impl Reader for TwinReader {
    fn get(&mut self, table: Table, key: &[u8], value: &mut Vec<u8>) -> Result<bool, StoreError> {
        value.clear();
        let disk = self.disk()?;
        let found = disk.synced.get(&table).and_then(|records| records.get(key));
        value.extend(found.into_iter().flatten());
        Ok(found.is_some())
    }

    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        from: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        // Copied, so that whoever visits may use the disk.
        let records = self.disk()?.synced.get(&table).cloned().unwrap_or_default();
        let first = from.filter(|from| *from > prefix).unwrap_or(prefix);
        for (key, value) in records.range::<[u8], _>((Bound::Included(first), Bound::Unbounded)) {
            if !key.starts_with(prefix) || visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Twin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twin").finish_non_exhaustive()
    }
}
