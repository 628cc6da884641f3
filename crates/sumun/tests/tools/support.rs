//! The binary, and a server on a scratch directory that can be killed and started again at the same addresses.

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sumun");

pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tools-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("created");
        Scratch(path)
    }
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
    /// Writes a file; gives its name.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.0.join(name), text).expect("written");
        name.to_owned()
    }
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("it is there")
    }

    /// Runs a command to its end, without anything of this shell's.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(&self.command(words).output().expect("the binary runs"))
    }
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.env_clear().env("TMPDIR", &self.0).current_dir(&self.0).args(words).stdin(Stdio::null());
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
    #[track_caller]
    pub(crate) fn ends_with(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

pub(crate) struct Server {
    child: Child,
    pub(crate) resp: String,
    pub(crate) http: String,
    pub(crate) scratch: Scratch,
    flags: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::start_with(&[])
    }
    pub(crate) fn start_with(flags: &[&str]) -> Server {
        let scratch = Scratch::new();
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
        let (child, resp, http) = launch(&scratch, "127.0.0.1:0", "127.0.0.1:0", &flags);
        Server { child, resp, http, scratch, flags }
    }
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }
    /// At the same addresses.
    pub(crate) fn start_again(&mut self) {
        let (child, ..) = launch(&self.scratch, &self.resp, &self.http, &self.flags);
        self.child = child;
    }
    pub(crate) fn stop_for_a_while(&self, stops: bool) {
        let signal = if stops { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("`kill` is on every Linux").success());
    }

    pub(crate) fn import(&self, words: &[&str]) -> Ran {
        self.scratch.run(&[&["item", "import", "--server", &self.resp], words].concat())
    }
    pub(crate) fn export(&self, words: &[&str]) -> Ran {
        self.scratch.run(&[&["item", "export", "--http", &self.http], words].concat())
    }
    /// A verb by the command line.
    pub(crate) fn ask(&self, line: &str) -> Ran {
        let words: Vec<&str> = line.split(' ').chain(["--server", &self.resp]).collect();
        self.scratch.run(&words)
    }
    /// An item's record, or null.
    pub(crate) fn item(&self, sku: &str) -> serde_json::Value {
        let words = ["item", "--json", "--server", &self.resp, "--", sku];
        serde_json::from_str(self.scratch.run(&words).out.trim()).expect("JSON")
    }
    /// A request without a body, in raw HTTP; the whole answer.
    pub(crate) fn http(&self, method: &str, target: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).expect("connected");
        let request = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.http);
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.http("GET", "/metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name}: {text}"))
    }
    /// The log's newest event.
    pub(crate) fn sequence(&self) -> u64 {
        self.metric("sumun_log_sequence") as u64
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(scratch: &Scratch, resp: &str, http: &str, flags: &[String]) -> (Child, String, String) {
    let mut serve = scratch.command(&["serve", "--data", "data", "--resp", resp, "--http", http]);
    let log = fs::File::options().create(true).append(true).open(scratch.path().join("serve.log")).expect("opened");
    let mut child = serve.args(flags).stdout(Stdio::piped()).stderr(log).spawn().expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("a ready line");
    let word = |name: &str| line.split(' ').find_map(|word| word.strip_prefix(name)).map(str::to_owned);
    let (Some(resp), Some(http)) = (word("resp="), word("http=")) else { panic!("{line:?}") };
    (child, resp, http)
}
