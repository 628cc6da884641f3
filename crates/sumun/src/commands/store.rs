//! `sumun store rebuild`: a store that was lost or damaged, made again.

use crate::carry::{carry, drain};
use crate::clock;
use crate::config::DataDirectory;
use crate::failure::Failure;
use crate::logfile::{LogFile, SHARD};
use crate::picture::thousands;
use crate::show::{Form, say};
use crate::storefile::{OPTIONS, opening, store_dir};
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use sumun_core::{FIRST_GENERATION, State};
use sumun_engine::snapshot::{Snapshot, SnapshotError};
use sumun_engine::{About, Builder};
use sumun_log::disk::Disk;
use sumun_log::{Bounds, LogId, RealDisk};
use sumun_store::FjallStore;

/// Look after a server's store
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  sumun store rebuild --data ./sumun-data
  sumun store rebuild --data ./sumun-data --snapshot sumun.snapshot")]
pub(crate) struct Store {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    Rebuild(Rebuild),
}

/// Make a stopped server's store again, from its log or from a snapshot and its log
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun store rebuild --data ./sumun-data
  sumun store rebuild --data ./sumun-data --snapshot sumun.snapshot

Without a snapshot the log must be whole: its first sequence is 1. With one it must still have what came after it. \
The store that is there is moved aside, to 0/store-replaced-…, and never deleted. The log is only read. When it is done, \
`sumun verify` compares the new store with the log; the server replays what is newer than the snapshot when it starts.")]
struct Rebuild {
    #[command(flatten)]
    directory: DataDirectory,
    /// Begin with what this snapshot holds
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(arguments: &Store) -> Result<(), Failure> {
    match &arguments.command {
        StoreCommand::Rebuild(arguments) => rebuild(arguments),
    }
}

fn rebuild(arguments: &Rebuild) -> Result<(), Failure> {
    let data = &arguments.directory.data;
    let taken = || Failure::Other(anyhow!("a server runs on {}; stop it first", data.display()));
    let mut log = LogFile::open(data)?;
    if log.reader().is_running() {
        return Err(taken());
    }
    let lock = data.join("lock");
    let held = RealDisk.lock(&lock).with_context(|| format!("cannot lock {}", lock.display()))?.ok_or_else(taken)?;
    let dir = store_dir(data);
    let new = dir.with_file_name("store-rebuilding");
    if new.exists() {
        // Of an attempt that did not end: nobody ever used it.
        fs::remove_dir_all(&new).with_context(|| format!("cannot remove {}", new.display()))?;
    }
    let (records, saved) = match &arguments.snapshot {
        Some(snapshot) => from_snapshot(snapshot, &new, log.id(), log.reader().bounds())?,
        None => from_log(&mut log, &new)?,
    };
    let replaced = put_in_place(&dir, &new)?;
    drop(held);
    tell(arguments, records, saved, replaced.as_deref())
}

fn from_log(log: &mut LogFile, new: &Path) -> Result<(u64, u64), Failure> {
    let bounds = log.reader().bounds();
    if bounds.first > 1 {
        return Err(Failure::No(format!(
            "the log begins at {}: what was before has left with --log-retention; name a snapshot with --snapshot that \
             restores from {} or later",
            bounds.first,
            bounds.first - 1
        )));
    }
    let seed = clock::run_id();
    let mut state = carry(log, None, seed)?;
    let (saved, time) = (state.sequence(), state.time());
    let about = About { log: log.id(), seed, saved, newest: saved, time, generation: (FIRST_GENERATION, time) };
    let mut store = open(new)?;
    let mut builder = Builder::new(&mut store, &about);
    drain(&mut state, None, &mut |staged| Ok(builder.put_staged(staged)?))?;
    Ok((builder.finish()?, saved))
}

fn from_snapshot(path: &Path, new: &Path, log: LogId, bounds: Bounds) -> Result<(u64, u64), Failure> {
    let cannot = || format!("cannot read {}", path.display());
    let file = BufReader::new(File::open(path).with_context(cannot)?);
    let refused = |error: SnapshotError| match error {
        SnapshotError::Io(error) => Failure::Other(anyhow!(error).context(cannot())),
        error @ (SnapshotError::NoSnapshot | SnapshotError::Newer { .. } | SnapshotError::Damaged { .. }) => {
            Failure::No(format!("{}: {error}", path.display()))
        }
    };
    let snapshot = Snapshot::open(file).map_err(refused)?;
    let about = snapshot.header().about.clone();
    fits(&about, snapshot.header().shard, log, bounds)?;
    let hashing = State::new(about.seed, 0);
    let mut store = open(new)?;
    let mut builder = Builder::new(&mut store, &about);
    let read = snapshot.each(&mut |record, turning| Ok::<(), Reading>(builder.put(record, turning, &hashing)?));
    read.map_err(|error| match error {
        Reading::Snapshot(error) => refused(error),
        Reading::Store(error) => error.into(),
    })?;
    Ok((builder.finish()?, about.saved))
}

#[derive(Debug, thiserror::Error)]
enum Reading {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Store(#[from] sumun_engine::OfflineError),
}

fn fits(about: &About, shard: u32, log: LogId, bounds: Bounds) -> Result<(), Failure> {
    let why = if about.log != log || shard != SHARD {
        format!("the snapshot belongs to log {} (shard {shard}), this one is {log}", about.log)
    } else if about.newest > bounds.last {
        format!("the snapshot holds events up to {}, the log ends at {}", about.newest, bounds.last)
    } else if about.saved + 1 < bounds.first {
        format!("the snapshot holds all events up to {}, the log begins at {}", about.saved, bounds.first)
    } else {
        return Ok(());
    };
    Err(Failure::No(format!("{why}; use a snapshot of this log from between {} and {}", bounds.first - 1, bounds.last)))
}

fn open(new: &Path) -> Result<FjallStore, Failure> {
    FjallStore::open(new, OPTIONS).map_err(|error| opening(new, error))
}

/// The old one aside, the new one in its place: a stop between the two leaves none, and nothing is lost.
fn put_in_place(dir: &Path, new: &Path) -> Result<Option<PathBuf>, Failure> {
    let shard = dir.parent().expect("a store stands in its shard's directory");
    let sync = || File::open(shard).and_then(|folder| folder.sync_all());
    let mut replaced = None;
    if dir.exists() {
        let aside = dir.with_file_name(format!("store-replaced-{}", clock::unix_ms()));
        fs::rename(dir, &aside).with_context(|| format!("cannot move {} aside", dir.display()))?;
        sync().context("cannot sync the directory")?;
        replaced = Some(aside);
    }
    fs::rename(new, dir).with_context(|| format!("cannot put the new store at {}", dir.display()))?;
    sync().context("cannot sync the directory")?;
    Ok(replaced)
}

fn tell(arguments: &Rebuild, records: u64, saved: u64, replaced: Option<&Path>) -> Result<(), Failure> {
    let replaced = replaced.map(|path| path.display().to_string());
    if arguments.form.json {
        let text = serde_json::json!({ "records": records, "saved": saved, "replaced": replaced });
        return say(&text.to_string());
    }
    say(&format!("store         {} records, all events up to {saved}", thousands(records)))?;
    if let Some(replaced) = replaced {
        say(&format!("replaced      {replaced}: remove it when the new one has proven good"))?;
    }
    say("rebuilt; compare it with the log: sumun verify")
}
