//! Requests out of the bytes of a connection: arrays of bulk strings, and inline commands with Redis's quoting.
//! Arguments are spans of the buffer they came in, so that a request costs no copy and, once its list of spans has
//! grown, no allocation. A request that arrives in pieces is taken up where it was left: no byte is read twice, but
//! for the one line of a count or length (at most `HEADER_BYTES_MAX`).
//!
//! Stricter than Redis where leniency hides a broken client: a line ends with CR LF, and so does a bulk string.
//!
//! Never here: sockets, what a request means, replies.

use crate::caps;
use std::fmt;

/// One argument, as a place in its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub length: u32,
}

/// The arguments of one request, its name first.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// `spans` are places in `bytes`.
    pub const fn new(bytes: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { bytes, spans }
    }

    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(index)?;
        self.bytes.get(span.start as usize..(span.start + span.length) as usize)
    }

    /// All from `index` on.
    pub fn from(&self, index: usize) -> Args<'a> {
        Args { bytes: self.bytes, spans: self.spans.get(index..).unwrap_or_default() }
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let args = *self;
        (0..args.len()).filter_map(move |index| args.get(index))
    }

    /// Bytes of all arguments together.
    pub fn size(&self) -> usize {
        self.spans.iter().map(|span| span.length as usize).sum()
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|arg| arg.escape_ascii().to_string())).finish()
    }
}

/// How far the parser came with what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The request is not all there: call again with more behind the same bytes.
    Partial,
    /// A request of so many bytes. Without arguments (a blank line, `*0`) it asks for nothing.
    Request { bytes: usize },
}

/// What no client sends on purpose. It is answered, then the connection closes, since nobody knows where the next
/// request begins. The texts are those of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("Protocol error: too big inline request")]
    BigInline,
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    #[error("Protocol error: too big mbulk count string")]
    BigCount,
    #[error("Protocol error: invalid multibulk length")]
    Count,
    #[error("Protocol error: too big bulk count string")]
    BigLength,
    #[error("Protocol error: invalid bulk length")]
    Length,
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    Dollar(u8),
    #[error("Protocol error: too big request")]
    BigRequest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Start,
    /// The number of arguments is still to come.
    Count,
    Inline,
    /// So many arguments are still to come.
    Header {
        left: u32,
    },
    /// So many are still to come, the first of them of `length` bytes.
    Bulk {
        left: u32,
        length: u32,
    },
}

/// The parser of one connection.
#[derive(Debug, Default)]
pub struct Parser {
    phase: Phase,
    /// The next byte to look at, counted from the request's first.
    at: usize,
    spans: Vec<Span>,
}

impl Parser {
    /// Reads one request. `input` begins with the request's first byte, and after `Partial` is the same bytes and
    /// more. Inline arguments are unquoted in place.
    pub fn parse(&mut self, input: &mut [u8]) -> Result<Parsed, ProtocolError> {
        if self.phase == Phase::Start {
            let Some(&first) = input.first() else {
                return Ok(Parsed::Partial);
            };
            self.at = 0;
            self.spans.clear();
            self.phase = if first == b'*' { Phase::Count } else { Phase::Inline };
        }
        if self.phase == Phase::Count {
            match self.count(input)? {
                Some(0) => return Ok(self.finish()),
                Some(left) => self.phase = Phase::Header { left },
                None => return Ok(Parsed::Partial),
            }
        }
        if self.phase == Phase::Inline {
            return self.inline(input);
        }
        self.bulks(input)
    }

