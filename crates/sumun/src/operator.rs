//! What the server tells its operator: an event a line on stderr, as fields or as JSON. Stdout has the ready line alone.
//! Every line has `time`, `level`, `event` and `msg`; what more there is has a name of its own.
//!
//! No logging framework: a line is told when something begins or ends, never for a command, and so a few a day.

use crate::clock;
use crate::units::Moment;
use clap::ValueEnum;
use serde::Deserialize;
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::sync::OnceLock;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// For people at a terminal
    #[default]
    Text,
    /// For machines
    Json,
}

/// The least that is told, and how much a line matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    #[default]
    Info,
    Warn,
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

type Fields<'a> = &'a [(&'a str, &'a dyn Display)];

static FORM: OnceLock<(Format, Level)> = OnceLock::new();

/// From here on, for the life of the process.
pub(crate) fn tells(format: Format, least: Level) {
    // A process is configured once; whoever came first is right.
    let _ = FORM.set((format, least));
}

pub(crate) fn is_json() -> bool {
    FORM.get().is_some_and(|(format, _)| *format == Format::Json)
}

/// `event` names what happened, the same in each release; `message` says it to people.
pub(crate) fn tell(level: Level, event: &str, message: &str, fields: Fields<'_>) {
    let (format, least) = FORM.get().copied().unwrap_or_default();
    if level < least {
        return;
    }
    let line = match format {
        Format::Text => text(clock::unix_ms(), level, event, message, fields),
        Format::Json => json(clock::unix_ms(), level, event, message, fields),
    };
    // Whoever read it has gone: the server goes on.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn text(now_ms: u64, level: Level, event: &str, message: &str, fields: Fields<'_>) -> String {
    let mut line = format!("time={} level={} event={event} msg={}", Moment(now_ms), level.word(), quoted(message));
    for (name, value) in fields {
        let _ = write!(line, " {name}={}", quoted(&value.to_string()));
    }
    line.push('\n');
    line
}

fn json(now_ms: u64, level: Level, event: &str, message: &str, fields: Fields<'_>) -> String {
    let escaped = |text: &str| serde_json::Value::from(text).to_string();
    let (time, level, message) = (Moment(now_ms), level.word(), escaped(message));
    let mut line = format!("{{\"time\":\"{time}\",\"level\":\"{level}\",\"event\":\"{event}\",\"msg\":{message}");
    for (name, value) in fields {
        let value = value.to_string();
        let is_bare = value == "true" || value == "false" || value.parse::<i64>().is_ok_and(|n| n.to_string() == value);
        let _ = write!(line, ",\"{name}\":{}", if is_bare { value } else { escaped(&value) });
    }
    line.push_str("}\n");
    line
}

/// Bare when it is one plain word, so that nothing in it can pass for another field or line.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.:/+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields<'_> =
        &[("path", &"/a b"), ("bytes", &7), ("drift", &-3), ("new", &true), ("why", &"x\n\"y\"")];

    #[test]
    fn a_line_is_one_line_of_fields() {
        let found = text(0, Level::Warn, "disk_full", "the disk is full", FIELDS);
        let expected = r#"time=1970-01-01T00:00:00.000Z level=warn event=disk_full msg="the disk is full" path="/a b" bytes=7 drift=-3 new=true why="x\n\"y\"""#;
        assert_eq!(found, format!("{expected}\n"));
    }

    #[test]
    fn a_line_of_json_is_one_object_in_which_numbers_are_numbers() {
        let found = json(0, Level::Error, "disk_full", "the disk is \"full\"", FIELDS);
        assert_eq!(found.matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&found).expect("an object");
        let expected = serde_json::json!({
            "time": "1970-01-01T00:00:00.000Z", "level": "error", "event": "disk_full", "msg": "the disk is \"full\"",
            "path": "/a b", "bytes": 7, "drift": -3, "new": true, "why": "x\n\"y\""
        });
        assert_eq!(read, expected);
        let odd = json(0, Level::Info, "odd", "", &[("a", &"007"), ("b", &"99999999999999999999"), ("c", &"1.5")]);
        let odd: serde_json::Value = serde_json::from_str(&odd).expect("an object");
        assert_eq!((&odd["a"], &odd["b"], &odd["c"]), (&"007".into(), &"99999999999999999999".into(), &"1.5".into()));
    }

    #[test]
    fn levels_are_in_the_order_of_what_matters() {
        assert!(Level::Info < Level::Warn && Level::Warn < Level::Error);
    }
}
