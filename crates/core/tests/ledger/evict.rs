//! Records that leave memory and come back: a state that keeps forgetting answers and writes what one does that never
//! forgets, and its store comes to hold the same records. With and without restarts, long and short retentions.

use crate::support::{Driven, Judged};
use proptest::prelude::*;
use sumun_auditor::generate::{Generator, Random};
use sumun_auditor::{OwnedCommand, RETENTION_MS_DEFAULT};
use sumun_wire::Command;

/// What a history met, so that a test can tell that it met something.
#[derive(Debug, Default)]
pub(crate) struct Met {
    left: u64,
    came_back: u64,
    pub(crate) restarts: u64,
    pub(crate) waited: u64,
    pub(crate) dropped: u64,
}

/// The same history on a state that forgets and, judged, on one that does not. So many steps in a thousand, the first
/// one begins anew from its store and the log.
pub(crate) fn run(seed: u64, steps: usize, retention_ms: u64, restarts: u64) -> Met {
    let mut whole = Judged::with_retention(seed, retention_ms);
    let mut forgetful = Driven::on_a_store(!seed, retention_ms);
    let mut generator = Generator::new(seed);
    let mut others = Generator::new(!seed);
    let mut random = Random::new(seed);
    let mut met = Met::default();
    for _ in 0..steps {
        let step = generator.step(&whole.ledger);
        let now = whole.driven.now + step.advance_ms;
        whole.tick(now, usize::MAX).unwrap();
        met.left += forgetful.tend(&mut random);
        if random.below(1_000) < restarts {
            forgetful.restart(&mut random);
            met.restarts += 1;
            met.waited += forgetful.waiting.len() as u64;
        }
        forgetful.advance(now, u32::MAX);
        forgetful.follow(&whole.driven.log, &mut random);
        if random.chance(10) {
            let tried = others.step(&whole.ledger).commands;
            let tried: Vec<Command<'_>> = tried.iter().map(OwnedCommand::as_command).collect();
            forgetful.attempt(&tried);
        }
        let commands: Vec<Command<'_>> = step.commands.iter().map(OwnedCommand::as_command).collect();
        let answers = forgetful.exec(&commands);
        let wanted = whole.driven.exec(&commands);
        whole.hear(&commands, &wanted).unwrap();
        assert_eq!(answers, wanted, "seed {seed}: {commands:?}");
        assert_eq!(forgetful.log.last(), whole.driven.log.last(), "seed {seed}: {commands:?}");
    }
    assert_eq!(forgetful.log, whole.driven.log);
    whole.finish().unwrap();
    forgetful.state.check();
    forgetful.flush();
    let (state, now) = (&whole.driven.state, whole.driven.now);
    let store = forgetful.store.as_ref().unwrap();
    store.holds_what_stands_in(state, &whole.driven.log, now, retention_ms);
    met.came_back = forgetful.read;
    met.dropped = store.dropped;
    met
}

#[test]
fn sixty_histories_on_a_state_that_forgets_come_to_the_same() {
    let met: Vec<Met> = (0..60).map(|seed| run(seed, 400, RETENTION_MS_DEFAULT, 0)).collect();
    let left: u64 = met.iter().map(|met| met.left).sum();
    let came_back: u64 = met.iter().map(|met| met.came_back).sum();
    assert!(left > 10_000 && came_back > 5_000, "records leave and come back: {left}, {came_back}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_on_a_state_that_forgets_comes_to_the_same(seed: u64) {
        run(seed, 300, RETENTION_MS_DEFAULT, 0);
    }
}
