//! Any bytes as a batch of events, and as one. Decoding ends with an event or an error; what decodes is shown without a
//! panic, and is written again as the same bytes, or as shorter ones that mean the same: a number may be padded.
//! The first byte says the sequence.
#![no_main]

mod memory;

use sumun_codec::{decode, encode, next_event, outside};
use sumun_core::Event;

/// What an input of a few KiB may need: the tables of some events, their text, and both once more.
const MEMORY_MAX: usize = 8 << 20;

libfuzzer_sys::fuzz_target!(|data: &[u8]| memory::within(MEMORY_MAX, || judge(data)));

fn judge(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else { return };
    let mut sequence = match first {
        0xff => u64::MAX,
        small => 1 + u64::from(small),
    };
    // An event is decoded into one that was used before: nothing of that one may stay.
    let mut event = Event::default();
    look(bytes, sequence, &mut event);
    let mut rest = bytes;
    while let Ok(Some(bytes)) = next_event(&mut rest) {
        look(bytes, sequence, &mut event);
        sequence = sequence.saturating_add(1);
    }
}

fn look(bytes: &[u8], sequence: u64, event: &mut Event) {
    let mut fresh = Event::default();
    let outcome = decode(bytes, sequence, &mut fresh);
    assert_eq!(decode(bytes, sequence, event), outcome, "what was decoded before makes no difference");
    if outcome.is_err() {
        return;
    }
    assert_eq!(*event, fresh, "what was decoded before is gone");
    let _ = outside(&fresh);
    let (encoded, again) = (written(&fresh), &mut Event::default());
    assert!(encoded.len() <= bytes.len(), "the bytes that are written are the shortest");
    // A padded number ends with nothing behind a byte that promised more; and lots' sums may be there and all be 0.
    let padded = bytes.array_windows().any(|[more, end]| *more >= 0x80 && *end == 0);
    let zeros = bytes.array_windows().any(|sums| *sums == [0; 4]);
    assert!(encoded == bytes || (encoded.len() < bytes.len() && (padded || zeros)), "one meaning has one form");
    assert_eq!(decode(&encoded, sequence, again), Ok(()), "what is written can be read");
    assert_eq!(meaning(again), meaning(&fresh), "and means the same");
    assert_eq!(written(again), encoded, "and is written the same");
}

/// An event's bytes, without their length.
fn written(event: &Event) -> Vec<u8> {
    let mut out = Vec::new();
    encode(event, &mut out);
    let mut batch = out.as_slice();
    let bytes = next_event(&mut batch).expect("its length is right").expect("it is there");
    assert!(batch.is_empty(), "one event was written");
    bytes.to_vec()
}

fn meaning(event: &Event) -> impl PartialEq + std::fmt::Debug + use<> {
    (event.clone(), outside(event))
}
