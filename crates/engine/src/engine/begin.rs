//! What a step begins with: due ends, room in the log, how much may begin.

use super::Engine;
use crate::caps::{CLOCK_DRIFT_MS, DRIFT_LOOK_MS, IDLE_EVENT_MS, PACE_ENDS, REOPEN_MS, ROOM_BYTES};
use crate::lag;
use crate::memory::memory_budget;
use crate::notice::Notice;
use crate::shard::Budget;
use sumun_core::{EventKind, LogEntry};

impl Engine {
    /// Begins a step: what is due ends first, as far as the step's time allows.
    pub fn open_step(&mut self) {
        let now = self.env.now_ms();
        self.pace.begin(&mut *self.env);
        self.shard.begin(now);
        self.check_drift(now);
        self.check_room();
        if !self.ends_allowed {
            return;
        }
        if std::mem::take(&mut self.announce) {
            self.write_log(EventKind::LogOpened);
        }
        let due = self.shard.next_end().filter(|at| *at <= self.shard.now());
        self.stats.expiry_lag_ms = due.map_or(0, |at| self.shard.now() - at);
        // A start writes all of them before anybody is served.
        self.ends_pause = self.is_ready() && lag::ends_pause(self.ahead_of_store(), self.lag_max());
        let rests = self.is_ready() && self.pace.ends_rest_ns(&mut *self.env) > 0;
        if due.is_some() && !self.ends_pause && !rests {
            self.end_due();
        }
        if self.shard.now() >= self.shard.state().time() + IDLE_EVENT_MS {
            self.write_log(EventKind::LogTime);
        }
    }

    /// Shard time follows no clock that is set: that it differs is told, and an operator decides.
    fn check_drift(&mut self, now: u64) {
        if now < self.drift_at_ms {
            return;
        }
        self.drift_at_ms = now + DRIFT_LOOK_MS;
        let ahead_ms = self.env.drift_ms();
        self.stats.clock_drift_ms = ahead_ms;
        let drifts = ahead_ms.unsigned_abs() > CLOCK_DRIFT_MS;
        if std::mem::replace(&mut self.drifts, drifts) != drifts {
            self.notices.push(if drifts { Notice::ClockDrift { ahead_ms } } else { Notice::ClockRight });
        }
    }

    fn end_due(&mut self) {
        // A step always writes some: a queue that is full of them gets shorter.
        loop {
            let written = self.shard.end_due(PACE_ENDS);
            self.stats.ends += u64::from(written);
            let missing = std::mem::take(self.shard.missing());
            self.keeper.ask(missing);
            // Before readiness nobody waits for a step.
            let is_over = self.is_ready() && self.pace.ends_are_over(self.shard.work().ends, &mut *self.env);
            if written < PACE_ENDS || is_over {
                return;
            }
        }
    }

    /// How much may be written in this step. A batch begins only when it fits into space laid out; some is kept back
    /// for ends.
    fn check_room(&mut self) {
        let now = self.shard.now();
        if self.no_room_at_ms.is_some_and(|at| now < at + REOPEN_MS / 10) {
            return;
        }
        let Some(log) = &mut self.log else { return };
        let read_only = match log.make_room(2 * ROOM_BYTES) {
            Ok(()) => None,
            Err(full) => Some(full.to_string()),
        };
        self.ends_allowed = read_only.is_none() || log.make_room(ROOM_BYTES).is_ok();
        self.no_room_at_ms = read_only.is_some().then_some(now);
        self.budget = match &read_only {
            Some(_) => Budget::ReadOnly,
            None => memory_budget(self.shard.state().bytes(), self.options.memory)
                .max(lag::budget(self.ahead_of_store(), self.lag_max())),
        };
        match (&self.no_room, &read_only) {
            (None, Some(why)) => self.notices.push(Notice::NoRoom { why: why.clone() }),
            (Some(_), None) => self.notices.push(Notice::Room),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.no_room = read_only;
    }

    fn write_log(&mut self, kind: EventKind) {
        let entry = LogEntry {
            shard: self.options.shard,
            epoch: self.epoch,
            retention_ms: self.options.retention_ms,
            log_retention_ms: self.options.log_retention_ms,
        };
        self.shard.write_log(kind, entry);
    }

    /// Events that the store does not hold.
    pub(super) fn ahead_of_store(&self) -> u64 {
        self.shard.state().sequence().saturating_sub(self.keeper.saved())
    }
    /// How many events may be ahead of the store.
    pub fn lag_max(&self) -> u64 {
        self.lag.events_max(self.stats.events, self.stats.batch_bytes)
    }
}
