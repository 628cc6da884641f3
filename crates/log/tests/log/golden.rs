//! Bytes checked in by hand: they still open, and today's writer makes exactly them.

use crate::common::*;
use std::path::PathBuf;
use sumun_log::faulty::FaultyDisk;
use sumun_log::{FileLog, Log, Setup, segment_name};

fn golden(number: u64) -> Vec<u8> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/1");
    std::fs::read(dir.join(segment_name(number))).unwrap()
}

fn written(number: u64) -> PathBuf {
    data().join("7/log").join(segment_name(number))
}

fn on_shard_7(disk: &FaultyDisk) -> (FileLog, bool) {
    let (log, report) = FileLog::open(Setup { shard: 7, ..setup(disk) }).unwrap();
    (log, report.clean)
}

fn expected() -> Frames {
    vec![
        (1, 1, b"one event".to_vec()),
        (2, 3, b"three events, one batch".to_vec()),
        (5, 2, Vec::new()),
        (7, 1, (0..=255).collect()),
    ]
}

#[test]
fn golden_bytes_of_format_1_still_open() {
    let disk = FaultyDisk::new(1);
    disk.put(&written(1), golden(1));
    disk.put(&written(2), golden(2));
    let (mut log, clean) = on_shard_7(&disk);
    assert_eq!((log.id(), log.epoch(), clean), (ID, 3, false));
    assert_eq!(read_all(&mut log).unwrap(), expected());
    drop(log);
    let disk = FaultyDisk::new(1);
    disk.put(&written(1), golden(1));
    let (mut log, clean) = on_shard_7(&disk);
    assert!(clean, "it has a closing frame");
    assert_eq!(read_all(&mut log).unwrap(), expected()[..3]);
}

#[test]
fn what_is_written_today_is_the_golden_bytes() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = on_shard_7(&disk);
    for (_, count, bytes) in &expected()[..3] {
        submit(&mut log, *count, bytes);
    }
    log.close().unwrap();
    drop(log);
    let (mut log, _) = on_shard_7(&disk);
    submit(&mut log, 1, &expected()[3].2);
    for number in 1..=2 {
        let golden = golden(number);
        let written = disk.contents(&written(number));
        let (written, rest) = written.split_at(golden.len());
        assert!(written == golden, "segment {number}");
        assert!(rest.iter().all(|byte| *byte == 0));
    }
}
