//! One connection's turn: read once, decide what is there, and later send what is proven.
//!
//! MEM-1: a connection whose replies it does not take is not read on; all connections together keep no more than
//! `KEPT_BYTES_MAX`, past which each may have little more on the way.

use crate::caps;
use crate::client::{Client, Fate};
use crate::ledger::{Executed, Handled, Ledger, Readiness};
use crate::reactor::Reactor;
use crate::resp::admin::{self, House};
use crate::resp::session::{self, Allowance, Stage, Task};
use crate::resp::transaction::{Piece, Transaction};
use crate::resp::{Ahead, Args, Verb, command, reply};
use mio::Token;
use std::cell::OnceCell;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use sumun_wire::{Answer, Command};

/// Why a turn's work on what was read stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// No whole request is left.
    Drained,
    /// The rest waits: the step is full, replies pile up, or a request needs another step.
    Later,
    /// Nothing more is decided for it.
    Over,
}

impl Reactor {
    pub(crate) fn turn<L: Ledger>(&mut self, token: Token, ledger: &mut L) {
        self.with(token, |reactor, client| {
            client.queued = false;
            if client.fate != Fate::Lives || reactor.is_too_far_behind(client) {
                return;
            }
            client.output.lend(|| reactor.spare.pop());
            let written = client.output.unsent();
            if client.has_requests() {
                reactor.decide_kept(client, ledger);
            } else if client.readable {
                reactor.read(client, ledger);
            }
            if client.reading {
                reactor.readers.push(token);
            }
            if client.output.unsent() > written && !client.touched {
                client.touched = true;
                reactor.touched.push(token);
            }
            if client.ended && client.fate == Fate::Lives && !client.has_requests() {
                client.fate = Fate::Closing;
            }
        });
    }

    /// Whether a connection has so much to take that nothing more is done for it.
    pub(crate) fn is_too_far_behind(&self, client: &Client) -> bool {
        let most = if self.is_scarce() { caps::UNSENT_BYTES_SCARCE } else { self.options.unsent_bytes_max };
        client.output.unsent() > most
    }

    const fn is_scarce(&self) -> bool {
        self.metrics.kept_bytes > self.options.kept_bytes_max
    }

    /// Decides what is left of an earlier read.
    fn decide_kept<L: Ledger>(&mut self, client: &mut Client, ledger: &mut L) {
        let mut input = std::mem::take(&mut client.input);
        let (decided, _) = self.decide(client, &mut input, ledger);
        input.drain(..decided);
        client.input = input;
    }

