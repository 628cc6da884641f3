//! The engine: a shard, its log, and when to commit. One thread drives it:
//!
//! ```text
//! engine.open_step()                    due ends, room in the log, how much may begin
//! engine.handle(&command) …             as many as are ready, until the step is full
//! engine.close_step() -> step           commits, or holds back to gather
//! engine.poll()                         replies of steps up to `proven()` may leave
//! ```
//!
//! LOG-1: a reply leaves when its step is proven. A step is proven when all events up to its end are durable; a step
//! that wrote nothing still shows what earlier ones wrote, and waits for them. `batches` has that part.

mod batches;
mod begin;

use crate::caps::{
    BATCH_BYTES_MAX, ENDED_BYTES, ENDED_MEMORY_PART, LOAD_WAIT_MS, READ_RETRY_MS, REOPEN_MS, STEP_BYTES,
    UNSAVED_MEMORY_PART,
};
use crate::commit::Policy;
use crate::env::Env;
use crate::keeper::{Keeper, Kept, Pressure, Shelves, Tending};
use crate::lag::{Burst, Lag};
use crate::lists::Scans;
use crate::load::Load;
use crate::memory::pressure;
use crate::notice::{Notice, Notices};
use crate::pace::Pace;
use crate::patience::Patience;
use crate::shard::{Budget, Decided, ExecAborted, ExecDone, Shard};
use crate::start::{Opened, Opener, Options, StartError};
use crate::stats::Stats;
use crate::trim::Trim;
use sumun_core::Counts;
use sumun_log::{Bounds, Log, LogId, OpenError, ReadError, Report};
use sumun_store::StoreError;
use sumun_wire::{Answer, Code, Command, Refusal, Trace};

#[derive(Debug)]
pub enum Handled {
    Answer(Answer),
    /// Ask again in the next step; this connection waits, no other.
    Later,
    /// Ask again when `arrivals` has moved on: a record is being read.
    Reading,
}

#[derive(Debug)]
pub enum Exec {
    Done,
    Later,
    Reading,
    Refused(Refusal),
    Aborted(ExecAborted),
}

#[derive(Debug)]
enum Phase {
    Loading(Load),
    Ready,
    /// The log could not be written and is opened again at this time.
    Waiting {
        until_ms: u64,
    },
    Closed,
}

pub struct Engine {
    pub(crate) options: Options,
    pub(crate) env: Box<dyn Env>,
    opener: Opener,
    pub(crate) shard: Shard,
    pub(crate) log: Option<Box<dyn Log + Send>>,
    id: LogId,
    epoch: u64,
    phase: Phase,
    policy: Policy,
    pace: Pace,
    pub(crate) stats: Stats,
    budget: Budget,
    ends_allowed: bool,
    ends_pause: bool,
    no_room_at_ms: Option<u64>,
    no_room: Option<String>,
    spare: Vec<u8>,
    /// The step that is open, or the next.
    step: u64,
    proven: u64,
    /// The last step whose events were handed to the log.
    submitted: u64,
    outstanding: bool,
    /// Commands of steps that wait for a commit.
    waiting: u64,
    /// Of `stats.ends`, those whose events were handed to the log.
    ends_submitted: u64,
    failed: bool,
    /// The log does not yet say that it was opened.
    announce: bool,
    pub(crate) keeper: Keeper,
    trim: Trim,
    pub(crate) lag: Lag,
    burst: Burst,
    pub(crate) notices: Notices,
    failed_at_ms: u64,
    is_closed_said: bool,
    is_trouble_said: bool,
    drifts: bool,
    drift_at_ms: u64,
    /// All events up to here are durable.
    durable: u64,
    arrivals: u64,
    patience: Patience,
    pub(crate) scans: Scans,
}

impl Engine {
    /// Opens the log. `load_slice` replays it, a slice a call, until the engine is ready.
    pub fn open(
        options: Options,
        mut env: Box<dyn Env>,
        mut opener: Opener,
        shelves: impl FnOnce() -> Result<Shelves, StoreError>,
    ) -> Result<(Engine, Report), StartError> {
        // The lock on the directory comes with the log.
        let Opened { log, report } = opener()?;
        let shelves = shelves()?;
        let seed = env.random();
        let retention_ms = options.retention_ms;
        let mut engine = Engine {
            options,
            env,
            opener,
            shard: Shard::new(seed, retention_ms),
            id: log.id(),
            epoch: log.epoch(),
            log: None,
            phase: Phase::Closed,
            policy: Policy::new(),
            pace: Pace::default(),
            stats: Stats::default(),
            budget: Budget::Open,
            ends_allowed: true,
            ends_pause: false,
            no_room_at_ms: None,
            no_room: None,
            spare: Vec::new(),
            step: 1,
            proven: 0,
            submitted: 0,
            outstanding: false,
            waiting: 0,
            ends_submitted: 0,
            failed: false,
            announce: true,
            keeper: Keeper::new(shelves),
            trim: Trim::default(),
            lag: Lag::new(),
            burst: Burst::new(),
            notices: Notices::default(),
            failed_at_ms: 0,
            is_closed_said: false,
            is_trouble_said: false,
            drifts: false,
            drift_at_ms: 0,
            durable: 0,
            arrivals: 0,
            patience: Patience::default(),
            scans: Scans::default(),
        };
        engine.adopt(log);
        Ok((engine, report))
    }

