//! Reservations: lines, what each was given of which lot, and what became of it.
//! RSV-1, RSV-2: state and `ended` follow from the sums and from how the last rest went.
//!
//! Never here: items, decisions.

use crate::cell::Stand;
use crate::owned::PartVerb;
use std::collections::BTreeMap;
use sumun_wire::{
    Code, Ended, Line, Name, Outcome, PartLine, ReservationLine, ReservationRecord, Reserve, Sequence, State, Taken,
    Timestamp,
};

/// Units that a line was given of one lot. quantity = captured + released + expired + held.
#[derive(Clone, Debug, Default)]
pub(crate) struct Take {
    pub(crate) lot: Option<Name>,
    pub(crate) quantity: u64,
    pub(crate) captured: u64,
    pub(crate) released: u64,
    pub(crate) expired: u64,
    pub(crate) returned: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct HeldLine {
    pub(crate) sku: Name,
    pub(crate) quantity: u64,
    pub(crate) lot: Option<Name>,
    pub(crate) location: Option<Name>,
    /// The item had, or had had, a limit when the reservation began.
    pub(crate) counted: bool,
    pub(crate) takes: Vec<Take>,
}

/// The multiset of lines of a part; `None`: the whole.
pub(crate) type PartContent = Option<Vec<(Name, u64)>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Reservation {
    pub(crate) id: Name,
    pub(crate) holder: Option<Name>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) needed_until: Option<Timestamp>,
    pub(crate) capture: bool,
    pub(crate) lines: Vec<HeldLine>,
    pub(crate) state: State,
    pub(crate) ended: Option<Ended>,
    pub(crate) tombstone: bool,
    pub(crate) version: u64,
    pub(crate) sequence: Sequence,
    pub(crate) kept: BTreeMap<PartVerb, BTreeMap<Name, PartContent>>,
    /// The time of its last event: of its end or last return, once it has ended.
    pub(crate) last: Timestamp,
    /// A retention that was raised may have brought it back.
    pub(crate) doubtful: bool,
}

/// Units of one take of one line that move: line, take, quantity.
pub(crate) type Move = (usize, usize, u64);

impl Take {
    pub(crate) fn held(&self) -> u64 {
        self.quantity - self.captured - self.released - self.expired
    }
    /// What a part of this verb may still move.
    pub(crate) fn left(&self, verb: PartVerb) -> u64 {
        match verb {
            PartVerb::Capture | PartVerb::Release => self.held(),
            PartVerb::Return => self.captured - self.returned,
        }
    }
}

impl HeldLine {
    pub(crate) fn sum(&self, figure: impl Fn(&Take) -> u64) -> u64 {
        self.takes.iter().map(figure).sum()
    }
}

impl Reservation {
    pub(crate) fn sum(&self, figure: impl Fn(&Take) -> u64) -> u64 {
        self.lines.iter().map(|line| line.sum(&figure)).sum()
    }

    pub(crate) fn sum_of(&self, sku: &str, figure: impl Fn(&Take) -> u64) -> u64 {
        self.lines.iter().filter(|line| line.sku == sku).map(|line| line.sum(&figure)).sum()
    }

    /// Sku and lot of all that it took from lots.
    pub(crate) fn lots(&self) -> impl Iterator<Item = (Name, Name)> {
        let takes = self.lines.iter().flat_map(|line| line.takes.iter().map(move |take| (&line.sku, take)));
        takes.filter_map(|(sku, take)| Some((sku.clone(), take.lot.clone()?)))
    }

    pub(crate) fn due(&self, now: Timestamp) -> bool {
        self.state == State::Held && self.expires_at.is_some_and(|at| at <= now)
    }

    pub(crate) fn stand(&self) -> Stand {
        match (self.state, self.ended) {
            (State::Held, _) => Stand::Held,
            (State::Captured, _) => Stand::Captured,
            (State::PartiallyCaptured, Some(Ended::Expired)) => Stand::PartlyExpired,
            (State::PartiallyCaptured, _) => Stand::PartlyReleased,
            (State::Released, _) if self.tombstone => Stand::Tombstone,
            (State::Released, _) => Stand::Released,
            (State::Expired, _) => Stand::Expired,
        }
    }

