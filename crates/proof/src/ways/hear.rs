//! Answers of RESP2, RESP3 and HTTP in one common form: what was said, and nothing that was not.
//! Records are read by one piece of code whatever they came in, so that a name that differs between two is found.

use crate::support::Value;
use crate::support::http::Reply;
use serde_json::Value as Json;
use sumun_auditor::OwnedCommand;
use sumun_wire::{
    Allocation, Answer, Code, Ended, Facts, HolderRecord, ItemRecord, Kind, Limit, LotRow, Name, Outcome, Refusal,
    ReservationLine, ReservationRecord, Sequence, Settings, Short, State, Taken, Timestamp,
};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// RESP's answer to what moves an item.
    Available(u64),
    /// RESP's answer to a verb of a reservation; `None` is a name that this verb's answer has not.
    Outcome {
        state: State,
        expires_at: Option<Option<Timestamp>>,
        sequence: u64,
        replayed: bool,
        tombstone: Option<bool>,
    },
    /// HTTP's answer to either: the record.
    Record {
        record: Answer,
        replayed: bool,
    },
    /// HTTP's answer to a deletion.
    Gone {
        replayed: bool,
    },
    Read(Answer),
    /// RESP's error text.
    Error(String),
    /// HTTP's problem.
    Problem(Refusal),
}

/// A value of RESP or of JSON.
#[derive(Clone, Copy)]
enum Node<'a> {
    Resp(&'a Value),
    Json(&'a Json),
}

type Read<T> = Result<T, String>;

impl<'a> Node<'a> {
    fn get(self, name: &str) -> Read<Node<'a>> {
        let found = match self {
            Node::Resp(value) => value.field(name).map(Node::Resp),
            Node::Json(value) => value.get(name).map(Node::Json),
        };
        found.ok_or_else(|| format!("there is no `{name}`"))
    }
    fn maybe(self) -> Option<Node<'a>> {
        let is_null = match self {
            Node::Resp(value) => *value == Value::Null,
            Node::Json(value) => value.is_null(),
        };
        (!is_null).then_some(self)
    }
    fn integer(self) -> Read<i64> {
        let found = match self {
            Node::Resp(value) => value.integer(),
            Node::Json(value) => value.as_i64(),
        };
        found.ok_or_else(|| format!("{self} is no integer"))
    }
    fn natural(self) -> Read<u64> {
        self.integer().and_then(|number| u64::try_from(number).map_err(|_| format!("{number} is negative")))
    }
    fn text(self) -> Read<&'a str> {
        let found = match self {
            Node::Resp(value) => value.text(),
            Node::Json(value) => value.as_str(),
        };
        found.ok_or_else(|| format!("{self} is no text"))
    }
    fn flag(self) -> Read<bool> {
        match self {
            Node::Resp(Value::Integer(number @ 0..=1)) => Ok(*number == 1),
            Node::Json(Json::Bool(flag)) => Ok(*flag),
            Node::Resp(_) | Node::Json(_) => Err(format!("{self} is neither yes nor no")),
        }
    }
    fn time(self) -> Read<Timestamp> {
        match self {
            Node::Resp(_) => self.natural().map(Timestamp),
            Node::Json(_) => {
                let text = self.text()?;
                let at = Timestamp::from_rfc3339(text).ok_or_else(|| format!("{text} is no time"))?;
                if at.rfc3339() == text.as_bytes() { Ok(at) } else { Err(format!("{text} is not as times leave")) }
            }
        }
    }
    fn rows(self) -> Read<Vec<Node<'a>>> {
        match self {
            Node::Resp(Value::Array(rows)) => Ok(rows.iter().map(Node::Resp).collect()),
            Node::Json(Json::Array(rows)) => Ok(rows.iter().map(Node::Json).collect()),
            Node::Resp(_) | Node::Json(_) => Err(format!("{self} is no list")),
        }
    }
    fn word<T: Copy>(self, all: &[T], word: impl Fn(T) -> &'static str) -> Read<T> {
        let text = self.text()?;
        all.iter().copied().find(|one| word(*one) == text).ok_or_else(|| format!("`{text}` is no word of the contract"))
    }
    fn name(self) -> Read<Name> {
        self.text().map(Name::from)
    }
    fn some<T>(self, name: &str, read: impl Fn(Node<'a>) -> Read<T>) -> Read<Option<T>> {
        self.get(name)?.maybe().map(read).transpose()
    }
    fn each<T>(self, name: &str, read: impl Fn(Node<'a>) -> Read<T>) -> Read<Vec<T>> {
        self.get(name)?.rows()?.into_iter().map(read).collect()
    }
}

impl std::fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Node::Resp(value) => write!(f, "{value}"),
            Node::Json(value) => write!(f, "{value}"),
        }
    }
}

