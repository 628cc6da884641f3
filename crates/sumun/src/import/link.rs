//! The way to the server: batches of commands in MULTI and EXEC, one at a time, so that all of a batch is done in its
//! order or nothing of it. A batch that was not answered is sent again: its ids make that safe.

use crate::caps::{CONNECT_TIMEOUT, IMPORT_LOOK, IMPORT_PAUSE, IMPORT_PAUSE_MAX, REPLY_BYTES_MAX};
use crate::clock::{Clock, pause};
use crate::failure::Failure;
use crate::resp::{self, Value};
use anyhow::anyhow;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    stream: Option<TcpStream>,
    input: Vec<u8>,
    /// How long nothing may be answered until it is given up.
    patience: Duration,
    /// Since the last answer.
    quiet: Clock,
    stop: Arc<AtomicBool>,
    /// What is wrong just now, for whoever watches.
    pub(crate) trouble: Option<String>,
}

/// Why a batch was not answered.
#[derive(Debug)]
enum Miss {
    /// Connection or server: it may pass.
    Moment(String, Duration),
    /// The server does nothing of it: too much for one EXEC.
    TooMuch(String),
    Never(Failure),
}

#[derive(Debug)]
pub(crate) enum Ended {
    Stopped,
    GivenUp(String),
    Failed(Failure),
}

impl Link {
    pub(crate) fn new(address: SocketAddr, patience: Duration, stop: Arc<AtomicBool>) -> Link {
        let quiet = Clock::start();
        Link { address, stream: None, input: Vec::new(), patience, quiet, stop, trouble: None }
    }

