//! The life of one reservation, as its events tell it: RSV-1, RSV-2 and IDEM-1 of its parts.

use super::seen::{Keep, Seen};
use crate::complaint::{Complaint, wrong};
use std::collections::{BTreeMap, BTreeSet};
use sumun_wire::{Ended, Event, EventLine, Name, ReservationEvent, State, Timestamp, Verb};

/// Units of one sku and lot: what became of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    quantity: u64,
    captured: u64,
    released: u64,
    expired: u64,
    returned: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// Followed from version 1.
    pub(crate) whole: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) parts: BTreeMap<(Name, Option<Name>), Parts>,
    /// Skus whose limit counts it.
    pub(crate) counted: BTreeSet<Name>,
    pub(crate) holder: Option<Name>,
    /// Its last event.
    pub(crate) seen: Seen,
    version: u64,
    state: State,
    ended: Option<Ended>,
    tombstone: bool,
    expires_at: Option<Timestamp>,
    needed_until: Option<Timestamp>,
    ids: BTreeSet<(&'static str, Name)>,
}

impl Parts {
    pub(crate) fn held(&self) -> u64 {
        self.quantity.saturating_sub(self.captured + self.released + self.expired)
    }
}

impl Life {
    /// Something of it may be held.
    pub(crate) fn open(&self) -> bool {
        self.version > 0 && self.state == State::Held
    }

    pub(crate) fn held(&self, sku: &Name) -> u64 {
        self.of(sku).map(Parts::held).sum()
    }

    /// Captured less returned.
    pub(crate) fn captured(&self, sku: &Name) -> u64 {
        self.of(sku).map(|parts| parts.captured.saturating_sub(parts.returned)).sum()
    }

    pub(crate) fn counts(&self, sku: &Name) -> u64 {
        if self.counted.contains(sku) { self.held(sku) + self.captured(sku) } else { 0 }
    }

    fn of(&self, sku: &Name) -> impl Iterator<Item = &Parts> {
        self.parts.iter().filter(move |((own, _), _)| own == sku).map(|(_, parts)| parts)
    }

    /// One event more. `from_first`: the log is read from its first event on.
    pub(crate) fn step(
        &mut self,
        event: &Event,
        data: &ReservationEvent,
        keep: Keep,
        from_first: bool,
    ) -> Result<(), Complaint> {
        let no = |rule, what: String| wrong(rule, Some(event.sequence), format!("`{}` {what}", data.reservation));
        if data.version == 1 {
            if self.version > 0 && (self.open() || !keep.may_begin(self.seen, event.time)) {
                return no("RSV-1", "begins while it is remembered".to_owned());
            }
            *self = Life { whole: true, created_at: event.time, ..Life::default() };
            self.begin(event, data)?;
        } else {
            let known = self.version > 0;
            if (known && data.version != self.version + 1) || (!known && from_first) || data.version == 0 {
                return no("LOG-2", format!("goes from version {} to {}", self.version, data.version));
            }
            if known && !self.open() && keep.forgotten(self.seen, event.time) {
                return no("RSV-1", "goes on after it was forgotten".to_owned());
            }
            if known {
                self.unchanged(event, data)?;
            }
            self.created_at = data.created_at;
            self.follow(event, data)?;
        }
        if let Some(part) = &data.part
            && !self.ids.insert((data.verb.kind(), part.clone()))
        {
            return no("IDEM-1", format!("{} `{part}` was applied twice", data.verb.kind()));
        }
        if self.whole {
            self.sums(event, data)?;
        }
        if data.complete != (data.state != State::Held) || data.complete != data.ended.is_some() {
            return no("RSV-1", format!("is {} and complete {}", data.state.word(), data.complete));
        }
        self.version = data.version;
        self.seen = Seen::at(event.time);
        self.state = data.state;
        self.ended = data.ended;
        self.tombstone = data.tombstone;
        self.holder = data.holder.clone();
        self.expires_at = data.expires_at;
        self.needed_until = data.needed_until;
        Ok(())
    }

    fn begin(&mut self, event: &Event, data: &ReservationEvent) -> Result<(), Complaint> {
        let no = |what: &str| wrong("RSV-1", Some(event.sequence), format!("`{}` {what}", data.reservation));
        if data.created_at != event.time {
            return no("begins at another time than its event's");
        }
        let good = match data.verb {
            Verb::Held => {
                let later = data.expires_at.is_none_or(|at| at > event.time);
                data.state == State::Held && !data.tombstone && !data.lines.is_empty() && later
            }
            Verb::Captured => {
                data.state == State::Captured && !data.tombstone && !data.lines.is_empty() && data.expires_at.is_none()
            }
            Verb::Released => data.state == State::Released && data.tombstone && data.lines.is_empty(),
            Verb::Expired
            | Verb::Extended
            | Verb::Returned
            | Verb::Configured
            | Verb::Removed
            | Verb::Received
            | Verb::Adjusted
            | Verb::LotExpired => false,
        };
        if !good {
            return no("cannot begin so");
        }
        for line in &data.lines {
            let quantity = moved(event, line)?;
            let captured = if data.verb == Verb::Captured { quantity } else { 0 };
            self.parts.insert((line.sku.clone(), line.lot.clone()), Parts { quantity, captured, ..Parts::default() });
        }
        Ok(())
    }

