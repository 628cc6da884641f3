//! How an answer is shown: as text for people, and as JSON in the forms of the HTTP interface (times as RFC 3339 in
//! `Z`, flags as true and false, metadata as the JSON that it is).

use crate::failure::Failure;
use crate::resp::Value;
use crate::units::Moment;
use clap::Args;
use std::fmt::Write as _;

/// Of every command that reads.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a name says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Plain,
    Time,
    Flag,
    Json,
}

fn meaning(name: &str) -> Meaning {
    match name {
        "expires_at" | "created_at" | "needed_until" => Meaning::Time,
        "replayed" | "tombstone" => Meaning::Flag,
        "metadata" => Meaning::Json,
        _ => Meaning::Plain,
    }
}

/// Prints a reply; an error reply becomes the failure that it stands for, null what `absent` says.
pub(crate) fn answer(value: &Value, form: Form, absent: impl FnOnce() -> String) -> Result<(), Failure> {
    match (value, form.json) {
        (Value::Error(text), json) => {
            let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
            if json {
                say(&serde_json::json!({ "code": code, "detail": detail }).to_string())?;
            }
            Err(refused(code, text))
        }
        (Value::Null, json) => {
            if json {
                say("null")?;
            }
            Err(Failure::No(absent()))
        }
        (Value::Integer(n), true) => say(&serde_json::json!({ "available": n }).to_string()),
        (value, true) => say(&json(value)),
        (value, false) => say(text(value).trim_end()),
    }
}

/// Errors that say something of the connection or of the server are no answers to the command.
fn refused(code: &str, text: &str) -> Failure {
    match code {
        "LOADING" => Failure::Unreachable(text.to_owned()),
        "ERR" | "NOAUTH" | "NOPERM" | "WRONGPASS" | "NOPROTO" => Failure::Other(anyhow::anyhow!("{text}")),
        _ => Failure::No(text.to_owned()),
    }
}

/// Prints a line. A reader that has gone (`| head`) is no failure.
pub(crate) fn say(line: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}

pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value, Meaning::Plain);
    out
}

fn write_json(out: &mut String, value: &Value, meaning: Meaning) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Integer(n) => match (meaning, u64::try_from(*n)) {
            (Meaning::Time, Ok(ms)) => out.push_str(&format!("\"{}\"", Moment(ms))),
            (Meaning::Flag, _) => out.push_str(if *n == 0 { "false" } else { "true" }),
            (Meaning::Plain | Meaning::Time | Meaning::Json, _) => out.push_str(&n.to_string()),
        },
        Value::Text(text) if meaning == Meaning::Json => out.push_str(text),
        Value::Text(text) | Value::Error(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Value::Array(parts) => {
            out.push('[');
            for (n, part) in parts.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                write_json(out, part, Meaning::Plain);
            }
            out.push(']');
        }
        Value::Map(pairs) => {
            out.push('{');
            for (n, (name, value)) in pairs.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                out.push(':');
                write_json(out, value, self::meaning(name));
            }
            out.push('}');
        }
    }
}

pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    write_text(&mut out, value, Meaning::Plain, 0);
    out
}

fn write_text(out: &mut String, value: &Value, meaning: Meaning, indent: usize) {
    match value {
        Value::Null => out.push_str("-\n"),
        Value::Integer(n) => match (meaning, u64::try_from(*n)) {
            (Meaning::Time, Ok(ms)) => out.push_str(&format!("{}\n", Moment(ms))),
            (Meaning::Flag, _) => out.push_str(if *n == 0 { "no\n" } else { "yes\n" }),
            (Meaning::Plain | Meaning::Time | Meaning::Json, _) => out.push_str(&format!("{n}\n")),
        },
        Value::Text(text) | Value::Error(text) => out.push_str(&format!("{text}\n")),
        Value::Array(parts) if parts.is_empty() => out.push_str("-\n"),
        Value::Array(parts) => {
            out.push('\n');
            for part in parts {
                let _ = write!(out, "{:indent$}- ", "", indent = indent.saturating_sub(2));
                let before = out.len();
                write_text(out, part, Meaning::Plain, indent);
                // The first name of a row stands beside its dash.
                let pad = out[before..].len() - out[before..].trim_start_matches(' ').len();
                out.replace_range(before..before + pad, "");
            }
        }
        Value::Map(pairs) => {
            let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in pairs {
                let _ = write!(out, "{:indent$}{name:width$}  ", "");
                if matches!(value, Value::Map(_)) {
                    out.push('\n');
                }
                write_text(out, value, self::meaning(name), indent + 4);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Value {
        let pair = |name: &str, value| (name.to_owned(), value);
        let row = Value::Map(vec![pair("lot", Value::Null), pair("quantity", Value::Integer(2))]);
        Value::Map(vec![
            pair("id", Value::Text("r\"1".to_owned())),
            pair("tombstone", Value::Integer(0)),
            pair("expires_at", Value::Integer(1_777_604_400_500)),
            pair("needed_until", Value::Null),
            pair("metadata", Value::Text("{\"a\":1}".to_owned())),
            pair("limit", Value::Map(vec![pair("quantity", Value::Integer(2))])),
            pair("taken", Value::Array(vec![row.clone(), row])),
        ])
    }

    #[test]
    fn json_has_the_forms_of_http() {
        let expected = r#"{"id":"r\"1","tombstone":false,"expires_at":"2026-05-01T03:00:00.500Z","needed_until":null,"metadata":{"a":1},"limit":{"quantity":2},"taken":[{"lot":null,"quantity":2},{"lot":null,"quantity":2}]}"#;
        assert_eq!(json(&record()), expected);
    }

    #[test]
    fn text_is_a_name_and_a_value_a_line() {
        let expected = "id            r\"1\ntombstone     no\nexpires_at    2026-05-01T03:00:00.500Z\nneeded_until  -\n\
                        metadata      {\"a\":1}\nlimit         \n    quantity  2\ntaken         \n  - lot       -\n    quantity  2\n  - lot       -\n    quantity  2\n";
        assert_eq!(text(&record()), expected);
    }
}
