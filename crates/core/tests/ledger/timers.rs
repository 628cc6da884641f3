//! Ends by time against an ordered map: nothing ends early, everything ends, whatever the jumps and the budget.

use crate::support::{BEGIN, Driven};
use proptest::prelude::*;
use std::collections::BTreeMap;
use sumun_auditor::OwnedCommand;
use sumun_core::{EventKind, State};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

#[derive(Clone, Debug)]
enum Act {
    Reserve {
        ttl_ms: u64,
    },
    Extend {
        which: u16,
        ttl_ms: u64,
    },
    Release {
        which: u16,
    },
    /// Time goes on, timers move so many entries, so many ends are written.
    Advance {
        by_ms: u64,
        work: u32,
        ends: usize,
    },
    /// The log is replayed and timers are set anew, so many slots at a time, so much later.
    Restart {
        after_ms: u64,
        slots: u32,
    },
}

fn ttl() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 1..50u64,
        4 => 1..5_000u64,
        2 => 1..100_000u64,
        1 => Just(1_000u64),
        1 => 1..30 * DAY,
        1 => Just(30 * DAY),
    ]
}

fn jump(longest: u64) -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0..40u64, 4 => 0..1_500u64, 2 => 0..100_000u64, 1 => 0..longest]
}

fn act(work: BoxedStrategy<u32>, longest: u64) -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => ttl().prop_map(|ttl_ms| Act::Reserve { ttl_ms }),
        3 => (any::<u16>(), ttl()).prop_map(|(which, ttl_ms)| Act::Extend { which, ttl_ms }),
        3 => any::<u16>().prop_map(|which| Act::Release { which }),
        10 => (jump(longest), work, prop_oneof![Just(usize::MAX), 0..4usize])
            .prop_map(|(by_ms, work, ends)| Act::Advance { by_ms, work, ends }),
        1 => (jump(longest), 1..9u32).prop_map(|(after_ms, slots)| Act::Restart { after_ms, slots }),
    ]
}

/// The state, and when each open reservation ends.
struct World {
    driven: Driven,
    open: BTreeMap<u64, u64>,
    made: u64,
}

impl World {
    fn new() -> World {
        let mut world = World { driven: Driven::new(3), open: BTreeMap::new(), made: 0 };
        world.ask("RECEIVE a 1000000 ID m");
        world
    }

    fn ask(&mut self, text: &str) {
        let command: OwnedCommand = text.parse().unwrap();
        self.driven.handle(&command.as_command());
    }

    /// One that is open and not due: commands on others end them.
    fn pick(&self, which: u16) -> Option<u64> {
        let alive: Vec<u64> = self.open.iter().filter(|(_, at)| **at > self.driven.now).map(|(id, _)| *id).collect();
        (!alive.is_empty()).then(|| alive[usize::from(which) % alive.len()])
    }

    fn run(&mut self, act: &Act) {
        let now = self.driven.now;
        match act {
            Act::Reserve { ttl_ms } => {
                self.made += 1;
                self.ask(&format!("RESERVE {} {ttl_ms} 1 a 1", self.made));
                self.open.insert(self.made, now + ttl_ms);
            }
            Act::Extend { which, ttl_ms } => {
                let Some(id) = self.pick(*which) else { return };
                self.ask(&format!("EXTEND {id} {ttl_ms}"));
                let at = self.open.get_mut(&id).unwrap();
                *at = (*at).max(now + ttl_ms);
            }
            Act::Release { which } => {
                let Some(id) = self.pick(*which) else { return };
                self.ask(&format!("RELEASE {id}"));
                self.open.remove(&id);
            }
            Act::Advance { by_ms, work, ends } => {
                self.driven.advance(now + by_ms, *work);
                self.end(*ends);
                self.keep_time();
                if *work == u32::MAX && *ends == usize::MAX {
                    self.nothing_is_due();
                }
            }
            Act::Restart { after_ms, slots } => self.restart(now + after_ms, *slots),
        }
        self.next_end_is_never_late();
    }

    /// Writes ends; each of them was due.
    fn end(&mut self, most: usize) {
        let from = self.driven.log.len();
        self.driven.end_due(most);
        for event in &self.driven.log[from..] {
            assert_eq!(event.kind, EventKind::Expired);
            let id: u64 = event.name(event.reservation.id).parse().unwrap();
            let at = self.open.remove(&id).expect("what ends was open");
            assert!(at <= self.driven.now, "{id} ends at {at}, before its time");
            assert_eq!(event.reservation.expires_at, Some(at));
        }
    }

