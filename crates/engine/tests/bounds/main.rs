//! A million open reservations: every step is bounded, and every end comes at its time. Virtual time throughout.

mod world;

use sumun_core::{Event, EventKind};
use sumun_engine::{Budget, Decided, caps};
use sumun_wire::{
    Answer, Code, Command, Line, Lines, Part, PartLine, PartLines, Receive, Refusal, Reserve, State, Timestamp,
};
use world::{BEGIN_MS, World, mix, number};

const MILLION: u64 = 1_000_000;
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// Which reservations have ended, each once.
struct Ends(Vec<bool>);

impl Ends {
    fn see(&mut self, event: &Event) -> bool {
        if event.kind != EventKind::Expired {
            return false;
        }
        let at = event.reservation.expires_at.expect("it had a time");
        assert!(event.time >= at, "ended {} ms before its time", at - event.time);
        let ended = &mut self.0[number(event.name(event.reservation.id)) as usize];
        assert!(!*ended, "RSV-1: it ends once");
        *ended = true;
        true
    }
    fn all(&self) -> bool {
        self.0.iter().all(|ended| *ended)
    }
}

#[test]
fn every_step_is_bounded_while_a_million_reservations_begin_and_are_captured() {
    let mut world = World::new();
    world.fill(0, MILLION, |n| 1 + mix(n) % (30 * 24 * HOUR_MS));
    assert_eq!(world.shard.state().open_reservations(), MILLION);
    let filled = world.worst;
    assert!(filled.moved > 0 && filled.moved_in_all < 2 * MILLION, "growing is paid for in parts: {filled:?}");
    let mut number = 0;
    while number < MILLION {
        world.begin();
        while number < MILLION && !world.shard.is_full() {
            assert!(matches!(world.capture(number), Answer::Outcome(o) if o.state == State::Captured));
            number += 1;
        }
        world.close(|_| {});
    }
    assert_eq!(world.worst.moved_in_all, filled.moved_in_all, "a capture moves nothing");
    println!("{:?}", world.worst);
}

#[test]
fn a_million_ends_spread_over_an_hour_are_each_written_at_their_millisecond() {
    let mut world = World::new();
    let at = |n: u64| BEGIN_MS + 1 + mix(n ^ 0xe4d) % HOUR_MS;
    world.fill(0, MILLION, |n| at(n) - BEGIN_MS);
    let mut ends = Ends(vec![false; MILLION as usize]);
    while let Some(next) = world.shard.next_end() {
        assert!(next > world.now || world.now == BEGIN_MS, "what was due has ended");
        world.now = next;
        world.begin();
        world.close(|event| {
            if ends.see(event) {
                assert_eq!(Some(event.time), event.reservation.expires_at);
                assert_eq!(event.time, at(number(event.name(event.reservation.id))));
            }
        });
    }
    assert!(ends.all());
    assert_eq!(world.shard.state().open_reservations(), 0);
    assert!(world.worst.ends < 20, "it never lagged: {:?}", world.worst);
    println!("{:?}", world.worst);
}

#[test]
fn however_seldom_steps_come_an_end_is_written_at_the_first_at_or_after_its_time() {
    let mut world = World::new();
    let at = |n: u64| BEGIN_MS + 1 + mix(n ^ 0x1a7e) % HOUR_MS;
    world.fill(0, MILLION, |n| at(n) - BEGIN_MS);
    let mut times: Vec<u64> = (0..MILLION).map(at).collect();
    times.sort_unstable();
    let mut ends = Ends(vec![false; MILLION as usize]);
    let (mut steps, mut ended) = (0, 0);
    while ended < MILLION as usize {
        steps += 1;
        world.now += 1 + mix(steps) % 2_500;
        world.begin();
        world.close(|event| ended += usize::from(ends.see(event)));
        let due = times.partition_point(|at| *at <= world.now);
        assert_eq!(ended, due, "after step {steps}, at {} ms", world.now - BEGIN_MS);
    }
    assert!(ends.all());
}

