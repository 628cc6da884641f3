//! Random lives of a log on a disk that fails in every way: whatever was durable is there once, in order, and nothing else.

use crate::common::*;
use sumun_log::faulty::{FaultyDisk, Random};
use sumun_log::{FileLog, Log, OpenError, Position, Progress, ReadError};

/// What must be found: batches that were durable, and the one that may be.
#[derive(Default)]
struct Model {
    durable: Frames,
    outstanding: Option<(u64, u32, Vec<u8>)>,
    /// Batches before this sequence may be gone.
    trimmed: u64,
    closed: bool,
}

impl Model {
    fn check(&mut self, log: &mut FileLog, clean: bool) {
        let frames = read_all(log).expect("nothing is damaged");
        let first = log.bounds().first;
        assert!(first <= self.trimmed.max(1), "{first} trimmed, asked for {}", self.trimmed);
        let outstanding = self.outstanding.take();
        if log.bounds().last >= self.durable.last().map_or(1, |(first, count, _)| first + u64::from(*count)) {
            // From now on it has been shown: it stays.
            self.durable.push(outstanding.expect("nothing was submitted that is not durable"));
        }
        let kept: Frames = self.durable.iter().filter(|(at, _, _)| *at >= first).cloned().collect();
        assert_eq!(frames, kept, "what was durable is there once, in order, and nothing else");
        if self.closed {
            assert!(clean, "a log that was closed was stopped cleanly");
        }
        self.closed = false;
        for (first, count, _) in &kept {
            let at = log.find(first + u64::from(count / 2)).unwrap();
            let mut bytes = Vec::new();
            assert_eq!(log.read(at, &mut bytes).unwrap().unwrap().first, *first);
        }
    }
}

fn append_some(disk: &FaultyDisk, log: &mut FileLog, model: &mut Model, random: &mut Random) -> bool {
    for _ in 0..random.below(40) {
        let length = if random.below(8) == 0 { random.below(3000) } else { random.below(200) };
        let bytes: Vec<u8> = (0..length).map(|_| random.draw() as u8).collect();
        let count = 1 + random.below(5) as u32;
        if log.make_room(bytes.len()).is_err() {
            disk.set_capacity(None);
            log.make_room(bytes.len()).expect("there is room again");
        }
        let first = log.bounds().last + 1;
        match submit(log, count, &bytes) {
            Progress::Durable { last, position, bytes } => {
                assert_eq!(last, first + u64::from(count) - 1);
                let mut read = Vec::new();
                if random.below(4) == 0 && !disk.is_off() && log.read(position, &mut read).is_ok() {
                    assert_eq!(read, bytes);
                }
                model.durable.push((first, count, bytes));
            }
            Progress::Failed(_) => {
                model.outstanding = Some((first, count, bytes));
                return false;
            }
            other => panic!("{other:?}"),
        }
        if random.coin() {
            log.tend();
        }
        if random.below(30) == 0 {
            let (at, _, _) = &model.durable[random.below(model.durable.len() as u64) as usize];
            if *at >= log.bounds().first
                && let Ok(position) = log.find(*at)
            {
                log.trim(Position { offset: 0, ..position });
                model.trimmed = model.trimmed.max(*at);
            }
        }
    }
    true
}

fn arm(disk: &FaultyDisk, random: &mut Random) {
    disk.heal();
    disk.set_capacity(None);
    disk.set_short_writes(random.coin());
    match random.below(6) {
        0 | 1 => disk.cut_at(1 + random.below(150)),
        2 => disk.fail_at(1 + random.below(150), libc::EIO),
        3 => disk.fail_at(1 + random.below(150), libc::ENOSPC),
        4 => disk.set_capacity(Some(disk.used() + random.below(40_000))),
        _ => {}
    }
}

fn live(seed: u64) {
    let mut random = Random::new(seed);
    let disk = FaultyDisk::new(seed ^ 0xface);
    let mut model = Model::default();
    for _ in 0..12 {
        arm(&disk, &mut random);
        let (mut log, report) = match FileLog::open(setup(&disk)) {
            Ok(opened) => opened,
            Err(OpenError::Read(error @ ReadError::Damaged { .. })) => panic!("no bit was flipped: {error}"),
            Err(_) => {
                // It may have got as far as to begin a segment.
                model.closed = false;
                disk.heal();
                disk.set_capacity(None);
                if disk.is_off() {
                    disk.power_cut();
                }
                FileLog::open(setup(&disk)).expect("nothing is wrong any more")
            }
        };
        if !disk.is_off() {
            disk.heal();
            let cut = disk.calls();
            model.check(&mut log, report.clean);
            assert!(disk.calls() >= cut);
            arm(&disk, &mut random);
        }
        let before = log.bounds().last;
        let lives = append_some(&disk, &mut log, &mut model, &mut random);
        if lives && random.below(3) == 0 {
            // With nothing written for want of space there is no segment to close.
            model.closed = log.close().is_ok() && log.bounds().last > before;
        }
        drop(log);
        match random.below(4) {
            0 => disk.come_back(),
            1 if !disk.is_off() => {}
            _ => disk.power_cut(),
        }
    }
    disk.heal();
    disk.set_capacity(None);
    disk.power_cut();
    let (mut log, report) = open(&disk);
    model.check(&mut log, report.clean);
}

#[test]
fn what_was_durable_is_there_once_whatever_the_disk_does() {
    for seed in 0..1000 {
        let result = std::panic::catch_unwind(|| live(seed));
        assert!(result.is_ok(), "seed {seed}");
    }
}
