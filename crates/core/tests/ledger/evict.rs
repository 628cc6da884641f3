//! Records that leave memory and come back: a state that keeps forgetting answers and writes what one does that never
//! forgets, and comes to the same records.

use crate::support::{Driven, Judged, Names};
use proptest::prelude::*;
use sumun_auditor::OwnedCommand;
use sumun_auditor::generate::{Generator, Random};
use sumun_wire::Command;

/// What a history met, so that a test can tell that it met something.
#[derive(Debug, Default)]
struct Met {
    left: u64,
    came_back: u64,
}

/// The same history on a state that forgets and, judged, on one that does not.
fn run(seed: u64, steps: usize) -> Met {
    let mut whole = Judged::new(seed);
    let mut forgetful = Driven::new(!seed);
    let mut generator = Generator::new(seed);
    let mut others = Generator::new(!seed);
    let mut random = Random::new(seed);
    let mut met = Met::default();
    for _ in 0..steps {
        let step = generator.step(&whole.ledger);
        let now = whole.driven.now + step.advance_ms;
        whole.tick(now, usize::MAX).unwrap();
        for _ in 0..random.below(12) {
            met.left += u64::from(forgetful.evict(random.next()));
        }
        let away = forgetful.elsewhere.len();
        forgetful.advance(now, u32::MAX);
        forgetful.end_due(usize::MAX);
        if random.chance(10) {
            let tried = others.step(&whole.ledger).commands;
            let tried: Vec<Command<'_>> = tried.iter().map(OwnedCommand::as_command).collect();
            forgetful.attempt(&tried);
        }
        let commands: Vec<Command<'_>> = step.commands.iter().map(OwnedCommand::as_command).collect();
        let answers = forgetful.exec(&commands);
        met.came_back += (away - forgetful.elsewhere.len()) as u64;
        let wanted = whole.driven.exec(&commands);
        whole.hear(&commands, &wanted).unwrap();
        assert_eq!(answers, wanted, "seed {seed}: {commands:?}");
        assert_eq!(forgetful.log.last(), whole.driven.log.last(), "seed {seed}: {commands:?}");
    }
    assert_eq!(forgetful.log, whole.driven.log);
    forgetful.fetch_all();
    whole.finish().unwrap();
    forgetful.state.check();
    let names = Names::of(&forgetful.log);
    let now = forgetful.now;
    assert_eq!(names.read(&forgetful.state, now), names.read(&whole.driven.state, now));
    assert_eq!(forgetful.state.counts(), whole.driven.state.counts());
    met
}

#[test]
fn sixty_histories_on_a_state_that_forgets_come_to_the_same() {
    let met: Vec<Met> = (0..60).map(|seed| run(seed, 400)).collect();
    let left: u64 = met.iter().map(|met| met.left).sum();
    let came_back: u64 = met.iter().map(|met| met.came_back).sum();
    assert!(left > 10_000 && came_back > 5_000, "records leave and come back: {left}, {came_back}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_on_a_state_that_forgets_comes_to_the_same(seed: u64) {
        run(seed, 300);
    }
}