    /// Reads once and decides what came.
    fn read<L: Ledger>(&mut self, client: &mut Client, ledger: &mut L) {
        let room = if self.is_scarce() { caps::READ_BYTES_SCARCE } else { caps::READ_BYTES_MAX };
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = loop {
            match client.stream.read(&mut buffer[..room]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match read {
            Ok(0) => (client.readable, client.ended) = (false, true),
            Ok(bytes) => {
                // Less than there was room for: the kernel has no more, and will say when it has. Of an end that it
                // has told already it will not say more.
                client.readable = bytes == room || client.hung_up;
                self.metrics.bytes_in += bytes as u64;
                self.decide_read(client, &mut buffer[..bytes], ledger);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => client.readable = false,
            Err(_) => client.fate = Fate::Dead,
        }
        self.buffer = buffer;
    }

    fn decide_read<L: Ledger>(&mut self, client: &mut Client, bytes: &mut [u8], ledger: &mut L) {
        if client.input.is_empty() {
            // The usual case: whole requests, decided where they were read, nothing is kept.
            let (decided, pause) = self.decide(client, bytes, ledger);
            if pause != Pause::Over && decided < bytes.len() {
                client.input.extend_from_slice(&bytes[decided..]);
            }
            return;
        }
        if self.is_scarce() && client.input.len() >= caps::PARTIAL_BYTES_SCARCE {
            self.metrics.scarce_closed += 1;
            client
                .session
                .writer(client.output.replies())
                .error(&"ERR Protocol error: too big request while memory is short");
            client.fate = Fate::Closing;
            return;
        }
        client.input.extend_from_slice(bytes);
        self.decide_kept(client, ledger);
    }

    /// Decides the requests that `input` begins with; returns how many bytes are done with.
    fn decide<L: Ledger>(&mut self, client: &mut Client, input: &mut [u8], ledger: &mut L) -> (usize, Pause) {
        let mut ahead = std::mem::take(&mut self.ahead);
        if let Some(bytes) = client.waits.take() {
            ahead.resume(&client.parser, bytes);
        }
        let (decided, pause) = self.decide_ahead(client, input, &mut ahead, ledger);
        client.waits = ahead.put_back(&mut client.parser);
        self.ahead = ahead;
        (decided, pause)
    }

    fn decide_ahead<L: Ledger>(
        &mut self,
        client: &mut Client,
        input: &mut [u8],
        ahead: &mut Ahead,
        ledger: &mut L,
    ) -> (usize, Pause) {
        let mut at = 0;
        loop {
            let is_too_far_behind = self.is_too_far_behind(client);
            if is_too_far_behind || ledger.is_full() {
                self.metrics.reader_pauses += u64::from(is_too_far_behind);
                return (at, Pause::Later);
            }
            if ahead.next().is_none() {
                if let Err(error) = ahead.fill(&mut client.parser, &mut input[at..]) {
                    self.metrics.protocol_errors += 1;
                    client.session.writer(client.output.replies()).error(&format_args!("ERR {error}"));
                    client.fate = Fate::Closing;
                    return (input.len(), Pause::Over);
                }
                ledger.foresee(&ahead.names(&input[at..]));
            }
            let Some(bytes) = ahead.next() else { return (at, Pause::Drained) };
            if !self.request(client, ahead.args(&input[at..]), ledger) {
                self.metrics.waits += 1;
                return (at, Pause::Later);
            }
            ahead.pop();
            at += bytes;
            if client.fate != Fate::Lives {
                return (input.len(), Pause::Over);
            }
        }
    }

    /// Whether the request is done with.
    fn request<L: Ledger>(&mut self, client: &mut Client, args: Args<'_>, ledger: &mut L) -> bool {
        if args.is_empty() {
            return true;
        }
        let stage = match ledger.readiness() {
            Readiness::Loading { .. } => Stage::Loading,
            Readiness::Ready => Stage::Ready,
        };
        let left = caps::TRANSACTIONS_BYTES_MAX.saturating_sub(self.metrics.transactions_bytes);
        let allowance = Allowance { left, retry_after_ms: caps::SCARCE_RETRY_MS };
        let replies = client.output.replies();
        let house = Around { reactor: self, ledger };
        let task = client.session.dispatch(args, stage, &allowance, &house, replies);
        let done = match task {
            Task::Answered => true,
            Task::Goodbye => {
                client.fate = Fate::Closing;
                true
            }
            Task::Hangup => {
                client.fate = Fate::Dead;
                true
            }
            Task::Decide(verb) => self.command(client, verb, args, ledger),
            Task::Exec => self.exec(client, ledger),
        };
        self.metrics.requests += u64::from(done);
        done
    }

    fn command<L: Ledger>(&mut self, client: &mut Client, verb: Verb, args: Args<'_>, ledger: &mut L) -> bool {
        let fresh = OnceCell::new();
        let mut writer = client.session.writer(client.output.replies());
        let read = match command::read(verb, args) {
            Ok(read) => read,
            Err(refused) => {
                self.metrics.observe_misread(refused);
                session::refuse(&mut writer, verb, refused);
                return true;
            }
        };
        let write = if read.tells_replay { reply::movement } else { reply::answer };
        let command = if read.wants_fresh_id {
            read.with_fresh_id(fresh.get_or_init(|| ledger.fresh_id()))
        } else {
            read.command
        };
        // RESP has no place for a trace.
        match ledger.handle(&command, None) {
            Handled::Later => false,
            Handled::Reading => {
                client.reading = true;
                false
            }
            Handled::Answer(answer) => {
                self.metrics.observe_answer(&command, &answer);
                write(&mut writer, verb, &answer);
                true
            }
        }
    }

    /// Whether the transaction is done with.
    fn exec<L: Ledger>(&mut self, client: &mut Client, ledger: &mut L) -> bool {
        let Some(transaction) = client.session.transaction.take() else {
            return true;
        };
        let fresh: Vec<String> = transaction
            .pieces()
            .map(|piece| match piece {
                Piece::Ledger(_, read) if read.wants_fresh_id => ledger.fresh_id(),
                Piece::Ledger(..) | Piece::Talk(..) | Piece::Refused(..) => String::new(),
            })
            .collect();
        let commands: Vec<Command<'_>> = transaction
            .pieces()
            .zip(&fresh)
            .filter_map(|(piece, id)| match piece {
                Piece::Ledger(_, read) => Some(read.with_fresh_id(id)),
                Piece::Talk(..) | Piece::Refused(..) => None,
            })
            .collect();
        let mut answers = Vec::new();
        let executed = if commands.is_empty() { Executed::Done } else { ledger.exec(&commands, &mut answers) };
        let mut writer = client.session.writer(client.output.replies());
        match executed {
            Executed::Later | Executed::Reading => {
                client.reading = executed == Executed::Reading;
                drop(commands);
                client.session.transaction = Some(transaction);
                return false;
            }
            Executed::Aborted(why) => writer.error(&format_args!("EXECABORT Transaction discarded because of: {why}")),
            Executed::Refused(refusal) => {
                self.metrics.observe_refusal(&refusal);
                writer.error(&refusal);
            }
            Executed::Done => {
                commands
                    .iter()
                    .zip(&answers)
                    .for_each(|(command, answer)| self.metrics.observe_answer(command, answer));
                self.exec_answers(client, &transaction, &answers, ledger);
            }
        }
        true
    }

    fn exec_answers<L: Ledger>(
        &mut self,
        client: &mut Client,
        transaction: &Transaction,
        answers: &[Answer],
        ledger: &L,
    ) {
        let out = client.output.replies();
        client.session.writer(out).array(transaction.len());
        let mut answers = answers.iter();
        for piece in transaction.pieces() {
            match piece {
                Piece::Ledger(verb, read) => {
                    let answer = answers.next().expect("an EXEC that is done has an answer a command");
                    let write = if read.tells_replay { reply::movement } else { reply::answer };
                    write(&mut client.session.writer(out), verb, answer);
                }
                Piece::Talk(talk, args) => {
                    let house = Around { reactor: self, ledger };
                    admin::talk(talk, args, &mut client.session, &house, out);
                }
                Piece::Refused(verb, refused) => {
                    self.metrics.observe_misread(refused);
                    session::refuse(&mut client.session.writer(out), verb, refused);
                }
            }
        }
    }

    /// Sends what may leave, as far as the kernel takes it.
    pub(crate) fn send(&mut self, client: &mut Client) {
        while !client.blocked && client.fate != Fate::Dead && !client.output.sendable().is_empty() {
            match client.stream.write(client.output.sendable()) {
                Ok(bytes) => {
                    self.metrics.bytes_out += bytes as u64;
                    client.output.advance(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => client.blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => client.fate = Fate::Dead,
            }
        }
    }

    /// Takes back what an idle connection does not need, and counts what it keeps.
    pub(crate) fn rest(&mut self, client: &mut Client) {
        if let Some(buffer) = client.output.rest()
            && self.spare.len() < caps::SPARE_BUFFERS_MAX
            && buffer.capacity() <= caps::SPARE_BUFFER_BYTES_MAX
        {
            self.spare.push(buffer);
        }
        if client.input.is_empty() {
            client.input = Vec::new();
            client.parser.rest();
        }
        let dead = client.fate == Fate::Dead;
        let now = if dead { (0, 0) } else { (client.kept(), client.session.kept()) };
        self.metrics.observe_kept((client.counted, client.counted_transaction), now);
        (client.counted, client.counted_transaction) = now;
    }

    /// Ends a connection. What it has sent and nobody read would make the kernel reset it, and its last replies with
    /// it: so that much is read away.
    pub(crate) fn discard(&mut self, mut client: Box<Client>) {
        // Who is gone already need not be told.
        let _ = client.stream.shutdown(Shutdown::Write);
        let mut left = caps::DISCARDED_BYTES_MAX;
        while left > 0 {
            match client.stream.read(&mut self.buffer) {
                Ok(0) | Err(_) => break,
                Ok(bytes) => left = left.saturating_sub(bytes),
            }
        }
        let _ = self.poll.registry().deregister(&mut client.stream);
    }
}

/// What a connection sees of the server around it.
struct Around<'a, L> {
    reactor: &'a Reactor,
    ledger: &'a L,
}

impl<L: Ledger> House for Around<'_, L> {
    fn now_ms(&self) -> u64 {
        self.ledger.now_ms()
    }

    fn info(&self, wants: &dyn Fn(&str) -> bool, out: &mut Vec<u8>) {
        self.reactor.info(self.ledger).write(wants, out);
    }

    fn others(&self, wants: &dyn Fn(u64) -> bool, out: &mut Vec<u8>) {
        let now_ms = self.now_ms();
        for client in self.reactor.clients.iter().filter(|client| wants(client.session.identity.id)) {
            client.session.describe(now_ms, client.input.len(), client.output.unsent(), out);
        }
    }
}
