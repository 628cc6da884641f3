//! Decoding: into an event that is used again and again. Whatever the bytes are, it ends with an event or an error.

use crate::bytes::Reader;
use crate::encode::{TRACED, type_byte};
use crate::{EVENT_VERSION, RECORD_VERSION};
use sumun_core::{
    Event, EventKind, Figures, ItemEntry, LogEntry, LotEntry, Move, NONE, Named, ReservationEntry, SettingsEntry, Span,
    UsageEntry,
};
use sumun_wire::{Allocation, Ended, Kind, Limit, State, Trace};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("it ends too early")]
    Short,
    #[error("an event of type {0}, which this version does not know: a newer one wrote it")]
    UnknownType(u8),
    #[error("an event of format version {0}, newer than {EVENT_VERSION}: a newer Sumun wrote it")]
    NewerVersion(u8),
    #[error("a record of type {0}, which this version does not know: a newer one wrote it")]
    UnknownRecord(u8),
    #[error("a record of format version {0}, newer than {RECORD_VERSION}: a newer Sumun wrote it")]
    NewerRecord(u8),
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

type Decoded<T> = Result<T, DecodeError>;

/// Splits the first event off a batch's bytes. `None` at the end.
pub fn next_event<'a>(batch: &mut &'a [u8]) -> Decoded<Option<&'a [u8]>> {
    if batch.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(batch);
    let len = reader.small()? as usize;
    let event = reader.take(len)?;
    *batch = reader.rest();
    Ok(Some(event))
}

/// Reads one event, without its length, as number `sequence`.
pub fn decode(bytes: &[u8], sequence: u64, event: &mut Event) -> Decoded<()> {
    let mut reader = Reader::new(bytes);
    let (kind, time, trace) = head(&mut reader)?;
    event.clear(sequence, time, kind);
    event.trace = trace;
    let reader = &mut reader;
    match kind {
        EventKind::LogOpened | EventKind::LogTime => {
            event.log = LogEntry {
                shard: reader.small()?,
                epoch: reader.number()?,
                retention_ms: reader.number()?,
                log_retention_ms: reader.number()?,
            };
        }
        EventKind::Configured
        | EventKind::Removed
        | EventKind::Received
        | EventKind::Adjusted
        | EventKind::LotExpired => {
            part(reader, event)?;
            event.reason = name(reader, event)?;
            if kind == EventKind::Configured {
                settings(reader, event)?;
            }
            tables(reader, event)?;
        }
        EventKind::Held
        | EventKind::Captured
        | EventKind::Released
        | EventKind::Expired
        | EventKind::Extended
        | EventKind::Returned => {
            reservation(reader, event)?;
            tables(reader, event)?;
        }
    }
    if reader.rest().is_empty() { Ok(()) } else { Err(DecodeError::Malformed("bytes after its end")) }
}

/// What every event begins with: its type, its time, its trace.
pub(crate) fn head(reader: &mut Reader<'_>) -> Decoded<(EventKind, u64, Option<Trace>)> {
    let byte = reader.byte()?;
    let is_traced = byte & TRACED != 0;
    // What no command makes has no trace: with the bit it is of a type that nobody knows.
    let kind =
        kind(byte & !TRACED).filter(|kind| !is_traced || kind.is_of_command()).ok_or(DecodeError::UnknownType(byte))?;
    let version = reader.byte()?;
    if version > EVENT_VERSION {
        return Err(DecodeError::NewerVersion(version));
    }
    if version == 0 {
        return Err(DecodeError::Malformed("a format version 0"));
    }
    let time = reader.number()?;
    if !is_traced {
        return Ok((kind, time, None));
    }
    let bytes = reader.take(Trace::BYTES)?.try_into().map_err(|_| DecodeError::Short)?;
    let trace = Trace::from_bytes(bytes).ok_or(DecodeError::Malformed("a trace that names none"))?;
    Ok((kind, time, Some(trace)))
}

fn kind(byte: u8) -> Option<EventKind> {
    const KINDS: [EventKind; 13] = [
        EventKind::LogOpened,
        EventKind::LogTime,
        EventKind::Configured,
        EventKind::Removed,
        EventKind::Received,
        EventKind::Adjusted,
        EventKind::LotExpired,
        EventKind::Held,
        EventKind::Captured,
        EventKind::Released,
        EventKind::Expired,
        EventKind::Extended,
        EventKind::Returned,
    ];
    KINDS.into_iter().find(|kind| type_byte(*kind) == byte)
}

fn name(reader: &mut Reader<'_>, event: &mut Event) -> Decoded<Span> {
    Ok(event.add(reader.text()?))
}

pub(crate) fn flag(byte: u8) -> Decoded<bool> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Malformed("a flag that is neither 0 nor 1")),
    }
}

fn part(reader: &mut Reader<'_>, event: &mut Event) -> Decoded<()> {
    event.part.id = name(reader, event)?;
    if event.part.id.is_some() {
        event.part.partial = flag(reader.byte()?)?;
        let digest = reader.take(16)?.try_into().map_err(|_| DecodeError::Short)?;
        event.part.digest = u128::from_le_bytes(digest);
    }
    Ok(())
}

