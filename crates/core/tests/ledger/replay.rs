//! Record-wise replay. A store is written behind the log, record by record: after a restart each record stands as it
//! stood at some moment at or after P, its neighbours at other moments, and the log is replayed from P on. Every record
//! must come to what a straight replay makes of it.
//!
//! Records are taken out of replicas that stand at different sequences. What cannot be set up so: lots that have units
//! leave and come back only together with their item (`Key::Item`), so these two always are of one moment.

use crate::support::{Driven, Judged, Names, empty_lots, records, replayed};
use proptest::prelude::*;
use std::collections::BTreeMap;
use sumun_auditor::generate::{Generator, Random};
use sumun_core::{Event, EventKind, Key, Record, State};

fn history(seed: u64, steps: usize) -> (Judged, Generator) {
    let mut judged = Judged::new(seed);
    let mut generator = Generator::new(seed);
    for _ in 0..steps {
        go_on(&mut judged, &mut generator);
    }
    (judged, generator)
}

fn go_on(judged: &mut Judged, generator: &mut Generator) {
    let step = generator.step(&judged.ledger);
    judged.tick(judged.driven.now + step.advance_ms, usize::MAX).unwrap();
    for command in &step.commands {
        judged.handle(command).unwrap();
    }
}

/// A state that stands at the end of `log` and holds nothing.
fn empty_at(log: &[Event]) -> State {
    let mut state = State::new(1);
    let mut event = Event::default();
    for given in log {
        event.clear(given.sequence, given.time, EventKind::LogTime);
        state.apply(&event);
    }
    state
}

/// Lots that stand with units at the end of a log.
fn lots_with_units(log: &[Event]) -> Vec<Key> {
    let empty = empty_lots(log);
    let all = Names::of(log).lots.into_iter().map(|(sku, lot)| Key::Lot(sku.into(), lot.into()));
    all.filter(|key| !empty.contains(key)).collect()
}

/// Each record from a replica of its own choice, all of them at or after `from`, and the log from there on.
fn patched(log: &[Event], from: usize, stands: &[usize], mut choose: impl FnMut(&Key) -> usize) -> State {
    let replicas: Vec<BTreeMap<Key, Record>> =
        stands.iter().map(|at| records(replayed(2, &log[..*at]), &log[..*at])).collect();
    let units: Vec<Vec<Key>> = stands.iter().map(|at| lots_with_units(&log[..*at])).collect();
    let mut state = empty_at(&log[..from]);
    let mut keys: Vec<&Key> = replicas.iter().flat_map(BTreeMap::keys).collect();
    keys.sort();
    keys.dedup();
    let of_items: BTreeMap<&Key, usize> =
        keys.iter().filter(|key| matches!(key, Key::Item(_))).map(|key| (*key, choose(key))).collect();
    for key in keys {
        let chosen = match key {
            Key::Item(_) => of_items[key],
            Key::Lot(sku, _) => {
                let with_item = of_items[&Key::Item(sku.clone())];
                if units[with_item].contains(key) {
                    continue;
                }
                let chosen = choose(key);
                // There it has units, and cannot leave without its item.
                if units[chosen].contains(key) { with_item } else { chosen }
            }
            Key::Reservation(_) | Key::Movement(..) | Key::Usage(..) => choose(key),
        };
        if let Some(record) = replicas[chosen].get(key) {
            state.install(key, Some(record.clone()));
        }
    }
    log[from..].iter().for_each(|event| state.apply(event));
    state
}

fn compare(straight: &State, patched: &State, log: &[Event], now: u64) {
    let names = Names::of(log);
    for (straight, patched) in names.read(straight, now).iter().zip(names.read(patched, now)) {
        assert_eq!(*straight, patched);
    }
    straight.check();
    patched.check();
    assert_eq!(straight.counts(), patched.counts());
}

/// A history, a patchwork of it, and a while longer on both.
fn run(seed: u64) {
    let mut random = Random::new(seed);
    let steps = random.between(10, 250) as usize;
    let (mut judged, mut generator) = history(seed, steps);
    let log = judged.driven.log.clone();
    let from = random.below(log.len() as u64 + 1) as usize;
    let stands: Vec<usize> =
        (0..4).map(|_| from + random.below((log.len() - from) as u64 + 1) as usize).chain([from, log.len()]).collect();
    let mut state = patched(&log, from, &stands, |_| random.below(6) as usize);
    let now = judged.driven.now;
    let straight = replayed(3, &log);
    compare(&straight, &state, &log, now);
    assert_eq!(state.arm(now, 0, u32::MAX), None);
    // Deciding tells what reading does not show: from here on both must write the same.
    for _ in 0..60 {
        go_on(&mut judged, &mut generator);
    }
    go_on_alike(state, &judged.driven, &log);
}

/// What is decided on the patchwork is judged by whether the rest of the log can be applied to it and comes out alike.
fn go_on_alike(mut state: State, driven: &Driven, log: &[Event]) {
    driven.log[log.len()..].iter().for_each(|event| state.apply(event));
    compare(&driven.state, &state, &driven.log, driven.now);
}

#[test]
fn a_straight_replay_comes_to_what_was_decided() {
    for seed in 0..40 {
        let (judged, _) = history(seed, 300);
        let state = replayed(9, &judged.driven.log);
        compare(&judged.driven.state, &state, &judged.driven.log, judged.driven.now);
    }
}

#[test]
fn records_of_a_hundred_and_fifty_patchworks_come_to_what_a_straight_replay_makes_of_them() {
    (0..150).for_each(run);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_of_different_ages_come_to_what_a_straight_replay_makes_of_them(seed: u64) {
        run(seed);
    }
}

/// The smallest patchworks: an item and its one lot, which has no units at the moment it is taken from.
fn one_empty_lot(item_at: usize, lot_at: usize) {
    let mut judged = Judged::new(1);
    for text in ["RECEIVE a 1 ID m1", "RECEIVE a 1 ID m2 LOT l", "ADJUST a -1 REASON x ID m3 LOT l"] {
        judged.handle(&text.parse().unwrap()).unwrap();
    }
    let log = judged.driven.log.clone();
    let choose = |key: &Key| usize::from(matches!(key, Key::Lot(..)));
    let state = patched(&log, item_at.min(lot_at), &[item_at, lot_at], choose);
    compare(&replayed(3, &log), &state, &log, judged.driven.now);
}

#[test]
fn an_item_older_than_its_empty_lot_still_learns_that_it_has_lots() {
    one_empty_lot(2, 4);
}

#[test]
fn an_item_newer_than_its_lot_does_not_count_it_twice() {
    one_empty_lot(4, 2);
}
