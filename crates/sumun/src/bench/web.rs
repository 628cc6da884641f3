//! Reserves over HTTP/1.1 with keep-alive: requests, where an answer ends, what it says. An answer is looked into as it
//! stands, so that the generator costs little beside what it measures.

use super::peer::Verdict;
use super::workload::{LIMIT, Scenario, Workload};
use crate::caps::{CONNECT_TIMEOUT, REPLY_BYTES_MAX, REPLY_TIMEOUT};
use crate::failure::Failure;
use crate::resp::{Malformed, decimal};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Connections by which items are prepared, each with one request at a time.
const PREPARING: usize = 64;

#[derive(Clone, Debug)]
pub(super) struct Web {
    /// What every request says after its first line, up to the length of its body.
    head: Vec<u8>,
}

impl Web {
    fn new(server: SocketAddr) -> Web {
        let head = format!(" HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/json\r\ncontent-length: ");
        Web { head: head.into_bytes() }
    }

    fn write(&self, out: &mut Vec<u8>, first: &[&[u8]], body: &[u8]) {
        first.iter().for_each(|part| out.extend_from_slice(part));
        out.extend_from_slice(&self.head);
        decimal(out, body.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
    }

    pub(super) fn write_reserve(&self, out: &mut Vec<u8>, workload: &Workload, n: u64) {
        let (items, lines) = workload.items(n);
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(b"{\"id\":\"");
        workload.plain_id(&mut body, n);
        body.extend_from_slice(b"\",\"ttl_ms\":");
        decimal(&mut body, workload.ttl_of(n));
        if workload.has_holders() {
            body.extend_from_slice(b",\"holder\":\"");
            workload.plain_holder(&mut body, n);
            body.push(b'"');
        }
        body.extend_from_slice(b",\"lines\":[");
        for (at, &item) in items[..lines].iter().enumerate() {
            body.extend_from_slice(if at == 0 { b"{\"sku\":\"" } else { b",{\"sku\":\"" });
            workload.plain_sku(&mut body, item);
            body.extend_from_slice(b"\",\"quantity\":1}");
        }
        body.extend_from_slice(b"]}");
        self.write(out, &[b"POST /v1/reservations"], &body);
    }

    pub(super) fn write_capture(&self, out: &mut Vec<u8>, workload: &Workload, n: u64) {
        out.extend_from_slice(b"POST /v1/reservations/");
        workload.plain_id(out, n);
        self.write(out, &[b"/capture"], b"");
    }

    /// Makes items and their units.
    pub(super) fn prepare(server: SocketAddr, workload: &Workload) -> Result<Web, Failure> {
        if workload.scenario == Scenario::Lots {
            return Err(Failure::Usage("items with lots are prepared over RESP alone".to_owned()));
        }
        let web = Web::new(server);
        let settings = format!("{{\"limit\":{{\"quantity\":{LIMIT}}}}}");
        let settings = if workload.has_holders() { settings.as_str() } else { "{}" };
        let receipt = format!("{{\"id\":\"prepared\",\"quantity\":{}}}", workload.units);
        let mut lines = (0..PREPARING).map(|_| Straight::connect(server)).collect::<Result<Vec<_>, _>>()?;
        let mut item = 0;
        while item < workload.items {
            let end = workload.items.min(item + PREPARING as u64);
            for (method, behind, body) in [("PUT", "", settings), ("POST", "/receipts", receipt.as_str())] {
                for (line, item) in lines.iter_mut().zip(item..end) {
                    let mut out = Vec::new();
                    let path = format!("{method} /v1/items/{}{behind}", workload.sku(item));
                    web.write(&mut out, &[path.as_bytes()], body.as_bytes());
                    line.stream.write_all(&out).map_err(|error| line.lost(&error.to_string()))?;
                }
                lines.iter_mut().zip(item..end).try_for_each(|(line, _)| line.done())?;
            }
            item = end;
        }
        Ok(web)
    }

    /// Length of the first whole answer; `None` while more of it has to come.
    pub(super) fn scan(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut at = 0;
        let mut length = None;
        while let Some(end) = bytes[at..].iter().position(|&byte| byte == b'\n') {
            let line = bytes[at..at + end].strip_suffix(b"\r").ok_or(Malformed("a line that ends in half"))?;
            at += end + 1;
            if line.is_empty() {
                let length = length.ok_or(Malformed("an answer without a length"))?;
                let whole = at + length;
                return Ok((whole <= bytes.len()).then_some(whole));
            }
            if let Some((name, value)) = line.split_at_checked(CONTENT_LENGTH.len())
                && name.eq_ignore_ascii_case(CONTENT_LENGTH)
            {
                let digits = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
                let found = digits.filter(|&length: &usize| length <= REPLY_BYTES_MAX);
                length = Some(found.ok_or(Malformed("a length that is none"))?);
            }
        }
        if bytes.len() > REPLY_BYTES_MAX { Err(Malformed("a head without end")) } else { Ok(None) }
    }

    pub(super) fn verdict(answer: &[u8]) -> Verdict<'_> {
        match answer.get(STATUS) {
            Some(b"201") => Verdict::Done,
            // Every id of a run is new: an answer that knows it already answers something else.
            Some(b"200") if find(answer, b"idempotency-replayed").is_some() => Verdict::Refused(b"REPLAYED"),
            Some(b"200") => Verdict::Done,
            Some(_) | None => {
                let code = behind(answer, b"\"code\":\"").and_then(|rest| rest.split(|&byte| byte == b'"').next());
                Verdict::Refused(code.unwrap_or(b"UNREADABLE"))
            }
        }
    }

