//! A hostile table: each is told what is wrong, by a code, or closed; nothing changes, and the next one is served.

use crate::support::{Server, start};
use sumun_http::Options;
use sumun_log::faulty::FaultyDisk;

const RESERVATIONS: &str = "/v1/reservations";
const RECEIPTS: &str = "/v1/items/a/receipts";

fn shop() -> Server {
    let server = start();
    assert_eq!(server.ask("POST", RECEIPTS, r#"{"id":"m","quantity":100}"#).status, 201);
    server
}

/// What a body to a path is told.
fn check(server: &Server, method: &str, path: &str, body: impl AsRef<[u8]>, said: &str) {
    let body = body.as_ref();
    let reply = server.connect().ask_with(method, path, "", body);
    let shown: String = String::from_utf8_lossy(body).chars().take(100).collect();
    assert_eq!(reply.said(), said, "{method} {path} {shown}: {}", String::from_utf8_lossy(&reply.body));
}

fn nothing_changed(server: &Server, before: &serde_json::Value) {
    assert_eq!(server.ask("GET", "/v1/items/a", "").json(), *before);
    let page = server.ask("GET", RESERVATIONS, "").json();
    assert_eq!(page["reservations"].as_array().map(Vec::len), Some(0), "{page}");
}

#[test]
fn bodies_that_are_no_such_thing_are_refused_by_field() {
    let server = shop();
    let before = server.ask("GET", "/v1/items/a", "").json();
    let reserve = |id: &str, ttl: &str, line: &str| format!(r#"{{"id":{id},"ttl_ms":{ttl},"lines":[{line}]}}"#);
    let line = r#"{"sku":"a","quantity":1}"#;
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    for number in [
        "1.0",
        "1e3",
        "-1",
        "-0",
        "+1",
        "01",
        "0x1",
        "\"1\"",
        "null",
        "true",
        "[]",
        "{}",
        "1.",
        ".5",
        "9007199254740992",
        "18446744073709551616",
        "-9223372036854775809",
        "1e400",
        "NaN",
        "Infinity",
        "1_000",
        "１",
        "0",
        "2592000001",
    ] {
        bodies.push(reserve("\"r\"", number, line).into());
        let quantity = format!(r#"{{"sku":"a","quantity":{number}}}"#);
        if number != "2592000001" {
            bodies.push(reserve("\"r\"", "1000", &quantity).into());
        }
    }
    for name in [
        r#""""#,
        r#"".""#,
        r#""..""#,
        r#""a b""#,
        r#""a\u0000b""#,
        r#""\ud800""#,
        r#""\u200b""#,
        r#""a\tb""#,
        "\"a\tb\"",
        "1",
        "null",
        r#""\x""#,
        r#"["r"]"#,
        r#"{"r":1}"#,
        r#""*""#,
        r#""run:1""#,
        r#""\u2028""#,
        r#""\ufdd0""#,
    ] {
        bodies.push(reserve(name, "1000", line).into());
    }
    bodies.push(reserve(&format!("\"{}\"", "x".repeat(129)), "1000", line).into());
    bodies.push(reserve(&format!("\"{}\"", "é".repeat(65)), "1000", line).into());
    for line in [
        "",
        r#"["a",1]"#,
        r#"{"sku":"a"}"#,
        r#"{"quantity":1}"#,
        r#"{"sku":"a","quantity":1,"x":1}"#,
        "1",
        "null",
        r#""a""#,
        r#"{"sku":"a","sku":"a","quantity":1}"#,
        r#"{"sku":"a","quantity":1,"lot":""}"#,
        r#"{"SKU":"a","quantity":1}"#,
        r#"{"sku":"a","quantity":1,"location":5}"#,
    ] {
        bodies.push(reserve("\"r\"", "1000", line).into());
    }
    bodies.push(reserve("\"r\"", "1000", &[line; 65].join(",")).into());
    for whole in [
        "",
        "{",
        "}",
        "null",
        "1",
        "[]",
        "\"\"",
        "{}",
        "{} {}",
        r#"{"id":"r","ttl_ms":1000,"lines":null}"#,
        r#"{"id":"r","ttl_ms":1000,"lines":{}}"#,
        r#"{"id":"r","ttl_ms":1000,"lines":[{"sku":"a","quantity":1}],}"#,
        r#"{"id":"r","ttl_ms":1000,"lines":[{"sku":"a","quantity":1}],"unknown":1}"#,
        r#"{"id":"r","id":"r","ttl_ms":1000,"lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"capture":true,"lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"capture":"true","lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"capture":1,"lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","capture":false,"lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"needed_until":"tomorrow","lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"needed_until":1777604400500,"lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"needed_until":"2026-02-30T00:00:00Z","lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"needed_until":"2026-01-01T00:00:00.0001Z","lines":[{"sku":"a","quantity":1}]}"#,
        r#"{"id":"r","ttl_ms":1000,"needed_until":"2026-01-01T00:00:00","lines":[{"sku":"a","quantity":1}]}"#,
        r#"["r",null,1000,null,null,[{"sku":"a","quantity":1}]]"#,
        "// x\n{}",
        "{'id':'r'}",
        "\u{feff}{}",
        "{\"id\":\"r\"",
    ] {
        bodies.push(whole.into());
    }
    bodies.push(b"{\"id\":\"\xff\",\"ttl_ms\":1000,\"lines\":[{\"sku\":\"a\",\"quantity\":1}]}".to_vec());
    bodies.push(b"\x00\x01\x02".to_vec());
    bodies.push("[".repeat(100_000).into());
    bodies.push("{\"id\":".repeat(100_000).into());
    assert!(bodies.len() > 100, "{}", bodies.len());
    for body in bodies {
        check(&server, "POST", RESERVATIONS, body, "400 invalid");
    }
    nothing_changed(&server, &before);
}

#[test]
fn settings_and_movements_are_as_strict() {
    let server = shop();
    let before = server.ask("GET", "/v1/items/a", "").json();
    let nested = |levels: usize| format!(r#"{{"metadata":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    for body in [
        r#"{"kind":"Stock"}"#,
        r#"{"kind":{"stock":null}}"#,
        r#"{"kind":1}"#,
        r#"{"allocation":"lifo"}"#,
        r#"{"limit":5}"#,
        r#"{"limit":{}}"#,
        r#"{"limit":{"quantity":0}}"#,
        r#"{"limit":[5,1]}"#,
        r#"{"limit":{"quantity":1,"window_ms":0}}"#,
        r#"{"limit":{"quantity":1,"x":0}}"#,
        r#"{"safety_stock":-1}"#,
        r#"{"metadata":{"a":1,"a":2}}"#,
        r#"{"metadata":{"b":[{"a":1,"\u0061":2}]}}"#,
        r#"{"metadata":1e999}"#,
        r#"{"metadata":[1,]}"#,
        r#"{"sku":"b"}"#,
        r#"{"backorder_limit":9007199254740992}"#,
    ] {
        check(&server, "PUT", "/v1/items/a", body, "400 invalid");
    }
    check(&server, "PUT", "/v1/items/a", nested(32), "400 invalid");
    check(&server, "PUT", "/v1/items/a", nested(90_000), "400 invalid");
    check(&server, "PUT", "/v1/items/a", format!(r#"{{"metadata":"{}"}}"#, "x".repeat(16_385)), "400 invalid");
    for body in [
        r#"{"id":"n","quantity":0}"#,
        r#"{"id":"*","quantity":1}"#,
        r#"{"id":"n","quantity":1,"location":"x"}"#,
        r#"{"id":"n","quantity":1,"expires_at":"2099-01-01T00:00:00Z"}"#,
        r#"{"id":"n","quantity":1,"delta":1}"#,
        r#"{"id":"n","quantity":9007199254740991}"#,
        r#"{"id":"n","quantity":1,"lot":"l","expires_at":"10000-01-01T00:00:00Z"}"#,
    ] {
        check(&server, "POST", RECEIPTS, body, "400 invalid");
    }
    for body in
        [r#"{"id":"n","delta":0,"reason":"x"}"#, r#"{"id":"n","delta":1}"#, r#"{"id":"n","delta":1,"reason":""}"#]
    {
        check(&server, "POST", "/v1/items/a/adjustments", body, "400 invalid");
    }
    nothing_changed(&server, &before);
    check(&server, "PUT", "/v1/items/a", nested(31), "200");
}

#[test]
fn paths_queries_and_methods_that_are_none_are_refused() {
    let server = shop();
    let mut client = server.connect();
    for (method, path, said) in [
        ("GET", "/v1/items/%", "400 invalid"),
        ("GET", "/v1/items/%zz", "400 invalid"),
        ("GET", "/v1/items/%ff", "400 invalid"),
        ("GET", "/v1/items/%c3%28", "400 invalid"),
        ("GET", "/v1/items/a%00b", "400 invalid"),
        ("GET", "/v1/items/a%20b", "400 invalid"),
        ("GET", "/v1/items/..", "400 invalid"),
        ("GET", "/v1/items/%2e%2e", "400 invalid"),
        ("GET", "/v1/items/", "400 invalid"),
        ("GET", "/v1/items/a%2F", "404 not_found"),
        ("GET", "/v1//items", "404 not_found"),
        ("GET", "//v1/items", "404 not_found"),
        ("GET", "/v1/items/a/", "404 not_found"),
        ("GET", "/V1/items", "404 not_found"),
        ("GET", "/v1/items/a/receipts/m", "404 not_found"),
        ("GET", "/v1/items/a?x=1", "400 invalid"),
        ("GET", "/v1/items/a?", "200"),
        ("GET", "/v1/items?limit=1&limit=1", "400 invalid"),
        ("GET", "/v1/items?%6cimit=1", "200"),
        ("GET", "/v1/items?limit=%ff", "400 invalid"),
        ("GET", "/livez?x", "400 invalid"),
        ("GET", "/metrics?x", "400 invalid"),
        ("GET", "/openapi.json?x", "400 invalid"),
        ("GET", "/readyz?x", "400 invalid"),
        ("DELETE", "/v1/items", "405 method_not_allowed"),
        ("POST", "/v1/items/a", "405 method_not_allowed"),
        ("GET", RECEIPTS, "405 method_not_allowed"),
        ("OPTIONS", "/v1/items/a", "405 method_not_allowed"),
        ("TRACE", "/livez", "405 method_not_allowed"),
        ("get", "/livez", "405 method_not_allowed"),
        ("PROPFIND", "/livez", "405 method_not_allowed"),
        ("GET", "/console", "404 not_found"),
        ("GET", "/v1/routes", "404 not_found"),
        ("GET", "/v1/events", "404 not_found"),
        ("GET", "/v1/reservations/*", "400 invalid"),
        ("POST", "/v1/reservations/run:1/release", "400 invalid"),
        ("GET", "/v1/reservations/run:1", "404 not_found"),
        ("DELETE", "/v1/items/nope", "404 not_found"),
    ] {
        let reply = client.ask(method, path, "");
        assert_eq!(reply.said(), said, "{method} {path}");
        assert_eq!(reply.header("allow").is_some(), reply.status == 405, "{method} {path}");
    }
    check(&server, "GET", "/v1/items/a", "{}", "400 invalid");
    check(&server, "DELETE", "/v1/items/a", "{}", "400 invalid");
}

#[test]
fn only_json_is_read() {
    let server = shop();
    let body = r#"{"id":"n","quantity":1}"#;
    let mut client = server.connect();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "application/jsonx",
        "json",
        "",
        "application/json; charset",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "application/json\r\ncontent-type: text/plain",
    ] {
        let reply = client.ask_with("POST", RECEIPTS, &format!("content-type: {kind}\r\n"), body);
        assert_eq!(reply.said(), "415 unsupported_media_type", "{kind}");
    }
    client.send(format!("POST {RECEIPTS} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(client.reply().expect("an answer").said(), "415 unsupported_media_type");
    for kind in ["application/json", "Application/JSON ; charset=\"UTF-8\"", "application/json;charset=utf-8"] {
        let reply = client.ask_with("POST", RECEIPTS, &format!("content-type: {kind}\r\n"), body);
        assert!(reply.status < 300, "{kind}");
    }
}

#[test]
fn other_sites_and_other_names_may_not_ask() {
    let server = crate::support::start_with(
        FaultyDisk::new(1),
        Options { hosts: vec!["shop.example".to_owned()], ..Options::default() },
    );
    let body = r#"{"id":"n","quantity":1}"#;
    let mut client = server.connect();
    for origin in ["null", "http://evil.example", "https://evil.example:7080", "http://localhost", "file://", ""] {
        let reply = client.ask_with("POST", RECEIPTS, &format!("origin: {origin}\r\n"), body);
        assert_eq!(reply.said(), "403 forbidden", "{origin}");
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let mut with_host = |host: &str, more: &str| {
        client.send(format!("POST {RECEIPTS} HTTP/1.1\r\n{host}{more}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        client.reply().expect("an answer").said()
    };
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "a@localhost", "localhost:x"] {
        assert_eq!(with_host(&format!("host: {host}\r\n"), ""), "403 forbidden", "{host}");
    }
    assert_eq!(with_host("", ""), "400 invalid");
    assert_eq!(with_host("host: localhost\r\nhost: localhost\r\n", ""), "400 invalid");
    assert_eq!(server.ask("GET", "/v1/items/a", "").status, 404, "nothing was done");
    assert_eq!(with_host("host: shop.example\r\n", "origin: https://shop.example\r\n"), "201");
    for host in ["localhost:1", "[::1]:80", "10.0.0.1", "SHOP.example:8080"] {
        assert_eq!(with_host(&format!("host: {host}\r\n"), ""), "200", "{host}");
    }
}

#[test]
fn what_is_no_http_is_told_so_or_closed() {
    let server = shop();
    let before = server.ask("GET", "/v1/items/a", "").json();
    let long = "x".repeat(70_000);
    let many = (0..200).map(|n| format!("h{n}: 1\r\n")).collect::<String>();
    let post = "POST /v1/items/a/receipts HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    for (bytes, statuses) in [
        (format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), &[414, 431][..]),
        (format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n"), &[431]),
        (format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{many}\r\n"), &[431]),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\nbad header: 1\r\n\r\n".into(), &[400]),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\n: 1\r\n\r\n".into(), &[400]),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\n folded: 1\r\n\r\n".into(), &[400]),
        ("GET  /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), &[400]),
        ("GET /livez HTTP/1.2\r\nhost: localhost\r\n\r\n".into(), &[400, 505]),
        ("GET /livez\r\n\r\n".into(), &[400]),
        ("GET /li vez HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), &[400]),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}".repeat(8), &[400]),
        ("*1\r\n$4\r\nPING\r\n".into(), &[400]),
        (format!("{post}content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef"), &[400]),
        (format!("{post}content-length: -1\r\n\r\n{{}}"), &[400]),
        (format!("{post}content-length: 1e3\r\n\r\n{{}}"), &[400]),
        (format!("{post}content-length: 99999999999999999999\r\n\r\n{{}}"), &[400, 413]),
        (format!("{post}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), &[400]),
        (format!("{post}transfer-encoding: gzip\r\n\r\n{{}}"), &[400, 501]),
        (format!("{post}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"), &[400]),
        (format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"), &[400]),
        (format!("{post}transfer-encoding: chunked\r\n\r\nffffffffffffffff1\r\n{{}}\r\n0\r\n\r\n"), &[400]),
        (format!("{post}transfer-encoding: chunked\r\n\r\n2\r\n{{}}0\r\n\r\n"), &[400]),
        (format!("{post}transfer-encoding: chunked\r\n\r\n2;{}\r\n", "x".repeat(60_000)), &[400]),
        ("CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), &[400, 404, 405]),
        ("OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), &[404]),
        ("GET http://evil.example/livez HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), &[403]),
        ("GET /livez HTTP/1.1\r\nhost: local\u{e9}\r\n\r\n".into(), &[400, 403]),
    ] {
        let mut client = server.connect();
        client.try_send(&bytes);
        client.finish();
        // A closed connection is an answer too, where what came is not even the beginning of a request.
        let shown: String = bytes.chars().take(120).collect();
        if let Some(reply) = client.reply() {
            assert!(statuses.contains(&reply.status), "{shown:?}: {reply:?}");
        }
    }
    let mut cut = server.connect();
    cut.send(format!("{post}content-length: 100\r\n\r\n{{"));
    cut.finish();
    assert!(cut.reply().is_none_or(|reply| reply.status == 400));
    nothing_changed(&server, &before);
}
