//! The verb table over HTTP: what reserve, capture, release, extend and return of the whole do in each state.

use super::support::http;

#[test]
fn a_reserve_without_error_means_you_have_it() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 201 {"id": "r", "state": "held", "ended": null, "tombstone": false, "holder": null, "created_at": "now", "expires_at": "now+10000", "needed_until": null, "version": 1, "sequence": "int"}
        GET /v1/reservations/r -> 200 {"id": "r", "state": "held", "lines": [{"sku": "a", "quantity": 2, "captured": 0, "released": 0, "expired": 0, "returned": 0, "lot": null, "location": null, "taken": [{"lot": null, "quantity": 2}]}]}
        GET /v1/items/a -> 200 {"on_hand": 10, "reserved": 2, "available": 8}
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 200 replayed {"state": "held", "version": 1}
        GET /v1/items/a -> 200 {"reserved": 2}
        POST /v1/reservations/r/capture {} -> 200 {"id": "r", "state": "captured", "ended": "captured", "version": 2, "sequence": ":=s", "lines": [{"captured": 2}]}
        # `captured` answers with the record as it stands now
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 200 replayed {"state": "captured", "version": 2}
        GET /v1/reservations/r -> 200 {"sequence": "int"}
        RESERVATION r -> captured sequence=$s
        "#,
    );
}

#[test]
fn a_reserve_of_what_has_ended_says_how_it_ended() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 201
        POST /v1/reservations {"id": "rel", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/rel/release {} -> 200 {"state": "released", "ended": "released", "tombstone": false, "lines": [{"released": 1}]}
        POST /v1/reservations {"id": "rel", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 1}]} -> 409 already_released
        POST /v1/reservations {"id": "exp", "ttl_ms": 20, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        wait 40ms
        POST /v1/reservations {"id": "exp", "ttl_ms": 20, "lines": [{"sku": "a", "quantity": 1}]} -> 409 expired
        GET /v1/reservations/exp -> 200 {"state": "expired", "ended": "expired", "lines": [{"expired": 1}]}
        # of partially captured ones the last rest says it
        POST /v1/reservations {"id": "pr", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        POST /v1/reservations/pr/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 200 {"state": "held"}
        POST /v1/reservations/pr/release {} -> 200 {"state": "partially_captured", "ended": "released"}
        POST /v1/reservations {"id": "pr", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 409 already_released
        POST /v1/reservations {"id": "pe", "ttl_ms": 500, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        POST /v1/reservations/pe/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 200 {"state": "held"}
        wait 550ms
        GET /v1/reservations/pe -> 200 {"state": "partially_captured", "ended": "expired", "lines": [{"captured": 1, "expired": 1}]}
        POST /v1/reservations {"id": "pe", "ttl_ms": 500, "lines": [{"sku": "a", "quantity": 2}]} -> 409 expired
        "#,
    );
}

#[test]
fn the_content_of_a_reserve_is_all_but_its_ttl_and_the_order_of_its_lines() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 9, "lot": "L1", "location": "seoul"} -> 201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 9} -> 201
        POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 10000, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 2, "lot": "L1"}, {"sku": "b", "quantity": 3}]} -> 201 {"needed_until": "1970-01-01T00:00:01.000Z", "holder": "kim", "expires_at": ":=e"}
        # the ttl is no content, and lines are a multiset
        POST /v1/reservations {"lines": [{"quantity": 3, "sku": "b"}, {"lot": "L1", "sku": "a", "quantity": 2}], "id": "r", "holder": "kim", "ttl_ms": 5, "needed_until": "1970-01-01T09:00:01.000+09:00"} -> 200 replayed {"expires_at": "$e"}
        POST /v1/reservations {"id": "r", "holder": "lee", "ttl_ms": 10000, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 2, "lot": "L1"}, {"sku": "b", "quantity": 3}]} -> 409 id_conflict
        POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2, "lot": "L1"}, {"sku": "b", "quantity": 3}]} -> 409 id_conflict
        POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 10000, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 2}, {"sku": "b", "quantity": 3}]} -> 409 id_conflict
        POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 10000, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 2, "lot": "L1"}, {"sku": "b", "quantity": 2}, {"sku": "b", "quantity": 1}]} -> 409 id_conflict
        POST /v1/reservations {"id": "r", "holder": "kim", "capture": true, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 2, "lot": "L1"}, {"sku": "b", "quantity": 3}]} -> 409 id_conflict
        POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 10000, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 2, "lot": "L1"}, {"sku": "b", "quantity": 3, "location": "seoul"}]} -> 409 id_conflict
        # names are compared byte by byte
        POST /v1/reservations {"id": "R", "ttl_ms": 10000, "lines": [{"sku": "b", "quantity": 1}]} -> 201
        # other content is a conflict however the reservation stands
        POST /v1/reservations/r/release {} -> 200
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "b", "quantity": 1}]} -> 409 id_conflict
        "#,
    );
}