fn settings(reader: &mut Reader<'_>, event: &mut Event) -> Decoded<()> {
    let kind = if flag(reader.byte()?)? { Kind::Points } else { Kind::Stock };
    let allocation = if flag(reader.byte()?)? { Allocation::Fifo } else { Allocation::Fefo };
    let counts = flag(reader.byte()?)?;
    let safety_stock = reader.number()?;
    let backorder_limit = reader.number()?;
    let (quantity, window_ms) = (reader.optional()?, reader.optional()?);
    if quantity.is_none() && window_ms.is_some() {
        return Err(DecodeError::Malformed("a window without limit"));
    }
    let limit = quantity.map(|quantity| Limit { quantity, window_ms });
    let metadata = name(reader, event)?;
    event.settings = SettingsEntry { kind, safety_stock, backorder_limit, limit, allocation, metadata, counts };
    Ok(())
}

/// State, how it ended, tombstone, reserved with capture.
pub(crate) fn flags(flags: u8) -> Decoded<(State, Option<Ended>, bool, bool)> {
    if flags > 127 {
        return Err(DecodeError::Malformed("a reservation with unknown flags"));
    }
    let state = match flags & 7 {
        0 => State::Held,
        1 => State::Captured,
        2 => State::PartiallyCaptured,
        3 => State::Released,
        4 => State::Expired,
        _ => return Err(DecodeError::Malformed("an unknown state")),
    };
    let ended = match flags >> 3 & 3 {
        0 => None,
        1 => Some(Ended::Captured),
        2 => Some(Ended::Released),
        _ => Some(Ended::Expired),
    };
    Ok((state, ended, flags & 1 << 5 != 0, flags & 1 << 6 != 0))
}

fn reservation(reader: &mut Reader<'_>, event: &mut Event) -> Decoded<()> {
    let id = name(reader, event)?;
    let version = reader.small()?;
    let (state, ended, tombstone, capture) = flags(reader.byte()?)?;
    let age = reader.number()?;
    let created_at = event.time.checked_sub(age).ok_or(DecodeError::Malformed("begun before time"))?;
    let after = |ttl: u64| created_at.checked_add(ttl).ok_or(DecodeError::Malformed("an end beyond time"));
    let expires_at = reader.optional()?.map(after).transpose()?;
    let needed_until = reader.optional()?;
    let holder = name(reader, event)?;
    event.reservation = ReservationEntry {
        id,
        hint: NONE,
        version,
        state,
        ended,
        tombstone,
        capture,
        created_at,
        expires_at,
        needed_until,
        holder,
    };
    part(reader, event)
}

fn tables(reader: &mut Reader<'_>, event: &mut Event) -> Decoded<()> {
    for _ in 0..reader.small()? {
        let entry = item(reader, event)?;
        event.items.push(entry);
    }
    let items = event.items.len() as u32;
    let known = |place: u32, of: u32| {
        if place < of { Ok(place) } else { Err(DecodeError::Malformed("a place that is not in its table")) }
    };
    for _ in 0..reader.small()? {
        let entry = lot(reader, event)?;
        known(entry.item, items)?;
        event.lots.push(entry);
    }
    let lots = event.lots.len() as u32;
    for _ in 0..reader.small()? {
        let line = reader.small()?;
        let item = known(reader.small()?, items)?;
        let lot = match reader.small()?.checked_sub(1) {
            None => NONE,
            Some(lot) => known(lot, lots)?,
        };
        let quantity = reader.signed()?;
        event.moves.push(Move { line, item, lot, quantity });
    }
    for _ in 0..reader.small()? {
        let line = reader.small()?;
        let lot = name(reader, event)?;
        let location = name(reader, event)?;
        event.named.push(Named { line, lot, location });
    }
    for _ in 0..reader.small()? {
        let item = known(reader.small()?, items)?;
        let (held, captured) = (reader.number()?, reader.number()?);
        event.usages.push(UsageEntry { item, hint: NONE, held, captured });
    }
    Ok(())
}

fn item(reader: &mut Reader<'_>, event: &mut Event) -> Decoded<ItemEntry> {
    let sku = name(reader, event)?;
    let flags = reader.byte()?;
    if !sku.is_some() || flags > 15 {
        return Err(DecodeError::Malformed("an item without sku, or with unknown flags"));
    }
    let (touched, counted, lots) = (flags & 1 != 0, flags & 2 != 0, flags & 8 != 0);
    if lots && !touched {
        return Err(DecodeError::Malformed("an item that is not touched, with figures"));
    }
    let kind = if flags & 4 != 0 { Kind::Points } else { Kind::Stock };
    let mut figures = Figures::default();
    if touched {
        figures.version = reader.number()?;
        let back = reader.number()?;
        figures.previous = match back {
            0 => 0,
            back if back < event.sequence => event.sequence - back,
            _ => return Err(DecodeError::Malformed("a previous event before the first")),
        };
        reader.totals(&mut figures)?;
        if lots {
            figures.lots = reader.sums()?;
        }
    }
    Ok(ItemEntry { sku, hint: NONE, touched, counted, kind, figures })
}

fn lot(reader: &mut Reader<'_>, event: &mut Event) -> Decoded<LotEntry> {
    let item = reader.small()?;
    let lot = name(reader, event)?;
    if !lot.is_some() {
        return Err(DecodeError::Malformed("a lot without id"));
    }
    let (on_hand, reserved, expires_at) = (reader.number()?, reader.number()?, reader.optional()?);
    let location = name(reader, event)?;
    let first = reader.number()?;
    let ended = flag(reader.byte()?)?;
    Ok(LotEntry { item, lot, hint: NONE, on_hand, reserved, expires_at, location, first, ended })
}
