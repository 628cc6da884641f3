//! A batch's way to the log: when it goes, what becomes of it, and what then is proven.

use super::{Engine, Phase};
use crate::caps::STEP_BYTES;
use crate::notice::Notice;
use crate::patience::Patience;
use crate::shard::Shard;
use crate::trim::Trim;
use sumun_log::{Batch, Place, Progress, ReadError};

impl Engine {
    pub(super) fn try_commit(&mut self) {
        if self.outstanding || self.shard.pending().is_none() {
            return;
        }
        let now = self.env.ticks_ns();
        let full = self.shard.pending_bytes() >= STEP_BYTES;
        match self.policy.commit(if full { u64::MAX } else { self.waiting }, now) {
            Some(place) => self.submit(place),
            None => self.stats.commits_held += 1,
        }
    }

    fn submit(&mut self, place: Place) {
        let Some(log) = &mut self.log else { return };
        let Some((first, count)) = self.shard.pending() else { return };
        let bytes = self.shard.take_batch(std::mem::take(&mut self.spare));
        self.stats.batches += 1;
        self.stats.batch_bytes += bytes.len() as u64;
        self.stats.events += u64::from(count);
        self.stats.commits_beside += u64::from(place == Place::Beside);
        let now = self.env.ticks_ns();
        self.policy.begin(self.waiting, self.stats.ends - self.ends_submitted, now);
        self.waiting = 0;
        self.ends_submitted = self.stats.ends;
        self.submitted = self.step - 1;
        self.outstanding = true;
        let began = self.env.cpu_ns();
        log.submit(Batch { first, count, epoch: self.epoch, bytes }, place);
        self.pace.synced(began, &mut *self.env);
        if place == Place::Here {
            self.poll_log();
        }
    }

    pub(super) fn poll_log(&mut self) {
        let Some(log) = &mut self.log else { return };
        log.tend();
        if self.outstanding {
            match log.poll() {
                Progress::Pending => return,
                Progress::Idle => unreachable!("a batch is outstanding until it is reported"),
                Progress::Durable { mut bytes, last, .. } => {
                    self.durable = last;
                    bytes.clear();
                    self.spare = bytes;
                    self.outstanding = false;
                    self.proven = self.submitted;
                    self.note_commit();
                }
                Progress::Fenced => panic!("LOG-3: another writer owns the log: nothing more can be acknowledged"),
                Progress::Failed(why) => return self.fail(&why),
            }
        }
        self.try_commit();
        self.prove_idle();
    }

    fn note_commit(&mut self) {
        let now = self.env.ticks_ns();
        let took = self.policy.done(self.waiting, now);
        self.stats.syncs.note(took);
        self.stats.sync_ns_smoothed = self.policy.sync_ns();
        self.stats.batch_commands_smoothed = self.policy.batch();
    }

    /// With nothing on its way and nothing waiting, all that was closed is proven.
    pub(super) fn prove_idle(&mut self) {
        if self.is_ready() && !self.outstanding && self.shard.pending().is_none() {
            self.proven = self.step - 1;
            self.waiting = 0;
        }
    }

    /// The batch is durable nowhere, or nobody knows: all that rests on it is dropped and built again from the log.
    fn fail(&mut self, why: &str) {
        self.notices.push(Notice::LogFailed { why: why.to_owned() });
        self.failed_at_ms = self.env.now_ms();
        self.no_room = None;
        self.stats.log_failures += 1;
        self.failed = true;
        self.outstanding = false;
        self.waiting = 0;
        self.log = None;
        self.shard = Shard::new(self.env.random(), self.options.retention_ms);
        self.keeper.drop_staged();
        self.trim = Trim::default();
        self.patience = Patience::default();
        self.scans.clear();
        let until_ms = self.env.now_ms();
        self.phase = Phase::Waiting { until_ms };
        // Steps that were not proven never will be: the reactor closes whoever waits for them.
        self.submitted = self.step - 1;
    }

    /// Commits what is left and ends the log cleanly.
    pub fn close(&mut self) -> Result<(), ReadError> {
        while self.is_ready() && self.is_committing() {
            if self.outstanding {
                self.poll_log();
                std::hint::spin_loop();
            } else {
                self.submit(Place::Here);
            }
        }
        self.prove_idle();
        self.phase = Phase::Closed;
        self.log.take().map_or(Ok(()), |mut log| log.close())
    }
}
