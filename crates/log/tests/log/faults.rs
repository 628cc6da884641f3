//! Each thing that a disk can do to a log, by name.

use crate::common::*;
use std::sync::Arc;
use sumun_log::disk::Disk;
use sumun_log::faulty::{Call, FaultyDisk};
use sumun_log::{FileLog, Log, LogId, OpenError, Options, Position, Progress, ReadError, Setup, segment_name};

fn failed(progress: &Progress) -> &str {
    match progress {
        Progress::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_appended_is_read_and_found_again_after_a_clean_stop() {
    let disk = FaultyDisk::new(1);
    let (mut log, report) = open(&disk);
    assert!(report.new && report.clean && log.bounds().last == 0 && log.bounds().first == 1);
    assert!(read_all(&mut log).unwrap().is_empty());
    for n in 0..50 {
        append(&mut log, format!("batch {n} {}", "x".repeat(700)).as_bytes());
        log.tend();
    }
    let before = read_all(&mut log).unwrap();
    log.close().unwrap();
    drop(log);
    let (mut log, report) = open(&disk);
    assert!(!report.new && report.clean && report.torn.is_none() && report.segments >= 3, "{report:?}");
    assert_eq!(log.bounds().last, 50);
    assert_eq!(read_all(&mut log).unwrap(), before);
    for sequence in 1..=50 {
        let at = log.find(sequence).unwrap();
        assert_eq!(log.read(at, &mut Vec::new()).unwrap().unwrap().first, sequence);
    }
    assert_eq!(log.find(51).unwrap(), log.bounds().end);
    assert_eq!(log.read(log.bounds().end, &mut Vec::new()).unwrap(), None);
    assert!(matches!(log.read(Position { segment: 1, offset: 9 }, &mut Vec::new()), Err(ReadError::NoSuchPosition(_))));
}

#[test]
fn each_open_is_an_epoch_and_begins_a_segment() {
    let disk = FaultyDisk::new(1);
    for epoch in 1..=5 {
        let (mut log, _) = open(&disk);
        assert_eq!(log.epoch(), epoch);
        let at = append(&mut log, b"x");
        assert_eq!(at, Position { segment: epoch, offset: 4096 });
        assert_eq!(log.read(at, &mut Vec::new()).unwrap().unwrap().epoch, epoch);
    }
}

#[test]
fn a_second_open_is_refused_while_the_first_holds_the_lock() {
    let disk = FaultyDisk::new(1);
    let (log, _) = open(&disk);
    let reads = disk.calls();
    assert!(matches!(refused(&disk), OpenError::Locked { .. }));
    assert!(disk.calls() - reads <= 3, "nothing is read before the lock is held");
    drop(log);
    open(&disk);
}

#[test]
fn a_log_of_another_identity_or_shard_is_refused() {
    let disk = FaultyDisk::new(1);
    drop(open(&disk));
    let expected = Some(LogId(*b"somebody else's!"));
    let error = FileLog::open(Setup { expected, ..setup(&disk) }).unwrap_err();
    assert!(matches!(error, OpenError::OtherLog { .. }), "{error}");
    let (log, _) = FileLog::open(Setup { fresh: LogId([7; 16]), expected: Some(ID), ..setup(&disk) }).unwrap();
    assert_eq!(log.id(), ID);
    drop(log);
    disk.put(&data().join("3/log/000000000001.log"), disk.contents(&segment(1)));
    let error = FileLog::open(Setup { shard: 3, ..setup(&disk) }).unwrap_err();
    assert!(matches!(error, OpenError::OtherShard { found: 0, expected: 3, .. }), "{error}");
}

#[test]
fn short_writes_are_completed() {
    let disk = FaultyDisk::new(3);
    disk.set_short_writes(true);
    let (mut log, _) = open(&disk);
    let payload = "long enough to be cut anywhere".repeat(50);
    for _ in 0..20 {
        append(&mut log, payload.as_bytes());
    }
    drop(log);
    disk.power_cut();
    let (mut log, report) = open(&disk);
    assert_eq!(texts(&mut log), vec![payload; 20]);
    assert!(report.torn.is_none() && !report.clean);
}

/// Ends the process, or the power, within the call that syncs the third batch.
fn interrupted(seed: u64) -> FaultyDisk {
    let disk = FaultyDisk::new(seed);
    let (mut log, _) = open(&disk);
    append(&mut log, b"first");
    append(&mut log, b"second");
    disk.cut_at(2);
    failed(&submit(&mut log, 1, "third".repeat(400).as_bytes()));
    disk
}

#[test]
fn a_torn_tail_is_cut_copied_and_reported() {
    let mut torn = 0;
    for seed in 0..40 {
        let disk = interrupted(seed);
        disk.power_cut();
        let tail = disk.contents(&segment(1));
        let (mut log, report) = open(&disk);
        assert!(!report.clean);
        let whole = log.bounds().last == 3;
        if let Some(found) = report.torn {
            torn += 1;
            assert!(!whole && found.segment == 1 && found.bytes > 0 && !found.why.is_empty());
            let from = found.offset as usize;
            let copy = found.copy.expect("there was space");
            assert_eq!(copy, dir().join(format!("torn-000000000001-{}", found.offset)));
            assert_eq!(disk.contents(&copy), tail[from..from + found.bytes as usize]);
        }
        let expected = if whole { 3 } else { 2 };
        append(&mut log, b"after");
        drop(log);
        disk.power_cut();
        let (mut log, report) = open(&disk);
        let read = texts(&mut log);
        assert!(read.len() == expected + 1 && read[expected] == "after", "the tail never comes back: {read:?}");
        assert!(report.torn.is_none(), "what was cut is reported once");
    }
    assert!(torn > 10, "{torn}");
}

#[test]
fn what_only_the_page_cache_holds_after_a_kill_is_durable_before_it_is_shown() {
    let mut shown = 0;
    for seed in 0..30 {
        let disk = interrupted(seed);
        disk.come_back();
        let (mut log, _) = open(&disk);
        let first = texts(&mut log);
        shown += first.len() - 2;
        drop(log);
        disk.power_cut();
        assert_eq!(texts(&mut open(&disk).0), first, "seed {seed}");
    }
    assert_eq!(shown, 30, "the cache had it whole");
}

#[test]
fn what_a_failed_sync_left_in_the_cache_is_seen_for_what_it_is() {
    let (mut there, mut gone) = (0, 0);
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let (mut log, _) = open(&disk);
        append(&mut log, b"first");
        disk.fail_always(Call::Sync, libc::EIO);
        failed(&submit(&mut log, 1, b"second"));
        drop(log);
        disk.heal();
        let (mut log, _) = open(&disk);
        let first = texts(&mut log);
        if first.len() == 2 {
            there += 1
        } else {
            gone += 1
        }
        append(&mut log, b"later");
        drop(log);
        disk.power_cut();
        assert_eq!(texts(&mut open(&disk).0), [first, vec!["later".to_owned()]].concat(), "seed {seed}");
    }
    assert!(there > 0 && gone > 0, "{there} {gone}");
}

#[test]
fn a_batch_whose_write_or_sync_fails_is_written_again_to_a_new_segment() {
    for call in [Call::Write, Call::Sync] {
        for seed in 0..20 {
            let disk = FaultyDisk::new(seed);
            let (mut log, _) = open(&disk);
            append(&mut log, b"first");
            log.tend();
            disk.fail_nth(call, 1, libc::EIO);
            let at = append(&mut log, b"second");
            assert_eq!(at, Position { segment: 2, offset: 4096 });
            append(&mut log, b"third");
            assert_eq!(texts(&mut log), ["first", "second", "third"]);
            drop(log);
            disk.power_cut();
            let (mut log, report) = open(&disk);
            assert_eq!(texts(&mut log), ["first", "second", "third"], "{call:?} seed {seed}");
            assert!(report.torn.is_none(), "the spoiled end of segment 1 is never read");
        }
    }
}

#[test]
fn a_batch_that_fails_in_a_new_segment_too_fails_with_both_reasons() {
    let disk = FaultyDisk::new(5);
    let (mut log, _) = open(&disk);
    append(&mut log, b"first");
    disk.fail_always(Call::Sync, libc::EIO);
    let progress = submit(&mut log, 1, b"second");
    assert!(failed(&progress).contains("and again, in a new segment"), "{progress:?}");
    disk.heal();
    assert_eq!(texts(&mut log), ["first"], "what was durable is still read");
    failed(&submit(&mut log, 1, b"second"));
    assert!(log.close().is_err());
}

#[test]
fn a_name_whose_directory_was_not_synced_is_never_relied_upon() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let (mut log, _) = open(&disk);
        append(&mut log, b"first");
        disk.fail_nth(Call::Write, 1, libc::EIO);
        disk.fail_nth(Call::SyncDir, 1, libc::EIO);
        failed(&submit(&mut log, 1, b"second"));
        drop(log);
        disk.heal();
        disk.power_cut();
        let (mut log, _) = open(&disk);
        // A write that failed may have written all of it before.
        let mut found = texts(&mut log);
        assert!(found == ["first"] || found == ["first", "second"], "{found:?}");
        append(&mut log, b"other");
        drop(log);
        disk.power_cut();
        found.push("other".to_owned());
        assert_eq!(texts(&mut open(&disk).0), found);
    }
}

