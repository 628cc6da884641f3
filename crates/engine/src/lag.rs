//! How far the store may be behind the log: by so much that a start replays it in time. Of three bounds the narrowest
//! holds: events, their bytes, and what this machine was seen to replay within `LAG_REPLAY_MS`. A burst may use most of it;
//! under a load that lasts changes go to the store sooner, so that a kill leaves little to replay.

use crate::caps::{
    BURST_EVENTS, BURST_EVENTS_PER_S, LAG_BYTES, LAG_EVENTS, LAG_REPLAY_MS, REPLAY_EVENTS_MIN, REPLAY_EVENTS_PER_S,
};
use crate::shard::Budget;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Lag {
    events_per_s: u64,
}

impl Lag {
    pub(crate) const fn new() -> Lag {
        Lag { events_per_s: REPLAY_EVENTS_PER_S }
    }

    /// A replay has been measured; a short one says nothing.
    pub(crate) fn replayed(&mut self, events: u64, ns: u64) {
        if events >= REPLAY_EVENTS_MIN && ns > 0 {
            self.events_per_s = (u128::from(events) * 1_000_000_000 / u128::from(ns)).min(u128::from(u64::MAX)) as u64;
        }
    }

    /// Events that may be ahead of the store: so many have been written in this run, in so many bytes.
    pub(crate) fn events_max(self, events: u64, bytes: u64) -> u64 {
        let by_bytes = LAG_BYTES / (bytes / events.max(1)).max(1);
        let by_time = self.events_per_s.saturating_mul(LAG_REPLAY_MS) / 1_000;
        LAG_EVENTS.min(by_bytes).min(by_time)
    }
}

/// What may be written while so many events are ahead of the store, of at most so many. The last tenth is kept for what
/// ends things.
pub(crate) const fn budget(ahead: u64, most: u64) -> Budget {
    if ahead >= most {
        Budget::Full
    } else if ahead >= most / 10 * 9 {
        Budget::Overloaded
    } else {
        Budget::Open
    }
}

/// Whether ends of what nobody names wait: many at once would else use up what others may write.
pub(crate) const fn ends_pause(ahead: u64, most: u64) -> bool {
    ahead >= most / 8 * 7
}

/// What a burst may write before changes go to the store at once: events, used up as they are written and given back in
/// time. A load that lasts uses all of it, and keeps so little ahead of the store that a start replays it in no time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst {
    left: u64,
    sequence: u64,
    at_ms: u64,
}

impl Burst {
    pub(crate) const fn new() -> Burst {
        Burst { left: BURST_EVENTS, sequence: 0, at_ms: 0 }
    }
    /// The newest event is `sequence` now.
    pub(crate) fn note(&mut self, sequence: u64, now_ms: u64) {
        let written = if self.at_ms == 0 { 0 } else { sequence.saturating_sub(self.sequence) };
        let back = now_ms.saturating_sub(self.at_ms).saturating_mul(BURST_EVENTS_PER_S) / 1_000;
        // Less than a whole one is given back later.
        if back > 0 || self.at_ms == 0 {
            self.at_ms = now_ms;
            self.left = self.left.saturating_add(back).min(BURST_EVENTS);
        }
        self.left = self.left.saturating_sub(written);
        self.sequence = sequence;
    }
    /// Whether so much is ahead of the store that changes go there at once: in a burst late, so that a storm of ends is
    /// stored evenly, but before such ends pause.
    pub(crate) const fn hurries(&self, ahead: u64, most: u64) -> bool {
        ahead >= if self.left > 0 { most / 8 * 6 } else { most / 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_of_the_three_bounds_holds() {
        let mut lag = Lag::new();
        assert_eq!(lag.events_max(0, 0), REPLAY_EVENTS_PER_S / 1_000 * LAG_REPLAY_MS, "nothing is known yet");
        lag.replayed(10_000_000, 1_000_000_000);
        assert_eq!(lag.events_max(1_000, 100_000), LAG_EVENTS);
        assert_eq!(lag.events_max(1_000, 1_000_000_000), LAG_BYTES / 1_000_000);
        lag.replayed(100_000, 1_000_000_000);
        assert_eq!(lag.events_max(1_000, 100_000), 100_000 / 1_000 * LAG_REPLAY_MS);
        lag.replayed(REPLAY_EVENTS_MIN - 1, 1);
        lag.replayed(REPLAY_EVENTS_MIN, 0);
        assert_eq!(lag.events_max(1_000, 100_000), 100_000 / 1_000 * LAG_REPLAY_MS, "these say nothing");
    }

    #[test]
    fn a_burst_is_stored_evenly_and_a_load_that_lasts_at_once() {
        let mut burst = Burst::new();
        burst.note(5, 1_000);
        assert!(burst.hurries(60, 80) && !burst.hurries(59, 80), "it has just begun");
        burst.note(5 + BURST_EVENTS, 1_000);
        assert!(burst.hurries(10, 80) && !burst.hurries(9, 80), "it is used up");
        burst.note(5 + BURST_EVENTS + BURST_EVENTS_PER_S, 2_000);
        assert!(burst.hurries(10, 80), "as fast as it is given back");
        burst.note(5 + BURST_EVENTS + BURST_EVENTS_PER_S, 2_001);
        assert!(!burst.hurries(59, 80));
    }

    #[test]
    fn the_last_tenth_is_kept_for_what_ends_things() {
        assert_eq!([0, 89, 90, 99, 100].map(|ahead| budget(ahead, 100)), {
            use Budget::{Full, Open, Overloaded};
            [Open, Open, Overloaded, Overloaded, Full]
        });
        assert!(ends_pause(70, 80) && !ends_pause(69, 80), "and ends of what nobody names leave others a little more");
    }
}
