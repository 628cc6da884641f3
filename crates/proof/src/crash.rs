//! Crash: `kill -9` of the real server at random moments under load, a restart, the audit, and again on the same data.
//!
//! The page cache outlives the process, so this says nothing of what a sync is worth: `power` does.

use crate::audit::{Audit, Figures, key};
use crate::load::{self, Asked, Board, DEPTHS, fresh_connection};
use crate::support::server::{Setup, verify, with_words};
use crate::support::{Scratch, Server, clock, log};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::Ordering;
use sumun_auditor::OwnedCommand;
use sumun_auditor::generate::Random;
use sumun_log::Position;

/// Kills of one data directory, before the next begins with a fresh one: the model takes its sums anew with each event.
const KILLS_PER_SERIES: u64 = 10;
/// Answers after which the kill comes, at most.
const ANSWERS_MAX: u64 = 1_200;
/// How long the load may take to get so many.
const LOAD_MS_MAX: u64 = 20_000;
/// Acknowledged commands that are asked again after a restart, besides all unknown ones.
const AGAIN_MAX: usize = 40;
/// Acknowledged commands that are remembered of each earlier life, and how many of all these are asked again after a
/// restart: what they ended stands in the store alone.
const PAST_PER_LIFE: usize = 60;
const PAST_MAX: usize = 40;
/// The retention of so many series in a hundred, whose lives last about a second each.
const RETENTION_SHORT: &str = "2s";
const KEEP_SHORTLY_PERCENT: u64 = 40;
/// A `--memory` of which half is for records: they leave memory as soon as they may.
const MEMORY_SMALL: &str = "2MiB";

/// Kills so often, on as many data directories as it takes. Says what each kill came to.
pub fn run(kills: u64, seed: u64, say: &mut dyn FnMut(&str)) -> Result<Figures, String> {
    let mut total = Figures::default();
    let mut done = 0;
    while done < kills {
        let of_series = KILLS_PER_SERIES.min(kills - done);
        let mut scratch = Scratch::new("crash");
        let mut series = Series::start(&scratch, seed.wrapping_add(done))?;
        for kill in 0..of_series {
            let figures = series.kill(kill).inspect_err(|_| scratch.keep());
            let figures = figures.map_err(|why| {
                let at = format!("kill {} (seed {seed}), data kept in {}", done + kill + 1, scratch.path().display());
                with_words(&at, &why, &series.setup.data)
            })?;
            say(&format!("kill {:>3}: {figures}", done + kill + 1));
            total.add(figures);
        }
        series.finish().inspect_err(|_| scratch.keep())?;
        done += of_series;
    }
    Ok(total)
}

/// After a kill, takes from the log's file what was written last, some of it acknowledged, and gives the audit's words. An
/// error: it found nothing.
pub fn bitten(seed: u64) -> Result<String, String> {
    let scratch = Scratch::new("bitten");
    let mut series = Series::start(&scratch, seed)?;
    let (_, before) = end_of(&series.setup.data)?;
    let asked = series.load(0)?;
    let path = series.setup.data.join("0/log").join(sumun_log::segment_name(before.segment));
    let segment = File::options().write(true).open(&path);
    segment
        .and_then(|segment| segment.set_len(before.offset))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    // It would refuse a log that ends before it.
    std::fs::remove_dir_all(series.setup.data.join("0/store")).map_err(|error| format!("the store: {error}"))?;
    series.server = Server::start(&series.setup)?;
    let found = series.audit.judge(&series.setup.data, &asked);
    found.err().ok_or_else(|| "all that was acknowledged is gone, and nothing was missed".to_owned())
}

fn end_of(data: &Path) -> Result<(u64, Position), String> {
    let end = log::durable_end(data).map_err(|error| error.to_string())?;
    end.ok_or_else(|| "the server is gone".to_owned())
}

/// One data directory and the servers that live on it, one after the other.
struct Series {
    setup: Setup,
    server: Server,
    audit: Audit,
    random: Random,
    past: Past,
    name: u64,
    keep: Keep,
}

impl Series {
    fn start(scratch: &Scratch, seed: u64) -> Result<Series, String> {
        let mut random = Random::new(seed);
        let keep = Keep::pick(&mut random);
        let mut setup = Setup::below(scratch.path());
        setup.flags = keep.flags(Vec::new());
        let server = Server::start(&setup)?;
        let mut audit = Audit::new();
        audit.judge(&setup.data, &open_items(&server)?)?;
        Ok(Series { setup, server, audit, random, past: Past::default(), name: seed, keep })
    }

    /// Load, a kill in its middle, a restart and the audit.
    fn kill(&mut self, number: u64) -> Result<Figures, String> {
        // Of its own, so that what a round does hangs on nothing that came before it.
        self.random = Random::new(self.name.wrapping_mul(1_000_003) ^ number);
        let asked = self.load(number)?;
        if self.random.chance(30) {
            self.kill_while_it_starts()?;
        }
        self.setup.flags = self.keep.flags(life_flags(&mut self.random, 70));
        self.server = Server::start(&self.setup)?;
        let again = self.audit.judge(&self.setup.data, &asked)?;
        let mut again = sample(&mut self.random, again, &asked);
        self.past.ask(&mut self.random, &mut again);
        self.past.remember(&mut self.random, &asked);
        self.audit.ask_again(&self.server, again)?;
        verify(&self.setup.data)?;
        Ok(self.audit.take_figures())
    }

