//! Records as bytes: golden bytes that are read as what stands beside them, round trips, damage of every byte.

use proptest::prelude::*;
use sumun_codec::{DecodeError, RECORD_VERSION, decode_record, encode_record};
use sumun_core::record::{Bucket, Item, Line, Lot, Movement, Part, PartVerb, Record, Reservation, Take, Usage};
use sumun_core::{Figures, Key, LotSums};
use sumun_wire::limits::QUANTITY_MAX;
use sumun_wire::{Allocation, Ended, Kind, Limit, State};

const RECORDS: &str = include_str!("../golden/records-1.hex");

struct Golden {
    title: &'static str,
    bytes: Vec<u8>,
    fields: Vec<String>,
}

fn golden() -> Vec<Golden> {
    let mut all: Vec<Golden> = Vec::new();
    for line in RECORDS.lines() {
        if let Some(title) = line.strip_prefix("= ") {
            all.push(Golden { title, bytes: Vec::new(), fields: Vec::new() });
        }
        let (Some((hex, field)), Some(last)) = (line.split_once('#'), all.last_mut()) else { continue };
        last.bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        last.fields.push(match field.trim() {
            "its digest" => format!("its digest {}", hex.trim()),
            field => field.to_owned(),
        });
    }
    all
}

fn written(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_record(record, &mut bytes);
    bytes
}

// A record in words, every field of it, in the order of the format.

fn tell(record: &Record<'_>) -> Vec<String> {
    match record {
        Record::Item(item) => tell_item(item),
        Record::Lot(lot) => tell_lot(lot),
        Record::Reservation(r) => tell_reservation(r),
        Record::Movement(m) => vec![
            "type movement".to_owned(),
            "version 1".to_owned(),
            format!("sku `{}`", m.sku),
            format!("id `{}`", m.id),
            digest(m.digest),
            format!("answer {}", m.answer),
            format!("sequence {}", m.sequence),
            format!("made at {}", m.made_at),
        ],
        Record::Usage(usage) => tell_usage(usage),
    }
}

fn digest(digest: u128) -> String {
    let bytes: Vec<String> = digest.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("its digest {}", bytes.join(" "))
}

fn named(name: Option<&str>, what: &str) -> String {
    name.map_or(format!("no {what}"), |name| format!("{what} `{name}`"))
}

fn either(is: bool, yes: &str, no: &str) -> String {
    if is { yes } else { no }.to_owned()
}

fn tell_item(r: &Item<'_>) -> Vec<String> {
    let f = &r.figures;
    let window = r.limit.and_then(|limit| limit.window_ms);
    vec![
        "type item".to_owned(),
        "version 1".to_owned(),
        format!("sku `{}`", r.sku),
        r.kind.word().to_owned(),
        either(r.hidden, "hidden", "not hidden"),
        either(r.counts, "counts", "does not count"),
        either(r.allocation == Allocation::Fifo, "fifo", "fefo"),
        r.limit.map_or("no limit".to_owned(), |limit| format!("limit {}", limit.quantity)),
        window.map_or("no window".to_owned(), |window| format!("window {window} ms")),
        format!("safety_stock {}", r.safety_stock),
        format!("backorder_limit {}", r.backorder_limit),
        r.metadata.map_or("no metadata".to_owned(), |json| format!("metadata {json}")),
        format!("sequence {}", r.sequence),
        format!("version {}", f.version),
        match f.previous {
            0 => "no previous".to_owned(),
            previous => format!("previous: {} back", r.sequence - previous),
        },
        format!("on_hand {}", f.on_hand),
        format!("reserved {}", f.reserved),
        format!("available {}", f.available),
        format!("received {}", f.received),
        format!("removed {}", f.removed),
        format!("returned {}", f.returned),
        format!("captured {}", f.captured),
        format!("in lots: on_hand {}", f.lots.on_hand),
        format!("in lots: reserved {}", f.lots.reserved),
        format!("in lots: ended on_hand {}", f.lots.ended_on_hand),
        format!("in lots: ended reserved {}", f.lots.ended_reserved),
        format!("lots touched at {}", r.lots_touched_at),
    ]
}

fn tell_lot(r: &Lot<'_>) -> Vec<String> {
    vec![
        "type lot".to_owned(),
        "version 1".to_owned(),
        format!("sku `{}`", r.sku),
        format!("lot `{}`", r.lot),
        named(r.location, "location"),
        r.expires_at.map_or("never expires".to_owned(), |at| format!("expires_at {at}")),
        format!("first received by {}", r.first),
        format!("on_hand {}", r.on_hand),
        format!("reserved {}", r.reserved),
        either(r.ended, "ended", "not ended"),
        format!("sequence {}", r.sequence),
        format!("touched at {}", r.touched_at),
    ]
}

