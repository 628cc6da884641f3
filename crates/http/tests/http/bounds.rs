//! Bounds: who takes too long, too much or too many; HTTP/2 beside HTTP/1.1.

use crate::support::{limits, start, start_with};
use std::io::Write as _;
use std::time::Duration;
use sumun_http::{Limits, Options};
use sumun_log::faulty::FaultyDisk;

#[test]
fn who_takes_too_long_is_closed_and_who_is_only_slow_to_ask_is_not() {
    let limits = Limits { head_ms: 300, idle_ms: 2_500, ..limits() };
    let server = start_with(FaultyDisk::new(1), Options { limits, ..Options::default() });
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET", "/livez", "").status, 200);
    let mut slow = server.connect();
    slow.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n");
    let drips = slow.stream.try_clone().expect("a second handle");
    let dripping = std::thread::spawn(move || {
        // A header a moment: each byte shows that it lives, and none that it asks.
        while (&drips).write_all(b"a: b\r\n").is_ok() {
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    assert_eq!(slow.reply().map(|reply| reply.status), Some(408));
    drop(slow);
    dripping.join().expect("it ends");
    let mut mute = server.connect();
    assert_eq!(idle.ask("GET", "/livez", "").status, 200, "an idle one is not slow");
    assert!(mute.is_closed() && idle.is_closed(), "and both are closed in the end");
}

#[test]
fn a_body_that_does_not_come_is_answered_408() {
    let limits = Limits { body_ms: 300, ..limits() };
    let server = start_with(FaultyDisk::new(1), Options { limits, ..Options::default() });
    let mut slow = server.connect();
    slow.send("POST /v1/reservations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{");
    let reply = slow.reply().expect("an answer");
    assert_eq!((reply.said().as_str(), reply.header("connection")), ("408 request_timeout", Some("close")));
    assert!(slow.is_closed());
}

#[test]
fn who_does_not_read_is_closed() {
    let limits = Limits { stall_ms: 500, ..limits() };
    let server = start_with(FaultyDisk::new(1), Options { limits, ..Options::default() });
    let metadata = format!(r#"{{"metadata":"{}"}}"#, "x".repeat(16_000));
    assert_eq!(server.ask("PUT", "/v1/items/a", &metadata).status, 200);
    let lazy = server.connect();
    // More than the kernel's buffers take.
    lazy.send(lazy.request("GET", "/v1/items/a", "", "").repeat(2_000));
    server.wait_for("the end of it", |server| server.metric("sumun_http_connections_open") == 1.0);
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = start_with(FaultyDisk::new(1), Options { connections_max: 2, ..Options::default() });
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!((first.ask("GET", "/livez", "").status, second.ask("GET", "/livez", "").status), (200, 200));
    let mut third = server.connect();
    third.send(third.request("GET", "/livez", "", ""));
    let told = third.reply().expect("an answer");
    assert_eq!((told.said().as_str(), told.header("retry-after")), ("503 overloaded", Some("1")));
    assert!(third.is_closed());
    drop(first);
    server.wait_for("room", |server| server.ask("GET", "/livez", "").status == 200);
    assert_eq!(second.ask("GET", "/livez", "").status, 200);
}

#[test]
fn a_large_body_is_taken_up_to_its_limit_and_refused_beyond() {
    let server = start();
    let body = |bytes: usize| format!("{}{{}}", " ".repeat(bytes - 2));
    assert_eq!(server.ask("PUT", "/v1/items/a", &body(4 << 20)).status, 200);
    let mut client = server.connect();
    let large = client.ask("PUT", "/v1/items/a", &body((4 << 20) + 1));
    assert_eq!((large.said().as_str(), large.header("connection")), ("413 too_large", Some("close")));
    let mut chunked = server.connect();
    chunked.send("PUT /v1/items/a HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    (0..5).for_each(|_| chunked.send(&chunk));
    chunked.send("0\r\n\r\n");
    assert_eq!(chunked.reply().expect("an answer").said(), "413 too_large");
}

#[test]
fn packed_bodies_are_unpacked_within_the_limit() {
    use flate2::{Compression, write::GzEncoder};
    let server = start();
    let pack = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    };
    let gzip = "content-encoding: gzip\r\ncontent-type: application/json\r\n";
    let put = |headers: &str, body: &[u8]| server.connect().ask_with("PUT", "/v1/items/a", headers, body);
    assert_eq!(put(gzip, &pack(br#"{"safety_stock":3}"#)).json()["safety_stock"], 3);
    let bomb = pack(&vec![b' '; 64 << 20]);
    assert_eq!(put(gzip, &bomb).said(), "413 too_large");
    assert_eq!(put(gzip, br#"{"safety_stock":3}"#).said(), "400 invalid");
    assert_eq!(put(gzip, &pack(b"{}")[..12]).said(), "400 invalid");
    assert_eq!(put("content-encoding: br\r\n", b"{}").said(), "415 unsupported_media_type");
    assert_eq!(put("content-encoding: gzip, gzip\r\n", b"{}").said(), "415 unsupported_media_type");
    assert_eq!(put("content-encoding: identity\r\n", b"{}").status, 200);
}

#[test]
fn http2_is_spoken_to_who_begins_so_and_its_requests_run_side_by_side() {
    let server = start();
    assert_eq!(server.ask("POST", "/v1/items/a/receipts", r#"{"id":"m","quantity":1000}"#).status, 201);
    let address = server.http;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        use http_body_util::{BodyExt as _, Full};
        use hyper_util::rt::{TokioExecutor, TokioIo};
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = made.expect("it speaks HTTP/2");
        tokio::spawn(connection);
        let ask = |n: usize| {
            let mut sender = sender.clone();
            async move {
                let body = format!(r#"{{"id":"r{n}","ttl_ms":60000,"lines":[{{"sku":"a","quantity":1}}]}}"#);
                let request = http::Request::post(format!("http://{address}/v1/reservations"))
                    .header("content-type", "application/json")
                    .body(Full::new(bytes::Bytes::from(body)))
                    .expect("a request");
                let reply = sender.send_request(request).await.expect("an answer");
                let status = reply.status();
                let bytes = reply.into_body().collect().await.expect("a body").to_bytes();
                let record: serde_json::Value = serde_json::from_slice(&bytes).expect("a record");
                assert_eq!((status.as_u16(), record["id"].as_str()), (201, Some(format!("r{n}").as_str())));
            }
        };
        let all: Vec<_> = (0..500).map(|n| tokio::spawn(ask(n))).collect();
        for one in all {
            one.await.expect("it ends well");
        }
    });
    assert_eq!(server.ask("GET", "/v1/items/a", "").json()["reserved"], 500);
}
