//! Damage: found wherever it is, named with its place, never skipped, with a way out that leads out.

use crate::common::*;
use sumun_log::disk::Disk;
use sumun_log::faulty::FaultyDisk;
use sumun_log::{FileLog, Log, OpenError, ReadError};

fn damage(error: OpenError) -> (u64, u64, u64, String) {
    match &error {
        OpenError::Read(ReadError::Damaged { segment, offset, after, .. }) => {
            (*segment, *offset, *after, error.to_string())
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_never_served() {
    for close in [true, false] {
        let disk = three_segments(close);
        let expected = read_all(&mut open(&disk.copy(0)).0).unwrap();
        assert_eq!(expected.len(), 9);
        for number in 1..=3 {
            let bytes = disk.contents(&segment(number));
            let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1;
            for at in (0..512).chain(4096..end) {
                let copy = disk.copy(at);
                copy.flip(&segment(number), at, (at % 8) as u8);
                flipped(&copy, number, at, close, &expected);
            }
        }
    }
}

fn flipped(disk: &FaultyDisk, number: u64, at: u64, close: bool, expected: &Frames) {
    let place = format!("segment {number} offset {at}");
    match FileLog::open(setup(disk)) {
        Err(OpenError::Read(ReadError::Damaged { segment, offset, .. })) => {
            assert!(segment == number && offset <= at, "{place}: {segment} {offset}");
        }
        Err(other) => panic!("{place}: {other}"),
        Ok((mut log, report)) => match read_all(&mut log) {
            Err(ReadError::Damaged { segment, offset, .. }) => {
                assert!(segment == number && offset <= at, "{place}: {segment} {offset}");
            }
            Err(other) => panic!("{place}: {other}"),
            // Only the very last frame cannot be told from one that was torn; it is reported as such.
            Ok(frames) => {
                assert!(number == 3 && report.torn.is_some() && !report.clean, "{place}");
                assert_eq!(frames, expected[..if close { 9 } else { 8 }], "{place}");
            }
        },
    }
}

#[test]
fn a_payload_under_the_header_of_another_frame_is_damage() {
    let disk = three_segments(true);
    let mut bytes = disk.contents(&segment(3));
    let (first, second) = (4096 + 64, 4177 + 64);
    let payload = bytes[second..second + 17].to_vec();
    assert_ne!(bytes[first..first + 17], payload);
    bytes[first..first + 17].copy_from_slice(&payload);
    // With its checksum too, which alone is not enough.
    let checksum = bytes[second - 4..second].to_vec();
    bytes[first - 4..first].copy_from_slice(&checksum);
    disk.put(&segment(3), bytes);
    assert_eq!(damage(refused(&disk)).1, 4096);
}

#[test]
fn damage_is_refused_with_its_place_and_its_way_out() {
    let disk = three_segments(true);
    disk.flip(&segment(3), 4096 + 64 + 3, 0);
    let (at, offset, after, text) = damage(refused(&disk));
    assert_eq!((at, offset, after), (3, 4096, 6));
    let expected = "log damaged in segment 3 (`000000000003.log`) at offset 4096, after sequence 6: the checksum of a frame \
        does not match, though it had been durable: a later one stands at offset 4177; restore a backup, or copy the \
        directory and give up what comes after sequence 6: move all later segments elsewhere and run \
        `truncate -s 4096 000000000003.log`";
    assert_eq!(text, expected);
    disk.open(&segment(3), sumun_log::disk::Open::Write).unwrap().set_length(4096).unwrap();
    assert_eq!(texts(&mut open(&disk).0).len(), 6, "the way out leads out");
}

#[test]
fn damage_in_an_older_segment_is_refused_when_it_is_read_and_its_way_out_leads_out() {
    let disk = three_segments(true);
    disk.flip(&segment(2), 4177 + 70, 0);
    let (mut log, _) = open(&disk);
    let error = read_all(&mut log).unwrap_err();
    let ReadError::Damaged { segment: 2, offset: 4177, after: 4, .. } = error else { panic!("{error}") };
    drop(log);
    let aside = data().join("aside");
    disk.make_dir(&aside).unwrap();
    for number in 3..=4 {
        disk.rename(&segment(number), &aside.join(number.to_string())).unwrap();
    }
    disk.open(&segment(2), sumun_log::disk::Open::Write).unwrap().set_length(4177).unwrap();
    assert_eq!(texts(&mut open(&disk).0).len(), 4);
}

#[test]
fn a_damaged_header_is_refused_and_its_way_out_leads_out() {
    let disk = three_segments(true);
    disk.flip(&segment(3), 50, 0);
    let (at, offset, _, text) = damage(refused(&disk));
    assert_eq!((at, offset), (3, 0));
    assert!(text.contains("move `000000000003.log` and all later segments elsewhere"), "{text}");
    disk.remove(&segment(3)).unwrap();
    assert_eq!(texts(&mut open(&disk).0).len(), 6);
}

#[test]
fn a_missing_segment_is_damage() {
    let disk = three_segments(true);
    disk.remove(&segment(2)).unwrap();
    let (at, _, after, text) = damage(refused(&disk));
    assert_eq!((at, after), (2, 6));
    assert!(text.contains("the segment is missing, while the older `000000000001.log` is there"), "{text}");
    disk.remove(&segment(1)).unwrap();
    let (mut log, _) = open(&disk);
    assert_eq!((log.bounds().first, texts(&mut log).len()), (7, 3));
}

#[test]
fn a_newer_format_is_refused_by_name_before_anything_is_written() {
    let disk = three_segments(true);
    let mut bytes = disk.contents(&segment(3));
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..508]);
    bytes[508..512].copy_from_slice(&crc.to_le_bytes());
    disk.put(&segment(3), bytes);
    let used = disk.used();
    let text = refused(&disk).to_string();
    assert_eq!(
        text,
        "segment `000000000003.log` is of format 2, written by a newer version; this one reads up to format 1"
    );
    assert_eq!(disk.used(), used);
}

/// A log of two segments, three batches in the first, whose texts are all of one length.
fn two_segments(word: &str) -> FaultyDisk {
    let disk = FaultyDisk::new(1);
    for _ in 0..2 {
        let (mut log, _) = open(&disk);
        for n in 0..3 {
            append(&mut log, format!("{word} {n}").as_bytes());
        }
    }
    disk
}

#[test]
fn whole_frames_of_another_history_are_damage() {
    let frame = 64 + 6;
    // One of the first segment's three frames; then all of them, which only the header behind them can tell.
    for (from, count, found_at) in [(0, 1, 1), (1, 1, 1), (2, 1, 2), (0, 3, 2)] {
        let disk = two_segments("mine");
        let mut bytes = disk.contents(&segment(1));
        let range = 4096 + from * frame..4096 + (from + count) * frame;
        bytes[range.clone()].copy_from_slice(&two_segments("ours").contents(&segment(1))[range]);
        disk.put(&segment(1), bytes);
        let (mut log, _) = open(&disk);
        let error = read_all(&mut log).unwrap_err();
        let ReadError::Damaged { segment: 1, offset, .. } = error else { panic!("{error}") };
        assert_eq!(offset, 4096 + found_at * frame as u64, "{from} {count}");
    }
    let disk = two_segments("mine");
    let mut bytes = disk.contents(&segment(2));
    let range = 4096 + frame..4096 + 2 * frame;
    bytes[range.clone()].copy_from_slice(&two_segments("ours").contents(&segment(2))[range]);
    disk.put(&segment(2), bytes);
    assert_eq!(damage(refused(&disk)).0, 2);
}