#[test]
fn a_name_that_only_the_cache_holds_is_durable_before_anything_rests_on_it() {
    for seed in 0..40 {
        let disk = FaultyDisk::new(seed);
        let (mut log, _) = open(&disk);
        append(&mut log, b"first");
        log.tend();
        // The second batch stays behind in segment 1: written, its sync failed. The process ends after segment 2 was written,
        // synced and named, while its name is made durable.
        disk.fail_nth(Call::Sync, 1, libc::EIO);
        disk.cut_at(6);
        failed(&submit(&mut log, 1, b"second"));
        disk.come_back();
        assert!(disk.list(&dir()).unwrap().contains(&segment_name(2)));
        disk.set_capacity(Some(0));
        let (mut log, _) = open(&disk);
        let shown = texts(&mut log);
        drop(log);
        disk.power_cut();
        assert_eq!(texts(&mut open(&disk).0), shown, "seed {seed}");
    }
}

#[test]
fn a_full_segment_on_a_full_disk_has_room_for_its_closing_frame() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    disk.set_capacity(Some(0));
    let mut length = 3000;
    while length > 0 {
        if log.make_room(length).is_ok() {
            append(&mut log, &vec![1; length]);
        } else {
            length -= 1;
        }
    }
    log.make_room(0).unwrap_err();
    log.close().unwrap();
    drop(log);
    disk.power_cut();
    assert!(open(&disk).1.clean);
}

