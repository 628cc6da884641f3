//! What is taken back was never there: an EXEC that is refused leaves records, figures and behaviour as they were.

use crate::support::{Driven, Judged, Names, records, replayed};
use proptest::prelude::*;
use std::collections::BTreeSet;
use sumun_auditor::OwnedCommand;
use sumun_auditor::generate::{Generator, Random};
use sumun_core::Event;
use sumun_wire::Command;

fn attempt(judged: &mut Judged, commands: &[OwnedCommand]) {
    let commands: Vec<Command<'_>> = commands.iter().map(OwnedCommand::as_command).collect();
    judged.driven.attempt(&commands);
}

fn attempt_text(judged: &mut Judged, commands: &[&str]) {
    let commands: Vec<OwnedCommand> = commands.iter().map(|text| text.parse().unwrap()).collect();
    attempt(judged, &commands);
}

/// What a state comes to that never tried anything. What is taken back gives its slots up in the reverse order, so that
/// those of both have the same numbers.
fn never_tried(seed: u64, tried: &Driven) -> Driven {
    let mut driven = Driven::new(seed);
    driven.state = replayed(seed, &tried.log);
    driven.advance(tried.now, 0);
    assert_eq!(driven.state.arm(tried.now, 0, u32::MAX), None);
    driven
}

/// What has ended when time has gone on to `now`.
fn ends(driven: &mut Driven, now: u64) -> BTreeSet<(String, Option<u64>)> {
    let written = driven.log.len();
    driven.advance(now, u32::MAX);
    driven.end_due(usize::MAX);
    driven.log[written..].iter().map(|event| (event.text.clone(), event.reservation.expires_at)).collect()
}

/// A history in which every third step tries something first, and takes it back. The auditor never hears of that.
fn run(seed: u64, steps: usize) -> Judged {
    let mut judged = Judged::new(seed);
    let mut generator = Generator::new(seed);
    let mut others = Generator::new(!seed);
    let mut random = Random::new(seed);
    for _ in 0..steps {
        let step = generator.step(&judged.ledger);
        judged.tick(judged.driven.now + step.advance_ms, random.below(4) as usize).unwrap();
        if random.chance(33) {
            let tried: Vec<OwnedCommand> =
                (0..random.between(1, 8)).flat_map(|_| others.step(&judged.ledger).commands).collect();
            taken_back(&mut judged, &tried);
        }
        let result = if step.exec { judged.exec(&step.commands) } else { judged.handle(&step.commands[0]).map(|_| ()) };
        result.unwrap_or_else(|complaint| panic!("seed {seed}: {complaint}"));
    }
    judged.finish().unwrap();
    judged
}

fn taken_back(judged: &mut Judged, tried: &[OwnedCommand]) {
    let names = Names::of(&judged.driven.log);
    let now = judged.driven.now;
    let (records, counts) = (names.read(&judged.driven.state, now), judged.driven.state.counts());
    let (sequence, time) = (judged.driven.state.sequence(), judged.driven.state.time());
    let next = judged.driven.state.next_end(now);
    attempt(judged, tried);
    let state = &judged.driven.state;
    state.check();
    assert_eq!((state.sequence(), state.time()), (sequence, time));
    assert_eq!(names.read(state, now), records, "{tried:?}");
    assert_eq!(state.counts(), counts, "{tried:?}");
    assert_eq!(state.next_end(now), next, "{tried:?}");
}

/// Byte for byte: each record with what it keeps to itself.
fn records_are_as_if_nothing_had_been_tried(seed: u64, steps: usize) {
    let tried = run(seed, steps).driven;
    let straight = never_tried(seed, &tried);
    assert_eq!(tried.state.counts(), straight.state.counts());
    let straight = records(&straight.state, &tried.log);
    let tried = records(&tried.state, &tried.log);
    assert_eq!(tried.len(), straight.len(), "no record more and none less");
    for (key, record) in straight {
        assert_eq!(tried[&key], record, "seed {seed}: {key:?}");
    }
}

#[test]
fn every_record_of_fifty_histories_is_as_if_nothing_had_been_tried() {
    (0..50).for_each(|seed| records_are_as_if_nothing_had_been_tried(seed, 300));
}

