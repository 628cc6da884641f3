//! A mirror that knows events alone, beside a server under load through RESP and HTTP, both killed at random: at the end
//! its tables are the server's records, and it has met no gap.
//!
//! `follow` is the mirror, a process of its own (`sumun-mirror`) that says by its end that it found a gap. What a mirror
//! does whose place the log has lost stands there: it reads all that there is, and goes on from the log's beginning.
//! In some rounds the log keeps next to nothing, and the mirror is kept down until that has happened.
//!
//! Never here: any part of the server, or its log other than as HTTP gives it.

mod compare;
mod follow;
mod load;
mod tables;

pub use follow::follow;
pub use tables::Tables;

use crate::support::server::{verify, with_words};
use crate::support::{Scratch, Server, Setup, binary, clock, log};
use load::{Place, Shop};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use sumun_auditor::generate::Random;

/// Kills of a round, and how long is between two of them.
const KILLS: u64 = 5;
const BETWEEN_MS: u64 = 350;
/// How long the mirror may take to catch up with a server that nobody asks anything any more.
const CATCH_UP_MS_MAX: u64 = 30_000;
/// Ends by time go on after the load: so often they are let end before a difference is one.
const LOOKS_MAX: usize = 50;
/// A log that keeps next to nothing, and what it takes until it has lost something.
const SHORT: [&str; 4] = ["--segment", "4MiB", "--log-retention", "1s"];
const TRIM_MS_MAX: u64 = 60_000;

/// What there was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub rounds: u64,
    pub server_kills: u64,
    pub mirror_kills: u64,
    pub both_at_once: u64,
    pub commands: u64,
    pub events: u64,
    pub items: usize,
    pub reservations: usize,
    /// Mirrors that read the tables whole, as the log had lost their place.
    pub read_whole: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Figures { rounds, server_kills, mirror_kills, both_at_once, commands, events, .. } = self;
        write!(f, "{rounds} rounds: {commands} commands, {events} events; {server_kills} kills of the server, ")?;
        write!(f, "{mirror_kills} of the mirror, {both_at_once} of both; {} items and ", self.items)?;
        write!(f, "{} reservations compared; {} mirrors had to read all anew", self.reservations, self.read_whole)
    }
}

/// Runs so many rounds, each on a data directory of its own; every third with a log that keeps next to nothing.
///
/// # Errors
/// A gap that the mirror met, or a difference; the folder is left behind.
pub fn run(rounds: u64, seed: u64, say: &mut dyn FnMut(&str)) -> Result<Figures, String> {
    let mut total = Figures::default();
    for number in 0..rounds {
        let (short, seed) = (number % 3 == 2, seed.wrapping_add(number));
        let before = total;
        round(seed, short, &mut total)?;
        total.rounds += 1;
        let (events, reservations) = (total.events - before.events, total.reservations - before.reservations);
        let log = if short { "a short log" } else { "the whole log" };
        say(&format!("round {:>3}, {log}: {events} events, {reservations} reservations, no gap", number + 1));
    }
    Ok(total)
}

/// One round.
///
/// # Errors
/// As [`run`].
pub fn round(seed: u64, short: bool, total: &mut Figures) -> Result<(), String> {
    let mut scratch = Scratch::new("mirror");
    let mut setup = Setup::below(scratch.path());
    if short {
        setup.flags = SHORT.map(str::to_owned).to_vec();
    }
    let done = Round::start(seed, &setup, scratch.path()).and_then(|mut round| round.all(short, total));
    done.map_err(|why| {
        scratch.keep();
        let at = format!("seed {seed}, kept in {}", scratch.path().display());
        with_words(&at, &why, &setup.data)
    })
}

/// The mirror's process. Dropped, it is killed.
struct Mirror {
    child: Child,
    folder: PathBuf,
}

impl Mirror {
    fn start(folder: &Path) -> Result<Mirror, String> {
        let said = File::options().create(true).append(true).open(folder.join("mirror.err"));
        let child = Command::new(binary::mirror())
            .arg(folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said.map_err(|error| format!("the mirror's words: {error}"))?)
            .spawn()
            .map_err(|error| format!("cannot start the mirror: {error}"))?;
        Ok(Mirror { child, folder: folder.to_path_buf() })
    }

    /// It never ends by itself, but when something is wrong.
    fn lives(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            other => {
                let said = fs::read_to_string(self.folder.join("mirror.err")).unwrap_or_default();
                Err(format!("the mirror ended ({other:?}): {said}"))
            }
        }
    }

    fn kill(&mut self) -> Result<(), String> {
        self.lives()?;
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(|error| format!("no kill: {error}"))
    }

    fn tables(&self) -> Result<Tables, String> {
        Tables::read(&self.folder.join(follow::TABLES)).map_err(|error| format!("the mirror's tables: {error}"))
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // Ended already, or ended now: no process is left behind.
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

struct Round<'a> {
    seed: u64,
    setup: &'a Setup,
    folder: &'a Path,
    server: Server,
    mirror: Mirror,
    random: Random,
}

