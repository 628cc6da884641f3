//! Power loss: the real server over a shim that holds and fails its syncs; then `kill -9`, and a cut that undoes at
//! random what no sync had made durable, names included; a restart, the audit, and again on the same data.
//!
//! `bitten` makes the shim swallow syncs, so that the same audit must find what is lost: the proof that this one can fail.

pub mod cut;
pub mod shim;

use crate::audit::{Audit, Figures};
use crate::crash::{Keep, Past, STORE_AT_ONCE, life_flags, open_items, sample};
use crate::load::{Asked, Board, DEPTHS};
use crate::support::server::{Setup, verify, with_words, words};
use crate::support::{Scratch, Server, clock};
use cut::{Cut, cut};
use shim::{EVERY, LOGS, OTHERS, STORE, Shim, Word};
use std::fmt;
use std::sync::atomic::Ordering;
use sumun_auditor::Writes;
use sumun_auditor::generate::Random;

/// Rounds of one data directory, before the next begins with a fresh one.
const ROUNDS_PER_SERIES: u64 = 10;
/// Answers after which the disk misbehaves or the power goes, at most.
const ANSWERS_MAX: u64 = 900;
/// Answers that a server must give again after the disk has come to itself.
const ANSWERS_AFTER: u64 = 30;
const WAIT_MS_MAX: u64 = 20_000;
/// Within so many rounds a server whose syncs do nothing must have been found out.
const BITES_MAX: u64 = 20;

/// What the disk does before the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// Syncs of the log fail, so many; what was not durable is written again elsewhere, and the load goes on.
    Fails(u32),
    /// The power goes while syncs are held.
    Holds,
    /// All syncs fail when the power goes.
    FailsAll,
    /// All syncs fail for a while; the server comes back by itself.
    FailsForAWhile,
    /// The store's syncs are held, and the load goes on until the power goes.
    StoreHolds,
    /// The store's syncs fail, so many, and the load goes on.
    StoreFails(u32),
    /// All of the store's syncs fail when the power goes; the load goes on with what is in memory.
    StoreFailsAll,
    /// The store's syncs do nothing: it has synced since.
    StoreSwallows,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub figures: Figures,
    pub cut: Cut,
    pub syncs: u64,
    pub failed: u64,
    /// Rounds in which the server was started again between the kill and the cut.
    pub revived: u64,
}

/// Every kind in every ten rounds.
const fn trouble(round: u64) -> Trouble {
    match round % ROUNDS_PER_SERIES {
        0 => Trouble::Fails(1),
        1 => Trouble::StoreFails(1),
        2 => Trouble::Holds,
        3 => Trouble::FailsAll,
        4 => Trouble::None,
        5 => Trouble::StoreFailsAll,
        6 => Trouble::FailsForAWhile,
        7 => Trouble::StoreHolds,
        8 => Trouble::StoreFails(3),
        _ => Trouble::Fails(3),
    }
}

impl Total {
    fn add(&mut self, other: Total) {
        self.figures.add(other.figures);
        self.cut.add(other.cut);
        self.syncs += other.syncs;
        self.failed += other.failed;
        self.revived += other.revived;
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; {} syncs, {} failed; {} revived; {}",
            self.figures, self.syncs, self.failed, self.revived, self.cut
        )
    }
}

/// Cuts the power so often, on as many data directories as it takes. Says what each round came to.
pub fn run(rounds: u64, seed: u64, say: &mut dyn FnMut(&str)) -> Result<Total, String> {
    let mut total = Total::default();
    let mut done = 0;
    while done < rounds {
        let mut scratch = Scratch::new("power");
        let mut series = Series::start(&scratch, seed.wrapping_add(done))?;
        for round in 0..ROUNDS_PER_SERIES.min(rounds - done) {
            let (trouble, came) = series.round(round, 0).map_err(|why| {
                scratch.keep();
                let at = format!("round {} (seed {seed}), data in {}", done + round + 1, scratch.path().display());
                with_words(&at, &why, &series.setup.data)
            })?;
            say(&format!("round {:>3}, {trouble:?}: {came}", done + round + 1));
            total.add(came);
        }
        series.finish().inspect_err(|_| scratch.keep())?;
        done += ROUNDS_PER_SERIES.min(rounds - done);
    }
    Ok(total)
}

/// What stands there after cuts of a server whose store's syncs do nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unkept {
    pub rounds: u64,
    /// Starts that refused the store, which was then moved away and built again from the log.
    pub refused: u64,
    pub figures: Figures,
    pub cut: Cut,
}

