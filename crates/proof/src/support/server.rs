//! The real server as a child process: started, killed, started again on the same data. Its stderr is kept in a file
//! beside the data. Dropping it kills it, by its pid.

use super::{Connection, Web, binary, clock};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const READY_MS_MAX: u64 = 60_000;
const EXIT_MS_MAX: u64 = 35_000;

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub data: PathBuf,
    pub flags: Vec<String>,
    /// The whole environment: none is inherited.
    pub environment: Vec<(String, String)>,
}

impl Setup {
    /// Below this folder: data in `data`, the server's words in `stderr`.
    pub fn below(folder: &Path) -> Setup {
        Setup { data: folder.join("data"), ..Setup::default() }
    }
}

#[derive(Debug)]
pub struct Server {
    child: Child,
    setup: Setup,
    pub resp: SocketAddr,
    pub http: SocketAddr,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub fn start(setup: &Setup) -> Result<Server, String> {
        let mut child = Server::launch(setup)?;
        let Some(ready) = wait_until_ready(&mut child) else {
            let _already_gone = child.kill();
            let status = child.wait();
            return Err(format!("the server did not say that it is ready ({status:?}): {}", words(&setup.data)));
        };
        let address = |name: &str| ready.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
        let (Some(resp), Some(http)) = (address("resp="), address("http=")) else {
            let _already_gone = child.kill();
            let _status = child.wait();
            return Err(format!("no `resp=` or `http=` address in the ready line {ready:?}"));
        };
        Ok(Server { child, setup: setup.clone(), resp, http })
    }

    /// Starts it and waits for nothing. Whoever calls kills it.
    pub fn launch(setup: &Setup) -> Result<Child, String> {
        let said = fs::File::options().create(true).append(true).open(words_path(&setup.data));
        Command::new(binary::sumun())
            .arg("serve")
            .arg("--data")
            .arg(&setup.data)
            .args(["--resp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(&setup.flags)
            .env_clear()
            .envs(setup.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said.map_err(|error| format!("cannot keep the server's words: {error}"))?)
            .spawn()
            .map_err(|error| format!("cannot start the server: {error}"))
    }

    pub fn data(&self) -> &Path {
        &self.setup.data
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.resp)
    }

    pub fn web(&self) -> io::Result<Web> {
        Web::open(self.http)
    }

    /// SIGKILL, as an operator's last resort or the kernel's: nothing is said to the server.
    pub fn kill(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
            Ok(None) => {}
            other => {
                return Err(format!("the server was gone before its kill ({other:?}): {}", words(&self.setup.data)));
            }
        }
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(|error| format!("no kill: {error}"))
    }

    /// SIGTERM, then its exit.
    pub fn terminate(&mut self) -> Result<ExitStatus, String> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).map_err(|error| format!("no SIGTERM: {error}"))?;
        self.exit(EXIT_MS_MAX).ok_or_else(|| format!("no exit within {EXIT_MS_MAX} ms"))
    }

    /// Its exit, if it comes within so many milliseconds.
    pub fn exit(&mut self, within_ms: u64) -> Option<ExitStatus> {
        clock::eventually(within_ms, || self.child.try_wait().ok().flatten())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, or ended now: no process is left behind.
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn words_path(data: &Path) -> PathBuf {
    data.with_file_name("stderr")
}

/// The last of what servers on this data have said.
pub fn words(data: &Path) -> String {
    const BYTES_MAX: usize = 8 << 10;
    let said = fs::read(words_path(data)).unwrap_or_default();
    String::from_utf8_lossy(&said[said.len().saturating_sub(BYTES_MAX)..]).into_owned()
}

/// What failed on this data, where, and what its server said.
pub(crate) fn with_words(at: &str, why: &str, data: &Path) -> String {
    format!("{at}: {why}\nthe server said: {}", words(data))
}

fn wait_until_ready(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
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

/// `sumun verify` of this data: what it says, or how it fails when it is not clean.
pub fn verify(data: &Path) -> Result<String, String> {
    let done = Command::new(binary::sumun())
        .arg("verify")
        .arg("--data")
        .arg(data)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start `sumun verify`: {error}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(said) } else { Err(format!("`sumun verify` is not clean, {}: {said}", done.status)) }
}
