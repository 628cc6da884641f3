//! A whole server in this process, and a client that sends bytes and reads answers strictly.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use sumun_engine::env::{System, Threads};
use sumun_engine::{Engine, Opened, Shelves};
use sumun_http::{Limits, Listener, Options};
use sumun_log::faulty::FaultyDisk;
use sumun_log::{FileLog, LogId, Setup};
use sumun_server::{Ended, Reactor, Shard, Stop};
use sumun_store::Twin;

/// Longer than anything here takes, so that a test that hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) http: SocketAddr,
    pub(crate) resp: SocketAddr,
    pub(crate) disk: FaultyDisk,
    stop: Stop,
    reactor: Option<JoinHandle<Ended>>,
    web: Option<JoinHandle<()>>,
}

pub(crate) fn start() -> Server {
    start_with(FaultyDisk::new(1), Options::default())
}

pub(crate) fn limits() -> Limits {
    Limits { idle_ms: 60_000, head_ms: 60_000, body_ms: 60_000, stall_ms: 60_000 }
}

pub(crate) fn start_with(disk: FaultyDisk, options: Options) -> Server {
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut reactor = Reactor::bind(sumun_server::Options::new(any), None).expect("it binds");
    let (resp, stop) = (reactor.address(), reactor.stopper());
    let listener = Listener::bind(any).expect("it binds");
    let http = listener.address();
    let handover = reactor.handover();
    let web = std::thread::spawn(move || listener.serve(&handover, options).expect("it serves"));
    let mut shard = Shard::new(engine(&disk, &reactor));
    let (tell, told) = mpsc::channel();
    let reactor = std::thread::spawn(move || {
        let ended = reactor.run(&mut shard, |_| tell.send(()).expect("the test waits")).expect("it runs");
        shard.into_engine().close().expect("the log closes");
        ended
    });
    told.recv_timeout(PATIENCE).expect("it is ready");
    Server { http, resp, disk, stop, reactor: Some(reactor), web: Some(web) }
}

fn engine(disk: &FaultyDisk, reactor: &Reactor) -> Engine {
    let (disk, waker) = (disk.clone(), reactor.waker());
    let wake = move || waker.wake().expect("the loop is there");
    let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
    let wakes = Arc::clone(&wake);
    let opener = Box::new(move || {
        let (log, report) = FileLog::open(Setup {
            disk: Arc::new(disk.clone()),
            data: PathBuf::from("/data"),
            shard: 0,
            fresh: LogId([7; 16]),
            expected: None,
            crew: Arc::new(Threads),
            wake: Arc::clone(&wakes) as _,
            options: sumun_log::Options { segment_bytes: 8 << 20, ..sumun_log::Options::default() },
        })?;
        Ok(Opened { log: Box::new(log), report })
    });
    let month_ms = 30 * 24 * 60 * 60 * 1_000;
    let options = sumun_engine::Options {
        shard: 0,
        memory: 1 << 30,
        retention_ms: month_ms,
        log_retention_ms: month_ms,
        stage_after_ms: 500,
        accept_clock: false,
    };
    let shelves = || Shelves::beside(Box::new(Twin::new(1)), &Threads, &wake);
    Engine::open(options, Box::new(System::new()), opener, shelves).expect("the log opens").0
}

impl Server {
    pub(crate) fn connect(&self) -> Client {
        Client::new(self.http)
    }
    /// One request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        self.connect().ask(method, path, body)
    }
    pub(crate) fn stop(&self) {
        self.stop.stop().expect("the loop is there");
    }
    pub(crate) fn end(mut self) -> Ended {
        self.stop();
        self.web.take().expect("it ends once").join().expect("it ends well");
        self.reactor.take().expect("it ends once").join().expect("it ends well")
    }
    /// A metric without labels, or with exactly these.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.ask("GET", "/metrics", "").text();
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
    }
    pub(crate) fn wait_for(&self, what: &str, mut done: impl FnMut(&Server) -> bool) {
        for _ in 0..2_000 {
            if done(self) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("{what} did not happen");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.disk.release_syncs();
        if let Some(reactor) = self.reactor.take() {
            self.stop();
            let web = self.web.take().is_none_or(|web| web.join().is_ok());
            let ended = reactor.join().is_ok() && web;
            assert!(ended || std::thread::panicking(), "the server failed");
        }
    }
}

/// A connection of HTTP/1.1.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    reader: BufReader<TcpStream>,
    host: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(json["status"], self.status);
        assert_eq!(json["retryable"], self.status == 503);
        assert_eq!(self.header("retry-after").is_some(), self.status == 503);
        json["code"].as_str().expect("a code").to_owned()
    }
    /// `200`, or `409 conflict`.
    pub(crate) fn said(&self) -> String {
        if self.status < 300 { self.status.to_string() } else { format!("{} {}", self.status, self.code()) }
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let reader = BufReader::new(stream.try_clone().expect("a second handle"));
        Client { stream, reader, host: address.to_string() }
    }
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        (&self.stream).write_all(bytes.as_ref()).expect("it is taken");
    }
    /// Of which the server may have had enough before its end.
    pub(crate) fn try_send(&self, bytes: impl AsRef<[u8]>) {
        let _ = (&self.stream).write_all(bytes.as_ref());
    }
    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        let typed = headers.to_ascii_lowercase().contains("content-type:");
        let kind = if body.is_empty() || typed { "" } else { "content-type: application/json\r\n" };
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{kind}{length}{headers}\r\n", self.host);
        [head.as_bytes(), body].concat()
    }
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &str) -> Reply {
        self.ask_with(method, path, "", body)
    }
    /// `headers` are whole lines.
    pub(crate) fn ask_with(&mut self, method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
        self.send(self.request(method, path, headers, body));
        self.reply_to(method).expect("an answer")
    }
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        self.reply_to("GET")
    }
    /// `None`: the connection has ended instead.
    pub(crate) fn reply_to(&mut self, method: &str) -> Option<Reply> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("no answer: {error}"),
        }
        let status =
            line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let mut headers = Vec::new();
        loop {
            line.clear();
            self.reader.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        if status == 100 {
            return self.reply_to(method);
        }
        if method != "HEAD" && status != 204 {
            let length = reply.header("content-length").unwrap_or_else(|| panic!("no length: {reply:?}"));
            reply.body = vec![0; length.parse().expect("a length")];
            self.reader.read_exact(&mut reply.body).expect("the body");
        }
        Some(reply)
    }
    pub(crate) fn is_silent(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(150))).expect("a timeout");
        let silent = self.reader.fill_buf().is_err();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        silent
    }
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
    pub(crate) fn finish(&self) {
        // Who has closed already hears nothing more.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// A line of RESP, for what HTTP does not say.
pub(crate) fn resp(server: &Server, command: &str) -> String {
    let mut stream = TcpStream::connect(server.resp).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(format!("{command}\n").as_bytes()).expect("it is taken");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("a reply");
    line.trim_end().to_owned()
}
