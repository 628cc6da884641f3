//! The text of each type of event, checked in: what is read from the codec's golden bytes is shown as these lines.

use sumun_codec::{Decoder, next_event, peek};
use sumun_feed::CloudEvents;
use sumun_log::LogId;

const BYTES: &str = include_str!("../../../codec/tests/golden/events-1.hex");
const TEXTS: &str = include_str!("../golden/cloud-events.txt");
/// Of the first event.
const FIRST_SEQUENCE: u64 = 40;

/// Title, and the event's bytes without its length.
fn golden() -> Vec<(&'static str, Vec<u8>)> {
    let mut all: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in BYTES.lines() {
        if let Some(title) = line.strip_prefix("= ") {
            all.push((title, Vec::new()));
        }
        let (Some((hex, _)), Some((_, bytes))) = (line.split_once('#'), all.last_mut()) else { continue };
        bytes.extend(hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()));
    }
    for (_, bytes) in &mut all {
        *bytes = next_event(&mut bytes.as_slice()).unwrap().unwrap().to_vec();
    }
    all
}

#[test]
fn each_type_is_shown_as_the_contract_says() {
    let cloud_events = CloudEvents::new(LogId(*b"0123456789abcdef"), 7);
    let mut decoder = Decoder::default();
    let mut shown = String::new();
    for (sequence, (title, bytes)) in (FIRST_SEQUENCE..).zip(golden()) {
        let event = decoder.decode(&bytes, sequence).unwrap();
        assert_eq!(peek(&bytes), Ok((event.kind(), event.subject())), "{title}");
        // Cut anywhere, it ends with an error or the same.
        assert!(
            (0..bytes.len())
                .filter_map(|cut| peek(&bytes[..cut]).ok())
                .all(|found| found == (event.kind(), event.subject()))
        );
        let mut text = Vec::new();
        cloud_events.write(&event, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains('\n'));
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        shown.push_str(&format!("= {title}\n{text}\n"));
    }
    for (expected, shown) in TEXTS.lines().zip(shown.lines()) {
        assert_eq!(expected, shown);
    }
    assert_eq!(TEXTS, shown);
}
