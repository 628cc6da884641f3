//! Bytes that are hardly HTTP: broken heads, lengths that disagree, chunks that lie, other protocols, the slow and the
//! endless. Each is refused or its connection closed, and whoever speaks properly is served all the while.

use super::http_hostile::resident_kib;
use super::support::{Http, Server, http_check, world};
use std::io::ErrorKind;
use std::time::Duration;

const HOST: &str = "Host: 127.0.0.1\r\n";
const BODY: &str = r#"{"id": "h1", "quantity": 5}"#;

/// A post of a receipt that would be done if the head were right.
fn post(headers: &str, body: &str) -> Vec<u8> {
    let head = format!("POST /v1/items/a/receipts HTTP/1.1\r\n{HOST}Content-Type: application/json\r\n{headers}\r\n");
    [head.as_bytes(), body.as_bytes()].concat()
}

fn chunked(body: &str) -> Vec<u8> {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn get(line: &str, headers: &str) -> Vec<u8> {
    format!("{line}\r\n{headers}\r\n").into_bytes()
}

fn heads() -> Vec<(&'static str, Vec<u8>)> {
    let ok = "GET /v1/items HTTP/1.1";
    vec![
        ("no words", get("", "x")),
        ("one word", get("GARBAGE", "")),
        ("no version", get("GET /v1/items", HOST)),
        ("a version that is none", get("GET /v1/items HTTP/one", HOST)),
        ("a version that is not yet", get("GET /v1/items HTTP/9.9", HOST)),
        ("HTTP/2 in the words of HTTP/1", get("GET /v1/items HTTP/2.0", HOST)),
        ("another protocol's name", get("GET /v1/items RTSP/1.0", HOST)),
        ("four words", get("GET /v1/items x HTTP/1.1", HOST)),
        ("tabs between words", get("GET\t/v1/items\tHTTP/1.1", HOST)),
        ("a method with a colon", get("GE:T /v1/items HTTP/1.1", HOST)),
        ("a method that nobody has", get("FROBNICATE /v1/items HTTP/1.1", HOST)),
        ("a method in small letters", get("get /v1/items HTTP/1.1", HOST)),
        ("a tunnel", get("CONNECT evil.example:443 HTTP/1.1", "Host: evil.example:443\r\n")),
        ("an echo of the request", get("TRACE /v1/items HTTP/1.1", HOST)),
        ("another server's target", get("GET http://evil.example/v1/items HTTP/1.1", "Host: evil.example\r\n")),
        ("a target without slash", get("GET v1/items HTTP/1.1", HOST)),
        ("no host", get(ok, "")),
        ("two hosts", get(ok, "Host: 127.0.0.1\r\nHost: evil.example\r\n")),
        ("a host that is none", get(ok, "Host: a b\r\n")),
        ("a host with a path", get(ok, "Host: 127.0.0.1/evil\r\n")),
        ("a host with a user", get(ok, "Host: 127.0.0.1@evil.example\r\n")),
        ("a header without colon", get(ok, "Host: 127.0.0.1\r\nnonsense\r\n")),
        ("a header without name", get(ok, "Host: 127.0.0.1\r\n: x\r\n")),
        ("white space before the colon", get(ok, "Host: 127.0.0.1\r\nX-A : x\r\n")),
        ("white space in a name", get(ok, "Host: 127.0.0.1\r\nX A: x\r\n")),
        ("a folded header", get(ok, "Host: 127.0.0.1\r\nX-A: x\r\n y\r\n")),
        ("a nul in a value", get(ok, "Host: 127.0.0.1\r\nX-A: x\0y\r\n")),
        ("a control in a value", get(ok, "Host: 127.0.0.1\r\nX-A: x\x01y\r\n")),
        ("a bare CR in a value", get(ok, "Host: 127.0.0.1\r\nX-A: x\ry: z\r\n")),
        ("a nul in a name", get(ok, "Host: 127.0.0.1\r\nX\0A: x\r\n")),
        ("a byte in a key that no text has", [&b"POST /v1/items/a/receipts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: \xff\r\nContent-Length: 15\r\n\r\n"[..], b"{\"quantity\": 5}"].concat()),
        ("two keys", post("Idempotency-Key: k1\r\nIdempotency-Key: k2\r\nContent-Length: 15\r\n", "{\"quantity\": 5}")),
        ("a nul in the path", get("GET /v1/items/a\0b HTTP/1.1", HOST)),
        ("a raw line break in the path", get("GET /v1/items/a\rb HTTP/1.1", HOST)),
    ]
}

fn lengths() -> Vec<(&'static str, Vec<u8>)> {
    let length = BODY.len();
    let said = |value: &str| post(&format!("Content-Length: {value}\r\n"), BODY);
    vec![
        ("a length of no digits", said("x")),
        ("an empty length", said("")),
        ("a length below 0", said("-1")),
        ("a length with a plus", said(&format!("+{length}"))),
        ("a hexadecimal length", said("0x1b")),
        ("a length with a fraction", said("27.0")),
        ("a length past any", said("99999999999999999999999")),
        ("the greatest length", said("18446744073709551615")),
        ("two lengths in one", said(&format!("{length}, {}", length + 1))),
        ("two lengths", post(&format!("Content-Length: {length}\r\nContent-Length: 5\r\n"), BODY)),
        ("a length that is too long and an end", said("1000")),
        ("a length that cuts", said("10")),
        ("no length", post("", "")),
        ("a length and chunks, of nothing", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("chunks and a length, of nothing", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n")),
        ("chunks that are not last", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n")),
        ("a coding that nobody has", post("Transfer-Encoding: xchunked\r\n", "1b\r\n{\"id\": \"h1\", \"quantity\": 5}\r\n0\r\n\r\n")),
        ("a coding of another name", post("Transfer-Encoding: identity\r\n", BODY)),
        ("chunks in HTTP/1.0", [&b"POST /v1/items/a/receipts HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"[..], b"1b\r\n{\"id\": \"h1\", \"quantity\": 5}\r\n0\r\n\r\n"].concat()),
        ("a size of no digits", chunked("zz\r\n{}\r\n0\r\n\r\n")),
        ("no size", chunked("\r\n{}\r\n0\r\n\r\n")),
        ("a size below 0", chunked("-1\r\n{}\r\n0\r\n\r\n")),
        ("a size with its prefix", chunked("0x1b\r\n{\"id\": \"h1\", \"quantity\": 5}\r\n0\r\n\r\n")),
        ("a size past any", chunked("FFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n")),
        ("the greatest size", chunked("FFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n")),
        ("a size that is too small", chunked("5\r\n{\"id\": \"h1\", \"quantity\": 5}\r\n0\r\n\r\n")),
        ("no end of the chunk", chunked("1b\r\n{\"id\": \"h1\", \"quantity\": 5}0\r\n\r\n")),
        ("no last chunk", chunked("1b\r\n{\"id\": \"h1\", \"quantity\": 5}\r\n")),
        ("a cut chunk", chunked("1b\r\n{\"id\": \"h1\"")),
        ("an endless extension", chunked(&format!("1b;{}\r\n", "x".repeat(100_000)))),
        ("chunks of nothing", chunked("0\r\n\r\n")),
    ]
}

fn other_protocols() -> Vec<(&'static str, Vec<u8>)> {
    let ok = "GET /v1/items HTTP/1.1";
    vec![
        ("RESP", b"*1\r\n$4\r\nPING\r\n".to_vec()),
        ("inline RESP", b"PING\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        ("a proxy's line", [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), get(ok, HOST)].concat()),
        ("SMTP", b"EHLO evil.example\r\n\r\n".to_vec()),
        ("nuls", vec![0; 4096]),
        ("ones", vec![0xff; 4096]),
        ("half of HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n".to_vec()),
        (
            "HTTP/2's preface and no frame",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        ),
        ("a header of a MiB", get(ok, &format!("{HOST}X-A: {}\r\n", "x".repeat(1 << 20)))),
        ("a name of a MiB", get(ok, &format!("{HOST}{}: x\r\n", "x".repeat(1 << 20)))),
        ("ten thousand headers", get(ok, &format!("{HOST}{}", "X-A: x\r\n".repeat(10_000)))),
        ("a path of a MiB", get(&format!("GET /v1/items/{} HTTP/1.1", "x".repeat(1 << 20)), HOST)),
        ("a query of a MiB", get(&format!("GET /v1/items?prefix={} HTTP/1.1", "x".repeat(1 << 20)), HOST)),
        ("a method of a MiB", get(&format!("{} /v1/items HTTP/1.1", "X".repeat(1 << 20)), HOST)),
        ("a cookie of 600 KiB", get(ok, &format!("{HOST}Cookie: {}\r\n", "a=b; ".repeat(120_000)))),
        ("a head without end", [get(ok, HOST), vec![b'x'; 1 << 20]].concat()),
    ]
}

/// Sends all, says that no more comes, and reads what is answered. `None`: closed without a word.
fn sent(server: &Server, bytes: &[u8]) -> Result<Option<u16>, String> {
    let mut http = Http::connect(server);
    // The server may close before it has read to the end.
    let _cut = http.try_send(bytes);
    http.finish();
    let mut worst = None;
    loop {
        match http.try_answer("GET") {
            Ok(answer) => {
                if answer.status >= 500 {
                    return Err(format!("{answer}"));
                }
                worst = worst.max(Some(answer.status));
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err("neither answered nor closed".into());
            }
            Err(_closed) => return Ok(worst),
        }
    }
}

#[test]
fn broken_http_is_refused_or_closed_and_changes_nothing() {
    let mut server = Server::start();
    http_check(&mut server, r#"POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201"#);
    let inputs: Vec<_> = [heads(), lengths(), other_protocols()].concat();
    assert!(inputs.len() > 80, "{}", inputs.len());
    let mut failures = Vec::new();
    for (name, bytes) in &inputs {
        match sent(&server, bytes) {
            Ok(None | Some(400..=499)) => {}
            // Two requests stand in it, and the first is whole.
            Ok(Some(200)) if *name == "a head without end" => {}
            Ok(Some(status)) => failures.push(format!("{name}: {status}")),
            Err(why) => failures.push(format!("{name}: {why}")),
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n  {}", failures.len(), inputs.len(), failures.join("\n  "));
    http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 5, "version": 2}"#);
    // Again and again, and the server is no bigger for it.
    let small = resident_kib(&server);
    for _round in 0..3 {
        for (_, bytes) in &inputs {
            let _same_as_above = sent(&server, bytes);
        }
    }
    let grown = resident_kib(&server).saturating_sub(small);
    assert!(grown < 24 << 10, "grown by {grown} KiB");
    http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 5, "version": 2}"#);
}

#[test]
fn what_follows_a_broken_request_is_never_taken_for_another() {
    let mut server = Server::start();
    http_check(&mut server, r#"POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201"#);
    // Hidden in the body of the first, or behind its end, whichever way the lengths are read.
    let hidden = format!(
        "POST /v1/items/a/receipts HTTP/1.1\r\n{HOST}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let inputs = [
        post("Content-Length: 4\r\nContent-Length: 5\r\n", &hidden),
        post("Content-Length: x\r\n", &hidden),
        post("Transfer-Encoding: xchunked\r\n", &hidden),
        post("Transfer-Encoding: chunked\r\n", &format!("zz\r\n{hidden}")),
        post("Transfer-Encoding: chunked\r\n", &format!("1\r\nxx\r\n{hidden}")),
        post(&format!("Content-Length: {}\r\n", hidden.len()), &hidden),
        [get("GET /v1/items HTTP/1.1", "Host : 127.0.0.1\r\n"), hidden.clone().into_bytes()].concat(),
        [get("GET /v1/items HTTP/1.1", "Host: 127.0.0.1\r\nX-A: \0\r\n"), hidden.clone().into_bytes()].concat(),
    ];
    for bytes in inputs {
        let seen = sent(&server, &bytes);
        assert!(matches!(seen, Ok(None | Some(400..=499))), "{seen:?}: {:?}", String::from_utf8_lossy(&bytes));
    }
    http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 5, "version": 2}"#);
}

#[test]
fn the_slow_are_let_go_and_hold_nobody_up() {
    let mut server = Server::start();
    http_check(&mut server, r#"POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201"#);
    // Half a head, and half a body: whoever waits for the rest waits with a limit.
    let halves = [
        b"GET /v1/items HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A".to_vec(),
        post("Content-Length: 2000\r\n", "{\"id\":"),
        chunked("7d0\r\n{\"id\":"),
    ];
    let mut slow: Vec<Http> = (0..150)
        .map(|n| {
            let mut http = Http::connect(&server);
            http.send_bytes(&halves[n % halves.len()]);
            http
        })
        .collect();
    let begin = world::unix_ms();
    for _ in 0..20 {
        http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 5}"#);
    }
    assert!(world::unix_ms() - begin < 4_000, "others are served while they dawdle");
    // A byte now and then is no reason to wait for ever.
    let gone = world::eventually(70_000, || {
        world::sleep_ms(500);
        for http in &mut slow {
            let _closed_already = http.try_send(b"x");
            http.wait_at_most(Duration::from_millis(1));
        }
        slow.retain_mut(|http| {
            let mut closed = false;
            // An answer (408, say) may stand before the end.
            while let Some(more) = http.try_read_some() {
                closed = more == 0;
                if closed {
                    break;
                }
            }
            !closed
        });
        slow.is_empty().then_some(())
    });
    assert!(gone.is_some(), "{} are still waited for after 70 s", slow.len());
    http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 5, "version": 2}"#);
}

#[test]
fn a_client_that_never_reads_holds_up_nobody_but_itself() {
    let mut server = Server::start();
    http_check(&mut server, r#"POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201"#);
    let small = resident_kib(&server);
    let mut deaf: Vec<Http> = (0..4).map(|_| Http::connect(&server)).collect();
    for http in &mut deaf {
        http.wait_at_most(Duration::from_millis(500));
        let request = http.request("GET", "/openapi.json", &[], None).repeat(500);
        for _ in 0..100 {
            // As soon as it is not read any more it has been understood.
            if http.try_send(&request).is_err() {
                break;
            }
        }
    }
    http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 5}"#);
    let grown = resident_kib(&server).saturating_sub(small);
    assert!(grown < 64 << 10, "answers that nobody reads are not piled up: {grown} KiB");
}
