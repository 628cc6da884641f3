//! RESP as a client speaks it: commands out, replies in, of both versions.
//! A reply is either taken whole as a [`Value`], or only measured and looked into ([`scan`]), without allocation.
//! Never here: sockets, what the words mean.

use crate::caps::{REPLY_BYTES_MAX, REPLY_DEPTH_MAX};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Error(String),
    Array(Vec<Value>),
    Map(Vec<(String, Value)>),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reply that a Sumun server gives: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Appends one command.
pub(crate) fn command<A: AsRef<[u8]>>(out: &mut Vec<u8>, args: &[A]) {
    header(out, args.len());
    args.iter().for_each(|arg| bulk(out, arg.as_ref()));
}

/// Begins a command of so many arguments, each of which is then a [`bulk`] or an [`integer`].
pub(crate) fn header(out: &mut Vec<u8>, args: usize) {
    out.push(b'*');
    decimal(out, args as u64);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'$');
    decimal(out, bytes.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn integer(out: &mut Vec<u8>, n: u64) {
    let mut digits = [0; 20];
    bulk(out, text_of(n, &mut digits));
}

pub(crate) fn decimal(out: &mut Vec<u8>, n: u64) {
    let mut digits = [0; 20];
    out.extend_from_slice(text_of(n, &mut digits));
}

fn text_of(mut n: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return &digits[at..];
        }
    }
}

/// The first line of `bytes` after its type byte, and how long it is with both.
fn line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let Some(end) = bytes.iter().position(|&b| b == b'\r') else {
        return if bytes.len() > REPLY_BYTES_MAX { Err(Malformed("a line without end")) } else { Ok(None) };
    };
    match bytes.get(end + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((&bytes[1..end.max(1)], end + 2))),
        Some(_) => Err(Malformed("a line that ends in half")),
    }
}

fn number(text: &[u8]) -> Result<i64, Malformed> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Malformed("not a number"));
    }
    let size = digits.iter().try_fold(0_i64, |n, d| n.checked_mul(10)?.checked_add(i64::from(d - b'0')));
    let size = size.ok_or(Malformed("too large a number"))?;
    Ok(if negative { -size } else { size })
}

/// A length or count; `None` for RESP2's null, -1.
fn count(text: &[u8]) -> Result<Option<usize>, Malformed> {
    match number(text)? {
        -1 => Ok(None),
        n if n > REPLY_BYTES_MAX as i64 => Err(Malformed("too long a reply")),
        n => usize::try_from(n).map(Some).map_err(|_| Malformed("a negative length")),
    }
}

/// Reads one whole reply and its length; `None` while more of it has to come.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Value, usize)>, Malformed> {
    parse_at(bytes, 0)
}

fn parse_at(bytes: &[u8], depth: usize) -> Result<Option<(Value, usize)>, Malformed> {
    if depth > REPLY_DEPTH_MAX {
        return Err(Malformed("aggregates too deep"));
    }
    let (Some(kind), Some((text, mut used))) = (bytes.first(), line(bytes)?) else { return Ok(None) };
    let words = || String::from_utf8_lossy(text).into_owned();
    let value = match kind {
        b'+' => Value::Text(words()),
        b'-' => Value::Error(words()),
        b':' => Value::Integer(number(text)?),
        b'_' => Value::Null,
        b'$' => match count(text)? {
            None => Value::Null,
            Some(length) => {
                let Some(body) = bytes.get(used..used + length + 2) else { return Ok(None) };
                used += length + 2;
                Value::Text(String::from_utf8_lossy(&body[..length]).into_owned())
            }
        },
        b'*' | b'%' => {
            let Some(count) = count(text)? else { return Ok(Some((Value::Null, used))) };
            let mut parts = Vec::new();
            for _ in 0..if *kind == b'%' { count * 2 } else { count } {
                let Some((part, length)) = parse_at(&bytes[used..], depth + 1)? else { return Ok(None) };
                used += length;
                parts.push(part);
            }
            if *kind == b'%' { pairs(parts)? } else { Value::Array(parts) }
        }
        _ => return Err(Malformed("an unknown type byte")),
    };
    Ok(Some((value, used)))
}

fn pairs(parts: Vec<Value>) -> Result<Value, Malformed> {
    let mut pairs = Vec::with_capacity(parts.len() / 2);
    let mut parts = parts.into_iter();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        let Value::Text(name) = name else { return Err(Malformed("a name that is no text")) };
        pairs.push((name, value));
    }
    Ok(Value::Map(pairs))
}

/// Length of the first whole reply; `None` while more of it has to come.
pub(crate) fn scan(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    // Values that the reply still lacks: an aggregate takes one and adds its own.
    let (mut at, mut lacking) = (0, 1_usize);
    while lacking > 0 {
        let rest = &bytes[at..];
        let (Some(kind), Some((text, length))) = (rest.first(), line(rest)?) else { return Ok(None) };
        at += length;
        lacking -= 1;
        match kind {
            b'+' | b'-' | b':' | b'_' => {}
            b'$' => {
                if let Some(length) = count(text)? {
                    at += length + 2;
                    if at > bytes.len() {
                        return Ok(None);
                    }
                }
            }
            b'*' => lacking += count(text)?.unwrap_or(0),
            b'%' => lacking += 2 * count(text)?.unwrap_or(0),
            _ => return Err(Malformed("an unknown type byte")),
        }
    }
    Ok(Some(at))
}

