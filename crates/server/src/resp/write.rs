//! Replies as bytes, in RESP2 and RESP3. Bulk strings, simple strings, integers, nulls, arrays, maps and errors, and
//! nothing else: what RESP3 added beyond maps and one null, common clients show in too many ways.
//! Writing allocates only when the buffer grows.

use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    Resp2,
    Resp3,
}

/// Writes behind what a buffer holds already.
#[derive(Debug)]
pub struct Writer<'a> {
    pub out: &'a mut Vec<u8>,
    pub protocol: Protocol,
}

impl<'a> Writer<'a> {
    pub const fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Writer<'a> {
        Writer { out, protocol }
    }

    /// `text` holds no end of line.
    pub fn simple(&mut self, text: &str) {
        self.out.push(b'+');
        self.out.extend_from_slice(text.as_bytes());
        self.end();
    }

    /// An error, its code first. An end of line within becomes a blank: it would end the reply.
    pub fn error(&mut self, text: &dyn fmt::Display) {
        self.out.push(b'-');
        let sink = &mut OneLine(self.out);
        // Only a `Display` that fails by itself could fail here, and none of ours does.
        let _ = fmt::write(sink, format_args!("{text}"));
        self.end();
    }

    /// An error that quotes what somebody sent, in pieces.
    pub fn error_of(&mut self, pieces: &[&[u8]]) {
        self.out.push(b'-');
        for piece in pieces {
            self.out.extend(piece.iter().copied().map(in_line));
        }
        self.end();
    }

    pub fn integer(&mut self, value: i64) {
        self.out.push(b':');
        if value < 0 {
            self.out.push(b'-');
        }
        decimal(self.out, value.unsigned_abs());
        self.end();
    }

    pub fn unsigned(&mut self, value: u64) {
        self.out.push(b':');
        decimal(self.out, value);
        self.end();
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        self.header(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.end();
    }

    /// Bytes that are a part of a reply already.
    pub fn written(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// Where a string or an integer would stand.
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Where an array or a map would stand.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    pub fn array(&mut self, elements: usize) {
        self.header(b'*', elements);
    }

    /// So many pairs follow, each a name and a value. In RESP2 that is a flat array.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', pairs * 2),
            Protocol::Resp3 => self.header(b'%', pairs),
        }
    }

    fn header(&mut self, kind: u8, count: usize) {
        self.out.push(kind);
        decimal(self.out, count as u64);
        self.end();
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

struct OneLine<'a>(&'a mut Vec<u8>);

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.bytes().map(in_line));
        Ok(())
    }
}

const fn in_line(byte: u8) -> u8 {
    if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }
}

const PAIRS: &[u8; 200] =
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Two digits at a time, from the end of a small array: no division more than needed, no allocation.
pub fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    while value >= 10 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    // An odd number of digits leaves the first of them; so does 0.
    if value > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out, protocol));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_in_plain_decimal() {
        let mut samples = vec![0, 1, 9, 10, 11, 19, 99, 100, 101, 109, 999, 1_000, 1_005, 10_000, u64::MAX, 1 << 53];
        samples.extend((0..64).map(|bit| 1u64 << bit));
        samples.extend((1..20).map(|power| 10u64.pow(power)));
        samples.extend((1..20).map(|power| 10u64.pow(power) - 1));
        for value in samples {
            let mut out = Vec::new();
            decimal(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
        assert_eq!(written(Protocol::Resp2, |w| w.integer(i64::MIN)), format!(":{}\r\n", i64::MIN));
        assert_eq!(written(Protocol::Resp2, |w| w.integer(-10)), ":-10\r\n");
    }

    #[test]
    fn each_kind_is_written_as_its_protocol_says() {
        let all = |w: &mut Writer<'_>| {
            w.simple("OK");
            w.error(&"ERR a\r\nb");
            w.bulk(b"x\r\ny");
            w.text("");
            w.null();
            w.null_array();
            w.array(0);
            w.map(2);
        };
        let same = "+OK\r\n-ERR a  b\r\n$4\r\nx\r\ny\r\n$0\r\n\r\n";
        assert_eq!(written(Protocol::Resp2, all), format!("{same}$-1\r\n*-1\r\n*0\r\n*4\r\n"));
        assert_eq!(written(Protocol::Resp3, all), format!("{same}_\r\n_\r\n*0\r\n%2\r\n"));
    }
}
