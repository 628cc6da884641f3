//! Requests to commands of the ledger: the words of API.md's table, in its order, options in any order and any case.
//!
//! Too few words to read are a wrong number of arguments, as in Redis. Everything else that is wrong is
//! `INVALID field: why`, and what only the core can judge (names, ranges, what fits together) is left to it.
//!
//! Cost: no copy and, up to two lines, no allocation; one pass over the words, UTF-8 checked once a name.

use crate::resp::json;
use crate::resp::parse::Args;
use crate::resp::table::Verb;
use sumun_wire::limits::LINES_MAX;
use sumun_wire::{
    Adjust, Allocation, Command, Configure, Extend, Invalid, Kind, Limit, Line, Lines, Part, PartLine, PartLines,
    Receive, Reserve, Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read<'a> {
    pub command: Command<'a>,
    /// Whether the movement's id is `*`: then `with_fresh_id` must give it one.
    pub wants_fresh_id: bool,
    /// Whether a movement's answer shall say if it was a replay (`WITHREPLAYED`).
    pub tells_replay: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    TooFew,
    Invalid(Invalid),
}

type Result<T> = std::result::Result<T, Refused>;

const fn invalid<T>(field: &'static str, why: &'static str) -> Result<T> {
    Err(Refused::Invalid(Invalid { field, why }))
}

/// Reads `args`, whose first is the name that `verb` was found by.
pub fn read<'a>(verb: Verb, args: Args<'a>) -> Result<Read<'a>> {
    let mut words = Words { args, next: 1 };
    let (mut wants_fresh_id, mut tells_replay) = (false, None);
    let command = match verb {
        Verb::Configure => Command::Configure(configure(&mut words)?),
        Verb::Receive => Command::Receive(receive(&mut words, &mut wants_fresh_id, &mut tells_replay)?),
        Verb::Adjust => Command::Adjust(adjust(&mut words, &mut wants_fresh_id, &mut tells_replay)?),
        Verb::Reserve => Command::Reserve(reserve(&mut words)?),
        Verb::Capture => Command::Capture(part(&mut words)?),
        Verb::Release => Command::Release(part(&mut words)?),
        Verb::Return => Command::Return(part(&mut words)?),
        Verb::Extend => {
            words.need(2)?;
            Command::Extend(Extend { reservation: words.id("reservation")?, ttl_ms: words.unsigned("ttl_ms")? })
        }
        Verb::Reservation => Command::Reservation { id: words.id("reservation")? },
        Verb::Item => Command::Item { sku: words.name("sku")? },
    };
    if words.option().is_some() {
        return invalid("arguments", "there are words behind the last one");
    }
    Ok(Read { command, wants_fresh_id, tells_replay: tells_replay.is_some() })
}

impl<'a> Read<'a> {
    /// The command, its movement's id replaced when it asked for a fresh one.
    pub fn with_fresh_id(mut self, id: &'a str) -> Command<'a> {
        if self.wants_fresh_id
            && let Command::Receive(Receive { movement, .. }) | Command::Adjust(Adjust { movement, .. }) =
                &mut self.command
        {
            *movement = Some(id);
        }
        self.command
    }
}

fn configure<'a>(words: &mut Words<'a>) -> Result<Configure<'a>> {
    let sku = words.name("sku")?;
    let (mut kind, mut safety, mut backorder) = (None, None, None);
    let (mut limit, mut window, mut allocation, mut metadata) = (None, None, None, None);
    while let Some(word) = words.option() {
        if is(word, "KIND") {
            once(&mut kind, words.kind()?, "kind")?;
        } else if is(word, "SAFETY") {
            once(&mut safety, words.unsigned("safety_stock")?, "safety_stock")?;
        } else if is(word, "BACKORDER") {
            once(&mut backorder, words.unsigned("backorder_limit")?, "backorder_limit")?;
        } else if is(word, "LIMIT") {
            once(&mut limit, words.unsigned("limit")?, "limit")?;
        } else if is(word, "WINDOW") {
            once(&mut window, words.unsigned("window_ms")?, "window_ms")?;
        } else if is(word, "ALLOCATION") {
            once(&mut allocation, words.allocation()?, "allocation")?;
        } else if is(word, "METADATA") {
            once(&mut metadata, words.metadata()?, "metadata")?;
        } else {
            return unknown();
        }
    }
    let limit = match (limit, window) {
        (Some(quantity), window_ms) => Some(Limit { quantity, window_ms }),
        (None, None) => None,
        (None, Some(_)) => return invalid("window_ms", "needs a limit"),
    };
    Ok(Configure {
        sku,
        kind,
        safety_stock: safety.unwrap_or_default(),
        backorder_limit: backorder.unwrap_or_default(),
        limit,
        allocation: allocation.unwrap_or_default(),
        metadata,
    })
}

