//! `sumun verify`: what a log proves, and that the store beside it is what the log makes of it.

use crate::config::DataDirectory;
use crate::failure::Failure;
use crate::logfile::{LogFile, Next};
use crate::picture::thousands;
use crate::prove::{self, Prover};
use crate::show::{Form, say};
use crate::storefile::StoreFile;
use clap::Args;
use sumun_auditor::Trail;

/// Check a server's log and store against every invariant, running or stopped
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun verify --data ./sumun-data
  sumun verify --data ./sumun-data --json

Reads only: nothing is locked, cut or repaired; the store is looked at in a copy, which links its large files. Each \
record of the store must be what the log makes of it; all of them are held in memory. Beside a running server it reads \
the log up to its durable end. Ends with 1 when anything is not as it must be, and says what and where.")]
pub(crate) struct Verify {
    #[command(flatten)]
    directory: DataDirectory,
    #[command(flatten)]
    form: Form,
}

pub(crate) fn run(arguments: &Verify) -> Result<(), Failure> {
    let judged = judge(arguments);
    if let (true, Err(Failure::No(why))) = (arguments.form.json, &judged) {
        say(&serde_json::json!({ "clean": false, "why": why }).to_string())?;
    }
    judged
}

fn judge(arguments: &Verify) -> Result<(), Failure> {
    // The store first: a running server's log is at its end then, or behind it.
    let store = StoreFile::open(&arguments.directory.data)?;
    let mut log = LogFile::open(&arguments.directory.data)?;
    let mut prover = prover(store.as_ref(), &log)?;
    let mut trail = Trail::new();
    let no = |complaint: sumun_auditor::Complaint| Failure::No(complaint.to_string());
    log.each_decoded(0, |event| {
        trail.feed(&sumun_codec::outside(event)).map_err(no)?;
        prover.iter_mut().for_each(|prover| prover.feed(event));
        Ok(Next::Go)
    })?;
    let found = trail.finish().map_err(no)?;
    let store = prover.map(Prover::finish).transpose()?;
    if arguments.form.json { tell_json(&log, &found, store) } else { tell(&log, &found, store) }
}

/// `None`: there is no store to compare.
fn prover(store: Option<&StoreFile>, log: &LogFile) -> Result<Option<Prover>, Failure> {
    let holdings = store.map(StoreFile::holdings).transpose()?.flatten();
    let bounds = log.reader().bounds();
    match holdings {
        Some(mut holdings) => Prover::new(&mut holdings, log.id(), bounds).map(Some),
        None if bounds.first > 1 => Err(Failure::No(format!(
            "there is no store, and the log begins at {}: rebuild the store from a snapshot (sumun store rebuild --help)",
            bounds.first
        ))),
        None => Ok(None),
    }
}

fn tell_json(log: &LogFile, found: &sumun_auditor::Proven, store: Option<prove::Proven>) -> Result<(), Failure> {
    let (reader, bounds) = (log.reader(), log.reader().bounds());
    let store = store.map(|store| {
        serde_json::json!({
            "saved": store.saved,
            "newest": store.newest,
            "records": store.records,
            "proven": store.proven,
            "partly": store.partly,
            "no_event_kept": store.unkept,
        })
    });
    let text = serde_json::json!({
        "clean": true,
        "log": log.id().to_string(),
        "running": reader.is_running(),
        "closed": reader.is_clean(),
        "torn_bytes": reader.torn().map(|torn| torn.bytes),
        "first_sequence": bounds.first,
        "last_sequence": bounds.last,
        "events": found.events,
        "items": found.items,
        "reservations": found.reservations,
        "whole_items": found.whole_items,
        "whole_reservations": found.whole_reservations,
        "store": store,
    });
    say(&text.to_string())
}

fn tell(log: &LogFile, found: &sumun_auditor::Proven, store: Option<prove::Proven>) -> Result<(), Failure> {
    let (reader, bounds) = (log.reader(), log.reader().bounds());
    let state = match (reader.is_running(), reader.is_clean(), reader.torn()) {
        (true, ..) => "running".to_owned(),
        (false, true, _) => "closed".to_owned(),
        (false, false, None) => "not closed: the server was killed".to_owned(),
        (false, false, Some(torn)) => {
            format!("not closed: {} bytes of a write that was never acknowledged are left out", thousands(torn.bytes))
        }
    };
    let followed = |whole: u64, all: u64| match all - whole {
        0 => String::new(),
        some => format!(", {} of them from their first kept event on", thousands(some)),
    };
    say(&format!("log           {} ({state})", log.id()))?;
    let events = thousands(found.events);
    say(&format!("events        {events}, sequences {} to {} without gap", bounds.first, bounds.last))?;
    let (items, reservations) = (thousands(found.items), thousands(found.reservations));
    let rest = followed(found.whole_items, found.items);
    say(&format!("items         {items}: every unit is somewhere, once{rest}"))?;
    let rest = followed(found.whole_reservations, found.reservations);
    say(&format!("reservations  {reservations}: each ended once or is open, all lines or none{rest}"))?;
    say(&match store {
        Some(store) => told(&store),
        None => "store         there is none yet: the next start makes it from the log".to_owned(),
    })?;
    say("clean")
}

fn told(store: &prove::Proven) -> String {
    let some = |count: u64, words: &str| match count {
        0 => String::new(),
        count => format!(", {} {words}", thousands(count)),
    };
    format!(
        "store         {} records up to event {}: {} are what the log makes of them{}{}",
        thousands(store.records),
        store.newest,
        thousands(store.proven),
        some(store.partly, "what the kept part of it tells of them"),
        some(store.unkept, "with no event kept")
    )
}
