//! When a batch is committed, and where: in the loop while a sync is quick, beside it with *gather* when it is slow or
//! when the loop is short of CPU. One code path: the log is handed the batch and a place.
//!
//! A disk is slow when its syncs usually are. One that had to wait, for the store's syncs or for a CPU, says nothing of
//! the disk, and counts for little.
//!
//! Gather: when a sync ends, its callers are answered and will ask again within a moment. The next commit waits for
//! nine tenths of them and of those already waiting, at most one smoothed sync time. One caller commits at once.

use crate::caps::{BATCH_BUSY, GATHER_NS_MAX, SYNC_COUNTED_NS_MAX, SYNC_FAST_NS, SYNC_SLOW_NS};
use sumun_log::Place;

#[derive(Debug)]
pub(crate) struct Policy {
    place: Place,
    sync_ns: u64,
    /// The same, where no sync counts for more than `SYNC_COUNTED_NS_MAX`: what the disk is like.
    usual_ns: u64,
    batch: u64,
    /// Commands and ends a batch.
    work: u64,
    /// Commands in the batch that is under way.
    under_way: u64,
    began_ns: u64,
    gather: Option<Gather>,
}

#[derive(Debug)]
struct Gather {
    commands: u64,
    until_ns: u64,
}

impl Policy {
    pub(crate) const fn new() -> Policy {
        Policy {
            place: Place::Here,
            sync_ns: 0,
            usual_ns: 0,
            batch: 0,
            work: 0,
            under_way: 0,
            began_ns: 0,
            gather: None,
        }
    }
    pub(crate) const fn sync_ns(&self) -> u64 {
        self.sync_ns
    }
    pub(crate) const fn batch(&self) -> u64 {
        self.batch
    }

    /// Whether to commit `waiting` commands now, and where. `None`: hold them, until `deadline_ns` at the latest.
    pub(crate) fn commit(&mut self, waiting: u64, now_ns: u64) -> Option<Place> {
        if let Some(gather) = &self.gather
            && waiting < gather.commands
            && now_ns < gather.until_ns
        {
            return None;
        }
        self.gather = None;
        Some(self.place)
    }
    /// When commands that are held back are committed in any case.
    pub(crate) fn deadline_ns(&self) -> Option<u64> {
        self.gather.as_ref().map(|gather| gather.until_ns)
    }
    /// A batch of so many commands, and of ends that came by time, is on its way.
    pub(crate) fn begin(&mut self, commands: u64, ends: u64, now_ns: u64) {
        self.under_way = commands;
        self.batch = smooth(self.batch, commands);
        self.work = smooth(self.work, commands + ends);
        self.began_ns = now_ns;
    }
    /// A commit has arrived; `waiting` commands gathered meanwhile. Returns how long it took.
    pub(crate) fn done(&mut self, waiting: u64, now_ns: u64) -> u64 {
        let took = now_ns - self.began_ns;
        self.sync_ns = smooth(self.sync_ns, took);
        self.usual_ns = smooth(self.usual_ns, took.min(SYNC_COUNTED_NS_MAX));
        let slow = match self.place {
            Place::Here => self.usual_ns > SYNC_SLOW_NS,
            Place::Beside => self.usual_ns > SYNC_FAST_NS,
        };
        let was = self.place;
        self.place = if slow || self.work >= BATCH_BUSY { Place::Beside } else { Place::Here };
        self.gather = (was == Place::Beside && self.place == Place::Beside).then(|| Gather {
            commands: ((self.under_way + waiting) * 9 / 10).max(1),
            until_ns: now_ns + self.sync_ns.min(GATHER_NS_MAX),
        });
        took
    }
}

const fn smooth(old: u64, new: u64) -> u64 {
    if old == 0 { new } else { (old * 7 + new) / 8 }
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use sumun_log::Place;

    #[test]
    fn a_quick_sync_runs_in_the_loop_and_holds_nothing_back() {
        let mut policy = Policy::new();
        for at in (0..100).map(|n| n * 1_000_000) {
            assert_eq!(policy.commit(1, at), Some(Place::Here));
            policy.begin(1, 0, at);
            policy.done(0, at + 90_000);
        }
        assert_eq!(policy.deadline_ns(), None);
    }

    #[test]
    fn a_slow_sync_runs_beside_and_gathers_those_it_answered() {
        let mut policy = Policy::new();
        let mut at = 0;
        for _ in 0..20 {
            policy.begin(64, 0, at);
            at += 1_000_000;
            policy.done(0, at);
        }
        assert_eq!(policy.commit(10, at), None, "57 are expected");
        assert_eq!(policy.commit(57, at), Some(Place::Beside));
        policy.begin(57, 0, at);
        policy.done(0, at + 1_000_000);
        let deadline = policy.deadline_ns().expect("it gathers");
        assert_eq!(policy.commit(1, deadline), Some(Place::Beside), "never longer than a sync");
    }

    #[test]
    fn a_sync_now_and_then_that_waits_for_another_file_s_makes_no_slow_disk() {
        let mut policy = Policy::new();
        let mut at = 0;
        for n in 0..1_000 {
            assert_eq!(policy.commit(20, at), Some(Place::Here));
            policy.begin(20, 0, at);
            at += if n % 10 == 9 { 8_000_000 } else { 200_000 };
            policy.done(0, at);
        }
    }

    #[test]
    fn a_disk_that_was_slow_for_a_while_is_quick_again() {
        let mut policy = Policy::new();
        let mut at = 0;
        for took in [1_000_000; 40].into_iter().chain([300_000; 40]) {
            policy.begin(20, 0, at);
            at += took;
            policy.done(0, at);
        }
        assert_eq!((policy.commit(1, at), policy.deadline_ns()), (Some(Place::Here), None));
    }

    #[test]
    fn many_ends_a_batch_are_written_beside_and_hold_nobody_back() {
        let mut policy = Policy::new();
        let mut at = 0;
        for _ in 0..20 {
            policy.begin(3, 1_000, at);
            at += 100_000;
            policy.done(0, at);
        }
        assert_eq!(policy.commit(2, at), Some(Place::Beside), "of three callers");
    }

    #[test]
    fn one_caller_on_a_slow_disk_commits_at_once() {
        let mut policy = Policy::new();
        let mut at = 0;
        for _ in 0..20 {
            policy.begin(1, 0, at);
            at += 1_000_000;
            policy.done(0, at);
        }
        assert_eq!(policy.commit(1, at), Some(Place::Beside));
    }
}