    pub(super) fn retry_after_ms(answer: &[u8]) -> Option<u64> {
        let rest = behind(answer, b"\"retry_after_ms\":")?;
        let digits = rest.split(|byte| !byte.is_ascii_digit()).next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

const CONTENT_LENGTH: &[u8] = b"content-length:";
/// Where the status stands in `HTTP/1.1 201 Created`.
const STATUS: std::ops::Range<usize> = 9..12;

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|found| found == wanted)
}

fn behind<'a>(bytes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    Some(&bytes[find(bytes, wanted)? + wanted.len()..])
}

/// A blocking connection with one request at a time.
struct Straight {
    stream: TcpStream,
    server: SocketAddr,
}

impl Straight {
    fn connect(server: SocketAddr) -> Result<Straight, Failure> {
        let stream = TcpStream::connect_timeout(&server, CONNECT_TIMEOUT);
        let stream = stream.map_err(|error| Failure::Unreachable(format!("no server at {server}: {error}")))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Straight { stream, server })
    }

    fn lost(&self, why: &str) -> Failure {
        Failure::Unreachable(format!("no answer from {}: {why}", self.server))
    }

    /// Reads one answer, which must be a good one.
    fn done(&mut self) -> Result<(), Failure> {
        let (mut answer, mut chunk) = (Vec::new(), [0; 4_096]);
        loop {
            match Web::scan(&answer) {
                Ok(Some(_)) => break,
                Ok(None) => {}
                Err(malformed) => return Err(Failure::Other(malformed.into())),
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(self.lost("the connection was closed")),
                Ok(length) => answer.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(&error.to_string())),
            }
        }
        if answer.get(STATUS).is_some_and(|status| status.starts_with(b"2")) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&answer);
        Err(Failure::No(format!("the server refused to prepare the items: {said}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_and_says_its_length() {
        let workload = Workload::new(Scenario::MultiLine, 1, 0xabcd_0123_0000_0000, 3, 10, 500);
        let web = Web::new("127.0.0.1:80".parse().expect("an address"));
        let mut out = Vec::new();
        web.write_reserve(&mut out, &workload, 7);
        let text = String::from_utf8(out).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("POST /v1/reservations HTTP/1.1\r\nhost: 127.0.0.1:80\r\n"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        let ([a, b, c], _) = workload.items(7);
        let line = |item| serde_json::json!({ "sku": workload.sku(item), "quantity": 1 });
        let whole = serde_json::json!({ "id": "rabcd0123-7", "ttl_ms": 500, "lines": [line(a), line(b), line(c)] });
        assert_eq!(serde_json::from_str::<serde_json::Value>(body).expect("JSON"), whole);
        let mut out = Vec::new();
        web.write_capture(&mut out, &workload, 7);
        assert!(out.starts_with(b"POST /v1/reservations/rabcd0123-7/capture HTTP/1.1\r\n"));
        assert!(out.ends_with(b"content-length: 0\r\n\r\n"));
    }

    #[test]
    fn an_answer_ends_where_its_length_says_and_not_before() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nx: y\r\n\r\n{}";
        assert_eq!(Web::scan(answer), Ok(Some(answer.len())));
        for cut in 0..answer.len() {
            assert_eq!(Web::scan(&answer[..cut]), Ok(None));
        }
        assert_eq!(Web::scan(&[&answer[..], b"HTTP"].concat()), Ok(Some(answer.len())));
        assert!(Web::scan(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(Web::scan(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
    }

    #[test]
    fn answers_are_told_apart() {
        assert_eq!(Web::verdict(b"HTTP/1.1 201 Created\r\n\r\n"), Verdict::Done);
        assert_eq!(Web::verdict(b"HTTP/1.1 200 OK\r\n\r\n"), Verdict::Done);
        let again = b"HTTP/1.1 200 OK\r\nidempotency-replayed: true\r\n\r\n";
        assert_eq!(Web::verdict(again), Verdict::Refused(b"REPLAYED"));
        let refused = b"HTTP/1.1 503 \r\n\r\n{\"code\":\"overloaded\",\"retry_after_ms\":40}";
        assert_eq!(Web::verdict(refused), Verdict::Refused(b"overloaded"));
        assert_eq!(Web::retry_after_ms(refused), Some(40));
    }
}
