//! The binary and its HTTP: where it listens, what it refuses, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("http-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("created");
        Scratch(path)
    }
    fn serve(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sumun"));
        command.args(["serve", "--data", "data", "--resp", "127.0.0.1:0"]).args(more);
        command.current_dir(&self.0).env_clear().stdin(Stdio::null());
        command
    }
    fn start(&self, more: &[&str]) -> Server {
        let mut child = self.serve(more).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("a ready line");
        Server { child, line }
    }
    fn fails(&self, more: &[&str]) -> Output {
        self.serve(more).output().expect("the binary runs")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Server {
    child: Child,
    line: String,
}

impl Server {
    fn word(&self, name: &str) -> &str {
        let found = self.line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("no {name}= in {:?}", self.line))
    }
    fn connect(&self) -> TcpStream {
        let address: SocketAddr = self.word("http").parse().expect("an address");
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream
    }
    /// The whole answer, as it came.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = self.connect();
        let head = "host: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n";
        let request = format!("{method} {path} HTTP/1.1\r\n{head}content-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).expect("it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("`kill` is there").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_ready_line_says_where_http_is_and_a_restart_finds_what_was_written() {
    let scratch = Scratch::new();
    let mut server = scratch.start(&["--http", "127.0.0.1:0"]);
    let receipt = server.ask("POST", "/v1/items/shoe/receipts", r#"{"id":"m","quantity":5}"#);
    assert!(receipt.starts_with("HTTP/1.1 201 "), "{receipt}");
    let mut idle = server.connect();
    server.terminate();
    assert!(server.child.wait().expect("it ends").success());
    let mut rest = Vec::new();
    assert!(idle.read_to_end(&mut rest).is_ok() && rest.is_empty());
    let again = scratch.start(&["--http", "127.0.0.1:0"]);
    let replay = again.ask("POST", "/v1/items/shoe/receipts", r#"{"id":"m","quantity":5}"#);
    assert!(replay.starts_with("HTTP/1.1 200 ") && replay.contains("idempotency-replayed: true\r\n"), "{replay}");
    let page = again.ask("GET", "/v1/items", "");
    assert!(page.contains(r#""items":[{"sku":"shoe""#), "{page}");
}

#[test]
fn a_stop_answers_what_was_asked_before_it() {
    let scratch = Scratch::new();
    let mut server = scratch.start(&["--http", "127.0.0.1:0"]);
    let streams: Vec<TcpStream> = (0..50).map(|_| server.connect()).collect();
    for (n, mut stream) in streams.iter().enumerate() {
        let body = format!(r#"{{"id":"m{n}","quantity":1}}"#);
        let head = "host: localhost\r\ncontent-type: application/json\r\n";
        write!(stream, "POST /v1/items/a/receipts HTTP/1.1\r\n{head}content-length: {}\r\n\r\n{body}", body.len())
            .expect("it is taken");
    }
    // The first answer shows that they have been read; a stop closes who has not asked.
    let mut first = [0; 12];
    (&streams[49]).read_exact(&mut first).expect("an answer");
    server.terminate();
    for mut stream in &streams[..49] {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer and an end");
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer:?}");
    }
    assert!(server.child.wait().expect("it ends").success());
}

#[test]
fn http_can_be_turned_off_and_others_are_kept_out_unless_told_otherwise() {
    let scratch = Scratch::new();
    assert_eq!(scratch.start(&["--http", "-"]).word("http"), "-");
    for flags in [&["--http", "0.0.0.0:0"][..], &["--http", "-", "--resp=0.0.0.0:0"], &["--http", "[::]:0"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sumun"));
        let refused = command.args(["serve", "--data", "other"]).args(flags).current_dir(&scratch.0).env_clear();
        let refused = refused.output().expect("the binary runs");
        assert_eq!(refused.status.code(), Some(2), "{flags:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--expose"), "{refused:?}");
    }
    let open = scratch.start(&["--http", "0.0.0.0:0", "--expose"]);
    assert!(open.word("http").starts_with("0.0.0.0:"));
}

#[test]
fn an_address_that_is_taken_is_told_before_the_log_is_touched() {
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = scratch.fails(&["--http", &address]);
    assert_eq!(refused.status.code(), Some(4));
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains(&address) && told.contains("--http names another address"), "{told}");
    assert!(!scratch.0.join("data").exists());
}
