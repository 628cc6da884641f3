//! Starts. A store is written behind the log, record by record, so that at any moment its records stand at different
//! events; a start reads what is open, replays the log's tail, and reads the rest when it is named. Whatever was staged,
//! synced and filled by then, it must go on as if nothing had happened.

use crate::evict::{Met, run};
use crate::support::{Driven, Judged, Names, replayed};
use proptest::prelude::*;
use sumun_auditor::generate::{Generator, Random};
use sumun_auditor::{OwnedCommand, RETENTION_MS_DEFAULT};
use sumun_core::{Key, State};
use sumun_wire::Answer;

fn history(seed: u64, steps: usize) -> Judged {
    let mut judged = Judged::new(seed);
    let mut generator = Generator::new(seed);
    for _ in 0..steps {
        let step = generator.step(&judged.ledger);
        judged.tick(judged.driven.now + step.advance_ms, usize::MAX).unwrap();
        for command in &step.commands {
            judged.handle(command).unwrap();
        }
    }
    judged
}

fn compare(straight: &State, other: &State, judged: &Judged) {
    let names = Names::of(&judged.driven.log);
    let now = judged.driven.now;
    assert_eq!(names.read(straight, now), names.read(other, now));
    straight.check();
    other.check();
    assert_eq!(straight.counts(), other.counts());
}

#[test]
fn a_straight_replay_comes_to_what_was_decided() {
    for seed in 0..40 {
        let judged = history(seed, 300);
        let state = replayed(9, &judged.driven.log);
        compare(&judged.driven.state, &state, &judged);
    }
}

#[test]
fn a_hundred_and_fifty_histories_with_restarts_go_on_as_if_there_were_none() {
    let met: Vec<Met> = (1_000..1_150).map(|seed| run(seed, 250, RETENTION_MS_DEFAULT, 40)).collect();
    let restarts: u64 = met.iter().map(|met| met.restarts).sum();
    let waited: u64 = met.iter().map(|met| met.waited).sum();
    assert!(restarts > 1_000 && waited > 300, "events wait for records: {restarts}, {waited}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_with_restarts_goes_on_as_if_there_were_none(seed: u64, restarts in 5..200u64) {
        run(seed, 250, RETENTION_MS_DEFAULT, restarts);
    }
}

/// Commands on a state with a store.
struct Asked(Driven);

impl Asked {
    fn new(commands: &[&str]) -> Asked {
        Asked::with_retention(RETENTION_MS_DEFAULT, commands)
    }
    fn with_retention(retention_ms: u64, commands: &[&str]) -> Asked {
        let mut asked = Asked(Driven::on_a_store(5, retention_ms));
        asked.all(commands);
        asked
    }
    fn all(&mut self, commands: &[&str]) {
        for text in commands {
            let answer = self.ask(text);
            assert!(!matches!(answer, Answer::Refused(_)), "{text}: {answer:?}");
        }
    }
    fn ask(&mut self, text: &str) -> Answer {
        let command: OwnedCommand = text.parse().unwrap();
        self.0.handle(&command.as_command())
    }
    fn available(&mut self, sku: &str) -> u64 {
        let Answer::Item(Some(item)) = self.ask(&format!("ITEM {sku}")) else { panic!("{sku} is there") };
        item.available
    }
    /// Everything so far stands in the store.
    fn flush(&mut self) {
        self.0.flush();
    }
    /// What is unsaved is lost, and filters say *maybe*.
    fn restart(&mut self) {
        self.0.restart(&mut Random::new(1));
    }
}

#[test]
fn settings_of_the_tail_are_newer_than_those_of_the_store() {
    let mut asked = Asked::new(&["CONFIGURE a SAFETY 1 METADATA {\"v\":1}", "RECEIVE a 10 ID m"]);
    asked.flush();
    asked.all(&["CONFIGURE a SAFETY 4 METADATA {\"v\":2}", "RECEIVE a 1 ID n"]);
    asked.restart();
    let Answer::Item(Some(item)) = asked.ask("ITEM a") else { panic!("it is there") };
    assert_eq!(
        (item.available, item.settings.safety_stock, item.settings.metadata.as_deref()),
        (7, 4, Some("{\"v\":2}"))
    );
    // And it leaves and comes back with them.
    asked.flush();
    asked.restart();
    assert_eq!(asked.available("a"), 7);
}

#[test]
fn figures_of_the_tail_meet_the_settings_of_the_store() {
    let mut asked = Asked::new(&["CONFIGURE a SAFETY 3 ALLOCATION fifo", "RECEIVE a 10 ID m"]);
    asked.flush();
    asked.all(&["RECEIVE a 5 ID n"]);
    asked.restart();
    assert_eq!(asked.available("a"), 12);
}

#[test]
fn an_item_that_the_tail_removes_is_removed_and_one_that_it_brings_back_is_back() {
    let mut asked = Asked::new(&["CONFIGURE a", "CONFIGURE b"]);
    asked.0.handle(&sumun_wire::Command::Remove { sku: "b" });
    asked.flush();
    asked.0.handle(&sumun_wire::Command::Remove { sku: "a" });
    asked.all(&["RECEIVE b 2 ID m"]);
    asked.restart();
    assert_eq!(asked.ask("ITEM a"), Answer::Item(None));
    assert_eq!(asked.available("b"), 2);
}