    /// The whole, or so much of each sku: by lines and their lots in order to capture, in the reverse to release and
    /// return.
    pub(crate) fn moves(&self, verb: PartVerb, wanted: Option<&[(Name, u64)]>) -> Vec<Move> {
        let mut places: Vec<(usize, usize)> = Vec::new();
        for (l, line) in self.lines.iter().enumerate() {
            places.extend((0..line.takes.len()).map(|t| (l, t)));
        }
        match verb {
            PartVerb::Capture => {}
            PartVerb::Release | PartVerb::Return => places.reverse(),
        }
        let mut rest: Option<BTreeMap<&str, u64>> =
            wanted.map(|wanted| wanted.iter().map(|(sku, quantity)| (sku.as_str(), *quantity)).collect());
        let mut moves = Vec::new();
        for (l, t) in places {
            let mut quantity = self.lines[l].takes[t].left(verb);
            if let Some(rest) = &mut rest {
                let rest = rest.entry(self.lines[l].sku.as_str()).or_insert(0);
                quantity = quantity.min(*rest);
                *rest -= quantity;
            }
            if quantity > 0 {
                moves.push((l, t, quantity));
            }
        }
        moves
    }

    /// State and `ended` after the last event, which took `how` from what was held.
    pub(crate) fn settle(&mut self, how: Ended) {
        if self.sum(Take::held) > 0 {
            return;
        }
        self.ended = Some(how);
        let captured = self.sum(|take| take.captured) > 0;
        self.state = match how {
            Ended::Captured => State::Captured,
            Ended::Released | Ended::Expired if captured => State::PartiallyCaptured,
            Ended::Released => State::Released,
            Ended::Expired => State::Expired,
        };
    }

    pub(crate) fn outcome(&self, replayed: bool) -> Outcome {
        Outcome {
            state: self.state,
            expires_at: self.expires_at,
            sequence: self.sequence,
            replayed,
            tombstone: self.tombstone,
        }
    }

    pub(crate) fn record(&self) -> ReservationRecord {
        let lines = self.lines.iter().map(|line| ReservationLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
            captured: line.sum(|take| take.captured),
            released: line.sum(|take| take.released),
            expired: line.sum(|take| take.expired),
            returned: line.sum(|take| take.returned),
            lot: line.lot.clone(),
            location: line.location.clone(),
            taken: line.takes.iter().map(|t| Taken { lot: t.lot.clone(), quantity: t.quantity }).collect(),
        });
        ReservationRecord {
            id: self.id.clone(),
            state: self.state,
            ended: self.ended,
            tombstone: self.tombstone,
            holder: self.holder.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            needed_until: self.needed_until,
            lines: lines.collect(),
            version: self.version,
            sequence: self.sequence,
        }
    }

    /// Same content: holder, needed-until, the capture flag and the lines as a multiset. A tombstone has none.
    pub(crate) fn same_content(&self, asked: &Reserve<'_>) -> bool {
        let sorted = |mut lines: Vec<Line<'_>>| -> Vec<(String, u64, Option<String>, Option<String>)> {
            lines.sort_by_key(|line| (line.sku, line.quantity, line.lot, line.location));
            let owned = |text: Option<&str>| text.map(str::to_owned);
            lines.iter().map(|l| (l.sku.to_owned(), l.quantity, owned(l.lot), owned(l.location))).collect()
        };
        let mine = self.lines.iter().map(|line| Line {
            sku: &line.sku,
            quantity: line.quantity,
            lot: line.lot.as_deref(),
            location: line.location.as_deref(),
        });
        self.holder.as_deref() == asked.holder
            && self.needed_until == asked.needed_until
            && self.capture == asked.capture
            && sorted(mine.collect()) == sorted(asked.lines.to_vec())
    }
}

pub(crate) fn part_content(lines: Option<&[PartLine<'_>]>) -> PartContent {
    let mut content: Vec<(Name, u64)> = lines?.iter().map(|line| (Name::from(line.sku), line.quantity)).collect();
    content.sort();
    Some(content)
}

/// The error that a final state answers with.
pub(crate) fn error_of(stand: Stand) -> Code {
    match stand {
        Stand::Captured => Code::Captured,
        Stand::PartlyReleased | Stand::Released | Stand::Tombstone => Code::Released,
        Stand::PartlyExpired | Stand::Expired => Code::Expired,
        Stand::Held => unreachable!("held is no error"),
    }
}
