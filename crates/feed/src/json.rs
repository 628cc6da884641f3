//! JSON written straight into bytes: what a CloudEvent is made of, and no more.
//! Never here: reading, but of metadata that is to be passed on; numbers other than integers.

use serde::de::IgnoredAny;
use sumun_wire::Timestamp;

/// An object that is being written: `{"a":1,"b":…`.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, is_empty: true }
    }
    /// An object of which something stands there already.
    pub(crate) fn go_on(out: &'a mut Vec<u8>) -> Object<'a> {
        Object { out, is_empty: false }
    }
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }
    /// The place for the value of a name. Names are ours: nothing in them is to be escaped.
    pub(crate) fn value(&mut self, name: &str) -> &mut Vec<u8> {
        self.out.extend_from_slice(if self.is_empty { b"\"" } else { b",\"" });
        self.is_empty = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        text(self.value(name), value);
    }
    pub(crate) fn number(&mut self, name: &str, value: u64) {
        number(self.value(name), value);
    }
    pub(crate) fn signed(&mut self, name: &str, value: i64) {
        let out = self.value(name);
        if value < 0 {
            out.push(b'-');
        }
        number(out, value.unsigned_abs());
    }
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.value(name).extend_from_slice(if value { b"true" } else { b"false" });
    }
    pub(crate) fn time(&mut self, name: &str, value: Timestamp) {
        let out = self.value(name);
        out.push(b'"');
        out.extend_from_slice(&value.rfc3339());
        out.push(b'"');
    }
    pub(crate) fn null(&mut self, name: &str) {
        self.value(name).extend_from_slice(b"null");
    }
    /// Null when there is none.
    pub(crate) fn optional<T>(&mut self, name: &str, value: Option<T>, write: impl FnOnce(&mut Object<'a>, &str, T)) {
        match value {
            Some(value) => write(self, name, value),
            None => self.null(name),
        }
    }
}

pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut clean = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[clean..at]);
        clean = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => {
                const HEX: [u8; 16] = *b"0123456789abcdef";
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.extend_from_slice(&bytes[clean..]);
    out.push(b'"');
}

/// JSON as it was given, on one line: white space between its tokens goes, its numbers and the order of its names stay. What
/// is no JSON is a text.
pub(crate) fn passed_on(out: &mut Vec<u8>, given: &str) {
    if serde_json::from_str::<IgnoredAny>(given).is_err() {
        return text(out, given);
    }
    let (mut within, mut escaped) = (false, false);
    for &byte in given.as_bytes() {
        if within {
            within = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte == b'"' {
            within = true;
        } else if byte.is_ascii_whitespace() {
            continue;
        }
        out.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_they_are() {
        for value in [0, 1, 9, 10, 99, 100, (1 << 53) - 1, u64::MAX] {
            assert_eq!(written(|out| number(out, value)), value.to_string());
        }
        for value in [0, -1, i64::MIN, i64::MAX] {
            let object = written(|out| {
                let mut object = Object::begin(out);
                object.signed("n", value);
                object.end();
            });
            assert_eq!(object, format!("{{\"n\":{value}}}"));
        }
    }

    #[test]
    fn texts_are_escaped_so_that_they_are_read_back() {
        for value in ["", "plain", "수문", "a\"b\\c", "\\", "\"", "\u{1}\n\t\u{1f}\u{7f}", "é\u{2028}\u{10ffff}"] {
            let json = written(|out| text(out, value));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value, "{json}");
            assert!(!json.contains('\n'));
        }
    }

    #[test]
    fn metadata_is_passed_on_on_one_line_and_otherwise_as_it_was_given() {
        let check = |given: &str, expected: &str| assert_eq!(written(|out| passed_on(out, given)), expected);
        check("{ \"b\" : 1.50,\r\n\t\"a\" : [ 1 , 2 ] }", "{\"b\":1.50,\"a\":[1,2]}");
        check(r#"{"a b":"c \" d \\","e":"\\\" f"}"#, r#"{"a b":"c \" d \\","e":"\\\" f"}"#);
        check("12345678901234567890123.0", "12345678901234567890123.0");
        check(" \"x y\" ", "\"x y\"");
        check("no json", "\"no json\"");
        check("", "\"\"");
    }
}
