//! An event in words, every field of it, in the order of the format: what golden bytes say beside each of theirs. Places
//! and names are told, spans and hints are not: these are no part of the meaning.

use std::fmt::Display;
use sumun_codec::outside;
use sumun_core::{Event, EventKind, ItemEntry, LotEntry, NONE, Span};
use sumun_wire::{Allocation, Kind};

const DAY_MS: u64 = 86_400_000;

/// One line a field.
pub(crate) fn tell(event: &Event) -> Vec<String> {
    let traced = if event.trace.is_some() { ", traced" } else { "" };
    let mut lines =
        vec![format!("type {}{traced}", outside(event).kind()), "version 1".to_owned(), format!("time {}", event.time)];
    lines.extend(event.trace.map(|trace| format!("trace {trace}")));
    match event.kind {
        EventKind::LogOpened | EventKind::LogTime => {
            let log = &event.log;
            lines.push(format!("shard {}", log.shard));
            lines.push(format!("epoch {}", log.epoch));
            lines.push(format!("retention {}", duration(log.retention_ms)));
            lines.push(format!("log retention {}", duration(log.log_retention_ms)));
            return lines;
        }
        EventKind::Configured
        | EventKind::Removed
        | EventKind::Received
        | EventKind::Adjusted
        | EventKind::LotExpired => {
            part(event, &mut lines);
            lines.push(named(event, event.reason, "reason"));
            if event.kind == EventKind::Configured {
                settings(event, &mut lines);
            }
        }
        EventKind::Held
        | EventKind::Captured
        | EventKind::Released
        | EventKind::Expired
        | EventKind::Extended
        | EventKind::Returned => {
            reservation(event, &mut lines);
            part(event, &mut lines);
        }
    }
    tables(event, &mut lines);
    lines
}

fn duration(ms: u64) -> String {
    match ms / DAY_MS {
        1 if ms == DAY_MS => "1 day".to_owned(),
        days if days > 0 && ms.is_multiple_of(DAY_MS) => format!("{days} days"),
        _ => format!("{ms} ms"),
    }
}

/// `reason `broken``, or `no reason`.
fn named(event: &Event, span: Span, what: &str) -> String {
    event.optional(span).map_or(format!("no {what}"), |name| format!("{what} `{name}`"))
}

fn optional(value: Option<impl Display>, absent: &str, told: impl FnOnce(&dyn Display) -> String) -> String {
    value.map_or(absent.to_owned(), |value| told(&value))
}

fn part(event: &Event, lines: &mut Vec<String>) {
    lines.push(named(event, event.part.id, "part"));
    if event.part.id.is_some() {
        lines.push(if event.part.partial { "partial" } else { "whole" }.to_owned());
        let bytes: Vec<String> = event.part.digest.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(format!("its digest {}", bytes.join(" ")));
    }
}

fn settings(event: &Event, lines: &mut Vec<String>) {
    let settings = &event.settings;
    lines.push(settings.kind.word().to_owned());
    lines.push(if settings.allocation == Allocation::Fifo { "fifo" } else { "fefo" }.to_owned());
    lines.push(if settings.counts { "counts" } else { "does not count" }.to_owned());
    lines.push(format!("safety_stock {}", settings.safety_stock));
    lines.push(format!("backorder_limit {}", settings.backorder_limit));
    let window = settings.limit.and_then(|limit| limit.window_ms);
    lines.push(optional(settings.limit.map(|limit| limit.quantity), "no limit", |limit| format!("limit {limit}")));
    lines.push(optional(window, "no window", |window| format!("window {window} ms")));
    lines.push(optional(event.optional(settings.metadata), "no metadata", |json| format!("metadata {json}")));
}