/// Rounds in which only the store's syncs do nothing. The log is whole: either the store is found out when it is opened,
/// or what it shows is true. Whatever is acknowledged is there, in both cases.
pub fn store_unkept(rounds: u64, seed: u64) -> Result<Unkept, String> {
    let mut scratch = Scratch::new("unkept");
    let mut series = Series::start(&scratch, seed)?;
    let mut unkept = Unkept::default();
    for round in 0..rounds {
        let done = series.unkept_round(round, &mut unkept);
        done.map_err(|why| {
            scratch.keep();
            let at = format!("round {} (seed {seed}), data in {}", round + 1, scratch.path().display());
            with_words(&at, &why, &series.setup.data)
        })?;
        unkept.rounds += 1;
    }
    Ok(unkept)
}

/// Rounds with syncs that do nothing (1: all but the store's, 2: those of folders among these), until the audit finds
/// what is lost: gives its words. An error: it found nothing.
pub fn bitten(swallow: u32, seed: u64) -> Result<String, String> {
    let scratch = Scratch::new("bitten");
    let mut series = Series::start(&scratch, seed)?;
    for round in 0..BITES_MAX {
        if let Err(why) = series.round(round, swallow) {
            return Ok(why);
        }
    }
    Err(format!("{BITES_MAX} power cuts without syncs, and nothing was missed"))
}

