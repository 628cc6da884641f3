//! HTTP/1.1 as a client of the proofs speaks it: one connection with keep-alive, whole answers or a body read as it
//! comes, errors of the connection as they are. What is no answer of the contract is an error too (`InvalidData`).

use serde_json::Value as Json;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);
/// More than any answer of the server has.
const LINE_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug)]
pub struct Web {
    reader: BufReader<TcpStream>,
    host: String,
}

/// The first lines of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    /// Names in small letters.
    headers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Reply {
    pub fn json(&self) -> io::Result<Json> {
        let said = || malformed(&format!("a body that is no JSON: {:?}", String::from_utf8_lossy(&self.body)));
        serde_json::from_slice(&self.body).map_err(|_| said())
    }
}

/// One part of a path, so that any text may stand in it.
pub fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'.' => out.push(byte as char),
            // Writing into memory cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

impl Web {
    pub fn open(address: SocketAddr) -> io::Result<Web> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Web { reader: BufReader::with_capacity(1 << 16, stream), host: address.to_string() })
    }

    pub fn socket(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// An answer may be waited for in this way only: `WouldBlock` or `TimedOut` when none comes.
    pub fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.socket().set_read_timeout(Some(timeout))
    }

    pub fn get(&mut self, path: &str) -> io::Result<Reply> {
        self.ask("GET", path, &[], None)
    }

    /// One request and its whole answer.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Reply> {
        self.send(method, path, headers, body)?;
        self.read()
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> io::Result<()> {
        let mut out = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host);
        headers.iter().for_each(|(name, value)| out += &format!("{name}: {value}\r\n"));
        if let Some(body) = body {
            out += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        }
        let mut out = (out + "\r\n").into_bytes();
        out.extend_from_slice(body.unwrap_or_default());
        self.reader.get_mut().write_all(&out)
    }

    /// The answer to the oldest request that has none yet, whole.
    pub fn read(&mut self) -> io::Result<Reply> {
        let head = self.head()?;
        let mut body = Vec::new();
        if head.status == 204 || head.status == 304 {
            return Ok(Reply { head, body });
        }
        if is_chunked(&head) {
            while self.chunk(&mut body)? {}
        } else {
            let length = head.header("content-length").and_then(|text| text.parse().ok());
            body.resize(length.ok_or_else(|| malformed("an answer without a length"))?, 0);
            self.reader.read_exact(&mut body)?;
        }
        Ok(Reply { head, body })
    }

    /// What stands before the body; `chunk` reads on, where it comes in parts.
    pub fn head(&mut self) -> io::Result<Head> {
        let first = self.line()?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| malformed(&first))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(Head { status, headers });
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next part of a body that comes in parts, behind what is in `out`. False at its end.
    pub fn chunk(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let line = self.line()?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(|_| malformed(&line))?;
        let before = out.len();
        out.resize(before + length, 0);
        self.reader.read_exact(&mut out[before..])?;
        if !self.line()?.is_empty() {
            return Err(malformed("a part longer than it says"));
        }
        Ok(length > 0)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let read = (&mut self.reader).take(LINE_BYTES_MAX).read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            // The server went before it, or in the middle of it.
            None if (read as u64) < LINE_BYTES_MAX => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Err(malformed("a line without end")),
        }
    }
}

fn is_chunked(head: &Head) -> bool {
    head.header("transfer-encoding").is_some_and(|text| text.eq_ignore_ascii_case("chunked"))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no answer of HTTP/1.1: {what:?}"))
}

/// What a stream of server-sent events says: an event, or without data how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub id: String,
    pub data: Option<String>,
}

/// `GET` of a stream of events: each as it comes.
#[derive(Debug)]
pub struct Stream {
    web: Web,
    bytes: Vec<u8>,
    /// What of `bytes` has been given.
    at: usize,
}

impl Stream {
    /// The stream, or the whole answer when it is refused.
    pub fn open(address: SocketAddr, path: &str, after: Option<&str>) -> io::Result<Result<Stream, Reply>> {
        let mut web = Web::open(address)?;
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(after.map(|id| ("last-event-id", id)));
        web.send("GET", path, &headers, None)?;
        let head = web.head()?;
        if head.status != 200 {
            let mut body = Vec::new();
            match head.header("content-length").and_then(|text| text.parse().ok()) {
                Some(length) => {
                    body.resize(length, 0);
                    web.reader.read_exact(&mut body)?;
                }
                None => while web.chunk(&mut body)? {},
            }
            return Ok(Err(Reply { head, body }));
        }
        if !is_chunked(&head) {
            return Err(malformed("a stream that is not chunked"));
        }
        Ok(Ok(Stream { web, bytes: Vec::new(), at: 0 }))
    }

    pub fn socket(&self) -> &TcpStream {
        self.web.socket()
    }

    pub fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.web.set_timeout(timeout)
    }

    /// The next event; `None` at the stream's end. Comments are passed over.
    pub fn read(&mut self) -> io::Result<Option<Sent>> {
        loop {
            while let Some(block) = self.block() {
                if let Some(sent) = read_event(&block)? {
                    return Ok(Some(sent));
                }
            }
            if !self.web.chunk(&mut self.bytes)? {
                return Ok(None);
            }
        }
    }

    /// Whether the next one is here already.
    pub fn has_more(&self) -> bool {
        find_end(&self.bytes[self.at..]).is_some()
    }

    fn block(&mut self) -> Option<Vec<u8>> {
        let length = find_end(&self.bytes[self.at..])?;
        let block = self.bytes[self.at..self.at + length].to_vec();
        self.at += length + 2;
        if self.at == self.bytes.len() {
            (self.at, self.bytes) = (0, Vec::new());
        }
        Some(block)
    }
}

fn find_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair == b"\n\n")
}

fn read_event(block: &[u8]) -> io::Result<Option<Sent>> {
    let text = std::str::from_utf8(block).map_err(|_| malformed("an event that is no UTF-8"))?;
    let (mut id, mut data) = (None, None);
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("data", value)) => data = Some(value.to_owned()),
            Some(("event" | "retry" | "", _)) | None => {}
            Some(_) => return Err(malformed(line)),
        }
    }
    match (id, data) {
        (Some(id), data) => Ok(Some(Sent { id, data })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(malformed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_from_comments() {
        let sent = |id: &str, data: Option<&str>| Some(Sent { id: id.to_owned(), data: data.map(str::to_owned) });
        assert_eq!(read_event(b"id: 0/7\ndata: {}").expect("an event"), sent("0/7", Some("{}")));
        assert_eq!(read_event(b":\nid: 0/9").expect("how far it is"), sent("0/9", None));
        assert_eq!(read_event(b": still here").expect("a comment"), None);
        assert_eq!(read_event(b":").expect("a comment"), None);
        assert!(read_event(b"data: {}").is_err());
    }

    #[test]
    fn any_text_may_stand_in_a_path() {
        assert_eq!(segment("a/b ü"), "a%2Fb%20%C3%BC");
    }
}
