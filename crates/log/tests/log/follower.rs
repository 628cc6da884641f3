//! Following a log while it is written: up to what the writer says is durable, through new segments, trims and failures.

use crate::common::*;
use std::sync::Arc;
use sumun_log::disk::Disk;
use sumun_log::faulty::{Call, FaultyDisk, Random};
use sumun_log::{Bounds, FileLog, Follower, Frame, Log, LogId, OpenError, Position, Progress, ReadError};

const EIO: i32 = 5;

fn follower(disk: &FaultyDisk) -> Follower {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Follower::new(disk, &data(), 0, ID)
}

impl ReadFrames for Follower {
    fn begin(&self) -> Position {
        self.bounds().first_position
    }
    fn frame(&mut self, at: Position, bytes: &mut Vec<u8>) -> Result<Option<Frame>, ReadError> {
        self.read(at, bytes)
    }
}

/// A follower and where it stands.
struct Tail {
    follower: Follower,
    at: Position,
    seen: Frames,
    /// The first that it did not miss.
    since: u64,
}

impl Tail {
    fn new(disk: &FaultyDisk) -> Tail {
        Tail { follower: follower(disk), at: Position::default(), seen: Vec::new(), since: 1 }
    }
    fn go_on(&mut self, bounds: &Bounds) -> Result<(), ReadError> {
        self.follower.follow(bounds).expect("the segments are there");
        let mut bytes = Vec::new();
        while let Some(frame) = self.follower.read(self.at, &mut bytes)? {
            self.at = frame.next;
            self.seen.push((frame.first, frame.count, bytes.clone()));
        }
        assert_eq!(self.follower.bounds().last, bounds.last);
        assert_eq!(self.seen.last().map_or(0, |(first, count, _)| first + u64::from(*count) - 1), bounds.last);
        Ok(())
    }
}

fn text(n: u64) -> String {
    format!("{n} {}", "x".repeat(900))
}

#[test]
fn each_frame_is_read_as_soon_as_it_is_durable_through_segments_and_restarts() {
    let disk = FaultyDisk::new(1);
    let mut tail = Tail::new(&disk);
    for session in 0..3 {
        let (mut log, _) = open(&disk);
        tail.go_on(&log.bounds()).unwrap();
        for n in 0..40 {
            append(&mut log, text(session * 40 + n).as_bytes());
            tail.go_on(&log.bounds()).unwrap();
            log.tend();
        }
        log.close().unwrap();
        assert_eq!(tail.seen, read_all(&mut log).unwrap());
        for sequence in 1..=log.bounds().last {
            assert_eq!(tail.follower.find(sequence).unwrap(), log.find(sequence).unwrap());
        }
    }
    assert!(tail.at.segment > 6);
}

#[test]
fn nothing_behind_the_durable_end_is_read_though_it_stands_in_the_file() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    let mut ends = vec![log.bounds()];
    for n in 0..60 {
        append(&mut log, text(n).as_bytes());
        ends.push(log.bounds());
        log.tend();
    }
    let mut old = follower(&disk);
    for bounds in &ends {
        for one in [&mut old, &mut follower(&disk)] {
            one.follow(bounds).unwrap();
            assert_eq!(texts(one).len() as u64, bounds.last);
            assert_eq!(one.find(bounds.last + 1).unwrap(), bounds.end);
        }
    }
    // What it heard before it heard better of changes nothing.
    old.follow(&ends[7]).unwrap();
    assert_eq!(old.bounds().last, 60);
}

#[test]
fn what_is_trimmed_is_told_as_trimmed_whether_it_heard_of_it_or_not() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    for n in 0..60 {
        append(&mut log, text(n).as_bytes());
        log.tend();
    }
    let before = log.bounds();
    let (mut told, mut untold) = (follower(&disk), follower(&disk));
    let mut bytes = Vec::new();
    for one in [&mut told, &mut untold] {
        one.follow(&before).unwrap();
        assert_eq!(one.read(Position::default(), &mut bytes).unwrap().unwrap().first, 1);
    }
    let middle = log.find(40).unwrap();
    log.trim(middle);
    log.tend();
    let after = log.bounds();
    assert!(after.first > 1 && after.first <= 40);
    told.follow(&after).unwrap();
    // Its file is still open to the one that was not told: that much is whole, and may be read; then it finds out.
    let second = untold.find(2).unwrap();
    assert_eq!(untold.read(second, &mut bytes).unwrap().unwrap().first, 2);
    let third_segment = Position { segment: 3, offset: 4096 };
    for one in [&mut told, &mut untold] {
        let error = one.read(third_segment, &mut bytes).unwrap_err();
        assert!(matches!(error, ReadError::Trimmed { first, .. } if first == after.first), "{error}");
        let error = one.find(3).unwrap_err();
        assert!(matches!(error, ReadError::Trimmed { wanted: 3, first } if first == after.first), "{error}");
        assert_eq!(texts(one), texts(&mut log));
    }
    // One that slept through all of it begins where the log begins.
    let mut late = follower(&disk);
    late.follow(&after).unwrap();
    assert_eq!((late.bounds().first, texts(&mut late)), (after.first, texts(&mut log)));
}

