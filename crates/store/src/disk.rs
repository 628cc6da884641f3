//! The store on disk: fjall, one keyspace a table, in `db` below the store's directory; `lock` beside it is held.
//! Each chunk is one batch of fjall's journal, with a row of the ledger and one in each table that it touched
//! (`ledger`).
//! All write buffers are flushed together, since a table that rests would keep the journal for ever.
//! Once tables have been removed an empty one stands there that nothing is written to (`remove` says why).
//! Never here: threads of its own (fjall has one), clocks.

use crate::caps::{
    CHUNK_BYTES_MAX, JOURNAL_BYTES_MAX, MERGED_FILES, OPEN_FILES_MAX, REOPEN_BYTES, SEALED_BUFFERS_MAX,
    SEALED_JOURNAL_BYTES_MAX, TABLE_FILE_BYTES, TABLES_MAX, UNMERGED_RUNS_MAX, WAIT_MS, WAITS_MAX, WORKERS,
};
use crate::journal::{self, Checked, batch_bytes};
use crate::keys::{OWN_ROW, given, stored};
use crate::ledger::{self, FORMAT, Ledger, Place, Unreadable};
use crate::{Change, Chunk, Opener, Reader, Stats, Store, StoreError, Table, Visit};
use fjall::compaction::Leveled;
use fjall::config::{BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry};
use fjall::{
    AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, LsmError, OwnedWriteBatch, PersistMode,
    Readable, Snapshot,
};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// For blocks of tables that were read.
    pub cache_bytes: u64,
    /// Of all tables together. Twice as much may be held while it is flushed.
    pub write_buffer_bytes: u64,
}

#[derive(Clone, Debug)]
pub struct FjallOpener {
    pub dir: PathBuf,
    pub options: Options,
}

impl Opener for FjallOpener {
    fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(FjallStore::open(&self.dir, self.options)?))
    }
    fn has_room(&self) -> bool {
        // What cannot be asked is tried.
        rustix::fs::statvfs(&self.dir).map_or(true, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= REOPEN_BYTES)
    }
}

pub struct FjallStore {
    dir: PathBuf,
    options: Options,
    db: Database,
    ledger: Keyspace,
    state: Ledger,
    tables: BTreeMap<Table, Keyspace>,
    /// Dropped by chunks that are not synced yet: until then they stay.
    dropped: Vec<Keyspace>,
    shared: Arc<Shared>,
    failed: Option<StoreError>,
    checked: Checked,
    /// The last chunk of the last flush.
    flushing: u64,
    journal_bytes: u64,
    buffered_bytes: u64,
    waits: u64,
    #[expect(dead_code, reason = "closing it gives the lock back")]
    lock: File,
}

/// What readers see; none once the store is gone.
type Shared = RwLock<Option<Arc<View>>>;

struct View {
    snapshot: Snapshot,
    tables: BTreeMap<Table, Keyspace>,
}

struct FjallReader {
    dir: PathBuf,
    shared: Arc<Shared>,
}

impl FjallStore {
    /// Opens a store, or makes one. What it shows is durable.
    pub fn open(dir: &Path, options: Options) -> Result<FjallStore, StoreError> {
        make_dir(dir)?;
        let lock = take_lock(dir)?;
        let path = dir.join("db");
        let checked = check_before(dir, &path)?;
        forget_removed(&path)?;
        let db = Database::builder(&path)
            .cache_size(options.cache_bytes)
            .worker_threads(WORKERS)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .max_journaling_size(SEALED_JOURNAL_BYTES_MAX)
            .journal_compression(CompressionType::None)
            .open()
            .map_err(|error| explain(dir, error))?;
        let damaged = |why: String| StoreError::Damaged { dir: dir.to_owned(), why };
        let names = db.list_keyspace_names();
        if !db.keyspace_exists(ledger::NAME) && !names.is_empty() {
            return Err(damaged("its ledger is missing".to_owned()));
        }
        let ledger = begin_keyspace(&db, &path, ledger::NAME).map_err(|error| explain(dir, error))?;
        let state = read_ledger(dir, &ledger)?;
        let tables = find_tables(dir, &db, &state)?;
        // Begun for a chunk that was never whole, or dropped by one that is.
        let mut gone = Vec::new();
        for name in names {
            let ours = &*name == ledger::NAME || tables.values().any(|keyspace| *keyspace.name() == name);
            if !ours && !name.starts_with(NEWEST) {
                gone.push(begin_keyspace(&db, &path, &name).map_err(|error| explain(dir, error))?);
            }
        }
        remove(&db, &path, gone).map_err(|error| explain(dir, error))?;
        let mut store = FjallStore {
            dir: dir.to_owned(),
            options,
            ledger,
            state,
            tables,
            dropped: Vec::new(),
            shared: Arc::default(),
            failed: None,
            checked,
            flushing: 0,
            journal_bytes: checked.bytes,
            buffered_bytes: db.write_buffer_size(),
            waits: 0,
            db,
            lock,
        };
        store.state.synced = store.state.chunk;
        store.show();
        Ok(store)
    }