fn tell_reservation(r: &Reservation<'_>) -> Vec<String> {
    let mut state = r.state.word().to_owned();
    state += &r.ended.map_or(String::new(), |ended| format!(", ended {}", ended.word()));
    state += if r.tombstone { ", tombstone" } else { "" };
    state += if r.capture { ", with capture" } else { "" };
    let mut told = vec![
        "type reservation".to_owned(),
        "version 1".to_owned(),
        format!("id `{}`", r.id),
        named(r.holder, "holder"),
        format!("created at {}", r.created_at),
        r.expires_at.map_or("does not expire".to_owned(), |at| format!("expires_at {at}")),
        r.needed_until.map_or("no needed-until".to_owned(), |at| format!("needed until {at}")),
        format!("sequence {}", r.sequence),
        format!("version {}", r.version),
        state,
        match r.state {
            State::Held => format!("begun {} events before", r.sequence - r.begun),
            State::Captured | State::PartiallyCaptured | State::Released | State::Expired => {
                format!("touched {} ms after its begin", r.touched_at - r.created_at)
            }
        },
        format!("lines: {}", r.lines.len()),
    ];
    for line in &r.lines {
        told.push(format!("sku `{}`", line.sku));
        told.push(format!("quantity {}", line.quantity));
        told.push(format!("names {}", named(line.lot, "lot")));
        told.push(format!("names {}", named(line.location, "location")));
    }
    told.push(format!("takes: {}", r.takes.len()));
    for take in &r.takes {
        told.push(format!("of line {}", take.line));
        told.push(named(take.lot, "lot"));
        told.push(either(take.counted, "counted", "not counted"));
        told.push(format!("quantity {}", take.quantity));
        told.push(format!("captured {}", take.captured));
        told.push(format!("released {}", take.released));
        told.push(format!("returned {}", take.returned));
    }
    told.push(format!("parts: {}", r.parts.len()));
    for part in &r.parts {
        let verb = match part.verb {
            PartVerb::Capture => "capture",
            PartVerb::Release => "release",
            PartVerb::Return => "return",
        };
        told.push(verb.to_owned());
        told.push(format!("id `{}`", part.id));
        told.push(either(part.partial, "partial", "whole"));
        told.push(digest(part.digest));
    }
    told
}

fn tell_usage(r: &Usage<'_>) -> Vec<String> {
    let mut told = vec![
        "type usage".to_owned(),
        "version 1".to_owned(),
        format!("sku `{}`", r.sku),
        format!("holder `{}`", r.holder),
        format!("sequence {}", r.sequence),
        format!("held {}", r.held),
        format!("captured {}", r.captured),
        format!("buckets: {}", r.buckets.len()),
    ];
    for bucket in &r.buckets {
        told.push(format!("from {}", bucket.from));
        told.push(format!("to {} ms later", bucket.to - bucket.from));
        told.push(format!("quantity {}", bucket.quantity));
    }
    told
}

#[test]
fn golden_records_are_read_as_what_stands_beside_them() {
    for golden in golden() {
        let record = decode_record(&golden.bytes).unwrap_or_else(|error| panic!("{}: {error}", golden.title));
        assert_eq!(tell(&record), golden.fields, "{}", golden.title);
    }
}

#[test]
fn what_golden_records_mean_is_written_as_their_bytes() {
    for golden in golden() {
        assert_eq!(written(&decode_record(&golden.bytes).unwrap()), golden.bytes, "{}", golden.title);
    }
}

#[test]
fn there_are_golden_records_of_every_type() {
    let types: Vec<u8> = golden().iter().map(|golden| golden.bytes[0]).collect();
    assert!((1..=5).all(|kind| types.contains(&kind)), "{types:?}");
    assert_eq!(types.len(), 14);
}

#[test]
fn a_record_says_which_it_is() {
    let keys: Vec<Key> = golden().iter().map(|golden| decode_record(&golden.bytes).unwrap().key()).collect();
    assert_eq!(keys[0], Key::Item("apple".into()));
    assert_eq!(keys[3], Key::Lot("apple".into(), "l1".into()));
    assert_eq!(keys[6], Key::Reservation("r1".into()));
    assert_eq!(keys[11], Key::Movement("apple".into(), "m1".into()));
    assert_eq!(keys[12], Key::Usage("apple".into(), "ann".into()));
}

#[test]
fn every_byte_of_a_record_that_is_changed_makes_an_error_or_another_record() {
    for Golden { title, bytes, .. } in golden() {
        let told = tell(&decode_record(&bytes).unwrap());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            for by in 1..=255u8 {
                changed[at] = bytes[at] ^ by;
                if let Ok(other) = decode_record(&changed) {
                    assert_ne!(tell(&other), told, "{title}: byte {at} from {:02x} to {:02x}", bytes[at], changed[at]);
                    decode_record(&written(&other)).unwrap();
                }
            }
        }
    }
}

