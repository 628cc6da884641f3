//! One seed's world: a disk, a store, a clock, an engine, the auditor, and what is not yet proven.
//!
//! lines: faults, steps and judging share the one list of what is not yet proven.

use crate::coverage::Condition;
use crate::delayed::Delayed;
use crate::events;
use crate::report::{Failure, Report, Setup};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sumun_auditor::generate::{Generator, Random, Step};
use sumun_auditor::{Ledger, OwnedCommand, Trail, Writes};
use sumun_engine::env::Env;
use sumun_engine::{Budget, Engine, Exec, Handled, Opened, Opener, Options, Shelves};
use sumun_log::disk::Disk;
use sumun_log::faulty::{Call, FaultyDisk};
use sumun_log::{Crew, FileLog, LogId, ReaderEnd, Setup as LogSetup};
use sumun_store::{Call as StoreCall, Twin};
use sumun_wire::{Answer, Command, Event, Timestamp, Trace};

/// Error numbers that a disk gives: an I/O error, no space.
const EIO: i32 = 5;
/// Where a simulated time begins: some day in 2026.
const BEGIN_MS: u64 = 1_770_000_000_000;
/// Small segments, so that many are begun.
const SEGMENT_BYTES: u64 = 64 * 1024;

/// A seed's rest before its last restart.
const REST_STEPS: u64 = 600;
const REST_STEP_MS: u64 = 200;

/// Runs one seed to its end.
pub fn run(seed: u64, setup: &Setup) -> Result<Report, Failure> {
    let mut world = World::new(seed);
    let result = world.run(setup);
    result.map_err(|what| Failure {
        seed,
        commands: world.report.commands,
        what,
        before: world.trace.iter().cloned().collect(),
    })?;
    Ok(world.report)
}

/// Time that passes at once, before which reads under way are let arrive.
const LONG_MS: u64 = 1_000;

/// Virtual time and the seed's randomness.
#[derive(Debug)]
struct SimEnv {
    clock: Arc<AtomicU64>,
    random: Random,
}

impl Env for SimEnv {
    fn now_ms(&mut self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }
    fn ticks_ns(&mut self) -> u64 {
        self.clock.load(Ordering::Relaxed) * 1_000_000
    }
    fn cpu_ns(&mut self) -> u64 {
        // Steps are bounded by what they do.
        0
    }
    fn drift_ms(&mut self) -> i64 {
        0
    }
    fn random(&mut self) -> u64 {
        self.random.next()
    }
}

/// Work of the log's own is done at once.
#[derive(Debug)]
struct AtOnce;

