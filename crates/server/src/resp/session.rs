//! What a connection is to the protocol: who it is, which protocol it speaks, its transaction; and where a request
//! goes: answered at once, decided by the ledger, or the end of the connection.
//!
//! Never here: buffers, sockets, decisions about items or reservations.

use crate::caps;
use crate::resp::admin::{self, House};
use crate::resp::command::Refused;
use crate::resp::parse::Args;
use crate::resp::table::{self, Turn, Verb, Word};
use crate::resp::transaction::Transaction;
use crate::resp::write::{Protocol, Writer};
use std::net::SocketAddr;
use sumun_wire::{Facts, Refusal};

/// What never changes of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub id: u64,
    pub peer: SocketAddr,
    pub local: SocketAddr,
    /// Shard time at which it was accepted.
    pub since_ms: u64,
}

#[derive(Debug)]
pub struct Session {
    pub identity: Identity,
    pub protocol: Protocol,
    pub name: Option<Box<str>>,
    pub library: Option<Box<Library>>,
    pub transaction: Option<Box<Transaction>>,
    /// The last command and its time.
    pub last: Option<(Word, u64)>,
}

/// What a client library says of itself.
#[derive(Debug, Default)]
pub struct Library {
    pub name: Box<str>,
    pub version: Box<str>,
}

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Nothing: the reply is written.
    Answered,
    /// The reply is written, and the connection ends with it.
    Goodbye,
    /// The connection ends without a word.
    Hangup,
    /// `command::read` reads it, the ledger decides.
    Decide(Verb),
    /// The ledger decides the session's transaction, then `Session::transaction` is taken away.
    Exec,
}

/// What the server is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Loading,
    Ready,
}

/// How much more the transactions of all connections may keep, in bytes.
#[derive(Debug)]
pub struct Allowance {
    pub left: usize,
    /// After how long a refused command may be tried again.
    pub retry_after_ms: u32,
}

impl Session {
    pub const fn new(identity: Identity) -> Session {
        Session { identity, protocol: Protocol::Resp2, name: None, library: None, transaction: None, last: None }
    }

    /// Bytes that its transaction keeps.
    pub fn kept(&self) -> usize {
        self.transaction.as_ref().map_or(0, |transaction| transaction.kept())
    }

    /// Says where the request goes, and writes the reply of one that the ledger has no part in.
    pub fn dispatch(
        &mut self,
        args: Args<'_>,
        stage: Stage,
        allowance: &Allowance,
        house: &dyn House,
        out: &mut Vec<u8>,
    ) -> Task {
        let Some(name) = args.get(0) else {
            return Task::Answered;
        };
        let Some(word) = table::find(name) else {
            if table::is_http(&args) {
                return Task::Hangup;
            }
            self.spoil();
            admin::unknown_command(&mut self.writer(out), args);
            return Task::Answered;
        };
        self.last = Some((word, house.now_ms()));
        if let Some(refused) = self.refuses(word, args, stage, out) {
            return refused;
        }
        if self.transaction.is_some() && !word.is_never_queued() {
            self.queue(word, args, allowance, out);
            return Task::Answered;
        }
        match word {
            Word::Ledger(verb) => Task::Decide(verb),
            Word::Talk(talk) => admin::talk(talk, args, self, house, out),
            Word::Turn(turn) => self.turn(turn, out),
        }
    }

    /// What is found before anything is done or queued.
    fn refuses(&mut self, word: Word, args: Args<'_>, stage: Stage, out: &mut Vec<u8>) -> Option<Task> {
        let entry = word.entry();
        if !entry.takes(args.len()) {
            if word == Word::Turn(Turn::Exec) {
                self.transaction = None;
                self.writer(out)
                    .error(&"EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command");
            } else {
                self.spoil();
                wrong_number(&mut self.writer(out), entry.name);
            }
            return Some(Task::Answered);
        }
        if stage == Stage::Loading && !word.answers_while_loading() {
            self.spoil();
            self.writer(out).error(&"LOADING Sumun is replaying its log");
            return Some(Task::Answered);
        }
        if let Word::Talk(talk) = word
            && admin::refuses_subcommand(talk, args, &mut self.writer(out))
        {
            self.spoil();
            return Some(Task::Answered);
        }
        None
    }

