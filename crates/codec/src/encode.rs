//! Encoding. Cost: one pass, no allocation once the buffer is warm; about 80 bytes for one line without lot.

use crate::EVENT_VERSION;
use crate::bytes::{put, put_name, put_optional, put_signed, put_sums, put_totals};
use sumun_core::{Event, EventKind, ItemEntry, LotEntry, NONE, Span};
use sumun_wire::{Allocation, Ended, Kind, State};

/// Bytes that the length of an event is given room for before it is known: enough for 2 MiB.
const LENGTH_ROOM: usize = 3;

/// The bit of the type that says that a trace follows the time.
pub(crate) const TRACED: u8 = 0x80;

/// Appends the event, its length before it.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_ROOM]);
    let traced = if event.trace.is_some() { TRACED } else { 0 };
    out.push(type_byte(event.kind) | traced);
    out.push(EVENT_VERSION);
    put(out, event.time);
    if let Some(trace) = &event.trace {
        assert!(event.kind.is_of_command(), "what no command makes has no trace");
        out.extend_from_slice(&trace.to_bytes());
    }
    match event.kind {
        EventKind::LogOpened | EventKind::LogTime => {
            let log = &event.log;
            [u64::from(log.shard), log.epoch, log.retention_ms, log.log_retention_ms]
                .into_iter()
                .for_each(|number| put(out, number));
        }
        EventKind::Configured
        | EventKind::Removed
        | EventKind::Received
        | EventKind::Adjusted
        | EventKind::LotExpired => {
            part(event, out);
            name(event, event.reason, out);
            if event.kind == EventKind::Configured {
                settings(event, out);
            }
            tables(event, out);
        }
        EventKind::Held
        | EventKind::Captured
        | EventKind::Released
        | EventKind::Expired
        | EventKind::Extended
        | EventKind::Returned => {
            reservation(event, out);
            tables(event, out);
        }
    }
    seal(out, start);
}

/// Writes the length into the room before the event, in as many bytes as the room has: a varint may be padded.
fn seal(out: &mut [u8], start: usize) {
    let len = out.len() - start - LENGTH_ROOM;
    assert!(len < 1 << (7 * LENGTH_ROOM), "an event is smaller than 2 MiB: its lines and lots are capped");
    out[start] = len as u8 & 0x7f | 0x80;
    out[start + 1] = (len >> 7) as u8 & 0x7f | 0x80;
    out[start + 2] = (len >> 14) as u8;
}

pub(crate) const fn type_byte(kind: EventKind) -> u8 {
    match kind {
        EventKind::LogOpened => 1,
        EventKind::LogTime => 2,
        EventKind::Configured => 16,
        EventKind::Removed => 17,
        EventKind::Received => 18,
        EventKind::Adjusted => 19,
        EventKind::LotExpired => 20,
        EventKind::Held => 32,
        EventKind::Captured => 33,
        EventKind::Released => 34,
        EventKind::Expired => 35,
        EventKind::Extended => 36,
        EventKind::Returned => 37,
    }
}

fn name(event: &Event, span: Span, out: &mut Vec<u8>) {
    put_name(out, event.name(span));
}

fn part(event: &Event, out: &mut Vec<u8>) {
    name(event, event.part.id, out);
    if event.part.id.is_some() {
        out.push(u8::from(event.part.partial));
        out.extend_from_slice(&event.part.digest.to_le_bytes());
    }
}

fn settings(event: &Event, out: &mut Vec<u8>) {
    let settings = &event.settings;
    out.push(u8::from(settings.kind == Kind::Points));
    out.push(u8::from(settings.allocation == Allocation::Fifo));
    out.push(u8::from(settings.counts));
    put(out, settings.safety_stock);
    put(out, settings.backorder_limit);
    put_optional(out, settings.limit.map(|limit| limit.quantity));
    put_optional(out, settings.limit.and_then(|limit| limit.window_ms));
    name(event, settings.metadata, out);
}

pub(crate) const fn flags_byte(state: State, ended: Option<Ended>, tombstone: bool, capture: bool) -> u8 {
    let state = match state {
        State::Held => 0,
        State::Captured => 1,
        State::PartiallyCaptured => 2,
        State::Released => 3,
        State::Expired => 4,
    };
    let ended = match ended {
        None => 0,
        Some(Ended::Captured) => 1,
        Some(Ended::Released) => 2,
        Some(Ended::Expired) => 3,
    };
    state | ended << 3 | (tombstone as u8) << 5 | (capture as u8) << 6
}

fn reservation(event: &Event, out: &mut Vec<u8>) {
    let entry = &event.reservation;
    name(event, entry.id, out);
    put(out, u64::from(entry.version));
    out.push(flags_byte(entry.state, entry.ended, entry.tombstone, entry.capture));
    put(out, event.time - entry.created_at);
    put_optional(out, entry.expires_at.map(|at| at - entry.created_at));
    put_optional(out, entry.needed_until);
    name(event, entry.holder, out);
    part(event, out);
}

fn tables(event: &Event, out: &mut Vec<u8>) {
    put(out, event.items.len() as u64);
    for entry in &event.items {
        item(event, entry, out);
    }
    put(out, event.lots.len() as u64);
    for entry in &event.lots {
        lot(event, entry, out);
    }
    put(out, event.moves.len() as u64);
    for moved in &event.moves {
        put(out, u64::from(moved.line));
        put(out, u64::from(moved.item));
        put(out, if moved.lot == NONE { 0 } else { u64::from(moved.lot) + 1 });
        put_signed(out, moved.quantity);
    }
    put(out, event.named.len() as u64);
    for named in &event.named {
        put(out, u64::from(named.line));
        name(event, named.lot, out);
        name(event, named.location, out);
    }
    put(out, event.usages.len() as u64);
    for usage in &event.usages {
        put(out, u64::from(usage.item));
        put(out, usage.held);
        put(out, usage.captured);
    }
}

fn item(event: &Event, entry: &ItemEntry, out: &mut Vec<u8>) {
    let figures = &entry.figures;
    let lots = entry.touched && figures.lots != Default::default();
    name(event, entry.sku, out);
    out.push(
        u8::from(entry.touched)
            | u8::from(entry.counted) << 1
            | u8::from(entry.kind == Kind::Points) << 2
            | u8::from(lots) << 3,
    );
    if !entry.touched {
        return;
    }
    put(out, figures.version);
    put(out, if figures.previous == 0 { 0 } else { event.sequence - figures.previous });
    put_totals(out, figures);
    if lots {
        put_sums(out, &figures.lots);
    }
}

fn lot(event: &Event, entry: &LotEntry, out: &mut Vec<u8>) {
    put(out, u64::from(entry.item));
    name(event, entry.lot, out);
    put(out, entry.on_hand);
    put(out, entry.reserved);
    put_optional(out, entry.expires_at);
    name(event, entry.location, out);
    put(out, entry.first);
    out.push(u8::from(entry.ended));
}
