//! Items over HTTP: settings, figures, what a holder may still have, deletion and coming back.

use super::support::http_script::{rfc3339, unix_ms_of};
use super::support::{Http, Server, http, http_check};

#[test]
fn settings_make_an_item_and_a_missing_field_takes_its_default() {
    http(
        r#"
        GET /v1/items/a -> 404 not_found
        PUT /v1/items/a {} -> 200|201
        GET /v1/items/a -> 200 {"sku": "a", "kind": "stock", "safety_stock": 0, "backorder_limit": 0, "limit": null}
        GET /v1/items/a -> 200 {"allocation": "fefo", "metadata": null, "lots": [], "version": 1, "sequence": "int"}
        PUT /v1/items/a {"kind": "stock", "safety_stock": 2, "limit": {"quantity": 5, "window_ms": 60000}, "allocation": "fifo", "metadata": {"colour": "red", "sizes": [1, 2]}} -> 200
        GET /v1/items/a -> 200 {"safety_stock": 2, "limit": {"quantity": 5, "window_ms": 60000}, "allocation": "fifo", "metadata": {"colour": "red", "sizes": [1, 2]}, "version": 2}
        # all at once: what is left out takes its default again
        PUT /v1/items/a {"backorder_limit": 7} -> 200
        GET /v1/items/a -> 200 {"safety_stock": 0, "backorder_limit": 7, "available": 7, "limit": null, "allocation": "fefo", "metadata": null, "version": 3}
        PUT /v1/items/a {"limit": {"quantity": 5}} -> 200
        GET /v1/items/a -> 200 {"limit": {"quantity": 5, "window_ms": null}, "backorder_limit": 0, "version": 4}
        # put again unchanged they leave no event
        PUT /v1/items/a {"limit": {"quantity": 5}} -> 200
        GET /v1/items/a -> 200 {"version": 4}
        "#,
    );
}

#[test]
fn an_item_shows_all_its_figures() {
    http(
        r#"
        PUT /v1/items/a {"safety_stock": 1} -> 200|201
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10, "lot": "L1", "expires_at": "2096-10-02T07:06:40.000Z", "location": "seoul"} -> 201
        POST /v1/items/a/receipts {"id": "m2", "quantity": 5} -> 201
        POST /v1/items/a/adjustments {"id": "m3", "delta": -2, "reason": "broken", "lot": "L1"} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 4}]} -> 201
        POST /v1/reservations {"id": "c", "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/c/return {"id": "t", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        GET /v1/items/a -> 200 {"sku": "a", "kind": "stock", "on_hand": 11, "reserved": 4, "available": 6, "received": 15, "removed": 2, "returned": 1, "captured": 3, "expired": 0, "safety_stock": 1, "backorder_limit": 0, "limit": null, "allocation": "fefo", "metadata": null, "version": 7, "sequence": "int"}
        GET /v1/items/a -> 200 {"lots": [{"lot": "L1", "location": "seoul", "on_hand": 6, "reserved": 4, "expires_at": "2096-10-02T07:06:40.000Z"}, {"lot": null, "location": null, "on_hand": 5, "reserved": 0, "expires_at": null}]}
        # the same record in RESP
        ITEM a -> on_hand=11 reserved=4 available=6 version=7 lots=L1:6/4,null:5/0 lots.1.expires_at=4000000000000
        "#,
    );
}

