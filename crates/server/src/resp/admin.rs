//! Commands about the connection and the server: as in Redis, enough for its own tools and the common libraries to
//! connect and run unmodified. Texts are those of Redis 7, word by word, since libraries read them.

use crate::caps;
use crate::resp::parse::Args;
use crate::resp::session::{Library, Session, Task, quoted, wrong_number};
use crate::resp::table::{Entry, TABLE, Talk, Word, find};
use crate::resp::write::{Protocol, Writer};

/// The version of Redis whose protocol and texts are spoken, for libraries that choose by it.
pub const REDIS_VERSION: &str = "7.2.0";

/// What a connection may ask of the server around it.
pub trait House {
    fn now_ms(&self) -> u64;
    /// Writes the sections of `INFO` whose name, in lower case, is wanted.
    fn info(&self, wants: &dyn Fn(&str) -> bool, out: &mut Vec<u8>);
    /// Writes a line for each other connection whose id is wanted.
    fn others(&self, wants: &dyn Fn(u64) -> bool, out: &mut Vec<u8>);
}

pub fn talk(talk: Talk, args: Args<'_>, session: &mut Session, house: &dyn House, out: &mut Vec<u8>) -> Task {
    match talk {
        Talk::Hello => hello(args, session, out),
        Talk::Client => client(args, session, house, out),
        Talk::Reset => {
            session.reset();
            session.writer(out).simple("RESET");
        }
        Talk::Quit => {
            session.writer(out).simple("OK");
            return Task::Goodbye;
        }
        Talk::Ping => ping(args, &mut session.writer(out)),
        Talk::Echo => session.writer(out).bulk(args.get(1).unwrap_or_default()),
        Talk::Auth => auth(args, &mut session.writer(out)),
        Talk::Select => select(args, &mut session.writer(out)),
        Talk::Command => command(args, &mut session.writer(out)),
        Talk::Info => info(args, house, &mut session.writer(out)),
        Talk::Config => config(args, &mut session.writer(out)),
    }
    Task::Answered
}

/// ``unknown command 'x', with args beginning with: 'a' 'b' ``, cut as Redis cuts it.
pub fn unknown_command(writer: &mut Writer<'_>, args: Args<'_>) {
    let name = quoted(args.get(0).unwrap_or_default(), caps::QUOTED_BYTES_MAX);
    let mut rest = Vec::new();
    for arg in args.from(1).iter() {
        if rest.len() >= caps::QUOTED_BYTES_MAX {
            break;
        }
        let most = caps::QUOTED_BYTES_MAX - rest.len();
        rest.push(b'\'');
        rest.extend_from_slice(quoted(arg, most));
        rest.extend_from_slice(b"' ");
    }
    writer.error_of(&[b"ERR unknown command '", name, b"', with args beginning with: ", &rest]);
}

struct Subcommand {
    name: &'static str,
    /// As an entry's, both words included.
    arity: i8,
    help: &'static str,
}

const fn subcommand(name: &'static str, arity: i8, help: &'static str) -> Subcommand {
    Subcommand { name, arity, help }
}

const CLIENT: &[Subcommand] = &[
    subcommand("GETNAME", 2, "Return the name of the current connection."),
    subcommand("HELP", 2, "Print this help."),
    subcommand("ID", 2, "Return the ID of the current connection."),
    subcommand("LIST", -2, "Return information about client connections."),
    subcommand("SETINFO", 4, "Set what the client library says of itself: LIB-NAME or LIB-VER."),
    subcommand("SETNAME", 3, "Assign a name to the current connection."),
];
const COMMAND: &[Subcommand] = &[
    subcommand("COUNT", 2, "Return the total number of commands."),
    subcommand("DOCS", -2, "Return documentation of some commands, or of all."),
    subcommand("GETKEYS", -4, "Return the key of a full command."),
    subcommand("HELP", 2, "Print this help."),
    subcommand("INFO", -2, "Return details about some commands, or about all."),
];
const CONFIG: &[Subcommand] =
    &[subcommand("GET", -3, "Return settings that match the patterns."), subcommand("HELP", 2, "Print this help.")];

fn subcommands(talk: Talk) -> &'static [Subcommand] {
    match talk {
        Talk::Client => CLIENT,
        Talk::Command => COMMAND,
        Talk::Config => CONFIG,
        Talk::Ping | Talk::Echo | Talk::Hello | Talk::Auth | Talk::Select | Talk::Quit | Talk::Reset | Talk::Info => {
            &[]
        }
    }
}