    /// Load until the kill.
    fn load(&mut self, number: u64) -> Result<Vec<Asked>, String> {
        let board = Board::new(&format!("{}k{number}", self.name), self.random.next());
        let answers = 1 + self.random.below(ANSWERS_MAX);
        let pause_us = self.random.below(3_000);
        let address = self.server.resp;
        let killed = std::thread::scope(|scope| {
            let board = &board;
            let clients: Vec<_> = (0..DEPTHS.len()).map(|c| scope.spawn(move || board.client(c, address))).collect();
            let enough = || (board.answered.load(Ordering::Relaxed) >= answers).then_some(());
            let loaded = clock::eventually(LOAD_MS_MAX, enough);
            clock::sleep_us(pause_us);
            board.ending.store(true, Ordering::Release);
            let killed = self.server.kill();
            let clients: Result<Vec<()>, String> = clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
                .collect();
            killed.and(clients).and(loaded.ok_or_else(|| format!("no {answers} answers in {LOAD_MS_MAX} ms")))
        });
        killed?;
        let closed = board.closed.load(Ordering::Relaxed);
        if closed > 0 {
            return Err(format!("{closed} connections were closed though nobody had killed the server"));
        }
        Ok(board.into_asked())
    }

    fn kill_while_it_starts(&mut self) -> Result<(), String> {
        let mut child = Server::launch(&self.setup)?;
        clock::sleep_us(self.random.below(25_000));
        child.kill().and_then(|()| child.wait()).map(drop).map_err(|error| format!("no kill at its start: {error}"))
    }

    fn finish(&mut self) -> Result<(), String> {
        self.audit.finish(&self.setup.data)?;
        let status = self.server.terminate()?;
        if !status.success() {
            return Err(format!("a stop ended with {status}"));
        }
        self.audit.finish(&self.setup.data)?;
        verify(&self.setup.data).map(drop)
    }
}

/// What was asked in earlier lives and acknowledged, some of it.
#[derive(Debug, Default)]
pub(crate) struct Past(Vec<OwnedCommand>);

impl Past {
    /// Adds some of it to what is asked again.
    pub(crate) fn ask(&self, random: &mut Random, again: &mut Vec<OwnedCommand>) {
        for _ in 0..PAST_MAX.min(self.0.len()) {
            let command = random.pick(&self.0);
            let id = key::reservation(command);
            match id.filter(|_| random.chance(30)) {
                Some(id) => again.push(OwnedCommand::Reservation { id: id.to_owned() }),
                None => again.push(command.clone()),
            }
        }
    }

    pub(crate) fn remember(&mut self, random: &mut Random, asked: &[Asked]) {
        let named = |command: &&OwnedCommand| load::may_be_asked_again(command) && !load::is_read(command);
        let known: Vec<&OwnedCommand> =
            asked.iter().filter(|one| one.answers.is_some()).flat_map(|one| &one.commands).filter(named).collect();
        self.0.extend((0..PAST_PER_LIFE.min(known.len())).map(|_| (*random.pick(&known)).clone()));
    }
}

/// How long ids are remembered on one data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    AsUsual,
    /// For less than most directories last.
    Shortly,
}

impl Keep {
    pub(crate) fn pick(random: &mut Random) -> Keep {
        if random.chance(KEEP_SHORTLY_PERCENT) { Keep::Shortly } else { Keep::AsUsual }
    }
    /// A life's flags with those for it. The whole log is kept: the audit reads it.
    pub(crate) fn flags(self, mut flags: Vec<String>) -> Vec<String> {
        if self == Keep::Shortly {
            flags.extend(["--retention", RETENTION_SHORT, "--log-retention", "1d"].map(str::to_owned));
        }
        flags
    }
}

/// Hands over to the store at once, so that there is something in it when the end comes.
pub(crate) const STORE_AT_ONCE: [&str; 2] = ["--store-delay", "0s"];

/// Flags of one life: so many in a hundred hand over to the store at once; in every other records leave memory as soon as
/// they may.
pub(crate) fn life_flags(random: &mut Random, at_once: u64) -> Vec<String> {
    let small = random.chance(50).then_some(["--memory", MEMORY_SMALL]);
    let at_once = random.chance(at_once).then_some(STORE_AT_ONCE);
    small.into_iter().chain(at_once).flatten().map(str::to_owned).collect()
}

/// All unknown ones, and some of the acknowledged.
pub(crate) fn sample(random: &mut Random, mut again: Vec<OwnedCommand>, asked: &[Asked]) -> Vec<OwnedCommand> {
    let known: Vec<&OwnedCommand> =
        asked.iter().filter(|one| one.answers.is_some()).flat_map(|one| &one.commands).collect();
    for _ in 0..AGAIN_MAX.min(known.len()) {
        again.push((*random.pick(&known)).clone());
    }
    again
}

/// Makes the items, and says what was asked for that.
pub(crate) fn open_items(server: &Server) -> Result<Vec<Asked>, String> {
    let mut socket = server.connect().map_err(|error| error.to_string())?;
    let connection = fresh_connection();
    let mut asked = Vec::new();
    for (place, command) in load::opening().into_iter().enumerate() {
        let began_ns = clock::ticks_ns();
        let answer = socket.say(&command.to_string()).map_err(|error| format!("{command}: {error}"))?;
        asked.push(Asked {
            connection,
            place: place as u64,
            commands: vec![command],
            exec: false,
            answers: Some(vec![answer]),
            began_ns,
            ended_ns: clock::ticks_ns(),
        });
    }
    Ok(asked)
}