#[test]
fn the_id_of_a_refused_attempt_is_free() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 409 insufficient_stock
        GET /v1/reservations/r -> 404 not_found
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "nosuch", "quantity": 2}]} -> 404 not_found
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        # who gives up releases the id: the tombstone stops late copies
        POST /v1/reservations {"id": "late", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 5}]} -> 409 insufficient_stock
        POST /v1/reservations/late/release {} -> 200 {"id": "late", "state": "released", "ended": "released", "tombstone": true, "lines": [], "version": 1}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 50} -> 201
        POST /v1/reservations {"id": "late", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 5}]} -> 409 already_released
        POST /v1/reservations/late/release {} -> 200 replayed {"state": "released", "tombstone": true}
        POST /v1/reservations/late/capture {} -> 409 already_released
        POST /v1/reservations/late/extend {"ttl_ms": 1000} -> 409 already_released
        POST /v1/reservations/late/return {"id": "t"} -> 409 already_released
        GET /v1/items/a -> 200 {"on_hand": 51, "reserved": 1}
        "#,
    );
}

#[test]
fn a_reserve_with_capture_takes_in_one_step_and_has_no_ttl() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 201
        POST /v1/reservations {"id": "r", "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 201 {"state": "captured", "ended": "captured", "version": 1, "lines": [{"captured": 3, "taken": [{"lot": null, "quantity": 3}]}]}
        GET /v1/items/a -> 200 {"on_hand": 7, "reserved": 0, "available": 7, "captured": 3, "version": 3}
        POST /v1/reservations {"id": "r", "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 200 replayed {"state": "captured"}
        POST /v1/reservations {"id": "r", "capture": true, "lines": [{"sku": "a", "quantity": 4}]} -> 409 id_conflict
        POST /v1/reservations {"id": "r", "ttl_ms": 5000, "lines": [{"sku": "a", "quantity": 3}]} -> 409 id_conflict
        # none, else invalid, known id or not
        POST /v1/reservations {"id": "r", "ttl_ms": 5000, "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        POST /v1/reservations {"id": "q", "ttl_ms": 5000, "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        POST /v1/reservations {"id": "q", "ttl_ms": 0, "capture": true, "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        # and without capture a ttl there must be
        POST /v1/reservations {"id": "q", "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid {"detail": "*ttl_ms*"}
        POST /v1/reservations {"id": "q", "capture": false, "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        POST /v1/reservations {"id": "q", "capture": "yes", "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        POST /v1/reservations {"id": "q", "capture": 1, "lines": [{"sku": "a", "quantity": 3}]} -> 400 invalid
        GET /v1/reservations/q -> 404 not_found
        POST /v1/reservations {"id": "q", "capture": false, "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 201 {"state": "held"}
        # which is the same content as without the flag
        POST /v1/reservations {"id": "q", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 3}]} -> 200 replayed
        "#,
    );
}

#[test]
fn a_reserve_that_is_not_whole_is_refused() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 10} -> 201
        POST /v1/reservations {"ttl_ms": 1000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid {"detail": "*id*"}
        POST /v1/reservations {"id": "*", "ttl_ms": 1000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 1000} -> 400 invalid {"detail": "*lines*"}
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": []} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": {}} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": ["a"]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": [{"quantity": 1}]} -> 400 invalid {"detail": "*sku*"}
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": [{"sku": "a"}]} -> 400 invalid {"detail": "*quantity*"}
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": [{"sku": "a", "quantity": 0}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": [{"sku": "a", "quantity": 1, "note": "x"}]} -> 400 invalid {"detail": "*note*"}
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "lines": [{"sku": "a", "quantity": 1}], "until": "x"} -> 400 invalid {"detail": "*until*"}
        POST /v1/reservations {"id": "r", "ttl_ms": 0, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": -1, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 2592000001, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "holder": "", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r", "ttl_ms": 1000, "holder": "kim lee", "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        GET /v1/reservations/r -> 404 not_found
        GET /v1/items/a -> 200 {"reserved": 0, "version": 2}
        POST /v1/reservations {"id": "r", "ttl_ms": 2592000000, "lines": [{"sku": "a", "quantity": 1}]} -> 201 {"expires_at": "now+2592000000"}
        POST /v1/reservations {"id": "s", "ttl_ms": 1, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        "#,
    );
}

