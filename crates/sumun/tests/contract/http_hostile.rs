//! Requests that are HTTP and mean harm: each gets a clear refusal, and nothing comes of any.

use super::support::{Http, Server, http_check};
use serde_json::Value;

/// Each line is a request of its own and what it is refused with.
const REFUSED: &str = r#"
    # a page of another site: forms and scripts, with the media types that browsers send without asking
    POST /v1/items/a/receipts [Origin: http://evil.example] [Content-Type: text/plain] {"id": "h1", "quantity": 5} -> 403|415
    POST /v1/items/a/receipts [Origin: http://evil.example] [Content-Type: application/x-www-form-urlencoded] id=h1&quantity=5 -> 403|415
    POST /v1/items/a/receipts [Origin: http://evil.example] [Content-Type: multipart/form-data; boundary=b] --b -> 403|415
    POST /v1/items/a/receipts [Origin: http://evil.example] {"id": "h1", "quantity": 5} -> 403 forbidden
    POST /v1/items/a/receipts [Origin: null] {"id": "h1", "quantity": 5} -> 403 forbidden
    POST /v1/items/a/receipts [Origin: http://127.0.0.1.evil.example] {"id": "h1", "quantity": 5} -> 403 forbidden
    POST /v1/items/a/receipts [Origin: x] {"id": "h1", "quantity": 5} -> 403 forbidden
    POST /v1/reservations/r/release [Origin: http://evil.example] {} -> 403 forbidden
    POST /v1/reservations/r/capture [Origin: https://evil.example:443] {} -> 403 forbidden
    POST /v1/reservations/new/release [Origin: http://evil.example] {} -> 403 forbidden
    DELETE /v1/items/empty [Origin: http://evil.example] -> 403 forbidden
    PUT /v1/items/a [Origin: http://evil.example] {"safety_stock": 9} -> 403 forbidden
    GET /v1/items [Origin: http://evil.example] -> 403 forbidden
    GET /v1/events [Origin: http://evil.example] [Accept: text/event-stream] -> 403 forbidden
    # a name that was made to lead here
    POST /v1/items/a/receipts [Host: evil.example] {"id": "h1", "quantity": 5} -> 403 forbidden
    POST /v1/items/a/receipts [Host: evil.example:7080] [Origin: http://evil.example:7080] {"id": "h1", "quantity": 5} -> 403 forbidden
    PUT /v1/items/a [Host: 127.0.0.1.evil.example] {"safety_stock": 9} -> 403 forbidden
    DELETE /v1/items/empty [Host: localhost.evil.example] -> 403 forbidden
    GET /v1/reservations [Host: rebound.evil.example] -> 403 forbidden
    # encodings that were not asked for
    POST /v1/items/a/receipts [Content-Encoding: gzip] {"id": "h1", "quantity": 5} -> 400|415
    POST /v1/items/a/receipts [Content-Encoding: br] {"id": "h1", "quantity": 5} -> 400|415
    POST /v1/items/a/receipts [Content-Encoding: zstd] {"id": "h1", "quantity": 5} -> 400|415
    POST /v1/items/a/receipts [Content-Encoding: deflate] {"id": "h1", "quantity": 5} -> 400|415
    POST /v1/items/a/receipts [Content-Encoding: x] {"id": "h1", "quantity": 5} -> 400|415
    # words in other places
    POST /v1/items/a/receipts {"id": ["h1"], "quantity": 5} -> 400 invalid
    POST /v1/items/a/receipts {"id": {"$ne": null}, "quantity": 5} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1'; DROP TABLE items; --", "quantity": 5} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5, "constructor": {"prototype": {"x": 1}}} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5, "on_hand": 999} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5, "sku": "b"} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": {"quantity": 5}} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": [5]} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": -5} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 99999999999999999999999999999999999999} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": -9223372036854775809} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 1e308} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 4.9999999999999999999} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": "٥"} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": ５} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5, "lot": "../../etc/passwd x"} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5, "lot": "L", "expires_at": "9999-99-99T99:99:99Z"} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5, "lot": "L", "expires_at": "-2096-10-02T07:06:40Z"} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5, "lot": "L", "expires_at": {"$date": 5}} -> 400 invalid
    POST /v1/items/a/receipts {"id": "\u0000", "quantity": 5} -> 400 invalid
    POST /v1/items/a/receipts {"id": "a\u202eb", "quantity": 5} -> 400 invalid
    POST /v1/items/a/receipts {"id": "\ud800\ud800", "quantity": 5} -> 400 invalid
    POST /v1/items/a/receipts {"id": "h1", "quantity": 5}{"id": "h2", "quantity": 5} -> 400 invalid
    POST /v1/items/a/receipts [{"id": "h1", "quantity": 5}, {"id": "h2", "quantity": 5}] -> 400 invalid
    POST /v1/items/a/adjustments {"id": "h1", "delta": -9007199254740991, "reason": "x"} -> 409 insufficient_stock
    POST /v1/items/a/adjustments {"id": "h1", "delta": -9, "reason": "x"} -> 409 insufficient_stock
    POST /v1/items/a/adjustments {"id": "h1", "delta": 1, "reason": "<script>alert(1)</script> "} -> 400 invalid
    POST /v1/items/a/adjustments {"id": "h1", "delta": 1, "reason": "a\r\nSet-Cookie:x"} -> 400 invalid
    POST /v1/items/a/adjustments {"id": "h1", "delta": 1, "reason": "\u001b]0;x\u0007"} -> 400 invalid
    POST /v1/items/.%2F..%2Fsecret%20/receipts {"id": "h1", "quantity": 5} -> 400 invalid
    POST /v1/items/a%0D%0ASet-Cookie:%20x/receipts {"id": "h1", "quantity": 5} -> 400 invalid
    POST /v1/items/%F0%9F/receipts {"id": "h1", "quantity": 5} -> 400 invalid
    POST /v1/items/%C1%81/receipts {"id": "h1", "quantity": 5} -> 400 invalid
    POST /v1/items/a%/receipts {"id": "h1", "quantity": 5} -> 400 invalid
    POST /v1/items//receipts {"id": "h1", "quantity": 5} -> 400|404
    POST /v1/items/../receipts {"id": "h1", "quantity": 5} -> 400|404
    POST /v1/items/%2e%2e/receipts {"id": "h1", "quantity": 5} -> 400 invalid
    # reservations that would take what is not theirs
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 9007199254740991}]} -> 409 insufficient_stock
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 9007199254740991}, {"sku": "a", "quantity": 9007199254740991}]} -> 400|409
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": -1}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": 5}]} -> 409 insufficient_stock
    POST /v1/reservations {"id": "h", "ttl_ms": 9007199254740991, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 18446744073709551616, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": -9007199254740991, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1, "price": 0}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [{"sku": ["a"], "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [[]]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [null]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": "a"} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": null} -> 400 invalid
    POST /v1/reservations {"id": null, "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "state": "captured", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "h", "ttl_ms": 60000, "created_at": "2000-01-01T00:00:00Z", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "run:h", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 409 id_conflict
    POST /v1/reservations/r/capture {"id": "h", "lines": [{"sku": "a", "quantity": 2}]} -> 409 exceeds
    POST /v1/reservations/r/capture {"id": "h", "lines": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": 9007199254740991}]} -> 400|409
    POST /v1/reservations/r/release {"id": "h", "lines": [{"sku": "a", "quantity": 2}]} -> 409 exceeds
    POST /v1/reservations/r/release {"id": "h", "lines": [{"sku": "a", "quantity": -1}]} -> 400 invalid
    POST /v1/reservations/r/return {"id": "h"} -> 409 exceeds
    POST /v1/reservations/r/return {"id": "h", "lines": [{"sku": "a", "quantity": 1}]} -> 409 exceeds
    POST /v1/reservations/r/extend {"ttl_ms": -60000} -> 400 invalid
    POST /v1/reservations/r/extend {"ttl_ms": 1e3} -> 400 invalid
    POST /v1/reservations/run:x/release {} -> 400 invalid
    # settings
    PUT /v1/items/a {"safety_stock": 1, "safety_stock": 2} -> 400 invalid
    PUT /v1/items/a {"kind": "points"} -> 409 conflict
    PUT /v1/items/a {"kind": ""} -> 400 invalid
    PUT /v1/items/a {"limit": [1]} -> 400 invalid
    PUT /v1/items/a {"limit": {"quantity": 1, "window_ms": 1e3}} -> 400 invalid
    PUT /v1/items/a {"metadata": {"a": NaN}} -> 400 invalid
    PUT /v1/items/a {"metadata": {"a": 1,}} -> 400 invalid
    PUT /v1/items/a {"metadata": undefined} -> 400 invalid
    PUT /v1/items/a {"version": 7} -> 400 invalid
    DELETE /v1/items/a -> 409 conflict
    DELETE /v1/items/a?force=true -> 400 invalid
    # ids of two kinds at once
    POST /v1/items/a/receipts [Idempotency-Key: one] {"id": "two", "quantity": 5} -> 400 invalid
    POST /v1/reservations [Idempotency-Key: run:h] {"ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
    POST /v1/items/a/receipts [Idempotency-Key: a b] {"quantity": 5} -> 400 invalid
    # methods smuggled by a header or a parameter
    POST /v1/items/empty [X-HTTP-Method-Override: DELETE] {} -> 405 method_not_allowed
    GET /v1/items/empty?_method=DELETE -> 400 invalid
    PATCH /v1/items/a [Content-Type: application/merge-patch+json] {"safety_stock": 5} -> 405 method_not_allowed
    # queries
    GET /v1/items?limit=1%00 -> 400 invalid
    GET /v1/items?limit=0x10 -> 400 invalid
    GET /v1/items?limit=9999999999999999999999 -> 400 invalid
    GET /v1/items?limit[]=5 -> 400 invalid
    GET /v1/items?sku=%FF -> 400 invalid
    GET /v1/items?sku=a%20b -> 400 invalid
    GET /v1/items?prefix=%ED%A0%80 -> 400 invalid
    GET /v1/items?%FF=1 -> 400 invalid
    GET /v1/reservations?holder=%00 -> 400 invalid
    GET /v1/reservations?limit=5;drop -> 400 invalid
    GET /v1/events?after=18446744073709551616 -> 400 invalid
    GET /v1/events?after=9007199254740992 -> 400 invalid
    GET /v1/events?after=1e3 -> 400 invalid
    GET /v1/items/a/history?before=-1 -> 400 invalid
    GET /v1/items/a/history?limit=%31%30%30%31 -> 400 invalid
    # what is not there
    GET /.env -> 404 not_found
    GET /v1/ -> 404 not_found
    GET /v1/admin -> 404 not_found
    GET /console/../../../etc/passwd -> 400|404
    POST /graphql {"query": "{__schema{types{name}}}"} -> 404 not_found
"#;

/// What must be as it was: records, and every event that is not the log's own bookkeeping.
fn picture(server: &Server) -> Value {
    let mut http = Http::connect(server);
    let events = http.json("/v1/events?limit=1000");
    let told: Vec<_> = events["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|event| !event["type"].as_str().is_some_and(|kind| kind.starts_with("log.")))
        .map(|event| event["id"].clone())
        .collect();
    serde_json::json!([
        http.json("/v1/items")["items"],
        http.json("/v1/reservations")["reservations"],
        told,
        http.get("/v1/reservations/new").status,
    ])
}

fn stocked() -> Server {
    let mut server = Server::start();
    http_check(
        &mut server,
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        PUT /v1/items/empty {} -> 200|201
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        "#,
    );
    server
}

#[test]
fn more_than_a_hundred_hostile_requests_are_refused_and_change_nothing() {
    let mut server = stocked();
    let before = picture(&server);
    // A `$` has a meaning in scripts: what has one goes by another way.
    let (plain, dollars): (Vec<_>, Vec<_>) = REFUSED.lines().partition(|line| !line.contains('$'));
    let count = plain.iter().filter(|line| line.contains(" -> ")).count();
    assert!(count > 100, "{count}");
    http_check(&mut server, &plain.join("\n"));
    let mut http = Http::connect(&server);
    for line in dollars {
        let (request, _) = line.trim().rsplit_once(" -> ").expect("a request and its answer");
        let mut words = request.splitn(3, ' ');
        let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
        let answer = http.call(method, path, &[], words.next());
        assert!(super::support::problem(&answer).is_ok_and(|p| p["code"] == "invalid"), "{line}: {answer}");
    }
    assert_eq!(picture(&server), before, "nothing came of them");
    // Each again on a connection of its own, and the server is no bigger for it.
    let small = resident_kib(&server);
    for _round in 0..5 {
        for line in &plain {
            http_check(&mut server, line);
        }
    }
    assert_eq!(picture(&server), before);
    let grown = resident_kib(&server).saturating_sub(small);
    assert!(grown < 16 << 10, "grown by {grown} KiB");
}

/// What the server keeps in memory, as the kernel sees it.
pub(crate) fn resident_kib(server: &Server) -> u64 {
    let pid =
        server.ready.split_whitespace().find_map(|word| word.strip_prefix("pid=")).expect("the ready line has it");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_request_as_long_as_allowed_and_useless_is_refused_soon() {
    let server = stocked();
    let before = picture(&server);
    let (lines, ids) = (r#"{"sku": "a", "quantity": 1},"#.repeat(100_000), "a".repeat(4_000_000));
    for (path, body) in [
        ("/v1/reservations", format!(r#"{{"id": "h", "ttl_ms": 60000, "lines": [{}]}}"#, lines.trim_end_matches(','))),
        ("/v1/reservations/r/capture", format!(r#"{{"id": "h", "lines": [{}]}}"#, lines.trim_end_matches(','))),
        (
            "/v1/reservations",
            format!(r#"{{"id": "{ids}", "ttl_ms": 60000, "lines": [{{"sku": "a", "quantity": 1}}]}}"#),
        ),
        ("/v1/items/a/receipts", format!(r#"{{"id": "h", "quantity": {}}}"#, "9".repeat(4_000_000))),
        ("/v1/items/a/receipts", format!(r#"{{"{ids}": 1}}"#)),
        ("/v1/items/a/receipts", format!("{{{}}}", r#""x": 1, "#.repeat(400_000))),
        ("/v1/items/a/receipts", "[".repeat(4_000_000)),
        ("/v1/items/a/receipts", "\"\\u0000".repeat(500_000)),
        ("/v1/items/a/receipts", " ".repeat(4_000_000)),
    ] {
        let mut http = Http::connect(&server);
        let begin = super::support::world::unix_ms();
        let answer = http.call("POST", path, &[], Some(&body));
        let problem = super::support::problem(&answer).unwrap_or_else(|why| panic!("{why}: {answer}"));
        assert_eq!(problem["code"], "invalid", "{path} {body:.60}: {answer}");
        assert!(answer.body.len() < 16 << 10, "a refusal is short: {} bytes for {body:.60}", answer.body.len());
        assert!(super::support::world::unix_ms() - begin < 5_000, "{body:.60}");
    }
    assert_eq!(picture(&server), before);
}