#[test]
fn settings_that_cannot_be_are_refused() {
    http(
        r#"
        PUT /v1/items/a {"kind": "coupons"} -> 400 invalid
        PUT /v1/items/a {"kind": 1} -> 400 invalid
        PUT /v1/items/a {"safety_stock": -1} -> 400 invalid
        PUT /v1/items/a {"safety_stock": 9007199254740992} -> 400 invalid
        PUT /v1/items/a {"safety_stock": "1"} -> 400 invalid
        PUT /v1/items/a {"backorder_limit": -1} -> 400 invalid
        PUT /v1/items/a {"backorder_limit": 1.5} -> 400 invalid
        PUT /v1/items/a {"limit": 5} -> 400 invalid
        PUT /v1/items/a {"limit": {}} -> 400 invalid
        PUT /v1/items/a {"limit": {"window_ms": 1000}} -> 400 invalid
        PUT /v1/items/a {"limit": {"quantity": -1}} -> 400 invalid
        PUT /v1/items/a {"limit": {"quantity": 1, "window_ms": 0}} -> 400 invalid
        PUT /v1/items/a {"limit": {"quantity": 1, "window_ms": -1}} -> 400 invalid
        PUT /v1/items/a {"limit": {"quantity": 1, "window": 5}} -> 400 invalid {"detail": "*window*"}
        PUT /v1/items/a {"allocation": "lifo"} -> 400 invalid
        PUT /v1/items/a {"allocation": "FEFO "} -> 400 invalid
        PUT /v1/items/a {"on_hand": 5} -> 400 invalid {"detail": "*on_hand*"}
        PUT /v1/items/a {"sku": "b"} -> 400 invalid {"detail": "*sku*"}
        PUT /v1/items/a [] -> 400 invalid
        PUT /v1/items/a 5 -> 400 invalid
        GET /v1/items/a -> 404 not_found
        # points: one balance, no safety stock, no backorder
        PUT /v1/items/p {"kind": "points", "safety_stock": 1} -> 409 conflict
        PUT /v1/items/p {"kind": "points", "backorder_limit": 1} -> 409 conflict
        GET /v1/items/p -> 404 not_found
        "#,
    );
}

#[test]
fn kind_never_changes_and_lots_exclude_backorder() {
    http(
        r#"
        PUT /v1/items/p {"kind": "points"} -> 200|201
        PUT /v1/items/p {"kind": "stock"} -> 409 conflict
        # left out of settings, it stays
        PUT /v1/items/p {"metadata": {"n": 1}} -> 200
        GET /v1/items/p -> 200 {"kind": "points", "version": 2}
        POST /v1/items/p/receipts {"id": "m1", "quantity": 5, "lot": "L1"} -> 409 conflict
        POST /v1/items/p/receipts {"id": "m1", "quantity": 5} -> 201 {"kind": "points", "available": 5}
        PUT /v1/items/s {"kind": "stock"} -> 200|201
        PUT /v1/items/s {"kind": "points"} -> 409 conflict
        POST /v1/items/s/receipts {"id": "m1", "quantity": 5, "lot": "L1"} -> 201
        PUT /v1/items/s {"backorder_limit": 1} -> 409 conflict
        PUT /v1/items/b {"backorder_limit": 3} -> 200|201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 5, "lot": "L1"} -> 409 conflict
        POST /v1/reservations {"id": "r", "capture": true, "lines": [{"sku": "b", "quantity": 3}]} -> 201
        GET /v1/items/b -> 200 {"on_hand": -3, "available": 0}
        PUT /v1/items/b {} -> 200
        # a lot beside units without lot that are below 0
        POST /v1/items/b/receipts {"id": "m1", "quantity": 5, "lot": "L1"} -> 409 conflict
        POST /v1/items/b/receipts {"id": "m1", "quantity": 5} -> 201 {"on_hand": 2}
        "#,
    );
}

#[test]
fn a_new_setting_binds_new_reservations_only() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 8}]} -> 201
        PUT /v1/items/a {"safety_stock": 5} -> 200
        GET /v1/items/a -> 200 {"reserved": 8, "available": 0, "safety_stock": 5}
        GET /v1/reservations/r -> 200 {"state": "held"}
        POST /v1/reservations {"id": "q", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 1}]} -> 409 insufficient_stock
        POST /v1/reservations/r/capture {} -> 200 {"state": "captured"}
        "#,
    );
}