#[test]
fn every_truncation_of_a_record_is_an_error_and_so_is_more() {
    for Golden { title, bytes, .. } in golden() {
        for end in 0..bytes.len() {
            assert!(decode_record(&bytes[..end]).is_err(), "{title}: {end} of {} bytes", bytes.len());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(decode_record(&longer), Err(DecodeError::Malformed("bytes after its end")), "{title}");
    }
}

#[test]
fn a_newer_version_of_a_record_is_refused_by_name() {
    for Golden { mut bytes, .. } in golden() {
        for version in RECORD_VERSION + 1..=255 {
            bytes[1] = version;
            let error = decode_record(&bytes).unwrap_err();
            assert_eq!(error, DecodeError::NewerRecord(version));
            let named = format!("a record of format version {version}, newer than 1: a newer Sumun wrote it");
            assert_eq!(error.to_string(), named);
        }
        bytes[1] = 0;
        assert!(matches!(decode_record(&bytes), Err(DecodeError::Malformed(_))), "there is no version 0");
    }
    for unknown in (0..=255u8).filter(|kind| !(1..=5).contains(kind)) {
        let error = decode_record(&[unknown, RECORD_VERSION, 0]).unwrap_err();
        assert_eq!(error, DecodeError::UnknownRecord(unknown));
        assert!(error.to_string().contains(&format!("type {unknown}")), "{error}");
    }
}

#[test]
fn counts_beyond_the_bytes_of_a_record_take_no_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let heads: [&[u8]; 4] =
        [&[1, 1], &[3, 1, 1, b'r', 0, 0, 0, 0, 1, 1, 0, 0], &[5, 1, 1, b'a', 1, b'h', 1, 0, 0], &[4, 1]];
    for head in heads {
        for zeros in 0..3 {
            let bytes = [head, &[0; 3][..zeros], &huge].concat();
            assert!(decode_record(&bytes).is_err(), "{bytes:?}");
        }
    }
}

/// What the store holds most of.
#[test]
fn an_ended_reservation_of_one_line_takes_at_most_80_bytes() {
    let (id, sku) = ("order-2026-000000001", "sku-000001");
    let line = Line { sku, quantity: 1, lot: None, location: None };
    let take = Take { line: 0, lot: None, counted: false, quantity: 1, captured: 1, released: 0, returned: 0 };
    let record = Record::Reservation(Reservation {
        id,
        holder: None,
        created_at: 1_770_000_000_000,
        expires_at: Some(1_770_000_600_000),
        needed_until: None,
        sequence: 100_000_000,
        version: 2,
        state: State::Captured,
        ended: Some(Ended::Captured),
        tombstone: false,
        capture: false,
        begun: 0,
        touched_at: 1_770_000_030_000,
        lines: [line].into_iter().collect(),
        takes: [take].into_iter().collect(),
        parts: Default::default(),
    });
    let bytes = written(&record);
    println!("an ended reservation of one line: {} bytes", bytes.len());
    assert!(bytes.len() <= 80, "{} bytes", bytes.len());
    assert_eq!(tell(&decode_record(&bytes).unwrap()), tell(&record));
}

/// Numbers around every length of a varint, the contract's greatest and the format's.
fn number() -> impl Strategy<Value = u64> {
    let edge = (0..63u32).prop_flat_map(|bit| (-1..=1i64).prop_map(move |by| (1u64 << bit).saturating_add_signed(by)));
    prop_oneof![Just(0), 0..200u64, edge, Just(QUANTITY_MAX), Just((1 << 63) - 1), any::<u64>().prop_map(|n| n >> 1)]
}
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,4}", "[ -~]{24,128}", "\\PC{1,20}"]
}
fn numbers() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(number(), 24)
}

fn item<'a>(names: &'a [String], n: &[u64], flags: u8) -> Record<'a> {
    let lots = LotSums { on_hand: n[0], reserved: n[1], ended_on_hand: n[2], ended_reserved: n[3] };
    Record::Item(Item {
        sku: &names[0],
        kind: if flags & 1 == 0 { Kind::Stock } else { Kind::Points },
        hidden: flags & 2 > 0,
        counts: flags & 4 > 0,
        allocation: if flags & 8 == 0 { Allocation::Fefo } else { Allocation::Fifo },
        limit: (flags & 16 > 0).then(|| Limit { quantity: n[4], window_ms: (flags & 32 > 0).then_some(n[5]) }),
        safety_stock: n[6],
        backorder_limit: n[7],
        metadata: (flags & 64 > 0).then_some(names[1].as_str()),
        sequence: n[8],
        figures: Figures {
            version: n[9],
            previous: n[10] % n[8].max(1),
            on_hand: n[11] as i64 * if flags & 128 == 0 { 1 } else { -1 },
            reserved: n[12],
            available: n[13],
            received: n[14],
            removed: n[15],
            returned: n[16],
            captured: n[17],
            lots,
        },
        lots_touched_at: n[18],
    })
}

