//! Receipts and adjustments over HTTP: their ids, lots and what they are refused for.

use super::support::http;

#[test]
fn a_receipt_brings_units_and_an_unknown_item() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 201 {"sku": "a", "kind": "stock", "on_hand": 10, "available": 10, "received": 10, "version": 2}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 1} -> 201 {"on_hand": 11, "version": 3}
        # a replay answers with the item as it stands
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 200 replayed {"on_hand": 11, "version": 3}
        POST /v1/items/a/receipts {"id": "m1", "quantity": 11} -> 409 id_conflict
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10, "lot": "L1"} -> 409 id_conflict
        # another verb is other content; another sku another space
        POST /v1/items/a/adjustments {"id": "m1", "delta": 10, "reason": "found"} -> 409 id_conflict
        POST /v1/items/b/receipts {"id": "m1", "quantity": 4} -> 201 {"on_hand": 4}
        GET /v1/items/a -> 200 {"on_hand": 11, "version": 3}
        kill
        POST /v1/items/a/receipts {"id": "m2", "quantity": 1} -> 200 replayed {"on_hand": 11, "version": 3}
        "#,
    );
}

#[test]
fn a_receipt_that_is_not_whole_is_refused() {
    http(
        r#"
        POST /v1/items/a/receipts {"quantity": 10} -> 400 invalid {"detail": "*id*"}
        POST /v1/items/a/receipts {"id": "m1"} -> 400 invalid {"detail": "*quantity*"}
        POST /v1/items/a/receipts {"id": "*", "quantity": 10} -> 400 invalid
        POST /v1/items/a/receipts {"id": "", "quantity": 10} -> 400 invalid
        POST /v1/items/a/receipts {"id": 1, "quantity": 10} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": 0} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": -1} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": 9007199254740992} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1, "expires_at": "2096-10-02T07:06:40Z"} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1, "location": "seoul"} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1, "reason": "gift"} -> 400 invalid {"detail": "*reason*"}
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1, "Lot": "L1"} -> 400 invalid {"detail": "*Lot*"}
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1, "lot": "L 1"} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1, "lot": "L1", "location": "a\nb"} -> 400 invalid
        GET /v1/items/a -> 404 not_found
        # the most there is, and no figure past it
        POST /v1/items/a/receipts {"id": "m1", "quantity": 9007199254740991} -> 201 {"on_hand": 9007199254740991}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 1} -> 400 invalid
        GET /v1/items/a -> 200 {"on_hand": 9007199254740991, "available": 9007199254740991, "version": 2}
        "#,
    );
}

#[test]
fn a_lot_has_one_expiry_and_one_location() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5, "lot": "L1", "expires_at": "2096-10-02T07:06:40Z", "location": "seoul"} -> 201
        POST /v1/items/a/receipts {"id": "m2", "quantity": 5, "lot": "L1"} -> 201 {"lots": [{"lot": "L1", "on_hand": 10, "location": "seoul", "expires_at": "2096-10-02T07:06:40.000Z"}]}
        # the same moment in another offset
        POST /v1/items/a/receipts {"id": "m3", "quantity": 5, "lot": "L1", "expires_at": "2096-10-02T16:06:40.000+09:00"} -> 201
        POST /v1/items/a/receipts {"id": "m4", "quantity": 5, "lot": "L1", "expires_at": "2096-10-02T07:06:40.001Z"} -> 409 conflict
        POST /v1/items/a/receipts {"id": "m4", "quantity": 5, "lot": "L1", "location": "busan"} -> 409 conflict
        GET /v1/items/a -> 200 {"on_hand": 15, "version": 4}
        # an id that is known with other content comes before
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5, "lot": "L1", "location": "busan"} -> 409 id_conflict
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5, "lot": "L1", "expires_at": "2096-10-02T16:06:40+09:00", "location": "seoul"} -> 200 replayed
        "#,
    );
}

#[test]
fn lots_are_taken_by_expiry_or_by_receipt_or_by_name() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 2} -> 201
        POST /v1/items/a/receipts {"id": "m2", "quantity": 2, "lot": "late", "expires_at": "now+900000", "location": "busan"} -> 201
        POST /v1/items/a/receipts {"id": "m3", "quantity": 2, "lot": "soon", "expires_at": "now+100000"} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 5}]} -> 201 {"lines": [{"lot": null, "location": null, "taken": [{"lot": "soon", "quantity": 2}, {"lot": "late", "quantity": 2}, {"lot": null, "quantity": 1}]}]}
        POST /v1/reservations/r/release {} -> 200
        PUT /v1/items/a {"allocation": "fifo"} -> 200
        POST /v1/reservations {"id": "f", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 3}]} -> 201 {"lines": [{"taken": [{"lot": "late", "quantity": 2}, {"lot": "soon", "quantity": 1}]}]}
        POST /v1/reservations/f/release {} -> 200
        POST /v1/reservations {"id": "l", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 1, "lot": "soon"}, {"sku": "a", "quantity": 2, "location": "busan"}]} -> 201 {"lines": [{"lot": "soon", "taken": [{"lot": "soon", "quantity": 1}]}, {"location": "busan", "taken": [{"lot": "late", "quantity": 2}]}]}
        POST /v1/reservations {"id": "u", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 1, "lot": "nosuch"}]} -> 409 insufficient_stock {"lines": [{"sku": "a", "wanted": 1, "available": 0}]}
        # a lot that ends before it is needed is not taken
        POST /v1/reservations {"id": "n", "ttl_ms": 600000, "needed_until": "now+500000", "lines": [{"sku": "a", "quantity": 1, "lot": "soon"}]} -> 409 insufficient_stock
        POST /v1/reservations {"id": "n", "ttl_ms": 600000, "needed_until": "now+500000", "lines": [{"sku": "a", "quantity": 2}]} -> 201 {"lines": [{"taken": [{"lot": null, "quantity": 2}]}]}
        "#,
    );
}

