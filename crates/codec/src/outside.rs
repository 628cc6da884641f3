//! An event as it leaves Sumun.

use sumun_core::{Event, EventKind, ItemEntry, NONE};
use sumun_wire as wire;
use sumun_wire::{
    EventData, EventLine, ItemEvent, LogEvent, LotFigures, Name, ReservationEvent, Sequence, Timestamp, Verb,
};

/// What a reader of the log is shown: names instead of places, one line a sku and lot.
pub fn outside(event: &Event) -> wire::Event {
    let data = match verb(event.kind) {
        None => EventData::Log(log(event)),
        Some(verb) if event.kind.is_reservation() => EventData::Reservation(Box::new(reservation(event, verb))),
        Some(verb) => EventData::Item(item(event, verb)),
    };
    wire::Event { sequence: Sequence(event.sequence), time: Timestamp(event.time), trace: event.trace, data }
}

pub(crate) const fn verb(kind: EventKind) -> Option<Verb> {
    match kind {
        EventKind::LogOpened | EventKind::LogTime => None,
        EventKind::Configured => Some(Verb::Configured),
        EventKind::Removed => Some(Verb::Removed),
        EventKind::Received => Some(Verb::Received),
        EventKind::Adjusted => Some(Verb::Adjusted),
        EventKind::LotExpired => Some(Verb::LotExpired),
        EventKind::Held => Some(Verb::Held),
        EventKind::Captured => Some(Verb::Captured),
        EventKind::Released => Some(Verb::Released),
        EventKind::Expired => Some(Verb::Expired),
        EventKind::Extended => Some(Verb::Extended),
        EventKind::Returned => Some(Verb::Returned),
    }
}

fn log(event: &Event) -> LogEvent {
    let (retention_ms, log_retention_ms) = (event.log.retention_ms, event.log.log_retention_ms);
    if event.kind == EventKind::LogOpened {
        LogEvent::Opened { retention_ms, log_retention_ms }
    } else {
        LogEvent::Time { retention_ms, log_retention_ms }
    }
}

fn name(event: &Event, span: sumun_core::Span) -> Option<Name> {
    event.optional(span).map(Name::from)
}

fn item(event: &Event, verb: Verb) -> ItemEvent {
    let settings = &event.settings;
    ItemEvent {
        verb,
        sku: event.items.first().map(|entry| event.name(entry.sku).into()).unwrap_or_default(),
        kind: event.items.first().map(|entry| entry.kind).unwrap_or_default(),
        lines: lines(event),
        movement: name(event, event.part.id),
        reason: name(event, event.reason),
        settings: (verb == Verb::Configured).then(|| {
            Box::new(wire::Settings {
                safety_stock: settings.safety_stock,
                backorder_limit: settings.backorder_limit,
                limit: settings.limit,
                allocation: settings.allocation,
                metadata: event.optional(settings.metadata).map(String::from),
            })
        }),
    }
}

fn reservation(event: &Event, verb: Verb) -> ReservationEvent {
    let entry = &event.reservation;
    ReservationEvent {
        verb,
        reservation: event.name(entry.id).into(),
        created_at: Timestamp(entry.created_at),
        version: u64::from(entry.version),
        state: entry.state,
        ended: entry.ended,
        tombstone: entry.tombstone,
        holder: name(event, entry.holder),
        complete: entry.state != wire::State::Held,
        expires_at: entry.expires_at.map(Timestamp),
        needed_until: entry.needed_until.map(Timestamp),
        part: name(event, event.part.id),
        lines: lines(event),
    }
}

/// Moves of one sku and lot are one line, in the order of the first of them.
fn lines(event: &Event) -> Vec<EventLine> {
    let mut places: Vec<(u32, u32, i64)> = Vec::new();
    for moved in &event.moves {
        match places.iter_mut().find(|(item, lot, _)| (*item, *lot) == (moved.item, moved.lot)) {
            // An event that was decided stays far below; one that was made up must not end the process that shows it.
            Some((_, _, quantity)) => *quantity = quantity.saturating_add(moved.quantity),
            None => places.push((moved.item, moved.lot, moved.quantity)),
        }
    }
    places.into_iter().map(|(item, lot, quantity)| line(event, &event.items[item as usize], lot, quantity)).collect()
}

fn line(event: &Event, entry: &ItemEntry, lot: u32, quantity: i64) -> EventLine {
    let lot = (lot != NONE).then(|| &event.lots[lot as usize]);
    let figures = &entry.figures;
    EventLine {
        sku: event.name(entry.sku).into(),
        lot: lot.map(|lot| event.name(lot.lot).into()),
        quantity,
        version: figures.version,
        previous: (figures.previous > 0).then_some(Sequence(figures.previous)),
        on_hand: figures.on_hand,
        reserved: figures.reserved,
        available: figures.available,
        received: figures.received,
        removed: figures.removed,
        returned: figures.returned,
        captured: figures.captured,
        lot_figures: lot.map(|lot| LotFigures {
            on_hand: lot.on_hand,
            reserved: lot.reserved,
            expires_at: lot.expires_at.map(Timestamp),
            location: name(event, lot.location),
        }),
    }
}
