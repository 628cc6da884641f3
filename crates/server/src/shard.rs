//! The engine as the reactor's ledger.
//!
//! While the log is replayed, or is opened again after a failure, the engine takes no steps: what is answered then
//! (`PING`, `LOADING`) rests on nothing, so it belongs to the last step that was proven.

use crate::ledger::{
    Broken, End, Executed, Figures, Foreseen, Handled, Ledger, ListBy, Listed, OpenPage, Proof, Readiness, Skus,
    SkusOf, Step, Store,
};
use std::fmt;
use std::time::Duration;
use sumun_engine::{Bounds, Budget, Engine, Exec, ExecAborted, Notice};
use sumun_wire::{Answer, Command, Trace};

/// Who hears what the operator should know.
pub type Hears = Box<dyn FnMut(&Notice) + Send>;
/// Who is told which part of the log is kept and durable.
pub type BoundsTo = Box<dyn FnMut(&Bounds) + Send>;

pub struct Shard {
    engine: Engine,
    hears: Option<Hears>,
    shows: Option<BoundsTo>,
    shown: Option<Bounds>,
    now_ms: u64,
    /// The engine's step is open.
    open: bool,
}

impl Shard {
    pub fn new(mut engine: Engine) -> Shard {
        let now_ms = engine.now_ms();
        Shard { engine, hears: None, shows: None, shown: None, now_ms, open: false }
    }

    #[must_use]
    pub fn told_to(mut self, hears: Hears) -> Shard {
        self.hears = Some(hears);
        self
    }

    /// Whoever reads the log beside learns which part of it is kept and durable: before replies that rest on it leave.
    #[must_use]
    pub fn telling_bounds(mut self, shows: BoundsTo) -> Shard {
        self.shows = Some(shows);
        self
    }

    fn show(&mut self) {
        let Some(shows) = &mut self.shows else { return };
        let bounds = self.engine.bounds();
        if bounds != self.shown
            && let Some(bounds) = &bounds
        {
            shows(bounds);
        }
        self.shown = bounds;
    }

    fn tell(&mut self) {
        while let Some(notice) = self.engine.take_notice() {
            if let Some(hears) = &mut self.hears {
                hears(&notice);
            }
        }
    }

    /// For whoever closes the log when the reactor has ended.
    pub fn into_engine(self) -> Engine {
        self.engine
    }
}

impl Ledger for Shard {
    fn now_ms(&self) -> u64 {
        self.now_ms
    }

    fn readiness(&self) -> Readiness {
        if self.engine.is_ready() {
            Readiness::Ready
        } else {
            Readiness::Loading { done_permille: self.engine.loaded_permille() }
        }
    }

    fn replay(&mut self) -> Result<(), Broken> {
        self.engine.load_slice().map(drop).map_err(|error| Broken(error.to_string()))
    }

    fn can_step(&self) -> bool {
        !self.engine.is_ready() || self.engine.can_step()
    }

    fn open_step(&mut self) {
        self.now_ms = self.engine.now_ms();
        self.open = self.engine.can_step();
        if self.open {
            self.engine.open_step();
        }
    }

