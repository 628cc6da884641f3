//! Crowds and odd clients: what they cost the server's process, as the kernel counts it.
//!
//! Never here: what the server says of itself, other than where a test asks it over its socket.

mod process;

pub use process::Process;

use crate::support::{Connection, Value, clock};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::time::Duration;

/// A figure of `INFO`.
pub fn figure(connection: &mut Connection, name: &str) -> io::Result<u64> {
    let info = connection.say("INFO everything")?;
    let lines = info.text().unwrap_or_default().lines();
    let found = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok()).next();
    found.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no {name} in {info}")))
}

/// Waits until a figure of `INFO` is as wanted, longer than any of these takes on a busy machine.
pub fn figure_becomes(connection: &mut Connection, name: &str, wanted: impl Fn(u64) -> bool) -> Result<u64, String> {
    const MS_MAX: u64 = 30_000;
    let mut last = None;
    let found = clock::eventually(MS_MAX, || {
        let figure = figure(connection, name).ok()?;
        last = Some(figure);
        wanted(figure).then_some(figure)
    });
    found.ok_or_else(|| format!("{name} is {last:?} after {MS_MAX} ms"))
}

/// The connection ends with a reset, as if its machine had gone: no goodbye, and nothing more is taken.
pub fn break_off(connection: Connection) -> io::Result<()> {
    rustix::net::sockopt::set_socket_linger(connection.socket(), Some(Duration::ZERO))?;
    drop(connection);
    Ok(())
}

/// How many files this process may open, raised as far as it goes.
pub fn raise_open_files() -> io::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    // None: without a limit.
    Ok(maximum.unwrap_or(u64::MAX))
}

/// The word that says how a verb went: its state, or its error's first word.
pub fn outcome(value: &Value) -> String {
    let state = value.field("state").and_then(Value::text);
    let word = state.or_else(|| value.error()?.split(' ').next());
    word.map_or_else(|| value.to_string(), str::to_owned)
}
