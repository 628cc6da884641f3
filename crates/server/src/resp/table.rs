//! The commands by name: what each is, how many words it needs at least, and what `COMMAND` tells of it.

use crate::resp::parse::Args;

/// A command of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    Configure,
    Receive,
    Adjust,
    Reserve,
    Capture,
    Release,
    Extend,
    Return,
    Reservation,
    Item,
}

/// A command about the connection or the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Talk {
    Ping,
    Echo,
    Hello,
    Auth,
    Select,
    Quit,
    Reset,
    Command,
    Client,
    Info,
    Config,
}

/// A command about the transaction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    Multi,
    Exec,
    Discard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    Ledger(Verb),
    Talk(Talk),
    Turn(Turn),
}

/// What `COMMAND INFO` and `COMMAND DOCS` tell.
#[derive(Debug)]
pub struct Entry {
    pub word: Word,
    /// In lower case.
    pub name: &'static str,
    /// As in Redis: so many words, its name included; negative: at least so many.
    pub arity: i8,
    pub flags: &'static [&'static str],
    pub summary: &'static str,
    /// What follows the name, as in a manual.
    pub usage: &'static str,
}

const WRITE: &[&str] = &["write", "denyoom", "fast"];
const READ: &[&str] = &["readonly", "fast"];
const ALWAYS: &[&str] = &["noscript", "loading", "stale", "fast"];
const READY: &[&str] = &["noscript", "fast"];

const fn entry(
    word: Word,
    name: &'static str,
    arity: i8,
    flags: &'static [&'static str],
    summary: &'static str,
    usage: &'static str,
) -> Entry {
    Entry { word, name, arity, flags, summary, usage }
}

pub static TABLE: [Entry; 24] = [
    entry(
        Word::Ledger(Verb::Configure),
        "configure",
        -2,
        WRITE,
        "Sets all settings of an item; what is left out takes its default.",
        "sku [KIND kind] [SAFETY quantity] [BACKORDER quantity] [LIMIT quantity [WINDOW ms]] [ALLOCATION fefo|fifo] [METADATA json]",
    ),
    entry(
        Word::Ledger(Verb::Receive),
        "receive",
        -3,
        WRITE,
        "Adds a quantity to an item's on_hand.",
        "sku quantity ID movement|* [LOT lot] [EXPIRES unix-ms] [AT location] [WITHREPLAYED]",
    ),
    entry(
        Word::Ledger(Verb::Adjust),
        "adjust",
        -3,
        WRITE,
        "Changes an item's on_hand by a signed quantity.",
        "sku delta REASON word ID movement|* [LOT lot] [WITHREPLAYED]",
    ),
    entry(
        Word::Ledger(Verb::Reserve),
        "reserve",
        -4,
        WRITE,
        "Claims quantities of one or more items, all or none.",
        "reservation ttl-ms numitems sku quantity [sku quantity ...] [FOR holder] [UNTIL unix-ms] [LOT line lot ...] [AT line location ...] [CAPTURE]",
    ),
    entry(
        Word::Ledger(Verb::Capture),
        "capture",
        -2,
        WRITE,
        "Takes what a reservation holds, or a part of it.",
        "reservation [numitems sku quantity ...] [ID capture]",
    ),
    entry(
        Word::Ledger(Verb::Release),
        "release",
        -2,
        WRITE,
        "Gives back what a reservation holds, or a part of it.",
        "reservation [numitems sku quantity ...] [ID release]",
    ),
    entry(
        Word::Ledger(Verb::Extend),
        "extend",
        -3,
        WRITE,
        "Lets a reservation live for so long from now.",
        "reservation ttl-ms",
    ),
    entry(
        Word::Ledger(Verb::Return),
        "return",
        -2,
        WRITE,
        "Brings captured quantities back.",
        "reservation [numitems sku quantity ...] ID return",
    ),
    entry(Word::Ledger(Verb::Reservation), "reservation", -2, READ, "Shows a reservation.", "reservation"),
    entry(Word::Ledger(Verb::Item), "item", -2, READ, "Shows an item.", "sku"),
    entry(Word::Turn(Turn::Multi), "multi", 1, READY, "Begins a transaction.", ""),
    entry(Word::Turn(Turn::Exec), "exec", 1, READY, "Decides the queued commands with nothing in between.", ""),
    entry(Word::Turn(Turn::Discard), "discard", 1, READY, "Forgets the queued commands.", ""),
    entry(Word::Talk(Talk::Ping), "ping", -1, ALWAYS, "Answers.", "[message]"),
    entry(Word::Talk(Talk::Echo), "echo", 2, READY, "Answers with what it was given.", "message"),
    entry(
        Word::Talk(Talk::Hello),
        "hello",
        -1,
        ALWAYS,
        "Chooses the protocol and shakes hands.",
        "[protover [AUTH username password] [SETNAME clientname]]",
    ),
    entry(Word::Talk(Talk::Auth), "auth", -2, ALWAYS, "Authenticates the connection.", "[username] password"),
    entry(Word::Talk(Talk::Select), "select", 2, READY, "Chooses database 0, the only one.", "index"),
    entry(Word::Talk(Talk::Quit), "quit", -1, ALWAYS, "Closes the connection.", ""),
    entry(Word::Talk(Talk::Reset), "reset", 1, READY, "Makes the connection as new.", ""),
    entry(
        Word::Talk(Talk::Command),
        "command",
        -1,
        ALWAYS,
        "Tells what commands there are.",
        "[COUNT | DOCS [name ...] | INFO [name ...] | GETKEYS name [arg ...]]",
    ),
    entry(
        Word::Talk(Talk::Client),
        "client",
        -2,
        ALWAYS,
        "Tells of connections.",
        "SETNAME name | SETINFO attribute value | GETNAME | ID | LIST",
    ),
    entry(Word::Talk(Talk::Info), "info", -1, ALWAYS, "Tells how the server is.", "[section ...]"),
    entry(
        Word::Talk(Talk::Config),
        "config",
        -2,
        READY,
        "Tells settings that clients ask for.",
        "GET pattern [pattern ...]",
    ),
];

