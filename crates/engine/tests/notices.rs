//! What the operator is told: when something goes wrong, once, and when it is right again.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use sumun_engine::env::Env;
use sumun_engine::{Engine, Handled, Notice, Opened, Options, Shelves};
use sumun_log::disk::Disk;
use sumun_log::faulty::{Call, FaultyDisk};
use sumun_log::{Crew, FileLog, LogId, Setup};
use sumun_store::Twin;
use sumun_wire::{Answer, Command, Configure, Receive};

const EIO: i32 = 5;
const DAY_MS: u64 = 86_400_000;

/// A clock that is set, and by how much the wall clock is ahead of it.
#[derive(Clone, Debug, Default)]
struct Clock(Arc<(AtomicU64, AtomicI64)>);

impl Env for Clock {
    fn now_ms(&mut self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
    fn ticks_ns(&mut self) -> u64 {
        self.now_ms() * 1_000_000
    }
    fn cpu_ns(&mut self) -> u64 {
        0
    }
    fn drift_ms(&mut self) -> i64 {
        self.0.1.load(Ordering::Relaxed)
    }
    fn random(&mut self) -> u64 {
        7
    }
}

#[derive(Debug)]
struct AtOnce;

impl Crew for AtOnce {
    fn start(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

struct World {
    disk: FaultyDisk,
    store: Twin,
    clock: Clock,
    engine: Engine,
    number: u64,
}

fn open(disk: &FaultyDisk, store: &Twin, clock: &Clock) -> Engine {
    let files = disk.clone();
    let opener = Box::new(move || {
        let disk: Arc<dyn Disk> = Arc::new(files.clone());
        let (log, report) = FileLog::open(Setup {
            disk,
            data: PathBuf::from("/data"),
            shard: 0,
            fresh: LogId([7; 16]),
            expected: None,
            crew: Arc::new(AtOnce),
            wake: Arc::new(|| {}),
            options: sumun_log::Options { segment_bytes: 64 << 10, ..sumun_log::Options::default() },
        })?;
        Ok(Opened { log: Box::new(log), report })
    });
    let options = Options {
        shard: 0,
        memory: 1 << 30,
        retention_ms: DAY_MS,
        log_retention_ms: DAY_MS,
        stage_after_ms: 0,
        accept_clock: false,
    };
    let shelves = || Shelves::here(Box::new(store.clone()));
    Engine::open(options, Box::new(clock.clone()), opener, shelves).expect("it opens").0
}

impl World {
    fn new() -> World {
        let (disk, store, clock) = (FaultyDisk::new(1), Twin::new(1), Clock::default());
        clock.0.0.store(1_770_000_000_000, Ordering::Relaxed);
        let engine = open(&disk, &store, &clock);
        let mut world = World { disk, store, clock, engine, number: 0 };
        world.load();
        world
    }
    fn load(&mut self) {
        for _ in 0..10_000 {
            if self.engine.load_slice().expect("it loads") {
                return;
            }
            self.engine.work_on_store();
            self.pass(1);
        }
        panic!("it never gets ready");
    }
    fn pass(&self, ms: u64) {
        self.clock.0.0.fetch_add(ms, Ordering::Relaxed);
    }
    /// A step with a receipt, and all that the store has to do.
    fn step(&mut self) -> Option<Answer> {
        self.pass(200);
        if !self.engine.is_ready() {
            self.load();
        }
        self.engine.open_step();
        // Long events, so that a disk fills soon.
        let metadata = format!("\"{}{}\"", "x".repeat(16_000), self.number);
        let settings = Configure { sku: "b", metadata: Some(&metadata), ..Configure::default() };
        let _ = self.engine.handle(&Command::Configure(settings));
        let id = format!("m{}", self.number);
        self.number += 1;
        let receive =
            Receive { sku: "a", quantity: 1, movement: Some(&id), lot: None, expires_at: None, location: None };
        let answer = match self.engine.handle(&Command::Receive(receive)) {
            Handled::Answer(answer) => Some(answer),
            Handled::Later | Handled::Reading => None,
        };
        self.engine.close_step();
        for _ in 0..20 {
            self.engine.poll().expect("the store is whole");
            self.engine.work_on_store();
        }
        answer
    }
    fn notices(&mut self) -> Vec<Notice> {
        std::iter::from_fn(|| self.engine.take_notice()).collect()
    }
}

#[test]
fn a_full_disk_is_told_once_and_that_there_is_room_again() {
    let mut world = World::new();
    world.step();
    assert_eq!(world.notices(), []);
    world.disk.set_capacity(Some(world.disk.used()));
    for _ in 0..2_000 {
        world.step();
    }
    let told = world.notices();
    assert!(matches!(&told[..], [Notice::NoRoom { .. }]), "{told:?}");
    assert!(told[0].to_string().contains("free some space"), "{}", told[0]);
    world.disk.set_capacity(None);
    world.step();
    world.step();
    assert_eq!(world.notices(), [Notice::Room]);
}

#[test]
fn a_log_that_fails_is_told_and_that_it_was_opened_again() {
    let mut world = World::new();
    world.step();
    // The batch is written again to a new segment: that fails, too.
    (1..=8).for_each(|nth| world.disk.fail_nth(Call::Sync, nth, EIO));
    world.step();
    world.disk.heal();
    world.step();
    let told = world.notices();
    assert!(matches!(&told[..], [Notice::LogFailed { .. }, .., Notice::LogReopened { .. }]), "{told:?}");
    assert!(told[0].is_warning() && !told[told.len() - 1].is_warning());
}

#[test]
fn a_store_that_does_not_work_is_told_once_and_the_log_goes_on() {
    let mut world = World::new();
    world.store.set_stuck(true);
    for _ in 0..5 {
        assert!(matches!(world.step(), Some(Answer::Available { .. })), "the log goes on");
    }
    let told = world.notices();
    assert!(matches!(&told[..], [Notice::StoreFailed { .. }]), "{told:?}");
    world.store.set_stuck(false);
    world.step();
    world.step();
    assert_eq!(world.notices(), [Notice::StoreMended]);
    assert!(world.engine.kept().saved > 0);
}

#[test]
fn clocks_that_part_are_told_and_a_long_absence_too() {
    let mut world = World::new();
    world.step();
    world.clock.0.1.store(61_000, Ordering::Relaxed);
    world.pass(10_000);
    world.step();
    world.step();
    assert_eq!(world.notices(), [Notice::ClockDrift { ahead_ms: 61_000 }]);
    world.clock.0.1.store(0, Ordering::Relaxed);
    world.pass(10_000);
    world.step();
    assert_eq!(world.notices(), [Notice::ClockRight]);
    world.engine.close().expect("it closes");
    world.store.crash();
    world.pass(2 * DAY_MS);
    world.engine = open(&world.disk, &world.store, &world.clock);
    world.load();
    let told = world.notices();
    assert!(matches!(&told[..], [Notice::ClockAhead { since_log_ms }] if *since_log_ms >= 2 * DAY_MS), "{told:?}");
}