#[test]
fn a_reservation_has_64_lines_at_most() {
    let lines = |count: usize| vec![r#"{"sku": "a", "quantity": 1}"#; count].join(", ");
    let reserve = |id: &str, count: usize| {
        format!(r#"POST /v1/reservations {{"id": "{id}", "ttl_ms": 10000, "lines": [{}]}}"#, lines(count))
    };
    http(&format!(
        r#"
        POST /v1/items/a/receipts {{"id": "m1", "quantity": 100}} -> 201
        {} -> 201 {{"lines": "len:64"}}
        {} -> 400 invalid
        GET /v1/items/a -> 200 {{"reserved": 64}}
        "#,
        reserve("r", 64),
        reserve("q", 65)
    ));
}

#[test]
fn capture_takes_all_that_is_left() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}, {"sku": "a", "quantity": 3}]} -> 201
        POST /v1/reservations/r/capture {} -> 200 {"state": "captured", "lines": [{"captured": 2}, {"captured": 3}]}
        POST /v1/reservations/r/capture {} -> 200 replayed {"state": "captured", "version": 2}
        GET /v1/items/a -> 200 {"on_hand": 15, "captured": 5, "reserved": 0}
        POST /v1/reservations/unknown/capture {} -> 404 not_found
        GET /v1/reservations/unknown -> 404 not_found
        POST /v1/reservations {"id": "rel", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/rel/release {} -> 200
        POST /v1/reservations/rel/capture {} -> 409 already_released
        POST /v1/reservations {"id": "exp", "ttl_ms": 20, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        wait 40ms
        POST /v1/reservations/exp/capture {} -> 409 expired
        POST /v1/reservations {"id": "pc", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 5}]} -> 201
        POST /v1/reservations/pc/release {"id": "x", "lines": [{"sku": "a", "quantity": 2}]} -> 200 {"state": "held"}
        POST /v1/reservations/pc/capture {} -> 200 {"state": "captured", "ended": "captured", "lines": [{"captured": 3, "released": 2}]}
        POST /v1/reservations {"id": "pr", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        POST /v1/reservations/pr/capture {"id": "c", "lines": [{"sku": "a", "quantity": 1}]} -> 200
        POST /v1/reservations/pr/release {} -> 200 {"state": "partially_captured"}
        POST /v1/reservations/pr/capture {} -> 409 already_released
        POST /v1/reservations/r/capture {"quantity": 1} -> 400 invalid {"detail": "*quantity*"}
        "#,
    );
}

#[test]
fn release_gives_all_that_is_left_back() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        POST /v1/reservations/r/release {} -> 200 {"state": "released", "version": 2, "tombstone": false}
        GET /v1/items/a -> 200 {"on_hand": 20, "reserved": 0, "available": 20, "captured": 0, "returned": 0}
        POST /v1/reservations/r/release {} -> 200 replayed {"state": "released", "version": 2}
        POST /v1/reservations {"id": "exp", "ttl_ms": 20, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        wait 40ms
        POST /v1/reservations/exp/release {} -> 200 replayed {"state": "expired"}
        POST /v1/reservations {"id": "p", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 5}]} -> 201
        POST /v1/reservations/p/capture {"id": "c", "lines": [{"sku": "a", "quantity": 2}]} -> 200
        POST /v1/reservations/p/release {} -> 200 {"state": "partially_captured", "lines": [{"captured": 2, "released": 3}]}
        POST /v1/reservations/p/release {} -> 200 replayed {"state": "partially_captured"}
        POST /v1/reservations {"id": "cap", "capture": true, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/cap/release {} -> 409 already_captured
        GET /v1/items/a -> 200 {"on_hand": 17, "reserved": 0, "captured": 3}
        "#,
    );
}

