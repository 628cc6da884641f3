//! For readers of a log that show events and know nothing of the core: decodes one after the other into one buffer, and
//! tells type and subject of each before anything is made of it.

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
    /// As `decode`. After an error the event is nothing to be shown.
    pub fn decode(&mut self, bytes: &[u8], sequence: u64) -> Result<(), DecodeError> {
        decode(bytes, sequence, &mut self.event)
    }

    /// The CloudEvents type.
    pub fn kind(&self) -> &'static str {
        match (verb(self.event.kind), self.event.kind == EventKind::LogOpened) {
            (Some(verb), _) => verb.kind(),
            (None, true) => "log.opened",
            (None, false) => "log.time",
        }
    }

    pub fn subject(&self) -> Subject<'_> {
        let event = &self.event;
        if event.kind.is_reservation() {
            return Subject::Reservation(event.name(event.reservation.id));
        }
        match verb(event.kind) {
            None => Subject::Log,
            Some(_) => Subject::Sku(event.items.first().map_or("", |entry| event.name(entry.sku))),
        }
    }

    pub fn outside(&self) -> wire::Event {
        outside(&self.event)
    }
}
