//! `demo`: a flash sale over real sockets, against a server of its own that is killed in the middle, and an audit of
//! every acknowledged answer against the log.
//!
//! `buyers` is the sale without a socket, `audit` judges it by the log, `picture` draws it; this file joins them to the
//! child process and the connections.

mod audit;
mod buyers;
mod picture;

use crate::caps::{EVENTS_MAX, START_FAILURES_MAX};
use crate::child::{self, Heard, Ready, Server};
use crate::client::Client;
use crate::clock::{self, Clock};
use crate::failure::Failure;
use crate::load::Pool;
use crate::resp::{self, Value};
use crate::scratch::Scratch;
use crate::show::say;
use anyhow::anyhow;
use buyers::Sale;
use mio::net::UnixStream;
use mio::{Events, Interest};
use picture::View;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const SECOND: u64 = 1_000_000_000;
pub(crate) const TTL_MS: u64 = 3_000;
/// Which of the poll's other tokens is what.
const CHILD: usize = 0;
const SIGNAL: usize = 1;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) directory: Option<PathBuf>,
    pub(crate) buyers: u32,
    pub(crate) units: u64,
    pub(crate) connections: u32,
    pub(crate) sale_ns: u64,
    /// Kill the server once in the middle, by its own hand.
    pub(crate) kill: bool,
    /// End after the audit.
    pub(crate) once: bool,
}

pub(crate) fn run(plan: &Plan) -> Result<(), Failure> {
    let mut scratch = match &plan.directory {
        Some(path) => Scratch::given(path)?,
        None => Scratch::new("demo")?,
    };
    let done = Demo::start(plan, &scratch).and_then(|mut demo| {
        let clean = demo.sale().and_then(|()| demo.audit())?;
        if clean && !plan.once {
            demo.stay()?;
        }
        demo.stop()?;
        Ok(clean)
    });
    match done {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => {
            scratch.keep();
            eprintln!("sumun: data and the server's log are kept in {}", scratch.path().display());
            done.and(Err(Failure::No(String::new())))
        }
    }
}

struct Demo<'a> {
    plan: &'a Plan,
    scratch: &'a Scratch,
    server: Server,
    ready: Ready,
    pool: Pool,
    events: Events,
    sale: Sale,
    view: View,
    /// Wakes the poll on Ctrl-C and SIGTERM.
    _signals: UnixStream,
    /// Since when the server has been down.
    down_since: Option<u64>,
    /// How often it died, and how long it was away, the last time and at most.
    deaths: Deaths,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deaths {
    count: u32,
    failed_starts: u32,
    longest_ns: u64,
}

