//! The loop: wait, let those who have something take turns, commit once, let go of what is proven.
//!
//! ```text
//! wait ─► turns (read, parse, decide) ─► close the step ─► commit ─► write what is proven ─► wait
//! ```
//!
//! One thread does it all, so nothing is locked. A turn is at most one read of `READ_BYTES_MAX`; who has more goes to
//! the end of the queue, and a step that is full ends the round, so that nobody starves. LOG-1: what a step answered
//! stays in `Output` until that step is proven.
//!
//! Cost, beyond the kernel's: a connection that is ready costs one read and one write a step, however many requests it
//! pipelined, and no other system call: sockets are registered once for both directions (edge-triggered), a short read
//! means that there is no more, a write is tried at once. A step costs one wait and one commit. Steady state allocates
//! nothing: buffers go round. Per request: one pass over its bytes, one look-up of its name among 24.

use crate::caps;
use crate::client::{Client, Fate};
use crate::control::Control;
use crate::handed::Desk;
use crate::handover::Handover;
use crate::info::Info;
use crate::ledger::{Broken, Ledger, Proof, Readiness, Step};
use crate::listen;
use crate::metrics::Metrics;
use crate::resp::{Ahead, Identity};
use crate::signals::{FineTimer, Signals};
use crate::slab::{Clients, TOKENS_RESERVED};
use mio::event::Event;
use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const WAKER: Token = Token(TOKENS_RESERVED);
const SIGNALS: Token = Token(TOKENS_RESERVED + 1);
const TIMER: Token = Token(TOKENS_RESERVED + 2);
const LISTENER: Token = Token(TOKENS_RESERVED + 3);
/// Questions from beside the sockets, in the queue of those who get a turn.
const HANDED: Token = Token(TOKENS_RESERVED + 4);
/// The control socket's listener, and its clients behind it.
const CONTROL: Token = Token(TOKENS_RESERVED + 16);

#[derive(Clone, Debug)]
pub struct Options {
    pub address: SocketAddr,
    /// Where the control socket is made, if anywhere.
    pub data: Option<PathBuf>,
    pub clients_max: usize,
    /// How long an end may take to send what was answered.
    pub grace_ms: u64,
    pub kept_bytes_max: usize,
    pub unsent_bytes_max: usize,
}