#[test]
fn an_item_is_deleted_only_when_nothing_is_on_hand_and_nothing_reserved() {
    http(
        r#"
        DELETE /v1/items/nosuch -> 404 not_found
        POST /v1/items/a/receipts {"id": "m1", "quantity": 2} -> 201
        DELETE /v1/items/a -> 409 conflict
        POST /v1/reservations {"id": "r", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        DELETE /v1/items/a -> 409 conflict
        POST /v1/reservations/r/capture {} -> 200
        # backordered: on_hand is not 0 either
        PUT /v1/items/b {"backorder_limit": 5} -> 200|201
        POST /v1/reservations {"id": "b1", "ttl_ms": 600000, "lines": [{"sku": "b", "quantity": 1}]} -> 201
        DELETE /v1/items/b -> 409 conflict
        POST /v1/reservations/b1/capture {} -> 200
        DELETE /v1/items/b -> 409 conflict
        POST /v1/reservations/b1/return {"id": "t"} -> 200
        DELETE /v1/items/b -> 204
        DELETE /v1/items/a -> 204
        # hidden: not found, for returns to it too
        GET /v1/items/a -> 404 not_found
        ITEM a -> null
        DELETE /v1/items/a -> 404 not_found
        GET /v1/items?sku=a -> 200 {"items": [], "next": null}
        GET /v1/items -> 200 {"items": [], "next": null}
        POST /v1/items/a/adjustments {"id": "m2", "delta": 1, "reason": "found"} -> 404 not_found
        POST /v1/reservations {"id": "q", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 1}]} -> 404 not_found
        POST /v1/reservations/r/return {"id": "t"} -> 404 not_found
        POST /v1/reservations/r/return {"id": "t", "lines": [{"sku": "a", "quantity": 1}]} -> 404 not_found
        GET /v1/reservations/r -> 200 {"state": "captured", "lines": [{"returned": 0}]}
        "#,
    );
}

#[test]
fn an_item_created_again_goes_on_from_what_it_was() {
    http(
        r#"
        PUT /v1/items/p {"kind": "points", "limit": {"quantity": 5}, "metadata": {"n": 1}} -> 200|201
        POST /v1/items/p/receipts {"id": "m1", "quantity": 4} -> 201
        POST /v1/reservations {"id": "r", "holder": "kim", "capture": true, "lines": [{"sku": "p", "quantity": 4}]} -> 201
        GET /v1/items/p -> 200 {"version": 3}
        DELETE /v1/items/p -> 204
        restart
        GET /v1/items/p -> 404 not_found
        PUT /v1/items/p {"kind": "stock"} -> 409 conflict
        PUT /v1/items/p {"limit": {"quantity": 5}} -> 200|201
        # kind, version, sums, usage, movement ids; the settings are new
        GET /v1/items/p -> 200 {"kind": "points", "version": 5, "received": 4, "captured": 4, "on_hand": 0, "metadata": null}
        GET /v1/items/p/holders/kim -> 200 {"left": 1}
        POST /v1/items/p/receipts {"id": "m1", "quantity": 4} -> 200 replayed {"on_hand": 0}
        POST /v1/items/p/receipts {"id": "m1", "quantity": 5} -> 409 id_conflict
        POST /v1/reservations/r/return {"id": "t"} -> 200 {"lines": [{"returned": 4}]}
        GET /v1/items/p -> 200 {"on_hand": 4, "returned": 4}
        GET /v1/items/p/holders/kim -> 200 {"left": 5}
        "#,
    );
}