    fn queue(&mut self, word: Word, args: Args<'_>, allowance: &Allowance, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out, self.protocol);
        let Some(transaction) = self.transaction.as_mut() else {
            return;
        };
        if args.size() > allowance.left {
            transaction.spoil();
            return writer.error(&Refusal::overloaded(allowance.retry_after_ms));
        }
        match transaction.queue(word, args) {
            Ok(()) => writer.simple("QUEUED"),
            Err(full) => {
                transaction.spoil();
                writer.error(&format_args!("ERR {full}"));
            }
        }
    }

    fn turn(&mut self, turn: Turn, out: &mut Vec<u8>) -> Task {
        let mut writer = Writer::new(out, self.protocol);
        match (turn, &self.transaction) {
            (Turn::Multi, None) => {
                self.transaction = Some(Box::default());
                writer.simple("OK");
            }
            (Turn::Multi, Some(_)) => writer.error(&"ERR MULTI calls can not be nested"),
            (Turn::Exec, None) => writer.error(&"ERR EXEC without MULTI"),
            (Turn::Discard, None) => writer.error(&"ERR DISCARD without MULTI"),
            (Turn::Exec, Some(transaction)) => {
                if !transaction.is_spoilt() {
                    return Task::Exec;
                }
                self.transaction = None;
                writer.error(&"EXECABORT Transaction discarded because of previous errors.");
            }
            (Turn::Discard, Some(_)) => {
                self.transaction = None;
                writer.simple("OK");
            }
        }
        Task::Answered
    }

    /// A command that could not be queued makes EXEC refuse the rest.
    fn spoil(&mut self) {
        if let Some(transaction) = self.transaction.as_mut() {
            transaction.spoil();
        }
    }

    pub const fn writer<'a>(&self, out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer::new(out, self.protocol)
    }

    /// As new, but for who it is (`RESET`).
    pub fn reset(&mut self) {
        *self = Session { library: self.library.take(), last: self.last, ..Session::new(self.identity) };
    }

    /// Its line of `CLIENT LIST`; `buffered` are the bytes of requests, `unsent` those of replies.
    pub fn describe(&self, now_ms: u64, buffered: usize, unsent: usize, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let Identity { id, peer, local, since_ms } = self.identity;
        let age = now_ms.saturating_sub(since_ms) / 1_000;
        let (word, at) = self.last.map_or(("NULL", since_ms), |(word, at)| (word.entry().name, at));
        let idle = now_ms.saturating_sub(at) / 1_000;
        let flags = if self.transaction.is_some() { "x" } else { "N" };
        let multi = self.transaction.as_ref().map_or(-1, |transaction| transaction.len() as i64);
        let resp = match self.protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        let name = self.name.as_deref().unwrap_or_default();
        let (library, version) = self.library.as_ref().map_or(("", ""), |library| (&library.name, &library.version));
        // Writing into memory cannot fail.
        let _ = writeln!(
            out,
            "id={id} addr={peer} laddr={local} fd=0 name={name} age={age} idle={idle} flags={flags} db=0 sub=0 psub=0 \
             ssub=0 multi={multi} qbuf={buffered} qbuf-free=0 argv-mem=0 multi-mem={} obl={unsent} oll=0 omem={unsent} \
             tot-mem={} events=r cmd={word} user=default redir=-1 resp={resp} lib-name={library} lib-ver={version}",
            self.kept(),
            self.kept() + buffered + unsent,
        );
    }
}

/// Writes why the words of a ledger command could not be read.
pub fn refuse(writer: &mut Writer<'_>, verb: Verb, refused: Refused) {
    match refused {
        Refused::TooFew => wrong_number(writer, Word::Ledger(verb).entry().name),
        Refused::Invalid(invalid) => {
            writer.error(&Refusal { code: sumun_wire::Code::Invalid, facts: Facts::Invalid(invalid) });
        }
    }
}

pub fn wrong_number(writer: &mut Writer<'_>, name: &str) {
    writer.error(&format_args!("ERR wrong number of arguments for '{name}' command"));
}

/// At most so much of what somebody sent is quoted, and nothing behind a NUL, as in Redis.
pub fn quoted(bytes: &[u8], most: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(most).min(caps::QUOTED_BYTES_MAX)];
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}