/// The first word of an error reply; `None` for any other.
pub(crate) fn error_code(reply: &[u8]) -> Option<&[u8]> {
    let text = reply.strip_prefix(b"-")?;
    text.split(|b| b" \r".contains(b)).next()
}

/// What stands under `name` in a flat map (RESP2's array or RESP3's map) of texts and integers: its bytes.
pub(crate) fn field<'a>(reply: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (_, mut at) = line(reply).ok()??;
    loop {
        let (found, length) = scalar(reply.get(at..)?)?;
        at += length;
        let (value, length) = scalar(reply.get(at..)?)?;
        at += length;
        if found == name {
            return Some(value);
        }
    }
}

/// The field as a number.
pub(crate) fn field_number(reply: &[u8], name: &[u8]) -> Option<u64> {
    u64::try_from(number(field(reply, name)?).ok()?).ok()
}

fn scalar(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (text, used) = line(bytes).ok()??;
    if bytes.first() != Some(&b'$') {
        return Some((text, used));
    }
    match count(text).ok()? {
        None => Some((b"", used)),
        Some(length) => Some((bytes.get(used..used + length)?, used + length + 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP2: &[u8] =
        b"*8\r\n$5\r\nstate\r\n$4\r\nheld\r\n$10\r\nexpires_at\r\n:1777604400500\r\n$8\r\nsequence\r\n:42\r\n\
        $8\r\nreplayed\r\n:0\r\n";
    const MAP3: &[u8] =
        b"%4\r\n+state\r\n$4\r\nheld\r\n+expires_at\r\n_\r\n$8\r\nsequence\r\n:42\r\n+replayed\r\n:1\r\n";
    const NESTED: &[u8] = b"%2\r\n+sku\r\n$1\r\na\r\n+lots\r\n*2\r\n%1\r\n+lot\r\n_\r\n%1\r\n+lot\r\n$-1\r\n";

    #[test]
    fn a_reply_is_measured_as_it_is_read_and_never_before_it_is_whole() {
        let replies = [
            MAP2,
            MAP3,
            NESTED,
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":-7\r\n",
            b"_\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"$0\r\n\r\n",
            b"*0\r\n",
        ];
        for reply in replies {
            for cut in 0..reply.len() {
                assert_eq!(scan(&reply[..cut]), Ok(None), "{:?}", reply[..cut].escape_ascii().to_string());
                assert_eq!(parse(&reply[..cut]), Ok(None));
            }
            let mut more = reply.to_vec();
            more.extend_from_slice(b"+next\r\n");
            assert_eq!(scan(&more), Ok(Some(reply.len())));
            assert_eq!(parse(&more).map(|found| found.map(|(_, used)| used)), Ok(Some(reply.len())));
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bytes in [
            &b"hello\r\n"[..],
            b"$x\r\n",
            b"*-2\r\n",
            b"$99999999999\r\n",
            b"+a\rb\n",
            b":\r\n",
            b":99999999999999999999\r\n",
        ] {
            assert!(parse(bytes).is_err(), "{:?}", bytes.escape_ascii().to_string());
        }
        assert_eq!(parse(&b"*1\r\n".repeat(100)), Err(Malformed("aggregates too deep")));
    }

    #[test]
    fn fields_are_found_in_maps_of_both_versions() {
        for (reply, replayed) in [(MAP2, 0), (MAP3, 1)] {
            assert_eq!(field(reply, b"state"), Some(&b"held"[..]));
            assert_eq!(field_number(reply, b"sequence"), Some(42));
            assert_eq!(field_number(reply, b"replayed"), Some(replayed));
            assert_eq!(field(reply, b"tombstone"), None);
        }
        assert_eq!(field_number(MAP2, b"expires_at"), Some(1_777_604_400_500));
        assert_eq!(error_code(b"-INSUFFICIENT a wanted 2 available 1\r\n"), Some(&b"INSUFFICIENT"[..]));
        assert_eq!(error_code(b"-LOADING\r\n"), Some(&b"LOADING"[..]));
        assert_eq!(error_code(MAP2), None);
    }

    #[test]
    fn a_command_is_an_array_of_bulk_strings() {
        let mut out = Vec::new();
        command(&mut out, &["EXTEND", "r1", "0"]);
        let mut by_parts = Vec::new();
        header(&mut by_parts, 3);
        bulk(&mut by_parts, b"EXTEND");
        bulk(&mut by_parts, b"r1");
        integer(&mut by_parts, 0);
        assert_eq!(out, b"*3\r\n$6\r\nEXTEND\r\n$2\r\nr1\r\n$1\r\n0\r\n");
        assert_eq!(out, by_parts);
        let mut n = Vec::new();
        decimal(&mut n, u64::MAX);
        assert_eq!(n, u64::MAX.to_string().as_bytes());
    }
}