const STATES: [State; 5] = [State::Held, State::Captured, State::PartiallyCaptured, State::Released, State::Expired];
const ENDS: [Ended; 3] = [Ended::Captured, Ended::Released, Ended::Expired];

fn item(node: Node<'_>) -> Read<ItemRecord> {
    let limit = |node: Node<'_>| {
        let window_ms = node.some("window_ms", Node::natural)?;
        Ok(Limit { quantity: node.get("quantity")?.natural()?, window_ms })
    };
    // RESP has its text.
    let metadata = |node: Node<'_>| match node {
        Node::Resp(_) => node.text().map(str::to_owned),
        Node::Json(value) => Ok(value.to_string()),
    };
    let natural = |name: &str| node.get(name)?.natural();
    Ok(ItemRecord {
        sku: node.get("sku")?.name()?,
        kind: node.get("kind")?.word(&[Kind::Stock, Kind::Points], Kind::word)?,
        on_hand: node.get("on_hand")?.integer()?,
        reserved: natural("reserved")?,
        available: natural("available")?,
        received: natural("received")?,
        removed: natural("removed")?,
        returned: natural("returned")?,
        captured: natural("captured")?,
        expired: natural("expired")?,
        settings: Settings {
            safety_stock: natural("safety_stock")?,
            backorder_limit: natural("backorder_limit")?,
            limit: node.some("limit", limit)?,
            allocation: node.get("allocation")?.word(&[Allocation::Fefo, Allocation::Fifo], Allocation::word)?,
            metadata: node.some("metadata", metadata)?,
        },
        lots: node.each("lots", |row| {
            Ok(LotRow {
                lot: row.some("lot", Node::name)?,
                location: row.some("location", Node::name)?,
                on_hand: row.get("on_hand")?.integer()?,
                reserved: row.get("reserved")?.natural()?,
                expires_at: row.some("expires_at", Node::time)?,
            })
        })?,
        version: natural("version")?,
        sequence: Sequence(natural("sequence")?),
    })
}

fn reservation(node: Node<'_>) -> Read<ReservationRecord> {
    Ok(ReservationRecord {
        id: node.get("id")?.name()?,
        state: node.get("state")?.word(&STATES, State::word)?,
        ended: node.some("ended", |node| node.word(&ENDS, Ended::word))?,
        tombstone: node.get("tombstone")?.flag()?,
        holder: node.some("holder", Node::name)?,
        created_at: node.get("created_at")?.time()?,
        expires_at: node.some("expires_at", Node::time)?,
        needed_until: node.some("needed_until", Node::time)?,
        lines: node.each("lines", |line| {
            let natural = |name: &str| line.get(name)?.natural();
            Ok(ReservationLine {
                sku: line.get("sku")?.name()?,
                quantity: natural("quantity")?,
                captured: natural("captured")?,
                released: natural("released")?,
                expired: natural("expired")?,
                returned: natural("returned")?,
                lot: line.some("lot", Node::name)?,
                location: line.some("location", Node::name)?,
                taken: line.each("taken", |taken| {
                    Ok(Taken { lot: taken.some("lot", Node::name)?, quantity: taken.get("quantity")?.natural()? })
                })?,
            })
        })?,
        version: node.get("version")?.natural()?,
        sequence: Sequence(node.get("sequence")?.natural()?),
    })
}

fn read_item(node: Node<'_>) -> Read<Answer> {
    Ok(Answer::Item(node.maybe().map(item).transpose()?.map(Box::new)))
}

fn read_reservation(node: Node<'_>) -> Read<Answer> {
    Ok(Answer::Reservation(node.maybe().map(reservation).transpose()?.map(Box::new)))
}

