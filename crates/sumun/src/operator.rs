//! What the server tells its operator: a line of fields on stderr. Stdout has the ready line alone.

use crate::clock;
use crate::units::Moment;
use std::fmt::Write as _;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Info,
    Warn,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warn => "warn",
        }
    }
}

pub(crate) fn tell(level: Level, message: &str, fields: &[(&str, &dyn std::fmt::Display)]) {
    eprintln!("{}", line(clock::unix_ms(), level, message, fields));
}

fn line(now_ms: u64, level: Level, message: &str, fields: &[(&str, &dyn std::fmt::Display)]) -> String {
    let mut text = format!("time={} level={} msg={}", Moment(now_ms), level.word(), quoted(message));
    for (name, value) in fields {
        let _ = write!(text, " {name}={}", quoted(&value.to_string()));
    }
    text
}

/// Bare when it is one plain word, so that nothing in it can pass for another field or line.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.:/+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("{text:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_fields() {
        let found = line(0, Level::Warn, "the disk is full", &[("path", &"/a b"), ("bytes", &7), ("why", &"x\n\"y\"")]);
        let expected =
            r#"time=1970-01-01T00:00:00.000Z level=warn msg="the disk is full" path="/a b" bytes=7 why="x\n\"y\"""#;
        assert_eq!(found, expected);
    }
}
