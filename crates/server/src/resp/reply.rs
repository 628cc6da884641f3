//! Answers to bytes: names and order of API.md's table, times and counts as integers, null where something is absent.
//!
//! Cost: no allocation beyond the buffer's growth; a reserve's reply is about 80 bytes.

use crate::resp::table::Verb;
use crate::resp::write::Writer;
use sumun_wire::{
    Answer, ItemRecord, Limit, LotRow, Name, Outcome, ReservationLine, ReservationRecord, Sequence, State, Taken,
    Timestamp,
};

/// Writes what `verb` was answered with.
pub fn answer(out: &mut Writer<'_>, verb: Verb, answer: &Answer) {
    match answer {
        Answer::Available { available, .. } => out.unsigned(*available),
        Answer::Outcome(outcome) => self::outcome(out, verb, outcome),
        Answer::Item(Some(record)) => item(out, record),
        Answer::Reservation(Some(record)) => reservation(out, record),
        Answer::Item(None) | Answer::Reservation(None) => out.null_array(),
        Answer::Holder(record) => {
            out.map(4);
            unsigned(out, "held", record.held);
            unsigned(out, "counted", record.counted);
            optional(out, "left", record.left);
            time(out, "next_free_at", record.next_free_at);
        }
        Answer::Refused(refusal) => out.error(refusal),
    }
}

/// Writes what a movement came to, and whether it was a replay.
pub fn movement(out: &mut Writer<'_>, verb: Verb, answer: &Answer) {
    match answer {
        Answer::Available { available, replayed } => {
            out.map(2);
            unsigned(out, "available", *available);
            flag(out, "replayed", *replayed);
        }
        Answer::Outcome(_) | Answer::Item(_) | Answer::Reservation(_) | Answer::Holder(_) | Answer::Refused(_) => {
            self::answer(out, verb, answer)
        }
    }
}

/// Written out, since nearly every reply is one: names cost more than what they name.
fn outcome(out: &mut Writer<'_>, verb: Verb, outcome: &Outcome) {
    let (expiry, tombstone) = match verb {
        Verb::Reserve | Verb::Extend => (true, false),
        Verb::Release => (false, true),
        Verb::Capture
        | Verb::Return
        | Verb::Configure
        | Verb::Receive
        | Verb::Adjust
        | Verb::Reservation
        | Verb::Item => (false, false),
    };
    out.map(3 + usize::from(expiry || tombstone));
    out.written(match outcome.state {
        State::Held => b"$5\r\nstate\r\n$4\r\nheld\r\n",
        State::Captured => b"$5\r\nstate\r\n$8\r\ncaptured\r\n",
        State::PartiallyCaptured => b"$5\r\nstate\r\n$18\r\npartially_captured\r\n",
        State::Released => b"$5\r\nstate\r\n$8\r\nreleased\r\n",
        State::Expired => b"$5\r\nstate\r\n$7\r\nexpired\r\n",
    });
    if expiry {
        out.written(b"$10\r\nexpires_at\r\n");
        match outcome.expires_at {
            Some(Timestamp(ms)) => out.unsigned(ms),
            None => out.null(),
        }
    }
    out.written(b"$8\r\nsequence\r\n");
    out.unsigned(outcome.sequence.0);
    out.written(if outcome.replayed { b"$8\r\nreplayed\r\n:1\r\n" } else { b"$8\r\nreplayed\r\n:0\r\n" });
    if tombstone {
        flag(out, "tombstone", outcome.tombstone);
    }
}