#[test]
fn a_million_ends_within_a_tenth_of_a_second_leave_every_step_bounded_and_nothing_is_captured_late() {
    let mut world = World::new();
    let storm = BEGIN_MS + 10 * 60 * 1_000;
    let at = |n: u64| storm + mix(n ^ 0x5702) % 100;
    world.fill(0, MILLION, |n| at(n) - BEGIN_MS);
    let mut ends = Ends(vec![false; MILLION as usize]);
    let (mut steps, mut ended, mut late) = (0u64, 0, 0);
    world.now = storm - 2_000;
    while ended < MILLION {
        steps += 1;
        assert!(steps < 10_000, "{ended} of a million have ended");
        world.now += 1;
        world.begin();
        // Somebody else goes on as ever.
        let other = MILLION + steps;
        assert!(matches!(world.reserve(other, HOUR_MS), Answer::Outcome(o) if o.state == State::Held));
        assert!(matches!(world.capture(other), Answer::Outcome(o) if o.state == State::Captured));
        // Somebody comes too late, whether or not the end is written.
        let one = mix(steps ^ 0xca9) % MILLION;
        if at(one) <= world.now {
            late += u64::from(!ends.0[one as usize]);
            let answer = world.capture(one);
            assert!(matches!(&answer, Answer::Refused(Refusal { code: Code::Expired, .. })), "{answer:?}");
        }
        world.close(|event| ended += u64::from(ends.see(event)));
    }
    assert!(ends.all());
    assert!(late > 100, "{late} captures met an end that was not yet written");
    assert_eq!(world.worst.ends, caps::STEP_ENDS);
    assert_eq!(world.worst.timers, caps::STEP_TIMERS);
    assert_eq!(world.shard.state().open_reservations(), 0);
    println!("{steps} steps, {late} late: {:?}", world.worst);
}

#[test]
fn what_looks_at_many_lots_fills_a_step_soon_even_when_it_is_refused_or_only_reads() {
    let mut world = World::new();
    for number in 0..1_024 {
        let lot = format!("lot-{number}");
        let expires_at = Some(Timestamp(BEGIN_MS + HOUR_MS + number));
        let (movement, lot) = (Some(lot.as_str()), Some(lot.as_str()));
        world.begin();
        let receive = Receive { sku: "lots", quantity: 1, movement, lot, expires_at, location: None };
        assert!(matches!(world.handle(&Command::Receive(receive)), Answer::Available { .. }));
        world.close(|_| {});
    }
    let lines = |count: usize, quantity| {
        Lines::from_iter((0..count).map(|_| Line { sku: "lots", quantity, lot: None, location: None }))
    };
    let reserve = |reservation, lines| {
        Command::Reserve(Reserve { reservation, ttl_ms: Some(HOUR_MS), lines, ..Reserve::default() })
    };
    assert_eq!(commands_of_a_step(&mut world, &reserve("many", lines(64, 1_024))), 1, "65,536 looks");
    assert_eq!(commands_of_a_step(&mut world, &reserve("some", lines(1, 1_025))), 16);
    assert_eq!(commands_of_a_step(&mut world, &Command::Item { sku: "lots" }), 16);
    world.begin();
    assert!(matches!(world.handle(&reserve("held", lines(1, 1_024))), Answer::Outcome(_)));
    world.close(|_| {});
    assert_eq!(commands_of_a_step(&mut world, &Command::Reservation { id: "held" }), 16);
    let lines = Some(PartLines::from_iter([PartLine { sku: "lots", quantity: 2_000 }]));
    let part = Command::Capture(Part { reservation: "held", id: Some("part"), lines });
    assert_eq!(commands_of_a_step(&mut world, &part), 16, "each is refused: EXCEEDS");
    assert_eq!(commands_of_a_step(&mut world, &Command::Item { sku: "nothing" }), caps::STEP_COMMANDS);
}

#[test]
fn a_command_whose_ends_do_not_fit_into_the_step_waits_for_the_next() {
    let mut world = World::new();
    let place = "p".repeat(128);
    let skus = ["w", "x", "y", "z"];
    for number in 0..4 * 1_024 {
        let lot = format!("{number:0128}");
        let (movement, lot, location) = (Some(lot.as_str()), Some(lot.as_str()), Some(place.as_str()));
        let expires_at = Some(Timestamp(BEGIN_MS + HOUR_MS));
        world.begin();
        let receive = Receive { sku: skus[number / 1_024], quantity: 1, movement, lot, expires_at, location };
        assert!(matches!(world.handle(&Command::Receive(receive)), Answer::Available { .. }));
        world.close(|_| {});
    }
    world.now = BEGIN_MS + HOUR_MS;
    world.begin();
    assert!(world.shard.is_full() && world.shard.work().ends < 4, "{:?}", world.shard.work());
    let last = Command::Item { sku: "z" };
    assert!(matches!(world.shard.handle(&last, Budget::Open), Decided::Later));
    world.close(|_| {});
    world.begin();
    let answer = world.handle(&last);
    assert!(matches!(answer, Answer::Item(Some(item)) if (item.expired, item.available) == (1_024, 0)));
    world.close(|_| {});
    assert!(world.worst.bytes > caps::STEP_BYTES);
}

/// How often a step takes a command before it is full.
fn commands_of_a_step(world: &mut World, command: &Command<'_>) -> u32 {
    world.begin();
    let mut commands = 0;
    while !world.shard.is_full() {
        world.handle(command);
        commands += 1;
    }
    world.close(|_| {});
    commands
}