/// Appends until done or failed; what was durable, and what may be.
fn script(disk: &FaultyDisk) -> (Vec<String>, Option<String>, bool) {
    let mut durable = Vec::new();
    let Ok((mut log, _)) = FileLog::open(setup(disk)) else { return (durable, None, false) };
    for n in 0..24 {
        let text = format!("{n} {}", "y".repeat(n * 53));
        if log.make_room(text.len()).is_err() {
            return (durable, None, false);
        }
        match submit(&mut log, 1, text.as_bytes()) {
            Progress::Durable { .. } => durable.push(text),
            _ => return (durable, Some(text), false),
        }
        log.tend();
        if n == 14 {
            log.trim(Position { segment: 2, offset: 0 });
        }
    }
    (durable, None, log.close().is_ok())
}

fn check_script(disk: &FaultyDisk, what: &str, (durable, outstanding, closed): (Vec<String>, Option<String>, bool)) {
    let (mut log, report) = open(disk);
    let found = texts(&mut log);
    let mut expected = durable;
    expected.extend(outstanding.filter(|_| log.bounds().last as usize > expected.len()));
    let first = log.bounds().first as usize - 1;
    assert_eq!(found, expected[first..], "{what}");
    assert!(first <= 14 && report.clean >= closed, "{what}");
    append(&mut log, b"and on");
    drop(log);
    disk.power_cut();
    assert_eq!(texts(&mut open(disk).0).last().unwrap(), "and on", "{what}");
}

fn calls_of_the_script() -> u64 {
    let disk = FaultyDisk::new(1);
    let (durable, _, closed) = script(&disk);
    assert!(durable.len() == 24 && closed);
    disk.calls()
}

#[test]
fn any_single_call_may_fail() {
    for n in 1..=calls_of_the_script() {
        for errno in [libc::EIO, libc::ENOSPC] {
            let disk = FaultyDisk::new(n);
            disk.fail_at(n, errno);
            let written = script(&disk);
            disk.heal();
            check_script(&disk, &format!("call {n} errno {errno}"), written);
        }
    }
}

#[test]
fn the_power_may_go_within_any_call() {
    for n in 1..=calls_of_the_script() {
        for seed in 0..3 {
            let disk = FaultyDisk::new(n * 3 + seed);
            disk.cut_at(n);
            let written = script(&disk);
            disk.power_cut();
            check_script(&disk, &format!("call {n} seed {seed}"), written);
        }
    }
}

#[test]
fn the_process_may_be_killed_between_any_two_calls() {
    for n in 1..=calls_of_the_script() {
        let disk = FaultyDisk::new(n);
        disk.cut_at(n);
        let written = script(&disk);
        disk.come_back();
        check_script(&disk, &format!("call {n}"), written);
    }
}

