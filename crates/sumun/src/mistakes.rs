//! Mistakes of a configuration file: every one, with line, column, key, and what was probably meant.
//! What `serve` says of a file and what `config check` says are the same. Never here: where the file is read from.

use crate::caps::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, STORE_DELAY_MS_MAX};
use crate::config;
use crate::nearest::nearest;
use crate::operator::{Format, Level};
use crate::units::{Bytes, Millis, Ratio, UnitError};
use clap::ValueEnum;
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) key: Option<String>,
    pub(crate) message: String,
    /// What stands in its place when it is mended.
    pub(crate) suggestion: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { line, column, key, message, suggestion } = self;
        write!(f, "{line}:{column}: ")?;
        if let Some(key) = key.as_ref().filter(|key| !message.contains(&format!("`{key}`"))) {
            write!(f, "`{key}`: ")?;
        }
        write!(f, "{message}")?;
        suggestion.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean `{meant}`?"))
    }
}

/// What a key takes.
#[derive(Clone, Copy)]
enum Takes {
    /// A text of some kind, which something else reads.
    Text {
        kind: &'static str,
        check: fn(&str) -> Result<(), Why>,
    },
    Address,
    AddressOrNone,
    Names,
    Flag,
    Clients,
    /// Durations, at least 1 ms or none at all, at most so many.
    Duration {
        least: u64,
        most: u64,
        empty: bool,
    },
    Size {
        least: u64,
        most: u64,
        empty: bool,
    },
}

const fn duration(least: u64, most: u64, empty: bool) -> Takes {
    Takes::Duration { least, most, empty }
}
const fn size(least: u64, most: u64, empty: bool) -> Takes {
    Takes::Size { least, most, empty }
}

const KEYS: [(&str, Takes); 17] = [
    ("data", Takes::Text { kind: "a directory in quotes", check: directory }),
    ("resp", Takes::Address),
    ("http", Takes::AddressOrNone),
    ("http_hosts", Takes::Names),
    ("expose", Takes::Flag),
    ("memory", size(1, u64::MAX, true)),
    ("retention", duration(1, u64::MAX, false)),
    ("log_retention", duration(1, u64::MAX, true)),
    ("store_delay", duration(0, STORE_DELAY_MS_MAX, false)),
    ("accept_clock", Takes::Flag),
    ("grace", duration(0, u64::MAX, false)),
    ("max_clients", Takes::Clients),
    ("segment", size(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX, false)),
    ("log_format", Takes::Text { kind: "a word in quotes, as in \"json\"", check: one_of::<Format> }),
    ("log_level", Takes::Text { kind: "a word in quotes, as in \"warn\"", check: one_of::<Level> }),
    ("otlp", Takes::Text { kind: "an address in quotes, as in \"http://127.0.0.1:4318\"", check: collector }),
    ("trace_ratio", Takes::Text { kind: "a number in quotes, as in \"0.01\"", check: ratio }),
];

pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(name, _)| *name)
}

/// A file's mistakes, and where its keys stand.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) mistakes: Vec<Mistake>,
    places: Vec<(&'static str, usize, usize)>,
    /// Of the keys that are right: what they say.
    said: Vec<(&'static str, String)>,
}

/// Of a mistake: its message, and what was meant.
type Why = (String, Option<String>);

pub(crate) fn look(text: &str) -> Looked {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Mistake> = errors.iter().map(|error| unreadable(text, error)).collect();
    // What follows from the first on a line says no more than that.
    mistakes.sort();
    mistakes.dedup_by_key(|mistake| mistake.line);
    let (mut places, mut said) = (Vec::new(), Vec::new());
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        let Some((known, takes)) = KEYS.iter().find(|(known, _)| *known == name) else {
            let (message, suggestion) = unknown(name, value.get_ref());
            mistakes.push(at(text, key.span(), Some(name), message, suggestion));
            continue;
        };
        let (line, column) = place(text, key.span().start);
        places.push((*known, line, column));
        let checked = takes.check(value);
        if checked.is_ok() {
            let text = value.get_ref().as_str().map(str::to_owned);
            said.push((*known, text.unwrap_or_else(|| (value.get_ref().as_bool() == Some(true)).to_string())));
        }
        if let Err((message, suggestion)) = checked {
            // A value of several lines, or none, is found by its key.
            let span = if value.span().is_empty() { key.span() } else { value.span() };
            // What the parser could not read has been said already.
            let (line, _) = place(text, span.start);
            if !mistakes.iter().any(|other| other.line == line && other.key.as_deref() == Some(known)) {
                mistakes.push(at(text, span, Some(known), message, suggestion));
            }
        }
    }
    mistakes.sort();
    mistakes.dedup();
    Looked { mistakes, places, said }
}