fn item(out: &mut Writer<'_>, record: &ItemRecord) {
    // Every field is named, so that a new one cannot be left out of what is shown.
    let ItemRecord {
        sku,
        kind,
        on_hand,
        reserved,
        available,
        received,
        removed,
        returned,
        captured,
        expired,
        settings,
        lots,
        version,
        sequence: last,
    } = record;
    out.map(18);
    text(out, "sku", sku);
    text(out, "kind", kind.word());
    integer(out, "on_hand", *on_hand);
    unsigned(out, "reserved", *reserved);
    unsigned(out, "available", *available);
    unsigned(out, "received", *received);
    unsigned(out, "removed", *removed);
    unsigned(out, "returned", *returned);
    unsigned(out, "captured", *captured);
    unsigned(out, "expired", *expired);
    unsigned(out, "safety_stock", settings.safety_stock);
    unsigned(out, "backorder_limit", settings.backorder_limit);
    limit(out, settings.limit);
    text(out, "allocation", settings.allocation.word());
    out.text("metadata");
    match &settings.metadata {
        Some(metadata) => out.text(metadata),
        None => out.null(),
    }
    out.text("lots");
    out.array(lots.len());
    for LotRow { lot, location, on_hand, reserved, expires_at } in lots {
        out.map(5);
        name(out, "lot", lot.as_ref());
        name(out, "location", location.as_ref());
        integer(out, "on_hand", *on_hand);
        unsigned(out, "reserved", *reserved);
        time(out, "expires_at", *expires_at);
    }
    unsigned(out, "version", *version);
    sequence(out, *last);
}

fn limit(out: &mut Writer<'_>, limit: Option<Limit>) {
    out.text("limit");
    match limit {
        Some(Limit { quantity, window_ms }) => {
            out.map(2);
            unsigned(out, "quantity", quantity);
            optional(out, "window_ms", window_ms);
        }
        None => out.null_array(),
    }
}

fn reservation(out: &mut Writer<'_>, record: &ReservationRecord) {
    let ReservationRecord {
        id,
        state,
        ended,
        tombstone,
        holder,
        created_at,
        expires_at,
        needed_until,
        lines,
        version,
        sequence: last,
    } = record;
    out.map(11);
    text(out, "id", id);
    text(out, "state", state.word());
    out.text("ended");
    match ended {
        Some(ended) => out.text(ended.word()),
        None => out.null(),
    }
    flag(out, "tombstone", *tombstone);
    name(out, "holder", holder.as_ref());
    time(out, "created_at", Some(*created_at));
    time(out, "expires_at", *expires_at);
    time(out, "needed_until", *needed_until);
    out.text("lines");
    out.array(lines.len());
    for line in lines {
        self::line(out, line);
    }
    unsigned(out, "version", *version);
    sequence(out, *last);
}

fn line(out: &mut Writer<'_>, line: &ReservationLine) {
    let ReservationLine { sku, quantity, captured, released, expired, returned, lot, location, taken } = line;
    out.map(9);
    text(out, "sku", sku);
    unsigned(out, "quantity", *quantity);
    unsigned(out, "captured", *captured);
    unsigned(out, "released", *released);
    unsigned(out, "expired", *expired);
    unsigned(out, "returned", *returned);
    name(out, "lot", lot.as_ref());
    name(out, "location", location.as_ref());
    out.text("taken");
    out.array(taken.len());
    for Taken { lot, quantity } in taken {
        out.map(2);
        name(out, "lot", lot.as_ref());
        unsigned(out, "quantity", *quantity);
    }
}

fn text(out: &mut Writer<'_>, field: &str, value: &str) {
    out.text(field);
    out.text(value);
}

fn name(out: &mut Writer<'_>, field: &str, value: Option<&Name>) {
    out.text(field);
    match value {
        Some(name) => out.text(name),
        None => out.null(),
    }
}

fn unsigned(out: &mut Writer<'_>, field: &str, value: u64) {
    out.text(field);
    out.unsigned(value);
}

fn optional(out: &mut Writer<'_>, field: &str, value: Option<u64>) {
    out.text(field);
    match value {
        Some(value) => out.unsigned(value),
        None => out.null(),
    }
}

fn integer(out: &mut Writer<'_>, field: &str, value: i64) {
    out.text(field);
    out.integer(value);
}

fn flag(out: &mut Writer<'_>, field: &str, value: bool) {
    unsigned(out, field, u64::from(value));
}

fn time(out: &mut Writer<'_>, field: &str, value: Option<Timestamp>) {
    optional(out, field, value.map(|Timestamp(ms)| ms));
}

fn sequence(out: &mut Writer<'_>, Sequence(value): Sequence) {
    unsigned(out, "sequence", value);
}
