//! What every measurement stands on: a server on a scratch folder, what it takes as the kernel counts it, what it says of
//! itself, and answers that must be the same when they are asked for again.

use super::caps::{AGAIN, CATCH_UP_MS, ON_TOP_BYTES};
use super::drive::{FULL, Pace, Until, Work, drive};
use super::pace::Outcome;
use super::report::{Report, Wanted};
use super::watch::Watch;
use super::work::Each;
use super::{Options, words};
use crate::crowd::{Process, figure};
use crate::support::server::{Setup, verify, words as said};
use crate::support::{Connection, Scratch, Server, Value, clock};
use std::path::PathBuf;
use sumun_auditor::generate::Random;

pub(super) const MIB: f64 = 1_048_576.0;

pub(super) struct Stage<'a> {
    pub(super) options: &'a Options,
    pub(super) report: Report,
    pub(super) setup: Setup,
    /// All of the data lies in it, and goes with it.
    _scratch: Scratch,
}

impl<'a> Stage<'a> {
    pub(super) fn new(what: &str, options: &'a Options, flags: &[String]) -> Stage<'a> {
        let mut scratch = Scratch::new(what);
        if options.keep {
            scratch.keep();
        }
        let setup = Setup { flags: flags.to_vec(), ..Setup::below(scratch.path()) };
        Stage { options, report: Report::new(what, options.scale), setup, _scratch: scratch }
    }

    /// So many at full size, fewer when the run is scaled; never none.
    pub(super) fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.options.scale) as u64).max(1)
    }

    pub(super) fn start(&self) -> Result<Server, String> {
        Server::start(&self.setup)
    }

    /// Starts it, and says how many milliseconds went by from its exec to the first answer of a command.
    pub(super) fn start_timed(&self) -> Result<(Server, f64), String> {
        let began = clock::ticks_ns();
        let server = self.start()?;
        let mut connection = server.connect().map_err(|error| error.to_string())?;
        let first = connection.say("ITEM s00000000").map_err(|error| error.to_string())?;
        let took_ms = (clock::ticks_ns() - began) as f64 / 1e6;
        if let Some(error) = first.error() {
            return Err(format!("the server said that it is ready, and then -{error}"));
        }
        Ok((server, took_ms))
    }

    /// A load that ends by itself; refusals for the moment are noted.
    pub(super) fn load(
        &mut self,
        name: &str,
        server: &Server,
        pace: Pace,
        until: Until<'_>,
        work: &mut impl Work,
    ) -> Result<Outcome, String> {
        let outcome = drive(server.resp, pace, until, work).map_err(|why| self.blame(name, &why))?;
        if let Some(why) = &outcome.broken {
            return Err(self.blame(name, why));
        }
        if outcome.refused() > 0 {
            self.report.note(format!("{name}: refused for the moment and asked again: {:?}", outcome.refusals));
        }
        Ok(outcome)
    }

    fn blame(&self, name: &str, why: &str) -> String {
        format!("{name}: {why}\nthe server said: {}", said(&self.setup.data))
    }

    /// Makes items with many units each, and says at which rate.
    pub(super) fn receive(&mut self, server: &Server, items: std::ops::Range<u64>) -> Result<Outcome, String> {
        let mut work = Each::of(items, b':', |item, out| {
            words::receive(out, item, 1_000_000_000, &words::id(99, item));
        });
        self.load("receipts", server, FULL, Until::default(), &mut work)
    }

    /// Waits until the store has all that the log has, and says how many milliseconds that took.
    pub(super) fn catch_up(&self, server: &Server) -> Result<f64, String> {
        let mut connection = server.connect().map_err(|error| error.to_string())?;
        let began = clock::ticks_ns();
        let caught = clock::eventually(CATCH_UP_MS, || {
            let unsaved = figure(&mut connection, "store_unsaved").ok()?;
            clock::sleep_ms(20);
            (unsaved == 0).then_some(())
        });
        caught.ok_or_else(|| format!("the store has not caught up in {CATCH_UP_MS} ms"))?;
        Ok((clock::ticks_ns() - began) as f64 / 1e6)
    }

    /// Ends a watch, states what it saw and that it is within `memory` and the constant.
    pub(super) fn within(&mut self, watch: Watch, memory: u64) -> Result<(), String> {
        let seen = watch.end()?;
        let bound = memory + ON_TOP_BYTES;
        self.report.figure("--memory", memory as f64 / MIB, "MiB");
        self.report.wanted("RSS at most", seen.rss as f64 / MIB, "MiB", Wanted::AtMost(bound as f64 / MIB));
        self.report.figure("RSS of its own at most (RssAnon)", seen.anon as f64 / MIB, "MiB");
        let over = (seen.rss as f64 - memory as f64) / MIB;
        self.report.figure("RSS above --memory at most", over, "MiB");
        self.report.must(seen.rss <= bound, || format!("RSS was {} bytes, more than {bound}", seen.rss));
        Ok(())
    }

    /// Ends the server in peace and looks whether what it leaves is right.
    pub(super) fn stop_and_verify(&mut self, mut server: Server) -> Result<(), String> {
        let status = server.terminate()?;
        self.report.must(status.success(), || format!("a stop ended with {status}"));
        if self.options.verify {
            let began = clock::ticks_ns();
            let found = verify(&self.setup.data);
            self.report.figure("verify", (clock::ticks_ns() - began) as f64 / 1e9, "s");
            match found {
                Ok(text) => self.report.note(text.trim_end().to_owned()),
                Err(why) => self.report.must(false, || why),
            }
        } else {
            self.report.note("verify was left out".to_owned());
        }
        Ok(())
    }

    pub(super) fn data(&self) -> PathBuf {
        self.setup.data.join("0")
    }
}

pub(super) fn connect(server: &Server) -> Result<Connection, String> {
    server.connect().map_err(|error| error.to_string())
}

pub(super) fn info(connection: &mut Connection, name: &str) -> Result<f64, String> {
    figure(connection, name).map(|figure| figure as f64).map_err(|error| error.to_string())
}

pub(super) fn watch(server: &Server) -> Watch {
    Watch::of(Process(server.pid()))
}

/// Answers of some reservations and items, kept to be compared.
pub(super) struct Known(Vec<(String, Value)>);

impl Known {
    /// Asks for some of so many reservations and items.
    pub(super) fn ask(server: &Server, reservations: &[(u8, u64)], items: u64) -> Result<Known, String> {
        let mut random = Random::new(items);
        let mut asked = Vec::new();
        for &(series, count) in reservations {
            for _ in 0..AGAIN.min(count) {
                let id = words::id(series, random.below(count));
                asked.push(format!("RESERVATION {}", words::text(&id)));
            }
        }
        asked.extend((0..AGAIN.min(items)).map(|_| format!("ITEM {}", words::text(&words::sku(random.below(items))))));
        let mut connection = connect(server)?;
        let answers: Result<Vec<(String, Value)>, std::io::Error> =
            asked.into_iter().map(|command| connection.say(&command).map(|answer| (command, answer))).collect();
        answers.map(Known).map_err(|error| error.to_string())
    }

    /// How many of them are answered otherwise now, and one of these.
    pub(super) fn changed(&self, server: &Server) -> Result<Option<String>, String> {
        let mut connection = connect(server)?;
        let mut changed = Vec::new();
        for (command, before) in &self.0 {
            let now = connection.say(command).map_err(|error| error.to_string())?;
            if now != *before {
                changed.push(format!("{command} was {before} and is {now}"));
            }
        }
        let count = changed.len();
        Ok(changed.pop().map(|one| format!("{count} of {} answers have changed: {one}", self.0.len())))
    }
}
