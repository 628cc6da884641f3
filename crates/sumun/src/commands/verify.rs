//! `sumun verify`: what a log proves.

use crate::failure::Failure;
use crate::logfile::{LogFile, Next};
use crate::picture::thousands;
use crate::show::{Form, say};
use clap::Args;
use std::path::PathBuf;
use sumun_auditor::Trail;

/// Check a server's log against every invariant, running or stopped
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  sumun verify --data ./sumun-data
  sumun verify --data ./sumun-data --json

Reads only: nothing is locked, cut or repaired. Beside a running server it reads up to the log's durable end. Ends with 1
when anything is not as it must be, and says what and where.")]
pub(crate) struct Verify {
    /// Directory of the server
    #[arg(long, value_name = "DIR", env = "SUMUN_DATA", default_value = "./sumun-data", hide_env_values = true)]
    data: PathBuf,
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
    let mut log = LogFile::open(&arguments.data)?;
    let mut trail = Trail::new();
    let no = |complaint: sumun_auditor::Complaint| Failure::No(complaint.to_string());
    log.each(0, |event| trail.feed(event).map(|()| Next::Go).map_err(no))?;
    let proven = trail.finish().map_err(no)?;
    let (bounds, torn) = (log.reader().bounds(), log.reader().torn());
    let state = match (log.reader().is_running(), log.reader().is_clean(), torn) {
        (true, ..) => "running".to_owned(),
        (false, true, _) => "closed".to_owned(),
        (false, false, None) => "not closed: the server was killed".to_owned(),
        (false, false, Some(torn)) => {
            format!("not closed: {} bytes of a write that was never acknowledged are left out", thousands(torn.bytes))
        }
    };
    if arguments.form.json {
        let text = serde_json::json!({
            "clean": true,
            "log": log.id().to_string(),
            "running": log.reader().is_running(),
            "closed": log.reader().is_clean(),
            "torn_bytes": torn.map(|torn| torn.bytes),
            "first_sequence": bounds.first,
            "last_sequence": bounds.last,
            "events": proven.events,
            "items": proven.items,
            "reservations": proven.reservations,
            "whole_items": proven.whole_items,
            "whole_reservations": proven.whole_reservations,
        });
        return say(&text.to_string());
    }
    let followed = |whole: u64, all: u64| match all - whole {
        0 => String::new(),
        some => format!(", {} of them from their first kept event on", thousands(some)),
    };
    say(&format!("log           {} ({state})", log.id()))?;
    say(&format!(
        "events        {}, sequences {} to {} without gap",
        thousands(proven.events),
        bounds.first,
        bounds.last
    ))?;
    let (items, reservations) = (thousands(proven.items), thousands(proven.reservations));
    say(&format!(
        "items         {items}: every unit is somewhere, once{}",
        followed(proven.whole_items, proven.items)
    ))?;
    let rest = followed(proven.whole_reservations, proven.reservations);
    say(&format!("reservations  {reservations}: each ended once or is open, all lines or none{rest}"))?;
    say("clean")
}
