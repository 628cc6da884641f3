//! Requests that are parsed ahead of their turn, so that what they name can be looked at in memory together.
//!
//! Never here: decisions. What is not decided in the same turn is forgotten and parsed again, but for the one that waits.

use crate::caps::AHEAD_MAX;
use crate::resp::parse::{Args, Parsed, Parser, ProtocolError, Span};
use crate::resp::table::{self, Verb, Word};
use smallvec::SmallVec;
use sumun_engine::Foreseen;

pub type Names<'a> = SmallVec<[Foreseen<'a>; 2 * AHEAD_MAX]>;

#[derive(Debug, Default)]
pub struct Ahead {
    spans: Vec<Span>,
    requests: Vec<Request>,
    /// How many of them are done with.
    done: usize,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    bytes: usize,
    /// Where its spans begin and end.
    from: usize,
    until: usize,
}

impl Ahead {
    fn begin(&mut self) {
        self.spans.clear();
        self.requests.clear();
        self.done = 0;
    }

    fn push(&mut self, bytes: usize, spans: &[Span]) {
        let from = self.spans.len();
        self.spans.extend_from_slice(spans);
        self.requests.push(Request { bytes, from, until: self.spans.len() });
    }

    /// Takes up the request that `parser` read before and that has waited, of so many bytes.
    pub fn resume(&mut self, parser: &Parser, bytes: usize) {
        self.begin();
        self.push(bytes, parser.spans());
    }

    /// Parses whole requests that `input` begins with. One that is inline is unquoted in place and cannot be parsed
    /// again: it is parsed alone. An error is told once nothing is before it.
    pub fn fill(&mut self, parser: &mut Parser, input: &mut [u8]) -> Result<(), ProtocolError> {
        self.begin();
        let mut at = 0;
        while self.requests.len() < AHEAD_MAX {
            let is_inline = input.get(at).is_some_and(|&first| first != b'*');
            if is_inline && !self.requests.is_empty() {
                break;
            }
            match parser.parse(&mut input[at..]) {
                Ok(Parsed::Partial) => break,
                Ok(Parsed::Request { bytes }) => {
                    self.push(bytes, parser.spans());
                    at += bytes;
                }
                Err(error) if self.requests.is_empty() => return Err(error),
                Err(_) => {
                    parser.restart();
                    break;
                }
            }
            if is_inline {
                break;
            }
        }
        Ok(())
    }

    /// The bytes of the next request.
    pub fn next(&self) -> Option<usize> {
        self.requests.get(self.done).map(|request| request.bytes)
    }

    /// Its words; `input` begins with it.
    pub fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        self.requests.get(self.done).map_or(Args::new(input, &[]), |request| self.args_of(*request, input))
    }

    fn args_of<'a>(&'a self, request: Request, input: &'a [u8]) -> Args<'a> {
        Args::new(input, &self.spans[request.from..request.until])
    }

    pub const fn pop(&mut self) {
        self.done += 1;
    }

    /// Leaves the next request to `parser`, as if it had just read it, and returns its bytes. What is behind it is
    /// forgotten.
    pub fn put_back(&mut self, parser: &mut Parser) -> Option<usize> {
        let request = self.requests.get(self.done).copied();
        if let Some(request) = request {
            parser.put_back(&self.spans[request.from..request.until]);
        }
        self.begin();
        request.map(|request| request.bytes)
    }

    /// What the requests name that were parsed, if there are several; `input` begins with the first.
    pub fn names<'a>(&'a self, input: &'a [u8]) -> Names<'a> {
        let (mut at, mut out) = (0, Names::new());
        for request in self.requests.iter().filter(|_| self.requests.len() > 1) {
            names(self.args_of(*request, &input[at..]), &mut out);
            at += request.bytes;
        }
        out
    }
}