impl<'a> Demo<'a> {
    fn start(plan: &'a Plan, scratch: &'a Scratch) -> Result<Demo<'a>, Failure> {
        let mut server = Server::start(scratch.path(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let ready = server.wait_ready()?;
        let mark = if plan.directory.is_some() { format!("-{:06x}", clock::run_id() >> 40) } else { String::new() };
        let sale = Sale::new(plan.buyers, plan.units, plan.sale_ns, &mark);
        put_up_for_sale(ready.resp, sale.sku(), plan.units)?;
        let pool = Pool::new(plan.connections, Clock::start(), resp::scan)?;
        server.register(pool.registry(), Pool::other(CHILD))?;
        let mut signals = signals()?;
        pool.registry().register(&mut signals, Pool::other(SIGNAL), Interest::READABLE)?;
        let view = View::new(plan, sale.sku());
        let (events, deaths) = (Events::with_capacity(EVENTS_MAX), Deaths::default());
        Ok(Demo { plan, scratch, server, ready, pool, events, sale, view, _signals: signals, down_since: None, deaths })
    }

    /// Until every buyer knows how it ended, and no unit is held any more.
    fn sale(&mut self) -> Result<(), Failure> {
        let (resp, pid) = (self.ready.resp, self.server.pid());
        self.view.announce(resp, pid)?;
        self.pool.connect(resp);
        self.sale.begin(self.pool.now());
        let mut killed = !self.plan.kill;
        while !self.sale.is_over(self.pool.now()) {
            let now = self.pool.now();
            if !killed && self.sale.arrived() >= self.plan.buyers / 2 {
                killed = true;
                self.view.note(&format!("kill -9 {}, in the middle of the sale", self.server.pid()))?;
                self.server.kill()?;
            }
            self.sale.pump(&mut self.pool, now);
            let pid = self.down_since.is_none().then(|| self.server.pid());
            self.view.show(now, &mut self.sale, pid)?;
            self.turn(self.sale.wake_at(now).min(self.view.next()))?;
            if self.sale.interrupted {
                return Err(anyhow!("stopped before the audit").into());
            }
        }
        self.view.finish(self.pool.now(), &mut self.sale, self.server.pid())
    }

    fn turn(&mut self, until: u64) -> Result<(), Failure> {
        self.pool.turn(&mut self.events, until, &mut self.sale)?;
        if std::mem::take(&mut self.sale.child_stirred) {
            self.listen()?;
        }
        Ok(())
    }

    /// The child has said something, or has died: then it is started again.
    fn listen(&mut self) -> Result<(), Failure> {
        match self.server.hear()? {
            Heard::Nothing => Ok(()),
            Heard::Ready(ready) => {
                let away = self.pool.now() - self.down_since.take().unwrap_or(self.pool.now());
                self.deaths.longest_ns = self.deaths.longest_ns.max(away);
                self.deaths.failed_starts = 0;
                self.ready = ready;
                self.pool.connect(ready.resp);
                let back = format!("back after {} ms, pid {}", away / 1_000_000, self.server.pid());
                self.view.note(&back)
            }
            Heard::Closed => self.start_again(),
        }
    }

    fn start_again(&mut self) -> Result<(), Failure> {
        if self.down_since.is_some() {
            self.deaths.failed_starts += 1;
            if self.deaths.failed_starts >= START_FAILURES_MAX {
                return Err(self.server.failed_start());
            }
        } else {
            self.down_since = Some(self.pool.now());
            self.deaths.count += 1;
        }
        let status = self.server.collect()?;
        self.view.note(&format!("the server has died ({status}); starting it again on its data"))?;
        self.pool.disconnect(&mut self.sale);
        self.server = Server::start(self.scratch.path(), self.ready.resp)?;
        Ok(self.server.register(self.pool.registry(), Pool::other(CHILD))?)
    }

    fn audit(&mut self) -> Result<bool, Failure> {
        let data = child::data(self.scratch.path());
        let findings = audit::audit(&data, &self.sale)?;
        let item = Client::connect_resp3(self.ready.resp)?.call(&["ITEM", self.sale.sku()])?;
        let report = findings.against(&item);
        say(&report.text(self.deaths.count, self.deaths.longest_ns))?;
        Ok(report.clean())
    }

    fn stay(&mut self) -> Result<(), Failure> {
        self.pool.disconnect(&mut self.sale);
        say(&picture::invitation(self.ready.resp, self.server.pid(), &self.sale, self.scratch.path()))?;
        while !self.sale.interrupted {
            self.turn(self.pool.now() + 3_600 * SECOND)?;
            // What was started again is there for redis-cli: the buyers have all gone.
            if self.down_since.is_none() {
                self.pool.disconnect(&mut self.sale);
            }
        }
        Ok(())
    }

    fn stop(mut self) -> Result<(), Failure> {
        self.server.deregister(self.pool.registry())?;
        let status = self.server.stop()?;
        if status.success() { Ok(()) } else { Err(anyhow!("the server did not stop cleanly: {status}").into()) }
    }
}

fn put_up_for_sale(server: SocketAddr, sku: &str, units: u64) -> Result<(), Failure> {
    let mut client = Client::connect_resp3(server)?;
    let configure = ["CONFIGURE", sku, "LIMIT", "1"].map(str::to_owned).to_vec();
    let receive = ["RECEIVE", sku, &units.to_string(), "ID", "opening"].map(str::to_owned).to_vec();
    for command in [configure, receive] {
        if let Value::Error(text) = client.call(&command)? {
            return Err(Failure::No(format!("the server refused `{}`: {text}", command.join(" "))));
        }
    }
    Ok(())
}

/// A socket that becomes readable when somebody wants this to end.
fn signals() -> Result<UnixStream, Failure> {
    let (read, write) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let write = std::os::fd::AsFd::as_fd(&write).try_clone_to_owned()?;
        signal_hook::low_level::pipe::register(signal, write)?;
    }
    Ok(read)
}