#[test]
fn extend_moves_the_end_later_and_never_earlier() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/r/extend {"ttl_ms": 20000} -> 200 {"state": "held", "expires_at": "now+20000", "version": 2}
        GET /v1/reservations/r -> 200 {"expires_at": ":=e"}
        # the later of what it was and now + ttl; what moves nothing leaves no event
        POST /v1/reservations/r/extend {"ttl_ms": 1} -> 200 {"expires_at": "$e", "version": 2}
        POST /v1/reservations/r/extend {"ttl_ms": 2592000000} -> 200 {"expires_at": "now+2592000000"}
        POST /v1/reservations/r/extend {"ttl_ms": 2592000001} -> 400 invalid
        POST /v1/reservations/r/extend {"ttl_ms": 0} -> 400 invalid
        POST /v1/reservations/r/extend {} -> 400 invalid {"detail": "*ttl_ms*"}
        POST /v1/reservations/r/extend {"ttl_ms": 1000, "lines": []} -> 400 invalid {"detail": "*lines*"}
        POST /v1/reservations/unknown/extend {"ttl_ms": 1000} -> 404 not_found
        # it touches no item
        GET /v1/items/a -> 200 {"version": 3}
        POST /v1/reservations/r/capture {} -> 200
        POST /v1/reservations/r/extend {"ttl_ms": 1000} -> 409 already_captured
        POST /v1/reservations {"id": "rel", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/rel/release {} -> 200
        POST /v1/reservations/rel/extend {"ttl_ms": 1000} -> 409 already_released
        POST /v1/reservations {"id": "exp", "ttl_ms": 20, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        wait 40ms
        POST /v1/reservations/exp/extend {"ttl_ms": 1000} -> 409 expired
        "#,
    );
}

#[test]
fn return_brings_back_what_was_captured_whatever_the_state() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 20} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 5}]} -> 201
        # nothing ever captured
        POST /v1/reservations/r/return {"id": "t1"} -> 409 exceeds
        POST /v1/reservations/r/capture {"id": "c", "lines": [{"sku": "a", "quantity": 3}]} -> 200
        POST /v1/reservations/r/return {"id": "t1", "lines": [{"sku": "a", "quantity": 1}]} -> 200 {"state": "held", "lines": [{"captured": 3, "returned": 1}]}
        POST /v1/reservations/r/return {"id": "t1", "lines": [{"sku": "a", "quantity": 1}]} -> 200 replayed
        POST /v1/reservations/r/return {"id": "t1", "lines": [{"sku": "a", "quantity": 2}]} -> 409 id_conflict
        POST /v1/reservations/r/return {"id": "t1"} -> 409 id_conflict
        POST /v1/reservations/r/release {} -> 200 {"state": "partially_captured"}
        POST /v1/reservations/r/return {"id": "t2", "lines": [{"sku": "a", "quantity": 3}]} -> 409 exceeds {"lines": [{"sku": "a", "wanted": 3, "left": 2}]}
        POST /v1/reservations/r/return {"id": "t2"} -> 200 {"state": "partially_captured", "lines": [{"returned": 3}]}
        POST /v1/reservations/r/return {"id": "t3"} -> 409 exceeds
        GET /v1/items/a -> 200 {"on_hand": 20, "captured": 3, "returned": 3, "available": 20}
        POST /v1/reservations/r/return {} -> 400 invalid {"detail": "*id*"}
        POST /v1/reservations/r/return {"lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations/unknown/return {"id": "t"} -> 404 not_found
        POST /v1/reservations {"id": "rel", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        POST /v1/reservations/rel/release {} -> 200
        POST /v1/reservations/rel/return {"id": "t"} -> 409 already_released
        POST /v1/reservations {"id": "exp", "ttl_ms": 20, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        wait 40ms
        POST /v1/reservations/exp/return {"id": "t"} -> 409 expired
        "#,
    );
}

#[test]
fn units_of_an_end_come_free_by_themselves() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 3} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 30, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        wait 40ms
        # what an answer shows as ended has given its units back
        GET /v1/reservations/r -> 200 {"state": "expired"}
        GET /v1/items/a -> 200 {"reserved": 0, "available": 3}
        POST /v1/reservations {"id": "s", "ttl_ms": 30, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        eventually GET /v1/items/a -> 200 {"reserved": 0, "available": 3}
        POST /v1/reservations {"id": "t", "ttl_ms": 10000, "lines": [{"sku": "a", "quantity": 3}]} -> 201
        "#,
    );
}

#[test]
fn ids_that_begin_with_run_belong_to_flows() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/reservations {"id": "run:1", "ttl_ms": 1000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations/run:1/capture {} -> 400 invalid
        POST /v1/reservations/run:1/release {} -> 400 invalid
        POST /v1/reservations/run:1/extend {"ttl_ms": 1000} -> 400 invalid
        POST /v1/reservations/run:1/return {"id": "t"} -> 400 invalid
        POST /v1/reservations/run%3A1/release {} -> 400 invalid
        # clients may read them
        GET /v1/reservations/run:1 -> 404 not_found
        # elsewhere the word is free
        POST /v1/items/run:1/receipts {"id": "run:1", "quantity": 5} -> 201
        POST /v1/reservations {"id": "r", "holder": "run:1", "ttl_ms": 1000, "lines": [{"sku": "run:1", "quantity": 1}]} -> 201
        POST /v1/reservations/r/capture {"id": "run:1"} -> 200
        "#,
    );
}
