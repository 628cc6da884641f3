//! The store of a data directory, looked at without changing it, beside a running server too: opening a store finishes
//! what its journal began, so a copy is opened. Sorted files never change and are linked, not copied.
//!
//! A copy that was made while nothing but the journal grew is what a crash would have left in that moment, and a store
//! survives crashes whole. Where anything else changed meanwhile the copy is made again.

use crate::caps::{LOOK_BUFFER_BYTES, LOOK_CACHE_BYTES, STORE_COPIES_MAX, STORE_COPY_PAUSE};
use crate::clock;
use crate::failure::Failure;
use crate::logfile::SHARD;
use anyhow::anyhow;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use sumun_engine::{Holdings, OfflineError};
use sumun_store::{FjallStore, StoreError};

/// Where sorted files stand, below each table.
const SORTED: &str = "tables";
/// What journals are called.
const JOURNAL: &str = "jnl";

pub(crate) const OPTIONS: sumun_store::Options =
    sumun_store::Options { cache_bytes: LOOK_CACHE_BYTES, write_buffer_bytes: LOOK_BUFFER_BYTES };

/// Below a data directory.
pub(crate) fn store_dir(data: &Path) -> PathBuf {
    data.join(SHARD.to_string()).join("store")
}

#[derive(Debug)]
pub(crate) struct StoreFile {
    // Closed before its copy is removed.
    store: FjallStore,
    #[expect(dead_code, reason = "it is removed when this is dropped")]
    copy: Copied,
}

impl StoreFile {
    /// `None` when there is no store. Whoever compares it with a log opens that afterwards: it must be the newer one.
    pub(crate) fn open(data: &Path) -> Result<Option<StoreFile>, Failure> {
        let dir = store_dir(data);
        if !dir.join("db").is_dir() {
            return Ok(None);
        }
        let mut last = None;
        for _ in 0..STORE_COPIES_MAX {
            match attempt(&dir)? {
                Attempt::Opened(store, copy) => return Ok(Some(StoreFile { store: *store, copy })),
                Attempt::Unchanging(error) => return Err(opening(&dir, error)),
                Attempt::Changed(why) => last = why,
            }
            clock::pause(STORE_COPY_PAUSE);
        }
        let why = last.map_or_else(String::new, |error| format!(" ({error})"));
        let dir = dir.display();
        Err(anyhow!("the store in {dir} changes faster than it can be copied{why}: try again, or stop the server")
            .into())
    }

    pub(crate) fn holdings(&self) -> Result<Option<Holdings>, Failure> {
        Holdings::open(&self.store).map_err(Failure::from)
    }
}

enum Attempt {
    Opened(Box<FjallStore>, Copied),
    /// Of a store that nobody writes to.
    Unchanging(StoreError),
    Changed(Option<StoreError>),
}

fn attempt(dir: &Path) -> Result<Attempt, Failure> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let before = match listing(dir) {
        Ok(before) => before,
        Err(error) if gone(&error) => return Ok(Attempt::Changed(None)),
        Err(error) => return Err(anyhow!(error).context(cannot(dir)).into()),
    };
    let beside = dir.with_file_name(format!("store-look-{:x}", clock::run_id()));
    let copy = Copied::new(dir, beside).or_else(|_| {
        // The data directory may be one that nothing can be written to.
        Copied::new(dir, std::env::temp_dir().join(format!("sumun-store-{:x}", clock::run_id())))
    });
    let copy = match copy {
        Ok(copy) => copy,
        Err(error) if gone(&error) => return Ok(Attempt::Changed(None)),
        Err(error) => return Err(anyhow!(error).context(cannot(dir)).into()),
    };
    let after = listing(dir).unwrap_or_default();
    if settled(&after) != settled(&before) {
        return Ok(Attempt::Changed(None));
    }
    match FjallStore::open(&copy.0, OPTIONS) {
        Ok(store) => Ok(Attempt::Opened(Box::new(store), copy)),
        // Half of what was written to the journal meanwhile may be in the copy.
        Err(error) if after != before => Ok(Attempt::Changed(Some(error))),
        Err(error) => Ok(Attempt::Unchanging(error)),
    }
}

/// All but how far journals have grown.
fn settled(listing: &[(PathBuf, Kind)]) -> Vec<(&Path, Option<Kind>)> {
    let journal = |path: &Path| path.extension().is_some_and(|extension| extension == JOURNAL);
    listing.iter().map(|(path, kind)| (path.as_path(), (!journal(path)).then_some(*kind))).collect()
}

/// What is wrong with the bytes is an answer; the copy's name is no help to anybody.
pub(crate) fn opening(dir: &Path, error: StoreError) -> Failure {
    match error {
        StoreError::Damaged { why, .. } => Failure::No(StoreError::Damaged { dir: dir.to_owned(), why }.to_string()),
        StoreError::Newer { found, known, .. } => {
            Failure::Other(StoreError::Newer { dir: dir.to_owned(), found, known }.into())
        }
        error @ (StoreError::Failed { .. }
        | StoreError::Full { .. }
        | StoreError::Stuck { .. }
        | StoreError::Locked { .. }
        | StoreError::Closed) => Failure::Other(error.into()),
    }
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Failure {
        match error {
            OfflineError::Malformed(_) | OfflineError::Store(StoreError::Damaged { .. }) => {
                Failure::No(error.to_string())
            }
            OfflineError::Store(error) => Failure::Other(error.into()),
        }
    }
}

fn cannot(dir: &Path) -> String {
    format!("cannot copy the store in {}", dir.display())
}

#[derive(Debug)]
struct Copied(PathBuf);

impl Copied {
    fn new(from: &Path, to: PathBuf) -> io::Result<Copied> {
        DirBuilder::new().mode(0o700).create(&to)?;
        let copied = Copied(to);
        for (path, kind) in entries(from)? {
            let (source, target) = (from.join(&path), copied.0.join(&path));
            match kind {
                Kind::Dir => fs::create_dir(&target)?,
                Kind::File { .. } => {
                    let sorted = path.parent().and_then(Path::file_name).is_some_and(|name| name == SORTED);
                    if !(sorted && fs::hard_link(&source, &target).is_ok()) {
                        fs::copy(&source, &target)?;
                    }
                }
            }
        }
        Ok(copied)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // Nobody is left to tell when it cannot be removed; its name says what it is.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Dir,
    File { bytes: u64, changed: SystemTime },
}

/// All below, each directory before what is in it.
fn entries(dir: &Path) -> io::Result<Vec<(PathBuf, Kind)>> {
    let (mut all, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let (path, meta) = (folder.join(entry.file_name()), entry.metadata()?);
            if meta.is_dir() {
                folders.push(path.clone());
                all.push((path, Kind::Dir));
            } else {
                all.push((path, Kind::File { bytes: meta.len(), changed: meta.modified()? }));
            }
        }
    }
    Ok(all)
}

/// In order.
fn listing(dir: &Path) -> io::Result<Vec<(PathBuf, Kind)>> {
    let mut all = entries(dir)?;
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}