    fn unchanged(&self, event: &Event, data: &ReservationEvent) -> Result<(), Complaint> {
        let same = self.created_at == data.created_at
            && self.holder == data.holder
            && self.needed_until == data.needed_until
            && self.tombstone == data.tombstone
            && (data.verb == Verb::Extended || self.expires_at == data.expires_at);
        let open = self.state == State::Held;
        let no = |what: &str| wrong("RSV-1", Some(event.sequence), format!("`{}` {what}", data.reservation));
        if !same {
            return no("changed what stays");
        }
        match data.verb {
            Verb::Returned if self.state != data.state || self.ended != data.ended => no("changed by a return"),
            Verb::Returned => Ok(()),
            Verb::Held => no("is held a second time"),
            Verb::Extended if data.expires_at <= self.expires_at => no("was not extended"),
            Verb::Captured | Verb::Released | Verb::Expired | Verb::Extended if !open => no("ended twice"),
            Verb::Captured | Verb::Released | Verb::Extended if self.expires_at.is_some_and(|at| at <= event.time) => {
                no("was touched when it was due")
            }
            Verb::Captured | Verb::Released | Verb::Extended | Verb::Expired => Ok(()),
            Verb::Configured | Verb::Removed | Verb::Received | Verb::Adjusted | Verb::LotExpired => {
                no("has an event of an item")
            }
        }
    }

    fn follow(&mut self, event: &Event, data: &ReservationEvent) -> Result<(), Complaint> {
        let no = |what: String| wrong("RSV-1", Some(event.sequence), format!("`{}` {what}", data.reservation));
        if data.verb == Verb::Extended && (!data.lines.is_empty() || data.state != State::Held) {
            return no("was extended with lines, or when it had ended".to_owned());
        }
        if data.verb != Verb::Extended && data.lines.is_empty() {
            return no("moved nothing".to_owned());
        }
        if data.verb == Verb::Expired && data.expires_at.is_none_or(|at| at > event.time) {
            return no("expired before its time".to_owned());
        }
        for line in &data.lines {
            let quantity = moved(event, line)?;
            let parts = self.parts.entry((line.sku.clone(), line.lot.clone())).or_default();
            match data.verb {
                Verb::Captured => parts.captured += quantity,
                Verb::Released => parts.released += quantity,
                Verb::Expired => parts.expired += quantity,
                Verb::Returned => parts.returned += quantity,
                Verb::Held
                | Verb::Extended
                | Verb::Configured
                | Verb::Removed
                | Verb::Received
                | Verb::Adjusted
                | Verb::LotExpired => return no(format!("has lines in {}", data.verb.kind())),
            }
        }
        Ok(())
    }

    /// quantity = captured + released + expired + held, returned ≤ captured, and the state that follows.
    fn sums(&self, event: &Event, data: &ReservationEvent) -> Result<(), Complaint> {
        let no = |rule, what: String| wrong(rule, Some(event.sequence), format!("`{}` {what}", data.reservation));
        for ((sku, lot), parts) in &self.parts {
            let gone = parts.captured + parts.released + parts.expired;
            if gone > parts.quantity || parts.returned > parts.captured {
                return no("RSV-1", format!("`{sku}` {lot:?}: more went than there was: {parts:?}"));
            }
        }
        if data.tombstone {
            return Ok(());
        }
        let held: u64 = self.parts.values().map(Parts::held).sum();
        if data.complete != (held == 0) {
            return no("RSV-2", format!("has {held} held, and says complete {}", data.complete));
        }
        let captured = self.parts.values().any(|parts| parts.captured > 0);
        let how = match data.verb {
            Verb::Captured => Some(Ended::Captured),
            Verb::Released => Some(Ended::Released),
            Verb::Expired => Some(Ended::Expired),
            Verb::Returned => data.ended,
            Verb::Held
            | Verb::Extended
            | Verb::Configured
            | Verb::Removed
            | Verb::Received
            | Verb::Adjusted
            | Verb::LotExpired => None,
        };
        let ended = how.filter(|_| held == 0);
        let state = match ended {
            None => State::Held,
            Some(Ended::Captured) => State::Captured,
            Some(Ended::Released | Ended::Expired) if captured => State::PartiallyCaptured,
            Some(Ended::Released) => State::Released,
            Some(Ended::Expired) => State::Expired,
        };
        if data.state != state || data.ended != ended {
            return no(
                "RSV-1",
                format!("is {} {:?}, must be {} {ended:?}", data.state.word(), data.ended, state.word()),
            );
        }
        if data.verb == Verb::Expired && held > 0 {
            return no("RSV-2", "expired in part".to_owned());
        }
        Ok(())
    }
}

fn moved(event: &Event, line: &EventLine) -> Result<u64, Complaint> {
    match u64::try_from(line.quantity) {
        Ok(quantity) if quantity > 0 => Ok(quantity),
        _ => wrong("event", Some(event.sequence), format!("{} of `{}` moved", line.quantity, line.sku)),
    }
}
