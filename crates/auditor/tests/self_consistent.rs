//! The model as its own reference: what it performs, its judge accepts, and the trail of events proves.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::collections::BTreeMap;
use sumun_auditor::generate::{Generator, Random, Step};
use sumun_auditor::{Cell, Ledger, OwnedCommand, Trail};
use sumun_wire::{Event, Timestamp};

fn run(seed: u64, steps: u32, reached: &mut BTreeMap<Cell, u32>) {
    let mut system = Ledger::new();
    let mut judge = Ledger::new();
    let mut trail = Trail::new();
    let mut generator = Generator::new(seed);
    let mut random = Random::new(seed ^ 1);
    let mut now = Timestamp(1_000_000);
    let mut written: Vec<String> = Vec::new();
    for _ in 0..steps {
        let Step { advance_ms, commands, exec } = generator.step(&judge);
        now.0 += advance_ms;
        written.push(format!("{} {commands:?}", now.0));
        let told = || written[written.len().saturating_sub(6)..].join("\n");
        let mut events: Vec<Event> = Vec::new();
        if random.chance(30) {
            let ends = system.perform_ends(now).unwrap();
            judge.judge_ends(now, &ends).unwrap_or_else(|c| panic!("seed {seed}: {c}\n{}", told()));
            events.extend(ends);
        }
        let mut answers = Vec::new();
        let mut own = Vec::new();
        for command in &commands {
            let text = command.to_string();
            assert_eq!(text.parse::<OwnedCommand>().as_ref(), Ok(command), "{text}");
            let (answer, made) =
                system.perform(now, &command.as_command()).unwrap_or_else(|c| panic!("seed {seed}: {c}\n{}", told()));
            answers.push(answer);
            own.extend(made);
        }
        let borrowed: Vec<_> = commands.iter().map(OwnedCommand::as_command).collect();
        let judged = if exec {
            judge.judge_exec(now, &borrowed, &answers, &own)
        } else {
            judge.judge(now, &borrowed[0], &answers[0], &own)
        };
        judged.unwrap_or_else(|c| panic!("seed {seed}: {c}\n{}", told()));
        for cell in judge.cells() {
            *reached.entry(*cell).or_default() += 1;
        }
        events.extend(own);
        for event in &events {
            trail.feed(event).unwrap_or_else(|c| panic!("seed {seed}: {c}\n{event:?}\n{}", told()));
        }
    }
    judge.check_all().unwrap();
    let proven = trail.finish().unwrap();
    assert_eq!(proven.items, proven.whole_items);
    assert_eq!(proven.reservations, proven.whole_reservations);
    assert!(proven.events > u64::from(steps) / 4, "{proven:?}");
}

#[test]
fn what_the_model_performs_its_judge_accepts_and_every_cell_is_reached() {
    let mut reached = BTreeMap::new();
    for seed in 0..12 {
        run(seed, 4_000, &mut reached);
    }
    let all = Cell::all();
    let empty: Vec<String> = all.iter().filter(|cell| !reached.contains_key(cell)).map(Cell::to_string).collect();
    assert!(empty.is_empty(), "cells that no command reached: {empty:#?}");
    let unlisted: Vec<String> = reached.keys().filter(|cell| !all.contains(cell)).map(Cell::to_string).collect();
    assert!(unlisted.is_empty(), "cells that are not in the list: {unlisted:#?}");
}

/// Restarts: of a batch whose answers were lost, some commands at the front are in the log, whole.
#[test]
fn what_is_in_the_log_after_a_restart_is_explained_whatever_was_lost() {
    for seed in 100..106 {
        let mut system = Ledger::new();
        let mut judge = Ledger::new();
        let mut generator = Generator::new(seed);
        let mut random = Random::new(seed);
        let mut now = Timestamp(1_000_000);
        for round in 0..300 {
            let mut events: Vec<Event> = Vec::new();
            let batch = random.between(1, 12);
            let durable = random.below(batch + 1);
            let mut told = Vec::new();
            for nth in 0..batch {
                let Step { advance_ms, commands, exec } = generator.step(&system);
                now.0 += advance_ms;
                let borrowed: Vec<_> = commands.iter().map(OwnedCommand::as_command).collect();
                told.push(format!("{} {commands:?}", now.0));
                if exec {
                    judge.lost(&borrowed)
                } else {
                    borrowed.iter().for_each(|one| judge.lost(std::slice::from_ref(one)))
                }
                for command in &borrowed {
                    if nth < durable {
                        events.extend(system.perform(now, command).unwrap().1);
                    }
                }
            }
            judge.recovered(&events).unwrap_or_else(|c| panic!("seed {seed}, round {round}: {c}\n{}", told.join("\n")));
            assert_eq!(judge.last_sequence(), system.last_sequence());
            judge.check_all().unwrap();
        }
        for sku in ["apple", "bread", "points"] {
            assert_eq!(judge.item(sku, now), system.item(sku, now));
        }
    }
}
