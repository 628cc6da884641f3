//! Requests out of bytes: each form and each error text, any split of the stream, and what no grammar would say.

use proptest::prelude::*;
use sumun_server::caps;
use sumun_server::resp::{Parsed, Parser};

/// Feeds `stream` in pieces of the given sizes (then whole) and writes what comes out, one request a line.
fn requests(stream: &[u8], pieces: &[usize]) -> Vec<String> {
    let mut parser = Parser::default();
    let mut found = Vec::new();
    let mut buffer: Vec<u8> = Vec::new();
    let mut rest = stream;
    let mut sizes = pieces.iter().copied();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).clamp(1, rest.len());
        buffer.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        let mut at = 0;
        loop {
            match parser.parse(&mut buffer[at..]) {
                Ok(Parsed::Partial) => break,
                Ok(Parsed::Request { bytes }) => {
                    let args = parser.args(&buffer[at..]);
                    if !args.is_empty() {
                        found.push(format!("{args:?}"));
                    }
                    at += bytes;
                }
                Err(error) => {
                    found.push(format!("-ERR {error}"));
                    return found;
                }
            }
        }
        buffer.drain(..at);
    }
    found
}

fn check(stream: &[u8], expected: &[&str]) {
    assert_eq!(requests(stream, &[]), expected, "{}", stream.escape_ascii());
    let ones = vec![1; stream.len()];
    assert_eq!(requests(stream, &ones), expected, "byte by byte: {}", stream.escape_ascii());
}

