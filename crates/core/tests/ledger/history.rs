//! Random histories over the contract's whole input space: every answer and event judged by the independent model.

use crate::support::Judged;
use proptest::prelude::*;
use std::collections::VecDeque;
use sumun_auditor::generate::{Generator, Random};

const STEPS: usize = 1_500;

/// Runs one history; says what was asked before it went wrong.
fn run(seed: u64, steps: usize) -> Result<Judged, String> {
    let mut judged = Judged::new(seed);
    let mut generator = Generator::new(seed);
    let mut random = Random::new(!seed);
    let mut asked: VecDeque<String> = VecDeque::new();
    for _ in 0..steps {
        let step = generator.step(&judged.ledger);
        let now = judged.driven.now + step.advance_ms;
        // Ends that nobody named come at any time after they are due.
        let most = if random.chance(40) { usize::MAX } else { random.below(3) as usize };
        asked.push_back(format!("+{} {}{:?}", step.advance_ms, if step.exec { "EXEC " } else { "" }, step.commands));
        let result = judged.tick(now, most).map(|_| ()).and_then(|()| {
            if step.exec { judged.exec(&step.commands) } else { judged.handle(&step.commands[0]).map(|_| ()) }
        });
        if let Err(complaint) = result {
            let before: Vec<String> = asked.into_iter().collect();
            return Err(format!("seed {seed}: {complaint}\n{}", before.join("\n")));
        }
        judged.driven.state.check();
        if asked.len() > 200 {
            asked.pop_front();
        }
    }
    judged.finish().map_err(|complaint| format!("seed {seed}: {complaint}"))?;
    Ok(judged)
}

#[test]
fn two_hundred_seeds_answer_as_the_contract_says() {
    for seed in 0..200 {
        run(seed, STEPS).unwrap_or_else(|what| panic!("{what}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_answers_as_the_contract_says(seed: u64) {
        if let Err(what) = run(seed, STEPS) {
            prop_assert!(false, "{what}");
        }
    }

    /// What the tables' hashing is seeded with shows nowhere.
    #[test]
    fn any_two_runs_of_one_history_write_the_same_events(seed: u64, other: u64) {
        let mut first = Judged::new(other);
        let mut second = Judged::new(!other);
        let mut generator = Generator::new(seed);
        for _ in 0..150 {
            let step = generator.step(&first.ledger);
            for judged in [&mut first, &mut second] {
                judged.tick(judged.driven.now + step.advance_ms, usize::MAX).unwrap();
                for command in &step.commands {
                    judged.handle(command).unwrap();
                }
            }
            prop_assert_eq!(&first.driven.log, &second.driven.log);
        }
    }
}