    fn nothing_is_due(&self) {
        let due = self.open.values().filter(|at| **at <= self.driven.now).count();
        assert_eq!(due, 0, "all that is due has ended");
    }

    fn next_end_is_never_late(&self) {
        let now = self.driven.now;
        let next = self.driven.state.next_end(now);
        match self.open.values().min() {
            None => assert_eq!(next, None),
            Some(first) => {
                let next = next.expect("something ends by time");
                assert!(next <= now.max(*first), "at {now}: {next} is later than {first}");
                assert!(next <= now + 1_000 || next == *first, "at {now}: {next} is beyond what is known");
            }
        }
    }

    fn restart(&mut self, now: u64, slots: u32) {
        let mut state = State::new(8, 30 * DAY);
        self.driven.log.iter().for_each(|event| state.apply(event));
        let mut from = Some(0);
        while let Some(slot) = from {
            from = state.arm(now, slot, slots);
        }
        self.driven.state = state;
        self.driven.now = now;
        self.end(usize::MAX);
        self.driven.advance(now, u32::MAX);
        self.end(usize::MAX);
        self.nothing_is_due();
        self.keep_time();
    }

    fn keep_time(&mut self) {
        if self.driven.now >= self.driven.state.time() + HOUR {
            self.driven.log_time();
        }
    }

    /// Time stands still and work goes on: what is due ends in the end.
    fn finish(mut self) {
        for _ in 0..20_000 {
            self.driven.advance(self.driven.now, 1);
            self.end(1);
            if self.open.values().all(|at| *at > self.driven.now) {
                return self.driven.state.check();
            }
        }
        panic!("something that is due never ends: {:?} at {}", self.open, self.driven.now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn timers_with_work_enough_end_exactly_what_is_due(
        acts in prop::collection::vec(act(Just(u32::MAX).boxed(), 40 * DAY), 1..120)
    ) {
        let mut world = World::new();
        acts.iter().for_each(|act| world.run(act));
        world.finish();
    }

    /// Together the jumps are shorter than what the rings have to spare over the longest ttl.
    #[test]
    fn timers_that_lag_end_nothing_early_and_everything_in_the_end(
        acts in prop::collection::vec(act((0..6u32).boxed(), DAY / 10), 1..120)
    ) {
        let mut world = World::new();
        acts.iter().for_each(|act| world.run(act));
        world.finish();
    }
}

#[test]
fn a_second_is_not_fed_twice_nor_left_out_at_its_edges() {
    for offset in [0, 1, 999] {
        for ttl in [1, 999, 1_000, 1_001, 1_999, 2_000, 2_001, 3_000] {
            for stride in [1, 7, 333, 1_000, 1_001] {
                let mut world = World::new();
                world.driven.advance(BEGIN + offset, u32::MAX);
                world.run(&Act::Reserve { ttl_ms: ttl });
                while !world.open.is_empty() {
                    world.run(&Act::Advance { by_ms: stride, work: u32::MAX, ends: usize::MAX });
                }
            }
        }
    }
}

/// Two end in one second. Work lasts to feed one of them ahead, then the other is released, and the next step comes late.
#[test]
fn what_was_fed_ahead_ends_though_the_rest_of_its_second_was_released() {
    let mut world = World::new();
    world.run(&Act::Reserve { ttl_ms: 1_500 });
    world.run(&Act::Reserve { ttl_ms: 1_500 });
    world.run(&Act::Advance { by_ms: 600, work: 1, ends: usize::MAX });
    // The first one still stands in its second.
    world.run(&Act::Release { which: 0 });
    world.run(&Act::Advance { by_ms: 1_000, work: u32::MAX, ends: usize::MAX });
    assert!(world.open.is_empty());
}

/// Nothing was open and nothing was written for weeks: timers stand where they stood.
#[test]
fn after_weeks_without_an_event_the_longest_ttl_is_taken() {
    let mut world = World::new();
    world.driven.advance(BEGIN + 21 * DAY, u32::MAX);
    world.run(&Act::Reserve { ttl_ms: 30 * DAY });
    world.finish();
}

/// The machine slept for three weeks, more is due than one step may move, and somebody reserves for thirty days.
#[test]
fn timers_that_lag_three_weeks_behind_still_take_the_longest_ttl() {
    let mut world = World::new();
    for _ in 0..3 {
        world.run(&Act::Reserve { ttl_ms: 1_000 });
    }
    world.run(&Act::Advance { by_ms: 21 * DAY, work: 1, ends: 0 });
    world.run(&Act::Reserve { ttl_ms: 30 * DAY });
    world.finish();
}