fn receive<'a>(words: &mut Words<'a>, fresh: &mut bool, tells: &mut Option<()>) -> Result<Receive<'a>> {
    words.need(2)?;
    let mut receive = Receive { sku: words.name("sku")?, quantity: words.unsigned("quantity")?, ..Receive::default() };
    while let Some(word) = words.option() {
        if is(word, "ID") {
            once(&mut receive.movement, words.movement(fresh)?, "id")?;
        } else if is(word, "LOT") {
            once(&mut receive.lot, words.name("lot")?, "lot")?;
        } else if is(word, "EXPIRES") {
            once(&mut receive.expires_at, Timestamp(words.unsigned("expires_at")?), "expires_at")?;
        } else if is(word, "AT") {
            once(&mut receive.location, words.name("location")?, "location")?;
        } else if is(word, "WITHREPLAYED") {
            once(tells, (), "option")?;
        } else {
            return unknown();
        }
    }
    Ok(receive)
}

fn adjust<'a>(words: &mut Words<'a>, fresh: &mut bool, tells: &mut Option<()>) -> Result<Adjust<'a>> {
    words.need(2)?;
    let (sku, delta) = (words.name("sku")?, words.signed("delta")?);
    let (mut reason, mut movement, mut lot) = (None, None, None);
    while let Some(word) = words.option() {
        if is(word, "REASON") {
            once(&mut reason, words.name("reason")?, "reason")?;
        } else if is(word, "ID") {
            once(&mut movement, words.movement(fresh)?, "id")?;
        } else if is(word, "LOT") {
            once(&mut lot, words.name("lot")?, "lot")?;
        } else if is(word, "WITHREPLAYED") {
            once(tells, (), "option")?;
        } else {
            return unknown();
        }
    }
    let Some(reason) = reason else {
        return invalid("reason", "is missing");
    };
    Ok(Adjust { sku, delta, reason, movement, lot })
}

fn reserve<'a>(words: &mut Words<'a>) -> Result<Reserve<'a>> {
    words.need(3)?;
    let (reservation, ttl_ms) = (words.id("reservation")?, words.unsigned("ttl_ms")?);
    let count = words.count()?;
    let mut lines = Lines::new();
    for _ in 0..count {
        let (sku, quantity) = (words.name("sku")?, words.unsigned("quantity")?);
        lines.push(Line { sku, quantity, lot: None, location: None });
    }
    let (mut holder, mut needed_until, mut capture) = (None, None, None);
    while let Some(word) = words.option() {
        if is(word, "FOR") {
            once(&mut holder, words.name("holder")?, "holder")?;
        } else if is(word, "UNTIL") {
            once(&mut needed_until, Timestamp(words.unsigned("needed_until")?), "needed_until")?;
        } else if is(word, "CAPTURE") {
            once(&mut capture, (), "capture")?;
        } else if is(word, "LOT") {
            places(words, &mut lines, |line| &mut line.lot, "lot")?;
        } else if is(word, "AT") {
            places(words, &mut lines, |line| &mut line.location, "location")?;
        } else {
            return unknown();
        }
    }
    Ok(Reserve { reservation, ttl_ms: Some(ttl_ms), lines, holder, needed_until, capture: capture.is_some() })
}

/// `line name [line name …]`. An option word never looks like a line's number, so the pairs end where none follows.
fn places<'a>(
    words: &mut Words<'a>,
    lines: &mut Lines<'a>,
    place: impl for<'l> Fn(&'l mut Line<'a>) -> &'l mut Option<&'a str>,
    field: &'static str,
) -> Result<()> {
    loop {
        let number = words.unsigned("line")?;
        let name = words.name(field)?;
        let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let Some(line) = index.and_then(|index| lines.get_mut(index)) else {
            return invalid("line", "there is no line of that number, counted from 1");
        };
        once(place(line), name, field)?;
        if !words.peek().is_some_and(|word| word.first().is_some_and(u8::is_ascii_digit)) {
            return Ok(());
        }
    }
}