/// Writes why the subcommand cannot be, if so: Redis finds that before it queues a command.
pub fn refuses_subcommand(talk: Talk, args: Args<'_>, writer: &mut Writer<'_>) -> bool {
    let known = subcommands(talk);
    let Some(given) = args.get(1).filter(|_| !known.is_empty()) else {
        return false;
    };
    let name = Word::Talk(talk).entry().name;
    let Some(subcommand) = known.iter().find(|known| known.name.as_bytes().eq_ignore_ascii_case(given)) else {
        let upper = name.to_ascii_uppercase();
        let given = quoted(given, caps::QUOTED_BYTES_MAX);
        writer.error_of(&[b"ERR unknown subcommand '", given, b"'. Try ", upper.as_bytes(), b" HELP."]);
        return true;
    };
    let least = subcommand.arity.unsigned_abs() as usize;
    let takes = if subcommand.arity < 0 { args.len() >= least } else { args.len() == least };
    if !takes {
        wrong_number(writer, &format!("{name}|{}", subcommand.name.to_ascii_lowercase()));
    }
    !takes
}

fn help(talk: Talk, writer: &mut Writer<'_>) {
    let known = subcommands(talk);
    writer.array(1 + known.len() * 2);
    let name = Word::Talk(talk).entry().name.to_ascii_uppercase();
    writer.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for subcommand in known {
        writer.simple(subcommand.name);
        writer.simple(&format!("    {}", subcommand.help));
    }
}

fn is(word: Option<&[u8]>, option: &str) -> bool {
    word.is_some_and(|word| word.eq_ignore_ascii_case(option.as_bytes()))
}

fn ping(args: Args<'_>, writer: &mut Writer<'_>) {
    match (args.get(1), args.len()) {
        (None, _) => writer.simple("PONG"),
        (Some(message), 2) => writer.bulk(message),
        (Some(_), _) => wrong_number(writer, "ping"),
    }
}

/// An integer as Redis reads one: plain, of 64 bits.
fn integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits.first() != Some(&b'0') || word == b"0");
    std::str::from_utf8(word).ok().filter(|_| plain)?.parse().ok()
}

fn select(args: Args<'_>, writer: &mut Writer<'_>) {
    match integer(args.get(1).unwrap_or_default()) {
        Some(0) => writer.simple("OK"),
        None => writer.error(&"ERR value is not an integer or out of range"),
        Some(index) if i32::try_from(index).is_err() => {
            writer.error(&"ERR value is out of range, value must between -2147483648 and 2147483647");
        }
        Some(_) => writer.error(&"ERR DB index is out of range"),
    }
}

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

/// No password is configured: the default user takes any, and there is no other.
fn auth(args: Args<'_>, writer: &mut Writer<'_>) {
    match args.len() {
        2 => writer.error(
            &"ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
        ),
        3 if args.get(1) == Some(b"default") => writer.simple("OK"),
        3 => writer.error(&WRONG_PASSWORD),
        _ => writer.error(&"ERR syntax error"),
    }
}

const BAD_NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";

/// What may stand in `CLIENT LIST` without breaking its lines.
fn client_text(bytes: &[u8]) -> Option<&str> {
    let plain = bytes.len() <= caps::CLIENT_TEXT_BYTES_MAX && bytes.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(bytes).ok().filter(|_| plain)
}

fn hello(args: Args<'_>, session: &mut Session, out: &mut Vec<u8>) {
    let mut protocol = session.protocol;
    if let Some(version) = args.get(1) {
        protocol = match integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return session.writer(out).error(&"NOPROTO unsupported protocol version"),
            None => return session.writer(out).error(&"ERR Protocol version is not an integer or out of range"),
        };
    }
    let mut name = None;
    let mut at = 2;
    while let Some(option) = args.get(at) {
        if is(Some(option), "AUTH") && args.len() > at + 2 {
            if args.get(at + 1) != Some(b"default") {
                return session.writer(out).error(&WRONG_PASSWORD);
            }
            at += 3;
        } else if is(Some(option), "SETNAME") && args.len() > at + 1 {
            name = args.get(at + 1);
            if name.is_some_and(|name| client_text(name).is_none()) {
                return session.writer(out).error(&BAD_NAME);
            }
            at += 2;
        } else {
            let option = quoted(option, caps::QUOTED_BYTES_MAX);
            return session.writer(out).error_of(&[b"ERR Syntax error in HELLO option '", option, b"'"]);
        }
    }
    session.protocol = protocol;
    if let Some(name) = name {
        set_name(session, name);
    }
    let mut writer = session.writer(out);
    writer.map(7);
    for (field, value) in [("server", "sumun"), ("version", REDIS_VERSION)] {
        writer.text(field);
        writer.text(value);
    }
    writer.text("proto");
    writer.integer(match protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    });
    writer.text("id");
    writer.unsigned(session.identity.id);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        writer.text(field);
        writer.text(value);
    }
    writer.text("modules");
    writer.array(0);
}

