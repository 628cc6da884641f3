//! Commands a second of the core alone: decided and applied on a state with a million open reservations, without log,
//! socket, clock or store. `cargo bench -p sumun-core`: the fastest, slowest, median and mean of the samples, each of
//! them ten thousand commands.
//!
//! What a load does besides (new names, what is staged to the store) happens between samples and is not measured.

use divan::Bencher;
use divan::counter::ItemsCount;
use std::cell::RefCell;
use sumun_core::{Decision, Event, Key, Stage, State};
use sumun_wire::{Answer, Command, Line, Part, Receive, Reserve};

const OPEN: u64 = 1_000_000;
const ITEMS: u64 = 10_000;
const SAMPLE: u64 = 10_000;
const SAMPLES: u32 = 40;
const TTL_MS: u64 = 7 * 24 * 3_600_000;
const BEGIN: u64 = 1_770_000_000_000;

fn main() {
    divan::main();
}

/// Numbers that look like any others.
const fn mix(n: u64) -> u64 {
    let z = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Ids of twenty bytes that lie far apart.
fn id(n: u64) -> String {
    format!("r07-{:016x}", mix(n))
}

#[derive(Clone, Copy)]
enum Items {
    Hot,
    Uniform,
}

struct World {
    state: State,
    event: Event,
    missing: Vec<Key>,
    pinned: Vec<Key>,
    skus: Vec<String>,
    next: u64,
}

impl World {
    /// A million open reservations over all items.
    fn new() -> RefCell<World> {
        let mut state = State::new(7, 30 * 24 * 3_600_000);
        assert_eq!(state.arm(BEGIN, 0, 1), None, "an empty state has nothing to arm");
        let skus = (0..ITEMS).map(|item| format!("s{item:08}")).collect();
        let mut world =
            World { state, event: Event::default(), missing: Vec::new(), pinned: Vec::new(), skus, next: 0 };
        for sku in world.skus.clone() {
            let receive = Receive { sku: &sku, quantity: 1_000_000_000, movement: Some("m"), ..Receive::default() };
            world.handle(&Command::Receive(receive));
        }
        for _ in 0..OPEN / SAMPLE {
            let ids = world.names();
            world.reserve(&ids, Items::Uniform);
            world.stage();
        }
        RefCell::new(world)
    }

    /// Ids that are not there yet.
    fn names(&mut self) -> Vec<(u64, String)> {
        let from = self.next;
        self.next += SAMPLE;
        (from..self.next).map(|n| (n, id(n))).collect()
    }

    fn handle(&mut self, command: &Command<'_>) {
        loop {
            match self.state.decide(BEGIN, command, &mut self.event, &mut self.missing) {
                Decision::Event(answer) => {
                    assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
                    break self.state.apply(&self.event);
                }
                Decision::First => self.state.apply(&self.event),
                // A filter takes a new id for one that was stored, as it may: nothing is found where it would be read.
                Decision::Missing => {
                    self.missing.iter().for_each(|key| self.state.install(key, &[]));
                    self.pinned.append(&mut self.missing);
                }
                other @ Decision::Answer(_) => panic!("{command:?}: {other:?}"),
            }
        }
        self.pinned.drain(..).for_each(|key| self.state.unpin(&key));
    }

    fn reserve(&mut self, ids: &[(u64, String)], items: Items) {
        let skus = std::mem::take(&mut self.skus);
        for (n, id) in ids {
            let item = match items {
                Items::Hot => 0,
                Items::Uniform => mix(!n) % ITEMS,
            };
            let line = Line { sku: &skus[item as usize], quantity: 1, ..Line::default() };
            let lines = std::iter::once(line).collect();
            self.handle(&Command::Reserve(Reserve {
                reservation: id,
                ttl_ms: Some(TTL_MS),
                lines,
                ..Reserve::default()
            }));
        }
        self.skus = skus;
    }

    /// As the store's keeper does, so that no sample pays for those before.
    fn stage(&mut self) {
        while self.state.stage(&mut |staged| _ = divan::black_box(staged)) == Stage::Staged {}
    }

    /// Reservations that are held, for what ends them.
    fn held(&mut self, items: Items) -> Vec<(u64, String)> {
        let ids = self.names();
        self.reserve(&ids, items);
        self.stage();
        ids
    }
}

#[derive(Clone, Copy)]
enum End {
    Capture,
    Release,
}

impl End {
    fn of(self, id: &str) -> Command<'_> {
        let whole = Part { reservation: id, ..Part::default() };
        match self {
            End::Capture => Command::Capture(whole),
            End::Release => Command::Release(whole),
        }
    }
}

fn reserve(bencher: Bencher<'_, '_>, items: Items) {
    let world = World::new();
    let names = || {
        let mut world = world.borrow_mut();
        world.stage();
        world.names()
    };
    let reserve = |ids: &Vec<(u64, String)>| world.borrow_mut().reserve(ids, items);
    bencher.counter(ItemsCount::new(SAMPLE)).with_inputs(names).bench_local_refs(|ids| reserve(ids));
}

fn end(bencher: Bencher<'_, '_>, items: Items, end: End) {
    let world = World::new();
    let held = || world.borrow_mut().held(items);
    bencher.counter(ItemsCount::new(SAMPLE)).with_inputs(held).bench_local_refs(|ids| {
        let mut world = world.borrow_mut();
        ids.iter().for_each(|(_, id)| world.handle(&end.of(id)));
    });
}

fn receive(bencher: Bencher<'_, '_>, items: Items) {
    let world = World::new();
    let names = || {
        let mut world = world.borrow_mut();
        world.stage();
        world.names()
    };
    bencher.counter(ItemsCount::new(SAMPLE)).with_inputs(names).bench_local_refs(|ids| {
        let mut world = world.borrow_mut();
        for (n, movement) in ids.iter() {
            let item = match items {
                Items::Hot => 0,
                Items::Uniform => mix(!n) % ITEMS,
            };
            let sku = world.skus[item as usize].clone();
            let receive = Receive { sku: &sku, quantity: 1, movement: Some(movement), ..Receive::default() };
            world.handle(&Command::Receive(receive));
        }
    });
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn reserve_hot(bencher: Bencher<'_, '_>) {
    reserve(bencher, Items::Hot);
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn reserve_uniform(bencher: Bencher<'_, '_>) {
    reserve(bencher, Items::Uniform);
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn capture_hot(bencher: Bencher<'_, '_>) {
    end(bencher, Items::Hot, End::Capture);
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn capture_uniform(bencher: Bencher<'_, '_>) {
    end(bencher, Items::Uniform, End::Capture);
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn release_hot(bencher: Bencher<'_, '_>) {
    end(bencher, Items::Hot, End::Release);
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn release_uniform(bencher: Bencher<'_, '_>) {
    end(bencher, Items::Uniform, End::Release);
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn receive_hot(bencher: Bencher<'_, '_>) {
    receive(bencher, Items::Hot);
}

#[divan::bench(sample_count = SAMPLES, sample_size = 1)]
fn receive_uniform(bencher: Bencher<'_, '_>) {
    receive(bencher, Items::Uniform);
}
