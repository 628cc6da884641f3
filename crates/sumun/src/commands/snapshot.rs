//! `sumun snapshot`: all records of a data directory in one file.

use crate::carry::{carry, drain};
use crate::clock;
use crate::config::DataDirectory;
use crate::failure::Failure;
use crate::logfile::{LogFile, SHARD};
use crate::picture::thousands;
use crate::show::{Form, say};
use crate::storefile::StoreFile;
use anyhow::{Context, anyhow};
use clap::Args;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use sumun_core::{FIRST_GENERATION, Filing, Key, State};
use sumun_engine::snapshot::{Counts, Header, Writer};
use sumun_engine::{About, Holdings, Shelf};

/// Write all records of a server's data into one file
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun snapshot --data ./sumun-data before-upgrade.snapshot
  sumun snapshot --data ./sumun-data /backup/sumun.snapshot --json

With the log it was made beside, a snapshot restores to its sequence and any later one: `sumun store rebuild --snapshot`. \
It is made of the store and the log behind it, beside a running server too (up to the log's durable end), and changes \
neither. Without a store it is made from the log alone, which must be whole then: its first sequence is 1.")]
pub(crate) struct Snapshot {
    #[command(flatten)]
    directory: DataDirectory,
    /// File to write; it must not be there yet
    #[arg(value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(arguments: &Snapshot) -> Result<(), Failure> {
    let (out, data) = (&arguments.out, &arguments.directory.data);
    if out.exists() {
        return Err(Failure::Usage(format!("{} is there already; name another file", out.display())));
    }
    // The store first: a running server's log is at its end then, or behind it.
    let store = StoreFile::open(data)?;
    let mut log = LogFile::open(data)?;
    let mut holdings = store.as_ref().map(StoreFile::holdings).transpose()?.flatten();
    let bounds = log.reader().bounds();
    let begins = holdings.as_ref().map_or(0, |holdings| holdings.about().saved) + 1;
    if begins < bounds.first {
        return Err(without(begins - 1, bounds.first));
    }
    let seed = holdings.as_ref().map_or_else(clock::run_id, |holdings| holdings.about().seed);
    let mut state = carry(&mut log, holdings.as_mut(), seed)?;
    let time = holdings.as_ref().map_or(0, |holdings| holdings.about().time).max(state.time());
    let generation = holdings.as_ref().map_or((FIRST_GENERATION, time), |holdings| holdings.about().generation);
    let about = About { log: log.id(), seed, saved: bounds.last, newest: bounds.last, time, generation };
    let header = Header { shard: SHARD, about };
    let (counts, bytes) = write(out, &header, &mut state, holdings.as_mut())?;
    tell(arguments, &header, &counts, bytes)
}

fn without(saved: u64, first: u64) -> Failure {
    Failure::No(format!(
        "the log begins at {first}, what was before has left with --log-retention, and the store holds all events up to \
         {saved}: rebuild it from an older snapshot (sumun store rebuild --help)"
    ))
}

/// Under another name until it is whole and durable.
fn write(
    out: &Path,
    header: &Header,
    state: &mut State,
    holdings: Option<&mut Holdings>,
) -> Result<(Counts, u64), Failure> {
    let mut name = out.file_name().ok_or_else(|| anyhow!("{} names no file", out.display()))?.to_owned();
    name.push(format!(".part-{:x}", clock::run_id()));
    let part = out.with_file_name(name);
    let written = fill(&part, header, state, holdings).and_then(|done| {
        fs::rename(&part, out).with_context(|| format!("cannot name {}", out.display()))?;
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).context("cannot sync the directory")?;
        Ok(done)
    });
    if written.is_err() {
        // What stopped the writing is what is told.
        let _ = fs::remove_file(&part);
    }
    written
}

fn fill(
    part: &Path,
    header: &Header,
    state: &mut State,
    mut holdings: Option<&mut Holdings>,
) -> Result<(Counts, u64), Failure> {
    let cannot = || format!("cannot write {}", part.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part).with_context(cannot)?;
    let mut writer = Writer::new(BufWriter::new(file), header).with_context(cannot)?;
    // What the tail touched comes last, in place of what the store has.
    let mut touched = HashSet::new();
    let mut tail = Vec::new();
    let from_store = holdings.is_some();
    drain(state, holdings.as_deref_mut(), &mut |staged| {
        let turning = matches!(staged.filing, Filing::Generation { .. });
        if from_store {
            let mut bytes = Vec::new();
            sumun_codec::encode_record(&staged.record, &mut bytes);
            touched.insert(staged.record.key());
            tail.push((bytes, turning));
            return Ok(());
        }
        Ok(writer.put(&staged.record, turning).with_context(cannot)?)
    })?;
    if let Some(holdings) = holdings {
        holdings.each(&mut |shelf, record, _| {
            let key: Key = record.key();
            if touched.contains(&key) {
                return Ok::<(), Failure>(());
            }
            Ok(writer.put(record, matches!(shelf, Shelf::Generation(_))).with_context(cannot)?)
        })?;
    }
    for (bytes, turning) in tail {
        let record = sumun_codec::decode_record(&bytes).context("what was encoded is read back")?;
        writer.put(&record, turning).with_context(cannot)?;
    }
    let (out, counts) = writer.finish().with_context(cannot)?;
    let file = out.into_inner().map_err(|error| anyhow!(error.into_error())).with_context(cannot)?;
    file.sync_all().with_context(cannot)?;
    let bytes = file.metadata().with_context(cannot)?.len();
    Ok((counts, bytes))
}

fn tell(arguments: &Snapshot, header: &Header, counts: &Counts, bytes: u64) -> Result<(), Failure> {
    let About { log, newest, .. } = header.about;
    if arguments.form.json {
        let text = serde_json::json!({
            "snapshot": arguments.out.display().to_string(),
            "log": log.to_string(),
            "restores_from": newest,
            "records": counts.sum(),
            "items": counts.items,
            "lots": counts.lots,
            "open_reservations": counts.open,
            "ended_reservations": counts.ended,
            "movements": counts.movements,
            "usages": counts.usages,
            "bytes": bytes,
        });
        return say(&text.to_string());
    }
    say(&format!("snapshot      {} ({} bytes)", arguments.out.display(), thousands(bytes)))?;
    say(&format!("log           {log}; restores to sequence {newest} and any later one that the log has"))?;
    say(&format!(
        "records       {}: {} items, {} lots, {} open and {} ended reservations, {} movements, {} usages",
        thousands(counts.sum()),
        thousands(counts.items),
        thousands(counts.lots),
        thousands(counts.open),
        thousands(counts.ended),
        thousands(counts.movements),
        thousands(counts.usages)
    ))
}
