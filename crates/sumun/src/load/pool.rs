//! Connections of a load, on one poll: they send what their handler says, measure replies without taking them apart,
//! and open themselves again when they are lost. Where a reply ends is the protocol's business, not theirs.
//! Replies of a connection come in the order of its requests; what was in flight on a lost one is told, request by request.

use super::timer::Timer;
use crate::caps::{CONNECTING_MAX, READ_BYTES, RECONNECT_NS, UNSENT_BYTES_MAX};
use crate::clock::Clock;
use crate::resp::Malformed;
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

const TIMER: Token = Token(usize::MAX - 1);
/// Tokens from here on belong to whoever registers something of their own.
const OTHERS: usize = 1 << 40;

/// What a load does with what happens. Times are the pool's clock.
pub(crate) trait Handler {
    /// A connection is open: send what is to be in flight on it.
    fn opened(&mut self, line: &mut Line<'_>, now: u64);
    /// The reply to the request sent under `tag`. More may be sent at once.
    fn reply(&mut self, line: &mut Line<'_>, tag: u64, meant: u64, reply: &[u8], now: u64);
    /// The connection was lost before the request sent under `tag` was answered: whether it was done is unknown.
    fn lost(&mut self, tag: u64, meant: u64, now: u64);
    /// Something else that was registered is ready.
    fn other(&mut self, _which: usize) {}
}

/// Length of the first whole reply; `None` while more of it has to come.
pub(crate) type Scan = fn(&[u8]) -> Result<Option<usize>, Malformed>;

/// The way into one connection.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    out: &'a mut Vec<u8>,
    in_flight: &'a mut VecDeque<Request>,
}

impl Line<'_> {
    /// Sends one request. `meant` is when it should have been sent: what its latency counts from.
    pub(crate) fn send(&mut self, tag: u64, meant: u64, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.out);
        self.in_flight.push_back(Request { tag, meant });
    }
}

#[derive(Clone, Copy, Debug)]
struct Request {
    tag: u64,
    meant: u64,
}

#[derive(Debug)]
enum State {
    Down { retry_at: u64 },
    Connecting(TcpStream),
    Open(TcpStream),
}

#[derive(Debug)]
struct Connection {
    state: State,
    out: Vec<u8>,
    sent: usize,
    /// The beginning of a reply whose rest has to come.
    rest: Vec<u8>,
    in_flight: VecDeque<Request>,
    unflushed: bool,
}

#[derive(Debug)]
pub(crate) struct Pool {
    poll: Poll,
    clock: Clock,
    scan: Scan,
    timer: Timer,
    /// Where to connect; `None` while there is nothing to connect to.
    target: Option<SocketAddr>,
    connections: Vec<Connection>,
    open: usize,
    connecting: usize,
    unflushed: Vec<usize>,
    next: usize,
    buffer: Box<[u8]>,
    /// Connections lost, or refused, so far.
    losses: u64,
}

impl Pool {
    pub(crate) fn new(connections: u32, clock: Clock, scan: Scan) -> io::Result<Pool> {
        raise_open_files();
        let poll = Poll::new()?;
        let timer = Timer::register(poll.registry(), TIMER)?;
        let connection = |_| Connection {
            state: State::Down { retry_at: 0 },
            out: Vec::new(),
            sent: 0,
            rest: Vec::new(),
            in_flight: VecDeque::new(),
            unflushed: false,
        };
        Ok(Pool {
            poll,
            clock,
            scan,
            timer,
            target: None,
            connections: (0..connections).map(connection).collect(),
            open: 0,
            connecting: 0,
            unflushed: Vec::new(),
            next: 0,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            losses: 0,
        })
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }
    /// The token of something that is not a connection; `Handler::other` is told `which`.
    pub(crate) const fn other(which: usize) -> Token {
        Token(OTHERS + which)
    }
    pub(crate) fn now(&self) -> u64 {
        self.clock.nanos()
    }
    pub(crate) const fn open(&self) -> usize {
        self.open
    }
    pub(crate) fn size(&self) -> usize {
        self.connections.len()
    }
    pub(crate) const fn losses(&self) -> u64 {
        self.losses
    }