impl Looked {
    /// What a key says, when it is there and right.
    pub(crate) fn said(&self, key: &str) -> Option<&str> {
        self.said.iter().find(|(name, _)| *name == key).map(|(_, text)| text.as_str())
    }

    /// What contradicts itself, where the file says one of it.
    pub(crate) fn contradicted(&mut self, contradictions: Vec<Contradiction>) {
        for Contradiction { keys, message } in contradictions {
            let found = keys.iter().find_map(|key| self.places.iter().find(|(name, ..)| name == key));
            let (key, line, column) = found.copied().unwrap_or((keys[0], 1, 1));
            self.mistakes.push(Mistake { line, column, key: Some(key.to_owned()), message, suggestion: None });
        }
        self.mistakes.sort();
    }
}

/// Keys that do not go together; the first is the one to change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    keys: [&'static str; 2],
    pub(crate) message: String,
}

pub(crate) fn contradictions(
    resp: SocketAddr,
    http: Option<SocketAddr>,
    hosts: &[String],
    expose: bool,
) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let addresses = [("resp", Some(resp)), ("http", http)];
    for (key, address) in addresses.into_iter().filter_map(|(key, address)| Some((key, address?))) {
        if !address.ip().is_loopback() && !expose {
            let message = format!(
                "`{key}` is {address}, which others can reach, and there are no keys yet: whoever reaches it may do \
                 everything. Use an address of loopback, or `expose = true` (--expose) if the network keeps others away"
            );
            found.push(Contradiction { keys: [key, "expose"], message });
        }
    }
    if let Some(http) = http.filter(|http| *http == resp && http.port() != 0) {
        let message = format!("`http` and `resp` are both {http}: each needs a port of its own");
        found.push(Contradiction { keys: ["http", "resp"], message });
    }
    if http.is_none() && !hosts.is_empty() {
        let message = "`http_hosts` names hosts, and `http` is `-`: HTTP is not served".to_owned();
        found.push(Contradiction { keys: ["http_hosts", "http"], message });
    }
    found
}

fn unreadable(text: &str, error: &toml::de::Error) -> Mistake {
    let span = error.span().unwrap_or(0..0);
    let line = text[..floor(text, span.start)].matches('\n').count();
    let stands = text.lines().nth(line).unwrap_or_default();
    let key = stands.split('=').next().unwrap_or_default().trim();
    let known = keys().find(|known| *known == key);
    let message = error.message().split('\n').collect::<Vec<_>>().join(", ");
    let value = stands.split_once('=').map(|(_, value)| value.split('#').next().unwrap_or_default().trim());
    let quoted = value.filter(|value| !value.is_empty() && !value.contains(['"', '\'', '=']));
    let is_text = known.is_some_and(|key| !["expose", "accept_clock", "max_clients"].contains(&key));
    let suggestion = quoted.filter(|_| is_text).map(|value| format!("\"{value}\""));
    at(text, span, known, message, suggestion)
}

fn at(text: &str, span: Range<usize>, key: Option<&str>, message: String, suggestion: Option<String>) -> Mistake {
    let (line, column) = place(text, span.start);
    Mistake { line, column, key: key.map(str::to_owned), message, suggestion }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Line and column, from 1, the column in characters.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..floor(text, at)];
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
}

fn unknown(name: &str, value: &DeValue<'_>) -> Why {
    if let DeValue::Table(table) = value {
        let inner: Vec<&str> = table.keys().map(|key| &**key.get_ref()).collect();
        let joined = inner.first().map(|first| format!("{name}_{first}"));
        let meant = joined.as_deref().and_then(|joined| keys().find(|known| *known == joined));
        let meant = meant.or_else(|| inner.iter().find_map(|inner| keys().find(|known| known == inner)));
        let message = format!("unknown table `{name}`: all keys stand at the top of the file, without `[…]`");
        return (message, meant.map(str::to_owned));
    }
    let list = match nearest(name, keys()) {
        Some(near) => return (format!("unknown key `{name}`"), Some(near.to_owned())),
        None => keys().collect::<Vec<_>>().join(", "),
    };
    (format!("unknown key `{name}`; the keys are {list}"), None)
}