    fn usable(&self) -> Result<(), StoreError> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.again()))
    }

    fn fail(&mut self, error: fjall::Error) -> StoreError {
        let error = explain(&self.dir, error);
        self.failed = Some(error.again());
        error
    }

    // Readers see what is there now.
    fn show(&self) {
        let view = View { snapshot: self.db.snapshot(), tables: self.tables.clone() };
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(view));
    }

    fn commit(&mut self, chunk: &Chunk) -> Result<(), fjall::Error> {
        let mut next = self.state.clone();
        next.chunk += 1;
        if self.flushing > next.flushed && self.keyspaces().all(|keyspace| keyspace.sealed_memtable_count() == 0) {
            next.flushed = self.flushing;
        }
        let mut tables = self.tables.clone();
        let mut dropped = Vec::new();
        let mut bytes = 0;
        let mut batch = OwnedWriteBatch::with_capacity(self.db.clone(), chunk.len() + TABLES_MAX.min(chunk.len()) + 1)
            .durability(Some(PersistMode::Buffer));
        for change in chunk.changes() {
            match change {
                Change::Put { table, key, value } => {
                    let keyspace = self.touch(table, &mut next, &mut tables)?;
                    let key = stored(key);
                    bytes += key.len() + value.len();
                    batch.insert(keyspace, &*key, value);
                }
                Change::Remove { table, key } => {
                    if let (Some(keyspace), Some(place)) = (tables.get(&table), next.places.get_mut(&table)) {
                        place.last_chunk = next.chunk;
                        let key = stored(key);
                        bytes += key.len();
                        batch.remove(keyspace, &*key);
                    }
                }
                Change::DropTable { table } => {
                    next.places.remove(&table);
                    dropped.extend(tables.remove(&table));
                }
            }
        }
        for (table, _) in next.places.iter().filter(|(_, place)| place.last_chunk == next.chunk) {
            let row = next.chunk.to_be_bytes();
            bytes += OWN_ROW.len() + row.len();
            batch.insert(&tables[table], OWN_ROW, row);
        }
        let row = next.encode();
        bytes += ledger::ROW.len() + row.len();
        batch.insert(&self.ledger, ledger::ROW, row);
        let bytes = batch_bytes(batch.len(), bytes);
        batch.commit()?;
        self.journal_bytes += bytes;
        self.buffered_bytes += bytes + (chunk.len() * BUFFERED_EXTRA_BYTES) as u64;
        self.state = next;
        self.tables = tables;
        self.dropped.extend(dropped);
        Ok(())
    }

    // The table's keyspace, which begins here if need be.
    fn touch<'a>(
        &self,
        table: Table,
        next: &mut Ledger,
        tables: &'a mut BTreeMap<Table, Keyspace>,
    ) -> Result<&'a Keyspace, fjall::Error> {
        let life = next.next_life;
        let place = next.places.entry(table).or_insert(Place { life, last_chunk: 0 });
        place.last_chunk = next.chunk;
        match tables.entry(table) {
            std::collections::btree_map::Entry::Occupied(there) => Ok(there.into_mut()),
            std::collections::btree_map::Entry::Vacant(free) => {
                next.next_life += 1;
                let keyspace = begin_keyspace(&self.db, &self.dir.join("db"), &place.name(table))?;
                Ok(free.insert(keyspace))
            }
        }
    }

    // Waits here rather than inside fjall, where a writer would sleep for ever once the worker is gone.
    fn wait_for_room(&mut self, chunk: &Chunk) -> Result<(), StoreError> {
        assert!(chunk.bytes() <= 2 * CHUNK_BYTES_MAX, "whoever stages looks at `is_full`");
        if self.buffered_bytes >= self.options.write_buffer_bytes || self.journal_bytes > JOURNAL_BYTES_MAX {
            self.flush_all()?;
        }
        self.wait_until("tables wait to be flushed or merged", |store| {
            store.keyspaces().all(|keyspace| {
                keyspace.sealed_memtable_count() < SEALED_BUFFERS_MAX
                    && keyspace.tree.l0_run_count() < UNMERGED_RUNS_MAX
            })
        })
    }

    fn keyspaces(&self) -> impl Iterator<Item = &Keyspace> {
        self.tables.values().chain(&self.dropped).chain([&self.ledger])
    }

    fn flush_all(&mut self) -> Result<(), StoreError> {
        self.wait_until("an earlier flush is not done", |store| {
            store.keyspaces().all(|keyspace| keyspace.sealed_memtable_count() < SEALED_BUFFERS_MAX)
        })?;
        let mut flushes = 0;
        for keyspace in self.keyspaces().cloned().collect::<Vec<_>>() {
            flushes += usize::from(keyspace.rotate_memtable().map_err(|error| self.fail(error))?);
        }
        self.buffered_bytes = 0;
        self.flushing = self.state.chunk;
        if self.journal_bytes > JOURNAL_BYTES_MAX && flushes > 0 {
            // The journal is sealed by the first of these flushes and leaves with the last: nothing must be written
            // meanwhile, else it stays until the next round.
            self.wait_until("the journal is not let go", |store| {
                store.db.journal_count() == 1 && store.keyspaces().all(|keyspace| keyspace.sealed_memtable_count() == 0)
            })?;
            self.journal_bytes = 0;
        }
        Ok(())
    }

    fn wait_until(&mut self, why: &str, done: impl Fn(&FjallStore) -> bool) -> Result<(), StoreError> {
        if done(self) {
            return Ok(());
        }
        self.waits += 1;
        let (_open, never) = mpsc::channel::<()>();
        for _ in 0..WAITS_MAX {
            // Costs nothing when all is well, and says so when the worker has died.
            if let Err(error) = self.db.persist(PersistMode::Buffer) {
                return Err(self.fail(error));
            }
            let _ = never.recv_timeout(Duration::from_millis(WAIT_MS));
            if done(self) {
                return Ok(());
            }
        }
        let error = StoreError::Stuck { why: why.to_owned() };
        self.failed = Some(error.again());
        Err(error)
    }
}

