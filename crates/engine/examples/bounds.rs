//! What a step does at most, and how long it takes, with many open reservations (`cargo xtask bounds`). Every step is
//! held against the caps on the way, as in the tests; here they are shown, with processor times and resident memory.
//!
//! Times are of the shard's own work: ends, decisions, events encoded and applied. The commit comes on top.

#[path = "../tests/bounds/world.rs"]
#[expect(dead_code, reason = "it serves the tests, too")]
mod world;

use sumun_engine::caps;
use sumun_wire::Answer;
use world::{BEGIN_MS, World, Worst, mix};

const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// A step as a busy server has it; a full one holds whatever the caps allow.
const BUSY: u64 = 256;
/// Commands that go on while a storm of ends is written, in each step.
const OTHERS: u64 = 64;

struct Phase {
    name: &'static str,
    worst_ns: u64,
    total_ns: u64,
}

impl Phase {
    fn new(name: &'static str) -> Phase {
        Phase { name, worst_ns: 0, total_ns: 0 }
    }
    fn note(&mut self, ns: u64) {
        self.worst_ns = self.worst_ns.max(ns);
        self.total_ns += ns;
    }
    fn print(&self, worst: &Worst) {
        println!(
            "{:<34} {:>7} steps, at most {:>5} commands, {:>4} ends, {:>4} timers, {:>6} entries moved, {:>6} bytes; CPU \
             {:>6} us at worst, {:>5} us on average",
            self.name,
            worst.steps,
            worst.commands,
            worst.ends,
            worst.timers,
            worst.moved,
            worst.bytes,
            self.worst_ns / 1_000,
            self.total_ns / worst.steps.max(1) / 1_000,
        );
    }
}

fn main() {
    let open: u64 = std::env::args().nth(1).map_or(10_000_000, |count| count.parse().expect("how many: a number"));
    let storm_ms = BEGIN_MS + 60 * 60 * 1_000;
    // One in ten ends in the same second; the others within a month.
    let at = |n: u64| {
        if n.is_multiple_of(10) { storm_ms + mix(n) % 1_000 } else { BEGIN_MS + MONTH_MS - mix(n) % (MONTH_MS / 2) }
    };
    let mut world = World::new();
    let before = resident_bytes();

    world.worst = Worst::default();
    let mut number = fill(&mut world, Phase::new("reserve, full steps"), 0, open / 2, u64::MAX, at);
    world.worst = Worst::default();
    number = fill(&mut world, Phase::new("reserve, 256 commands a step"), number, open, BUSY, at);

    let counts = world.shard.state().counts();
    let each = (resident_bytes() - before) / open;
    println!(
        "{} open: {each} bytes each resident, {} by the budget's estimate",
        counts.open,
        counts.bytes as u64 / open
    );

    world.worst = Worst::default();
    storm(&mut world, number, storm_ms, open.div_ceil(10));
    println!(
        "caps: {} commands, {} ends, {} timers, {} entries moved, {} bytes, each before its last one",
        caps::STEP_COMMANDS,
        caps::STEP_ENDS,
        caps::STEP_TIMERS,
        caps::STEP_MOVED,
        caps::STEP_BYTES
    );
}

fn fill(world: &mut World, mut phase: Phase, from: u64, until: u64, most: u64, at: impl Fn(u64) -> u64) -> u64 {
    let mut number = from;
    while number < until {
        let begun = cpu_ns();
        world.begin();
        let end = until.min(number.saturating_add(most));
        while number < end && !world.shard.is_full() {
            assert!(matches!(world.reserve(number, at(number) - world.now), Answer::Outcome(_)));
            number += 1;
        }
        phase.note(cpu_ns() - begun);
        world.close(|_| {});
    }
    phase.print(&world.worst);
    number
}

/// All that end in one second, while others go on. A step a millisecond.
fn storm(world: &mut World, mut number: u64, storm_ms: u64, ends: u64) {
    let mut phase = Phase::new("a tenth ends in one second");
    world.now = storm_ms - 2_000;
    while world.worst.ends_in_all < ends {
        world.now += 1;
        let begun = cpu_ns();
        world.begin();
        for _ in 0..OTHERS / 2 {
            assert!(matches!(world.reserve(number, MONTH_MS), Answer::Outcome(_)));
            assert!(matches!(world.capture(number), Answer::Outcome(_)));
            number += 1;
        }
        phase.note(cpu_ns() - begun);
        world.close(|_| {});
    }
    phase.print(&world.worst);
    println!(
        "the last of {ends} ends was written {} ms after the second's end",
        world.now.saturating_sub(storm_ms + 1_000)
    );
}

/// Processor time of this thread: what others on the machine do is left out.
fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "Linux has a clock for each thread");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}
