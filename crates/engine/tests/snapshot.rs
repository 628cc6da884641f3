//! The bytes of a snapshot: golden, whole, and refused when they are not.

use sumun_core::Record;
use sumun_core::record::{Lot, Movement};
use sumun_engine::About;
use sumun_engine::snapshot::{Counts, Header, Snapshot, SnapshotError, Writer};
use sumun_log::LogId;

fn header() -> Header {
    let about = About { log: LogId([0xab; 16]), seed: 5, saved: 6, newest: 7, time: 8, generation: (2, 300) };
    Header { shard: 1, about }
}

fn records() -> Vec<(Record<'static>, bool)> {
    let movement = Movement { sku: "a", id: "m", digest: 1, answer: 2, sequence: 3, made_at: 4 };
    let lot = Lot {
        sku: "a",
        lot: "l",
        location: None,
        expires_at: None,
        first: 1,
        on_hand: 2,
        reserved: 1,
        ended: false,
        sequence: 3,
        touched_at: 4,
    };
    vec![(Record::Lot(lot), false), (Record::Movement(movement), true)]
}

fn written(records: &[(Record<'_>, bool)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &header()).expect("memory takes all");
    records.iter().for_each(|(record, turning)| writer.put(record, *turning).expect("memory takes all"));
    let (bytes, counts) = writer.finish().expect("memory takes all");
    assert_eq!(counts.sum(), records.len() as u64);
    bytes
}

fn read(bytes: &[u8]) -> Result<(Header, u64, Counts), SnapshotError> {
    let snapshot = Snapshot::open(bytes)?;
    let (header, mut seen) = (snapshot.header().clone(), 0);
    let counts = snapshot.each(&mut |_, _| {
        seen += 1;
        Ok::<(), SnapshotError>(())
    })?;
    Ok((header, seen, counts))
}

/// Written by hand, never anew: the checksums by an implementation of CRC32C of its own.
const GOLDEN: &str = "
    73756d756e736e700100000001000000abababababababababababababababab05000000000000000600000000000000
    0700000000000000080000000000000002000000000000002c010000000000009f60ad2e2b00000002000000a76aea43
    000e02010161016c0000010201000304011904010161016d010000000000000000000000000000000203040000000001
    000000f956e2180000000000000000010000000000000000000000000000000000000000000000010000000000000000
    00000000000000a417e29d";

fn golden() -> Vec<u8> {
    let digits: Vec<u8> = GOLDEN.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).expect("digits"), 16).expect("digits");
    digits.as_chunks::<2>().0.iter().map(byte).collect()
}

#[test]
fn a_snapshot_is_written_in_these_bytes_and_read_from_them() {
    assert_eq!(written(&records()), golden());
    let counts = Counts { lots: 1, movements: 1, ..Counts::default() };
    assert_eq!(read(&golden()).expect("it is whole"), (header(), 2, counts));
}

#[test]
fn any_changed_missing_or_added_byte_is_found() {
    let good = golden();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(read(&bad).is_err(), "a flipped bit at {at}");
        assert!(read(&good[..at]).is_err(), "cut at {at}");
    }
    assert!(read(&[&good[..], &[0]].concat()).is_err(), "one byte more");
}

#[test]
fn a_block_that_is_missing_or_stands_elsewhere_is_found() {
    let text = "x".repeat(60);
    let ids: Vec<String> = (0..10_000).map(|n| format!("{text}{n}")).collect();
    let movement = |id| Movement { sku: "a", id, digest: 1, answer: 2, sequence: 3, made_at: 4 };
    let records: Vec<_> = ids.iter().map(|id| (Record::Movement(movement(id)), true)).collect();
    let bytes = written(&records);
    assert_eq!(read(&bytes).expect("it is whole").1, 10_000);
    // All but the last are full.
    let length = |at: usize| 12 + u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize;
    let first = 84;
    let second = first + length(first);
    let third = second + length(second);
    let swapped = [&bytes[..first], &bytes[second..third], &bytes[first..second], &bytes[third..]].concat();
    assert!(read(&swapped).is_err(), "swapped");
    assert!(read(&[&bytes[..first], &bytes[second..]].concat()).is_err(), "the first is gone");
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let mut bytes = golden();
    bytes[8] = 2;
    let error = read(&bytes[..12]).expect_err("it is newer");
    assert!(matches!(error, SnapshotError::Newer { found: 2 }));
    assert!(error.to_string().contains("format 2, newer than 1"), "{error}");
    assert!(matches!(read(b"no such thing at all"), Err(SnapshotError::NoSnapshot)));
}