/// The event waits at its reservation, and everything else is staged meanwhile: P must not pass it.
#[test]
fn an_event_that_waited_is_not_lost_at_the_next_restart() {
    let mut asked = Asked::new(&["RECEIVE a 9 ID m", "RESERVE r - 1 a 4 CAPTURE"]);
    asked.flush();
    asked.all(&["RETURN r 1 a 1 ID b", "RECEIVE a 1 ID n", "RECEIVE b 1 ID o"]);
    asked.restart();
    // It is read and changed late; then a part of the queue is staged, and the process ends.
    assert_eq!(asked.0.waiting.len(), 1);
    asked.ask("RESERVATION r");
    asked.0.stage(3);
    asked.0.store.as_mut().unwrap().sync(9);
    asked.restart();
    let Answer::Reservation(Some(r)) = asked.ask("RESERVATION r") else { panic!("it is there") };
    assert_eq!((r.version, r.lines[0].returned), (2, 1));
}

#[test]
fn a_tail_that_nobody_names_is_read_and_staged_in_its_order() {
    let mut asked = Asked::new(&["CONFIGURE a LIMIT 9", "RECEIVE a 9 ID m", "RESERVE r - 1 a 4 FOR h CAPTURE"]);
    asked.flush();
    asked.all(&["RETURN r 1 a 1 ID b", "RESERVE s - 1 a 1 FOR i CAPTURE"]);
    asked.restart();
    asked.flush();
    asked.restart();
    assert!(asked.0.waiting.is_empty());
    let Answer::Reservation(Some(r)) = asked.ask("RESERVATION r") else { panic!("it is there") };
    assert_eq!((r.version, r.lines[0].returned), (2, 1));
    let Answer::Holder(h) = asked.ask("HOLDER a h") else { panic!("it is there") };
    assert_eq!((h.counted, h.left), (3, Some(6)));
}

/// A filter is filled while the tail is replayed, and says of a holder that is new in the tail *never seen*.
#[test]
fn a_filter_that_is_filled_midway_does_not_part_the_events_of_one_holder() {
    let mut asked = Asked::new(&["CONFIGURE a LIMIT 9", "RECEIVE a 9 ID m"]);
    asked.flush();
    asked.all(&["RESERVE r - 1 a 2 FOR h CAPTURE", "RESERVE s - 1 a 3 FOR h CAPTURE"]);
    for seed in 0..60 {
        asked.0.restart(&mut Random::new(seed));
        let driven = &mut asked.0;
        driven.store.as_mut().unwrap().fill(&mut driven.state, 9);
        let Answer::Holder(h) = asked.ask("HOLDER a h") else { panic!("it is there") };
        assert_eq!((h.counted, h.left), (5, Some(4)), "{seed}");
    }
}

/// The lot lost its last unit to a reservation that is open for longer than the retention.
#[test]
fn an_empty_lot_of_an_open_reservation_outlives_its_generation_and_a_restart() {
    let begin = ["RECEIVE a 2 ID m LOT l EXPIRES 1770999000000 AT p", "RECEIVE b 1 ID m", "RESERVE r 900000 2 a 2 b 1"];
    let mut asked = Asked::with_retention(5_000, &begin);
    asked.all(&["CAPTURE r 1 a 2 ID c"]);
    for _ in 0..8 {
        asked.flush();
        asked.0.advance(asked.0.now + 4_000, u32::MAX);
        asked.all(&["CONFIGURE z", "CONFIGURE z SAFETY 1"]);
        let (now, driven) = (asked.0.now, &mut asked.0);
        driven.store.as_mut().unwrap().turn(&mut driven.state, now, 5_000, true);
    }
    asked.flush();
    assert!(asked.0.store.as_ref().unwrap().dropped > 2, "generations have left");
    asked.restart();
    let refused = asked.ask("CONFIGURE a BACKORDER 1");
    assert!(matches!(refused, Answer::Refused(_)), "an item with lots has no backorder limit: {refused:?}");
    asked.all(&["RELEASE r", "RETURN r 1 a 1 ID b"]);
    let Answer::Item(Some(item)) = asked.ask("ITEM a") else { panic!("it is there") };
    let lot = &item.lots[0];
    assert_eq!(
        (lot.on_hand, lot.location.as_deref(), lot.expires_at.map(|at| at.0)),
        (1, Some("p"), Some(1_770_999_000_000))
    );
}

/// Reads end in any order: one that finds no lot apart, one that finds it with its item.
#[test]
fn an_item_brings_its_lots_whatever_was_said_of_them_before() {
    let lots = ["RECEIVE a 2 ID m LOT l EXPIRES 1770000900000", "RECEIVE a 1 ID n", "RESERVE r 60000 1 a 3"];
    let mut asked = Asked::new(&lots);
    asked.flush();
    for item_first in [true, false] {
        asked.restart();
        let (item, lot) = (Key::Item("a".into()), Key::Lot("a".into(), "l".into()));
        let (state, store) = (&mut asked.0.state, asked.0.store.as_ref().unwrap());
        if item_first {
            store.install(&item, state);
        }
        state.install(&lot, &[]);
        if !item_first {
            store.install(&item, state);
        }
        state.unpin(&item);
        state.unpin(&lot);
        state.check();
        let Answer::Item(Some(item)) = asked.ask("ITEM a") else { panic!("it is there") };
        assert_eq!(item.lots.len(), 2);
    }
    asked.all(&["RELEASE r"]);
    asked.0.advance(1_770_000_900_000, u32::MAX);
    assert_eq!(asked.0.end_due(usize::MAX), 1);
    assert_eq!(asked.available("a"), 1);
}
