//! The faulty twin of the real disk: in memory, deterministic from a seed, and as unkind as a disk may be.
//! What was written and not synced is lost sector by sector in any order; names in a directory that was not synced are lost
//! one by one; a failed write writes a part; a failed sync makes a part durable, and marks the rest clean all the same.
//! Never here: a sector written by halves (the format assumes that none is), time.

mod state;

pub use state::{Call, Random, SECTOR_BYTES};

use crate::disk::{Disk, File, Held, Open};
use state::{Change, Fate, Inode, Node, State, apply};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

#[derive(Clone, Debug)]
pub struct FaultyDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

impl FaultyDisk {
    pub fn new(seed: u64) -> FaultyDisk {
        let state = State::new(seed);
        FaultyDisk(Arc::new(Shared { state: Mutex::new(state), released: Condvar::new() }))
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The `n`-th call from now fails, counted from 1.
    pub fn fail_at(&self, n: u64, errno: i32) {
        let mut state = self.state();
        state.fail_at = Some((state.calls + n, errno));
    }

    /// The `n`-th call of a kind from now fails, counted from 1. Several may be set.
    pub fn fail_nth(&self, call: Call, n: u64, errno: i32) {
        self.state().fail_next.push((call, n, errno));
    }

    /// Every call of a kind fails.
    pub fn fail_always(&self, call: Call, errno: i32) {
        self.state().fail_always.push((call, errno));
    }

    /// No call fails any more on purpose, and no cut is to come. Power that is off stays off.
    pub fn heal(&self) {
        let mut state = self.state();
        state.fail_at = None;
        state.fail_next.clear();
        state.fail_always.clear();
        state.cut_at = None;
    }

    /// The power goes within the `n`-th call from now: it may have some of its effect, it and all later ones fail, until
    /// `power_cut` has taken its toll and the power is back.
    pub fn cut_at(&self, n: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.calls + n);
    }

    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// Writes write less than asked, at random.
    pub fn set_short_writes(&self, short: bool) {
        self.state().short_writes = short;
    }

    /// How many bytes all files together may have.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// Syncs of files wait until they are released.
    pub fn hold_syncs(&self) {
        self.state().syncs_held = true;
    }

    pub fn release_syncs(&self) {
        self.state().syncs_held = false;
        self.0.released.notify_all();
    }

    /// It was not the power but the process that ended: the cache still has what was written.
    pub fn come_back(&self) {
        let mut state = self.state();
        state.off = false;
        state.locks.clear();
        state.power += 1;
        self.0.released.notify_all();
    }

    /// Takes at random what was not synced, and gives the power back: what is here now is the disk as found after.
    pub fn power_cut(&self) {
        self.state().power_cut();
        self.0.released.notify_all();
    }

    /// A disk of its own with the same contents as survive and as are seen; its own seed.
    pub fn copy(&self, seed: u64) -> FaultyDisk {
        let copy = FaultyDisk::new(seed);
        {
            let from = self.state();
            let mut to = copy.state();
            to.live.clone_from(&from.live);
            to.durable.clone_from(&from.durable);
            to.unsynced.clone_from(&from.unsynced);
            to.capacity = from.capacity;
            to.files = from.files.iter().map(Inode::copy).collect();
        }
        copy
    }

    /// Flips a bit where it stands, in the cache and on the disk.
    pub fn flip(&self, path: &Path, offset: u64, bit: u8) {
        let mut state = self.state();
        let file = state.file_mut(path);
        let at = usize::try_from(offset).expect("a file in memory");
        for bytes in [&mut file.cache, &mut file.disk] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// What a file reads as.
    pub fn contents(&self, path: &Path) -> Vec<u8> {
        self.state().file_mut(path).cache.clone()
    }

    /// A durable file with these contents, in place of what was there; directories on the way are made.
    pub fn put(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        let number = state.files.len();
        state.files.push(Inode { disk: bytes.clone(), cache: bytes, ..Inode::default() });
        for dir in path.ancestors().skip(1) {
            state.live.insert(dir.to_owned(), Node::Dir);
            state.durable.insert(dir.to_owned(), Node::Dir);
        }
        state.live.insert(path.to_owned(), Node::File(number));
        state.durable.insert(path.to_owned(), Node::File(number));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nothing panics while it holds the state")
    }
}

#[derive(Debug)]
struct FaultyFile {
    shared: FaultyDisk,
    number: usize,
    power: u64,
    past_cache: bool,
}

#[derive(Debug)]
struct FaultyLock {
    disk: FaultyDisk,
    path: PathBuf,
    power: u64,
}

impl Held for FaultyLock {}

impl Drop for FaultyLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.power == self.power {
            state.locks.remove(&self.path);
        }
    }
}

fn done(fate: Fate) -> io::Result<()> {
    match fate {
        Fate::Done => Ok(()),
        Fate::Failed(error) => Err(error),
    }
}

