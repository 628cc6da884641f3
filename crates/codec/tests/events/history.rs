//! Events that real histories write: the core, driven over the contract's whole input space.

use sumun_auditor::generate::Generator;
use sumun_auditor::{Ledger, OwnedCommand, RETENTION_MS_DEFAULT};
use sumun_codec::outside;
use sumun_core::{Decision, Event, State};
use sumun_wire::{Answer, Command, Timestamp};

const BEGIN: u64 = 1_770_000_000_000;

/// The events of a history as they were decided, hints included.
pub(crate) fn events(seed: u64, steps: usize) -> Vec<Event> {
    let mut generator = Generator::new(seed);
    let mut ledger = Ledger::new();
    let mut world = World::new(BEGIN);
    for _ in 0..steps {
        let step = generator.step(&ledger);
        let from = world.log.len();
        world.go_on(world.now + step.advance_ms);
        ledger.judge_ends(Timestamp(world.now), &told(&world.log[from..])).unwrap();
        for command in &step.commands {
            let from = world.log.len();
            let answer = world.handle(&command.as_command());
            let events = told(&world.log[from..]);
            ledger.judge(Timestamp(world.now), &command.as_command(), &answer, &events).unwrap();
        }
    }
    world.log
}

/// The events of these commands.
pub(crate) fn events_of(commands: &[&str]) -> Vec<Event> {
    let mut world = World::new(BEGIN);
    for text in commands {
        let command: OwnedCommand = text.parse().unwrap();
        let answer = world.handle(&command.as_command());
        assert!(!matches!(answer, Answer::Refused(_)), "{text}: {answer:?}");
    }
    world.log
}

fn told(events: &[Event]) -> Vec<sumun_wire::Event> {
    events.iter().map(outside).collect()
}

struct World {
    state: State,
    now: u64,
    log: Vec<Event>,
    event: Event,
}

impl World {
    fn new(now: u64) -> World {
        let mut state = State::new(1, RETENTION_MS_DEFAULT);
        assert_eq!(state.arm(now, 0, 1), None, "an empty state has nothing to arm");
        World { state, now, log: Vec::new(), event: Event::default() }
    }
    fn write(&mut self) {
        self.state.apply(&self.event);
        self.log.push(self.event.clone());
    }
    fn go_on(&mut self, now: u64) {
        self.now = now;
        self.state.advance(now, u32::MAX);
        while self.state.end_due(now, &mut self.event, &mut Vec::new()) {
            self.write();
        }
    }
    fn handle(&mut self, command: &Command<'_>) -> Answer {
        loop {
            match self.state.decide(self.now, command, &mut self.event, &mut Vec::new()) {
                Decision::Answer(answer) => return answer,
                Decision::Missing => panic!("nothing has left memory"),
                Decision::First => self.write(),
                Decision::Event(answer) => {
                    self.write();
                    return answer;
                }
            }
        }
    }
}
