//! What the faulty disk holds: files as they are seen and as they survive, names likewise, and what is to fail.
//! Never here: the seam itself, locks, waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

pub const SECTOR_BYTES: usize = 512;

/// The kinds of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    MakeDir,
    Open,
    Create,
    Write,
    Read,
    Allocate,
    SetLength,
    Length,
    Sync,
    SyncDir,
    Rename,
    Remove,
    List,
    Lock,
}

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, exclusive.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.draw() % end }
    }

    pub fn coin(&mut self) -> bool {
        self.draw() & 1 == 1
    }
}

#[derive(Debug, Default)]
pub(super) struct Inode {
    /// What a read through the page cache sees.
    pub(super) cache: Vec<u8>,
    /// What survives.
    pub(super) disk: Vec<u8>,
    /// Sectors that a sync would write.
    pub(super) dirty: BTreeSet<usize>,
    /// Sectors marked clean by a failed sync that never reached the disk.
    pub(super) lost: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Put(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, Node),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) random: Random,
    pub(super) files: Vec<Inode>,
    /// Names as they are seen, and as they survive.
    pub(super) live: BTreeMap<PathBuf, Node>,
    pub(super) durable: BTreeMap<PathBuf, Node>,
    pub(super) unsynced: Vec<Change>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) capacity: Option<u64>,
    pub(super) calls: u64,
    pub(super) fail_at: Option<(u64, i32)>,
    pub(super) fail_next: Vec<(Call, u64, i32)>,
    pub(super) fail_always: Vec<(Call, i32)>,
    pub(super) cut_at: Option<u64>,
    pub(super) off: bool,
    pub(super) short_writes: bool,
    pub(super) syncs_held: bool,
    /// Files opened before the power went do not work after it.
    pub(super) power: u64,
}

/// What becomes of a call.
pub(super) enum Fate {
    Done,
    /// It has some of its effect, and fails.
    Failed(io::Error),
}

impl Inode {
    pub(super) fn copy(&self) -> Inode {
        let Inode { cache, disk, dirty, lost } = self;
        Inode { cache: cache.clone(), disk: disk.clone(), dirty: dirty.clone(), lost: lost.clone() }
    }

    pub(super) fn write(&mut self, bytes: &[u8], at: usize) {
        let end = at + bytes.len();
        if self.cache.len() < end {
            self.cache.resize(end, 0);
        }
        self.cache[at..end].copy_from_slice(bytes);
        for sector in at / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            self.dirty.insert(sector);
            self.lost.remove(&sector);
        }
    }

    pub(super) fn set_length(&mut self, length: usize) {
        self.cache.resize(length, 0);
        let sectors = length.div_ceil(SECTOR_BYTES);
        self.dirty.retain(|sector| *sector < sectors);
        self.lost.retain(|sector| *sector < sectors);
    }

    fn sectors_to_disk(&mut self, sectors: impl Iterator<Item = usize>) {
        for sector in sectors {
            let from = sector * SECTOR_BYTES;
            let to = (from + SECTOR_BYTES).min(self.cache.len());
            if self.disk.len() < to {
                self.disk.resize(to, 0);
            }
            self.disk[from..to].copy_from_slice(&self.cache[from..to]);
        }
    }

    pub(super) fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.sectors_to_disk(dirty.into_iter());
        self.disk.resize(self.cache.len(), 0);
    }

    /// A sync that fails: some sectors arrive, all are marked clean.
    pub(super) fn fail_to_sync(&mut self, random: &mut Random) {
        let (kept, lost): (Vec<_>, Vec<_>) = std::mem::take(&mut self.dirty).into_iter().partition(|_| random.coin());
        self.sectors_to_disk(kept.into_iter());
        self.lost.extend(lost);
    }

    pub(super) fn power_cut(&mut self, random: &mut Random) {
        let length = self.cache.len();
        let kept: Vec<_> = std::mem::take(&mut self.dirty).into_iter().filter(|_| random.coin()).collect();
        // A new length survives or not, whatever became of the sectors behind the old one.
        let long = if random.coin() { length } else { self.disk.len() };
        self.sectors_to_disk(kept.into_iter());
        self.disk.resize(long, 0);
        self.cache.clone_from(&self.disk);
        self.lost.clear();
    }

    /// What the device holds, once the dirty pages were written to it.
    pub(super) fn past_cache(&self) -> Vec<u8> {
        let mut bytes = self.cache.clone();
        for sector in &self.lost {
            let from = sector * SECTOR_BYTES;
            let to = (from + SECTOR_BYTES).min(bytes.len());
            bytes[from..to].fill(0);
            if let Some(old) = self.disk.get(from..to.min(self.disk.len())) {
                bytes[from..from + old.len()].copy_from_slice(old);
            }
        }
        bytes
    }
}