#[test]
fn a_follower_that_slept_while_all_it_knew_was_trimmed_goes_on_behind_it() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    append(&mut log, b"first");
    let mut one = follower(&disk);
    one.follow(&log.bounds()).unwrap();
    for n in 0..80 {
        append(&mut log, text(n).as_bytes());
        log.tend();
    }
    log.trim(log.bounds().end);
    log.tend();
    one.follow(&log.bounds()).unwrap();
    assert_eq!((texts(&mut one), one.bounds().first), (texts(&mut log), log.bounds().first));
    let mut bytes = Vec::new();
    let old = Position { segment: 1, offset: 4096 };
    assert!(matches!(one.read(old, &mut bytes), Err(ReadError::Trimmed { .. })));
}

#[test]
fn a_batch_that_was_written_twice_is_read_once() {
    let disk = FaultyDisk::new(3);
    let (mut log, _) = open(&disk);
    let mut tail = Tail::new(&disk);
    for n in 0..20 {
        if n % 3 == 2 {
            disk.fail_nth(Call::Sync, 1, EIO);
        }
        append(&mut log, text(n).as_bytes());
        tail.go_on(&log.bounds()).unwrap();
    }
    assert!(log.bounds().end.segment > 5);
    assert_eq!(tail.seen, read_all(&mut log).unwrap());
}

#[test]
fn a_log_that_failed_and_was_opened_again_goes_on_for_its_follower() {
    for seed in 0..20 {
        let disk = FaultyDisk::new(seed);
        let (mut log, _) = open(&disk);
        let mut tail = Tail::new(&disk);
        append(&mut log, b"first");
        tail.go_on(&log.bounds()).unwrap();
        (1..=8).for_each(|nth| disk.fail_nth(Call::Sync, nth, EIO));
        assert!(matches!(submit(&mut log, 1, b"lost or not"), Progress::Failed(_)));
        disk.heal();
        tail.go_on(&log.bounds()).unwrap();
        drop(log);
        let (mut log, _) = open(&disk);
        append(&mut log, b"after");
        tail.go_on(&log.bounds()).unwrap();
        assert_eq!(tail.seen, read_all(&mut log).unwrap());
    }
}

#[test]
fn nothing_is_locked_written_or_cut() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    for n in 0..40 {
        append(&mut log, text(n).as_bytes());
        log.tend();
    }
    for call in
        [Call::Write, Call::SetLength, Call::Remove, Call::Rename, Call::Create, Call::MakeDir, Call::Sync, Call::Lock]
    {
        disk.fail_always(call, libc::EROFS);
    }
    let mut one = follower(&disk);
    one.follow(&log.bounds()).unwrap();
    assert_eq!(texts(&mut one), texts(&mut log));
}

#[test]
fn a_log_of_another_identity_or_without_a_segment_is_none_to_follow() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    append(&mut log, b"only");
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut other = Follower::new(Arc::clone(&shared), &data(), 0, LogId([9; 16]));
    assert!(matches!(other.follow(&log.bounds()), Err(OpenError::OtherLog { .. })));
    let mut none = follower(&disk);
    let nothing = Bounds { first: 1, first_position: Position::default(), last: 0, end: Position::default(), bytes: 0 };
    none.follow(&nothing).unwrap();
    assert!(texts(&mut none).is_empty());
}