    /// Has all commands done in their order, and gives an answer a command. `watch` is called while it waits.
    pub(crate) fn exec(
        &mut self,
        commands: &[Vec<u8>],
        watch: &mut dyn FnMut(Option<&str>),
    ) -> Result<Vec<Value>, Ended> {
        let mut answers = Vec::with_capacity(commands.len());
        let mut parts = vec![commands];
        while let Some(part) = parts.pop() {
            match self.insist(part, watch)? {
                Ok(more) => answers.extend(more),
                Err(why) if part.len() <= 1 => {
                    let text = why.strip_prefix("EXECABORT ").unwrap_or(&why);
                    answers.extend(part.iter().map(|_| Value::Error(format!("INVALID {text}"))));
                }
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
        }
        Ok(answers)
    }

    /// Sends one EXEC until it is answered; the inner error says that it was too much.
    fn insist(
        &mut self,
        commands: &[Vec<u8>],
        watch: &mut dyn FnMut(Option<&str>),
    ) -> Result<Result<Vec<Value>, String>, Ended> {
        self.quiet = Clock::start();
        let mut tries = 0;
        loop {
            match self.attempt(commands) {
                Ok(answers) => {
                    self.trouble = None;
                    return Ok(Ok(answers));
                }
                Err(Miss::TooMuch(why)) => return Ok(Err(why)),
                Err(Miss::Never(failure)) => return Err(Ended::Failed(failure)),
                Err(Miss::Moment(why, after)) => {
                    if self.quiet.elapsed() > self.patience {
                        return Err(Ended::GivenUp(why));
                    }
                    watch(Some(&why));
                    self.trouble = Some(why);
                    // Twice as long each time, so that a server in trouble is not asked without end.
                    let after = after.max(IMPORT_PAUSE * 2_u32.pow(tries)).min(IMPORT_PAUSE_MAX);
                    tries = (tries + 1).min(8);
                    self.wait(after)?;
                }
            }
        }
    }

    fn wait(&self, time: Duration) -> Result<(), Ended> {
        let clock = Clock::start();
        while let Some(left) = time.checked_sub(clock.elapsed()) {
            if self.is_stopped() {
                return Err(Ended::Stopped);
            }
            pause(left.min(IMPORT_LOOK));
        }
        if self.is_stopped() { Err(Ended::Stopped) } else { Ok(()) }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn attempt(&mut self, commands: &[Vec<u8>]) -> Result<Vec<Value>, Miss> {
        let result = self.connect().and_then(|()| self.exchange(commands));
        if result.is_err() {
            // Whatever may still come on it belongs to nobody; a transaction half queued ends with it.
            self.stream = None;
        }
        result
    }

    fn connect(&mut self) -> Result<(), Miss> {
        if self.stream.is_some() {
            return Ok(());
        }
        let moment = |error: io::Error| Miss::Moment(format!("no server at {}: {error}", self.address), Duration::ZERO);
        let stream = TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT).map_err(moment)?;
        stream.set_nodelay(true).map_err(moment)?;
        stream.set_read_timeout(Some(IMPORT_LOOK)).map_err(moment)?;
        stream.set_write_timeout(Some(CONNECT_TIMEOUT)).map_err(moment)?;
        self.stream = Some(stream);
        self.input.clear();
        let mut hello = Vec::new();
        resp::command(&mut hello, &["HELLO", "3"]);
        self.send(&hello)?;
        match self.receive()? {
            Value::Error(text) => Err(judged(&text)),
            Value::Null | Value::Integer(_) | Value::Text(_) | Value::Array(_) | Value::Map(_) => Ok(()),
        }
    }

    fn exchange(&mut self, commands: &[Vec<u8>]) -> Result<Vec<Value>, Miss> {
        let size = commands.iter().map(Vec::len).sum::<usize>();
        let mut bytes = Vec::with_capacity(size + 64);
        resp::command(&mut bytes, &["MULTI"]);
        commands.iter().for_each(|command| bytes.extend_from_slice(command));
        resp::command(&mut bytes, &["EXEC"]);
        self.send(&bytes)?;
        let mut refused = None;
        for _ in 0..=commands.len() {
            if let Value::Error(text) = self.receive()? {
                refused.get_or_insert(text);
            }
        }
        match (self.receive()?, refused) {
            (Value::Array(answers), _) if answers.len() == commands.len() => {
                let again = answers.iter().find_map(|answer| match answer {
                    Value::Error(text) => passing(text),
                    Value::Null | Value::Integer(_) | Value::Text(_) | Value::Array(_) | Value::Map(_) => None,
                });
                again.map_or(Ok(answers), Err)
            }
            (Value::Error(_), Some(text)) if passing(&text).is_some() => Err(judged(&text)),
            (Value::Error(text), None) if !text.starts_with("EXECABORT") => Err(judged(&text)),
            (Value::Error(_), Some(text)) if !text.starts_with("ERR the transaction is too big") => Err(judged(&text)),
            (Value::Error(text), _) => Err(Miss::TooMuch(text)),
            (other, _) => Err(Miss::Never(anyhow!("EXEC was answered with {other:?}").into())),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Miss> {
        let stream = self.stream.as_mut().expect("it was connected");
        stream.write_all(bytes).map_err(|error| lost(self.address, &error.to_string()))
    }

    fn receive(&mut self) -> Result<Value, Miss> {
        let mut chunk = [0; 64 << 10];
        loop {
            if let Some((value, used)) = self.parsed()? {
                self.input.drain(..used);
                return Ok(value);
            }
            if self.input.len() > REPLY_BYTES_MAX {
                return Err(lost(self.address, "a reply without end"));
            }
            let stream = self.stream.as_mut().expect("it was connected");
            match stream.read(&mut chunk) {
                Ok(0) => return Err(lost(self.address, "the connection was closed")),
                Ok(length) => self.input.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if self.is_stopped() || self.quiet.elapsed() > self.patience {
                        return Err(lost(self.address, "it takes too long"));
                    }
                }
                Err(error) => return Err(lost(self.address, &error.to_string())),
            }
        }
    }

    fn parsed(&self) -> Result<Option<(Value, usize)>, Miss> {
        let never = |malformed: resp::Malformed| Miss::Never(Failure::Other(malformed.into()));
        match resp::scan(&self.input).map_err(never)? {
            None => Ok(None),
            Some(_) => resp::parse(&self.input).map_err(never),
        }
    }
}

fn lost(address: SocketAddr, why: &str) -> Miss {
    Miss::Moment(format!("no answer from {address}: {why}"), Duration::ZERO)
}

/// What may pass, and after what time.
fn passing(text: &str) -> Option<Miss> {
    let after = match text.split(' ').next().unwrap_or_default() {
        "OVERLOADED" => {
            let ms = text.split(' ').find_map(|word| word.parse().ok()).unwrap_or(0);
            Duration::from_millis(ms)
        }
        "MISCONF" | "LOADING" => Duration::from_millis(250),
        "ERR" if text.contains("max number of clients") => Duration::from_millis(250),
        _ => return None,
    };
    Some(Miss::Moment(text.to_owned(), after))
}

fn judged(text: &str) -> Miss {
    passing(text).unwrap_or_else(|| Miss::Never(Failure::Other(anyhow!("{text}"))))
}