#[test]
fn a_holder_sees_what_it_may_still_have() {
    http(
        r#"
        GET /v1/items/a/holders/kim -> 404 not_found
        PUT /v1/items/a {"limit": {"quantity": 5}} -> 200|201
        POST /v1/items/a/receipts {"id": "m1", "quantity": 100} -> 201
        GET /v1/items/a/holders/kim -> 200 {"held": 0, "counted": 0, "left": 5, "next_free_at": null}
        POST /v1/reservations {"id": "c", "holder": "kim", "capture": true, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        # without a window what was captured counts for ever
        GET /v1/items/a/holders/kim -> 200 {"held": 0, "counted": 2, "left": 3, "next_free_at": null}
        POST /v1/reservations {"id": "h", "holder": "kim", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        GET /v1/items/a/holders/kim -> 200 {"held": 2, "counted": 4, "left": 1}
        GET /v1/items/a/holders/lee -> 200 {"held": 0, "left": 5}
        POST /v1/reservations {"id": "x", "holder": "kim", "ttl_ms": 600000, "lines": [{"sku": "a", "quantity": 2}]} -> 409 limit_exceeded
        POST /v1/reservations/c/return {"id": "t", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        POST /v1/reservations/h/release {} -> 200
        GET /v1/items/a/holders/kim -> 200 {"held": 0, "counted": 1, "left": 4}
        kill
        GET /v1/items/a/holders/kim -> 200 {"held": 0, "counted": 1, "left": 4}
        GET /v1/items/a/holders/%EC%9D%B4%EC%88%98 -> 200 {"held": 0, "left": 5}
        GET /v1/items/a/holders/k%20m -> 400 invalid
        GET /v1/items/a/holders/kim?x=1 -> 400 invalid {"detail": "*x*"}
        "#,
    );
}

#[test]
fn a_window_says_when_the_next_unit_comes_free() {
    let mut server = Server::start();
    http_check(
        &mut server,
        r#"
        PUT /v1/items/a {"limit": {"quantity": 3, "window_ms": 600000}} -> 200|201
        POST /v1/items/a/receipts {"id": "m1", "quantity": 100} -> 201
        POST /v1/reservations {"id": "c", "holder": "kim", "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 201 {"state": "captured"}
        "#,
    );
    let mut http = Http::connect(&server);
    let began = http.json("/v1/reservations/c")["created_at"].as_str().and_then(unix_ms_of).expect("a time");
    let kim = http.json("/v1/items/a/holders/kim");
    assert_eq!((kim["held"].as_i64(), kim["counted"].as_i64(), kim["left"].as_i64()), (Some(0), Some(3), Some(0)));
    let free = kim["next_free_at"].as_str().and_then(unix_ms_of).unwrap_or_else(|| panic!("a time: {kim}"));
    // A window may be counted in thousandths of its length, and never ends early.
    assert!((began + 600_000..=began + 600_000 + 600 + 1).contains(&free), "{} {kim}", rfc3339(began));
}

#[test]
fn what_a_window_has_forgotten_is_left_again() {
    http(
        r#"
        PUT /v1/items/a {"limit": {"quantity": 1, "window_ms": 300}} -> 200|201
        POST /v1/items/a/receipts {"id": "m1", "quantity": 100} -> 201
        POST /v1/reservations {"id": "c", "holder": "kim", "capture": true, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        eventually GET /v1/items/a/holders/kim -> 200 {"held": 0, "counted": 0, "left": 1}
        POST /v1/reservations {"id": "d", "holder": "kim", "capture": true, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        "#,
    );
}

#[test]
fn settings_hold_16_kib_of_metadata_as_they_came() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    // The metadata's own text is what counts.
    let text = |bytes: usize| format!("{{\"metadata\": {{\"t\":\"{}\"}}}}", "x".repeat(bytes - 8));
    let put = http.call("PUT", "/v1/items/a", &[], Some(&text(16 * 1024)));
    assert!([200, 201].contains(&put.status), "{put}");
    assert_eq!(http.json("/v1/items/a")["metadata"]["t"].as_str().map(str::len), Some(16 * 1024 - 8));
    let refused = http.call("PUT", "/v1/items/a", &[], Some(&text(16 * 1024 + 1)));
    assert!([400, 413].contains(&refused.status), "{refused}");
    assert_eq!(http.json("/v1/items/a")["version"], 1);
    for good in [r#"{"수": "문"}"#, r#"[1, null, true, {"a": "\u00e9\n"}]"#, r#""word""#, "17"] {
        let put = http.call("PUT", "/v1/items/b", &[], Some(&format!("{{\"metadata\": {good}}}")));
        assert!([200, 201].contains(&put.status), "{good}: {put}");
        let wanted: serde_json::Value = serde_json::from_str(good).expect("JSON");
        assert_eq!(http.json("/v1/items/b")["metadata"], wanted);
    }
}
