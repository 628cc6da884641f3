//! Answers: what a command comes to. Refusals carry their facts, so that every interface can say them in its own form.

use crate::{HolderRecord, ItemRecord, Name, ReservationRecord, Sequence, State, Timestamp};
use alloc::boxed::Box;
use core::fmt;
use smallvec::SmallVec;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Of configure, remove, receive and adjust: what is available after. A replay gives the first answer's figure.
    Available {
        available: u64,
        replayed: bool,
    },
    /// Of reserve, capture, release, extend and return: the record as it stands now.
    Outcome(Outcome),
    Item(Option<Box<ItemRecord>>),
    Reservation(Option<Box<ReservationRecord>>),
    Holder(HolderRecord),
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub state: State,
    pub expires_at: Option<Timestamp>,
    /// Of the event that the answer rests on; of a replay, the record's newest.
    pub sequence: Sequence,
    pub replayed: bool,
    pub tombstone: bool,
}

/// A command that was refused changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub facts: Facts,
}

/// What kind of refusal, in the words that every interface derives its own code from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    Invalid,
    NotFound,
    /// An id that was used with other content.
    IdConflict,
    /// Lot, settings or kind that contradict what is there.
    Conflict,
    Expired,
    Captured,
    Released,
    Limit,
    Insufficient,
    Exceeds,
    Overloaded,
    /// The log cannot be written.
    ReadOnly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    None,
    Invalid(Invalid),
    /// Skus, or the reservation, that do not exist, in the order of the request's lines.
    Missing(SmallVec<[Name; 1]>),
    /// Of Limit, Insufficient and Exceeds: one a sku, in the order of the request's lines.
    Short(SmallVec<[Short; 1]>),
    /// What the conflict is about, in a few words.
    About(&'static str),
    RetryAfterMs(u32),
}

/// What was wanted of a sku and what could have been had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    pub sku: Name,
    /// The sku's sum over the request.
    pub wanted: u64,
    /// Available (Insufficient) or left (Limit, Exceeds).
    pub available: u64,
    /// Reserved by others, which may come back (Insufficient).
    pub reserved: u64,
    /// Limit only.
    pub holder: Option<Name>,
}

/// Why a request is invalid. `field` is the contract's name of what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub field: &'static str,
    pub why: &'static str,
}

impl Refusal {
    pub const fn invalid(field: &'static str, why: &'static str) -> Refusal {
        Refusal { code: Code::Invalid, facts: Facts::Invalid(Invalid { field, why }) }
    }
    pub const fn about(code: Code, what: &'static str) -> Refusal {
        Refusal { code, facts: Facts::About(what) }
    }
    pub const fn bare(code: Code) -> Refusal {
        Refusal { code, facts: Facts::None }
    }
    pub const fn overloaded(retry_after_ms: u32) -> Refusal {
        Refusal { code: Code::Overloaded, facts: Facts::RetryAfterMs(retry_after_ms) }
    }
    pub fn missing(name: &str) -> Refusal {
        Refusal { code: Code::NotFound, facts: Facts::Missing(SmallVec::from_iter([Name::from(name)])) }
    }
}

impl Code {
    /// The first word of a RESP error, without the dash.
    pub const fn word(self) -> &'static str {
        match self {
            Code::Invalid => "INVALID",
            Code::NotFound => "NOTFOUND",
            Code::IdConflict | Code::Conflict => "CONFLICT",
            Code::Expired => "EXPIRED",
            Code::Captured => "CAPTURED",
            Code::Released => "RELEASED",
            Code::Limit => "LIMIT",
            Code::Insufficient => "INSUFFICIENT",
            Code::Exceeds => "EXCEEDS",
            Code::Overloaded => "OVERLOADED",
            Code::ReadOnly => "MISCONF",
        }
    }
    /// Whether the same request may pass in a moment.
    pub const fn retryable(self) -> bool {
        matches!(self, Code::Overloaded | Code::ReadOnly)
    }
}

/// The text of a RESP error, without the dash: `INSUFFICIENT sku wanted 2 available 1`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.code.word();
        match &self.facts {
            Facts::None => match self.code {
                Code::Expired => write!(f, "{word} the reservation has expired"),
                Code::Captured => write!(f, "{word} the reservation is captured"),
                Code::Released => write!(f, "{word} the reservation is released"),
                Code::IdConflict => write!(f, "{word} the id was used with other content"),
                Code::ReadOnly => write!(f, "{word} Errors writing to the log: see the server's log for the cause"),
                Code::Overloaded => write!(f, "{word} retry later"),
                Code::Invalid | Code::NotFound | Code::Conflict | Code::Limit | Code::Insufficient | Code::Exceeds => {
                    f.write_str(word)
                }
            },
            Facts::Invalid(Invalid { field, why }) => write!(f, "{word} {field}: {why}"),
            Facts::Missing(names) => match names.first() {
                Some(name) => write!(f, "{word} {name}"),
                None => f.write_str(word),
            },
            Facts::Short(shorts) => {
                let Some(Short { sku, wanted, available, holder, .. }) = shorts.first() else {
                    return f.write_str(word);
                };
                match (self.code, holder) {
                    (Code::Limit, Some(holder)) => write!(f, "{word} {sku} {holder} wanted {wanted} left {available}"),
                    (Code::Insufficient, _) => write!(f, "{word} {sku} wanted {wanted} available {available}"),
                    _ => write!(f, "{word} {sku} wanted {wanted} left {available}"),
                }
            }
            Facts::About(what) => write!(f, "{word} {what}"),
            Facts::RetryAfterMs(ms) => write!(f, "{word} retry after {ms} ms"),
        }
    }
}