fn reservation(event: &Event, lines: &mut Vec<String>) {
    let entry = &event.reservation;
    lines.push(named(event, entry.id, "id"));
    lines.push(format!("version {}", entry.version));
    let mut state = entry.state.word().to_owned();
    state += &entry.ended.map_or(String::new(), |ended| format!(", ended {}", ended.word()));
    state += if entry.tombstone { ", tombstone" } else { "" };
    state += if entry.capture { ", with capture" } else { "" };
    lines.push(state);
    lines.push(format!("begun {} ms before", event.time - entry.created_at));
    let after = entry.expires_at.map(|at| at - entry.created_at);
    lines.push(optional(after, "does not expire", |ms| format!("expires {ms} ms after its begin")));
    lines.push(optional(entry.needed_until, "no needed-until", |at| format!("needed until {at}")));
    lines.push(named(event, entry.holder, "holder"));
}

fn tables(event: &Event, lines: &mut Vec<String>) {
    lines.push(format!("items: {}", event.items.len()));
    event.items.iter().for_each(|entry| item(event, entry, lines));
    lines.push(format!("lots: {}", event.lots.len()));
    event.lots.iter().for_each(|entry| lot(event, entry, lines));
    lines.push(format!("moves: {}", event.moves.len()));
    for moved in &event.moves {
        let lot = if moved.lot == NONE { "no lot".to_owned() } else { format!("lot {}", moved.lot) };
        lines.push(format!("line {}, item {}, {lot}, quantity {}", moved.line, moved.item, moved.quantity));
    }
    lines.push(format!("named: {}", event.named.len()));
    for entry in &event.named {
        lines.push(format!("line {}", entry.line));
        lines.push(format!("names {}", named(event, entry.lot, "lot")));
        lines.push(format!("names {}", named(event, entry.location, "location")));
    }
    lines.push(format!("usages: {}", event.usages.len()));
    for usage in &event.usages {
        lines.push(format!("item {}, held {}, captured {}", usage.item, usage.held, usage.captured));
    }
}

fn item(event: &Event, entry: &ItemEntry, lines: &mut Vec<String>) {
    let figures = &entry.figures;
    lines.push(named(event, entry.sku, "sku"));
    let in_lots = entry.touched && figures.lots != Default::default();
    let flags = [
        (true, if entry.touched { "touched" } else { "untouched" }),
        (entry.counted, "counted"),
        (entry.kind == Kind::Points, "points"),
        (in_lots, "with lots"),
    ];
    lines.push(flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect::<Vec<_>>().join(", "));
    if !entry.touched {
        return;
    }
    lines.push(format!("version {}", figures.version));
    let back = (figures.previous > 0).then(|| event.sequence - figures.previous);
    lines.push(optional(back, "no previous", |back| format!("previous: {back} back")));
    lines.push(format!("on_hand {}", figures.on_hand));
    lines.push(format!("reserved {}", figures.reserved));
    lines.push(format!("available {}", figures.available));
    lines.push(format!("received {}", figures.received));
    lines.push(format!("removed {}", figures.removed));
    lines.push(format!("returned {}", figures.returned));
    lines.push(format!("captured {}", figures.captured));
    if in_lots {
        let sums = &figures.lots;
        lines.push(format!("in lots: on_hand {}", sums.on_hand));
        lines.push(format!("in lots: reserved {}", sums.reserved));
        lines.push(format!("in lots: ended on_hand {}", sums.ended_on_hand));
        lines.push(format!("in lots: ended reserved {}", sums.ended_reserved));
    }
}

fn lot(event: &Event, entry: &LotEntry, lines: &mut Vec<String>) {
    lines.push(format!("of item {}", entry.item));
    lines.push(named(event, entry.lot, "lot"));
    lines.push(format!("on_hand {}", entry.on_hand));
    lines.push(format!("reserved {}", entry.reserved));
    lines.push(optional(entry.expires_at, "never expires", |at| format!("expires_at {at}")));
    lines.push(named(event, entry.location, "location"));
    lines.push(format!("first received by {}", entry.first));
    lines.push(if entry.ended { "ended" } else { "not ended" }.to_owned());
}
