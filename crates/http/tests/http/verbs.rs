//! Each route once around: what is asked, what is answered, what a replay says.

use crate::support::{Server, resp, start};
use serde_json::{Value, json};

fn shop() -> Server {
    let server = start();
    let receipt = server.ask("POST", "/v1/items/shoe/receipts", r#"{"id":"d1","quantity":10}"#);
    assert_eq!(receipt.status, 201, "{receipt:?}");
    server
}

#[test]
fn an_items_life_is_answered_with_the_item() {
    let server = start();
    let settings = r#"{"kind":"stock","safety_stock":1,"limit":{"quantity":5,"window_ms":1000},"allocation":"fifo","metadata":{"b":[1,{"a":null}]}}"#;
    let item = server.ask("PUT", "/v1/items/a%2Fb", settings);
    assert_eq!(item.status, 200);
    let expected = json!({
        "sku": "a/b", "kind": "stock", "on_hand": 0, "reserved": 0, "available": 0, "received": 0, "removed": 0,
        "returned": 0, "captured": 0, "expired": 0, "safety_stock": 1, "backorder_limit": 0,
        "limit": { "quantity": 5, "window_ms": 1000 }, "allocation": "fifo", "metadata": { "b": [1, { "a": null }] },
        "lots": [], "version": 1, "sequence": 2,
    });
    assert_eq!(item.json(), expected);
    let body =
        r#"{"id":"m","quantity":9007199254740990,"lot":"l","expires_at":"2099-01-01T00:00:00.5+09:00","location":"x"}"#;
    let received = server.ask("POST", "/v1/items/a%2Fb/receipts", body);
    assert_eq!((received.status, received.header("idempotency-replayed")), (201, None));
    assert_eq!(received.json()["on_hand"], 9_007_199_254_740_990_u64);
    let lot = json!({ "lot": "l", "location": "x", "on_hand": 9_007_199_254_740_990_u64, "reserved": 0, "expires_at": "2098-12-31T15:00:00.500Z" });
    assert_eq!(received.json()["lots"], json!([lot]));
    let again = server.ask("POST", "/v1/items/a%2Fb/receipts", body);
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, Some("true")));
    let adjust = r#"{"id":"n","delta":-9007199254740990,"reason":"lost","lot":"l"}"#;
    assert_eq!(server.ask("POST", "/v1/items/a%2Fb/adjustments", adjust).status, 201);
    assert_eq!(server.ask("POST", "/v1/items/a%2Fb/adjustments", adjust).status, 200);
    let other = r#"{"id":"n","delta":-1,"reason":"lost"}"#;
    assert_eq!(server.ask("POST", "/v1/items/a%2Fb/adjustments", other).said(), "409 id_conflict");
    let mut client = server.connect();
    let gone = client.ask("DELETE", "/v1/items/a%2Fb", "");
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    assert_eq!(client.ask("GET", "/v1/items/a%2Fb", "").said(), "404 not_found");
    assert_eq!(client.ask("DELETE", "/v1/items/a%2Fb", "").said(), "404 not_found");
    assert_eq!(client.ask("PUT", "/v1/items/a%2Fb", "{}").json()["version"], 5);
}

