//! Captures, releases and returns of a part over HTTP, and the ids that make them repeatable.

use super::support::http;

#[test]
fn a_capture_of_a_part_leaves_the_rest_held() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}, {"sku": "b", "quantity": 2}, {"sku": "a", "quantity": 4}]} -> 201
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 5}]} -> 200 {"state": "held", "ended": null, "version": 2, "lines": [{"captured": 3}, {"captured": 0}, {"captured": 2}]}
        GET /v1/items/a -> 200 {"on_hand": 15, "reserved": 2, "captured": 5}
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 5}]} -> 200 replayed {"state": "held", "version": 2}
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 4}]} -> 409 id_conflict
        POST /v1/reservations/r/capture {"id": "c1"} -> 409 id_conflict
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "a", "quantity": 3}]} -> 409 exceeds {"lines": [{"sku": "a", "wanted": 3, "left": 2}]}
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": 2}]} -> 409 exceeds {"lines": [{"sku": "a", "wanted": 3, "left": 2}]}
        # a sku that is not in it: 0 left
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "z", "quantity": 1}]} -> 409 exceeds {"lines": [{"sku": "z", "wanted": 1, "left": 0}]}
        # all that exceed are named
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "b", "quantity": 3}, {"sku": "a", "quantity": 4}]} -> 409 exceeds {"lines": "len:2"}
        GET /v1/reservations/r -> 200 {"version": 2}
        # content of a part is the multiset as sent
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "b", "quantity": 1}, {"sku": "a", "quantity": 1}]} -> 200
        POST /v1/reservations/r/capture {"lines": [{"quantity": 1, "sku": "a"}, {"sku": "b", "quantity": 1}], "id": "c2"} -> 200 replayed
        POST /v1/reservations/r/capture {"id": "c3", "lines": [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 1}]} -> 200 {"state": "captured", "ended": "captured"}
        # the same id answers whatever the state, another gets the state's error
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 5}]} -> 200 replayed {"state": "captured"}
        POST /v1/reservations/r/capture {"id": "c9", "lines": [{"sku": "a", "quantity": 1}]} -> 409 already_captured
        "#,
    );
}

#[test]
fn a_part_needs_an_id_and_a_reservation() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/r/capture {"lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid {"detail": "*id*"}
        POST /v1/reservations/r/release {"lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid {"detail": "*id*"}
        POST /v1/reservations/r/capture {"id": "*", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations/r/release {"id": "*"} -> 400 invalid
        POST /v1/reservations/r/capture {"id": "c", "lines": [{"sku": "a", "quantity": 0}]} -> 400 invalid
        POST /v1/reservations/r/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1, "lot": "L1"}]} -> 400 invalid {"detail": "*lot*"}
        # a part of an unknown id: no tombstone
        POST /v1/reservations/u/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 404 not_found
        POST /v1/reservations/u/release {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 404 not_found
        POST /v1/reservations/u/return {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 404 not_found
        GET /v1/reservations/u -> 404 not_found
        POST /v1/reservations {"id": "u", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        GET /v1/reservations/r -> 200 {"version": 1}
        "#,
    );
}

#[test]
fn a_release_of_a_part_goes_from_the_last_to_the_first() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 3, "lot": "L1", "expires_at": "now+100000"} -> 201
        POST /v1/items/a/receipts {"id": "m2", "quantity": 6, "lot": "L2", "expires_at": "now+200000"} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 4}, {"sku": "a", "quantity": 5}]} -> 201 {"lines": [{"taken": [{"lot": "L1", "quantity": 3}, {"lot": "L2", "quantity": 1}]}, {"taken": [{"lot": "L2", "quantity": 5}]}]}
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 2}]} -> 200 {"lines": [{"captured": 2}, {"captured": 0}]}
        POST /v1/reservations/r/release {"id": "x1", "lines": [{"sku": "a", "quantity": 6}]} -> 200 {"state": "held", "tombstone": false, "lines": [{"captured": 2, "released": 1}, {"released": 5}]}
        GET /v1/items/a -> 200 {"lots": [{"lot": "L1", "on_hand": 1, "reserved": 1}, {"lot": "L2", "on_hand": 6, "reserved": 0}]}
        POST /v1/reservations/r/release {"id": "x1", "lines": [{"sku": "a", "quantity": 6}]} -> 200 replayed
        POST /v1/reservations/r/release {"id": "x1"} -> 409 id_conflict
        POST /v1/reservations/r/release {"id": "x2", "lines": [{"sku": "a", "quantity": 2}]} -> 409 exceeds {"lines": [{"sku": "a", "wanted": 2, "left": 1}]}
        POST /v1/reservations/r/release {"id": "x2", "lines": [{"sku": "a", "quantity": 1}]} -> 200 {"state": "partially_captured", "ended": "released"}
        POST /v1/reservations/r/release {"id": "x3", "lines": [{"sku": "a", "quantity": 1}]} -> 409 already_released
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "a", "quantity": 1}]} -> 409 already_released
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 2}]} -> 200 replayed {"state": "partially_captured"}
        # back to the lots they came from
        POST /v1/reservations/r/return {"id": "t1"} -> 200
        GET /v1/items/a -> 200 {"lots": [{"lot": "L1", "on_hand": 3}, {"lot": "L2", "on_hand": 6}], "on_hand": 9}
        "#,
    );
}