/// What fjall holds in memory for an entry beside its bytes, about.
const BUFFERED_EXTRA_BYTES: usize = 100;

impl Store for FjallStore {
    fn write(&mut self, chunk: &Chunk) -> Result<(), StoreError> {
        self.usable()?;
        if chunk.is_empty() {
            return Ok(());
        }
        self.wait_for_room(chunk)?;
        self.commit(chunk).map_err(|error| self.fail(error))?;
        assert!(self.tables.len() <= TABLES_MAX, "whoever begins tables drops them");
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.usable()?;
        self.db.persist(PersistMode::SyncData).map_err(|error| self.fail(error))?;
        self.state.synced = self.state.chunk;
        self.show();
        let dropped = std::mem::take(&mut self.dropped);
        remove(&self.db, &self.dir.join("db"), dropped).map_err(|error| self.fail(error))
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(FjallReader { dir: self.dir.clone(), shared: self.shared.clone() })
    }

    fn tables(&self) -> Result<Vec<Table>, StoreError> {
        self.usable()?;
        Ok(self.tables.keys().copied().collect())
    }

    fn stats(&self) -> Stats {
        let buffer_bytes = |keyspace: &Keyspace| keyspace.tree.active_memtable().size();
        Stats {
            tables: self.tables.len() as u64,
            chunks: self.state.chunk,
            chunks_synced: self.state.synced,
            table_bytes: self.keyspaces().map(Keyspace::disk_space).sum(),
            journal_bytes: self.journal_bytes,
            write_buffer_bytes: self.keyspaces().map(buffer_bytes).sum(),
            cache_bytes: self.db.cache_size(),
            cut_bytes: self.checked.cut_bytes,
            waits: self.waits,
        }
    }
}