    /// The arguments of the request that `parse` has just read from `input`.
    pub fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        Args::new(input, self.spans())
    }

    /// Of the request that `parse` has just read.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// As if `parse` had just read the request with these.
    pub fn put_back(&mut self, spans: &[Span]) {
        self.restart();
        self.spans.clear();
        self.spans.extend_from_slice(spans);
    }

    /// Forgets what it has begun: the same bytes are read again.
    pub const fn restart(&mut self) {
        self.phase = Phase::Start;
    }

    /// Whether a request has begun whose rest is still to come.
    pub fn is_midway(&self) -> bool {
        self.phase != Phase::Start
    }

    /// Gives back what an idle connection does not need.
    pub fn rest(&mut self) {
        if self.phase == Phase::Start && self.spans.capacity() > caps::ARGUMENTS_KEPT_MAX {
            self.spans = Vec::new();
        }
    }

    fn finish(&mut self) -> Parsed {
        self.phase = Phase::Start;
        Parsed::Request { bytes: self.at }
    }

    /// The number of arguments; `None` while its line is not all there.
    fn count(&mut self, input: &[u8]) -> Result<Option<u32>, ProtocolError> {
        match header(&input[1..]) {
            Header::Partial => Ok(None),
            Header::Endless => Err(ProtocolError::BigCount),
            Header::Bad => Err(ProtocolError::Count),
            Header::Number { value, bytes } => {
                self.at = 1 + bytes;
                match usize::try_from(value) {
                    Ok(count) if count <= caps::ARGUMENTS_MAX => Ok(Some(count as u32)),
                    Ok(_) => Err(ProtocolError::Count),
                    // As in Redis, less than nothing is nothing.
                    Err(_) => Ok(Some(0)),
                }
            }
        }
    }

    fn bulks(&mut self, input: &[u8]) -> Result<Parsed, ProtocolError> {
        loop {
            let (left, length) = match self.phase {
                Phase::Header { left } => {
                    let Some(length) = self.length(input)? else {
                        return Ok(Parsed::Partial);
                    };
                    (left, length)
                }
                Phase::Bulk { left, length } => (left, length),
                Phase::Start | Phase::Count | Phase::Inline => return Ok(Parsed::Partial),
            };
            let end = self.at + length as usize;
            let Some(ending) = input.get(end..end + 2) else {
                self.phase = Phase::Bulk { left, length };
                return Ok(Parsed::Partial);
            };
            if ending != b"\r\n" {
                return Err(ProtocolError::Length);
            }
            self.spans.push(Span { start: self.at as u32, length });
            self.at = end + 2;
            if left == 1 {
                return Ok(self.finish());
            }
            self.phase = Phase::Header { left: left - 1 };
        }
    }

    /// The length of the next argument; `None` while its line is not all there.
    fn length(&mut self, input: &[u8]) -> Result<Option<u32>, ProtocolError> {
        let Some(&first) = input.get(self.at) else {
            return Ok(None);
        };
        if first != b'$' {
            return Err(ProtocolError::Dollar(first));
        }
        match header(&input[self.at + 1..]) {
            Header::Partial => Ok(None),
            Header::Endless => Err(ProtocolError::BigLength),
            Header::Bad => Err(ProtocolError::Length),
            Header::Number { value, bytes } => {
                let length = usize::try_from(value).map_err(|_| ProtocolError::Length)?;
                if length > caps::BULK_BYTES_MAX {
                    return Err(ProtocolError::Length);
                }
                self.at += 1 + bytes;
                if self.at + length + 2 > caps::REQUEST_BYTES_MAX {
                    return Err(ProtocolError::BigRequest);
                }
                Ok(Some(length as u32))
            }
        }
    }

    fn inline(&mut self, input: &mut [u8]) -> Result<Parsed, ProtocolError> {
        let Some(found) = input[self.at..].iter().position(|&byte| byte == b'\n') else {
            self.at = input.len();
            let endless = input.len() > caps::INLINE_BYTES_MAX;
            return if endless { Err(ProtocolError::BigInline) } else { Ok(Parsed::Partial) };
        };
        let end = self.at + found;
        if end > caps::INLINE_BYTES_MAX {
            return Err(ProtocolError::BigInline);
        }
        self.at = end + 1;
        split(&mut input[..end], &mut self.spans)?;
        Ok(self.finish())
    }
}

enum Header {
    Partial,
    /// No end of line within `HEADER_BYTES_MAX`.
    Endless,
    Bad,
    Number {
        value: i64,
        bytes: usize,
    },
}