impl Takes {
    fn check(self, value: &Spanned<DeValue<'_>>) -> Result<(), Why> {
        let value = value.get_ref();
        match self {
            Takes::Flag if matches!(value, DeValue::Boolean(_)) => Ok(()),
            Takes::Flag => Err((wanted("true or false, without quotes", value), flag(value))),
            Takes::Clients => clients(value),
            Takes::Text { kind, check } => check(text(value, kind)?),
            Takes::Address => address("resp", text(value, "an address in quotes, as in \"127.0.0.1:6380\"")?),
            Takes::AddressOrNone => {
                let none = matches!(value, DeValue::Boolean(false)).then(|| "\"-\"".to_owned());
                let kind = "an address in quotes, as in \"127.0.0.1:7080\", or \"-\" for none";
                let text = text(value, kind).map_err(|(message, _)| (message, none))?;
                if text == "-" { Ok(()) } else { address("http", text) }
            }
            Takes::Names => {
                let kind = "names in one text, separated by commas";
                if let DeValue::Array(names) = value {
                    let names: Vec<&str> = names.iter().filter_map(|name| name.get_ref().as_str()).collect();
                    return Err((wanted(kind, value), Some(format!("\"{}\"", names.join(",")))));
                }
                let text = text(value, kind)?;
                config::hosts(text).map(drop).map_err(|failure| {
                    let meant = text.split(',').map(|name| name.trim().split(':').next().unwrap_or_default());
                    let meant = meant.collect::<Vec<_>>().join(",");
                    let is_good = meant != text && config::hosts(&meant).is_ok_and(|names| !names.is_empty());
                    (failure.to_string(), is_good.then(|| format!("\"{meant}\"")))
                })
            }
            Takes::Duration { least, most, empty } => {
                let text = text(value, "a duration in quotes, as in \"90s\" or \"7d\"")?;
                if empty && text.is_empty() {
                    return Ok(());
                }
                let Millis(ms) = text.parse().map_err(|error: UnitError| mended(&error, text, DURATIONS))?;
                range(Millis(ms).to_string(), ms, (least, most), |ms| Millis(ms).to_string())
            }
            Takes::Size { least, most, empty } => {
                let text = text(value, "a size in quotes, as in \"512MiB\"")?;
                if empty && text.is_empty() {
                    return Ok(());
                }
                let Bytes(bytes) = text.parse().map_err(|error: UnitError| mended(&error, text, SIZES))?;
                range(Bytes(bytes).to_string(), bytes, (least, most), |bytes| Bytes(bytes).to_string())
            }
        }
    }
}

fn directory(text: &str) -> Result<(), Why> {
    if text.is_empty() { Err(("a directory is missing".to_owned(), None)) } else { Ok(()) }
}

fn one_of<T: ValueEnum>(text: &str) -> Result<(), Why> {
    if T::from_str(text, false).is_ok() {
        return Ok(());
    }
    let words: Vec<String> =
        T::value_variants().iter().filter_map(T::to_possible_value).map(|word| word.get_name().to_owned()).collect();
    let near = nearest(text, words.iter().map(String::as_str)).map(|word| format!("\"{word}\""));
    Err((format!("must be one of {}", words.join(", ")), near))
}

/// Empty and `-` are words of their own.
fn collector(text: &str) -> Result<(), Why> {
    if ["", "-"].contains(&text) {
        return Ok(());
    }
    text.parse().map(|_: sumun_trace::Endpoint| ()).map_err(|error| (error.to_string(), None))
}

fn ratio(text: &str) -> Result<(), Why> {
    if text.is_empty() {
        return Ok(());
    }
    text.parse().map(|_: Ratio| ()).map_err(|error: UnitError| (error.to_string(), None))
}

