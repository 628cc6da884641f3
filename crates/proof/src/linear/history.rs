//! A history: what each client sent, on which connection, when, and what it was answered. It reads and writes as text,
//! one operation a line, in the order in which each connection sent them:
//!
//! ```text
//! c1 10-20 RESERVE r1 600000 1 a 1 -> state=held replayed=0
//! c2 12-? CAPTURE r1
//! ```
//!
//! Times are microseconds; `?` stands for an answer that was lost. A name that an answer does not give is not judged.

use super::names::COUNTS;
use crate::support::Value;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Operations of one connection take effect in the order in which they were sent.
    pub connection: String,
    /// The command in the words of RESP.
    pub command: String,
    pub sent_us: u64,
    /// `None`: the connection was lost before the answer came.
    pub answered: Option<(u64, Value)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Each connection's in the order sent.
    pub operations: Vec<Operation>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-", self.connection, self.sent_us)?;
        match &self.answered {
            Some((at, value)) => write!(f, "{at} {} -> {}", self.command, Answer(value)),
            None => write!(f, "? {}", self.command),
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operations.iter().try_for_each(|operation| writeln!(f, "{operation}"))
    }
}

/// An answer as one line that reads back.
struct Answer<'a>(&'a Value);

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<(String, Value)> = match self.0 {
            Value::Array(flat) => flat.chunks_exact(2).map(|pair| (pair[0].to_string(), pair[1].clone())).collect(),
            Value::Map(entries) => entries.clone(),
            Value::Text(_) | Value::Error(_) | Value::Integer(_) | Value::Null => return write!(f, "{}", self.0),
        };
        for (place, (name, value)) in entries.iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            match (name.as_str(), value) {
                ("lines", Value::Array(lines)) => {
                    let lines: Vec<String> = lines.iter().map(line).collect();
                    write!(f, "{gap}lines={}", lines.join(","))?;
                }
                // Nothing here judges them, and they are no single words.
                ("lots" | "limit" | "metadata", _) => {}
                (_, value) => write!(f, "{gap}{name}={value}")?,
            }
        }
        Ok(())
    }
}

fn line(value: &Value) -> String {
    let numbers: Vec<String> = COUNTS.iter().map(|name| value.number(name).unwrap_or_default().to_string()).collect();
    format!("{}:{}", value.field("sku").and_then(Value::text).unwrap_or_default(), numbers.join("/"))
}

impl History {
    /// Reads what `Display` writes. Lines that are empty or begin with `#` are left out.
    pub fn parse(text: &str) -> Result<History, String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let operation = |line: &str| parse_line(line).ok_or_else(|| format!("no operation: `{line}`"));
        Ok(History { operations: lines.map(operation).collect::<Result<_, _>>()? })
    }
}

fn parse_line(text: &str) -> Option<Operation> {
    let (connection, rest) = text.split_once(' ')?;
    let (times, rest) = rest.trim_start().split_once(' ')?;
    let (sent, answered) = times.split_once('-')?;
    let (command, answer) = match rest.split_once("->") {
        Some((command, answer)) => (command, Some(answer.trim())),
        None => (rest, None),
    };
    let answered = match (answered, answer) {
        ("?", None) => None,
        (at, Some(answer)) => Some((at.parse().ok()?, parse_answer(answer)?)),
        (_, None) => return None,
    };
    let command = command.trim().to_owned();
    Some(Operation { connection: connection.to_owned(), command, sent_us: sent.parse().ok()?, answered })
}

fn parse_answer(text: &str) -> Option<Value> {
    if let Some(error) = text.strip_prefix('-').filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())) {
        return Some(Value::Error(error.to_owned()));
    }
    if !text.contains('=') {
        return scalar(text);
    }
    let entries = text.split_whitespace().map(|word| {
        let (name, value) = word.split_once('=')?;
        let value = if name == "lines" {
            let lines = value.split(',').filter(|line| !line.is_empty()).map(parse_lines_line);
            Value::Array(lines.collect::<Option<_>>()?)
        } else {
            scalar(value)?
        };
        Some((name.to_owned(), value))
    });
    Some(Value::Map(entries.collect::<Option<_>>()?))
}

fn scalar(text: &str) -> Option<Value> {
    Some(match text {
        "" => return None,
        "null" => Value::Null,
        _ => text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer),
    })
}

fn parse_lines_line(text: &str) -> Option<Value> {
    let (sku, numbers) = text.split_once(':')?;
    let numbers: Vec<i64> = numbers.split('/').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let mut entries = vec![("sku".to_owned(), Value::Text(sku.to_owned()))];
    entries.extend(COUNTS.iter().zip(numbers).map(|(name, number)| ((*name).to_owned(), Value::Integer(number))));
    Some(Value::Map(entries))
}
