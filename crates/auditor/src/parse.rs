//! Commands from one line of text, as `OwnedCommand` prints them.

use crate::owned::{OwnedCommand, OwnedLine, PartVerb};
use std::fmt;
use std::iter::Peekable;
use std::str::FromStr;
use std::vec::IntoIter;
use sumun_wire::{Allocation, Kind, Limit, Timestamp};

/// The text is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadText(pub String);

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a command: {}", self.0)
    }
}

impl std::error::Error for BadText {}

type Words = Peekable<IntoIter<String>>;

impl FromStr for OwnedCommand {
    type Err = BadText;

    fn from_str(text: &str) -> Result<OwnedCommand, BadText> {
        let mut words = split(text).into_iter().peekable();
        let verb = word(&mut words)?;
        let command = match verb.as_str() {
            "CONFIGURE" => configure(&mut words)?,
            "REMOVE" => OwnedCommand::Remove { sku: word(&mut words)? },
            "RECEIVE" => {
                let (sku, quantity) = (word(&mut words)?, number(&mut words)?);
                let movement = option(&mut words, "ID")?;
                let lot = option(&mut words, "LOT")?;
                let expires_at = time(&mut words, "EXPIRES")?;
                OwnedCommand::Receive { sku, quantity, movement, lot, expires_at, location: option(&mut words, "AT")? }
            }
            "ADJUST" => {
                let (sku, delta) = (word(&mut words)?, number(&mut words)?);
                let reason = option(&mut words, "REASON")?.ok_or_else(|| BadText("a reason is missing".into()))?;
                let movement = option(&mut words, "ID")?;
                OwnedCommand::Adjust { sku, delta, reason, movement, lot: option(&mut words, "LOT")? }
            }
            "RESERVE" => reserve(&mut words)?,
            "CAPTURE" => part(PartVerb::Capture, &mut words)?,
            "RELEASE" => part(PartVerb::Release, &mut words)?,
            "RETURN" => part(PartVerb::Return, &mut words)?,
            "EXTEND" => OwnedCommand::Extend { reservation: word(&mut words)?, ttl_ms: number(&mut words)? },
            "RESERVATION" => OwnedCommand::Reservation { id: word(&mut words)? },
            "ITEM" => OwnedCommand::Item { sku: word(&mut words)? },
            "HOLDER" => OwnedCommand::Holder { sku: word(&mut words)?, holder: word(&mut words)? },
            other => return Err(BadText(format!("unknown verb `{other}`"))),
        };
        match words.next() {
            Some(more) => Err(BadText(format!("`{more}` is too much in `{text}`"))),
            None => Ok(command),
        }
    }
}

/// Words at white space, those in quotes with their escapes undone.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_whitespace() {
            continue;
        }
        let mut one = String::new();
        if c != '"' {
            one.push(c);
            while let Some(c) = chars.next_if(|c| !c.is_ascii_whitespace()) {
                one.push(c);
            }
            words.push(one);
            continue;
        }
        while let Some(c) = chars.next().filter(|c| *c != '"') {
            if c != '\\' {
                one.push(c);
                continue;
            }
            match chars.next() {
                Some('n') => one.push('\n'),
                Some('r') => one.push('\r'),
                Some('t') => one.push('\t'),
                Some('u') => {
                    let hex: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    one.extend(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32));
                }
                Some(other) => one.push(other),
                None => {}
            }
        }
        words.push(one);
    }
    words
}

fn word(words: &mut Words) -> Result<String, BadText> {
    words.next().ok_or_else(|| BadText("a word is missing".into()))
}

fn number<T: FromStr>(words: &mut Words) -> Result<T, BadText> {
    let text = word(words)?;
    text.parse().map_err(|_| BadText(format!("`{text}` is no number")))
}

fn flag(words: &mut Words, name: &str) -> bool {
    words.next_if(|word| word == name).is_some()
}

fn option(words: &mut Words, name: &str) -> Result<Option<String>, BadText> {
    if flag(words, name) { word(words).map(Some) } else { Ok(None) }
}

fn figure(words: &mut Words, name: &str) -> Result<Option<u64>, BadText> {
    if flag(words, name) { number(words).map(Some) } else { Ok(None) }
}

fn time(words: &mut Words, name: &str) -> Result<Option<Timestamp>, BadText> {
    Ok(figure(words, name)?.map(Timestamp))
}

fn configure(words: &mut Words) -> Result<OwnedCommand, BadText> {
    let sku = word(words)?;
    let kind = match option(words, "KIND")?.as_deref() {
        None => None,
        Some("points") => Some(Kind::Points),
        Some(_) => Some(Kind::Stock),
    };
    let safety_stock = figure(words, "SAFETY")?.unwrap_or(0);
    let backorder_limit = figure(words, "BACKORDER")?.unwrap_or(0);
    let limit = match figure(words, "LIMIT")? {
        Some(quantity) => Some(Limit { quantity, window_ms: figure(words, "WINDOW")? }),
        None => None,
    };
    let fifo = option(words, "ALLOCATION")?.as_deref() == Some("fifo");
    let allocation = if fifo { Allocation::Fifo } else { Allocation::Fefo };
    let metadata = option(words, "METADATA")?;
    Ok(OwnedCommand::Configure { sku, kind, safety_stock, backorder_limit, limit, allocation, metadata })
}

fn reserve(words: &mut Words) -> Result<OwnedCommand, BadText> {
    let reservation = word(words)?;
    let ttl_ms = if flag(words, "-") { None } else { Some(number(words)?) };
    let mut lines: Vec<OwnedLine> = Vec::new();
    for _ in 0..number::<u64>(words)? {
        lines.push(OwnedLine { sku: word(words)?, quantity: number(words)?, lot: None, location: None });
    }
    let holder = option(words, "FOR")?;
    let needed_until = time(words, "UNTIL")?;
    while words.peek().is_some_and(|word| word == "LOT" || word == "AT") {
        let lot = word(words)? == "LOT";
        let (l, name) = (number::<usize>(words)?, word(words)?);
        let line = lines.get_mut(l.wrapping_sub(1)).ok_or_else(|| BadText(format!("there is no line {l}")))?;
        if lot { line.lot = Some(name) } else { line.location = Some(name) }
    }
    let capture = flag(words, "CAPTURE");
    Ok(OwnedCommand::Reserve { reservation, ttl_ms, lines, holder, needed_until, capture })
}

fn part(verb: PartVerb, words: &mut Words) -> Result<OwnedCommand, BadText> {
    let reservation = word(words)?;
    let whole = words.peek().is_none_or(|word| word == "ID");
    let mut lines = Vec::new();
    if !whole {
        for _ in 0..number::<u64>(words)? {
            lines.push((word(words)?, number(words)?));
        }
    }
    let id = option(words, "ID")?;
    Ok(OwnedCommand::Part { verb, reservation, id, lines: (!whole).then_some(lines) })
}
