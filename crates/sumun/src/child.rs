//! A server of our own as a child process, for `demo` and `bench --spawn`. It never outlives its parent, and takes
//! nothing from the shell's configuration.

use crate::caps::{READY_LINE_BYTES_MAX, READY_TIMEOUT, SERVER_LOG_TAIL_BYTES, STOP_TIMEOUT};
use crate::clock::Clock;
use crate::config;
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use mio::unix::pipe::Receiver;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::process::{Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const LOG_NAME: &str = "server.log";

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    out: Receiver,
    line: Vec<u8>,
    log: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) resp: SocketAddr,
}

/// What the child's stdout has said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Ready(Ready),
    /// The process has ended, or is about to.
    Closed,
}

impl Server {
    /// Starts `sumun serve` on `directory/data`. What it logs goes to a file beside it.
    pub(crate) fn start(directory: &Path, resp: SocketAddr) -> Result<Server, Failure> {
        let log = directory.join(LOG_NAME);
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let program = std::env::current_exe().context("cannot find this program itself")?;
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg("--data")
            .arg(data(directory))
            .arg("--resp")
            .arg(resp.to_string())
            .args(["--http", "-"]);
        config::forget_variables(&mut command);
        // A sumun.toml of the working directory is not meant for it; the terminal's Ctrl-C is not either.
        command.current_dir(directory).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let parent = Some(getpid());
        // SAFETY: between fork and exec only prctl and getppid are called, which may be called there.
        unsafe {
            command.pre_exec(move || die_with(parent));
        }
        let mut child = command.spawn().context("cannot start `sumun serve`")?;
        let out = child.stdout.take().expect("stdout is piped");
        let out = Receiver::from(out);
        out.set_nonblocking(true)?;
        Ok(Server { child, out, line: Vec::new(), log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Puts its stdout on a poll: `hear` when the token is told.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.out, token, Interest::READABLE)
    }

    /// Takes it off again: it can be on one poll at a time.
    pub(crate) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        registry.deregister(&mut self.out)
    }

    pub(crate) fn hear(&mut self) -> io::Result<Heard> {
        let mut chunk = [0; 512];
        loop {
            match self.out.read(&mut chunk) {
                Ok(0) => return Ok(Heard::Closed),
                Ok(length) => self.line.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            if self.line.len() > READY_LINE_BYTES_MAX {
                return Err(io::Error::other("the server says more than its ready line"));
            }
        }
        let Some(end) = self.line.iter().position(|&b| b == b'\n') else { return Ok(Heard::Nothing) };
        let line: Vec<u8> = self.line.drain(..=end).collect();
        let line = String::from_utf8_lossy(&line);
        match ready(&line) {
            Some(ready) => Ok(Heard::Ready(ready)),
            None => Err(io::Error::other(format!("not a ready line: {}", line.trim_end()))),
        }
    }

    /// Waits until it is ready.
    pub(crate) fn wait_ready(&mut self) -> Result<Ready, Failure> {
        let heard = self.wait(READY_TIMEOUT, |heard| *heard != Heard::Nothing)?;
        match heard {
            Some(Heard::Ready(ready)) => Ok(ready),
            Some(Heard::Closed) => Err(self.failed_start()),
            Some(Heard::Nothing) | None => Err(anyhow!(
                "`sumun serve` was not ready after {} s; its log is {}",
                READY_TIMEOUT.as_secs(),
                self.log.display()
            )
            .into()),
        }
    }

    fn wait(&mut self, limit: Duration, enough: impl Fn(&Heard) -> bool) -> Result<Option<Heard>, Failure> {
        let mut poll = Poll::new()?;
        self.register(poll.registry(), Token(0))?;
        let mut events = Events::with_capacity(4);
        let clock = Clock::start();
        let found = loop {
            let heard = self.hear()?;
            if enough(&heard) {
                break Some(heard);
            }
            let Some(left) = limit.checked_sub(clock.elapsed()) else { break None };
            match poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
        };
        self.deregister(poll.registry())?;
        Ok(found)
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
    }

    /// Collects it after it has ended by itself.
    pub(crate) fn collect(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Why it ended before it was ready.
    pub(crate) fn failed_start(&mut self) -> Failure {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let said = tail(&self.log).unwrap_or_default();
        anyhow!("`sumun serve` ended before it was ready ({status}); it said:\n{}", said.trim_end()).into()
    }

    /// Asks it to stop as an operator would, and waits for it.
    pub(crate) fn stop(mut self) -> Result<ExitStatus, Failure> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("cannot ask the server to stop")?;
        if self.wait(STOP_TIMEOUT, |heard| *heard == Heard::Closed)?.is_none() {
            self.child.kill()?;
        }
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both do nothing to a process that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The data directory below a directory of ours.
pub(crate) fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// The child ends with its parent; where that has gone already, it is not begun.
fn die_with(parent: Option<Pid>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM))?;
    if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// `sumun ready resp=ADDR http=- pid=PID shard=0 log=LOGID`
fn ready(line: &str) -> Option<Ready> {
    let mut resp = None;
    for word in line.trim_end().strip_prefix("sumun ready ")?.split(' ') {
        if let Some(("resp", value)) = word.split_once('=') {
            resp = value.parse().ok();
        }
    }
    Some(Ready { resp: resp? })
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SERVER_LOG_TAIL_BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.take(SERVER_LOG_TAIL_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_may_gain_words() {
        let check = |line: &str, resp: Option<&str>| {
            assert_eq!(ready(line).map(|ready| ready.resp.to_string()).as_deref(), resp, "{line}");
        };
        check("sumun ready resp=127.0.0.1:6380 http=- pid=7 shard=0 log=ab\n", Some("127.0.0.1:6380"));
        check("sumun ready new=1 resp=[::1]:1 later\n", Some("[::1]:1"));
        check("sumun ready http=-\n", None);
        check("hello\n", None);
    }
}