#[test]
fn everything_ends_when_it_would_have_if_nothing_had_been_tried() {
    for seed in 50..90 {
        let mut tried = run(seed, 200).driven;
        let mut straight = never_tried(seed, &tried);
        let now = tried.now;
        for doubled in 0..33 {
            let now = now + (1 << doubled);
            assert_eq!(ends(&mut tried, now), ends(&mut straight, now), "seed {seed}");
        }
        assert_eq!(tried.state.open_reservations(), 0, "49 days on, everything has ended");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_goes_on_as_if_nothing_had_been_tried(seed: u64) {
        records_are_as_if_nothing_had_been_tried(seed, 200);
    }

    /// Every prefix of an EXEC: the one that stops after n commands leaves as little as the one that stops after none.
    #[test]
    fn every_prefix_of_an_exec_can_be_taken_back(seed: u64) {
        let mut judged = Judged::new(seed);
        let mut generator = Generator::new(seed);
        for _ in 0..80 {
            let step = generator.step(&judged.ledger);
            judged.tick(judged.driven.now + step.advance_ms, usize::MAX).unwrap();
            judged.handle(&step.commands[0]).unwrap();
        }
        let all: Vec<OwnedCommand> = (0..12).flat_map(|_| generator.step(&judged.ledger).commands).collect();
        for end in 0..=all.len() {
            taken_back(&mut judged, &all[..end]);
        }
    }
}

/// Everything that is named stands already: then nothing at all may be left behind.
#[test]
fn known_records_leave_not_one_byte_when_they_are_taken_back() {
    let mut judged = Judged::new(1);
    let given = [
        "CONFIGURE a LIMIT 50 WINDOW 1000 METADATA {\"a\":1}",
        "RECEIVE a 9 ID m1 LOT a-lot-with-a-name-beyond-24-bytes EXPIRES 1770000900000 AT a-place-with-a-name-beyond-24-bytes",
        "RECEIVE a 9 ID m2",
        "RECEIVE b 9 ID m1",
        "RESERVE r1 5000 2 a 5 b 1 FOR a-holder-with-a-name-beyond-24-bytes",
        "CAPTURE r1 1 a 2 ID c1",
        "RESERVE r2 5000 1 b 1",
    ];
    for text in given {
        judged.handle(&text.parse().unwrap()).unwrap();
    }
    let before = judged.driven.state.counts();
    let tried = [
        "RESERVE a-reservation-with-a-name-beyond-24-bytes 9000 2 a 4 b 1 FOR a-holder-with-a-name-beyond-24-bytes",
        "CAPTURE a-reservation-with-a-name-beyond-24-bytes 1 a 2 ID a-part-with-a-name-beyond-24-bytes",
        "RELEASE r1",
        "RETURN r1 ID b",
        "CAPTURE r2",
        "EXTEND a-reservation-with-a-name-beyond-24-bytes 99999",
        "RECEIVE a 5 ID a-movement-with-a-name-beyond-24-bytes LOT a-lot-with-a-name-beyond-24-bytes",
        "ADJUST a -5 REASON x ID m9",
        "CONFIGURE a ALLOCATION fifo METADATA {\"another\":\"and-longer\"}",
        "RELEASE a-tombstone-with-a-name-beyond-24-bytes ID x",
        "RESERVE r9 - 1 b 2 CAPTURE",
    ];
    for end in 0..=tried.len() {
        attempt_text(&mut judged, &tried[..end]);
        assert_eq!(judged.driven.state.counts(), before, "after {end}");
    }
    judged.handle(&"CAPTURE r1".parse().unwrap()).unwrap();
    judged.finish().unwrap();
}

/// MEM-1: whoever sends EXECs that are refused must not fill the memory.
#[test]
fn names_that_only_a_refused_exec_knew_leave_nothing_behind() {
    let mut judged = Judged::new(1);
    judged.handle(&"CONFIGURE a LIMIT 9".parse().unwrap()).unwrap();
    judged.handle(&"RECEIVE a 9 ID m".parse().unwrap()).unwrap();
    let before = judged.driven.state.counts();
    for n in 0..3 {
        let [sku, lot] = [format!("RECEIVE sku{n} 1 ID m"), format!("RECEIVE a 1 ID m{n} LOT lot{n}")];
        let reserve = format!("RESERVE r{n} 1000 1 a 1 FOR holder{n}");
        attempt_text(&mut judged, &[&sku, &lot, &reserve]);
    }
    assert_eq!(judged.driven.state.counts(), before);
}

/// What was made and taken back is made again under the same name, from its own first event.
#[test]
fn what_was_taken_back_can_be_made_again() {
    let mut judged = Judged::new(1);
    let made = [
        "CONFIGURE a LIMIT 5",
        "RECEIVE a 5 ID m LOT l EXPIRES 1770000001000",
        "RESERVE r 500 1 a 2 FOR h",
        "CAPTURE r",
        "RELEASE t",
    ];
    attempt_text(&mut judged, &made);
    for sku in ["a", "l"] {
        let read = judged.driven.state.as_it_stands(judged.driven.now, &sumun_wire::Command::Item { sku });
        assert_eq!(read, Some(sumun_wire::Answer::Item(None)));
    }
    for text in made {
        judged.handle(&text.parse().unwrap()).unwrap();
    }
    let kinds: Vec<u64> = judged.driven.log.iter().map(|event: &Event| event.sequence).collect();
    assert_eq!(kinds, [1, 2, 3, 4, 5]);
    judged.tick(judged.driven.now + 2_000, usize::MAX).unwrap();
    judged.finish().unwrap();
}
