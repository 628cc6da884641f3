//! What must hold for any bytes that come in by a socket: the same requests however they are split, no panic in what
//! reads them, and for each request a reply that is well formed in the protocol that was spoken.

use sumun_server::resp::admin::House;
use sumun_server::resp::session::{self, Allowance, Stage, Task};
use sumun_server::resp::transaction::Piece;
use sumun_server::resp::{Identity, Parsed, Parser, Session, command};

struct Nobody;

impl House for Nobody {
    fn now_ms(&self) -> u64 {
        1
    }
    fn info(&self, _: &dyn Fn(&str) -> bool, _: &mut Vec<u8>) {}
    fn others(&self, _: &dyn Fn(u64) -> bool, _: &mut Vec<u8>) {}
}

/// Panics when something does not hold. The first byte says how the rest is split.
pub(crate) fn judge(data: &[u8]) {
    let Some((&split, stream)) = data.split_first() else {
        return;
    };
    let whole = replies(stream, stream.len().max(1));
    let pieces = replies(stream, usize::from(split) + 1);
    assert_eq!(whole, pieces, "the split changes what is answered");
    let mut rest = whole.as_slice();
    while !rest.is_empty() {
        rest = well_formed(rest, 0).unwrap_or_else(|| panic!("no reply: {}", rest.escape_ascii()));
    }
}

/// What a connection is answered, the ledger left out: each of its commands answers `:1`.
fn replies(stream: &[u8], piece: usize) -> Vec<u8> {
    let peer = "127.0.0.1:1".parse().expect("an address");
    let mut session = Session::new(Identity { id: 7, peer, local: peer, since_ms: 0 });
    let (mut parser, mut input, mut out) = (Parser::default(), Vec::new(), Vec::new());
    for piece in stream.chunks(piece) {
        input.extend_from_slice(piece);
        let mut at = 0;
        loop {
            match parser.parse(&mut input[at..]) {
                Ok(Parsed::Partial) => break,
                Ok(Parsed::Request { bytes }) => {
                    assert!(bytes > 0 && at + bytes <= input.len(), "a request is some of what there is");
                    if !answer(&mut session, &parser, &input[at..at + bytes], &mut out) {
                        return out;
                    }
                    at += bytes;
                }
                Err(error) => {
                    session.writer(&mut out).error(&format_args!("ERR {error}"));
                    return out;
                }
            }
        }
        input.drain(..at);
    }
    out
}

/// Whether the connection goes on.
fn answer(session: &mut Session, parser: &Parser, input: &[u8], out: &mut Vec<u8>) -> bool {
    let args = parser.args(input);
    assert_eq!(args.iter().count(), args.len(), "every argument lies within its request");
    let allowance = Allowance { left: 1 << 20, retry_after_ms: 1 };
    let before = out.len();
    let task = session.dispatch(args, Stage::Ready, &allowance, &Nobody, out);
    match task {
        // CLIENT LIST tells how much of the request there is, and so how it was split: nobody relies on that.
        Task::Answered => assert!(args.is_empty() || out.len() > before, "every request has its reply"),
        Task::Goodbye | Task::Hangup => return false,
        Task::Decide(verb) => match command::read(verb, args) {
            Ok(read) => {
                drop(read.with_fresh_id("fresh"));
                session.writer(out).integer(1);
            }
            Err(refused) => session::refuse(&mut session.writer(out), verb, refused),
        },
        Task::Exec => {
            let transaction = session.transaction.take().expect("EXEC has one");
            session.writer(out).array(transaction.len());
            for piece in transaction.pieces() {
                match piece {
                    Piece::Ledger(..) | Piece::Talk(..) => session.writer(out).integer(1),
                    Piece::Refused(verb, refused) => session::refuse(&mut session.writer(out), verb, refused),
                }
            }
        }
    }
    true
}

/// What follows the first reply, or `None` if there is none.
fn well_formed(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let end = bytes.iter().position(|&byte| byte == b'\r')?;
    let (line, rest) = (&bytes[..end], bytes.get(end + 2..)?);
    if bytes[end + 1] != b'\n' || line.contains(&b'\n') || depth > 16 {
        return None;
    }
    let number = || std::str::from_utf8(&line[1..]).ok()?.parse::<i64>().ok();
    let elements = match line.first()? {
        b'+' | b'-' => return Some(rest),
        b'_' => return (line.len() == 1).then_some(rest),
        b':' => return number().map(|_| rest),
        b'$' => {
            let Ok(length) = usize::try_from(number()?) else {
                return Some(rest);
            };
            return (rest.get(length..length + 2)? == b"\r\n").then(|| &rest[length + 2..]);
        }
        b'*' => number()?.max(0),
        b'%' => number()?.max(0) * 2,
        _ => return None,
    };
    (0..elements).try_fold(rest, |rest, _| well_formed(rest, depth + 1))
}