/// One disk and the servers that live on it, one after the other.
struct Series {
    shim: Shim,
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
        let shim = Shim::below(scratch.path()).map_err(|error| format!("cannot set up the shim: {error}"))?;
        let mut random = Random::new(seed);
        let keep = Keep::pick(&mut random);
        let flags = keep.flags(STORE_AT_ONCE.map(str::to_owned).to_vec());
        let setup = Setup { flags, ..shim.setup() };
        let server = Server::start(&setup)?;
        if shim.get(Word::Loaded)? != server.pid() {
            return Err("the server runs without the shim".to_owned());
        }
        let mut audit = Audit::new();
        audit.set_writes(Writes::MayFail);
        audit.judge(&setup.data, &open_items(&server)?)?;
        Ok(Series { shim, setup, server, audit, random, past: Past::default(), name: seed, keep })
    }

    fn round(&mut self, number: u64, swallow: u32) -> Result<(Trouble, Total), String> {
        // Of its own, so that what a round does hangs on nothing that came before it.
        self.random = Random::new(self.name.wrapping_mul(1_000_003) ^ number);
        let trouble = if swallow > 0 { Trouble::None } else { trouble(number) };
        self.swallow(swallow)?;
        let mut asked = self.load(number, trouble)?;
        let (syncs, failed) = (self.shim.get(Word::Synced)?, self.shim.get(Word::Failed)?);
        let revived = number % 3 == 2;
        if revived {
            // Killed, and started again with the power still on: what it shows then must not go with the cut.
            self.shim.set(Word::Hold, 0)?;
            self.shim.set(Word::Fail, 0)?;
            self.start_and_judge(&asked)?;
            asked.clear();
            self.server.kill()?;
        }
        let undone = cut(&self.shim, &mut self.random).map_err(|error| format!("cannot cut the power: {error}"))?;
        self.swallow(swallow)?;
        self.start_and_judge(&asked)?;
        if revived {
            self.audit.finish(&self.setup.data)?;
        }
        verify(&self.setup.data)?;
        let figures = self.audit.take_figures();
        Ok((
            trouble,
            Total { figures, cut: undone, syncs: syncs.into(), failed: failed.into(), revived: revived.into() },
        ))
    }

    /// The store's syncs are left alone: it would be found out before the log.
    fn swallow(&self, swallow: u32) -> Result<(), String> {
        self.shim.set(Word::Aim, if swallow > 0 { OTHERS } else { 0 })?;
        self.shim.set(Word::Swallow, swallow)
    }

    fn unkept_round(&mut self, number: u64, unkept: &mut Unkept) -> Result<(), String> {
        self.random = Random::new(self.name.wrapping_mul(1_000_003) ^ number);
        self.shim.set(Word::Aim, STORE)?;
        self.shim.set(Word::Swallow, 1)?;
        let asked = self.load(number, Trouble::StoreSwallows)?;
        unkept.cut.add(cut(&self.shim, &mut self.random).map_err(|error| format!("cannot cut the power: {error}"))?);
        self.shim.set(Word::Aim, STORE)?;
        self.shim.set(Word::Swallow, 1)?;
        if let Err(why) = self.start_and_judge(&asked) {
            if !(why.contains("the server did not say that it is ready") && why.contains("the store")) {
                return Err(why);
            }
            unkept.refused += 1;
            let store = self.setup.data.join("0/store");
            let aside = self.setup.data.join(format!("0/store-{number}"));
            std::fs::rename(&store, &aside).map_err(|error| format!("cannot move the store away: {error}"))?;
            self.start_and_judge(&asked)?;
        }
        self.audit.finish(&self.setup.data)?;
        unkept.figures.add(self.audit.take_figures());
        Ok(())
    }

    fn start_and_judge(&mut self, asked: &[Asked]) -> Result<(), String> {
        self.setup.flags = self.keep.flags(life_flags(&mut self.random, 100));
        self.server = Server::start(&self.setup)?;
        let again = self.audit.judge(&self.setup.data, asked)?;
        let mut again = sample(&mut self.random, again, asked);
        self.past.ask(&mut self.random, &mut again);
        self.past.remember(&mut self.random, asked);
        self.audit.ask_again(&self.server, again)
    }

    /// Load until the kill.
    fn load(&mut self, number: u64, trouble: Trouble) -> Result<Vec<Asked>, String> {
        let board = Board::new(&format!("{}p{number}", self.name), self.random.next());
        let address = self.server.resp;
        std::thread::scope(|scope| {
            let shared = &board;
            let clients: Vec<_> = (0..DEPTHS.len()).map(|c| scope.spawn(move || shared.client(c, address))).collect();
            let done = self.trouble(&board, trouble);
            board.ending.store(true, Ordering::Release);
            let killed = self.server.kill();
            let clients: Result<Vec<()>, String> = clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
                .collect();
            killed.and(clients).and(done)
        })?;
        let closed = board.closed.load(Ordering::Relaxed);
        if closed > 0 && !matches!(trouble, Trouble::Fails(_) | Trouble::FailsAll | Trouble::FailsForAWhile) {
            return Err(format!("{closed} connections were closed though the disk was well"));
        }
        Ok(board.into_asked())
    }

    /// Everything up to the moment of the kill.
    fn trouble(&mut self, board: &Board, trouble: Trouble) -> Result<(), String> {
        let answers = 1 + self.random.below(ANSWERS_MAX);
        let answered = || board.answered.load(Ordering::Relaxed);
        let wait_for = |answers: u64| {
            let enough = || (answered() >= answers).then_some(());
            clock::eventually(WAIT_MS_MAX, enough).ok_or_else(|| format!("{} of {answers} answers came", answered()))
        };
        let wait_until = |word: Word, least: u32| {
            let reached = || self.shim.get(word).is_ok_and(|value| value >= least).then_some(());
            clock::eventually(WAIT_MS_MAX, reached).ok_or_else(|| format!("the shim never came to {word:?} {least}"))
        };
        wait_for(answers)?;
        match trouble {
            Trouble::None => {}
            Trouble::StoreSwallows => wait_until(Word::Swallowed, 1)?,
            Trouble::StoreHolds => {
                self.shim.set(Word::Aim, STORE)?;
                self.shim.set(Word::Hold, 1)?;
                wait_until(Word::Held, 1)?;
                wait_for(answered() + ANSWERS_AFTER)?;
            }
            Trouble::StoreFails(count) => {
                self.shim.set(Word::Aim, STORE)?;
                self.shim.set(Word::Fail, count)?;
                wait_until(Word::Failed, count)?;
                wait_for(answered() + ANSWERS_AFTER)?;
            }
            Trouble::StoreFailsAll => {
                self.shim.set(Word::Aim, STORE)?;
                self.shim.set(Word::Fail, EVERY)?;
                wait_until(Word::Failed, 2)?;
            }
            Trouble::Fails(count) => {
                self.shim.set(Word::Aim, LOGS)?;
                self.shim.set(Word::Fail, count)?;
                wait_until(Word::Failed, count)?;
                wait_for(answered() + ANSWERS_AFTER)?;
            }
            Trouble::Holds => {
                self.shim.set(Word::Hold, 1)?;
                wait_until(Word::Held, 1)?;
            }
            Trouble::FailsAll => {
                self.shim.set(Word::Fail, EVERY)?;
                wait_until(Word::Failed, 2)?;
            }
            Trouble::FailsForAWhile => {
                self.shim.set(Word::Fail, EVERY)?;
                wait_until(Word::Failed, 4)?;
                self.shim.set(Word::Fail, 0)?;
                wait_for(answered() + ANSWERS_AFTER)?;
            }
        }
        clock::sleep_us(self.random.below(5_000));
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        self.audit.finish(&self.setup.data)?;
        let status = self.server.terminate()?;
        if !status.success() {
            return Err(format!("a stop ended with {status}: {}", words(&self.setup.data)));
        }
        self.audit.finish(&self.setup.data)?;
        verify(&self.setup.data).map(drop)
    }
}
