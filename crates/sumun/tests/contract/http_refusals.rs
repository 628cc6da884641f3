//! What a refusal says: problem details with the facts of all short lines, and which kind is named first.

use super::support::{Http, Server, http, problem};

#[test]
fn all_lines_are_taken_or_none_and_every_short_one_is_named() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 1} -> 201
        POST /v1/items/c/receipts {"id": "m1", "quantity": 9} -> 201
        POST /v1/reservations {"id": "h", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "c", "quantity": 9}, {"sku": "b", "quantity": 4}, {"sku": "a", "quantity": 3}]} -> 409 insufficient_stock {"retryable": false, "status": 409, "lines": [{"sku": "b", "wanted": 4, "available": 1, "reserved": 0}, {"sku": "a", "wanted": 3, "available": 2, "reserved": 3}]}
        GET /v1/items/c -> 200 {"reserved": 0, "version": 2}
        # several lines of one sku are counted together
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}, {"sku": "c", "quantity": 1}, {"sku": "a", "quantity": 2}]} -> 409 insufficient_stock {"lines": [{"sku": "a", "wanted": 3, "available": 2, "reserved": 3}]}
        "#,
    );
}

#[test]
fn available_is_what_this_request_could_have_had() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 3, "lot": "L1", "location": "seoul"} -> 201
        POST /v1/items/a/receipts {"id": "m2", "quantity": 3, "lot": "L2", "location": "busan"} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 4, "location": "seoul"}]} -> 409 insufficient_stock {"lines": [{"sku": "a", "wanted": 4, "available": 3}]}
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1, "lot": "L1", "location": "busan"}]} -> 409 insufficient_stock {"lines": [{"wanted": 1, "available": 0}]}
        PUT /v1/items/a {"safety_stock": 5} -> 200
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2, "lot": "L1"}]} -> 409 insufficient_stock {"lines": [{"wanted": 2, "available": 1}]}
        # the shortage of a raised safety stock is never shown below 0
        PUT /v1/items/a {"safety_stock": 50} -> 200
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 409 insufficient_stock {"lines": [{"wanted": 2, "available": 0, "reserved": 0}]}
        "#,
    );
}

#[test]
fn a_limit_names_every_line_and_what_is_left() {
    http(
        r#"
        PUT /v1/items/a {"limit": {"quantity": 3}} -> 200|201
        PUT /v1/items/b {"limit": {"quantity": 1}} -> 200|201
        POST /v1/items/a/receipts {"id": "m1", "quantity": 100} -> 201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 100} -> 201
        # an item with a limit wants a holder
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid {"detail": "*holder*"}
        POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        POST /v1/reservations {"id": "q", "holder": "kim", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}, {"sku": "b", "quantity": 2}]} -> 409 limit_exceeded {"retryable": false, "lines": [{"sku": "a", "wanted": 2, "left": 1}, {"sku": "b", "wanted": 2, "left": 1}]}
        POST /v1/reservations {"id": "q", "holder": "kim", "ttl_ms": 60000, "lines": [{"sku": "b", "quantity": 1}, {"sku": "a", "quantity": 2}]} -> 409 limit_exceeded {"lines": [{"sku": "a", "wanted": 2, "left": 1}]}
        POST /v1/reservations {"id": "q", "holder": "lee", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        # what was released does not count
        POST /v1/reservations/r/release {} -> 200
        POST /v1/reservations {"id": "s", "holder": "kim", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        "#,
    );
}