#[test]
fn any_kind_of_call_may_fail_for_ever() {
    use Call::{
        Allocate, Create, Length, List, Lock, MakeDir, Open, Read, Remove, Rename, SetLength, Sync, SyncDir, Write,
    };
    for call in
        [Allocate, Create, Length, List, Lock, MakeDir, Open, Read, Remove, Rename, SetLength, Sync, SyncDir, Write]
    {
        for from_the_start in [true, false] {
            let disk = FaultyDisk::new(2);
            if !from_the_start {
                drop(open(&disk));
            }
            disk.fail_always(call, libc::EIO);
            let written = script(&disk);
            disk.heal();
            check_script(&disk, &format!("{call:?}"), written);
        }
    }
}

#[test]
fn the_disk_may_be_full_at_any_point_and_recovers_by_itself() {
    let mut refused = 0;
    for capacity in (0..160_000).step_by(1500) {
        let disk = FaultyDisk::new(4);
        disk.set_capacity(Some(capacity));
        let Ok((mut log, _)) = FileLog::open(setup(&disk)) else { panic!("a full disk is no reason not to open") };
        let mut expected = Vec::new();
        for n in 0..24 {
            let text = format!("{n} {}", "z".repeat(n * 100));
            if let Err(error) = log.make_room(text.len()) {
                assert!(error.to_string().starts_with(&format!("no room for {} bytes in the log", text.len())));
                assert_eq!(texts(&mut log), expected, "reads go on");
                refused += 1;
                disk.set_capacity(Some(disk.used() + 9000));
                if log.make_room(text.len()).is_err() {
                    disk.set_capacity(None);
                    log.make_room(text.len()).unwrap();
                }
            }
            append(&mut log, text.as_bytes());
            expected.push(text);
            log.tend();
        }
        log.close().unwrap();
        drop(log);
        disk.power_cut();
        let (mut log, report) = open(&disk);
        assert!(report.clean);
        assert_eq!(texts(&mut log), expected, "{capacity}");
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn a_full_disk_leaves_the_log_to_be_read_after_a_start_and_keeps_its_torn_bytes() {
    let disk = three_segments(false);
    let end = disk.contents(&segment(3)).iter().rposition(|byte| *byte != 0).unwrap() as u64;
    disk.flip(&segment(3), end, 0);
    disk.set_capacity(Some(0));
    let (mut log, report) = open(&disk);
    assert!(report.torn.unwrap().copy.is_none());
    assert_eq!(texts(&mut log).len(), 8);
    let error = log.make_room(10).unwrap_err();
    assert!(error.why.contains("No space left"), "{error}");
    log.close().unwrap();
    drop(log);
    disk.set_capacity(None);
    let (mut log, report) = open(&disk);
    assert!(report.torn.unwrap().copy.is_some() && !report.clean);
    assert_eq!(texts(&mut log).len(), 8);
}

#[test]
fn an_error_other_than_a_full_disk_is_not_called_one() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    disk.fail_always(Call::Allocate, libc::EIO);
    for _ in 0..100 {
        log.make_room(3000).expect("no lack of room was found");
        if let Progress::Failed(why) = submit(&mut log, 1, &[7; 3000]) {
            assert!(why.contains("os error 5"), "{why}");
            return;
        }
    }
    panic!("the segment never ends");
}

#[test]
fn a_quota_used_up_is_a_full_disk() {
    let disk = FaultyDisk::new(1);
    disk.fail_always(Call::Allocate, libc::EDQUOT);
    let (mut log, _) = open(&disk);
    log.make_room(1).unwrap_err();
    disk.heal();
    append(&mut log, b"x");
}

#[test]
fn space_is_laid_out_at_once_when_zero_filling_is_behind() {
    let disk = FaultyDisk::new(1);
    let crew = Arc::new(Later::default());
    let (mut log, _) = FileLog::open(setup_on(Arc::new(disk.clone()), &data(), crew.clone())).unwrap();
    for n in 0..40 {
        append(&mut log, format!("{n} {}", "q".repeat(1000)).as_bytes());
        log.tend();
        if n == 25 {
            crew.run();
        }
    }
    let expected = texts(&mut log);
    assert_eq!(expected.len(), 40);
    drop(log);
    crew.run();
    disk.power_cut();
    assert_eq!(texts(&mut open(&disk).0), expected);
}

#[test]
fn room_that_is_there_costs_no_call() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) = open(&disk);
    log.tend();
    let calls = disk.calls();
    for _ in 0..10 {
        log.make_room(3000).unwrap();
    }
    assert_eq!(disk.calls(), calls);
    submit(&mut log, 1, &[1; 1000]);
    assert_eq!(disk.calls(), calls + 2, "one write and one sync a batch");
}