#[test]
fn a_reservations_life_is_answered_with_the_reservation() {
    let server = shop();
    let body = r#"{"id":"r","holder":"h","ttl_ms":60000,"needed_until":"2099-01-01T00:00:00Z","lines":[{"sku":"shoe","quantity":4}]}"#;
    let held = server.ask("POST", "/v1/reservations", body);
    assert_eq!(held.status, 201);
    let record = held.json();
    assert_eq!(record["needed_until"], "2099-01-01T00:00:00.000Z");
    assert_eq!(
        (&record["state"], &record["ended"], &record["tombstone"]),
        (&json!("held"), &Value::Null, &json!(false))
    );
    assert_eq!(record["lines"][0]["taken"], json!([{ "lot": null, "quantity": 4 }]));
    let again = server.ask("POST", "/v1/reservations", body);
    assert_eq!((again.status, again.header("idempotency-replayed"), again.json()), (200, Some("true"), record.clone()));
    let part = r#"{"id":"c1","lines":[{"sku":"shoe","quantity":1}]}"#;
    let captured = server.ask("POST", "/v1/reservations/r/capture", part);
    assert_eq!((captured.status, &captured.json()["lines"][0]["captured"]), (200, &json!(1)));
    assert_eq!(server.ask("POST", "/v1/reservations/r/capture", part).header("idempotency-replayed"), Some("true"));
    let extended = server.ask("POST", "/v1/reservations/r/extend", r#"{"ttl_ms":120000}"#).json();
    assert!(extended["expires_at"].as_str() > record["expires_at"].as_str(), "{extended}");
    let returned = server.ask("POST", "/v1/reservations/r/return", r#"{"id":"x"}"#);
    assert_eq!(returned.json()["lines"][0]["returned"], 1);
    assert_eq!(server.ask("POST", "/v1/reservations/r/release", "").json()["state"], "partially_captured");
    assert_eq!(server.ask("POST", "/v1/reservations/r/capture", "").said(), "409 already_released");
    assert_eq!(server.ask("POST", "/v1/reservations/r/extend", r#"{"ttl_ms":1}"#).said(), "409 already_released");
    assert_eq!(server.ask("POST", "/v1/reservations", body).said(), "409 already_released");
    let never = server.ask("POST", "/v1/reservations/never/release", "{}");
    assert_eq!((never.status, &never.json()["tombstone"]), (200, &json!(true)));
    assert_eq!(server.ask("POST", "/v1/reservations/unknown/capture", "").said(), "404 not_found");
    assert_eq!(server.ask("GET", "/v1/reservations/unknown", "").said(), "404 not_found");
    assert_eq!(server.ask("GET", "/v1/reservations/r", "").json()["ended"], "released");
    let sold = r#"{"id":"s","capture":true,"lines":[{"sku":"shoe","quantity":1}]}"#;
    assert_eq!(server.ask("POST", "/v1/reservations", sold).json()["state"], "captured");
    assert_eq!(server.ask("POST", "/v1/reservations/s/release", "").said(), "409 already_captured");
    assert!(resp(&server, "RESERVATION s").starts_with('*'), "one space of ids");
}

#[test]
fn a_refusal_names_all_lines_of_its_kind_and_carries_the_facts() {
    let server = shop();
    server.ask("POST", "/v1/items/hat/receipts", r#"{"id":"d1","quantity":1}"#);
    server.ask("POST", "/v1/reservations", r#"{"id":"o","ttl_ms":60000,"lines":[{"sku":"shoe","quantity":3}]}"#);
    let body = r#"{"id":"r","ttl_ms":60000,"lines":[{"sku":"shoe","quantity":5},{"sku":"hat","quantity":2},{"sku":"shoe","quantity":5}]}"#;
    let short = server.ask("POST", "/v1/reservations", body);
    assert_eq!(short.said(), "409 insufficient_stock");
    assert_eq!(short.json()["detail"], "INSUFFICIENT shoe wanted 10 available 7");
    let lines = json!([
        { "sku": "shoe", "wanted": 10, "available": 7, "reserved": 3 },
        { "sku": "hat", "wanted": 2, "available": 1, "reserved": 0 },
    ]);
    assert_eq!(short.json()["lines"], lines);
    let missing = r#"{"id":"r","ttl_ms":60000,"lines":[{"sku":"x","quantity":5},{"sku":"hat","quantity":2},{"sku":"y","quantity":5}]}"#;
    let missing = server.ask("POST", "/v1/reservations", missing);
    assert_eq!(
        (missing.said().as_str(), &missing.json()["lines"]),
        ("404 not_found", &json!([{ "sku": "x" }, { "sku": "y" }]))
    );
    server.ask("PUT", "/v1/items/hat", r#"{"limit":{"quantity":1}}"#);
    let limited = r#"{"id":"r","ttl_ms":60000,"holder":"h","lines":[{"sku":"hat","quantity":2}]}"#;
    let limited = server.ask("POST", "/v1/reservations", limited);
    assert_eq!((limited.said().as_str(), &limited.json()["lines"][0]["left"]), ("409 limit_exceeded", &json!(1)));
    let holder = server.ask("GET", "/v1/items/hat/holders/h", "").json();
    assert_eq!(holder, json!({ "held": 0, "counted": 0, "left": 1, "next_free_at": null }));
    let more = server.ask("POST", "/v1/reservations/o/capture", r#"{"id":"c","lines":[{"sku":"shoe","quantity":4}]}"#);
    assert_eq!(
        (more.said().as_str(), &more.json()["lines"][0]),
        ("409 exceeds", &json!({ "sku": "shoe", "wanted": 4, "left": 3 }))
    );
    assert_eq!(server.ask("DELETE", "/v1/items/shoe", "").said(), "409 conflict");
    assert_eq!(server.ask("PUT", "/v1/items/shoe", r#"{"kind":"points"}"#).said(), "409 conflict");
}

#[test]
fn an_idempotency_key_stands_in_for_the_bodys_id() {
    let server = start();
    let mut client = server.connect();
    let mut post = |path: &str, key: &str, body: &str| client.ask_with("POST", path, key, body);
    let receipts = "/v1/items/a/receipts";
    assert_eq!(post(receipts, "Idempotency-Key: k\r\n", r#"{"quantity":1}"#).status, 201);
    assert_eq!(post(receipts, "", r#"{"id":"k","quantity":1}"#).status, 200);
    assert_eq!(post(receipts, "idempotency-key: k\r\n", r#"{"id":"k","quantity":1}"#).status, 200);
    assert_eq!(post(receipts, "idempotency-key: k\r\n", r#"{"id":"l","quantity":1}"#).said(), "400 invalid");
    assert_eq!(post(receipts, "idempotency-key: a b\r\n", r#"{"quantity":1}"#).said(), "400 invalid");
    assert_eq!(post(receipts, "idempotency-key: *\r\n", r#"{"quantity":1}"#).said(), "400 invalid");
    assert_eq!(
        post(receipts, "idempotency-key: a\r\nidempotency-key: a\r\n", r#"{"quantity":1}"#).said(),
        "400 invalid"
    );
    assert_eq!(post(receipts, "", r#"{"quantity":1}"#).said(), "400 invalid");
    let body = r#"{"ttl_ms":60000,"lines":[{"sku":"a","quantity":1}]}"#;
    assert_eq!(post("/v1/reservations", "idempotency-key: r\r\n", body).json()["id"], "r");
    assert_eq!(post("/v1/reservations/r/capture", "idempotency-key: c\r\n", "").status, 200);
    assert_eq!(post("/v1/reservations/r/return", "idempotency-key: b\r\n", "").json()["lines"][0]["returned"], 1);
    assert_eq!(post("/v1/reservations/r/return", "", "").said(), "400 invalid");
}

#[test]
fn connections_are_kept_pipelines_are_answered_in_order_and_request_ids_come_back() {
    let server = shop();
    let mut client = server.connect();
    let mut all = Vec::new();
    for n in 0..100 {
        let body = format!(r#"{{"id":"p{n}","quantity":1}}"#);
        all.extend(client.request("POST", "/v1/items/shoe/receipts", &format!("x-request-id: q{n}\r\n"), body));
        all.extend(client.request("GET", "/v1/items/shoe", "", ""));
    }
    client.send(&all);
    for n in 0..100 {
        let received = client.reply().expect("an answer");
        assert_eq!((received.status, received.header("x-request-id")), (201, Some(format!("q{n}").as_str())));
        assert_eq!(received.json()["on_hand"], 11 + n);
        assert_eq!(client.reply().expect("an answer").json()["on_hand"], 11 + n);
    }
    let ids: Vec<String> =
        (0..2).map(|_| client.ask("GET", "/livez", "").header("x-request-id").expect("an id").to_owned()).collect();
    assert!(ids[0] != ids[1] && ids[0].len() == 16, "{ids:?}");
    let odd = client.ask_with("GET", "/livez", &format!("x-request-id: {}\r\n", "x".repeat(129)), "");
    assert_ne!(odd.header("x-request-id").map(str::len), Some(129));
    let head = client.ask("HEAD", "/v1/items/shoe", "");
    let get = client.ask("GET", "/v1/items/shoe", "");
    assert_eq!(head.header("content-length").map(str::to_owned), Some(get.body.len().to_string()));
    // Who has finished sending still gets its answer.
    let mut last = server.connect();
    last.send(last.request("GET", "/v1/items/shoe", "", ""));
    last.finish();
    assert_eq!(last.reply().map(|reply| reply.status), Some(200));
    assert!(last.is_closed());
}

#[test]
fn health_says_how_it_is() {
    let server = shop();
    assert_eq!(server.ask("GET", "/livez", "").json(), json!({ "status": "alive" }));
    let ready = server.ask("GET", "/readyz", "").json();
    assert_eq!((&ready["status"], &ready["clock_drift_ms"].is_i64()), (&json!("ready"), &true));
    assert_eq!(server.metric("sumun_items_in_memory"), 1.0);
    assert_eq!(server.metric("sumun_shard_answers"), 1.0);
    let requests = r#"sumun_http_requests_total{method="POST",route="/v1/items/{sku}/receipts",status="201"}"#;
    assert_eq!(server.metric(requests), 1.0);
    server.ask("GET", "/v1/items/none", "");
    server.ask("POST", "/v1/reservations", r#"{"id":"r","ttl_ms":1,"lines":[{"sku":"none","quantity":1}]}"#);
    assert_eq!(server.metric(r#"sumun_refused_total{code="not_found"}"#), 1.0);
}
