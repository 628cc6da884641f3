//! Bodies: strict JSON, media types, sizes, how they are sent.

use super::support::{Http, Server, http, http_check, problem};

const RECEIPT: &str = "/v1/items/a/receipts";

/// Posts each body and holds its answer to one code; nothing may have come of any.
fn all_refused(bodies: &[&str], code: &str) {
    let server = Server::start();
    let mut http = Http::connect(&server);
    let mut failures = Vec::new();
    for body in bodies {
        let answer = http.call("POST", RECEIPT, &[], Some(body));
        if !problem(&answer).is_ok_and(|problem| problem["code"] == code) {
            failures.push(format!("{body:.200}: {answer}"));
        }
        if answer.is_last() {
            http = Http::connect(&server);
        }
    }
    assert!(failures.is_empty(), "{} of them:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(http.get("/v1/items/a").status, 404, "nothing came of them");
}

#[test]
fn json_is_read_as_the_rfc_has_it() {
    all_refused(
        &[
            "",
            " ",
            "{",
            "}",
            "{}{}",
            "null",
            "[]",
            "\"x\"",
            "5",
            r#"{"id": "m1", "quantity": 1"#,
            r#"{"id": "m1", "quantity": 1}}"#,
            r#"{"id": "m1", "quantity": 1} x"#,
            r#"{"id": "m1", "quantity": 1}{"id": "m2", "quantity": 1}"#,
            r#"{"id": "m1", "quantity": 1,}"#,
            r#"{"id": "m1",, "quantity": 1}"#,
            r#"{"id": "m1" "quantity": 1}"#,
            r#"{"id"= "m1", "quantity": 1}"#,
            r#"{id: "m1", quantity: 1}"#,
            r#"{'id': 'm1', 'quantity': 1}"#,
            r#"{"id": "m1", "quantity": 1 /* one */}"#,
            "{\"id\": \"m1\", // one\n\"quantity\": 1}",
            "{\"id\": \"m\t1\", \"quantity\": 1}",
            r#"{"id": "m\x31", "quantity": 1}"#,
            r#"{"id": "m\u12", "quantity": 1}"#,
            r#"{"id": "m1", "quantity": TRUE}"#,
            r#"[{"id": "m1", "quantity": 1}]"#,
            "\u{feff}{\"id\": \"m1\", \"quantity\": 1}",
            "id=m1&quantity=1",
            "<receipt id=\"m1\" quantity=\"1\"/>",
        ],
        "invalid",
    );
}

#[test]
fn a_duplicate_key_is_refused_wherever_it_stands() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/items/a/receipts {"id": "m2", "id": "m2", "quantity": 1} -> 400 invalid {"detail": "*id*"}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 1, "quantity": 1} -> 400 invalid {"detail": "*quantity*"}
        # written otherwise, the same key
        POST /v1/items/a/receipts {"id": "m2", "quantity": 1, "quantit\u0079": 2} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}], "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        PUT /v1/items/a {"limit": {"quantity": 1, "quantity": 1}} -> 400 invalid
        PUT /v1/items/a {"metadata": {"x": 1, "x": 2}} -> 400 invalid
        PUT /v1/items/a {"metadata": {"deep": [{"x": 1, "x": 1}]}} -> 400 invalid
        GET /v1/items/a -> 200 {"version": 2, "on_hand": 5, "reserved": 0}
        # a key may come again in another object
        PUT /v1/items/a {"metadata": {"x": {"x": 1}, "y": [{"x": 1}, {"x": 2}]}} -> 200
        "#,
    );
}

#[test]
fn an_unknown_field_is_refused_by_its_name_before_anything_is_done() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/items/a/receipts {"id": "m2", "quantity": 5, "colour": "red"} -> 400 invalid {"detail": "*colour*"}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 5, "Quantity": 5} -> 400 invalid {"detail": "*Quantity*"}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 5, "": 5} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m2", "quantity": 5, "__proto__": {}} -> 400 invalid {"detail": "*__proto__*"}
        POST /v1/items/a/adjustments {"id": "m2", "delta": 5, "reason": "x", "location": "seoul"} -> 400 invalid {"detail": "*location*"}
        POST /v1/reservations {"id": "r", "ttl": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "reservation": "r", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid {"detail": "*reservation*"}
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/r/capture {"force": true} -> 400 invalid {"detail": "*force*"}
        POST /v1/reservations/r/release {"why": "x"} -> 400 invalid {"detail": "*why*"}
        POST /v1/reservations/r/extend {"ttl_ms": 90000, "id": "e"} -> 400 invalid {"detail": "*id*"}
        POST /v1/reservations/r/return {"id": "t", "reason": "x"} -> 400 invalid {"detail": "*reason*"}
        GET /v1/reservations/r -> 200 {"version": 1, "state": "held"}
        GET /v1/items/a -> 200 {"on_hand": 5, "version": 3}
        "#,
    );
}

#[test]
fn json_is_32_deep_and_no_deeper() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    // The body itself is the first level.
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        format!("{{\"metadata\": {open}{close}}}")
    };
    let put = http.call("PUT", "/v1/items/a", &[], Some(&nested(32)));
    assert!([200, 201].contains(&put.status), "{put}");
    for levels in [33, 34, 100, 10_000, 1_000_000] {
        let answer = http.call("PUT", "/v1/items/a", &[], Some(&nested(levels)));
        assert!([400, 413].contains(&answer.status) && problem(&answer).is_ok(), "{levels} levels: {answer}");
        if levels <= 100 {
            assert_eq!(answer.json()["code"], "invalid", "{levels} levels: {answer}");
        }
        if answer.is_last() {
            http = Http::connect(&server);
        }
    }
    let open = "{\"a\":".repeat(100_000);
    let answer = http.call("PUT", "/v1/items/b", &[], Some(&open));
    assert_eq!((answer.status, problem(&answer).is_ok()), (400, true), "{answer}");
    let mut http = Http::connect(&server);
    assert_eq!(http.json("/v1/items/a")["version"], 1);
}