impl<'a> Round<'a> {
    fn start(seed: u64, setup: &'a Setup, folder: &'a Path) -> Result<Round<'a>, String> {
        let server = Server::start(setup)?;
        let mirror = Mirror::start(folder)?;
        Ok(Round { seed, setup, folder, server, mirror, random: Random::new(seed) })
    }

    fn all(&mut self, short: bool, total: &mut Figures) -> Result<(), String> {
        let shop = Shop::new(self.seed);
        self.tell(&shop.place)?;
        let disturbed = std::thread::scope(|scope| {
            let shop = &shop;
            let clients: Vec<_> = (0..load::CLIENTS).map(|n| scope.spawn(move || shop.client(n))).collect();
            let disturbed = self.disturb(shop, short, total);
            shop.over.store(true, Ordering::Release);
            let served: Result<Vec<()>, String> = clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
                .collect();
            disturbed.and(served.map(drop))
        });
        disturbed?;
        total.commands += shop.answered.load(Ordering::Relaxed);
        let tables = self.compared(&shop)?;
        if short && tables.read_whole == 0 {
            return Err("the log lost the mirror's place, and the mirror did not notice".to_owned());
        }
        total.events += tables.after;
        total.items += tables.items.len();
        total.reservations += tables.reservations.len();
        total.read_whole += u64::from(tables.read_whole > 0);
        self.mirror.kill()?;
        self.server.kill()?;
        if self.mirror.tables()?.after < tables.after {
            return Err("the mirror's tables went back".to_owned());
        }
        verify(self.server.data()).map(drop)
    }

    /// Says to all where the server is now.
    fn tell(&self, place: &Place) -> Result<(), String> {
        place.set(Some((self.server.resp, self.server.http)));
        let beside = self.folder.join("address.new");
        let written = fs::write(&beside, self.server.http.to_string());
        let told = written.and_then(|()| fs::rename(&beside, self.folder.join(follow::ADDRESS)));
        told.map_err(|error| format!("the address: {error}"))
    }

    fn disturb(&mut self, shop: &Shop, short: bool, total: &mut Figures) -> Result<(), String> {
        for kill in 0..KILLS {
            clock::sleep_ms(50 + self.random.below(BETWEEN_MS));
            if short && kill == KILLS / 2 {
                self.fall_behind(shop)?;
                total.mirror_kills += 1;
            }
            // Each of the three in every round; the others as it comes.
            match if kill < 3 { kill } else { self.random.below(3) } {
                0 => {
                    self.mirror.kill()?;
                    clock::sleep_ms(self.random.below(200));
                    self.mirror = Mirror::start(self.folder)?;
                    total.mirror_kills += 1;
                }
                1 => {
                    self.restart(shop)?;
                    total.server_kills += 1;
                }
                _ => {
                    shop.place.set(None);
                    self.server.kill()?;
                    self.mirror.kill()?;
                    self.mirror = Mirror::start(self.folder)?;
                    self.server = Server::start(self.setup)?;
                    self.tell(&shop.place)?;
                    total.both_at_once += 1;
                }
            }
        }
        clock::sleep_ms(BETWEEN_MS);
        self.mirror.lives()
    }

    fn restart(&mut self, shop: &Shop) -> Result<(), String> {
        shop.place.set(None);
        self.server.kill()?;
        self.server = Server::start(self.setup)?;
        self.tell(&shop.place)
    }

    /// The mirror is kept down until the log has lost its place.
    fn fall_behind(&mut self, shop: &Shop) -> Result<(), String> {
        self.mirror.kill()?;
        let after = self.mirror.tables()?.after;
        let begun = clock::ticks_ns();
        loop {
            shop.fill(200)?;
            let mut web = self.server.web().map_err(|error| error.to_string())?;
            let page = web.get(&format!("/v1/events?limit=1&after={after}")).map_err(|error| error.to_string())?;
            match page.head.status {
                410 => break,
                200 => {}
                other => return Err(format!("a page of events was answered with {other}")),
            }
            if clock::ticks_ns() - begun > TRIM_MS_MAX * 1_000_000 {
                return Err("the log loses nothing".to_owned());
            }
        }
        self.mirror = Mirror::start(self.folder)?;
        Ok(())
    }

    /// The mirror at the log's end, and its tables the server's records.
    fn compared(&mut self, shop: &Shop) -> Result<Tables, String> {
        let mut looks = 0;
        loop {
            let tables = self.caught_up()?;
            let found = compare::differences(&self.server, &tables, &shop.names());
            let found = found.map_err(|error| format!("the server's records: {error}"))?;
            if found.is_empty() {
                return Ok(tables);
            }
            looks += 1;
            // What ends by time between two looks is no difference.
            if looks == LOOKS_MAX || self.durable_end()? == tables.after {
                let shown: Vec<String> = found.into_iter().take(10).collect();
                return Err(format!("the mirror, at event {}, differs:\n  {}", tables.after, shown.join("\n  ")));
            }
        }
    }

    fn durable_end(&self) -> Result<u64, String> {
        let end = log::durable_end(self.server.data()).map_err(|error| error.to_string())?;
        end.map(|(last, _)| last).ok_or_else(|| "the server is gone".to_owned())
    }

    fn caught_up(&mut self) -> Result<Tables, String> {
        let end = self.durable_end()?;
        let mut last = Ok(());
        let found = clock::eventually(CATCH_UP_MS_MAX, || {
            last = self.mirror.lives();
            let tables = self.mirror.tables().ok()?;
            (last.is_err() || tables.after >= end).then_some(tables)
        });
        last?;
        found.ok_or_else(|| format!("the mirror does not reach event {end} in {CATCH_UP_MS_MAX} ms"))
    }
}
