//! Any bytes as a log's directory, through recovery and both ways to read it, over a disk in memory.
//! It ends in a refusal, a cut tail, or frames whose checksums hold; nothing is served that was not there; memory stays
//! bounded; and what a start finds is what a reader finds, and what the next start finds.
//! The first byte says what the others are: a directory written out (`assemble`), or edits of a log that was written
//! (`edit`), of which is known what may be found.
#![no_main]

mod assemble;
mod edit;
#[path = "../memory.rs"]
mod memory;
mod spec;
mod world;

use sumun_log::{FileLog, Log, Position, ReadError, Reader, ReaderEnd};
use world::{Files, Found, Frames};

/// Windows over some segments, the segments themselves on a disk that keeps what is seen and what is durable, and the space
/// laid out for another.
const MEMORY_MAX: usize = 16 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&what, input)) = data.split_first() else { return };
    edit::written();
    memory::within(MEMORY_MAX, || {
        if what & 1 == 0 {
            judge_any(&assemble::files(input));
        } else {
            judge_edited(&edit::edited(edit::Original::of(what >> 1), input));
        }
    });
});

/// Nothing is known of the files: every frame that is found must stand there, whole, and follow the one before.
fn judge_any(files: &Files) {
    let found = open_and_read(files);
    let mut before: Option<(Position, u64)> = None;
    for (at, (first, count, payload)) in found.at.iter().zip(&found.frames) {
        let frame = spec::frame(files, *at).unwrap_or_else(|why| panic!("no frame stands at {at:?}: {why}"));
        assert_eq!(
            (frame.first, frame.count, frame.payload),
            (*first, *count, payload.as_slice()),
            "as it stands there"
        );
        if let Some((place, next)) = before {
            assert!(*at > place && *first == next, "LOG-2: forward, and without gap");
        }
        before = Some((*at, first + u64::from(*count)));
    }
}

/// What was written is known: a part of it from its beginning may be found, and all of it where the edits spared it.
fn judge_edited(edited: &edit::Edited) {
    let found = open_and_read(&edited.files);
    let all = &edited.original.frames;
    // Without its oldest segment a log begins later: as after a trim.
    let later = !edited.files.contains_key(&1);
    let begin = found.frames.first().and_then(|begin| all.iter().position(|frame| frame == begin)).unwrap_or(0);
    assert!(begin == 0 || later, "the beginning is passed over");
    let written = all[begin..].get(..found.frames.len());
    assert_eq!(Some(&found.frames[..]), written, "something else was found than was written");
    if let Some(spared) = edited.frames_spared() {
        assert!(found.refused.is_none(), "refused, though only what was on its way is torn: {:?}", found.refused);
        assert!(found.frames.len() >= spared, "a frame is gone that was durable");
    }
}

/// Reads in every way there is. All must agree, and what a start finds must stay found.
fn open_and_read(files: &Files) -> Found {
    let disk = world::disk(files);
    let seen = match Reader::open(&world::shared(&disk), &world::data(), world::SHARD, ReaderEnd::Known) {
        Ok(Some(mut reader)) => world::read_all(reader.bounds().first_position, |at, bytes| reader.read(at, bytes)),
        Ok(None) => Found::default(),
        Err(error) => Found::refused(&error),
    };
    if let Some(given) = seen.at.get(seen.at.len() / 2) {
        read_up_to(&disk, *given, &seen);
    }
    let (mut log, report) = match FileLog::open(world::setup(&disk)) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(seen.opened_not(), "only a start refuses: {error}");
            return seen;
        }
    };
    assert!(!seen.opened_not(), "only a reader refuses: {:?}", seen.refused);
    let found = world::read_all(report.bounds.first_position, |at, bytes| log.read(at, bytes));
    assert_eq!(found.frames, seen.frames, "a start and a reader find the same");
    assert_eq!(found.refused, seen.refused, "and refuse for the same reason");
    find_each(&mut log, &found);
    if found.refused.is_none() {
        go_on(log, &disk, &found.frames);
    }
    found
}

/// What is read up to a place that is said to be durable is the beginning of what is there.
fn read_up_to(disk: &sumun_log::faulty::FaultyDisk, end: Position, seen: &Found) {
    let reader = Reader::open(&world::shared(disk), &world::data(), world::SHARD, ReaderEnd::Given(end));
    let Ok(Some(mut reader)) = reader else { return };
    let part = world::read_all(reader.bounds().first_position, |at, bytes| reader.read(at, bytes));
    // A reader that is told the end does not ask what stands behind it, so it may know more than one that refused.
    let common = part.frames.len().min(seen.frames.len());
    assert_eq!(part.frames[..common], seen.frames[..common], "the end changes what is before it");
    assert!(part.at.iter().all(|at| *at < end), "the end that was given is passed");
}

fn find_each(log: &mut FileLog, found: &Found) {
    for (at, (first, count, _)) in found.at.iter().zip(&found.frames) {
        let last = first + u64::from(*count) - 1;
        for sequence in [*first, last] {
            match log.find(sequence) {
                Ok(place) => assert_eq!(place, *at, "sequence {sequence} is found where it stands"),
                // Finding begins in another place than reading did, and may meet what is damaged.
                Err(error) => assert!(found.refused.is_some(), "sequence {sequence} is not found: {error}"),
            }
        }
    }
    assert!(matches!(log.find(0), Err(ReadError::Trimmed { .. })), "sequences begin with 1");
}

/// The log goes on behind what was found, and the next start finds both.
fn go_on(mut log: FileLog, disk: &sumun_log::faulty::FaultyDisk, frames: &Frames) {
    if log.bounds().last > 1 << 60 {
        return;
    }
    let mut all = frames.clone();
    all.push((log.bounds().last + 1, 3, b"and on".to_vec()));
    world::append(&mut log, 3, b"and on");
    drop(log);
    disk.power_cut();
    let (mut log, report) = FileLog::open(world::setup(disk)).expect("what was opened once can be opened again");
    assert!(report.torn.is_none(), "what was cut is gone: {:?}", report.torn);
    let again = world::read_all(report.bounds.first_position, |at, bytes| log.read(at, bytes));
    assert_eq!((again.refused, again.frames), (None, all), "all that was found is found again, and what was appended");
}
