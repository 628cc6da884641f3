//! The peers, each started fresh on a folder and a port of its own, and ended by its id.

use super::caps::{PORTS_TRIED, SLOW_SYNC_US, START_MS};
use super::rows::{Disk, Peer};
use crate::support::server::Setup;
use crate::support::shim::library;
use crate::support::{Connection, Scratch, Server, Value, Web, binary, clock};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

#[derive(Debug)]
pub(super) struct Running {
    pub(super) peer: Peer,
    /// Where the load goes.
    pub(super) address: SocketAddr,
    /// Where it is asked what it says of itself; the echo says nothing.
    resp: Option<SocketAddr>,
    /// Of Sumun alone.
    pub(super) http: Option<SocketAddr>,
    pub(super) pid: u32,
    _process: Process,
    /// All that it wrote goes with it: dropped after the process.
    scratch: Scratch,
}

#[derive(Debug)]
enum Process {
    Sumun { _server: Server },
    Other(Child),
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Process::Other(child) = self {
            // Ended already, or ended now: no process is left behind. Sumun's own does the same.
            let _already_gone = child.kill();
            let _status = child.wait();
        }
    }
}

impl Running {
    pub(super) fn start(peer: Peer, disk: Disk) -> Result<Running, String> {
        let scratch = Scratch::new("versus");
        let mut environment = Vec::new();
        if disk == Disk::Slow {
            environment.push(("LD_PRELOAD".to_owned(), library("slow").display().to_string()));
            environment.push(("SLOW_SYNC_US".to_owned(), SLOW_SYNC_US.to_string()));
        }
        match peer {
            Peer::Sumun | Peer::Web => {
                let setup = Setup { environment, ..Setup::below(scratch.path()) };
                let server = Server::start(&setup)?;
                let address = if peer == Peer::Web { server.http } else { server.resp };
                let (resp, pid) = (Some(server.resp), server.pid());
                let http = Some(server.http);
                let process = Process::Sumun { _server: server };
                Ok(Running { peer, address, resp, http, pid, _process: process, scratch })
            }
            Peer::Echo => echo(scratch),
            Peer::Never => redis(peer, scratch, "no", &environment),
            Peer::Always => redis(peer, scratch, "yes", &environment),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) const fn is_redis(&self) -> bool {
        matches!(self.peer, Peer::Never | Peer::Always)
    }

    pub(super) fn connect(&self) -> Result<Connection, String> {
        let address = self.resp.ok_or("this peer speaks no RESP")?;
        Connection::open(address).map_err(|error| format!("{address}: {error}"))
    }

    /// Bytes of the document that one reservation is answered with over HTTP.
    pub(super) fn document_bytes(&self) -> Result<usize, String> {
        let mut web = Web::open(self.address).map_err(|error| format!("{}: {error}", self.address))?;
        let mut post = |path: &str, body: &[u8]| {
            web.ask("POST", path, &[], Some(body)).map_err(|error| format!("POST {path}: {error}"))
        };
        post("/v1/items/s00000000-1000/receipts", br#"{"id":"seen","quantity":1}"#)?;
        let body = br#"{"id":"r00000000-100000","ttl_ms":1,"lines":[{"sku":"s00000000-1000","quantity":1}]}"#;
        let reply = post("/v1/reservations", body)?;
        if reply.head.status != 201 {
            let said = String::from_utf8_lossy(&reply.body);
            return Err(format!("a reservation was answered with {}: {said}", reply.head.status));
        }
        Ok(reply.body.len())
    }

    /// What it says of itself.
    pub(super) fn info(&self) -> Result<Info, String> {
        if self.peer == Peer::Echo {
            return Ok(Info(BTreeMap::new()));
        }
        let found = self.connect()?.say("INFO everything").map_err(|error| error.to_string())?;
        Ok(Info::read(found.text().unwrap_or_default()))
    }
}

/// Debian's Redis as it comes, but for the port, its folder, and whether every write is synced before its reply.
fn redis(peer: Peer, scratch: Scratch, appendonly: &str, environment: &[(String, String)]) -> Result<Running, String> {
    let mut last = String::new();
    for _ in 0..PORTS_TRIED {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.map_err(|error| format!("no free port: {error}"))?;
        let log = File::create(scratch.path().join("redis.log")).map_err(|error| error.to_string())?;
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendfsync", "always", "--maxclients", "10000"])
            .args(["--appendonly", appendonly, "--port", &address.port().to_string(), "--dir"])
            .arg(scratch.path())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start redis-server (scripts/setup test installs it): {error}"))?;
        let pid = child.id();
        let mut process = Process::Other(child);
        let answered = clock::eventually(START_MS, || {
            if let Process::Other(child) = &mut process
                && !matches!(child.try_wait(), Ok(None))
            {
                return Some(false);
            }
            let pong = Connection::open(address).ok()?.say("PING").ok()?;
            (pong.text() == Some("PONG")).then_some(true)
        });
        if answered == Some(true) {
            return Ok(Running { peer, address, resp: Some(address), http: None, pid, _process: process, scratch });
        }
        last = std::fs::read_to_string(scratch.path().join("redis.log")).unwrap_or_default();
    }
    Err(format!("redis-server does not come up: {last}"))
}

/// The axum server of `benches/echo`, which says on its first line where it listens.
fn echo(scratch: Scratch) -> Result<Running, String> {
    let out = scratch.path().join("echo.out");
    let file = |name: &str| File::create(scratch.path().join(name)).map_err(|error| error.to_string());
    let child = Command::new(echo_binary()?)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(file("echo.out")?)
        .stderr(file("echo.err")?)
        .spawn()
        .map_err(|error| format!("cannot start the echo: {error}"))?;
    let (pid, process) = (child.id(), Process::Other(child));
    let listens = || fs::read_to_string(&out).ok()?.strip_prefix("http=")?.strip_suffix('\n')?.parse().ok();
    let address = clock::eventually(START_MS, listens).ok_or("the echo does not say where it listens")?;
    Ok(Running { peer: Peer::Echo, address, resp: None, http: None, pid, _process: process, scratch })
}

/// Built as a release once a process, from a workspace of its own.
fn echo_binary() -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || {
        let target = crate::figures::target().join("echo");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let done = Command::new(cargo)
            .args(["build", "--quiet", "--locked", "--release", "--target-dir"])
            .arg(&target)
            .arg("--manifest-path")
            .arg(binary::workspace().join("benches/echo/Cargo.toml"))
            .status();
        match done {
            Ok(status) if status.success() => Ok(target.join("release/sumun-echo")),
            other => Err(format!("benches/echo cannot be built: {other:?}")),
        }
    };
    BUILT.get_or_init(build).clone()
}

/// Lines of an `INFO`, by name.
#[derive(Clone, Debug)]
pub(super) struct Info(BTreeMap<String, String>);

impl Info {
    fn read(text: &str) -> Info {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Info(lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
    }

    /// 0 when it is not there.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// Keys of Redis that will expire: `db0:keys=3,expires=2,avg_ttl=0`.
    pub(super) fn expiring(&self) -> u64 {
        let keys = self.0.get("db0").map_or("", String::as_str);
        let found = keys.split(',').find_map(|part| part.strip_prefix("expires=")?.parse().ok());
        found.unwrap_or_default()
    }
}

/// Says a command that must not be refused.
pub(super) fn ask(connection: &mut Connection, words: &[&str]) -> Result<Value, String> {
    let sent = connection.send(&crate::support::resp::encode(words));
    let answer = sent.and_then(|()| connection.read()).map_err(|error| format!("{}: {error}", words[0]))?;
    match answer.error() {
        Some(error) => Err(format!("{}: {error}", words[0])),
        None => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_off_an_info() {
        let info = Info::read("# Keyspace\r\nends:12\r\ndb0:keys=3,expires=2,avg_ttl=0\r\n");
        assert_eq!((info.number("ends"), info.expiring(), info.number("nothing")), (12, 2, 0));
    }
}