#[test]
fn trimming_removes_whole_segments_oldest_first_and_never_the_last() {
    let disk = three_segments(true);
    let (mut log, _) = open(&disk);
    log.trim(Position { segment: 3, offset: 5000 });
    assert_eq!((log.bounds().first, log.bounds().first_position.segment), (7, 3));
    assert!(matches!(log.find(6), Err(ReadError::Trimmed { wanted: 6, first: 7 })));
    let old = Position { segment: 1, offset: 4096 };
    assert!(matches!(log.read(old, &mut Vec::new()), Err(ReadError::Trimmed { first: 7, .. })));
    log.tend();
    assert_eq!(texts(&mut log).len(), 3);
    log.trim(Position { segment: 99, offset: 0 });
    log.tend();
    log.tend();
    assert_eq!((log.bounds().first, log.bounds().last), (10, 9));
    drop(log);
    disk.power_cut();
    let (mut log, _) = open(&disk);
    assert_eq!((log.bounds().first, log.bounds().last), (10, 9));
    append(&mut log, b"on");
    assert_eq!(read_all(&mut log).unwrap(), [(10, 1, b"on".to_vec())]);
}

#[test]
fn segments_given_up_leave_with_those_around_them() {
    // A power cut may keep the name of a segment whose directory failed to sync, so that it stands there for good.
    for seed in 0..20 {
        let disk = FaultyDisk::new(seed);
        let (mut log, _) = open(&disk);
        append(&mut log, b"one");
        disk.fail_nth(Call::Write, 1, libc::EIO);
        append(&mut log, b"two");
        disk.fail_nth(Call::Sync, 1, libc::EIO);
        append(&mut log, b"three");
        // The segment in use is full: the next one is begun twice.
        disk.fail_nth(Call::SyncDir, 1, libc::EIO);
        for _ in 0..6 {
            append(&mut log, &[b'x'; 3000]);
        }
        disk.fail_nth(Call::Write, 1, libc::EIO);
        append(&mut log, b"last");
        let (end, last) = (log.bounds().end, log.bounds().last);
        log.trim(end);
        log.tend();
        drop(log);
        if seed % 2 == 0 {
            disk.power_cut();
        }
        let (mut log, _) = open(&disk);
        assert_eq!((log.bounds().last, texts(&mut log).last().unwrap().as_str()), (last, "last"));
    }
}

#[test]
fn the_power_may_go_within_any_call_of_trimming() {
    for n in 1..60 {
        let disk = three_segments(true);
        disk.cut_at(n);
        if let Ok((mut log, _)) = FileLog::open(setup(&disk)) {
            log.trim(log.bounds().end);
            log.tend();
        }
        disk.power_cut();
        let (mut log, _) = open(&disk);
        let (first, last) = (log.bounds().first, log.bounds().last);
        assert!(last == 9 && [1, 4, 7, 10].contains(&first), "{first} {last}");
        assert_eq!(texts(&mut log).len() as u64, last + 1 - first);
    }
}

#[test]
fn ended_segments_give_back_the_space_behind_their_end() {
    let disk = FaultyDisk::new(1);
    let options = Options { segment_bytes: 1 << 20, ..SMALL };
    for _ in 0..10 {
        let (mut log, _) = FileLog::open(Setup { options, ..setup(&disk) }).unwrap();
        append(&mut log, b"x");
        log.tend();
        drop(log);
    }
    assert!(disk.used() < 4 << 20, "{}", disk.used());
}

#[test]
fn the_log_grows_beyond_what_a_segment_holds_and_a_large_batch_fits() {
    let disk = FaultyDisk::new(1);
    let (mut log, _) =
        FileLog::open(Setup { options: Options { segment_bytes: 8192, batch_bytes_max: 1 << 20 }, ..setup(&disk) })
            .unwrap();
    for length in [0, 1, 9000, 1 << 20, 511, 512, 513, 700_000] {
        append(&mut log, &vec![length as u8; length]);
    }
    let lengths: Vec<usize> = read_all(&mut log).unwrap().iter().map(|(_, _, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [0, 1, 9000, 1 << 20, 511, 512, 513, 700_000]);
    drop(log);
    disk.power_cut();
    assert_eq!(open(&disk).0.bounds().last, 8);
}