impl Crew for AtOnce {
    fn start(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// Something that was decided and is shown once its step is proven.
struct Unproven {
    step: u64,
    now: Timestamp,
    writes: Writes,
    what: What,
    events: Vec<Event>,
    /// Records had to be read for it.
    dropped: bool,
    failures: u64,
}

enum What {
    Ends,
    Command(OwnedCommand, Answer, Option<Trace>),
    Exec(Vec<OwnedCommand>, Vec<Answer>),
}

struct World {
    random: Random,
    retention_ms: u64,
    disk: FaultyDisk,
    store: Twin,
    data: PathBuf,
    clock: Arc<AtomicU64>,
    percent: Arc<AtomicU64>,
    engine: Option<Engine>,
    ledger: Ledger,
    trail: Trail,
    generator: Generator,
    unproven: VecDeque<Unproven>,
    report: Report,
    trace: VecDeque<String>,
    /// Steps until the disk has space again; 0: it has.
    full_for: u64,
    /// Faults injected into writes and syncs so far.
    faults: u64,
    lives: u64,
    /// Newest event when this life began.
    born: u64,
}

impl World {
    fn new(seed: u64) -> World {
        // A third of all seeds forget within seconds, and come back to what they forgot.
        let forgets = seed.is_multiple_of(3);
        let retention_ms = if forgets { 1_000 * (1 + seed / 3 % 60) } else { 30 * 86_400_000 };
        let generator = Generator::new(seed ^ 0x6e4);
        World {
            retention_ms,
            random: Random::new(seed),
            disk: FaultyDisk::new(seed ^ 0xd15c),
            store: Twin::new(seed ^ 0x5702),
            data: PathBuf::from("/data"),
            clock: Arc::new(AtomicU64::new(BEGIN_MS)),
            percent: Arc::new(AtomicU64::new(100)),
            engine: None,
            ledger: Ledger::new().with_retention(retention_ms),
            trail: Trail::new().with_retention(retention_ms),
            generator: if forgets { generator.forgetting() } else { generator },
            unproven: VecDeque::new(),
            report: Report::default(),
            trace: VecDeque::new(),
            full_for: 0,
            faults: 0,
            lives: 0,
            born: 0,
        }
    }

    fn run(&mut self, setup: &Setup) -> Result<(), String> {
        let restart_every = (setup.commands / (setup.restarts + 2)).max(1);
        self.start()?;
        while self.report.commands < setup.commands || self.report.restarts < setup.restarts {
            self.faults();
            self.step()?;
            if self.random.below(restart_every) == 0 {
                self.restart()?;
            }
        }
        self.heal();
        self.settle()?;
        self.rest()?;
        self.restart()?;
        self.trail.finish().map_err(|complaint| format!("the log by itself: {complaint}"))?;
        Ok(())
    }

    fn note(&mut self, line: String) {
        if self.trace.len() == 400 {
            self.trace.pop_front();
        }
        let now = self.clock.load(Ordering::Relaxed) - BEGIN_MS;
        self.trace.push_back(format!("+{now} {line}"));
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.engine.as_ref().map_or(0, |engine| engine.shard().now()))
    }

    // Lives.

    fn opener(&mut self) -> Opener {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let (data, percent) = (self.data.clone(), Arc::clone(&self.percent));
        let mut seed = self.random.next();
        Box::new(move || {
            seed = seed.wrapping_add(1);
            let setup = LogSetup {
                disk: Arc::clone(&disk),
                data: data.clone(),
                shard: 0,
                fresh: LogId([7; 16]),
                expected: None,
                crew: Arc::new(AtOnce),
                wake: Arc::new(|| {}),
                options: sumun_log::Options { segment_bytes: SEGMENT_BYTES, ..Default::default() },
            };
            let (log, report) = FileLog::open(setup)?;
            Ok(Opened { log: Box::new(Delayed::new(log, seed, Arc::clone(&percent))), report })
        })
    }

    fn start(&mut self) -> Result<(), String> {
        self.lives += 1;
        let options = Options {
            shard: 0,
            memory: usize::MAX,
            retention_ms: self.retention_ms,
            log_retention_ms: self.retention_ms,
            stage_after_ms: [0, 0, 30, 3_000][self.random.below(4) as usize],
            accept_clock: false,
        };
        for attempt in 0.. {
            let env = Box::new(SimEnv { clock: Arc::clone(&self.clock), random: Random::new(self.random.next()) });
            let opener = self.opener();
            let store = self.store.clone();
            match Engine::open(options.clone(), env, opener, || Shelves::here(Box::new(store))) {
                Ok((engine, _)) => {
                    self.engine = Some(engine);
                    break;
                }
                Err(error) if attempt > 4 => return Err(format!("cannot start: {error}")),
                Err(_) => {
                    // A fault that was set for later met the start. The next life may find the disk whole.
                    self.disk.come_back();
                    self.heal();
                }
            }
        }
        self.load()
    }

    /// Until the engine is ready, and the auditor has seen what the log holds.
    fn load(&mut self) -> Result<(), String> {
        let engine = self.engine.as_mut().ok_or("no engine")?;
        let mut slices = 0;
        while !engine.load_slice().map_err(|error| format!("cannot load: {error}"))? {
            slices += 1;
            if slices > 100 {
                self.disk.heal();
                self.disk.set_capacity(None);
                self.store.set_full(false);
                self.store.set_stuck(false);
                self.percent.store(100, Ordering::Relaxed);
            }
            if slices > 100_000 {
                return Err(format!("loading never ends: {engine:?}"));
            }
            engine.work_on_store();
            if engine.load_wait_ms() > 0 {
                self.clock.fetch_add(engine.load_wait_ms(), Ordering::Relaxed);
            }
        }
        engine.take_failure();
        let end = ReaderEnd::Given(engine.bounds().ok_or("no log")?.end);
        for lost in std::mem::take(&mut self.unproven) {
            let commands: Vec<Command<'_>> = match &lost.what {
                What::Ends => continue,
                What::Command(command, ..) => vec![command.as_command()],
                What::Exec(commands, _) => commands.iter().map(OwnedCommand::as_command).collect(),
            };
            self.ledger.lost(&commands);
        }
        let after = self.ledger.last_sequence().map_or(0, |sequence| sequence.0);
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let found = events::of_log(&disk, Path::new(&self.data), end, after)?;
        self.feed(&found)?;
        self.ledger.recovered(&found).map_err(|complaint| format!("after a restart: {complaint}"))?;
        self.born = self.ledger.last_sequence().map_or(0, |sequence| sequence.0);
        self.check_ends()
    }

