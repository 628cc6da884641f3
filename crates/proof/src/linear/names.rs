//! Commands and answers as the search needs them: names as small numbers, an answer's fields where they can be compared.
//! A field that is `None` was not said, and is not judged.

use crate::support::Value;
use std::collections::HashMap;

/// Names of one kind, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, usize>);

impl Names {
    pub(super) fn number(&mut self, name: &str) -> usize {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// All names of one part of a history.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) skus: Names,
    pub(super) holders: Names,
    pub(super) reservations: Names,
    pub(super) movements: Names,
    pub(super) parts: Names,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Verb {
    Capture,
    Release,
    Return,
}

/// Skus and quantities in the order asked.
pub(super) type Lines = Vec<(usize, u32)>;

#[derive(Clone, Debug)]
pub(super) enum Ask {
    Configure { sku: usize, limit: Option<u32> },
    Receive { sku: usize, quantity: u32, movement: usize },
    Reserve { id: usize, ttl_ms: u64, lines: Lines, holder: Option<usize>, capture: bool },
    Part { verb: Verb, id: usize, lines: Option<Lines>, part: Option<usize> },
    Extend { id: usize, ttl_ms: u64 },
    Item { sku: usize },
    Reservation { id: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Held,
    Captured,
    PartiallyCaptured,
    Released,
    Expired,
}

/// What was said of an item or a reservation.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) state: Option<State>,
    /// The inner one: null.
    pub(super) expires_at: Option<Option<u64>>,
    pub(super) ended: Option<Option<State>>,
    pub(super) replayed: Option<bool>,
    pub(super) tombstone: Option<bool>,
    pub(super) holder: Option<Option<usize>>,
    pub(super) lines: Option<Vec<(usize, [u32; 5])>>,
    pub(super) version: Option<u32>,
    /// on_hand, reserved, available, received, removed, returned, captured.
    pub(super) figures: [Option<i64>; 7],
    pub(super) sequence: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) enum Said {
    /// Nothing: the connection was lost.
    Nothing,
    Error(String),
    Integer(i64),
    Null,
    Fields(Box<Fields>),
}

const FIGURES: [&str; 7] = ["on_hand", "reserved", "available", "received", "removed", "returned", "captured"];
pub(super) const COUNTS: [&str; 5] = ["quantity", "captured", "released", "expired", "returned"];

impl Book {
    /// `None` when it is no command that these histories know.
    pub(super) fn ask(&mut self, command: &str) -> Option<Ask> {
        let mut words = command.split_whitespace();
        let (verb, name) = (words.next()?, words.next()?);
        let rest: Vec<&str> = words.collect();
        let option = |word: &str| Some(*rest.get(rest.iter().position(|w| *w == word)? + 1)?);
        let part = |book: &mut Book, verb| {
            let lines = match rest.first().map(|count| count.parse::<usize>()) {
                Some(Ok(count)) => Some(book.lines(rest.get(1..=2 * count)?)?),
                Some(Err(_)) | None => None,
            };
            let part = option("ID").map(|id| book.parts.number(id));
            Some(Ask::Part { verb, id: book.reservations.number(name), lines, part })
        };
        Some(match verb {
            "CONFIGURE" => {
                let limit = option("LIMIT").map(str::parse).transpose().ok()?;
                Ask::Configure { sku: self.skus.number(name), limit }
            }
            "RECEIVE" => {
                let movement = self.movements.number(&format!("{name} {}", option("ID")?));
                Ask::Receive { sku: self.skus.number(name), quantity: rest.first()?.parse().ok()?, movement }
            }
            "RESERVE" => {
                let count: usize = rest.get(1)?.parse().ok()?;
                let lines = self.lines(rest.get(2..2 + 2 * count)?)?;
                let holder = option("FOR").map(|holder| self.holders.number(holder));
                let capture = rest.contains(&"CAPTURE");
                let ttl_ms = rest.first()?.parse().ok()?;
                Ask::Reserve { id: self.reservations.number(name), ttl_ms, lines, holder, capture }
            }
            "CAPTURE" => part(self, Verb::Capture)?,
            "RELEASE" => part(self, Verb::Release)?,
            "RETURN" => part(self, Verb::Return)?,
            "EXTEND" => Ask::Extend { id: self.reservations.number(name), ttl_ms: rest.first()?.parse().ok()? },
            "ITEM" => Ask::Item { sku: self.skus.number(name) },
            "RESERVATION" => Ask::Reservation { id: self.reservations.number(name) },
            _ => return None,
        })
    }

    fn lines(&mut self, words: &[&str]) -> Option<Lines> {
        words.chunks_exact(2).map(|pair| Some((self.skus.number(pair[0]), pair[1].parse().ok()?))).collect()
    }

    /// `None` when it is no answer of these commands.
    pub(super) fn said(&mut self, value: &Value) -> Option<Said> {
        Some(match value {
            Value::Error(text) => Said::Error(text.clone()),
            Value::Integer(number) => Said::Integer(*number),
            Value::Null => Said::Null,
            Value::Text(_) => return None,
            Value::Array(_) | Value::Map(_) => Said::Fields(Box::new(self.fields(value)?)),
        })
    }

    fn fields(&mut self, value: &Value) -> Option<Fields> {
        let number = |name: &str| value.number(name).and_then(|number| u64::try_from(number).ok());
        let flag = |name: &str| number(name).map(|flag| flag == 1);
        let lines = value.field("lines").map(|lines| {
            let line = |line: &Value| {
                let sku = self.skus.number(line.field("sku")?.text()?);
                let mut counts = [0; 5];
                for (count, name) in counts.iter_mut().zip(COUNTS) {
                    *count = u32::try_from(line.number(name)?).ok()?;
                }
                Some((sku, counts))
            };
            let mut lines = lines.rows().iter().map(line).collect::<Option<Vec<_>>>()?;
            lines.sort_unstable();
            Some(lines)
        });
        let lines = match lines {
            Some(None) => return None,
            Some(lines) => lines,
            None => None,
        };
        Some(Fields {
            state: match value.field("state") {
                None => None,
                Some(state) => Some(state_of(state.text())?),
            },
            expires_at: value.field("expires_at").map(|_| number("expires_at")),
            ended: match value.field("ended") {
                None => None,
                Some(Value::Null) => Some(None),
                Some(ended) => Some(Some(state_of(ended.text())?)),
            },
            replayed: flag("replayed"),
            tombstone: flag("tombstone"),
            holder: value.field("holder").map(|holder| holder.text().map(|holder| self.holders.number(holder))),
            lines,
            version: number("version").and_then(|version| u32::try_from(version).ok()),
            figures: FIGURES.map(|name| value.number(name)),
            sequence: number("sequence"),
        })
    }
}

fn state_of(word: Option<&str>) -> Option<State> {
    Some(match word? {
        "held" => State::Held,
        "captured" => State::Captured,
        "partially_captured" => State::PartiallyCaptured,
        "released" => State::Released,
        "expired" => State::Expired,
        _ => return None,
    })
}
