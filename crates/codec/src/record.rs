//! Records as bytes, for the store and for snapshots.
//!
//! # Format of a record, version 1
//!
//! Numbers, names and optional ones as in events. A record begins with its type and its version.
//!
//! ```text
//! item 1         sku, kind u8, hidden u8, counts u8, allocation u8, limit?, window_ms?, safety_stock, backorder_limit,
//!                metadata, sequence, figures, lots_touched_at
//! figures        version, previous (sequence − previous; 0: none), on_hand signed, reserved, available, received,
//!                removed, returned, captured, in lots: on_hand, reserved, ended_on_hand, ended_reserved
//! lot 2          sku, lot, location, expires_at?, first, on_hand, reserved, ended u8, sequence, touched_at
//! reservation 3  id, holder, created_at, expires_at?, needed_until?, sequence, version, flags (as in events),
//!                while it is held begun (sequence − begun), once it has ended touched_at (− created_at),
//!                lines, takes, parts; each of the three a count and its entries
//! line           sku, quantity, lot, location
//! take           line, lot, counted u8, quantity, captured, released, returned
//! part           verb u8, id, partial u8, digest 16 bytes little-endian
//! movement 4     sku, id, digest 16 bytes little-endian, answer, sequence, made_at
//! usage 5        sku, holder, sequence, held, captured, buckets: a count; each from, to (− from), quantity
//! ```
//!
//! One meaning has one form, but for a number that is padded: a window stands only with a limit.

use crate::DecodeError;
use crate::bytes::{Reader, put, put_name, put_optional, put_sums, put_totals};
use crate::decode::{flag, flags};
use crate::encode::flags_byte;
use sumun_core::Figures;
use sumun_core::record::{Bucket, Item, Line, Lot, Movement, Part, PartVerb, Record, Reservation, Take, Usage};
use sumun_wire::{Allocation, Kind, Limit, State};

/// The newest version of a record that is written, and read.
pub const RECORD_VERSION: u8 = 1;

/// Appends a record.
pub fn encode_record(record: &Record<'_>, out: &mut Vec<u8>) {
    match record {
        Record::Item(item) => put_item(item, out),
        Record::Lot(lot) => put_lot(lot, out),
        Record::Reservation(reservation) => put_reservation(reservation, out),
        Record::Movement(movement) => {
            out.extend_from_slice(&[4, RECORD_VERSION]);
            put_name(out, movement.sku);
            put_name(out, movement.id);
            out.extend_from_slice(&movement.digest.to_le_bytes());
            [movement.answer, movement.sequence, movement.made_at].into_iter().for_each(|number| put(out, number));
        }
        Record::Usage(usage) => {
            out.extend_from_slice(&[5, RECORD_VERSION]);
            put_name(out, usage.sku);
            put_name(out, usage.holder);
            [usage.sequence, usage.held, usage.captured].into_iter().for_each(|number| put(out, number));
            put(out, usage.buckets.len() as u64);
            for bucket in &usage.buckets {
                [bucket.from, bucket.to - bucket.from, bucket.quantity].into_iter().for_each(|n| put(out, n));
            }
        }
    }
}

fn put_item(item: &Item<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[1, RECORD_VERSION]);
    put_name(out, item.sku);
    let allocation = u8::from(item.allocation == Allocation::Fifo);
    out.extend_from_slice(&[
        u8::from(item.kind == Kind::Points),
        u8::from(item.hidden),
        u8::from(item.counts),
        allocation,
    ]);
    put_optional(out, item.limit.map(|limit| limit.quantity));
    put_optional(out, item.limit.and_then(|limit| limit.window_ms));
    put(out, item.safety_stock);
    put(out, item.backorder_limit);
    put_name(out, item.metadata.unwrap_or_default());
    put(out, item.sequence);
    let f = &item.figures;
    put(out, f.version);
    put(out, if f.previous == 0 { 0 } else { item.sequence - f.previous });
    put_totals(out, f);
    put_sums(out, &f.lots);
    put(out, item.lots_touched_at);
}

fn put_lot(lot: &Lot<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[2, RECORD_VERSION]);
    put_name(out, lot.sku);
    put_name(out, lot.lot);
    put_name(out, lot.location.unwrap_or_default());
    put_optional(out, lot.expires_at);
    [lot.first, lot.on_hand, lot.reserved, u64::from(lot.ended), lot.sequence, lot.touched_at]
        .into_iter()
        .for_each(|number| put(out, number));
}

