//! One connection: its socket, what it has sent that is not decided yet, what it is to be sent.
//!
//! An idle one keeps neither input nor output: a socket, a session, and the box they stand in.

use crate::output::Output;
use crate::resp::{Identity, Parser, Session};
use mio::net::TcpStream;

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) session: Session,
    pub(crate) parser: Parser,
    /// What was read and not yet decided, beginning with a request's first byte.
    pub(crate) input: Vec<u8>,
    pub(crate) output: Output,
    /// The request at the beginning of `input`, so many bytes, is parsed and waits for a later step.
    pub(crate) waits: Option<usize>,
    /// It waits for a record that is being read.
    pub(crate) reading: bool,
    /// The kernel may have more to read (it says so once, not again).
    pub(crate) readable: bool,
    /// The kernel has said that the peer sends no more: only a read that finds the end may stop.
    pub(crate) hung_up: bool,
    /// Nothing more will come.
    pub(crate) ended: bool,
    /// The kernel takes no more, until it says so.
    pub(crate) blocked: bool,
    /// It stands in the queue of those who get a turn.
    pub(crate) queued: bool,
    /// It has written replies in the step that is open.
    pub(crate) touched: bool,
    pub(crate) fate: Fate,
    /// What it kept when it was last counted.
    pub(crate) counted: usize,
    /// What its transaction kept then.
    pub(crate) counted_transaction: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    /// Nothing more is read or decided; it closes when its replies are out.
    Closing,
    /// It closes now.
    Dead,
}

impl Client {
    pub(crate) fn new(stream: TcpStream, identity: Identity) -> Client {
        Client {
            stream,
            session: Session::new(identity),
            parser: Parser::default(),
            input: Vec::new(),
            output: Output::default(),
            waits: None,
            reading: false,
            // Registering it tells of what has come before.
            readable: false,
            hung_up: false,
            ended: false,
            blocked: false,
            queued: false,
            touched: false,
            fate: Fate::Lives,
            counted: 0,
            counted_transaction: 0,
        }
    }

    /// Bytes of memory that it keeps beyond itself.
    pub(crate) fn kept(&self) -> usize {
        self.input.capacity() + self.output.kept() + self.session.kept()
    }

    /// Whether another turn could get anything done.
    pub(crate) fn wants_turn(&self) -> bool {
        self.fate == Fate::Lives && !self.reading && (self.readable || self.has_requests())
    }

    /// Whether what is read holds more than the beginning of a request.
    pub(crate) fn has_requests(&self) -> bool {
        self.waits.is_some() || (!self.input.is_empty() && !self.parser.is_midway())
    }
}