    /// Connects, from the next turn on.
    pub(crate) fn connect(&mut self, target: SocketAddr) {
        self.target = Some(target);
        for connection in &mut self.connections {
            if let State::Down { retry_at } = &mut connection.state {
                *retry_at = 0;
            }
        }
    }

    /// Drops every connection and opens none until `connect`.
    pub(crate) fn disconnect(&mut self, handler: &mut impl Handler) {
        self.target = None;
        for index in 0..self.connections.len() {
            self.drop_connection(index, handler);
        }
    }

    /// The next open connection that takes more, round about. `None` when there is none.
    pub(crate) fn line(&mut self) -> Option<Line<'_>> {
        for _ in 0..self.connections.len() {
            let index = self.next;
            self.next = (index + 1) % self.connections.len();
            let connection = &self.connections[index];
            if matches!(connection.state, State::Open(_)) && connection.out.len() < UNSENT_BYTES_MAX {
                self.mark(index);
                let Connection { out, in_flight, .. } = &mut self.connections[index];
                return Some(Line { out, in_flight });
            }
        }
        None
    }

    /// Writes what was sent, then waits for something to happen, at most until `until`, and handles all of it.
    pub(crate) fn turn(&mut self, events: &mut Events, until: u64, handler: &mut impl Handler) -> io::Result<()> {
        self.flush(handler);
        let next_try = self.revive();
        let now = self.now();
        let wait = until.min(next_try).saturating_sub(now);
        let timeout = if wait == 0 {
            Some(Duration::ZERO)
        } else {
            self.timer.set(wait)?;
            None
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            done => done?,
        }
        for event in events.iter() {
            match event.token() {
                TIMER => {}
                Token(which) if which >= OTHERS => handler.other(which - OTHERS),
                Token(index) => self.ready(index, event, handler),
            }
        }
        self.flush(handler);
        Ok(())
    }

    fn mark(&mut self, index: usize) {
        if !self.connections[index].unflushed {
            self.connections[index].unflushed = true;
            self.unflushed.push(index);
        }
    }

    /// Opens what is down and may be tried again; says when the next try is due.
    fn revive(&mut self) -> u64 {
        let mut next_try = u64::MAX;
        let Some(target) = self.target else { return next_try };
        if self.open + self.connecting == self.connections.len() {
            return next_try;
        }
        let now = self.now();
        for index in 0..self.connections.len() {
            let State::Down { retry_at } = self.connections[index].state else { continue };
            if retry_at > now {
                next_try = next_try.min(retry_at);
            } else if self.connecting < CONNECTING_MAX {
                self.begin(index, target);
            }
        }
        next_try
    }

    fn begin(&mut self, index: usize, target: SocketAddr) {
        self.connecting += 1;
        let opened = TcpStream::connect(target).and_then(|mut stream| {
            self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => self.connections[index].state = State::Connecting(stream),
            Err(_) => {
                self.connecting -= 1;
                self.losses += 1;
                self.connections[index].state = State::Down { retry_at: self.now() + RECONNECT_NS };
            }
        }
    }

    fn ready(&mut self, index: usize, event: &Event, handler: &mut impl Handler) {
        if matches!(self.connections[index].state, State::Connecting(_)) {
            self.finish_connect(index, handler);
        }
        if event.is_readable() || event.is_read_closed() {
            self.read(index, handler);
        }
        if event.is_writable() {
            self.mark(index);
        }
    }

    fn finish_connect(&mut self, index: usize, handler: &mut impl Handler) {
        let down = State::Down { retry_at: 0 };
        let State::Connecting(stream) = std::mem::replace(&mut self.connections[index].state, down) else { return };
        let failed = matches!(stream.take_error(), Ok(Some(_)) | Err(_));
        if failed {
            self.connections[index].state = State::Connecting(stream);
            return self.drop_connection(index, handler);
        }
        if stream.peer_addr().is_err() {
            self.connections[index].state = State::Connecting(stream);
            return;
        }
        // Without it, small requests would wait for the acknowledgement of those before.
        let _ = stream.set_nodelay(true);
        self.connecting -= 1;
        self.open += 1;
        self.connections[index].state = State::Open(stream);
        let now = self.now();
        let Connection { out, in_flight, .. } = &mut self.connections[index];
        handler.opened(&mut Line { out, in_flight }, now);
        self.mark(index);
    }

    fn read(&mut self, index: usize, handler: &mut impl Handler) {
        loop {
            let Connection { state: State::Open(stream), out, rest, in_flight, .. } = &mut self.connections[index]
            else {
                return;
            };
            let kept = rest.len();
            self.buffer[..kept].copy_from_slice(rest);
            let length = match stream.read(&mut self.buffer[kept..]) {
                Ok(0) => return self.drop_connection(index, handler),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return self.drop_connection(index, handler),
            };
            rest.clear();
            let whole = kept + length;
            let now = self.clock.nanos();
            let mut at = 0;
            let mut line = Line { out, in_flight };
            loop {
                match (self.scan)(&self.buffer[at..whole]) {
                    Ok(Some(size)) => {
                        let Some(Request { tag, meant }) = line.in_flight.pop_front() else {
                            return self.drop_connection(index, handler);
                        };
                        handler.reply(&mut line, tag, meant, &self.buffer[at..at + size], now);
                        at += size;
                    }
                    Ok(None) if at == 0 && whole == self.buffer.len() => return self.drop_connection(index, handler),
                    Ok(None) => break,
                    Err(_) => return self.drop_connection(index, handler),
                }
            }
            rest.extend_from_slice(&self.buffer[at..whole]);
            self.mark(index);
            // A read that left room has emptied the socket: what comes after it wakes the poll again.
            if whole < self.buffer.len() {
                return;
            }
        }
    }

    fn flush(&mut self, handler: &mut impl Handler) {
        let mut unflushed = std::mem::take(&mut self.unflushed);
        for index in unflushed.drain(..) {
            self.connections[index].unflushed = false;
            if self.write(index).is_err() {
                self.drop_connection(index, handler);
            }
        }
        // Nothing is marked while connections are flushed: the list itself is kept for its space.
        debug_assert!(self.unflushed.is_empty(), "a lost connection sends nothing");
        self.unflushed = unflushed;
    }

    fn write(&mut self, index: usize) -> io::Result<()> {
        let Connection { state: State::Open(stream), out, sent, .. } = &mut self.connections[index] else {
            return Ok(());
        };
        while *sent < out.len() {
            match stream.write(&out[*sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => *sent += length,
                // The poll tells when there is room again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    out.drain(..*sent);
                    *sent = 0;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        out.clear();
        *sent = 0;
        Ok(())
    }

    fn drop_connection(&mut self, index: usize, handler: &mut impl Handler) {
        let now = self.now();
        let connection = &mut self.connections[index];
        match std::mem::replace(&mut connection.state, State::Down { retry_at: now + RECONNECT_NS }) {
            State::Down { .. } => return,
            State::Connecting(_) => self.connecting -= 1,
            State::Open(_) => self.open -= 1,
        }
        self.losses += 1;
        connection.out.clear();
        connection.sent = 0;
        connection.rest.clear();
        for Request { tag, meant } in std::mem::take(&mut connection.in_flight) {
            handler.lost(tag, meant, now);
        }
    }
}

/// As many files as the system lets this process have: the usual soft limit is below a thousand connections or so.
fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // When it is refused, connections will be: that is told then.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