fn put_reservation(r: &Reservation<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[3, RECORD_VERSION]);
    put_name(out, r.id);
    put_name(out, r.holder.unwrap_or_default());
    put(out, r.created_at);
    put_optional(out, r.expires_at);
    put_optional(out, r.needed_until);
    put(out, r.sequence);
    put(out, u64::from(r.version));
    out.push(flags_byte(r.state, r.ended, r.tombstone, r.capture));
    put(out, if r.state == State::Held { r.sequence - r.begun } else { r.touched_at - r.created_at });
    put(out, r.lines.len() as u64);
    for line in &r.lines {
        put_name(out, line.sku);
        put(out, line.quantity);
        put_name(out, line.lot.unwrap_or_default());
        put_name(out, line.location.unwrap_or_default());
    }
    put(out, r.takes.len() as u64);
    for take in &r.takes {
        put(out, u64::from(take.line));
        put_name(out, take.lot.unwrap_or_default());
        out.push(u8::from(take.counted));
        [take.quantity, take.captured, take.released, take.returned].into_iter().for_each(|n| put(out, n));
    }
    put(out, r.parts.len() as u64);
    for part in &r.parts {
        out.push(verb_byte(part.verb));
        put_name(out, part.id);
        out.push(u8::from(part.partial));
        out.extend_from_slice(&part.digest.to_le_bytes());
    }
}

const VERBS: [PartVerb; 3] = [PartVerb::Capture, PartVerb::Release, PartVerb::Return];

const fn verb_byte(verb: PartVerb) -> u8 {
    match verb {
        PartVerb::Capture => 0,
        PartVerb::Release => 1,
        PartVerb::Return => 2,
    }
}

/// Reads one record, all of the bytes.
pub fn decode_record(bytes: &[u8]) -> Result<Record<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let kind = reader.byte()?;
    let version = reader.byte()?;
    if version > RECORD_VERSION {
        return Err(DecodeError::NewerRecord(version));
    }
    if version == 0 {
        return Err(DecodeError::Malformed("a format version 0"));
    }
    let record = match kind {
        1 => Record::Item(item(&mut reader)?),
        2 => Record::Lot(lot(&mut reader)?),
        3 => Record::Reservation(reservation(&mut reader)?),
        4 => Record::Movement(Movement {
            sku: name(&mut reader)?,
            id: name(&mut reader)?,
            digest: digest(&mut reader)?,
            answer: reader.number()?,
            sequence: reader.number()?,
            made_at: reader.number()?,
        }),
        5 => Record::Usage(usage(&mut reader)?),
        _ => return Err(DecodeError::UnknownRecord(kind)),
    };
    if reader.rest().is_empty() { Ok(record) } else { Err(DecodeError::Malformed("bytes after its end")) }
}

type Decoded<T> = Result<T, DecodeError>;

fn name<'a>(reader: &mut Reader<'a>) -> Decoded<&'a str> {
    match reader.text()? {
        "" => Err(DecodeError::Malformed("a name without bytes")),
        name => Ok(name),
    }
}
fn optional_name<'a>(reader: &mut Reader<'a>) -> Decoded<Option<&'a str>> {
    Ok(Some(reader.text()?).filter(|name| !name.is_empty()))
}
fn digest(reader: &mut Reader<'_>) -> Decoded<u128> {
    let bytes = reader.take(16)?.try_into().map_err(|_| DecodeError::Short)?;
    Ok(u128::from_le_bytes(bytes))
}
fn sum(base: u64, more: u64) -> Decoded<u64> {
    base.checked_add(more).ok_or(DecodeError::Malformed("a number beyond 64 bits"))
}