    /// What was due has ended before anybody is served, unless the disk has no room for it.
    fn check_ends(&self) -> Result<(), String> {
        let engine = self.engine.as_ref().ok_or("no engine")?;
        let due = self.ledger.due(self.now());
        if due.is_empty() || engine.no_room().is_some() {
            return Ok(());
        }
        Err(format!("ready, and these are due and have not ended: {due:?}"))
    }

    fn feed(&mut self, events: &[Event]) -> Result<(), String> {
        self.report.events += events.len() as u64;
        for event in events {
            self.trail.feed(event).map_err(|complaint| format!("the events by themselves: {complaint}"))?;
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), String> {
        self.report.restarts += 1;
        let mut engine = self.engine.take().ok_or("no engine")?;
        let how = self.random.below(4);
        self.note(format!("restart {how}"));
        self.report.fetched += engine.stats().fetched;
        self.report.failures += engine.stats().log_failures;
        match how {
            0 => {
                self.percent.store(100, Ordering::Relaxed);
                // A disk that fails under a clean stop makes it an unclean one.
                let _ = engine.close();
                drop(engine);
            }
            1 => drop(engine),
            _ => {
                drop(engine);
                self.disk.power_cut();
            }
        }
        self.disk.come_back();
        self.store.crash();
        self.heal();
        let asleep = if self.random.below(4) == 0 { self.random.below(100_000) } else { 0 };
        self.clock.fetch_add(asleep, Ordering::Relaxed);
        self.start()
    }

    // Faults.

    fn heal(&mut self) {
        self.disk.heal();
        self.disk.set_capacity(None);
        self.store.set_full(false);
        self.store.set_stuck(false);
        self.full_for = 0;
        self.percent.store(100, Ordering::Relaxed);
    }

    fn faults(&mut self) {
        if self.full_for > 0 {
            self.full_for -= 1;
            if self.full_for == 0 {
                self.disk.set_capacity(None);
            }
        }
        match self.random.below(400) {
            0..8 => {
                self.faults += 1;
                let nth = 1 + self.random.below(4);
                self.note("sync fails".into());
                self.disk.fail_nth(Call::Sync, nth, EIO);
            }
            8..12 => {
                self.faults += 1;
                let nth = 1 + self.random.below(4);
                self.note("write fails".into());
                self.disk.fail_nth(Call::Write, nth, EIO);
            }
            12..16 => {
                self.note("disk full".into());
                self.disk.set_capacity(Some(self.disk.used() + self.random.below(100_000)));
                self.full_for = 1 + self.random.below(150);
                self.report.full += 1;
            }
            16..20 => {
                let percent = [100, 100, 50, 10][self.random.below(4) as usize];
                self.percent.store(percent, Ordering::Relaxed);
            }
            20 => self.disk.set_short_writes(self.random.chance(50)),
            21 => {
                self.faults += 1;
                self.note("every sync fails for a while".into());
                self.disk.fail_nth(Call::Sync, 1, EIO);
                self.disk.fail_nth(Call::Sync, 1, EIO);
                self.disk.fail_nth(Call::Sync, 1, EIO);
            }
            22..26 => {
                let call = [StoreCall::Open, StoreCall::Write, StoreCall::Sync, StoreCall::Read];
                let call = call[self.random.below(4) as usize];
                self.note(format!("the store fails: {call:?}"));
                self.store.fail_next(call);
            }
            26 => {
                self.note("the store's disk is full".into());
                self.store.set_full(true);
            }
            27..30 => {
                self.store.set_full(false);
                self.store.set_stuck(false);
            }
            30 => self.store.set_stuck(true),
            _ => {}
        }
        if let Some(engine) = &mut self.engine {
            for _ in 0..self.random.below(16) {
                engine.evict(self.random.next());
            }
            for _ in 0..self.random.below(6) {
                engine.work_on_store();
            }
        }
    }

    // Steps.

    /// A store that tells nothing for so long would be taken for one that does not work.
    fn let_reads_arrive(&mut self) -> Result<(), String> {
        for _ in 0..1_000 {
            match &mut self.engine {
                Some(engine) if engine.is_ready() && engine.kept().reading > 0 => engine.work_on_store(),
                Some(_) | None => break,
            };
            self.poll()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        let step = self.generator.step(&self.ledger);
        if step.advance_ms >= LONG_MS {
            self.let_reads_arrive()?;
        }
        self.clock.fetch_add(step.advance_ms, Ordering::Relaxed);
        for command in &step.commands {
            self.note(command.to_string());
        }
        self.report.commands += step.commands.len() as u64;
        let fetched = self.engine.as_ref().map_or(0, |engine| engine.stats().fetched);
        let mut done = 0;
        for attempt in 0.. {
            self.begin_step()?;
            done = self.ask(&step, done, fetched)?;
            let engine = self.engine.as_mut().ok_or("no engine")?;
            let number = engine.close_step();
            for unproven in self.unproven.iter_mut().filter(|unproven| unproven.step == u64::MAX) {
                unproven.step = number;
            }
            let lives = (self.lives, self.report.restarts);
            if done < step.commands.len() || self.random.below(3) > 0 {
                self.poll()?;
            }
            self.engine.as_ref().ok_or("no engine")?.shard().state().check();
            if done == step.commands.len() || lives != (self.lives, self.report.restarts) {
                return Ok(());
            }
            // Records are being read.
            self.engine.as_mut().ok_or("no engine")?.work_on_store();
            self.clock.fetch_add(self.random.below(2), Ordering::Relaxed);
            if attempt > 200 {
                self.store.set_full(false);
                self.store.set_stuck(false);
            }
            if attempt > 10_000 {
                return Err("a record is never read".into());
            }
        }
        Ok(())
    }

    fn begin_step(&mut self) -> Result<(), String> {
        let mut waited = 0;
        while !self.engine.as_ref().is_some_and(Engine::can_step) {
            self.clock.fetch_add(1, Ordering::Relaxed);
            self.poll()?;
            waited += 1;
            if waited > 10_000 {
                return Err("a step never begins".into());
            }
        }
        let engine = self.engine.as_mut().ok_or("no engine")?;
        let fetched = engine.stats().fetched;
        let from = mark(engine);
        engine.open_step();
        self.catch(from, What::Ends, fetched)
    }

    /// Asks what is not done yet. Returns how many commands are.
    fn ask(&mut self, step: &Step, mut done: usize, fetched: u64) -> Result<usize, String> {
        let commands: Vec<Command<'_>> = step.commands.iter().map(OwnedCommand::as_command).collect();
        if step.exec {
            let engine = self.engine.as_mut().ok_or("no engine")?;
            let from = mark(engine);
            let mut answers = Vec::new();
            let answers = match engine.exec(&commands, &mut answers) {
                Exec::Done => answers,
                Exec::Refused(refusal) => vec![Answer::Refused(refusal); commands.len()],
                Exec::Reading => return Ok(done),
                Exec::Later => {
                    self.catch(from, What::Ends, fetched)?;
                    return Ok(commands.len());
                }
                Exec::Aborted(_) => return Ok(commands.len()),
            };
            self.catch(from, What::Exec(step.commands.clone(), answers), fetched)?;
            return Ok(commands.len());
        }
        while done < commands.len() {
            let engine = self.engine.as_mut().ok_or("no engine")?;
            let from = mark(engine);
            let trace = events::trace_of(from.0);
            let what = match engine.handle_traced(&commands[done], trace.as_ref()) {
                Handled::Answer(answer) => What::Command(step.commands[done].clone(), answer, trace),
                Handled::Later => What::Ends,
                Handled::Reading => {
                    self.catch(from, What::Ends, fetched)?;
                    return Ok(done);
                }
            };
            self.catch(from, what, fetched)?;
            done += 1;
        }
        Ok(done)
    }

    /// Notes what was just decided, with the events that it left in the batch.
    fn catch(&mut self, from: (u64, usize), what: What, fetched: u64) -> Result<(), String> {
        let engine = self.engine.as_ref().ok_or("no engine")?;
        let shard = engine.shard();
        let events = events::of_batch(&shard.batch()[from.1..], from.0 + 1)?;
        let trace = match &what {
            What::Command(_, Answer::Refused(_), _) | What::Ends | What::Exec(..) => None,
            What::Command(_, _, trace) => *trace,
        };
        events::check_trace(&events, trace)?;
        let writes = if engine.budget() == Budget::Open { Writes::Work } else { Writes::MayFail };
        let dropped = engine.stats().fetched > fetched;
        self.unproven.push_back(Unproven {
            step: u64::MAX,
            now: self.now(),
            writes,
            what,
            events,
            dropped,
            failures: self.faults,
        });
        Ok(())
    }

    fn poll(&mut self) -> Result<(), String> {
        let engine = self.engine.as_mut().ok_or("no engine")?;
        engine.poll().map_err(|error| format!("the store: {error}"))?;
        if engine.take_failure() {
            self.note("the log failed".into());
            self.prove()?;
            self.report.restarts += 1;
            self.disk.heal();
            return self.load();
        }
        if !engine.is_ready() {
            return self.load();
        }
        self.prove()
    }

    /// Judges what may be shown now.
    fn prove(&mut self) -> Result<(), String> {
        let proven = self.engine.as_ref().ok_or("no engine")?.proven();
        while let Some(shown) = self.unproven.pop_front_if(|unproven| unproven.step <= proven) {
            self.judge(&shown)?;
        }
        Ok(())
    }

    fn judge(&mut self, shown: &Unproven) -> Result<(), String> {
        self.feed(&shown.events)?;
        self.ledger.set_writes(shown.writes);
        let before = self.names_old(&shown.what);
        let (now, events) = (shown.now, shown.events.as_slice());
        let judged = match &shown.what {
            What::Ends => self.ledger.judge_ends(now, events),
            What::Command(command, answer, _) => self.ledger.judge(now, &command.as_command(), answer, events),
            What::Exec(commands, answers) => {
                let commands: Vec<Command<'_>> = commands.iter().map(OwnedCommand::as_command).collect();
                self.ledger.judge_exec(now, &commands, answers, events)
            }
        };
        let said = || match &shown.what {
            What::Ends => "ends".to_owned(),
            What::Command(command, answer, _) => format!("{command} -> {answer:?}"),
            What::Exec(commands, answers) => format!("{commands:?} -> {answers:?}"),
        };
        judged.map_err(|complaint| format!("{complaint}\n  {}\n  events: {events:#?}", said()))?;
        if !matches!(shown.what, What::Ends) {
            for cell in self.ledger.cells().to_vec() {
                self.report.coverage.reach(cell, Condition::Plain);
                let conditions = [
                    (before, Condition::Restart),
                    (shown.failures < self.faults, Condition::FailedSync),
                    (shown.writes == Writes::MayFail, Condition::FullDisk),
                    (shown.dropped, Condition::Dropped),
                ];
                for (_, condition) in conditions.into_iter().filter(|(is, _)| *is) {
                    self.report.coverage.reach(cell, condition);
                }
            }
        }
        Ok(())
    }

    /// Whether what is named stands as it stood before the last restart.
    fn names_old(&self, what: &What) -> bool {
        let What::Command(command, ..) = what else { return false };
        let command = command.as_command();
        let key = command.key();
        let reservation = self.ledger.reservation(key).map(|r| r.sequence.0);
        let item = self.ledger.item(key, self.now()).map(|item| item.sequence.0);
        self.lives > 1 && reservation.or(item).is_none_or(|sequence| sequence <= self.born)
    }

    /// Nobody asks for anything, and time goes on: all that has an end ends, whether or not it is in memory.
    fn rest(&mut self) -> Result<(), String> {
        for _ in 0..REST_STEPS {
            self.clock.fetch_add(REST_STEP_MS, Ordering::Relaxed);
            let engine = self.engine.as_mut().ok_or("no engine")?;
            engine.evict(self.random.next());
            engine.work_on_store();
            self.begin_step()?;
            let engine = self.engine.as_mut().ok_or("no engine")?;
            let number = engine.close_step();
            self.unproven.iter_mut().filter(|u| u.step == u64::MAX).for_each(|unproven| unproven.step = number);
            self.poll()?;
        }
        self.settle()?;
        let long_ago = Timestamp(self.now().0 - REST_STEPS * REST_STEP_MS / 2);
        let due = self.ledger.lots_due(long_ago);
        if due.is_empty() { Ok(()) } else { Err(format!("lots were due long ago and have not ended, of {due:?}")) }
    }

    /// Until everything is proven.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..10_000 {
            if self.unproven.is_empty() {
                return Ok(());
            }
            self.clock.fetch_add(1, Ordering::Relaxed);
            self.poll()?;
        }
        Err("something is never proven".into())
    }
}

/// The newest event, and how long the batch is.
fn mark(engine: &Engine) -> (u64, usize) {
    (engine.sequence(), engine.shard().pending_bytes())
}