fn part<'a>(words: &mut Words<'a>) -> Result<Part<'a>> {
    let mut part = Part { reservation: words.id("reservation")?, ..Part::default() };
    if words.peek().is_some_and(|word| word.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')) {
        let count = words.count()?;
        let mut lines = PartLines::new();
        for _ in 0..count {
            lines.push(PartLine { sku: words.name("sku")?, quantity: words.unsigned("quantity")? });
        }
        part.lines = Some(lines);
    }
    while let Some(word) = words.option() {
        if is(word, "ID") {
            once(&mut part.id, words.id("id")?, "id")?;
        } else {
            return unknown();
        }
    }
    Ok(part)
}

const fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

const fn unknown<T>() -> Result<T> {
    invalid("option", "is not one of this command")
}

fn once<T>(slot: &mut Option<T>, value: T, field: &'static str) -> Result<()> {
    if slot.is_some() {
        return invalid(field, "is given twice");
    }
    *slot = Some(value);
    Ok(())
}

/// The words of a request, one after the other.
struct Words<'a> {
    args: Args<'a>,
    next: usize,
}

impl<'a> Words<'a> {
    /// That so many are still there, before the first of them is judged.
    fn need(&self, words: usize) -> Result<()> {
        if self.args.len() < self.next + words { Err(Refused::TooFew) } else { Ok(()) }
    }

    fn peek(&self) -> Option<&'a [u8]> {
        self.args.get(self.next)
    }

    fn option(&mut self) -> Option<&'a [u8]> {
        let word = self.peek()?;
        self.next += 1;
        Some(word)
    }

    fn word(&mut self) -> Result<&'a [u8]> {
        self.option().ok_or(Refused::TooFew)
    }

    fn name(&mut self, field: &'static str) -> Result<&'a str> {
        match std::str::from_utf8(self.word()?) {
            Ok(name) => Ok(name),
            Err(_) => invalid(field, "must be UTF-8"),
        }
    }

    /// An id: `*` asks for a fresh one elsewhere and is none itself.
    fn id(&mut self, field: &'static str) -> Result<&'a str> {
        match self.name(field)? {
            "*" => invalid(field, "must not be `*`"),
            id => Ok(id),
        }
    }

    fn movement(&mut self, wants_fresh: &mut bool) -> Result<&'a str> {
        let id = self.name("id")?;
        *wants_fresh = id == "*";
        Ok(id)
    }

    fn unsigned(&mut self, field: &'static str) -> Result<u64> {
        match plain(self.word()?) {
            Some((false, value)) => Ok(value),
            Some((true, _)) => invalid(field, "must not be negative"),
            None => invalid(field, "must be a plain integer"),
        }
    }

    fn signed(&mut self, field: &'static str) -> Result<i64> {
        match plain(self.word()?) {
            Some((negative, value)) => match i64::try_from(value) {
                Ok(value) => Ok(if negative { -value } else { value }),
                Err(_) => invalid(field, "must be at most 9007199254740991"),
            },
            None => invalid(field, "must be a plain integer"),
        }
    }

    /// The number of lines that follow.
    fn count(&mut self) -> Result<usize> {
        match usize::try_from(self.unsigned("numitems")?) {
            Ok(count @ 1..=LINES_MAX) => Ok(count),
            Ok(_) | Err(_) => invalid("numitems", "must be 1 to 64"),
        }
    }

    fn kind(&mut self) -> Result<Kind> {
        let word = self.word()?;
        let known = [Kind::Stock, Kind::Points].into_iter().find(|kind| is(word, kind.word()));
        known.map_or_else(|| invalid("kind", "must be `stock` or `points`"), Ok)
    }

    fn allocation(&mut self) -> Result<Allocation> {
        let word = self.word()?;
        let known = [Allocation::Fefo, Allocation::Fifo].into_iter().find(|allocation| is(word, allocation.word()));
        known.map_or_else(|| invalid("allocation", "must be `fefo` or `fifo`"), Ok)
    }

    fn metadata(&mut self) -> Result<&'a str> {
        let text = self.name("metadata")?;
        match json::flaw(text) {
            Some(why) => invalid("metadata", why),
            None => Ok(text),
        }
    }
}

/// A plain integer, as whether it is negative and its size: no sign but `-`, no leading zeros, no `-0`. What does not
/// fit 64 bits is none: no integer of the contract comes near.
fn plain(word: &[u8]) -> Option<(bool, u64)> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || (digits[0] == b'0' && (negative || digits.len() > 1)) {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some((negative, value))
}
