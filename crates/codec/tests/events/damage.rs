//! Damage: whatever the bytes are, decoding ends with an error or with another event, in memory that its input bounds.

use crate::golden::golden;
use crate::history;
use proptest::prelude::*;
use sumun_codec::{DecodeError, EVENT_VERSION, decode, encode, next_event, outside};
use sumun_core::{Event, ItemEntry, LotEntry, Move, Named, UsageEntry};

/// An event's own bytes and what they mean.
struct Whole {
    bytes: Vec<u8>,
    event: Event,
}

fn whole(bytes: &[u8], sequence: u64) -> Whole {
    let mut event = Event::default();
    decode(bytes, sequence, &mut event).unwrap();
    Whole { bytes: bytes.to_vec(), event }
}

/// The golden ones, and what a history writes.
fn wholes() -> Vec<Whole> {
    let mut all: Vec<Whole> = golden().iter().map(|golden| whole(golden.event_bytes(), golden.sequence)).collect();
    for event in history::events(11, 250) {
        let mut bytes = Vec::new();
        encode(&event, &mut bytes);
        let mut batch = bytes.as_slice();
        all.push(whole(next_event(&mut batch).unwrap().unwrap(), event.sequence));
    }
    all
}

/// Decodes; what is valid can be shown and written, and took no more memory than its bytes account for.
fn try_decode(bytes: &[u8], sequence: u64) -> Result<Event, DecodeError> {
    let mut event = Event::default();
    let outcome = decode(bytes, sequence, &mut event);
    assert!(memory(&event) <= 512 + 128 * bytes.len(), "{} bytes for {}", memory(&event), bytes.len());
    outcome?;
    let mut again = Vec::new();
    encode(&event, &mut again);
    let _ = outside(&event);
    Ok(event)
}

/// All that decoding allocates stands in the event.
fn memory(event: &Event) -> usize {
    event.text.capacity()
        + event.items.capacity() * size_of::<ItemEntry>()
        + event.lots.capacity() * size_of::<LotEntry>()
        + event.moves.capacity() * size_of::<Move>()
        + event.named.capacity() * size_of::<Named>()
        + event.usages.capacity() * size_of::<UsageEntry>()
}

#[test]
fn every_byte_that_is_changed_makes_an_error_or_another_event() {
    for Whole { bytes, event } in wholes() {
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            for by in 1..=255u8 {
                changed[at] = bytes[at] ^ by;
                if let Ok(other) = try_decode(&changed, event.sequence) {
                    assert_ne!(other, event, "byte {at} from {:02x} to {:02x}", bytes[at], changed[at]);
                }
            }
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    for Whole { bytes, event } in wholes() {
        for end in 0..bytes.len() {
            assert!(try_decode(&bytes[..end], event.sequence).is_err(), "{end} of {} bytes", bytes.len());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        let outcome = try_decode(&longer, event.sequence);
        assert_eq!(outcome, Err(DecodeError::Malformed("bytes after its end")));
    }
}

#[test]
fn a_batch_that_is_cut_ends_with_an_error() {
    for golden in golden() {
        for end in 1..golden.bytes.len() {
            let mut batch = &golden.bytes[..end];
            assert_eq!(next_event(&mut batch), Err(DecodeError::Short), "{}: {end}", golden.title);
        }
    }
}

#[test]
fn a_newer_version_is_refused_by_name_for_every_type() {
    for golden in golden() {
        let mut bytes = golden.event_bytes().to_vec();
        for version in EVENT_VERSION + 1..=255 {
            bytes[1] = version;
            let error = try_decode(&bytes, golden.sequence).unwrap_err();
            assert_eq!(error, DecodeError::NewerVersion(version));
            let named = format!("an event of format version {version}, newer than 1: a newer Sumun wrote it");
            assert_eq!(error.to_string(), named);
        }
        bytes[1] = 0;
        assert!(matches!(try_decode(&bytes, golden.sequence), Err(DecodeError::Malformed(_))), "there is no version 0");
    }
}

#[test]
fn an_unknown_type_is_refused_by_name_whatever_its_version() {
    let golden = golden();
    let known = golden.iter().map(|golden| (golden.event_bytes()[0], golden.decoded()));
    // With the highest bit they are traced, if a command makes them.
    let known: Vec<u8> = known
        .flat_map(|(byte, event)| [Some(byte), event.kind.is_of_command().then_some(byte | 0x80)])
        .flatten()
        .collect();
    assert_eq!(known.iter().collect::<std::collections::BTreeSet<_>>().len(), 13 + 9);
    for unknown in (0..=255u8).filter(|byte| !known.contains(byte)) {
        let error = try_decode(&[unknown, EVENT_VERSION + 1, 0], 1).unwrap_err();
        assert_eq!(error, DecodeError::UnknownType(unknown));
        assert!(error.to_string().contains(&format!("type {unknown}")), "{error}");
    }
}

#[test]
fn counts_and_lengths_beyond_the_bytes_take_no_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let head = [17, EVENT_VERSION, 0];
    for zeros in 0..8 {
        // A length of a name first, then the counts of the five tables.
        let bytes = [&head[..], &[0; 8][..zeros], &huge].concat();
        assert!(try_decode(&bytes, 1).is_err(), "{zeros}");
    }
    let mut batch: &[u8] = &huge;
    assert_eq!(next_event(&mut batch), Err(DecodeError::Short));
    let mut batch: &[u8] = &[0xff; 11];
    assert!(matches!(next_event(&mut batch), Err(DecodeError::Malformed(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_with_an_event_or_an_error(
        kind in prop::sample::select(vec![1u8, 2, 16, 17, 18, 19, 20, 32, 33, 34, 35, 36, 37, 0x90, 0x93, 0xa0, 0xa5]),
        rest in prop::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..120),
        sequence in prop_oneof![1..50u64, Just(u64::MAX)],
    ) {
        let bytes = [&[kind, EVENT_VERSION], rest.as_slice()].concat();
        let _ = try_decode(&bytes, sequence);
    }
}