#[test]
fn damage_is_told_with_its_place_and_an_error_that_passes_is_passed() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    for n in 0..4 {
        append(&mut log, format!("batch {n}").as_bytes());
    }
    let mut one = follower(&disk);
    one.follow(&log.bounds()).unwrap();
    let mut bytes = Vec::new();
    disk.fail_nth(Call::Read, 1, EIO);
    assert!(matches!(one.read(Position::default(), &mut bytes), Err(ReadError::Io(_))));
    assert_eq!(texts(&mut one).len(), 4);
    disk.flip(&segment(1), 4096 + 71 + 66, 0);
    let mut one = follower(&disk);
    one.follow(&log.bounds()).unwrap();
    let error = read_all(&mut one).unwrap_err();
    assert!(matches!(error, ReadError::Damaged { segment: 1, offset: 4167, after: 1, .. }), "{error}");
    // A segment's header that is not as the next one says.
    for n in 0..40 {
        append(&mut log, text(n).as_bytes());
        log.tend();
    }
    disk.flip(&segment(2), 30, 0);
    let error = follower(&disk).follow(&log.bounds()).unwrap_err();
    assert!(matches!(error, OpenError::Read(ReadError::Damaged { segment: 2, offset: 0, .. })), "{error}");
}

#[test]
fn reading_costs_what_is_read() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    let mut tail = Tail::new(&disk);
    for n in 0..200 {
        append(&mut log, text(n).as_bytes());
        log.tend();
        let before = tail.follower.read_bytes();
        tail.go_on(&log.bounds()).unwrap();
        let cost = tail.follower.read_bytes() - before;
        // A frame lies on two pages at most, and a segment that is new has its header read again.
        assert!(cost <= 4 * 4096, "{cost} bytes for a frame of 1,000");
    }
}

/// Whatever the disk does: what is followed is what the log reads, once, in order.
#[test]
fn random_lives_are_followed_whole() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let mut random = Random::new(seed);
        let mut tail = Tail::new(&disk);
        let mut others: Vec<Follower> = Vec::new();
        for _ in 0..3 {
            let (mut log, _) = open(&disk);
            live(&disk, &mut log, &mut random, &mut tail, &mut others);
            if random.coin() {
                // One that failed does not close.
                let _ = log.close();
            }
        }
    }
}

fn live(disk: &FaultyDisk, log: &mut FileLog, random: &mut Random, tail: &mut Tail, others: &mut Vec<Follower>) {
    for _ in 0..random.below(80) {
        if random.below(10) == 0 {
            disk.fail_nth(Call::Sync, 1 + random.below(2), EIO);
        }
        let bytes: Vec<u8> = (0..random.below(2500)).map(|_| random.draw() as u8).collect();
        log.make_room(bytes.len()).unwrap();
        match submit(log, 1 + random.below(4) as u32, &bytes) {
            Progress::Durable { .. } => {}
            Progress::Failed(_) => break,
            other => panic!("{other:?}"),
        }
        if random.coin() {
            log.tend();
        }
        if random.below(12) == 0 {
            let bounds = log.bounds();
            let position = log.find(bounds.first + random.below(bounds.last + 1 - bounds.first)).unwrap();
            log.trim(Position { offset: 0, ..position });
        }
        if random.below(3) == 0 {
            check(&log.bounds(), log, tail, random);
        }
        if random.below(20) == 0 {
            others.push(follower(disk));
        }
        for other in &mut *others {
            if random.below(5) == 0 {
                other.follow(&log.bounds()).unwrap();
                assert!(read_all(other).unwrap() == read_all(log).unwrap(), "a new reading is that of the log");
            }
        }
    }
    disk.heal();
}

fn check(bounds: &Bounds, log: &mut FileLog, tail: &mut Tail, random: &mut Random) {
    match tail.go_on(bounds) {
        Ok(()) => {}
        Err(ReadError::Trimmed { first, .. }) => {
            // At most: the segment of its place may be gone although it had read all of it.
            assert!(tail.seen.last().is_none_or(|(last, count, _)| last + u64::from(*count) <= first));
            tail.at = Position::default();
            tail.go_on(bounds).unwrap();
            tail.since = first;
        }
        Err(error) => panic!("{error}"),
    }
    // What it was too slow for may be there again after a restart: it goes on behind that.
    let since = tail.since.max(bounds.first);
    let of = |frames: Frames| frames.into_iter().filter(|(first, _, _)| *first >= since).collect::<Frames>();
    assert!(of(tail.seen.clone()) == of(read_all(log).unwrap()), "what was durable was seen once, in order");
    if bounds.last >= bounds.first {
        let sequence = bounds.first + random.below(bounds.last + 1 - bounds.first);
        assert_eq!(tail.follower.find(sequence).unwrap(), log.find(sequence).unwrap());
    }
}