impl State {
    pub(super) fn new(seed: u64) -> State {
        State {
            random: Random::new(seed),
            files: Vec::new(),
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            unsynced: Vec::new(),
            locks: BTreeSet::new(),
            capacity: None,
            calls: 0,
            fail_at: None,
            fail_next: Vec::new(),
            fail_always: Vec::new(),
            cut_at: None,
            off: false,
            short_writes: false,
            syncs_held: false,
            power: 0,
        }
    }

    pub(super) fn begin(&mut self, call: Call) -> Result<Fate, io::Error> {
        if self.off {
            return Err(io::Error::other("the power is off"));
        }
        self.calls += 1;
        if self.cut_at == Some(self.calls) {
            self.cut_at = None;
            self.off = true;
            return Ok(Fate::Failed(io::Error::other("the power went")));
        }
        let mut errno = None;
        if let Some((_, code)) = self.fail_at.take_if(|(at, _)| *at == self.calls) {
            errno = Some(code);
        }
        for (kind, left, code) in &mut self.fail_next {
            if *kind == call {
                *left -= 1;
                errno = if *left == 0 { Some(*code) } else { errno };
            }
        }
        self.fail_next.retain(|(_, left, _)| *left > 0);
        if let Some((_, code)) = self.fail_always.iter().find(|(kind, _)| *kind == call) {
            errno = Some(*code);
        }
        Ok(errno.map_or(Fate::Done, |code| Fate::Failed(io::Error::from_raw_os_error(code))))
    }

    /// Makes a change of names; one that fails may have been made all the same.
    pub(super) fn change(&mut self, fate: Fate, change: Change) -> io::Result<()> {
        let failed = match fate {
            Fate::Done => None,
            Fate::Failed(error) => Some(error),
        };
        if failed.is_none() || self.random.coin() {
            apply(&mut self.live, &change);
            self.unsynced.push(change);
        }
        failed.map_or(Ok(()), Err)
    }

    pub(super) fn used(&self) -> u64 {
        let bytes = |node: &Node| match node {
            Node::Dir => 0,
            Node::File(number) => self.files[*number].cache.len() as u64,
        };
        self.live.values().map(bytes).sum()
    }

    pub(super) fn file_mut(&mut self, path: &Path) -> &mut Inode {
        match self.live.get(path) {
            Some(Node::File(number)) => &mut self.files[*number],
            Some(Node::Dir) | None => panic!("no file `{}`", path.display()),
        }
    }

    pub(super) fn node(&self, path: &Path) -> io::Result<Node> {
        self.live.get(path).copied().ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }

    pub(super) fn power_cut(&mut self) {
        let mut unsynced = std::mem::take(&mut self.unsynced);
        unsynced.retain(|_| self.random.coin());
        for change in &unsynced {
            apply(&mut self.durable, change);
        }
        // What stands in a directory that is gone is gone with it.
        let durable = self.durable.clone();
        let top = |dir: &Path| dir.as_os_str().is_empty() || dir == Path::new("/");
        self.durable.retain(|path, _| path.ancestors().skip(1).all(|dir| top(dir) || durable.contains_key(dir)));
        self.live.clone_from(&self.durable);
        for file in &mut self.files {
            file.power_cut(&mut self.random);
        }
        // Files without a name are no more; their numbers stay.
        let named: BTreeSet<usize> = self.live.values().filter_map(Node::number).collect();
        let nameless = self.files.iter_mut().enumerate().filter(|(number, _)| !named.contains(number));
        nameless.for_each(|(_, file)| *file = Inode::default());
        self.locks.clear();
        self.off = false;
        self.cut_at = None;
        self.fail_at = None;
        self.syncs_held = false;
        self.power += 1;
    }
}

impl Node {
    pub(super) fn number(&self) -> Option<usize> {
        match self {
            Node::Dir => None,
            Node::File(number) => Some(*number),
        }
    }
}

impl Change {
    pub(super) fn dir(&self) -> Option<&Path> {
        match self {
            Change::Put(path, _) | Change::Remove(path) | Change::Rename(_, path, _) => path.parent(),
        }
    }
}

pub(super) fn apply(names: &mut BTreeMap<PathBuf, Node>, change: &Change) {
    match change {
        Change::Put(path, node) => {
            names.insert(path.clone(), *node);
        }
        Change::Remove(path) => {
            names.remove(path);
        }
        Change::Rename(from, to, node) => {
            names.remove(from);
            names.insert(to.clone(), *node);
        }
    }
}
