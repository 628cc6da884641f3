//! An HTTP/1.1 client that hides nothing: requests are the bytes that the test wrote, answers are read as the RFC says
//! and no more kindly.
//!
//! Never here: retries, redirects, cookies, a pool.

use super::Server;
use super::server::address;
use serde_json::Value;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(15);
/// No answer of ours has more.
const HEADERS_MAX: usize = 100;

#[derive(Debug)]
pub(crate) struct Http {
    reader: BufReader<TcpStream>,
    /// What `Host` says unless a test says it itself.
    host: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Where the ready line says that HTTP is served.
pub(crate) fn http_address(server: &Server) -> SocketAddr {
    address(&server.ready, "http").unwrap_or_else(|| panic!("no `http=` address in the ready line {:?}", server.ready))
}

impl Http {
    pub(crate) fn connect(server: &Server) -> Http {
        let address = http_address(server);
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).expect("the server accepts connections");
        stream.set_nodelay(true).expect("a TCP socket");
        let http = Http { reader: BufReader::with_capacity(1 << 16, stream), host: address.to_string() };
        http.wait_at_most(TIMEOUT);
        http
    }

    /// How long a read may take from now on.
    pub(crate) fn wait_at_most(&self, limit: Duration) {
        self.reader.get_ref().set_read_timeout(Some(limit)).expect("not zero");
        self.reader.get_ref().set_write_timeout(Some(limit)).expect("not zero");
    }

    /// A request's bytes. `Host` and, with a body, `Content-Type` and `Content-Length` are added where `headers` does
    /// not say them; a header without value (`Host:`) is left out altogether.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        let length = body.map_or(String::new(), |body| body.len().to_string());
        let mut usual = vec![("Host", self.host.as_str())];
        if body.is_some() {
            usual.extend([("Content-Type", "application/json"), ("Content-Length", length.as_str())]);
        }
        usual.retain(|(name, _)| !headers.iter().any(|(said, _)| said.eq_ignore_ascii_case(name)));
        for (name, value) in usual.iter().chain(headers).filter(|(_, value)| !value.is_empty()) {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.unwrap_or_default());
        bytes
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let bytes = self.request(method, path, headers, body.map(str::as_bytes));
        self.send_bytes(&bytes);
        self.answer(method)
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.call("GET", path, &[], None)
    }

    /// The JSON of a page or record that must be there.
    pub(crate) fn json(&mut self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "GET {path}: {answer}");
        answer.json()
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the server reads what is sent");
    }

    /// Sends what the server may refuse to read to its end.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Nothing more will come from here.
    pub(crate) fn finish(&mut self) {
        let _closed_by_the_server_already = self.reader.get_ref().shutdown(Shutdown::Write);
    }

    /// The answer to a request of this method.
    pub(crate) fn answer(&mut self, method: &str) -> Answer {
        self.try_answer(method).unwrap_or_else(|error| panic!("{method} was not answered within 15 s: {error}"))
    }

    pub(crate) fn try_answer(&mut self, method: &str) -> io::Result<Answer> {
        let (status, headers) = loop {
            let (status, headers) = self.head()?;
            // An interim answer (`100 Continue`) comes before the one that counts.
            if status >= 200 {
                break (status, headers);
            }
        };
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method != "HEAD" && status != 204 && status != 304 {
            answer.body = self.body(&answer)?;
        }
        Ok(answer)
    }

    pub(crate) fn head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let first = line(&mut self.reader)?;
        let status = first
            .strip_prefix("HTTP/1.1 ")
            .or(first.strip_prefix("HTTP/1.0 "))
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("not a status line: {first:?}")))?;
        let mut headers = Vec::new();
        loop {
            let header = line(&mut self.reader)?;
            if header.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = header.split_once(':').unwrap_or_else(|| panic!("not a header: {header:?}"));
            headers.push((name.to_owned(), value.trim().to_owned()));
            assert!(headers.len() <= HEADERS_MAX, "headers without end");
        }
    }

    fn body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        match (answer.header("Transfer-Encoding"), answer.header("Content-Length")) {
            (Some(_), Some(_)) => panic!("Transfer-Encoding and Content-Length in one answer"),
            (Some(coding), None) => {
                assert!(coding.eq_ignore_ascii_case("chunked"), "a coding that was not asked for: {coding}");
                while let Some(chunk) = self.chunk()? {
                    body.extend_from_slice(&chunk);
                }
            }
            (None, Some(length)) => {
                body.resize(length.parse().unwrap_or_else(|_| panic!("not a length: {length:?}")), 0);
                self.reader.read_exact(&mut body)?;
            }
            (None, None) => {
                self.reader.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    /// The next chunk of a chunked body, `None` at its end.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = line(&mut self.reader)?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let count = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("not the size of a chunk: {size:?}"));
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        assert_eq!(line(&mut self.reader)?, "", "a chunk ends with CR LF (and the last has no trailers)");
        Ok((count > 0).then_some(bytes))
    }

    /// How many bytes are there to read, which are thrown away; 0 is the end, `None` that nothing is there yet.
    pub(crate) fn try_read_some(&mut self) -> Option<usize> {
        match self.reader.read(&mut [0; 4096]) {
            Ok(count) => Some(count),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            Err(_reset) => Some(0),
        }
    }

    /// Whether the server closes the connection; one that stays open past the time limit does not.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.reader.read(&mut [0]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(said, _)| said.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The media type without its parameters.
    pub(crate) fn media_type(&self) -> String {
        self.header("Content-Type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("answers are UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// The connection is gone after this answer.
    pub(crate) fn is_last(&self) -> bool {
        self.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{} {} {body:.2000}", self.status, self.header("Content-Type").unwrap_or_default())
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    // Cut in its middle, as by a kill, a line is no line.
    if reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let not_http = || io::Error::new(io::ErrorKind::InvalidData, format!("a line ends with CR LF, not so: {line:?}"));
    Ok(line.strip_suffix("\r\n").ok_or_else(not_http)?.to_owned())
}

#[test]
fn answers_are_read_by_length_and_by_chunks_one_after_another() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    let canned: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n\
        HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\ngone";
    let serving = std::thread::spawn(move || listener.accept().expect("a client").0.write_all(canned));
    let stream = TcpStream::connect(address).expect("it listens");
    let mut http = Http { reader: BufReader::new(stream), host: String::new() };
    assert_eq!(http.answer("GET").json(), serde_json::json!({}));
    assert_eq!(http.answer("GET").json(), serde_json::json!([1, 2]));
    assert_eq!(http.answer("DELETE").status, 204);
    let last = http.answer("GET");
    assert!((last.status, last.text().as_str(), last.is_last()) == (404, "gone", true) && http.is_closed());
    serving.join().expect("it ends").expect("written");
}