fn reservation<'a>(names: &'a [String], n: &[u64], flags: u8) -> Record<'a> {
    let optional = |at: usize, bit: u8| (flags & bit > 0).then(|| names[at].as_str());
    let line = |at: usize| Line { sku: &names[at], quantity: n[at], lot: optional(at, 4), location: optional(at, 8) };
    let take = |at: usize| Take {
        line: at as u32 % 3,
        lot: optional(at, 16),
        counted: flags & 32 > 0,
        quantity: n[at],
        captured: n[at + 1],
        released: n[at + 2],
        returned: n[at + 3],
    };
    let part = |at: usize| Part {
        verb: [PartVerb::Capture, PartVerb::Release, PartVerb::Return][at % 3],
        id: &names[at],
        digest: u128::from(n[at]) << 64 | u128::from(n[at + 1]),
        partial: flags & 1 << (at % 8) > 0,
    };
    const ENDS: [(State, Option<Ended>); 8] = [
        (State::Held, None),
        (State::Captured, Some(Ended::Captured)),
        (State::PartiallyCaptured, Some(Ended::Released)),
        (State::PartiallyCaptured, Some(Ended::Expired)),
        (State::Released, Some(Ended::Released)),
        (State::Expired, Some(Ended::Expired)),
        (State::Held, None),
        (State::Released, Some(Ended::Released)),
    ];
    let (state, ended) = ENDS[usize::from(flags >> 5)];
    let sequence = n[11].max(1);
    Record::Reservation(Reservation {
        id: &names[0],
        holder: optional(1, 1),
        created_at: n[8] / 2,
        expires_at: (flags & 2 > 0).then_some(n[9]),
        needed_until: (flags & 4 > 0).then_some(n[10]),
        sequence,
        version: n[12] as u32,
        state,
        ended,
        tombstone: flags & 8 > 0,
        capture: flags & 16 > 0,
        begun: if state == State::Held { 1 + n[13] % sequence } else { 0 },
        touched_at: n[8] / 2 + if state == State::Held { 0 } else { n[13] / 2 },
        lines: (0..3).map(line).collect(),
        takes: (0..n[14] as usize % 4).map(take).collect(),
        parts: (0..n[15] as usize % 4).map(part).collect(),
    })
}

fn others<'a>(names: &'a [String], n: &[u64], flags: u8) -> [Record<'a>; 3] {
    let bucket = |at: usize| Bucket { from: n[at] / 2, to: n[at] / 2 + n[at + 1] / 2, quantity: n[at + 2] };
    [
        Record::Lot(Lot {
            sku: &names[0],
            lot: &names[1],
            location: (flags & 1 > 0).then(|| names[2].as_str()),
            expires_at: (flags & 2 > 0).then_some(n[0]),
            first: n[1],
            on_hand: n[2],
            reserved: n[3],
            ended: flags & 4 > 0,
            sequence: n[4],
            touched_at: n[5],
        }),
        Record::Movement(Movement {
            sku: &names[0],
            id: &names[1],
            digest: u128::from(n[0]) << 64 | u128::from(n[1]),
            answer: n[2],
            sequence: n[3],
            made_at: n[4],
        }),
        Record::Usage(Usage {
            sku: &names[0],
            holder: &names[1],
            sequence: n[0],
            held: n[1],
            captured: n[2],
            buckets: (3..3 + n[3] as usize % 6).map(bucket).collect(),
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_comes_back(names in prop::collection::vec(name(), 5), n in numbers(), flags: u8) {
        let [lot, movement, usage] = others(&names, &n, flags);
        for record in [item(&names, &n, flags), reservation(&names, &n, flags), lot, movement, usage] {
            let bytes = written(&record);
            prop_assert_eq!(tell(&decode_record(&bytes).unwrap()), tell(&record));
        }
    }

    #[test]
    fn any_bytes_end_with_a_record_or_an_error(
        kind in 1..=5u8,
        rest in prop::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..120),
    ) {
        let bytes = [&[kind, RECORD_VERSION], rest.as_slice()].concat();
        if let Ok(record) = decode_record(&bytes) {
            prop_assert_eq!(tell(&decode_record(&written(&record)).unwrap()), tell(&record));
        }
    }
}
