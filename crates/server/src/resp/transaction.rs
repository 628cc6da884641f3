//! A transaction in the making: the commands between MULTI and EXEC, kept as the bytes they came as and read again at
//! EXEC, so that what is queued borrows from nothing. Its caps are the contract's; a command past one is refused, and
//! EXEC then does nothing.

use crate::caps;
use crate::resp::command::{self, Read, Refused};
use crate::resp::parse::{Args, Span};
use crate::resp::table::{Talk, Verb, Word};

#[derive(Debug, Default)]
pub struct Transaction {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    commands: Vec<Queued>,
    lines: usize,
    spoilt: bool,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    word: Word,
    /// Its first span; the next command's first ends it.
    first: u32,
}

/// A queued command, read.
#[derive(Debug)]
pub enum Piece<'a> {
    Ledger(Verb, Read<'a>),
    Talk(Talk, Args<'a>),
    /// It answers for itself, and the others go on.
    Refused(Verb, Refused),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the transaction is too big: at most 1024 commands, 4096 lines and 256 KiB")]
pub struct Full;

impl Transaction {
    pub fn queue(&mut self, word: Word, args: Args<'_>) -> Result<(), Full> {
        let lines = match word {
            Word::Ledger(verb) => command::read(verb, args).map_or(1, |read| read.command.line_count()),
            Word::Talk(_) | Word::Turn(_) => 0,
        };
        let full = self.commands.len() >= caps::TRANSACTION_COMMANDS_MAX
            || self.lines + lines > caps::TRANSACTION_LINES_MAX
            || self.bytes.len() + args.size() > caps::TRANSACTION_BYTES_MAX
            // A word costs a span, an empty one too.
            || self.spans.len() + args.len() > caps::TRANSACTION_BYTES_MAX / 4;
        if full {
            return Err(Full);
        }
        self.commands.push(Queued { word, first: self.spans.len() as u32 });
        self.lines += lines;
        for word in args.iter() {
            self.spans.push(Span { start: self.bytes.len() as u32, length: word.len() as u32 });
            self.bytes.extend_from_slice(word);
        }
        Ok(())
    }

    pub fn spoil(&mut self) {
        *self = Transaction { spoilt: true, ..Transaction::default() };
    }

    pub const fn is_spoilt(&self) -> bool {
        self.spoilt
    }

    pub const fn len(&self) -> usize {
        self.commands.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Bytes of memory it keeps.
    pub const fn kept(&self) -> usize {
        self.bytes.capacity()
            + self.spans.capacity() * size_of::<Span>()
            + self.commands.capacity() * size_of::<Queued>()
    }

    /// The commands in the order they were queued.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.commands.iter().enumerate().map(|(index, queued)| {
            let end = self.commands.get(index + 1).map_or(self.spans.len(), |next| next.first as usize);
            let args = Args::new(&self.bytes, &self.spans[queued.first as usize..end]);
            match queued.word {
                Word::Ledger(verb) => match command::read(verb, args) {
                    Ok(read) => Piece::Ledger(verb, read),
                    Err(refused) => Piece::Refused(verb, refused),
                },
                Word::Talk(talk) => Piece::Talk(talk, args),
                Word::Turn(_) => unreachable!("MULTI, EXEC and DISCARD are never queued"),
            }
        })
    }
}
