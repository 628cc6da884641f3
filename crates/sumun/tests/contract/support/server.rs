//! One server under test: the real binary as a child on a fresh data directory, killed by its pid when it is dropped.

use super::{Client, world};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const READY_MS_MAX: u64 = 20_000;
const EXIT_MS_MAX: u64 = 35_000;
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_sumun");

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    directory: PathBuf,
    flags: Vec<String>,
    /// What starts the binary: nothing, or a shell that prepares what it inherits.
    before: &'static [&'static str],
    pub(crate) resp: SocketAddr,
    /// The line that the server printed when it was ready.
    pub(crate) ready: String,
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::start_with(&[])
    }

    pub(crate) fn start_with(flags: &[&str]) -> Server {
        Server::start_after(&[], flags)
    }

    /// One whose writes past `file_size_max` fail instead of ending it.
    pub(crate) fn start_on_a_disk_that_can_fail(flags: &[&str]) -> Server {
        Server::start_after(&["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""], flags)
    }

    fn start_after(before: &'static [&'static str], flags: &[&str]) -> Server {
        let directory = fresh_directory();
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (child, ready, resp) = launch(before, &directory.join("data"), &flags);
        Server { child, directory, flags, before, resp, ready }
    }

    /// From now on no file grows past so many bytes, or all may again (`unlimited`).
    pub(crate) fn file_size_max(&self, limit: &str) {
        let pid = self.pid();
        let set = Command::new("prlimit").args(["--pid", pid, &format!("--fsize={limit}:unlimited")]).status();
        assert!(set.expect("`prlimit` is on every Linux").success(), "the limit of {pid} can be set");
    }

    /// The server's process, as its ready line names it.
    pub(crate) fn pid(&self) -> &str {
        let named = self.ready.split_whitespace().find_map(|word| word.strip_prefix("pid="));
        named.unwrap_or_else(|| panic!("no `pid=` in the ready line {:?}", self.ready))
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// A new connection in RESP2.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.resp)
    }

    /// SIGKILL, as an operator's last resort or the kernel's: nothing is said to the server.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server is our child and still runs");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// SIGTERM, then its exit.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("`kill` is on every Linux");
        assert!(sent.success(), "the server with pid {pid} was gone before SIGTERM");
        world::eventually(EXIT_MS_MAX, || self.child.try_wait().expect("the server is our child"))
            .expect("the server ends within its grace")
    }

    /// Starts again on the same data. The port may be another.
    pub(crate) fn start_again(&mut self) {
        let (child, ready, resp) = launch(self.before, &self.data(), &self.flags);
        (self.child, self.ready, self.resp) = (child, ready, resp);
    }

    /// Runs a command of the binary to its end.
    pub(crate) fn command(arguments: &[&str]) -> Output {
        Command::new(BINARY)
            .args(arguments)
            .stdin(Stdio::null())
            .env_clear()
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .output()
            .expect("the binary was built for these tests")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, or ended now: either way no process is left behind, and neither matters to the test's verdict.
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
        if !std::thread::panicking() {
            let _left_behind = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Waits for the line that says where the server listens.
pub(crate) fn wait_until_ready(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take().expect("stdout is piped");
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        if let Some(Ok(line)) = lines.next() {
            let _nobody_waits = sender.send(line);
        }
        // Read on, so that a server which prints more is never stopped by a full pipe.
        lines.for_each(drop);
    });
    receiver.recv_timeout(Duration::from_millis(READY_MS_MAX)).ok()
}

/// What stands behind `name=` in the ready line.
pub(crate) fn address(ready: &str, name: &str) -> Option<SocketAddr> {
    ready.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

pub(crate) fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // A pid comes back one day, and what a failed test left behind must not be found by another.
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("the directory of an earlier run can be removed");
    }
    fs::create_dir_all(&directory).expect("the target directory is writable");
    directory
}

fn launch(before: &[&str], data: &Path, flags: &[String]) -> (Child, String, SocketAddr) {
    let words: Vec<&str> = before.iter().copied().chain([BINARY, "serve"]).collect();
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .arg("--data")
        .arg(data)
        .args(["--resp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .args(flags)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built for these tests");
    let Some(ready) = wait_until_ready(&mut child) else {
        let _already_gone = child.kill();
        panic!("the server did not say that it is ready: {:?}", child.wait());
    };
    let resp = address(&ready, "resp").unwrap_or_else(|| panic!("no `resp=` address in the ready line {ready:?}"));
    (child, ready, resp)
}