#[test]
fn a_part_of_what_has_ended_gets_its_error() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 500, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        POST /v1/reservations/r/release {"id": "x1", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        wait 550ms
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "a", "quantity": 1}]} -> 409 expired
        POST /v1/reservations/r/release {"id": "x2", "lines": [{"sku": "a", "quantity": 1}]} -> 409 expired
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed {"state": "partially_captured", "ended": "expired"}
        POST /v1/reservations/r/release {"id": "x1", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed {"lines": [{"captured": 1, "released": 1, "expired": 1}]}
        POST /v1/reservations {"id": "q", "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/q/release {"id": "x", "lines": [{"sku": "a", "quantity": 1}]} -> 409 already_captured
        "#,
    );
}

#[test]
fn an_id_with_the_whole_is_kept_and_no_lines_is_a_content() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/r/capture {"id": "c1"} -> 200 {"state": "captured"}
        POST /v1/reservations/r/capture {"id": "c1"} -> 200 replayed
        POST /v1/reservations/r/capture {} -> 200 replayed
        POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 3}]} -> 409 id_conflict
        # an id is kept by the event that it made: this one is replayed and not kept
        POST /v1/reservations/r/capture {"id": "c2"} -> 200 replayed
        POST /v1/reservations/r/capture {"id": "c2", "lines": [{"sku": "a", "quantity": 3}]} -> 409 already_captured
        # kept in one reservation, apart from those of the other verbs
        POST /v1/reservations {"id": "s", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/s/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        POST /v1/reservations/s/release {"id": "c1", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        POST /v1/reservations/s/return {"id": "c1", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        POST /v1/reservations/u/release {"id": "x"} -> 200 {"tombstone": true}
        POST /v1/reservations/u/release {"id": "x"} -> 200 replayed {"tombstone": true}
        POST /v1/reservations/u/release {"id": "x", "lines": [{"sku": "a", "quantity": 1}]} -> 409 id_conflict
        "#,
    );
}

#[test]
fn a_return_takes_the_last_captured_first() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "capture": true, "lines": [{"sku": "a", "quantity": 3}, {"sku": "a", "quantity": 4}]} -> 201
        POST /v1/reservations/r/return {"id": "t1", "lines": [{"sku": "a", "quantity": 5}]} -> 200 {"state": "captured", "lines": [{"returned": 1}, {"returned": 4}]}
        POST /v1/reservations/r/return {"id": "t2", "lines": [{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": 2}]} -> 409 exceeds {"lines": [{"sku": "a", "wanted": 3, "left": 2}]}
        POST /v1/reservations/r/return {"id": "t2", "lines": [{"sku": "b", "quantity": 1}]} -> 409 exceeds {"lines": [{"sku": "b", "wanted": 1, "left": 0}]}
        POST /v1/reservations/r/return {"id": "t2"} -> 200 {"lines": [{"returned": 3}, {"returned": 4}]}
        GET /v1/items/a -> 200 {"on_hand": 20, "captured": 7, "returned": 7}
        "#,
    );
}

#[test]
fn a_reservation_has_1024_parts_and_the_whole_always_passes() {
    let mut server = super::support::Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 100000 ID m1");
    client.say("RESERVE r 600000 1 a 5000");
    let parts: Vec<_> =
        (1..=1024).map(|n| super::support::resp::encoded(&format!("CAPTURE r 1 a 1 ID p{n}"))).collect();
    client.pipeline(&parts);
    super::support::http_check(
        &mut server,
        r#"
        GET /v1/reservations/r -> 200 {"version": 1025, "lines": [{"captured": 1024}]}
        POST /v1/reservations/r/capture {"id": "p1025", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        # the cap is checked last
        POST /v1/reservations/r/capture {"id": "p1025", "lines": [{"sku": "a", "quantity": 5000}]} -> 409 exceeds {"lines": [{"wanted": 5000, "left": 3976}]}
        POST /v1/reservations/r/capture {"id": "p1024", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed
        POST /v1/reservations/r/capture {} -> 200 {"state": "captured", "lines": [{"captured": 5000}]}
        "#,
    );
}