fn set_name(session: &mut Session, name: &[u8]) -> bool {
    let Some(name) = client_text(name) else {
        return false;
    };
    session.name = (!name.is_empty()).then(|| name.into());
    true
}

fn client(args: Args<'_>, session: &mut Session, house: &dyn House, out: &mut Vec<u8>) {
    let subcommand = args.get(1);
    if is(subcommand, "SETNAME") {
        let set = set_name(session, args.get(2).unwrap_or_default());
        let mut writer = session.writer(out);
        if set { writer.simple("OK") } else { writer.error(&BAD_NAME) }
    } else if is(subcommand, "GETNAME") {
        match &session.name {
            Some(name) => session.writer(out).text(name),
            None => session.writer(out).null(),
        }
    } else if is(subcommand, "ID") {
        session.writer(out).unsigned(session.identity.id);
    } else if is(subcommand, "SETINFO") {
        set_info(args, session, out);
    } else if is(subcommand, "LIST") {
        list(args, session, house, out);
    } else {
        help(Talk::Client, &mut session.writer(out));
    }
}

fn set_info(args: Args<'_>, session: &mut Session, out: &mut Vec<u8>) {
    let (attribute, value) = (args.get(2), args.get(3).and_then(client_text));
    let (is_name, is_version) = (is(attribute, "LIB-NAME"), is(attribute, "LIB-VER"));
    match value {
        _ if !is_name && !is_version => {
            let attribute = quoted(attribute.unwrap_or_default(), caps::QUOTED_BYTES_MAX);
            session.writer(out).error_of(&[b"ERR Unrecognized option '", attribute, b"'"]);
        }
        None => {
            let attribute = if is_name { "lib-name" } else { "lib-ver" };
            session
                .writer(out)
                .error(&format_args!("ERR {attribute} cannot contain spaces, newlines or special characters."));
        }
        Some(value) => {
            let library: &mut Library = session.library.get_or_insert_default();
            if is_name {
                library.name = value.into();
            } else {
                library.version = value.into();
            }
            session.writer(out).simple("OK");
        }
    }
}

fn list(args: Args<'_>, session: &Session, house: &dyn House, out: &mut Vec<u8>) {
    let mut ids: Option<Vec<u64>> = None;
    let mut writer = session.writer(out);
    if args.len() == 4 && is(args.get(2), "TYPE") {
        let kind = args.get(3).unwrap_or_default();
        match kind.to_ascii_lowercase().as_slice() {
            b"normal" => {}
            // There is none of these.
            b"master" | b"replica" | b"slave" | b"pubsub" => ids = Some(Vec::new()),
            _ => {
                return writer.error_of(&[b"ERR Unknown client type '", quoted(kind, caps::QUOTED_BYTES_MAX), b"'"]);
            }
        }
    } else if args.len() > 3 && is(args.get(2), "ID") {
        let given: Option<Vec<u64>> =
            args.from(3).iter().map(|id| integer(id).and_then(|id| u64::try_from(id).ok())).collect();
        match given {
            Some(given) => ids = Some(given),
            None => return writer.error(&"ERR Invalid client ID"),
        }
    } else if args.len() > 2 {
        return writer.error(&"ERR syntax error");
    }
    let wants = |id: u64| ids.as_ref().is_none_or(|ids| ids.contains(&id));
    let mut lines = Vec::new();
    if wants(session.identity.id) {
        session.describe(house.now_ms(), args.size(), 0, &mut lines);
    }
    house.others(&wants, &mut lines);
    writer.bulk(&lines);
}

fn info(args: Args<'_>, house: &dyn House, writer: &mut Writer<'_>) {
    let wants = |section: &str| {
        args.len() == 1
            || args
                .from(1)
                .iter()
                .any(|word| ["default", "all", "everything", section].iter().any(|name| is(Some(word), name)))
    };
    let mut text = Vec::new();
    house.info(&wants, &mut text);
    writer.bulk(&text);
}

/// Settings that libraries and tools ask for, with what is true here: everything is durable, nothing times out.
const SETTINGS: &[(&str, &str)] = &[("save", ""), ("appendonly", "yes"), ("databases", "1"), ("timeout", "0")];

fn config(args: Args<'_>, writer: &mut Writer<'_>) {
    if !is(args.get(1), "GET") {
        return help(Talk::Config, writer);
    }
    let wanted = |name: &str| args.from(2).iter().any(|pattern| matches(pattern, name.as_bytes()));
    let found: Vec<_> = SETTINGS.iter().filter(|(name, _)| wanted(name)).collect();
    writer.map(found.len());
    for (name, value) in found {
        writer.text(name);
        writer.text(value);
    }
}

