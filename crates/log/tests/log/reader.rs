//! Reading a log that is not ours: up to the durable end, without a lock, changing nothing.

use crate::common::*;
use std::sync::Arc;
use sumun_log::disk::Disk;
use sumun_log::faulty::{Call, FaultyDisk};
use sumun_log::{Log, OpenError, Position, Progress, ReadError, Reader, ReaderEnd};

fn reader(disk: &FaultyDisk, end: ReaderEnd) -> Result<Option<Reader>, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Reader::open(&disk, &data(), 0, end)
}

fn known(disk: &FaultyDisk) -> Reader {
    reader(disk, ReaderEnd::Known).unwrap().unwrap()
}

#[test]
fn where_there_is_no_log_there_is_no_reader() {
    let disk = FaultyDisk::new(1);
    assert!(reader(&disk, ReaderEnd::Known).unwrap().is_none());
    disk.make_dir(&data()).unwrap();
    assert!(reader(&disk, ReaderEnd::Known).unwrap().is_none());
}

#[test]
fn beside_a_running_server_a_frame_is_read_once_a_later_one_follows_it() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    assert!(read_all(&mut known(&disk)).unwrap().is_empty());
    let mut written = Vec::new();
    for n in 0..40 {
        let text = format!("{n} {}", "x".repeat(900));
        let segment = append(&mut log, text.as_bytes()).segment;
        let mut reader = known(&disk);
        let found = texts(&mut reader);
        assert!(reader.is_running() && !reader.is_clean() && reader.id() == ID && reader.epoch() == 1);
        assert_eq!(found, written, "in segment {segment}");
        written.push(text);
        log.tend();
    }
    assert_eq!(known(&disk).find(20).unwrap(), log.find(20).unwrap());
}

#[test]
fn a_server_that_gives_its_durable_end_is_read_up_to_there() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    assert!(texts(&mut reader(&disk, ReaderEnd::Given(log.bounds().end)).unwrap().unwrap()).is_empty());
    for n in 0..40 {
        append(&mut log, format!("{n} {}", "x".repeat(900)).as_bytes());
        let end = log.bounds().end;
        assert_eq!(texts(&mut reader(&disk, ReaderEnd::Given(end)).unwrap().unwrap()), texts(&mut log));
    }
    let middle = log.find(20).unwrap();
    let mut found = reader(&disk, ReaderEnd::Given(middle)).unwrap().unwrap();
    assert_eq!((texts(&mut found).len(), found.bounds().last), (19, 19));
    let within = Position { offset: middle.offset + 1, ..middle };
    assert!(matches!(reader(&disk, ReaderEnd::Given(within)), Err(OpenError::Read(ReadError::Damaged { .. }))));
    let unknown = Position { segment: 77, offset: 4096 };
    assert!(matches!(reader(&disk, ReaderEnd::Given(unknown)), Err(OpenError::Read(ReadError::NoSuchPosition(_)))));
    assert!(reader(&disk, ReaderEnd::Given(Position::default())).unwrap().is_none());
}

#[test]
fn a_stopped_servers_log_is_read_as_a_start_would_find_it_and_nothing_is_changed() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let (mut log, _) = open(&disk);
        append(&mut log, b"first");
        append(&mut log, b"second");
        disk.cut_at(2);
        assert!(matches!(submit(&mut log, 1, &[b'3'; 2000]), Progress::Failed(_)));
        drop(log);
        disk.power_cut();
        for call in [Call::Write, Call::SetLength, Call::Remove, Call::Rename, Call::Create, Call::MakeDir, Call::Sync]
        {
            disk.fail_always(call, libc::EROFS);
        }
        let mut reader = known(&disk);
        let found = texts(&mut reader);
        assert!(!reader.is_running() && !reader.is_clean());
        let torn = reader.torn().map(|torn| (torn.offset, torn.bytes));
        assert!(reader.torn().is_none_or(|torn| torn.copy.is_none()));
        disk.heal();
        let (mut log, report) = open(&disk);
        assert_eq!((texts(&mut log), report.torn.map(|torn| (torn.offset, torn.bytes))), (found, torn));
    }
}

#[test]
fn a_clean_stop_is_seen() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    append(&mut log, b"only");
    log.close().unwrap();
    drop(log);
    let mut reader = known(&disk);
    assert!(reader.is_clean() && texts(&mut reader) == ["only"]);
}

#[test]
fn damage_beside_a_running_server_is_found() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    for n in 0..4 {
        append(&mut log, format!("batch {n}").as_bytes());
    }
    disk.flip(&segment(1), 4096 + 71 + 66, 0);
    let error = reader(&disk, ReaderEnd::Known).unwrap_err();
    let OpenError::Read(ReadError::Damaged { segment: 1, offset: 4167, after: 1, .. }) = error else {
        panic!("{error}")
    };
    let end = log.bounds().end;
    let error = reader(&disk, ReaderEnd::Given(end)).unwrap_err();
    assert!(matches!(error, OpenError::Read(ReadError::Damaged { segment: 1, offset: 4167, .. })), "{error}");
}

#[test]
fn what_is_trimmed_under_a_reader_stays_readable_and_a_new_reader_begins_behind_it() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    for n in 0..60 {
        append(&mut log, format!("{n} {}", "x".repeat(900)).as_bytes());
        log.tend();
    }
    let end = log.bounds().end;
    assert!(end.segment > 3);
    let mut old = reader(&disk, ReaderEnd::Given(end)).unwrap().unwrap();
    log.trim(end);
    log.tend();
    let mut new = reader(&disk, ReaderEnd::Given(end)).unwrap().unwrap();
    assert!(new.bounds().first > 40);
    let left = texts(&mut new);
    assert_eq!(left, texts(&mut log));
    let all = texts(&mut old);
    assert_eq!((all.len(), &all[60 - left.len()..]), (60, &left[..]));
    assert_eq!(old.find(1).unwrap(), old.bounds().first_position);
}
