//! Bytes of format 1, checked in and never regenerated: they are read as what stands beside them, and written again.

use crate::tell::tell;
use std::collections::BTreeSet;
use sumun_codec::{decode, encode, next_event, outside};
use sumun_core::{Event, LogEntry, NONE, SettingsEntry};

const EVENTS: &str = include_str!("../golden/events-1.hex");
/// Of the first event.
const FIRST_SEQUENCE: u64 = 40;

#[derive(Debug)]
pub(crate) struct Golden {
    pub(crate) title: &'static str,
    pub(crate) sequence: u64,
    /// Its length included.
    pub(crate) bytes: Vec<u8>,
    /// What it is, field by field, without its length.
    fields: Vec<String>,
}

impl Golden {
    /// The event without its length.
    pub(crate) fn event_bytes(&self) -> &[u8] {
        let mut batch = self.bytes.as_slice();
        let event = next_event(&mut batch).unwrap().unwrap();
        assert!(batch.is_empty(), "{}: one event", self.title);
        event
    }
    pub(crate) fn decoded(&self) -> Event {
        let mut event = Event::default();
        decode(self.event_bytes(), self.sequence, &mut event).unwrap_or_else(|error| panic!("{}: {error}", self.title));
        event
    }
}

pub(crate) fn golden() -> Vec<Golden> {
    let mut all: Vec<Golden> = Vec::new();
    for line in EVENTS.lines() {
        if let Some(title) = line.strip_prefix("= ") {
            let sequence = FIRST_SEQUENCE + all.len() as u64;
            all.push(Golden { title, sequence, bytes: Vec::new(), fields: Vec::new() });
        }
        let (Some((hex, field)), Some(last)) = (line.split_once('#'), all.last_mut()) else { continue };
        let bytes: Vec<u8> = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let field = match field.trim() {
            "its digest" => format!("its digest {}", hex.trim()),
            field => field.to_owned(),
        };
        if last.bytes.is_empty() {
            assert!(field.starts_with("length "), "{}: {field}", last.title);
        } else {
            last.fields.push(field);
        }
        last.bytes.extend(bytes);
    }
    all
}

#[test]
fn golden_bytes_are_read_as_what_stands_beside_them() {
    for golden in golden() {
        let event = golden.decoded();
        assert_eq!(tell(&event), golden.fields, "{}", golden.title);
        assert_eq!(event.sequence, golden.sequence);
        let title = golden.title.split(':').next().unwrap();
        assert_eq!(outside(&event).kind(), title);
        nothing_else(&event);
    }
}

/// What an event of this type does not have stands at its default, whatever was decoded before.
fn nothing_else(event: &Event) {
    let kind = outside(event).kind();
    assert!(event.items.iter().all(|entry| entry.hint == NONE) && event.lots.iter().all(|entry| entry.hint == NONE));
    assert!(event.usages.iter().all(|entry| entry.hint == NONE) && event.reservation.hint == NONE);
    assert!(kind.starts_with("log.") || event.log == LogEntry::default());
    assert!(kind == "item.configured" || event.settings == SettingsEntry::default());
    assert!(kind.starts_with("reservation.") || event.reservation == Default::default());
}

#[test]
fn what_golden_bytes_mean_is_written_as_these_bytes() {
    for golden in golden() {
        let mut bytes = Vec::new();
        encode(&golden.decoded(), &mut bytes);
        assert_eq!(bytes, golden.bytes, "{}", golden.title);
    }
}

#[test]
fn golden_bytes_in_one_batch_are_read_one_after_the_other_into_one_event() {
    let all = golden();
    let bytes: Vec<u8> = all.iter().flat_map(|golden| golden.bytes.clone()).collect();
    let (mut batch, mut event) = (bytes.as_slice(), Event::default());
    for golden in &all {
        let one = next_event(&mut batch).unwrap().unwrap();
        decode(one, golden.sequence, &mut event).unwrap();
        assert_eq!(event, golden.decoded(), "{}: nothing of the one before is left", golden.title);
    }
    assert_eq!(next_event(&mut batch), Ok(None));
}

#[test]
fn there_are_golden_bytes_of_every_type() {
    let kinds: BTreeSet<&str> = golden().iter().map(|golden| outside(&golden.decoded()).kind()).collect();
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}