/// `*` and `?`, in any case. Only the last `*` is ever tried again, so that no pattern costs more than its length
/// times the name's.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || byte.eq_ignore_ascii_case(&name[seen]) => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => {
                let Some((star_at, star_seen)) = star else {
                    return false;
                };
                at = star_at + 1;
                seen = star_seen + 1;
                star = Some((star_at, seen));
            }
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

fn command(args: Args<'_>, writer: &mut Writer<'_>) {
    let subcommand = args.get(1);
    if subcommand.is_none() || is(subcommand, "INFO") && args.len() == 2 {
        writer.array(TABLE.len());
        TABLE.iter().for_each(|entry| details(writer, entry));
    } else if is(subcommand, "INFO") {
        writer.array(args.len() - 2);
        for name in args.from(2).iter() {
            match find(name) {
                Some(word) => details(writer, word.entry()),
                None => writer.null_array(),
            }
        }
    } else if is(subcommand, "COUNT") {
        writer.unsigned(TABLE.len() as u64);
    } else if is(subcommand, "DOCS") {
        let mut wanted: Vec<&Entry> = args.from(2).iter().filter_map(find).map(Word::entry).collect();
        if args.len() == 2 {
            wanted.extend(&TABLE);
        }
        writer.map(wanted.len());
        wanted.into_iter().for_each(|entry| docs(writer, entry));
    } else if is(subcommand, "GETKEYS") {
        let entry = args.get(2).and_then(find).map(Word::entry);
        match (entry, args.get(3)) {
            (None, _) => writer.error(&"ERR Invalid command specified"),
            (Some(entry), _) if !entry.has_key() => writer.error(&"ERR The command has no key arguments"),
            (Some(entry), Some(key)) if entry.takes(args.len() - 2) => {
                writer.array(1);
                writer.bulk(key);
            }
            (Some(_), _) => writer.error(&"ERR Invalid number of arguments specified for command"),
        }
    } else {
        help(Talk::Command, writer);
    }
}

/// The ten fields of `COMMAND INFO`. What RESP3 has sets for are arrays.
fn details(writer: &mut Writer<'_>, entry: &Entry) {
    writer.array(10);
    writer.text(entry.name);
    writer.integer(i64::from(entry.arity));
    words(writer, entry.flags);
    let key = i64::from(entry.has_key());
    (0..3).for_each(|_| writer.integer(key));
    let categories: &[&str] = match entry.word {
        Word::Ledger(_) if entry.flags.contains(&"readonly") => &["@read", "@fast"],
        Word::Ledger(_) => &["@write", "@fast"],
        Word::Talk(_) => &["@fast", "@connection"],
        Word::Turn(_) => &["@fast", "@transaction"],
    };
    words(writer, categories);
    writer.array(0);
    if entry.has_key() {
        writer.array(1);
        key_specification(writer, entry);
    } else {
        writer.array(0);
    }
    writer.array(0);
}

fn key_specification(writer: &mut Writer<'_>, entry: &Entry) {
    writer.map(3);
    writer.text("flags");
    words(writer, if entry.flags.contains(&"readonly") { &["RO", "access"] } else { &["RW", "access", "update"] });
    writer.text("begin_search");
    search(writer, "index", &[("index", 1)]);
    writer.text("find_keys");
    search(writer, "range", &[("lastkey", 0), ("keystep", 1), ("limit", 0)]);
}

fn search(writer: &mut Writer<'_>, kind: &str, specification: &[(&str, i64)]) {
    writer.map(2);
    writer.text("type");
    writer.text(kind);
    writer.text("spec");
    writer.map(specification.len());
    for (field, value) in specification {
        writer.text(field);
        writer.integer(*value);
    }
}

fn words(writer: &mut Writer<'_>, words: &[&str]) {
    writer.array(words.len());
    words.iter().for_each(|word| writer.simple(word));
}

fn docs(writer: &mut Writer<'_>, entry: &Entry) {
    writer.text(entry.name);
    writer.map(3 + usize::from(!entry.usage.is_empty()));
    let group = match entry.word {
        Word::Ledger(_) => "ledger",
        Word::Talk(_) => "connection",
        Word::Turn(_) => "transactions",
    };
    for (field, value) in [("summary", entry.summary), ("since", "0.1.0"), ("group", group)] {
        writer.text(field);
        writer.text(value);
    }
    if !entry.usage.is_empty() {
        // The whole of it as one argument: redis-cli shows it as the hint.
        writer.text("arguments");
        writer.array(1);
        writer.map(2);
        writer.text("name");
        writer.text(entry.usage);
        writer.text("type");
        writer.text("string");
    }
}