#[test]
fn a_body_needs_its_media_type() {
    http(
        r#"
        POST /v1/items/a/receipts [Content-Type: text/plain] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type:] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: application/x-www-form-urlencoded] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: multipart/form-data; boundary=x] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: text/json] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: application/jsonp] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: application/xml] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: application/octet-stream] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: */*] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        POST /v1/items/a/receipts [Content-Type: x] {"id": "m1", "quantity": 5} -> 415 unsupported_media_type
        PUT /v1/items/a [Content-Type: text/plain] {} -> 415 unsupported_media_type
        POST /v1/items/a/adjustments [Content-Type: text/plain] {"id": "m2", "delta": 5, "reason": "x"} -> 415 unsupported_media_type
        POST /v1/reservations [Content-Type: text/plain] {"id": "r", "ttl_ms": 6000, "lines": [{"sku": "a", "quantity": 1}]} -> 415 unsupported_media_type
        POST /v1/reservations/r/release [Content-Type: text/plain] {"id": "x"} -> 415 unsupported_media_type
        GET /v1/items/a -> 404 not_found
        GET /v1/reservations/r -> 404 not_found
        # a media type has parameters and no case
        POST /v1/items/a/receipts [Content-Type: application/json; charset=utf-8] {"id": "m1", "quantity": 5} -> 201
        POST /v1/items/a/receipts [Content-Type: Application/JSON;charset="UTF-8"] {"id": "m2", "quantity": 5} -> 201 {"on_hand": 10}
        "#,
    );
}

#[test]
fn a_body_has_4_mib_and_no_more() {
    let mut server = Server::start();
    let padded = |bytes: usize, id: &str| {
        let receipt = format!("{{\"id\": \"{id}\", \"quantity\": 1}}");
        format!("{receipt}{}", " ".repeat(bytes - receipt.len()))
    };
    let mut http = Http::connect(&server);
    let most = http.call("POST", RECEIPT, &[], Some(&padded(4 << 20, "most")));
    assert_eq!(most.status, 201, "{most}");
    let over = padded((4 << 20) + 1, "over");
    let bytes = http.request("POST", RECEIPT, &[], Some(over.as_bytes()));
    let _refused_before_its_end = http.try_send(&bytes);
    let answer = http.answer("POST");
    assert_eq!((answer.status, problem(&answer).map(|p| p["code"] == "too_large")), (413, Ok(true)), "{answer}");
    // In chunks, where no length is said before.
    let mut http = Http::connect(&server);
    let mut bytes =
        http.request("POST", RECEIPT, &[("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")], None);
    for part in over.as_bytes().chunks(64 << 10) {
        bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let _refused_before_its_end = http.try_send(&bytes);
    let answer = http.answer("POST");
    assert_eq!((answer.status, problem(&answer).map(|p| p["code"] == "too_large")), (413, Ok(true)), "{answer}");
    // Who asks first sends nothing.
    for length in ["4194305", "4294967297", "9007199254740991"] {
        let mut http = Http::connect(&server);
        let headers = [("Content-Type", "application/json"), ("Content-Length", length), ("Expect", "100-continue")];
        let bytes = http.request("POST", RECEIPT, &headers, None);
        http.send_bytes(&bytes);
        let answer = http.answer("POST");
        assert_eq!((answer.status, problem(&answer).map(|p| p["code"] == "too_large")), (413, Ok(true)), "{answer}");
    }
    http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 1, "version": 2}"#);
}

#[test]
fn a_body_may_come_in_chunks_and_after_100_continue() {
    let mut server = Server::start();
    let mut http = Http::connect(&server);
    let chunked = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")];
    let mut bytes = http.request("POST", RECEIPT, &chunked, None);
    bytes.extend_from_slice(
        b"1\r\n{\r\n00A;name=value\r\n\"id\": \"m1\"\r\n0f\r\n, \"quantity\": 5\r\n1\r\n}\r\n0\r\n\r\n",
    );
    http.send_bytes(&bytes);
    assert_eq!(http.answer("POST").status, 201);
    let body = br#"{"id": "m2", "quantity": 5}"#;
    let length = body.len().to_string();
    let headers =
        [("Content-Type", "application/json"), ("Content-Length", length.as_str()), ("Expect", "100-continue")];
    let bytes = http.request("POST", RECEIPT, &headers, None);
    http.send_bytes(&bytes);
    assert_eq!(http.head().expect("an interim answer").0, 100);
    http.send_bytes(body);
    assert_eq!(http.answer("POST").status, 201);
    // A body a byte at a time is a body.
    let bytes = http.request("POST", RECEIPT, &[], Some(br#"{"id": "m3", "quantity": 5}"#));
    for byte in &bytes {
        http.send_bytes(&[*byte]);
    }
    assert_eq!(http.answer("POST").status, 201);
    http_check(&mut server, r#"GET /v1/items/a -> 200 {"on_hand": 15}"#);
}