fn item<'a>(reader: &mut Reader<'a>) -> Decoded<Item<'a>> {
    let sku = name(reader)?;
    let kind = if flag(reader.byte()?)? { Kind::Points } else { Kind::Stock };
    let hidden = flag(reader.byte()?)?;
    let counts = flag(reader.byte()?)?;
    let allocation = if flag(reader.byte()?)? { Allocation::Fifo } else { Allocation::Fefo };
    let (limit, window_ms) = (reader.optional()?, reader.optional()?);
    if limit.is_none() && window_ms.is_some() {
        return Err(DecodeError::Malformed("a window without a limit"));
    }
    let limit = limit.map(|quantity| Limit { quantity, window_ms });
    let (safety_stock, backorder_limit) = (reader.number()?, reader.number()?);
    let metadata = optional_name(reader)?;
    let sequence = reader.number()?;
    let mut figures = Figures { version: reader.number()?, ..Figures::default() };
    let back = reader.number()?;
    if back > 0 {
        let previous = sequence.checked_sub(back).filter(|previous| *previous > 0);
        figures.previous = previous.ok_or(DecodeError::Malformed("an event before the first one"))?;
    }
    reader.totals(&mut figures)?;
    figures.lots = reader.sums()?;
    let lots_touched_at = reader.number()?;
    Ok(Item {
        sku,
        kind,
        hidden,
        counts,
        allocation,
        limit,
        safety_stock,
        backorder_limit,
        metadata,
        sequence,
        figures,
        lots_touched_at,
    })
}

fn lot<'a>(reader: &mut Reader<'a>) -> Decoded<Lot<'a>> {
    Ok(Lot {
        sku: name(reader)?,
        lot: name(reader)?,
        location: optional_name(reader)?,
        expires_at: reader.optional()?,
        first: reader.number()?,
        on_hand: reader.number()?,
        reserved: reader.number()?,
        ended: flag(reader.byte()?)?,
        sequence: reader.number()?,
        touched_at: reader.number()?,
    })
}

fn reservation<'a>(reader: &mut Reader<'a>) -> Decoded<Reservation<'a>> {
    let (id, holder) = (name(reader)?, optional_name(reader)?);
    let created_at = reader.number()?;
    let (expires_at, needed_until) = (reader.optional()?, reader.optional()?);
    let (sequence, version) = (reader.number()?, reader.small()?);
    let (state, ended, tombstone, capture) = flags(reader.byte()?)?;
    let (begun, touched_at) = match (state, reader.number()?) {
        (State::Held, back) => {
            let begun = sequence.checked_sub(back).filter(|begun| *begun > 0);
            (begun.ok_or(DecodeError::Malformed("an event before the first one"))?, created_at)
        }
        (State::Captured | State::PartiallyCaptured | State::Released | State::Expired, since) => {
            (0, sum(created_at, since)?)
        }
    };
    let mut r = Reservation {
        id,
        holder,
        created_at,
        expires_at,
        needed_until,
        sequence,
        version,
        state,
        ended,
        tombstone,
        capture,
        begun,
        touched_at,
        lines: Default::default(),
        takes: Default::default(),
        parts: Default::default(),
    };
    for _ in 0..reader.small()? {
        r.lines.push(Line {
            sku: name(reader)?,
            quantity: reader.number()?,
            lot: optional_name(reader)?,
            location: optional_name(reader)?,
        });
    }
    for _ in 0..reader.small()? {
        let take = Take {
            line: reader.small()?,
            lot: optional_name(reader)?,
            counted: flag(reader.byte()?)?,
            quantity: reader.number()?,
            captured: reader.number()?,
            released: reader.number()?,
            returned: reader.number()?,
        };
        if take.line as usize >= r.lines.len() {
            return Err(DecodeError::Malformed("a line that is not there"));
        }
        r.takes.push(take);
    }
    for _ in 0..reader.small()? {
        let verb = VERBS.get(reader.byte()? as usize).ok_or(DecodeError::Malformed("an unknown verb"))?;
        let (id, partial) = (name(reader)?, flag(reader.byte()?)?);
        r.parts.push(Part { verb: *verb, id, partial, digest: digest(reader)? });
    }
    Ok(r)
}

fn usage<'a>(reader: &mut Reader<'a>) -> Decoded<Usage<'a>> {
    let mut usage = Usage {
        sku: name(reader)?,
        holder: name(reader)?,
        sequence: reader.number()?,
        held: reader.number()?,
        captured: reader.number()?,
        buckets: Default::default(),
    };
    for _ in 0..reader.small()? {
        let from = reader.number()?;
        let to = sum(from, reader.number()?)?;
        usage.buckets.push(Bucket { from, to, quantity: reader.number()? });
    }
    Ok(usage)
}