    fn foresee(&self, names: &[Foreseen<'_>]) {
        if self.open {
            self.engine.shard().state().foresee(names);
        }
    }

    fn handle(&mut self, command: &Command<'_>, trace: Option<&Trace>) -> Handled {
        if !self.open {
            return Handled::Later;
        }
        match self.engine.handle_traced(command, trace) {
            sumun_engine::Handled::Answer(answer) => Handled::Answer(answer),
            sumun_engine::Handled::Later => Handled::Later,
            sumun_engine::Handled::Reading => Handled::Reading,
        }
    }

    fn exec(&mut self, commands: &[Command<'_>], answers: &mut Vec<Answer>) -> Executed {
        if !self.open {
            return Executed::Later;
        }
        match self.engine.exec(commands, answers) {
            Exec::Done => Executed::Done,
            Exec::Later => Executed::Later,
            Exec::Reading => Executed::Reading,
            Exec::Refused(refusal) => Executed::Refused(refusal),
            Exec::Aborted(ExecAborted::TooLarge) => Executed::Aborted("its events are longer than 1 MiB."),
        }
    }

    fn list_open(&mut self, by: ListBy<'_>, after: Option<&str>, limit: usize) -> Listed<OpenPage> {
        if !self.open {
            return Listed::Later;
        }
        listed(self.engine.list_open(by, after, limit))
    }

    fn list_skus(&mut self, ticket: &mut Option<u64>, of: &SkusOf) -> Listed<Skus> {
        if !self.open {
            return Listed::Later;
        }
        listed(self.engine.list_skus(ticket, of))
    }

    fn arrivals(&self) -> u64 {
        self.engine.arrivals()
    }

    fn is_full(&self) -> bool {
        match self.readiness() {
            Readiness::Loading { .. } => false,
            Readiness::Ready => !self.open || self.engine.step_is_full(),
        }
    }

    fn close_step(&mut self) -> Step {
        if std::mem::take(&mut self.open) {
            return Step(self.engine.close_step());
        }
        Step(self.engine.proven())
    }

    fn poll(&mut self) -> Result<Proof, Broken> {
        self.engine.poll().map_err(|error| Broken(error.to_string()))?;
        self.tell();
        self.show();
        let proven = Step(self.engine.proven());
        Ok(if self.engine.take_failure() { Proof::Lost { proven } } else { Proof::Upto(proven) })
    }

    fn idle(&mut self) -> Option<Duration> {
        if !self.can_step() {
            // A full batch waits for the one before it, and the log wakes us when that is durable.
            return None;
        }
        self.engine.wait_ns().map(Duration::from_nanos)
    }

    fn fresh_id(&mut self) -> String {
        self.engine.fresh_id()
    }

    fn figures(&self) -> Figures {
        let (stats, counts, kept) = (self.engine.stats(), self.engine.counts(), self.engine.kept());
        let durable = self.engine.bounds().map_or_else(End::default, |bounds| End {
            sequence: bounds.last,
            segment: bounds.end.segment,
            offset: bounds.end.offset,
        });
        Figures {
            shard: u64::from(self.engine.shard_id()),
            log_id: self.engine.id().to_string(),
            epoch: self.engine.epoch(),
            sequence: self.engine.sequence(),
            durable,
            events: stats.events,
            ends: stats.ends,
            batches: stats.batches,
            batch_bytes: stats.batch_bytes,
            batch_commands: stats.batch_commands_smoothed,
            commits_beside: stats.commits_beside,
            commits_held: stats.commits_held,
            sync_us: stats.sync_ns_smoothed / 1_000,
            sync_us_max: stats.syncs.max_ns / 1_000,
            step_cpu_us_max: stats.step_cpu.max_ns / 1_000,
            syncs: stats.syncs,
            step_cpu: stats.step_cpu,
            log_failures: stats.log_failures,
            expiry_lag_ms: stats.expiry_lag_ms,
            clock_drift_ms: stats.clock_drift_ms,
            open_reservations: counts.open as u64,
            items: counts.items as u64,
            memory_bytes: counts.bytes as u64,
            log_first: self.engine.bounds().map_or(0, |bounds| bounds.first),
            log_bytes: self.engine.bounds().map_or(0, |bounds| bounds.bytes),
            log_segments: self
                .engine
                .bounds()
                .map_or(0, |bounds| bounds.end.segment - bounds.first_position.segment + 1),
            log_oldest_ms: self.engine.oldest_ms(),
            log_reopens: stats.reopens,
            trim_failures: stats.trim_failures,
            retention_ms: self.engine.options().retention_ms,
            log_retention_ms: self.engine.options().log_retention_ms,
            memory_bytes_max: self.engine.options().memory as u64,
            pending_bytes: self.engine.shard().pending_bytes() as u64,
            store: Store {
                saved: kept.saved,
                lag: self.engine.sequence().saturating_sub(kept.saved),
                lag_max: self.engine.lag_max(),
                unsaved: kept.unsaved as u64,
                chunks: kept.chunks,
                records: kept.records,
                bytes: kept.bytes,
                reads: kept.reads,
                reading: kept.reading as u64,
                generations: kept.generations as u64,
                oldest_ms: kept.oldest_ms,
                trouble: kept.trouble.clone(),
            },
            is_writable: self.engine.is_ready() && self.engine.budget() != Budget::ReadOnly,
        }
    }
}

fn listed<T>(listed: sumun_engine::Listed<T>) -> Listed<T> {
    match listed {
        sumun_engine::Listed::Page(page) => Listed::Page(page),
        sumun_engine::Listed::Reading => Listed::Reading,
        sumun_engine::Listed::Refused(refusal) => Listed::Refused(refusal),
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("engine", &self.engine).field("open", &self.open).finish_non_exhaustive()
    }
}