    fn adopt(&mut self, log: Box<dyn Log + Send>) {
        assert!(log.batch_bytes_max() >= BATCH_BYTES_MAX, "the log takes the longest batch");
        self.id = log.id();
        self.epoch = log.epoch();
        self.durable = log.bounds().last;
        self.phase = Phase::Loading(Load::new());
        self.log = Some(log);
        self.announce = true;
        self.policy = Policy::new();
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }
    /// How much of the log has been replayed, or needs not be.
    pub fn loaded_permille(&self) -> u16 {
        let last = self.bounds().map_or(0, |bounds| bounds.last).max(1);
        (self.sequence().min(last) as u128 * 1_000 / u128::from(last)) as u16
    }
    pub fn id(&self) -> LogId {
        self.id
    }
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    pub fn shard_id(&self) -> u32 {
        self.options.shard
    }
    pub fn counts(&self) -> Counts {
        self.shard.state().counts()
    }
    pub fn sequence(&self) -> u64 {
        self.shard.state().sequence()
    }
    pub fn bounds(&self) -> Option<Bounds> {
        self.log.as_ref().map(|log| log.bounds())
    }
    pub fn options(&self) -> &Options {
        &self.options
    }
    /// A time not before that of the log's oldest event, as it was last looked at.
    pub fn oldest_ms(&self) -> Option<u64> {
        self.trim.oldest_ms()
    }
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
    pub fn budget(&self) -> Budget {
        self.budget
    }
    /// Why the log cannot be written, for the operator.
    pub fn no_room(&self) -> Option<&str> {
        self.no_room.as_deref()
    }
    pub fn now_ms(&mut self) -> u64 {
        self.env.now_ms()
    }
    pub fn ticks_ns(&mut self) -> u64 {
        self.env.ticks_ns()
    }
    /// An id that nobody has used: for `ID *`.
    pub fn fresh_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.env.random(), self.env.random())
    }

    /// Replays a slice of the log, or tries to open it again. `true` when the engine is ready.
    pub fn load_slice(&mut self) -> Result<bool, StartError> {
        match std::mem::replace(&mut self.phase, Phase::Closed) {
            Phase::Ready => self.phase = Phase::Ready,
            Phase::Closed => {}
            Phase::Waiting { until_ms } => self.reopen(until_ms)?,
            Phase::Loading(mut load) => {
                let done = load.slice(self)?;
                // Unless the log failed meanwhile: then it waits to be opened again.
                if matches!(self.phase, Phase::Closed) {
                    self.phase = if done { Phase::Ready } else { Phase::Loading(load) };
                    // Who waited for a record of a state that is gone asks again.
                    self.arrivals += u64::from(done);
                    self.prove_idle();
                }
            }
        }
        Ok(self.is_ready())
    }

    /// When `load_slice` has something to do again; 0 for at once.
    pub fn load_wait_ms(&mut self) -> u64 {
        match &self.phase {
            Phase::Waiting { until_ms } => until_ms.saturating_sub(self.env.now_ms()),
            Phase::Loading(load) if load.waits() => LOAD_WAIT_MS,
            Phase::Loading(_) | Phase::Ready | Phase::Closed => 0,
        }
    }

    fn reopen(&mut self, until_ms: u64) -> Result<(), StartError> {
        if self.env.now_ms() < until_ms {
            self.phase = Phase::Waiting { until_ms };
            return Ok(());
        }
        match (self.opener)() {
            Ok(opened) => {
                self.stats.reopens += 1;
                let after_ms = self.env.now_ms().saturating_sub(self.failed_at_ms);
                self.notices.push(Notice::LogReopened { after_ms });
                self.is_closed_said = false;
                self.adopt(opened.log);
                Ok(())
            }
            // What a disk refuses now it may give later. Anything else is for the operator.
            Err(error @ (OpenError::Io { .. } | OpenError::Read(ReadError::Io(_)))) => {
                if !std::mem::replace(&mut self.is_closed_said, true) {
                    self.notices.push(Notice::LogClosed { why: error.to_string() });
                }
                self.phase = Phase::Waiting { until_ms: self.env.now_ms() + REOPEN_MS };
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A step before readiness: says in the log that it was opened, and writes ends that are due. `true` when there is
    /// nothing more to write.
    pub(crate) fn settle(&mut self) -> bool {
        if self.outstanding {
            self.poll_log();
            return false;
        }
        let now = self.env.now_ms();
        self.keeper.read_ahead(self.shard.state(), now);
        self.open_step();
        let more = self.ends_allowed && self.shard.next_end().is_some_and(|at| at <= self.shard.now());
        self.close_step();
        !more && !self.is_committing()
    }

    /// Whether a step may be opened: not while a full batch waits for the one before it.
    pub fn can_step(&self) -> bool {
        self.is_ready() && !(self.outstanding && self.shard.pending_bytes() >= STEP_BYTES)
    }

    /// Something for the operator, in order.
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.notices.take()
    }

    /// Whether the open step takes no more: what is left waits for the next.
    pub fn step_is_full(&self) -> bool {
        self.pace.is_over() || self.shard.is_full()
    }

    pub fn handle(&mut self, command: &Command<'_>) -> Handled {
        self.handle_traced(command, None)
    }

    /// As `handle`; the event that the command makes carries the trace.
    pub fn handle_traced(&mut self, command: &Command<'_>, trace: Option<&Trace>) -> Handled {
        self.stats.commands += 1;
        self.waiting += 1;
        self.pace.note(1, &mut *self.env);
        match self.shard.handle_traced(command, trace, self.budget) {
            Decided::Answer(answer) => {
                self.note(&answer);
                Handled::Answer(answer)
            }
            Decided::Later => Handled::Later,
            Decided::Missing => match self.fetch() {
                Ok(()) => Handled::Reading,
                Err(refusal) => {
                    let answer = Answer::Refused(refusal);
                    self.note(&answer);
                    Handled::Answer(answer)
                }
            },
        }
    }

    /// Lets a record leave memory, if the store holds it: which, by number.
    pub fn evict(&mut self, number: u64) -> bool {
        let saved = self.keeper.saved();
        let now = self.shard.now();
        self.shard.state_mut().evict_any(number, saved, now)
    }
    /// Does a piece of the store's work, where no thread does it. `false`: there is none to do.
    pub fn work_on_store(&mut self) -> bool {
        self.keeper.work()
    }
    pub fn kept(&self) -> &Kept {
        self.keeper.kept()
    }
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Has what is missing read. `Err`: the store has not answered for so long that the command is refused.
    fn fetch(&mut self) -> Result<(), Refusal> {
        let missing = std::mem::take(self.shard.missing());
        self.keeper.ask(missing);
        self.stats.fetched = self.keeper.kept().reads;
        if self.patience.is_over() {
            return Err(Refusal::overloaded(READ_RETRY_MS));
        }
        self.patience.wait(self.shard.now());
        Ok(())
    }

    pub fn exec(&mut self, commands: &[Command<'_>], answers: &mut Vec<Answer>) -> Exec {
        self.stats.commands += commands.len() as u64;
        self.waiting += 1;
        self.pace.note(commands.len() as u32, &mut *self.env);
        match self.shard.exec(commands, self.budget, answers) {
            ExecDone::Done => Exec::Done,
            ExecDone::Later => Exec::Later,
            ExecDone::Refused(refusal) => {
                self.note(&Answer::Refused(refusal.clone()));
                Exec::Refused(refusal)
            }
            ExecDone::Aborted(why) => Exec::Aborted(why),
            ExecDone::Missing => match self.fetch() {
                Ok(()) => Exec::Reading,
                Err(refusal) => {
                    self.note(&Answer::Refused(refusal.clone()));
                    Exec::Refused(refusal)
                }
            },
        }
    }

    fn note(&mut self, answer: &Answer) {
        if let Answer::Refused(Refusal { code, .. }) = answer {
            self.stats.refused_overloaded += u64::from(*code == Code::Overloaded);
            self.stats.refused_read_only += u64::from(*code == Code::ReadOnly);
        }
    }

    /// Ends the step: its replies may leave when `proven` has reached the number returned.
    pub fn close_step(&mut self) -> u64 {
        let step = self.step;
        self.step += 1;
        self.stats.steps += 1;
        self.try_commit();
        self.prove_idle();
        step
    }

    /// Learns what has become durable and what the store has done, and commits what was held back when its time has
    /// come. Not while a step is open.
    pub fn poll(&mut self) -> Result<(), StartError> {
        self.poll_log();
        if self.is_ready() {
            self.hear_store()?;
            let now = self.env.now_ms();
            let state = self.shard.state();
            let pressure = pressure(state.bytes(), self.options.memory);
            self.burst.note(self.shard.state().sequence(), now);
            let far = self.burst.hurries(self.ahead_of_store(), self.lag_max());
            // What waits to be stored cannot leave. Little of it may wait all the same: what ends meanwhile is stored once.
            let waiting = state.unsaved() * ENDED_BYTES >= self.options.memory / UNSAVED_MEMORY_PART;
            let short = pressure == Pressure::High || (pressure == Pressure::Some && waiting);
            let hurries = far || short || self.scans.hurry();
            let tending = Tending {
                now,
                durable: self.durable,
                retention_ms: self.options.retention_ms,
                pressure,
                after_ms: if hurries { 0 } else { self.options.stage_after_ms },
                ended_max: self.options.memory / ENDED_MEMORY_PART / ENDED_BYTES,
            };
            self.keeper.tend(self.shard.state_mut(), tending);
            if let Some(log) = &mut self.log {
                let trimmed = self.trim.tend(&mut **log, self.keeper.saved(), now, self.options.log_retention_ms);
                // What cannot be read now stays; whoever needs it will say why.
                self.stats.trim_failures += u64::from(trimmed.is_err());
            }
        }
        self.pace.end(&mut *self.env, &mut self.stats);
        Ok(())
    }

    /// Hears what the store has done.
    pub(crate) fn hear_store(&mut self) -> Result<(), StartError> {
        let now = self.env.now_ms();
        let heard = self.keeper.hear(self.shard.state_mut(), now);
        let arrived = heard.map_err(|error| StartError::Store(error.to_string()))?;
        if arrived {
            self.patience.answered();
        }
        let listed = self.scans.tend(&mut self.keeper, self.shard.state(), now);
        self.arrivals += u64::from(arrived || listed || self.patience.ends(now));
        let trouble = self.keeper.kept().trouble.as_ref();
        if trouble.is_some() != self.is_trouble_said {
            self.is_trouble_said = trouble.is_some();
            let why = trouble.cloned();
            self.notices.push(why.map_or(Notice::StoreMended, |why| Notice::StoreFailed { why }));
        }
        self.keeper.take_broken().map_or(Ok(()), |why| Err(StartError::StoreBroken(why)))
    }
    /// Counts when records arrived from the store: commands that wait for one are tried again.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Replies of steps up to this one may leave.
    pub fn proven(&self) -> u64 {
        self.proven
    }
    /// Whether the log failed since this was last asked: connections that wait for a step after `proven` get no answer.
    pub fn take_failure(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }
    /// Whether a commit is under way or held back.
    pub fn is_committing(&self) -> bool {
        self.outstanding || self.shard.pending().is_some()
    }

    /// How long to wait for sockets at most, in nanoseconds: until the next end or a commit that is held back. `None`:
    /// for as long as nothing comes.
    pub fn wait_ns(&mut self) -> Option<u64> {
        if !self.is_ready() {
            return Some(self.load_wait_ms() * 1_000_000);
        }
        let mut wait: Option<u64> = None;
        // What pauses goes on when the store has caught up, and says so.
        if let Some(at) = self.shard.next_end().filter(|_| self.ends_allowed && !self.ends_pause) {
            let rest = self.pace.ends_rest_ns(&mut *self.env);
            wait = Some((at.saturating_sub(self.env.now_ms()) * 1_000_000).max(rest));
        }
        if let Some(at) = self.policy.deadline_ns().filter(|_| !self.outstanding && self.shard.pending().is_some()) {
            let hold = at.saturating_sub(self.env.ticks_ns());
            wait = Some(wait.map_or(hold, |wait| wait.min(hold)));
        }
        let tends = self.keeper.next_at_ms(self.shard.state());
        let ends = self.patience.ends_at_ms().into_iter().chain(self.scans.ends_at_ms());
        if let Some(at) = tends.into_iter().chain(ends).min() {
            let rest = at.saturating_sub(self.env.now_ms()) * 1_000_000;
            wait = Some(wait.map_or(rest, |wait| wait.min(rest)));
        }
        if self.no_room_at_ms.is_some() {
            let retry = REOPEN_MS / 10 * 1_000_000;
            wait = Some(wait.map_or(retry, |wait| wait.min(retry)));
        }
        wait
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("id", &self.id)
            .field("step", &self.step)
            .field("phase", &self.phase)
            .field("kept", self.keeper.kept())
            .finish_non_exhaustive()
    }
}
