//! Segments of any bytes: opening and reading them ends, refuses or reads what was written, and never panics.

use crate::common::*;
use std::sync::Arc;
use sumun_log::disk::Disk;
use sumun_log::faulty::{FaultyDisk, Random};
use sumun_log::{FileLog, Log, Position, Reader, ReaderEnd};

fn bytes(random: &mut Random, length: u64) -> Vec<u8> {
    let style = random.below(3);
    (0..length)
        .map(|_| match style {
            0 => random.draw() as u8,
            1 => [0xff, 0xfe, b'S', b'F', 0, 1][random.below(6) as usize],
            _ => {
                if random.below(50) == 0 {
                    random.draw() as u8
                } else {
                    0
                }
            }
        })
        .collect()
}

/// Opens and reads in every way there is; gives what was read before the first refusal.
fn exercise(disk: &FaultyDisk, random: &mut Random) -> Frames {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let given = Position { segment: 1 + random.below(4), offset: 4000 + random.below(600) };
    for end in [ReaderEnd::Known, ReaderEnd::Given(given)] {
        if let Ok(Some(mut reader)) = Reader::open(&shared, &data(), 0, end) {
            let _ = read_all(&mut reader);
            let _ = reader.find(random.below(40));
        }
    }
    let Ok((mut log, _)) = FileLog::open(setup(disk)) else { return Frames::new() };
    let mut buffer = Vec::new();
    for _ in 0..5 {
        let at = Position { segment: random.below(5), offset: 4000 + random.below(3000) };
        let _ = log.read(at, &mut buffer);
        let _ = log.find(random.below(40));
    }
    let mut found = Frames::new();
    let mut at = log.bounds().first_position;
    while let Ok(Some(frame)) = log.read(at, &mut buffer) {
        assert!(frame.next > at && buffer.capacity() < 1 << 20, "forward, and bounded");
        found.push((frame.first, frame.count, buffer.clone()));
        at = frame.next;
    }
    found
}

fn written() -> (FaultyDisk, Frames) {
    let disk = FaultyDisk::new(7);
    for session in 0..3 {
        let (mut log, _) = open(&disk);
        for n in 0..4 {
            append(&mut log, format!("session {session} batch {n} {}", "m".repeat(40 * n)).as_bytes());
        }
        log.tend();
        if session != 1 {
            log.close().unwrap();
        }
    }
    let all = read_all(&mut open(&disk.copy(1)).0).unwrap();
    (disk, all)
}

#[test]
fn random_bytes_never_panic_or_loop() {
    for seed in 0..1500 {
        let mut random = Random::new(seed);
        let disk = FaultyDisk::new(seed);
        for number in 1..=1 + random.below(3) {
            let length = random.below(12_000);
            disk.put(&segment(number), bytes(&mut random, length));
        }
        assert!(exercise(&disk, &mut random).is_empty());
    }
}

#[test]
fn mutated_segments_never_panic_or_loop_or_serve_what_was_not_written() {
    let (original, all) = written();
    let whole: Vec<Vec<u8>> = (1..=3).map(|number| original.contents(&segment(number))).collect();
    let (mut refused, mut read) = (0, 0);
    for seed in 0..4000 {
        let mut random = Random::new(seed);
        let disk = original.copy(seed);
        for _ in 0..1 + random.below(3) {
            let number = random.below(3);
            let mut mutated = disk.contents(&segment(number + 1));
            mutate(&mut mutated, &whole[random.below(3) as usize], &mut random);
            disk.put(&segment(number + 1), mutated);
        }
        let found = exercise(&disk, &mut random);
        assert!(found.len() <= all.len() && found == all[..found.len()], "seed {seed}: a prefix or nothing");
        if found.is_empty() { refused += 1 } else { read += 1 }
    }
    assert!(refused > 300 && read > 300, "{refused} {read}");
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    // Where something stands: the header, or the frames.
    let place = |random: &mut Random, length: usize| {
        let at = if random.below(4) == 0 { random.below(512) } else { 4096 + random.below(700) };
        (at as usize).min(length - 1)
    };
    let at = place(random, bytes.len());
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0xff][random.below(4) as usize],
        2 => bytes.truncate(at),
        3 => {
            let from = place(random, other.len());
            let length = (random.below(200) as usize).min(other.len() - from).min(bytes.len() - at);
            bytes[at..at + length].copy_from_slice(&other[from..from + length]);
        }
        4 => {
            let end = (at + random.below(300) as usize).min(bytes.len());
            bytes[at..end].fill(0);
        }
        _ => {
            let end = (at + random.below(100) as usize).min(bytes.len());
            bytes.drain(at..end);
        }
    }
}