#[test]
fn arrays_of_bulk_strings_are_requests() {
    check(b"*1\r\n$4\r\nPING\r\n", &[r#"["PING"]"#]);
    check(b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$4\r\nPI\r\n\r\n", &[r#"["ECHO", ""]"#, r#"["PI\\r\\n"]"#]);
    check(b"*0\r\n*-1\r\n*-7\r\n*1\r\n$1\r\na\r\n", &[r#"["a"]"#]);
    check(b"*2\r\n$4\r\nPI", &[]);
}

#[test]
fn inline_requests_are_split_as_redis_splits_them() {
    check(b"PING\r\nPING a\n", &[r#"["PING"]"#, r#"["PING", "a"]"#]);
    check(b"\r\n\n  \r\n  a\t b  \r\n", &[r#"["a", "b"]"#]);
    check(b"a \"b c\" 'd e' \"\" ''\n", &[r#"["a", "b c", "d e", "", ""]"#]);
    check(br#"a "\x41\n\r\t\b\a\q\"\\" "\x4" "\xzz""#, &[]);
    check(b"a \"\\x41\\n\\r\\t\\b\\a\\q\\\"\\\\\" \"\\x4\"\n", &[r#"["a", "A\\n\\r\\t\\x08\\x07q\\\"\\\\", "x4"]"#]);
    check(b"a 'b\\'c\\n'\n", &[r#"["a", "b\\'c\\\\n"]"#]);
    check(b"a b\"c d\"\n", &[r#"["a", "bc d"]"#]);
    check(b"PING \xff\n", &[r#"["PING", "\\xff"]"#]);
}

#[test]
fn protocol_errors_are_worded_as_redis_words_them() {
    let many_digits = [&b"*"[..], &[b'1'; 64]].concat();
    let long_length = [&b"*1\r\n$"[..], &[b'1'; 64]].concat();
    let endless = vec![b'x'; caps::INLINE_BYTES_MAX + 1];
    let cases: &[(&[u8], &str)] = &[
        (b"\"a b\r\n", "unbalanced quotes in request"),
        (b"'a b\r\n", "unbalanced quotes in request"),
        (b"PING \"a\"b\r\n", "unbalanced quotes in request"),
        (b"*x\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*-0\r\n", "invalid multibulk length"),
        (b"*1\n", "invalid multibulk length"),
        (b"*4097\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (&many_digits, "too big mbulk count string"),
        (b"*1\r\nfoo\r\n", "expected '$', got 'f'"),
        (b"*1\r\n:3\r\n", "expected '$', got ':'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$03\r\nfoo\r\n", "invalid bulk length"),
        (b"*1\r\n$65537\r\n", "invalid bulk length"),
        (b"*1\r\n$3\r\nfooxx", "invalid bulk length"),
        (&long_length, "too big bulk count string"),
        (&endless, "too big inline request"),
    ];
    for (stream, text) in cases {
        check(stream, &[&format!("-ERR Protocol error: {text}")]);
    }
}

#[test]
fn a_request_is_bounded_as_a_whole() {
    let bulk = [&b"$65536\r\n"[..], &[b'x'; caps::BULK_BYTES_MAX], b"\r\n"].concat();
    let stream = [&b"*4\r\n"[..], &bulk, &bulk, &bulk, &bulk].concat();
    assert_eq!(requests(&stream, &[]), ["-ERR Protocol error: too big request"]);
    let stream = [&b"*3\r\n"[..], &bulk, &bulk, &bulk].concat();
    assert_eq!(requests(&stream, &[]).len(), 1);
}

#[test]
fn a_big_request_that_trickles_in_is_read_once() {
    // 3 × 64 KiB in steps of one byte would take hours if each step began anew with a scan of what is there.
    let bulk = [&b"$65536\r\n"[..], &[b'x'; caps::BULK_BYTES_MAX], b"\r\n"].concat();
    let stream = [&b"*3\r\n"[..], &bulk, &bulk, &bulk].concat();
    assert_eq!(requests(&stream, &vec![1; stream.len()]).len(), 1);
    let inline = [&vec![b'x'; caps::INLINE_BYTES_MAX - 1][..], b"\n"].concat();
    assert_eq!(requests(&inline, &vec![1; inline.len()]).len(), 1);
}

fn encode(args: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend(format!("${}\r\n", arg.len()).bytes());
        out.extend(arg);
        out.extend(b"\r\n");
    }
    out
}

/// The same as an inline request, each word quoted so that any byte can stand in it.
fn encode_inline(args: &[Vec<u8>]) -> Vec<u8> {
    let words: Vec<String> = args
        .iter()
        .map(|arg| format!("\"{}\"", arg.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>()))
        .collect();
    format!("{}\r\n", words.join(" ")).into_bytes()
}

fn shown(args: &[Vec<u8>]) -> String {
    format!("{:?}", args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_parsed_back_however_it_is_split(
        commands in prop::collection::vec((any::<bool>(), prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..8)), 1..6),
        pieces in prop::collection::vec(1usize..40, 0..200),
    ) {
        let stream: Vec<u8> = commands
            .iter()
            .flat_map(|(inline, args)| if *inline { encode_inline(args) } else { encode(args) })
            .collect();
        let expected: Vec<String> = commands.iter().map(|(_, args)| shown(args)).collect();
        prop_assert_eq!(requests(&stream, &pieces), expected);
    }

    #[test]
    fn any_bytes_give_the_same_however_they_are_split(
        stream in hostile(),
        pieces in prop::collection::vec(1usize..9, 0..300),
    ) {
        prop_assert_eq!(requests(&stream, &pieces), requests(&stream, &[]));
    }
}

/// Requests out of a grammar, then mutated: pieces cut, doubled, flipped.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"*2\r\n$4\r\nPING\r\n$1\r\nx\r\n".to_vec()),
        Just(b"*1\r\n".to_vec()),
        Just(b"$3\r\nfoo\r\n".to_vec()),
        Just(b"$-1\r\n".to_vec()),
        Just(b"*-1\r\n".to_vec()),
        Just(b"PING \"a\\x41\" 'b'\r\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\\".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ];
    (prop::collection::vec(word, 0..12), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4))
        .prop_map(|(words, flips)| {
            let mut stream = words.concat();
            for (at, byte) in flips {
                if !stream.is_empty() {
                    let at = at.index(stream.len());
                    stream[at] = byte;
                }
            }
            stream
        })
}