impl Options {
    pub const fn new(address: SocketAddr) -> Options {
        Options {
            address,
            data: None,
            clients_max: caps::CLIENTS_MAX,
            grace_ms: caps::GRACE_MS,
            kept_bytes_max: caps::KEPT_BYTES_MAX,
            unsent_bytes_max: caps::UNSENT_BYTES_MAX,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot listen at {address}: {error}")]
    Tcp { address: SocketAddr, error: io::Error },
    #[error("cannot make the control socket in {}: {error}", data.display())]
    Control { data: PathBuf, error: io::Error },
    #[error("cannot set up the event loop: {0}")]
    Poll(#[from] io::Error),
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the log cannot go on: {0}")]
    Ledger(#[from] Broken),
    #[error("the event loop cannot go on: {0}")]
    Poll(#[from] io::Error),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All that was answered has left.
    Clean,
    /// The grace was over before; so many connections had replies left.
    GraceOver { connections: usize },
}

/// Ends a run from another thread.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Stop {
    pub fn stop(&self) -> io::Result<()> {
        self.flag.store(true, Ordering::Release);
        self.waker.wake()
    }
}

#[derive(Debug)]
pub struct Reactor {
    pub(crate) options: Options,
    pub(crate) poll: Poll,
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    signals: Option<Signals>,
    timer: FineTimer,
    listener: Option<TcpListener>,
    control: Option<Control>,
    bound: SocketAddr,
    pub(crate) clients: Clients,
    /// Those who get a turn, each once.
    pub(crate) ready: VecDeque<Token>,
    /// Who waits for a record that is being read; and how many arrivals have been seen.
    pub(crate) readers: Vec<Token>,
    arrivals: u64,
    /// Those who wrote replies in the step that is open.
    pub(crate) touched: Vec<Token>,
    /// Steps that are closed and not proven, with those who wait for them.
    waiting: VecDeque<(Step, Vec<Token>)>,
    /// Questions from beside the sockets.
    pub(crate) desk: Desk,
    pub(crate) spare_lists: Vec<Vec<Token>>,
    pub(crate) ahead: Ahead,
    pub(crate) spare: Vec<Vec<u8>>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) metrics: Metrics,
    next_id: u64,
    more_to_accept: bool,
    accept_again_ms: u64,
    ending: Option<u64>,
}

impl Reactor {
    pub fn bind(mut options: Options, signals: Option<Signals>) -> Result<Reactor, BindError> {
        options.clients_max = listen::clients_max(options.clients_max, listen::raise_open_files());
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let timer = FineTimer::new()?;
        poll.registry().register(&mut SourceFd(&timer.descriptor()), TIMER, Interest::READABLE)?;
        if let Some(signals) = &signals {
            poll.registry().register(&mut SourceFd(&signals.descriptor()), SIGNALS, Interest::READABLE)?;
        }
        let tcp = |error| BindError::Tcp { address: options.address, error };
        let mut listener = listen::tcp(options.address).map_err(tcp)?;
        let bound = listener.local_addr().map_err(tcp)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let control = match &options.data {
            None => None,
            Some(data) => {
                let control = |error| BindError::Control { data: data.clone(), error };
                let listener = listen::control(data).map_err(control)?;
                Some(Control::new(listener, poll.registry(), CONTROL).map_err(control)?)
            }
        };
        Ok(Reactor {
            options,
            poll,
            waker,
            stop: Arc::default(),
            signals,
            timer,
            listener: Some(listener),
            control,
            bound,
            clients: Clients::default(),
            ready: VecDeque::new(),
            readers: Vec::new(),
            arrivals: 0,
            touched: Vec::new(),
            waiting: VecDeque::new(),
            desk: Desk::default(),
            spare_lists: Vec::new(),
            ahead: Ahead::default(),
            spare: Vec::new(),
            buffer: vec![0; caps::READ_BYTES_MAX],
            metrics: Metrics::default(),
            next_id: 1,
            more_to_accept: false,
            accept_again_ms: 0,
            ending: None,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.bound
    }

    /// Makes the loop go round: for a log whose sync has ended on another thread.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Where questions from beside the sockets are put in; a run waits for whoever does before it ends.
    pub fn handover(&mut self) -> Handover {
        self.desk.handover.get_or_insert_with(|| Handover::new(Arc::clone(&self.waker))).clone()
    }

    pub fn stopper(&self) -> Stop {
        Stop { flag: Arc::clone(&self.stop), waker: Arc::clone(&self.waker) }
    }

    /// Serves until it is told to end. `on_ready` is called once, when the first command can be decided.
    pub fn run<L: Ledger>(&mut self, ledger: &mut L, on_ready: impl FnOnce(SocketAddr)) -> Result<Ended, RunError> {
        let ended = self.go_round(ledger, on_ready);
        self.desk.end();
        ended
    }

    fn go_round<L: Ledger>(&mut self, ledger: &mut L, on_ready: impl FnOnce(SocketAddr)) -> Result<Ended, RunError> {
        let mut events = Events::with_capacity(caps::EVENTS_MAX);
        let mut on_ready = Some(on_ready);
        self.metrics.started_ms = ledger.now_ms();
        loop {
            self.wait(&mut events, ledger)?;
            for event in &events {
                self.notice(event, ledger);
            }
            self.round(ledger)?;
            if ledger.readiness() == Readiness::Ready
                && let Some(on_ready) = on_ready.take()
            {
                on_ready(self.bound);
            }
            if self.is_told_to_end() && self.ending.is_none() {
                self.begin_end(ledger.now_ms());
            }
            if let Some(ended) = self.has_ended(ledger.now_ms()) {
                return Ok(ended);
            }
        }
    }

    /// One step, from those who are ready to those whose replies may leave.
    fn round<L: Ledger>(&mut self, ledger: &mut L) -> Result<(), RunError> {
        if ledger.readiness() != Readiness::Ready {
            ledger.replay()?;
        }
        ledger.open_step();
        if self.more_to_accept && ledger.now_ms() >= self.accept_again_ms {
            self.accept(ledger.now_ms());
        }
        if self.desk.is_wanting() {
            self.ready.push_back(HANDED);
        }
        let before = self.metrics.requests;
        // Who is queued anew during the round gets its next turn in the next one.
        for _ in 0..self.ready.len() {
            if ledger.is_full() {
                break;
            }
            let Some(token) = self.ready.pop_front() else {
                break;
            };
            if token == HANDED {
                self.turn_of_handed(ledger);
            } else {
                self.turn(token, ledger);
            }
        }
        self.metrics.observe_step(self.metrics.requests - before);
        let step = ledger.close_step();
        self.close_step(step);
        self.desk.close_step(step);
        match ledger.poll()? {
            Proof::Upto(step) => {
                self.release(step);
                self.desk.release(step);
            }
            Proof::Lost { proven } => {
                self.release(proven);
                self.abandon();
                self.desk.release(proven);
                self.metrics.unproven_closed += self.desk.abandon();
            }
        }
        if self.arrivals != ledger.arrivals() {
            self.arrivals = ledger.arrivals();
            self.desk.arrived();
            for token in std::mem::take(&mut self.readers) {
                self.with(token, |_, client| client.reading = false);
            }
        }
        Ok(())
    }

    /// What was answered since the last step closed rests on `step`.
    fn close_step(&mut self, step: Step) {
        if self.touched.is_empty() {
            return;
        }
        let touched = std::mem::replace(&mut self.touched, self.spare_lists.pop().unwrap_or_default());
        for token in &touched {
            if let Some(client) = self.clients.get_mut(*token) {
                client.touched = false;
                client.output.mark(step);
            }
        }
        self.waiting.push_back((step, touched));
    }

    /// All steps up to `step` are proven: what they answered leaves.
    fn release(&mut self, step: Step) {
        while let Some((first, _)) = self.waiting.front()
            && *first <= step
        {
            let Some((_, mut tokens)) = self.waiting.pop_front() else {
                return;
            };
            for token in tokens.drain(..) {
                self.with(token, |reactor, client| {
                    client.output.prove(step);
                    reactor.send(client);
                });
            }
            self.spare_lists.push(tokens);
        }
    }

    /// What the waiting steps answered will never be known to be durable: those who wait get no answer.
    fn abandon(&mut self) {
        while let Some((_, mut tokens)) = self.waiting.pop_front() {
            for token in tokens.drain(..) {
                self.with(token, |reactor, client| {
                    if client.output.is_unproven() {
                        reactor.metrics.unproven_closed += 1;
                        client.fate = Fate::Dead;
                    }
                });
            }
            self.spare_lists.push(tokens);
        }
    }

    fn wait<L: Ledger>(&mut self, events: &mut Events, ledger: &mut L) -> io::Result<()> {
        let waits = !self.ready.is_empty() || self.desk.has_work();
        let busy = (waits && ledger.can_step()) || (self.more_to_accept && self.accept_again_ms == 0);
        let mut timeout = if busy { Some(Duration::ZERO) } else { ledger.idle() };
        if self.more_to_accept && !busy {
            let pause = Duration::from_millis(self.accept_again_ms.saturating_sub(ledger.now_ms()));
            timeout = Some(timeout.map_or(pause, |timeout| timeout.min(pause)));
        }
        if let Some(begun_ms) = self.ending {
            let left = begun_ms.saturating_add(self.options.grace_ms).saturating_sub(ledger.now_ms());
            let left = Duration::from_millis(left);
            timeout = Some(timeout.map_or(left, |timeout| timeout.min(left)));
        }
        // Epoll counts in milliseconds and rounds up: a commit that is held for a part of one needs a finer timer.
        let fine = |timeout: &Duration| !timeout.is_zero() && *timeout < Duration::from_millis(caps::FINE_WAIT_MS_MAX);
        if let Some(fine) = timeout.filter(fine) {
            self.timer.set(fine)?;
        }
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            result => result,
        }
    }

    fn notice<L: Ledger>(&mut self, event: &Event, ledger: &L) {
        match event.token() {
            WAKER | TIMER => {}
            SIGNALS => {
                if self.signals.as_ref().and_then(Signals::take).is_some() {
                    self.stop.store(true, Ordering::Release);
                }
            }
            LISTENER => self.more_to_accept = self.listener.is_some(),
            token if token.0 >= TOKENS_RESERVED => {
                if let Some(control) = &mut self.control {
                    control.ready(token, self.poll.registry(), || ledger.figures().durable);
                }
            }
            token => self.with(token, |reactor, client| {
                client.hung_up |= event.is_read_closed() || event.is_error();
                client.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                if event.is_writable() && client.blocked {
                    client.blocked = false;
                    reactor.send(client);
                }
            }),
        }
    }

    /// Takes a connection out, lets `act` have it, and puts it where it belongs afterwards.
    pub(crate) fn with(&mut self, token: Token, act: impl FnOnce(&mut Reactor, &mut Client)) {
        let Some(mut client) = self.clients.take(token) else {
            return;
        };
        act(self, &mut client);
        if client.fate == Fate::Closing && client.output.is_empty() {
            client.fate = Fate::Dead;
        }
        self.rest(&mut client);
        if client.fate == Fate::Dead {
            self.clients.forget(token);
            self.discard(client);
            return;
        }
        if !client.queued && client.wants_turn() && !self.is_too_far_behind(&client) {
            client.queued = true;
            self.ready.push_back(token);
        }
        self.clients.put(token, client);
    }

    fn accept(&mut self, now_ms: u64) {
        (self.more_to_accept, self.accept_again_ms) = (false, 0);
        for _ in 0..caps::ACCEPTS_PER_TURN_MAX {
            let Some(listener) = &self.listener else {
                return;
            };
            match listener.accept() {
                Ok((stream, peer)) => self.welcome(stream, peer, now_ms),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // No descriptor or no memory for one more: it stays in the backlog, and there is no use in asking
                // before something has closed.
                Err(error) if scarce(&error) => {
                    self.metrics.accept_pauses += 1;
                    (self.more_to_accept, self.accept_again_ms) = (true, now_ms + caps::ACCEPT_PAUSE_MS);
                    return;
                }
                // That one came to nothing; the next may be fine.
                Err(_) => {}
            }
        }
        self.more_to_accept = true;
    }

    fn welcome(&mut self, mut stream: mio::net::TcpStream, peer: SocketAddr, now_ms: u64) {
        use std::io::Write as _;
        if self.clients.len() >= self.options.clients_max {
            self.metrics.connections_refused += 1;
            // It is closed whether it hears this or not.
            let _ = stream.write(b"-ERR max number of clients reached\r\n");
            return;
        }
        let token = self.clients.next_token();
        let ready = listen::prepare(&stream)
            .and_then(|()| self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE));
        if ready.is_err() {
            // The peer has gone already.
            return;
        }
        let local = stream.local_addr().unwrap_or(self.bound);
        let identity = Identity { id: self.next_id, peer, local, since_ms: now_ms };
        self.next_id += 1;
        self.metrics.connections += 1;
        // The kernel tells when there is something to read.
        self.clients.insert(Box::new(Client::new(stream, identity)));
    }

    fn is_told_to_end(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Nobody new, nothing more is read; what was read is decided and answered.
    fn begin_end(&mut self, now_ms: u64) {
        self.ending = Some(now_ms);
        self.desk.begin_end();
        self.more_to_accept = false;
        if let Some(mut listener) = self.listener.take() {
            // It is closed in any case.
            let _ = self.poll.registry().deregister(&mut listener);
        }
        for token in self.clients.tokens() {
            self.with(token, |_, client| {
                client.ended = true;
                client.readable = false;
                if !client.has_requests() {
                    client.fate = Fate::Closing;
                }
            });
        }
    }

    fn has_ended(&self, now_ms: u64) -> Option<Ended> {
        let begun_ms = self.ending?;
        if self.clients.is_empty() && self.desk.is_through() {
            return Some(Ended::Clean);
        }
        let over = now_ms >= begun_ms.saturating_add(self.options.grace_ms);
        over.then(|| Ended::GraceOver { connections: self.clients.len() + self.desk.in_hand() })
    }

    pub(crate) fn info<L: Ledger>(&self, ledger: &L) -> Info<'_> {
        Info {
            now_ms: ledger.now_ms(),
            port: self.bound.port(),
            clients: self.clients.len(),
            clients_max: self.options.clients_max,
            readiness: ledger.readiness(),
            figures: ledger.figures(),
            metrics: &self.metrics,
        }
    }
}

fn scarce(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
