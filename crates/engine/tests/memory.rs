//! What a reservation takes of memory, and what a command takes of the allocator. In a program of its own: the
//! allocator counts what each thread asks for.

#[path = "bounds/counting.rs"]
mod counting;
#[path = "bounds/world.rs"]
#[expect(dead_code, reason = "it serves the tests of bounds, too")]
mod world;

use counting::{Counting, allocations, allocations_of, bytes};
use sumun_core::Stage;
use sumun_wire::{Answer, Code, Command, Refusal};
use world::{BEGIN_MS, SKU, World, mix, name, reserve};

#[global_allocator]
static COUNTING: Counting = Counting;

const MILLION: u64 = 1_000_000;
const MONTH_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// The timers' heads are there from the beginning as pages of zeros, 4 bytes a second: of them a month is touched.
const HEADS_BYTES: u64 = MONTH_MS / 1_000 * 4;

/// What is open takes of memory once the store holds it: what waits for the store is bounded apart.
struct Filled {
    /// At any moment from half a million on. Tables are fullest just before they double, and emptiest just after.
    worst: u64,
    of_a_million: u64,
}

fn fill(holder: impl Fn(u64) -> Option<String>) -> Filled {
    let mut world = World::new();
    let before = bytes();
    let mut worst = 0;
    for so_far in (0..MILLION).step_by(50_000) {
        world.fill_for(so_far, so_far + 50_000, |n| 1 + mix(n) % MONTH_MS, &holder);
        while world.shard.state_mut().stage(&mut |_| {}) == Stage::Staged {}
        let (open, out) = (world.shard.state().open_reservations(), bytes() - before);
        let estimate = world.shard.state().counts().bytes as u64;
        println!("{open} open: {} bytes each, {} by the budget's estimate", out / open, estimate / open);
        if open >= MILLION / 2 {
            worst = worst.max(out / open);
            assert!(estimate * 10 >= out * 8, "the budget counts what is there: {estimate} of {out} bytes");
        }
    }
    Filled { worst, of_a_million: (bytes() - before) / MILLION }
}

#[test]
fn an_open_reservation_of_one_line_takes_at_most_128_bytes() {
    let filled = fill(|_| None);
    let with_heads = filled.of_a_million + HEADS_BYTES / MILLION;
    println!("{} bytes each at worst; {with_heads} of a million with the timers' heads", filled.worst);
    assert!(filled.worst <= 128, "{} bytes each", filled.worst);
    assert!(with_heads <= 128, "{with_heads} bytes each");
}

#[test]
fn a_holder_takes_at_most_64_bytes_more() {
    let alone = fill(|_| None);
    let held = fill(|n| Some(format!("customer-{n:011}")));
    let worst = held.worst - alone.worst;
    println!("{worst} bytes a holder at worst, {} of a million", held.of_a_million - alone.of_a_million);
    assert!(worst <= 64, "{worst} bytes a holder");
}

#[test]
fn commands_of_the_burst_allocate_nothing_once_warm() {
    const ROUNDS: u64 = 100_000;
    let mut world = World::new();
    world.now = BEGIN_MS;
    world.fill(0, 10_000, |_| MONTH_MS);
    let ids: Vec<String> = (0..ROUNDS).map(|n| name(10_000 + n, String::new())).collect();
    let (mut reserved, mut captured, mut released, mut refused, mut replayed) = (0, 0, 0, 0, 0);
    let (mut items, mut reservations) = (0, 0);
    for some in ids.chunks(500) {
        world.begin();
        for id in some {
            let mut ask = |command: &Command<'_>, count: &mut u64| {
                let (answer, allocations) = allocations_of(|| world.handle(command));
                *count += allocations;
                answer
            };
            assert!(matches!(ask(&reserve(id, 1, MONTH_MS), &mut reserved), Answer::Outcome(_)));
            assert!(matches!(ask(&reserve(id, 1, MONTH_MS), &mut replayed), Answer::Outcome(o) if o.replayed));
            let whole = || sumun_wire::Part { reservation: id, id: None, lines: None };
            let end = if id.ends_with(['0', '1', '2']) {
                ask(&Command::Release(whole()), &mut released)
            } else {
                ask(&Command::Capture(whole()), &mut captured)
            };
            assert!(matches!(end, Answer::Outcome(_)));
            let answer = ask(&reserve("more", 1 << 50, MONTH_MS), &mut refused);
            assert!(matches!(answer, Answer::Refused(Refusal { code: Code::Insufficient, .. })));
            assert!(matches!(ask(&Command::Item { sku: SKU }, &mut items), Answer::Item(Some(_))));
            assert!(matches!(ask(&Command::Reservation { id }, &mut reservations), Answer::Reservation(Some(_))));
        }
        let before = allocations();
        world.close(|_| {});
        assert!(allocations() - before < 8, "a step's close hands its buffers round");
    }
    println!(
        "allocations of {ROUNDS} each: reserved {reserved}, captured {captured}, released {released}, refused \
         {refused}, replayed {replayed}; item shown {items}, reservation shown {reservations}"
    );
    assert_eq!((refused, replayed), (0, 0));
    assert!(captured + released <= 16, "buffers that were not yet warm: {captured} + {released}");
    // Sub-tables that double, and the slab's chunks.
    assert!(reserved < ROUNDS / 50, "{reserved} for {ROUNDS} reserves");
    // Whole records are shown in boxes.
    assert_eq!(items, ROUNDS);
    assert_eq!(reservations, 3 * ROUNDS);
}