#[test]
fn what_is_checked_first_is_reported() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        PUT /v1/items/lim {"limit": {"quantity": 1}} -> 200|201
        POST /v1/items/lim/receipts {"id": "m1", "quantity": 50} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations {"id": "gone", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/gone/release {} -> 200
        # what the request alone shows, before the id
        POST /v1/reservations {"id": "r", "ttl_ms": 0, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "gone", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 0}]} -> 400 invalid
        # the id, before a sku that does not exist
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "nosuch", "quantity": 1}]} -> 409 id_conflict
        POST /v1/reservations {"id": "gone", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 409 already_released
        # a sku that does not exist, before a missing holder
        POST /v1/reservations {"id": "n", "ttl_ms": 60000, "lines": [{"sku": "lim", "quantity": 1}, {"sku": "nosuch", "quantity": 1}]} -> 404 not_found {"detail": "*nosuch*"}
        # a missing holder, before the limit and what is available
        POST /v1/reservations {"id": "n", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 99}, {"sku": "lim", "quantity": 2}]} -> 400 invalid
        # the limit, before what is available: the first kind and its lines alone
        POST /v1/reservations {"id": "n", "holder": "kim", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 99}, {"sku": "lim", "quantity": 2}]} -> 409 limit_exceeded {"lines": [{"sku": "lim", "wanted": 2, "left": 1}]}
        POST /v1/reservations {"id": "n", "holder": "kim", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 99}, {"sku": "lim", "quantity": 1}]} -> 409 insufficient_stock {"lines": [{"sku": "a", "wanted": 99, "available": 4}]}
        GET /v1/reservations/n -> 404 not_found
        GET /v1/items/lim -> 200 {"reserved": 0, "version": 2}
        "#,
    );
}

#[test]
fn a_reserve_that_would_pass_the_greatest_figure_is_invalid() {
    http(
        r#"
        PUT /v1/items/a {"backorder_limit": 9007199254740991} -> 200|201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 9007199254740990}]} -> 201 {"lines": [{"quantity": 9007199254740990}]}
        POST /v1/reservations {"id": "q", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        GET /v1/items/a -> 200 {"reserved": 9007199254740991, "available": 0}
        POST /v1/reservations/r/capture {} -> 200
        POST /v1/reservations/q/release {} -> 200
        POST /v1/reservations/r/return {"id": "t"} -> 200 {"lines": [{"returned": 9007199254740990}]}
        GET /v1/items/a -> 200 {"on_hand": 0, "captured": 9007199254740990, "available": 9007199254740991}
        # captured is a sum over the item's life: there is one more to capture, not two
        POST /v1/reservations {"id": "s", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 400 invalid
        POST /v1/reservations {"id": "s", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/s/capture {} -> 200
        PUT /v1/items/b {"backorder_limit": 10} -> 200|201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 9007199254740981} -> 201
        POST /v1/items/b/receipts {"id": "m2", "quantity": 11} -> 400 invalid
        "#,
    );
}

#[test]
fn every_kind_of_problem_is_named_by_its_members() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    let refused = [
        ("GET", "/v1/items/nosuch", None, "not_found"),
        ("GET", "/v1/nosuch", None, "not_found"),
        ("GET", "/", None, "not_found"),
        ("GET", "/v2/items", None, "not_found"),
        ("GET", "/v1/reservations/nosuch", None, "not_found"),
        ("POST", "/v1/reservations/nosuch/capture", Some("{}"), "not_found"),
        ("POST", "/v1/reservations/nosuch/refund", Some("{}"), "not_found"),
        ("DELETE", "/v1/items", None, "method_not_allowed"),
        ("PATCH", "/v1/items/a", Some("{}"), "method_not_allowed"),
        ("POST", "/v1/items/a", Some("{}"), "method_not_allowed"),
        ("GET", "/v1/items?limit=0", None, "invalid"),
        ("PUT", "/v1/items/a", Some("{"), "invalid"),
    ];
    for (method, path, body, code) in refused {
        let answer = http.call(method, path, &[], body);
        let problem = problem(&answer).unwrap_or_else(|why| panic!("{method} {path}: {why}\n{answer}"));
        assert_eq!(problem["code"], code, "{method} {path}: {answer}");
        // Kinds are told apart by `type`, too, and a title says the kind, not the case.
        assert!(!problem["title"].as_str().unwrap_or_default().contains("nosuch"), "{answer}");
    }
    let one = http.get("/v1/items/nosuch").json();
    let other = http.get("/v1/reservations/nosuch").json();
    assert_eq!((&one["type"], &one["title"]), (&other["type"], &other["title"]), "one kind");
    assert_ne!(one["type"], http.get("/v1/items?limit=0").json()["type"], "another kind");
    // The detail names the thing.
    assert!(one["detail"].as_str().is_some_and(|detail| detail.contains("nosuch")), "{one}");
}