/// A plain integer and its end of line: no sign but `-`, no leading zeros.
fn header(input: &[u8]) -> Header {
    // Nearly all there are.
    match *input {
        [digit @ b'0'..=b'9', b'\r', b'\n', ..] => return Header::Number { value: i64::from(digit - b'0'), bytes: 3 },
        [ten @ b'1'..=b'9', digit @ b'0'..=b'9', b'\r', b'\n', ..] => {
            return Header::Number { value: i64::from(ten - b'0') * 10 + i64::from(digit - b'0'), bytes: 4 };
        }
        _ => {}
    }
    let negative = input.first() == Some(&b'-');
    let first = usize::from(negative);
    let mut value: i64 = 0;
    let mut at = first;
    while at < caps::HEADER_BYTES_MAX {
        match input.get(at) {
            None => return Header::Partial,
            Some(&digit @ b'0'..=b'9') => value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0')),
            Some(b'\r') => break,
            Some(_) => return Header::Bad,
        }
        at += 1;
    }
    if at == caps::HEADER_BYTES_MAX {
        return Header::Endless;
    }
    let zeros = input[first] == b'0' && (negative || at - first > 1);
    match input.get(at + 1) {
        _ if at == first || zeros || value == i64::MAX => Header::Bad,
        None => Header::Partial,
        Some(b'\n') => Header::Number { value: if negative { -value } else { value }, bytes: at + 2 },
        Some(_) => Header::Bad,
    }
}

/// Splits an inline request as Redis does: blanks between words, "double quotes" with escapes, 'single quotes' with
/// `\'` alone; a closing quote ends its word. What is unquoted is never longer, so it is written over its source.
fn split(line: &mut [u8], spans: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|&byte| blank(byte)) {
            at += 1;
        }
        if at == line.len() {
            return Ok(());
        }
        if spans.len() == caps::ARGUMENTS_MAX {
            return Err(ProtocolError::BigInline);
        }
        let start = at;
        let end = word(line, &mut at)?;
        spans.push(Span { start: start as u32, length: (end - start) as u32 });
    }
}

const fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Unquotes the word at `at` in place and moves `at` behind it; returns where what was written ends.
fn word(line: &mut [u8], at: &mut usize) -> Result<usize, ProtocolError> {
    let mut to = *at;
    let mut quote = None;
    loop {
        let Some(&byte) = line.get(*at) else {
            return if quote.is_some() { Err(ProtocolError::Quotes) } else { Ok(to) };
        };
        let (write, taken) = match (quote, byte) {
            (None, _) if blank(byte) => {
                *at += 1;
                return Ok(to);
            }
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                *at += 1;
                continue;
            }
            (Some(open), _) if open == byte => {
                *at += 1;
                return match line.get(*at) {
                    Some(&next) if !blank(next) => Err(ProtocolError::Quotes),
                    Some(_) | None => Ok(to),
                };
            }
            (Some(b'"'), b'\\') => escape(&line[*at..]),
            (Some(b'\''), b'\\') if line.get(*at + 1) == Some(&b'\'') => (b'\'', 2),
            (None | Some(_), _) => (byte, 1),
        };
        line[to] = write;
        to += 1;
        *at += taken;
    }
}

/// What a backslash between double quotes stands for, and how many bytes it takes.
fn escape(input: &[u8]) -> (u8, usize) {
    match input {
        [_, b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (digit(*high) * 16 + digit(*low), 4)
        }
        [_, b'n', ..] => (b'\n', 2),
        [_, b'r', ..] => (b'\r', 2),
        [_, b't', ..] => (b'\t', 2),
        [_, b'b', ..] => (0x08, 2),
        [_, b'a', ..] => (0x07, 2),
        [_, other, ..] => (*other, 2),
        [..] => (b'\\', 1),
    }
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        b'a'..=b'f' => hex - b'a' + 10,
        _ => hex - b'A' + 10,
    }
}