/// The longest name, `reservation`.
const NAME_BYTES_MAX: usize = 11;

/// The command of a name in any case.
pub fn find(name: &[u8]) -> Option<Word> {
    let mut lower = [0u8; NAME_BYTES_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let word = match &*lower {
        b"reserve" => Word::Ledger(Verb::Reserve),
        b"capture" => Word::Ledger(Verb::Capture),
        b"release" => Word::Ledger(Verb::Release),
        b"item" => Word::Ledger(Verb::Item),
        b"reservation" => Word::Ledger(Verb::Reservation),
        b"extend" => Word::Ledger(Verb::Extend),
        b"return" => Word::Ledger(Verb::Return),
        b"receive" => Word::Ledger(Verb::Receive),
        b"adjust" => Word::Ledger(Verb::Adjust),
        b"configure" => Word::Ledger(Verb::Configure),
        b"multi" => Word::Turn(Turn::Multi),
        b"exec" => Word::Turn(Turn::Exec),
        b"discard" => Word::Turn(Turn::Discard),
        b"ping" => Word::Talk(Talk::Ping),
        b"echo" => Word::Talk(Talk::Echo),
        b"hello" => Word::Talk(Talk::Hello),
        b"auth" => Word::Talk(Talk::Auth),
        b"select" => Word::Talk(Talk::Select),
        b"quit" => Word::Talk(Talk::Quit),
        b"reset" => Word::Talk(Talk::Reset),
        b"command" => Word::Talk(Talk::Command),
        b"client" => Word::Talk(Talk::Client),
        b"info" => Word::Talk(Talk::Info),
        b"config" => Word::Talk(Talk::Config),
        _ => return None,
    };
    Some(word)
}

impl Word {
    /// The table stands in the order of the enums, as a test shows: every request looks here.
    pub fn entry(self) -> &'static Entry {
        let index = match self {
            Word::Ledger(verb) => verb as usize,
            Word::Turn(turn) => Verb::Item as usize + 1 + turn as usize,
            Word::Talk(talk) => Verb::Item as usize + Turn::Discard as usize + 2 + talk as usize,
        };
        &TABLE[index]
    }

    /// Whether it is answered before the log is replayed.
    pub const fn answers_while_loading(self) -> bool {
        match self {
            Word::Ledger(_) | Word::Turn(_) => false,
            Word::Talk(talk) => match talk {
                Talk::Ping | Talk::Hello | Talk::Auth | Talk::Quit | Talk::Command | Talk::Client | Talk::Info => true,
                Talk::Echo | Talk::Select | Talk::Reset | Talk::Config => false,
            },
        }
    }

    /// Whether a transaction has no place for it in its queue.
    pub const fn is_never_queued(self) -> bool {
        match self {
            Word::Turn(_) | Word::Talk(Talk::Quit | Talk::Reset) => true,
            Word::Ledger(_)
            | Word::Talk(
                Talk::Ping
                | Talk::Echo
                | Talk::Hello
                | Talk::Auth
                | Talk::Select
                | Talk::Command
                | Talk::Client
                | Talk::Info
                | Talk::Config,
            ) => false,
        }
    }
}

impl Entry {
    /// Whether so many words, the name included, are what the command takes.
    pub const fn takes(&self, words: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { words >= least } else { words == least }
    }

    /// The first argument is the only key, or there is none.
    pub const fn has_key(&self) -> bool {
        matches!(self.word, Word::Ledger(_))
    }
}

/// A first word that no client of ours says: somebody speaks HTTP, perhaps a web page that was made to.
pub fn is_http(args: &Args<'_>) -> bool {
    args.get(0).is_some_and(|name| name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_has_its_entry() {
        for entry in &TABLE {
            assert_eq!(find(entry.name.as_bytes()), Some(entry.word), "{}", entry.name);
            assert_eq!(find(entry.name.to_ascii_uppercase().as_bytes()), Some(entry.word), "{}", entry.name);
            assert_eq!(entry.word.entry().name, entry.name);
            assert!(entry.name.len() <= NAME_BYTES_MAX);
        }
        for unknown in ["", "get", "reserv", "reserve ", "reservations", "rES\u{17f}erve"] {
            assert_eq!(find(unknown.as_bytes()), None, "{unknown}");
        }
    }
}
