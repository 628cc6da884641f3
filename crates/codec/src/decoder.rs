//! For readers of a log that show events and know nothing of the core: what an event is about without decoding it, and
//! decoding one after the other into one buffer.

use crate::bytes::Reader;
use crate::decode::head;
use crate::outside::{outside, verb};
use crate::{DecodeError, decode};
use sumun_core::{Event, EventKind};
use sumun_wire as wire;
use sumun_wire::Subject;

#[derive(Debug, Default)]
pub struct Decoder {
    event: Event,
}

impl Decoder {
    /// As `decode`, and as it leaves.
    pub fn decode(&mut self, bytes: &[u8], sequence: u64) -> Result<wire::Event, DecodeError> {
        decode(bytes, sequence, &mut self.event)?;
        Ok(outside(&self.event))
    }
}

/// The CloudEvents type and the subject of an event, without its length. Cost: a few fields are passed over, nothing else is
/// looked at; so that an event whose rest cannot be read may have both.
pub fn peek(bytes: &[u8]) -> Result<(&'static str, Subject<'_>), DecodeError> {
    let mut reader = Reader::new(bytes);
    let (kind, _time, _trace) = head(&mut reader)?;
    let Some(verb) = verb(kind) else {
        return Ok((if kind == EventKind::LogOpened { "log.opened" } else { "log.time" }, Subject::Log));
    };
    if kind.is_reservation() {
        return Ok((verb.kind(), Subject::Reservation(reader.text()?)));
    }
    if !reader.text()?.is_empty() {
        // Of a part: whether it is one, and its digest.
        reader.take(17)?;
    }
    reader.text()?;
    if kind == EventKind::Configured {
        reader.take(3)?;
        for _ in 0..4 {
            reader.number()?;
        }
        reader.text()?;
    }
    let sku = if reader.small()? == 0 { "" } else { reader.text()? };
    Ok((verb.kind(), Subject::Sku(sku)))
}