/// What a reply of RESP says.
pub(crate) fn resp(command: &OwnedCommand, value: &Value) -> Read<Heard> {
    if let Some(text) = value.error() {
        return Ok(Heard::Error(text.to_owned()));
    }
    let node = Node::Resp(value);
    match command {
        OwnedCommand::Configure { .. } | OwnedCommand::Receive { .. } | OwnedCommand::Adjust { .. } => {
            node.natural().map(Heard::Available)
        }
        OwnedCommand::Item { .. } => read_item(node).map(Heard::Read),
        OwnedCommand::Reservation { .. } => read_reservation(node).map(Heard::Read),
        OwnedCommand::Reserve { .. } | OwnedCommand::Part { .. } | OwnedCommand::Extend { .. } => Ok(Heard::Outcome {
            state: node.get("state")?.word(&STATES, State::word)?,
            expires_at: value.field("expires_at").map(|_| node.some("expires_at", Node::time)).transpose()?,
            sequence: node.get("sequence")?.natural()?,
            replayed: node.get("replayed")?.flag()?,
            tombstone: value.field("tombstone").map(|value| Node::Resp(value).flag()).transpose()?,
        }),
        OwnedCommand::Remove { .. } | OwnedCommand::Holder { .. } => Err("RESP has no such command".to_owned()),
    }
}

/// What an answer of HTTP says.
pub(crate) fn http(command: &OwnedCommand, reply: &Reply) -> Read<Heard> {
    let status = reply.head.status;
    let replayed = match reply.head.header("idempotency-replayed") {
        None => false,
        Some("true") => true,
        Some(other) => return Err(format!("Idempotency-Replayed: {other}")),
    };
    if status == 204 {
        let is_removal = matches!(command, OwnedCommand::Remove { .. });
        return if is_removal { Ok(Heard::Gone { replayed }) } else { Err("204 is of deletions alone".to_owned()) };
    }
    let json = reply.json().map_err(|error| error.to_string())?;
    if status >= 400 {
        let refusal = problem(status, &json)?;
        let is_missing = refusal.code == Code::NotFound;
        return Ok(if is_missing && matches!(command, OwnedCommand::Item { .. }) {
            Heard::Read(Answer::Item(None))
        } else if is_missing && matches!(command, OwnedCommand::Reservation { .. }) {
            Heard::Read(Answer::Reservation(None))
        } else {
            Heard::Problem(refusal)
        });
    }
    let may_make =
        matches!(command, OwnedCommand::Receive { .. } | OwnedCommand::Adjust { .. } | OwnedCommand::Reserve { .. });
    if status != if may_make && !replayed { 201 } else { 200 } {
        return Err(format!("{status}, replayed {replayed}"));
    }
    let node = Node::Json(&json);
    match command {
        OwnedCommand::Configure { .. } | OwnedCommand::Receive { .. } | OwnedCommand::Adjust { .. } => {
            Ok(Heard::Record { record: read_item(node)?, replayed })
        }
        OwnedCommand::Reserve { .. } | OwnedCommand::Part { .. } | OwnedCommand::Extend { .. } => {
            Ok(Heard::Record { record: read_reservation(node)?, replayed })
        }
        OwnedCommand::Item { .. } => read_item(node).map(Heard::Read),
        OwnedCommand::Reservation { .. } => read_reservation(node).map(Heard::Read),
        OwnedCommand::Holder { .. } => {
            let held = node.get("held")?.natural()?;
            let captured = node.get("counted")?.natural()?.checked_sub(held);
            Ok(Heard::Read(Answer::Holder(HolderRecord {
                held,
                counted: captured.ok_or("`counted` is less than `held`, which it includes")?,
                left: node.some("left", Node::natural)?,
                next_free_at: node.some("next_free_at", Node::time)?,
            })))
        }
        OwnedCommand::Remove { .. } => Err(format!("a deletion was answered with {status}")),
    }
}

/// Codes of problems, and the statuses that the contract gives them.
const CODES: [(&str, u16, Code); 12] = [
    ("invalid", 400, Code::Invalid),
    ("not_found", 404, Code::NotFound),
    ("id_conflict", 409, Code::IdConflict),
    ("conflict", 409, Code::Conflict),
    ("expired", 409, Code::Expired),
    ("already_captured", 409, Code::Captured),
    ("already_released", 409, Code::Released),
    ("limit_exceeded", 409, Code::Limit),
    ("insufficient_stock", 409, Code::Insufficient),
    ("exceeds", 409, Code::Exceeds),
    ("overloaded", 503, Code::Overloaded),
    ("read_only", 503, Code::ReadOnly),
];