/// What a request names, where it usually stands; of several lines the first.
fn names<'a>(args: Args<'a>, out: &mut Names<'a>) {
    let (Some(Word::Ledger(verb)), Some(key)) = (args.get(0).and_then(table::find), args.get(1)) else { return };
    match verb {
        Verb::Reserve => {
            out.push(Foreseen::Reservation(key));
            out.extend(args.get(4).map(Foreseen::Item));
        }
        Verb::Capture | Verb::Release | Verb::Return | Verb::Extend | Verb::Reservation => {
            out.push(Foreseen::Reservation(key));
        }
        Verb::Configure | Verb::Receive | Verb::Adjust | Verb::Item => out.push(Foreseen::Item(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ahead: &Ahead, input: &[u8]) -> Vec<Vec<u8>> {
        ahead.args(input).iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn requests_are_parsed_in_order_and_the_next_can_be_put_back() {
        let mut input = b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n*1\r\n$4\r\nQU".to_vec();
        let (mut ahead, mut parser) = (Ahead::default(), Parser::default());
        ahead.fill(&mut parser, &mut input).expect("valid");
        assert_eq!(ahead.next(), Some(14));
        assert_eq!(words(&ahead, &input), [b"PING"]);
        ahead.pop();
        assert_eq!(words(&ahead, &input[14..]), [b"ECHO".to_vec(), b"hi".to_vec()]);
        assert_eq!(ahead.put_back(&mut parser), Some(22));
        assert!(ahead.next().is_none() && !parser.is_midway(), "what has begun behind it is read again");
        ahead.resume(&parser, 22);
        assert_eq!(words(&ahead, &input[14..]), [b"ECHO".to_vec(), b"hi".to_vec()]);
        ahead.pop();
        ahead.fill(&mut parser, &mut input[36..]).expect("valid so far");
        assert!(ahead.next().is_none() && parser.is_midway());
        input.extend_from_slice(b"IT\r\n");
        ahead.fill(&mut parser, &mut input[36..]).expect("valid");
        assert_eq!(words(&ahead, &input[36..]), [b"QUIT"]);
    }

    #[test]
    fn an_inline_request_is_parsed_alone() {
        let mut input = b"ECHO 'a b'\r\nPING\r\n*1\r\n$4\r\nPING\r\nPING\r\n".to_vec();
        let (mut ahead, mut parser) = (Ahead::default(), Parser::default());
        let mut at = 0;
        let mut rounds = Vec::new();
        while at < input.len() {
            ahead.fill(&mut parser, &mut input[at..]).expect("valid");
            let mut round = 0;
            while let Some(bytes) = ahead.next() {
                if at == 0 {
                    assert_eq!(words(&ahead, &input), [b"ECHO".to_vec(), b"a b".to_vec()]);
                }
                (at, round) = (at + bytes, round + 1);
                ahead.pop();
            }
            rounds.push(round);
        }
        assert_eq!(rounds, [1, 1, 1, 1]);
    }

    #[test]
    fn an_error_is_told_when_nothing_is_before_it() {
        let mut input = b"*1\r\n$4\r\nPING\r\n*1\r\n+PING\r\n".to_vec();
        let (mut ahead, mut parser) = (Ahead::default(), Parser::default());
        ahead.fill(&mut parser, &mut input).expect("one is valid");
        assert_eq!(words(&ahead, &input), [b"PING"]);
        ahead.pop();
        assert_eq!(ahead.fill(&mut parser, &mut input[14..]), Err(ProtocolError::Dollar(b'+')));
    }

    #[test]
    fn names_are_found_where_they_usually_stand() {
        let mut input = Vec::new();
        for words in ["RESERVE r 60000 1 hat 2", "CAPTURE r", "ITEM hat", "PING"] {
            let words: Vec<&str> = words.split(' ').collect();
            input.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            words.iter().for_each(|word| input.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes()));
        }
        let (mut ahead, mut parser) = (Ahead::default(), Parser::default());
        ahead.fill(&mut parser, &mut input).expect("valid");
        let names: Vec<String> = ahead.names(&input).iter().map(|name| format!("{name:?}")).collect();
        let named = |name: Foreseen<'_>| format!("{name:?}");
        let (r, hat) = (Foreseen::Reservation(b"r"), Foreseen::Item(b"hat"));
        assert_eq!(names, [named(r), named(hat), named(r), named(hat)]);
    }
}
