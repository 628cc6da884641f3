//! Answers as they came over the wire, read as the contract has them.

use super::key;
use crate::support::Value;
use std::fmt;
use sumun_auditor::OwnedCommand;
use sumun_wire::{Answer, Code, Event, EventData, Outcome, Refusal, Sequence, State, Timestamp};

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Available(u64),
    /// `expires_at` where the answer has one at all.
    Outcome {
        state: State,
        expires_at: Option<Option<u64>>,
        sequence: u64,
        replayed: bool,
        tombstone: bool,
    },
    Item(Value),
    Reservation(Value),
    Refused(String),
}

const STATES: [State; 5] = [State::Held, State::Captured, State::PartiallyCaptured, State::Released, State::Expired];

pub(super) fn told(command: &OwnedCommand, answer: &Value) -> Result<Told, String> {
    let no = || format!("{command} was answered {answer}, which is no answer to it");
    let natural = |name: &str| answer.number(name).and_then(|number| u64::try_from(number).ok());
    if let Some(text) = answer.error() {
        return Ok(Told::Refused(text.to_owned()));
    }
    match command {
        OwnedCommand::Configure { .. } | OwnedCommand::Receive { .. } | OwnedCommand::Adjust { .. } => {
            let available = answer.integer().and_then(|number| u64::try_from(number).ok());
            available.map(Told::Available).ok_or_else(no)
        }
        OwnedCommand::Item { .. } => Ok(Told::Item(answer.clone())),
        OwnedCommand::Reservation { .. } => Ok(Told::Reservation(answer.clone())),
        OwnedCommand::Reserve { .. } | OwnedCommand::Part { .. } | OwnedCommand::Extend { .. } => {
            let word = answer.field("state").and_then(Value::text);
            let state = STATES.into_iter().find(|state| Some(state.word()) == word).ok_or_else(no)?;
            let expires_at = answer.field("expires_at").map(|_| natural("expires_at"));
            let (sequence, replayed) = natural("sequence").zip(natural("replayed")).ok_or_else(no)?;
            let tombstone = natural("tombstone") == Some(1);
            Ok(Told::Outcome { state, expires_at, sequence, replayed: replayed == 1, tombstone })
        }
        OwnedCommand::Remove { .. } | OwnedCommand::Holder { .. } => Err(no()),
    }
}

impl Told {
    /// The event that a read rests on.
    pub(super) fn sequence(&self) -> Option<u64> {
        match self {
            Told::Item(value) | Told::Reservation(value) => {
                value.number("sequence").and_then(|number| u64::try_from(number).ok())
            }
            Told::Outcome { sequence, .. } => Some(*sequence),
            Told::Available(_) | Told::Refused(_) => None,
        }
    }

    /// As the model knows answers. What RESP leaves out is taken from the event that the answer rests on. `None`: reads,
    /// and refusals that carry facts.
    pub(super) fn answer(&self, event: Option<&Event>) -> Option<Answer> {
        match self {
            Told::Available(available) => Some(Answer::Available { available: *available, replayed: event.is_none() }),
            Told::Outcome { state, expires_at, sequence, replayed, tombstone } => {
                let data = event.and_then(|event| match &event.data {
                    EventData::Reservation(data) => Some(data),
                    EventData::Log(_) | EventData::Item(_) => None,
                })?;
                Some(Answer::Outcome(Outcome {
                    state: *state,
                    expires_at: expires_at.map_or(data.expires_at, |at| at.map(Timestamp)),
                    sequence: Sequence(*sequence),
                    replayed: *replayed,
                    tombstone: *tombstone,
                }))
            }
            Told::Refused(text) => {
                let bare = [
                    Code::Invalid,
                    Code::IdConflict,
                    Code::Conflict,
                    Code::Expired,
                    Code::Captured,
                    Code::Released,
                    Code::Overloaded,
                    Code::ReadOnly,
                ];
                let word = text.split(' ').next().unwrap_or_default();
                bare.into_iter().find(|code| code.word() == word).map(|code| Answer::Refused(Refusal::bare(code)))
            }
            Told::Item(_) | Told::Reservation(_) => None,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Available(available) => write!(f, "{available}"),
            Told::Outcome { state, sequence, replayed, .. } => {
                write!(f, "{} at {sequence}{}", state.word(), if *replayed { ", replayed" } else { "" })
            }
            Told::Item(value) | Told::Reservation(value) => write!(f, "{value}"),
            Told::Refused(text) => write!(f, "-{text}"),
        }
    }
}

/// Whether an answer that made no event is what the event it names left behind.
pub(super) fn rests_on(event: Option<&Event>, command: &OwnedCommand, told: &Told) -> Result<(), String> {
    if matches!(told, Told::Reservation(Value::Null)) {
        return Ok(());
    }
    let Some(event) = event else { return Err("SHOWN AND NOT IN THE LOG".to_owned()) };
    let no = || Err(format!("event {} is {:?}", event.sequence.0, event.data));
    let natural = |value: &Value, name: &str| value.number(name).and_then(|number| u64::try_from(number).ok());
    match (told, &event.data) {
        (Told::Outcome { state, expires_at, .. }, EventData::Reservation(data)) => {
            let of_it = key::reservation(command) == Some(data.reservation.as_str());
            let same_end = expires_at.is_none_or(|at| at == data.expires_at.map(|at| at.0));
            if of_it && *state == data.state && same_end { Ok(()) } else { no() }
        }
        (Told::Reservation(value), EventData::Reservation(data)) => {
            let of_it = key::reservation(command) == Some(data.reservation.as_str());
            let same = value.field("state").and_then(Value::text) == Some(data.state.word())
                && natural(value, "version") == Some(data.version);
            if of_it && same { Ok(()) } else { no() }
        }
        (Told::Item(value), _) => {
            let sku = value.field("sku").and_then(Value::text);
            let Some(line) = event.lines().iter().rev().find(|line| Some(line.sku.as_str()) == sku) else {
                return no();
            };
            let figures = [
                ("version", line.version),
                ("reserved", line.reserved),
                ("received", line.received),
                ("removed", line.removed),
                ("returned", line.returned),
                ("captured", line.captured),
            ];
            let same = figures.iter().all(|(name, figure)| natural(value, name) == Some(*figure));
            if same && value.number("on_hand") == Some(line.on_hand) { Ok(()) } else { no() }
        }
        (Told::Available(_) | Told::Refused(_), _) | (_, EventData::Log(_) | EventData::Item(_)) => no(),
    }
}