fn problem(status: u16, json: &Json) -> Read<Refusal> {
    let word = Node::Json(json).get("code")?.text()?;
    let found = CODES.iter().find(|(known, of, _)| *known == word && *of == status);
    let code = found.map(|(.., code)| *code).ok_or_else(|| format!("{status} with code {word}: {json}"))?;
    let lines = json["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    let facts = match code {
        Code::NotFound => {
            let of_path = || json["detail"].as_str()?.strip_prefix("NOTFOUND ").map(Name::from);
            let mut names: Vec<Name> = lines.iter().filter_map(|line| line["sku"].as_str().map(Name::from)).collect();
            if names.is_empty() {
                names.extend(of_path());
            }
            Facts::Missing(names.into_iter().collect())
        }
        Code::Limit | Code::Insufficient | Code::Exceeds => {
            let line = |line: &Json| {
                let node = Node::Json(line);
                let is_stock = code == Code::Insufficient;
                Ok(Short {
                    sku: node.get("sku")?.name()?,
                    wanted: node.get("wanted")?.natural()?,
                    available: node.get(if is_stock { "available" } else { "left" })?.natural()?,
                    reserved: if is_stock { node.get("reserved")?.natural()? } else { 0 },
                    holder: line.get("holder").and_then(Json::as_str).map(Name::from),
                })
            };
            Facts::Short(lines.iter().map(line).collect::<Read<_>>()?)
        }
        Code::Invalid
        | Code::IdConflict
        | Code::Conflict
        | Code::Expired
        | Code::Captured
        | Code::Released
        | Code::Overloaded
        | Code::ReadOnly => Facts::None,
    };
    Ok(Refusal { code, facts })
}

impl Heard {
    /// The whole answer: what was not said is as the model would say it.
    pub(crate) fn complete(&self, expected: &Answer) -> Answer {
        match self {
            Heard::Read(answer) => answer.clone(),
            Heard::Problem(refusal) => Answer::Refused(refusal.clone()),
            Heard::Error(text) => Answer::Refused(refusal(text, expected)),
            Heard::Available(available) => {
                let replayed = matches!(expected, Answer::Available { replayed: true, .. });
                Answer::Available { available: *available, replayed }
            }
            Heard::Gone { replayed } => Answer::Available { available: available_of(expected), replayed: *replayed },
            Heard::Outcome { state, expires_at, sequence, replayed, tombstone } => {
                let model = if let Answer::Outcome(model) = expected { Some(model) } else { None };
                Answer::Outcome(Outcome {
                    state: *state,
                    expires_at: expires_at.unwrap_or(model.and_then(|model| model.expires_at)),
                    sequence: Sequence(*sequence),
                    replayed: *replayed,
                    tombstone: tombstone.unwrap_or(model.is_some_and(|model| model.tombstone)),
                })
            }
            Heard::Record { record: Answer::Reservation(Some(record)), replayed } => Answer::Outcome(Outcome {
                state: record.state,
                expires_at: record.expires_at,
                sequence: record.sequence,
                replayed: *replayed,
                tombstone: record.tombstone,
            }),
            // The figure that a replay gives is of the first answer: HTTP shows the item as it is.
            Heard::Record { record: Answer::Item(Some(record)), replayed } => {
                let available = if *replayed { available_of(expected) } else { record.available };
                Answer::Available { available, replayed: *replayed }
            }
            Heard::Record { record, .. } => record.clone(),
        }
    }

    /// The record that came with it.
    pub(crate) fn shown(&self) -> Option<&Answer> {
        if let Heard::Record { record, .. } = self { Some(record) } else { None }
    }

    /// Whether two reads say the same; words for people may differ.
    pub(crate) fn same_read(&self, other: &Heard) -> bool {
        match (self, other) {
            (Heard::Read(one), Heard::Read(other)) => one == other,
            (Heard::Error(text), Heard::Problem(refusal)) => text.split(' ').next() == Some(refusal.code.word()),
            (one, other) => one == other,
        }
    }
}

fn available_of(answer: &Answer) -> u64 {
    if let Answer::Available { available, .. } = answer { *available } else { 0 }
}

/// RESP's text names the first of the facts: where it is what the model's refusal would read, it stands for that.
fn refusal(text: &str, expected: &Answer) -> Refusal {
    if let Answer::Refused(model) = expected {
        let same = match &model.facts {
            Facts::Missing(_) | Facts::Short(_) => model.to_string() == text,
            Facts::None | Facts::Invalid(_) | Facts::About(_) | Facts::RetryAfterMs(_) => {
                text.split(' ').next() == Some(model.code.word())
            }
        };
        if same {
            return model.clone();
        }
    }
    if text.starts_with("ERR wrong number of arguments") {
        return Refusal::bare(Code::Invalid);
    }
    let word = text.split(' ').next().unwrap_or_default();
    let code = CODES.iter().map(|(.., code)| *code).find(|code| code.word() == word);
    // What is no word of the contract is taken for one that nothing here is refused with.
    Refusal::bare(code.unwrap_or(Code::ReadOnly))
}
