//! Ids over HTTP: the header that stands in for them, replays across interfaces, one space for all.

use super::support::http;

#[test]
fn idempotency_key_stands_in_for_the_id() {
    http(
        r#"
        POST /v1/items/a/receipts [Idempotency-Key: m1] {"quantity": 10} -> 201 {"on_hand": 10}
        POST /v1/items/a/receipts [Idempotency-Key: m1] {"quantity": 10} -> 200 replayed
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 200 replayed
        POST /v1/items/a/adjustments [Idempotency-Key: m2] {"delta": -1, "reason": "broken"} -> 201 {"on_hand": 9}
        POST /v1/items/a/adjustments {"id": "m2", "delta": -1, "reason": "broken"} -> 200 replayed
        POST /v1/reservations [Idempotency-Key: r] {"ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201 {"id": "r"}
        POST /v1/reservations [Idempotency-Key: r] {"ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 200 replayed {"id": "r"}
        POST /v1/reservations [Idempotency-Key: r] {"ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 4}]} -> 409 id_conflict
        POST /v1/reservations/r/capture [Idempotency-Key: c] {"lines": [{"sku": "a", "quantity": 1}]} -> 200 {"state": "held"}
        POST /v1/reservations/r/capture [Idempotency-Key: c] {"lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed
        POST /v1/reservations/r/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed
        POST /v1/reservations/r/release [Idempotency-Key: x] {"lines": [{"sku": "a", "quantity": 1}]} -> 200 {"state": "held"}
        POST /v1/reservations/r/release {"id": "x", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed
        POST /v1/reservations/r/return [Idempotency-Key: t] {} -> 200 {"lines": [{"returned": 1}]}
        POST /v1/reservations/r/return {"id": "t"} -> 200 replayed
        # header names in any case
        POST /v1/reservations [idempotency-key: q] {"ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201 {"id": "q"}
        "#,
    );
}

#[test]
fn a_key_and_an_id_agree_or_are_refused() {
    http(
        r#"
        POST /v1/items/a/receipts [Idempotency-Key: m1] {"id": "m1", "quantity": 10} -> 201
        POST /v1/items/a/receipts [Idempotency-Key: m2] {"id": "m1", "quantity": 10} -> 400 invalid
        POST /v1/items/a/receipts [Idempotency-Key: m1] {"id": "M1", "quantity": 10} -> 400 invalid
        POST /v1/items/a/adjustments [Idempotency-Key: m2] {"id": "m3", "delta": 1, "reason": "x"} -> 400 invalid
        POST /v1/reservations [Idempotency-Key: r] {"id": "q", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        POST /v1/reservations [Idempotency-Key: r] {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/r/capture [Idempotency-Key: c] {"id": "d", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations/r/release [Idempotency-Key: c] {"id": "d"} -> 400 invalid
        POST /v1/reservations/r/return [Idempotency-Key: c] {"id": "d"} -> 400 invalid
        # a key is an id: it has an id's limits
        POST /v1/items/a/receipts [Idempotency-Key: two words] {"quantity": 10} -> 400 invalid
        POST /v1/items/a/receipts [Idempotency-Key: *] {"quantity": 10} -> 400 invalid
        POST /v1/items/a/receipts [Idempotency-Key: ..] {"quantity": 10} -> 400 invalid
        POST /v1/reservations [Idempotency-Key: run:1] {"ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        GET /v1/items/a -> 200 {"on_hand": 10, "reserved": 3, "version": 3}
        "#,
    );
}

#[test]
fn ids_have_128_bytes_and_no_more() {
    let [most, over] = [128, 129].map(|count| "x".repeat(count));
    // Bytes are counted, not characters: 42 of three bytes and two of one.
    let hangul = format!("{}ab", "문".repeat(42));
    http(&format!(
        r#"
        POST /v1/items/{most}/receipts {{"id": "{most}", "quantity": 10}} -> 201
        POST /v1/items/{over}/receipts {{"id": "m1", "quantity": 10}} -> 400 invalid
        GET /v1/items/{over} -> 400 invalid
        POST /v1/items/a/receipts {{"id": "{over}", "quantity": 10}} -> 400 invalid
        POST /v1/items/a/receipts [Idempotency-Key: {over}] {{"quantity": 10}} -> 400 invalid
        POST /v1/items/a/receipts [Idempotency-Key: {most}] {{"quantity": 10, "lot": "{most}", "location": "{most}"}} -> 201
        POST /v1/items/a/receipts {{"id": "m2", "quantity": 10, "lot": "{over}"}} -> 400 invalid
        POST /v1/items/a/receipts {{"id": "m2", "quantity": 10, "lot": "L", "location": "{over}"}} -> 400 invalid
        POST /v1/items/a/adjustments {{"id": "m2", "delta": 1, "reason": "{over}"}} -> 400 invalid
        POST /v1/items/a/adjustments {{"id": "m2", "delta": 1, "reason": "{most}", "lot": "{most}"}} -> 201
        POST /v1/reservations {{"id": "{hangul}", "holder": "{most}", "ttl_ms": 60000, "lines": [{{"sku": "a", "quantity": 1}}]}} -> 201 {{"id": "{hangul}", "holder": "{most}"}}
        POST /v1/reservations {{"id": "{hangul}c", "ttl_ms": 60000, "lines": [{{"sku": "a", "quantity": 1}}]}} -> 400 invalid
        POST /v1/reservations {{"id": "{over}", "ttl_ms": 60000, "lines": [{{"sku": "a", "quantity": 1}}]}} -> 400 invalid
        POST /v1/reservations {{"id": "q", "holder": "{over}", "ttl_ms": 60000, "lines": [{{"sku": "a", "quantity": 1}}]}} -> 400 invalid
        GET /v1/reservations/{over} -> 400 invalid
        "#
    ));
}

#[test]
fn a_replay_is_a_replay_whichever_interface_was_first() {
    http(
        r#"
        # RESP first, HTTP again
        RECEIVE a 10 ID m1 LOT L1 EXPIRES 4000000000000 AT seoul -> 10
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10, "lot": "L1", "expires_at": "2096-10-02T07:06:40Z", "location": "seoul"} -> 200 replayed
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10, "lot": "L1"} -> 409 id_conflict
        ADJUST a -1 REASON broken ID m2 -> 9
        POST /v1/items/a/adjustments {"id": "m2", "delta": -1, "reason": "broken"} -> 200 replayed
        RESERVE r 60000 2 a 2 a 1 FOR kim UNTIL 1000 LOT 1 L1 AT 2 seoul -> held
        POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 1, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 1, "location": "seoul"}, {"sku": "a", "quantity": 2, "lot": "L1"}]} -> 200 replayed {"state": "held"}
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 409 id_conflict
        CAPTURE r 1 a 1 ID c -> held
        POST /v1/reservations/r/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed {"state": "held"}
        RELEASE r 1 a 1 ID x -> held
        POST /v1/reservations/r/release {"id": "x", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed
        RETURN r 1 a 1 ID t -> held
        POST /v1/reservations/r/return {"id": "t", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed
        # HTTP first, RESP again
        POST /v1/items/a/receipts {"id": "m3", "quantity": 5} -> 201
        RECEIVE a 5 ID m3 -> *
        RECEIVE a 6 ID m3 -> -CONFLICT*
        POST /v1/items/a/adjustments {"id": "m4", "delta": 2, "reason": "found", "lot": "L1"} -> 201
        ADJUST a 2 REASON found ID m4 -> -CONFLICT*
        ADJUST a 2 REASON found ID m4 LOT L1 -> *
        POST /v1/reservations {"id": "s", "holder": "lee", "ttl_ms": 60000, "needed_until": "now+3600000", "lines": [{"sku": "a", "quantity": 2}]} -> 201
        RESERVATION s -> held holder=lee needed_until:=u
        RESERVE s 5 1 a 2 FOR lee UNTIL $u -> held replayed
        POST /v1/reservations/s/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        CAPTURE s 1 a 1 ID c -> held replayed
        CAPTURE s 1 a 2 ID c -> -CONFLICT*
        POST /v1/reservations/s/release {} -> 200
        RELEASE s -> partially_captured replayed
        POST /v1/reservations/s/return {"id": "t"} -> 200
        RETURN s ID t -> partially_captured replayed
        POST /v1/reservations/tomb/release {} -> 200 {"tombstone": true}
        RELEASE tomb -> released replayed tombstone
        PUT /v1/items/b {"safety_stock": 3, "limit": {"quantity": 2, "window_ms": 1000}, "metadata": {"n": 1}} -> 200|201
        CONFIGURE b SAFETY 3 LIMIT 2 WINDOW 1000 METADATA '{"n":1}' -> 0
        "#,
    );
}

#[test]
fn both_interfaces_see_the_same_records() {
    http(
        r#"
        PUT /v1/items/a {"safety_stock": 1, "limit": {"quantity": 9, "window_ms": 60000}, "allocation": "fifo"} -> 200|201
        ITEM a -> safety_stock=1 limit.quantity=9 limit.window_ms=60000 allocation=fifo version=1
        RECEIVE a 10 ID m1 LOT L1 EXPIRES 4000000000000 AT seoul -> 9
        GET /v1/items/a -> 200 {"available": 9, "lots": [{"lot": "L1", "on_hand": 10, "reserved": 0, "location": "seoul", "expires_at": "2096-10-02T07:06:40.000Z"}], "version": 2, "sequence": ":=i"}
        ITEM a -> sequence=$i version=2
        RESERVE r 60000 1 a 4 FOR kim UNTIL 3000000000123 -> held sequence:=s
        GET /v1/reservations/r -> 200 {"id": "r", "holder": "kim", "needed_until": "2065-01-24T05:20:00.123Z", "sequence": ":=t", "version": 1, "lines": [{"sku": "a", "quantity": 4, "taken": [{"lot": "L1", "quantity": 4}]}]}
        RESERVATION r -> held sequence=$t
        POST /v1/reservations/r/capture {"id": "c", "lines": [{"sku": "a", "quantity": 3}]} -> 200
        RESERVATION r -> held lines=a:4/3/0/0/0 version=2
        RELEASE r -> partially_captured
        GET /v1/reservations/r -> 200 {"state": "partially_captured", "ended": "released", "version": 3, "lines": [{"captured": 3, "released": 1}]}
        RELEASE tomb -> released tombstone
        GET /v1/reservations/tomb -> 200 {"state": "released", "tombstone": true, "lines": [], "holder": null}
        CONFIGURE b METADATA '{"수": [1, "문"]}' -> 0
        GET /v1/items/b -> 200 {"metadata": {"수": [1, "문"]}}
        "#,
    );
}

#[test]
fn a_transaction_of_resp_is_seen_whole_over_http() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        @b MULTI -> OK
        @b RESERVE r 60000 1 a 2 -> QUEUED
        @b CAPTURE r -> QUEUED
        GET /v1/items/a -> 200 {"reserved": 0, "on_hand": 5}
        GET /v1/reservations/r -> 404 not_found
        @b EXEC -> *
        GET /v1/reservations/r -> 200 {"state": "captured", "version": 2}
        GET /v1/items/a -> 200 {"reserved": 0, "on_hand": 3, "captured": 2}
        "#,
    );
}