impl Disk for FaultyDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin(Call::MakeDir)?;
        match state.node(path) {
            Ok(_) => done(fate),
            Err(_) => state.change(fate, Change::Put(path.to_owned(), Node::Dir)),
        }
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        let call = if how == Open::Create { Call::Create } else { Call::Open };
        let fate = state.begin(call)?;
        if how == Open::Create {
            if state.node(path).is_ok() {
                return Err(io::Error::from_raw_os_error(libc::EEXIST));
            }
            let number = state.files.len();
            state.files.push(Inode::default());
            state.change(fate, Change::Put(path.to_owned(), Node::File(number)))?;
        } else {
            done(fate)?;
        }
        let Node::File(number) = state.node(path)? else { return Err(io::Error::from_raw_os_error(libc::EISDIR)) };
        let past_cache = how == Open::ReadPastCache;
        Ok(Arc::new(FaultyFile { shared: self.clone(), number, power: state.power, past_cache }))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin(Call::SyncDir)?;
        let failed = matches!(fate, Fate::Failed(_));
        let mut left = Vec::new();
        for change in std::mem::take(&mut state.unsynced) {
            if change.dir() == Some(path) && (!failed || state.random.coin()) {
                apply(&mut state.durable, &change);
            } else {
                left.push(change);
            }
        }
        state.unsynced = left;
        done(fate)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin(Call::Rename)?;
        let node = state.node(from)?;
        state.change(fate, Change::Rename(from.to_owned(), to.to_owned(), node))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin(Call::Remove)?;
        state.node(path)?;
        state.change(fate, Change::Remove(path.to_owned()))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        done(state.begin(Call::List)?)?;
        state.node(path)?;
        let inside = state.live.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| Some(name.file_name()?.to_str()?.to_owned())).collect())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Arc<dyn Held>>> {
        let mut state = self.state();
        done(state.begin(Call::Lock)?)?;
        let free = state.locks.insert(path.to_owned());
        let power = state.power;
        drop(state);
        Ok(free.then(|| Arc::new(FaultyLock { disk: self.clone(), path: path.to_owned(), power }) as Arc<dyn Held>))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let mut state = self.state();
        done(state.begin(Call::Lock)?)?;
        Ok(state.locks.contains(path))
    }
}

impl FaultyFile {
    fn begin(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Fate)> {
        let mut state = self.shared.state();
        if state.power != self.power {
            return Err(io::Error::other("the power went since the file was opened"));
        }
        let fate = state.begin(call)?;
        Ok((state, fate))
    }
}

impl File for FaultyFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let (mut guard, fate) = self.begin(Call::Write)?;
        let state = &mut *guard;
        let bytes = parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>();
        let at = usize::try_from(offset).expect("a file in memory");
        let mut length = bytes.len();
        if matches!(fate, Fate::Failed(_)) || (state.short_writes && state.random.coin()) {
            length = usize::try_from(state.random.below(length as u64)).expect("less than a length") + 1;
        }
        if let Some(capacity) = state.capacity {
            let here = state.files[self.number].cache.len();
            let room = here + usize::try_from(capacity.saturating_sub(state.used())).expect("a disk in memory");
            length = length.min(room.saturating_sub(at));
            if length == 0 && !bytes.is_empty() {
                return Err(io::Error::from_raw_os_error(libc::ENOSPC));
            }
        }
        let length = length.min(bytes.len());
        state.files[self.number].write(&bytes[..length], at);
        done(fate).map(|()| length)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let (state, fate) = self.begin(Call::Read)?;
        done(fate)?;
        let file = &state.files[self.number];
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let past_cache;
        let whole = if self.past_cache && !file.lost.is_empty() {
            past_cache = file.past_cache();
            &past_cache
        } else {
            &file.cache
        };
        let found = whole.get(at..).unwrap_or_default();
        let length = found.len().min(bytes.len());
        bytes[..length].copy_from_slice(&found[..length]);
        Ok(length)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let (mut state, fate) = self.begin(Call::Allocate)?;
        done(fate)?;
        let more = bytes.saturating_sub(state.files[self.number].cache.len() as u64);
        if state.capacity.is_some_and(|capacity| state.used() + more > capacity) {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        if more > 0 {
            state.files[self.number].set_length(usize::try_from(bytes).expect("a file in memory"));
        }
        Ok(())
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        let (mut state, fate) = self.begin(Call::SetLength)?;
        done(fate)?;
        state.files[self.number].set_length(usize::try_from(bytes).expect("a file in memory"));
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let (state, fate) = self.begin(Call::Length)?;
        done(fate)?;
        Ok(state.files[self.number].cache.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.shared.state();
        while state.syncs_held && state.power == self.power {
            state = self.shared.0.released.wait(state).expect("nothing panics while it holds the state");
        }
        drop(state);
        let (mut guard, fate) = self.begin(Call::Sync)?;
        let state = &mut *guard;
        let file = &mut state.files[self.number];
        match fate {
            Fate::Done => {
                file.sync();
                Ok(())
            }
            Fate::Failed(error) => {
                // What the power cut takes is decided there; an error takes what it takes here.
                if !state.off {
                    file.fail_to_sync(&mut state.random);
                }
                Err(error)
            }
        }
    }
}