impl Drop for FjallStore {
    fn drop(&mut self) {
        // Readers may outlive the store; they must not keep its files.
        *self.shared.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl FjallReader {
    fn view(&self) -> Result<Arc<View>, StoreError> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)
    }
}

impl Reader for FjallReader {
    fn get(&mut self, table: Table, key: &[u8], value: &mut Vec<u8>) -> Result<bool, StoreError> {
        value.clear();
        let view = self.view()?;
        let Some(keyspace) = view.tables.get(&table) else { return Ok(false) };
        let found = view.snapshot.get(keyspace, stored(key)).map_err(|error| explain(&self.dir, error))?;
        if let Some(found) = &found {
            value.extend_from_slice(found);
        }
        Ok(found.is_some())
    }

    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        from: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let view = self.view()?;
        let Some(keyspace) = view.tables.get(&table) else { return Ok(()) };
        let first = stored(from.filter(|from| *from > prefix).unwrap_or(prefix));
        let range = (Bound::Included(&*first), Bound::<&[u8]>::Unbounded);
        for entry in view.snapshot.range::<&[u8], _>(keyspace, range) {
            let (key, value) = entry.into_inner().map_err(|error| explain(&self.dir, error))?;
            let Some(key) = given(&key) else { continue };
            if !key.starts_with(prefix) || visit(key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn make_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new().mode(0o700).recursive(true).create(dir)?;
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        sync_dir(parent)?;
    }
    Ok(())
}

/// fjall removes a table's names without a sync between them, and a power cut may bring back any of them: the one that
/// says which version holds, without that version. lsm-tree never leaves that by itself. Without the first name the
/// folder counts for nothing; whether the table should be there, the ledger says.
fn forget_removed(path: &Path) -> Result<(), StoreError> {
    let Ok(folders) = std::fs::read_dir(path.join("keyspaces")) else { return Ok(()) };
    for folder in folders {
        let folder = folder?.path();
        // The first holds fjall's own names, and is never removed.
        if folder.ends_with("0") {
            continue;
        }
        let current = folder.join("current");
        let Ok(named) = std::fs::read(&current) else { continue };
        let version = named.first_chunk::<8>().map(|id| format!("v{}", u64::from_le_bytes(*id)));
        if version.is_some_and(|version| !folder.join(version).exists()) {
            std::fs::remove_file(&current)?;
            sync_dir(&folder)?;
        }
    }
    Ok(())
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn take_lock(dir: &Path) -> Result<File, StoreError> {
    let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(dir.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

// fjall writes its `version` last when it makes a database: without it nothing was ever stored, or it was taken away.
fn check_before(dir: &Path, path: &Path) -> Result<Checked, StoreError> {
    if path.join("version").try_exists()? {
        return journal::check(path);
    }
    if path.try_exists()? {
        let keyspaces = path.join("keyspaces");
        if keyspaces.try_exists()? && keyspaces.read_dir()?.next().is_some() {
            let why = "its file `db/version` is missing".to_owned();
            return Err(StoreError::Damaged { dir: dir.to_owned(), why });
        }
        std::fs::remove_dir_all(path)?;
    }
    DirBuilder::new().mode(0o700).create(path)?;
    sync_dir(dir)?;
    Ok(Checked::default())
}

fn keyspace_options() -> KeyspaceCreateOptions {
    let filter = |bits| FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(bits));
    KeyspaceCreateOptions::default()
        .filter_policy(FilterPolicy::all(filter(FILTER_BITS_PER_KEY)))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        .compaction_strategy(Arc::new(
            Leveled::default().with_table_target_size(TABLE_FILE_BYTES).with_l0_threshold(MERGED_FILES),
        ))
        // The store alone says when to flush.
        .max_memtable_size(u64::MAX)
}

const FILTER_BITS_PER_KEY: f32 = 10.0;

fn begin_keyspace(db: &Database, path: &Path, name: &str) -> Result<Keyspace, fjall::Error> {
    let is_new = !db.keyspace_exists(name);
    let keyspace = db.keyspace(name, keyspace_options)?;
    if is_new {
        // fjall syncs the new directory, and not its name: a replay would pass over its records without a word.
        sync_dir(&path.join("keyspaces"))?;
    }
    Ok(keyspace)
}

/// An empty keyspace is called this and a number.
const NEWEST: &str = "newest.";

/// Removes keyspaces for good. fjall remembers a removal by the keyspace's id, gives the id to the next one when it was the
/// highest, and counts its sequence numbers from what the journal holds: after a restart the removal may be newer than what
/// bears the id then, which would be gone at the start after that. So the highest id is never removed: an empty keyspace
/// has it, which goes when the next such one is there.
fn remove(db: &Database, path: &Path, mut gone: Vec<Keyspace>) -> Result<(), fjall::Error> {
    if gone.is_empty() {
        return Ok(());
    }
    let mut newest = 0;
    for name in db.list_keyspace_names() {
        if let Some(number) = name.strip_prefix(NEWEST).and_then(|number| number.parse::<u64>().ok()) {
            newest = newest.max(number);
            gone.push(begin_keyspace(db, path, &name)?);
        }
    }
    begin_keyspace(db, path, &format!("{NEWEST}{}", newest + 1))?;
    for keyspace in gone {
        // Closes its files and removes them: otherwise they would stay open among the files kept, and keep their space.
        keyspace.tree.drop_range::<&[u8], _>(..)?;
        db.delete_keyspace(keyspace)?;
    }
    Ok(())
}

fn read_ledger(dir: &Path, ledger: &Keyspace) -> Result<Ledger, StoreError> {
    let Some(row) = ledger.get(ledger::ROW).map_err(|error| explain(dir, error))? else {
        return Ok(Ledger { next_life: 1, ..Ledger::default() });
    };
    Ledger::decode(&row).map_err(|unreadable| match unreadable {
        Unreadable::Newer(found) => StoreError::Newer { dir: dir.to_owned(), found, known: FORMAT },
        Unreadable::Garbled => StoreError::Damaged { dir: dir.to_owned(), why: "its ledger is garbled".to_owned() },
    })
}

// Each table that the ledger names is there, and holds the chunk that the ledger knows as its last: no more, no less.
fn find_tables(dir: &Path, db: &Database, state: &Ledger) -> Result<BTreeMap<Table, Keyspace>, StoreError> {
    let mut tables = BTreeMap::new();
    let damaged = |why: String| StoreError::Damaged { dir: dir.to_owned(), why };
    for (table, place) in &state.places {
        let name = place.name(*table);
        if !db.keyspace_exists(&name) {
            return Err(damaged(format!("{table} is missing")));
        }
        let keyspace = db.keyspace(&name, keyspace_options).map_err(|error| explain(dir, error))?;
        let row = keyspace.get(OWN_ROW).map_err(|error| explain(dir, error))?;
        let found = row.as_deref().and_then(|row| row.try_into().ok()).map_or(0, u64::from_be_bytes);
        if found != place.last_chunk {
            let wanted = place.last_chunk;
            return Err(damaged(format!("{table} ends with chunk {found}, and the ledger says {wanted}")));
        }
        tables.insert(*table, keyspace);
    }
    Ok(tables)
}

// What is wrong with the bytes is damage; what is wrong with the call is a failure.
#[expect(clippy::wildcard_enum_match_arm, reason = "fjall says that there may be more")]
fn explain(dir: &Path, error: fjall::Error) -> StoreError {
    let damaged = |why: String| StoreError::Damaged { dir: dir.to_owned(), why };
    let from_io = |error: io::Error| {
        if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound) {
            damaged(format!("a file of it is cut short or missing ({error})"))
        } else {
            StoreError::from(error)
        }
    };
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => from_io(error),
        fjall::Error::Poisoned => {
            StoreError::Failed { why: "its background work, a write or a sync failed before".to_owned() }
        }
        fjall::Error::KeyspaceDeleted => {
            StoreError::Failed { why: "a table was written after it was dropped".to_owned() }
        }
        fjall::Error::Locked => StoreError::Locked { dir: dir.to_owned() },
        // All these are about bytes that are not as they were written.
        error @ (fjall::Error::Storage(_)
        | fjall::Error::JournalRecovery(_)
        | fjall::Error::InvalidVersion(_)
        | fjall::Error::Decompress(_)
        | fjall::Error::InvalidTrailer
        | fjall::Error::InvalidTag(_)
        | fjall::Error::Unrecoverable) => damaged(format!("{error:?}")),
        error => StoreError::Failed { why: format!("{error:?}") },
    }
}

impl fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FjallStore").field("dir", &self.dir).field("chunk", &self.state.chunk).finish_non_exhaustive()
    }
}