#[test]
fn a_lot_that_has_ended_stays_on_hand_and_is_not_available() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5, "lot": "L1", "expires_at": "now+800"} -> 201 {"available": 5, "expired": 0}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 3} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        wait 850ms
        GET /v1/items/a -> 200 {"on_hand": 8, "reserved": 2, "available": 3, "expired": 5, "version": 5}
        POST /v1/reservations {"id": "q", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 1, "lot": "L1"}]} -> 409 insufficient_stock {"lines": [{"available": 0}]}
        POST /v1/reservations/r/capture {} -> 200 {"state": "captured"}
        POST /v1/items/a/adjustments {"id": "m3", "delta": -3, "reason": "spoiled", "lot": "L1"} -> 201 {"on_hand": 3, "available": 3, "expired": 0}
        "#,
    );
}

#[test]
fn an_adjustment_goes_up_and_down_and_never_below_what_is_reserved() {
    http(
        r#"
        POST /v1/items/a/adjustments {"id": "m0", "delta": 1, "reason": "found"} -> 404 not_found
        GET /v1/items/a -> 404 not_found
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10, "lot": "L1"} -> 201
        POST /v1/items/a/adjustments {"id": "m2", "delta": 2, "reason": "found", "lot": "L1"} -> 201 {"on_hand": 12, "received": 12, "removed": 0}
        POST /v1/items/a/adjustments {"id": "m3", "delta": -3, "reason": "broken"} -> 201 {"on_hand": 9, "received": 12, "removed": 3}
        POST /v1/items/a/adjustments {"id": "m3", "delta": -3, "reason": "broken"} -> 200 replayed {"on_hand": 9}
        POST /v1/items/a/adjustments {"id": "m3", "delta": -3, "reason": "lost"} -> 409 id_conflict
        POST /v1/items/a/adjustments {"id": "m3", "delta": -3, "reason": "broken", "lot": "L1"} -> 409 id_conflict
        POST /v1/items/a/adjustments {"id": "m4", "delta": -1, "reason": "lost", "lot": "L9"} -> 404 not_found
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 7}]} -> 201
        POST /v1/items/a/adjustments {"id": "m4", "delta": -3, "reason": "lost"} -> 409 insufficient_stock
        POST /v1/items/a/adjustments {"id": "m4", "delta": -3, "reason": "lost", "lot": "L1"} -> 409 insufficient_stock
        # it may eat into safety stock
        PUT /v1/items/a {"safety_stock": 5} -> 200
        POST /v1/items/a/adjustments {"id": "m4", "delta": -2, "reason": "lost"} -> 201 {"on_hand": 7, "available": 0}
        "#,
    );
}

#[test]
fn an_adjustment_that_is_not_whole_is_refused() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 201
        POST /v1/items/a/adjustments {"id": "m2", "delta": 0, "reason": "none"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": 1} -> 400 invalid {"detail": "*reason*"}
        POST /v1/items/a/adjustments {"id": "m2", "reason": "x"} -> 400 invalid {"detail": "*delta*"}
        POST /v1/items/a/adjustments {"delta": 1, "reason": "x"} -> 400 invalid {"detail": "*id*"}
        POST /v1/items/a/adjustments {"id": "*", "delta": 1, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": 1, "reason": "two words"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": 1, "reason": ""} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": 9007199254740992, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": -9007199254740992, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": 9007199254740991, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": "1", "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "quantity": 1, "reason": "x"} -> 400 invalid {"detail": "*quantity*"}
        GET /v1/items/a -> 200 {"on_hand": 10, "version": 2}
        "#,
    );
}

#[test]
fn an_item_has_1024_lots_with_units() {
    let mut server = super::support::Server::start();
    let mut client = server.connect();
    let receipts: Vec<_> =
        (0..1024).map(|n| super::support::resp::encoded(&format!("RECEIVE a 1 ID m{n} LOT L{n:04}"))).collect();
    client.pipeline(&receipts);
    super::support::http_check(
        &mut server,
        r#"
        GET /v1/items/a -> 200 {"on_hand": 1024, "lots": "len:1024"}
        POST /v1/items/a/receipts {"id": "more", "quantity": 1, "lot": "more"} -> 400 invalid
        POST /v1/items/a/receipts {"id": "more", "quantity": 1, "lot": "L0001"} -> 201 {"on_hand": 1025}
        POST /v1/items/a/receipts {"id": "none", "quantity": 1} -> 201 {"on_hand": 1026}
        "#,
    );
}