fn wanted(kind: &str, found: &DeValue<'_>) -> String {
    let said = match found {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("must be {kind}, and is {said}")
}

fn text<'a>(value: &'a DeValue<'_>, kind: &str) -> Result<&'a str, Why> {
    value.as_str().ok_or_else(|| (wanted(kind, value), None))
}

fn flag(value: &DeValue<'_>) -> Option<String> {
    let word = if let DeValue::Integer(number) = value { number.as_str() } else { value.as_str()? }.to_lowercase();
    match word.as_str() {
        "true" | "yes" | "on" | "1" => Some("true".to_owned()),
        "false" | "no" | "off" | "0" => Some("false".to_owned()),
        _ => None,
    }
}

fn clients(value: &DeValue<'_>) -> Result<(), Why> {
    let kind = "a whole number without quotes, 1 to 4294967295";
    let DeValue::Integer(number) = value else {
        let digits = value.as_str().map(|text| text.replace(['_', ',', ' '], ""));
        return Err((wanted(kind, value), digits.filter(|digits| digits.parse::<u32>().is_ok_and(|n| n > 0))));
    };
    let parsed = u32::from_str_radix(&number.as_str().replace('_', ""), number.radix());
    match parsed {
        Ok(0) | Err(_) => Err((format!("must be more than 0, {kind}, not {}", number.as_str()), None)),
        Ok(_) => Ok(()),
    }
}

fn address(name: &str, text: &str) -> Result<(), Why> {
    config::address(name, text).map(drop).map_err(|failure| {
        let port = if name == "http" { 7080 } else { 6380 };
        let meant = match text {
            _ if text.parse::<u16>().is_ok() => Some(format!("127.0.0.1:{text}")),
            _ if text.starts_with(':') && text[1..].parse::<u16>().is_ok() => Some(format!("127.0.0.1{text}")),
            _ if text.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_ipv4()) => Some(format!("{text}:{port}")),
            _ if text.parse::<std::net::IpAddr>().is_ok() => Some(format!("[{text}]:{port}")),
            "localhost" => Some(format!("127.0.0.1:{port}")),
            _ => text.split_once("://").map(|(_, rest)| rest.trim_end_matches('/').to_owned()),
        };
        (failure.to_string(), meant.map(|meant| format!("\"{meant}\"")))
    })
}

fn range(found: String, value: u64, (least, most): (u64, u64), said: impl Fn(u64) -> String) -> Result<(), Why> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let message = match (least, most) {
        (1, u64::MAX) => "must be more than 0".to_owned(),
        (0, most) => format!("must be at most {}, not {found}", said(most)),
        (least, most) => format!("must be {} to {}, not {found}", said(least), said(most)),
    };
    Err((message, None))
}

/// How people write units: each with the one that is taken, and how many of it that are.
type Units = &'static [(&'static [&'static str], &'static str, u64)];

const DURATIONS: Units = &[
    (&["msec", "msecs", "milli", "millis", "millisecond", "milliseconds", "ms"], "ms", 1),
    (&["sec", "secs", "second", "seconds", "s"], "s", 1),
    (&["min", "mins", "minute", "minutes", "m"], "m", 1),
    (&["hr", "hrs", "hour", "hours", "h"], "h", 1),
    (&["day", "days", "d"], "d", 1),
    (&["w", "wk", "week", "weeks"], "d", 7),
    (&["y", "year", "years"], "d", 365),
];
const SIZES: Units = &[
    (&["byte", "bytes", "b"], "B", 1),
    (&["k", "kb", "kib"], "KiB", 1),
    (&["m", "mb", "mib"], "MiB", 1),
    (&["g", "gb", "gib"], "GiB", 1),
    (&["t", "tb", "tib"], "TiB", 1),
];

/// What is wrong, and the same in units that are taken.
fn mended(error: &UnitError, text: &str, units: Units) -> Why {
    let plain: String = text.to_lowercase().chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
    let (number, unit) = plain.split_at(plain.bytes().take_while(u8::is_ascii_digit).count());
    let known = units.iter().find(|(names, ..)| names.contains(&unit));
    let meant = known.and_then(|(_, unit, times)| {
        let number = number.parse::<u64>().ok()?.checked_mul(*times)?;
        Some(format!("\"{number}{unit}\"")).filter(|meant| *meant != format!("\"{text}\""))
    });
    (format!("{error}, not `{text}`"), meant)
}
