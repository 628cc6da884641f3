//! Integers and times over HTTP: exact, plain, and refused in every other form.

use super::support::http_script::{http, http_check};
use super::support::{Http, Server, problem};

/// Forms of an integer that JSON libraries let pass and the contract does not.
const NOT_PLAIN: [&str; 17] = [
    "1.0",
    "1.5",
    "1e0",
    "1E2",
    "10e-1",
    "-1.0",
    "\"1\"",
    "\"\"",
    "true",
    "[1]",
    "{}",
    "1.0000000000000000000000000001",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551617",
    "1e400",
];
/// What is no JSON at all.
const NOT_JSON: [&str; 10] = ["01", "+1", "00", "0x10", "1_000", ".5", "1.", "NaN", "Infinity", "-"];

#[test]
fn an_integer_is_plain_in_every_field() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    let answer = http.call("POST", "/v1/items/a/receipts", &[], Some(r#"{"id": "m1", "quantity": 10}"#));
    assert_eq!(answer.status, 201, "{answer}");
    let reserve = r#"{"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 5}]}"#;
    assert_eq!(http.call("POST", "/v1/reservations", &[], Some(reserve)).status, 201);
    let fields = [
        ("PUT", "/v1/items/b", r#"{"safety_stock": N}"#),
        ("PUT", "/v1/items/b", r#"{"backorder_limit": N}"#),
        ("PUT", "/v1/items/b", r#"{"limit": {"quantity": N}}"#),
        ("PUT", "/v1/items/b", r#"{"limit": {"quantity": 1, "window_ms": N}}"#),
        ("POST", "/v1/items/b/receipts", r#"{"id": "m9", "quantity": N}"#),
        ("POST", "/v1/items/a/adjustments", r#"{"id": "m9", "delta": N, "reason": "x"}"#),
        ("POST", "/v1/reservations", r#"{"id": "q", "ttl_ms": N, "lines": [{"sku": "a", "quantity": 1}]}"#),
        ("POST", "/v1/reservations", r#"{"id": "q", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": N}]}"#),
        ("POST", "/v1/reservations/r/extend", r#"{"ttl_ms": N}"#),
        ("POST", "/v1/reservations/r/capture", r#"{"id": "c", "lines": [{"sku": "a", "quantity": N}]}"#),
        ("POST", "/v1/reservations/r/release", r#"{"id": "c", "lines": [{"sku": "a", "quantity": N}]}"#),
        ("POST", "/v1/reservations/r/return", r#"{"id": "c", "lines": [{"sku": "a", "quantity": N}]}"#),
    ];
    let mut failures = Vec::new();
    for (method, path, template) in fields {
        for form in NOT_PLAIN.iter().chain(&NOT_JSON) {
            let body = template.replace('N', form);
            let answer = http.call(method, path, &[], Some(&body));
            match problem(&answer) {
                Ok(problem) if problem["code"] == "invalid" => {}
                Ok(_) => failures.push(format!("{method} {path} {body}: {answer}")),
                Err(why) => failures.push(format!("{method} {path} {body}: {why}: {answer}")),
            }
        }
    }
    assert!(failures.is_empty(), "{} of them:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(http.get("/v1/items/b").status, 404, "nothing was made");
    assert_eq!(http.json("/v1/items/a")["version"], 3);
    assert_eq!(http.json("/v1/reservations/r")["version"], 1);
}

#[test]
fn the_greatest_integers_go_in_and_come_out_exact() {
    http(
        r#"
        PUT /v1/items/a {"safety_stock": 9007199254740991, "limit": {"quantity": 9007199254740991}} -> 200|201
        GET /v1/items/a -> 200 {"safety_stock": 9007199254740991, "limit": {"quantity": 9007199254740991}, "available": 0}
        PUT /v1/items/b {} -> 200|201
        POST /v1/items/b/receipts {"id": "m1", "quantity": 9007199254740991} -> 201 {"on_hand": 9007199254740991, "available": 9007199254740991}
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "b", "quantity": 9007199254740989}]} -> 201 {"lines": [{"quantity": 9007199254740989}]}
        GET /v1/items/b -> 200 {"reserved": 9007199254740989, "available": 2}
        POST /v1/reservations/r/capture {"id": "c", "lines": [{"sku": "b", "quantity": 9007199254740987}]} -> 200 {"lines": [{"captured": 9007199254740987}]}
        ITEM b -> on_hand=4 reserved=2 captured=9007199254740987
        "#,
    );
}

#[test]
fn a_zero_is_no_quantity_with_any_sign() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/items/a/receipts {"id": "m2", "quantity": 0} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m2", "quantity": -0} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": 0, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": -0, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": -00, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": -01, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": --1, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": - 1, "reason": "x"} -> 400 invalid
        POST /v1/items/a/adjustments {"id": "m2", "delta": -1, "reason": "x"} -> 201 {"on_hand": 4}
        "#,
    );
}

#[test]
fn times_come_in_with_any_offset_and_leave_in_z_with_milliseconds() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1, "lot": "z", "expires_at": "2096-10-02T07:06:40Z"} -> 201 {"lots": [{"expires_at": "2096-10-02T07:06:40.000Z"}]}
        POST /v1/items/b/receipts {"id": "m1", "quantity": 1, "lot": "east", "expires_at": "2096-10-02T16:06:40+09:00"} -> 201 {"lots": [{"expires_at": "2096-10-02T07:06:40.000Z"}]}
        POST /v1/items/c/receipts {"id": "m1", "quantity": 1, "lot": "west", "expires_at": "2096-10-01T21:36:40.5-09:30"} -> 201 {"lots": [{"expires_at": "2096-10-02T07:06:40.500Z"}]}
        POST /v1/items/d/receipts {"id": "m1", "quantity": 1, "lot": "ms", "expires_at": "2096-10-02T07:06:40.007+00:00"} -> 201 {"lots": [{"expires_at": "2096-10-02T07:06:40.007Z"}]}
        POST /v1/items/e/receipts {"id": "m1", "quantity": 1, "lot": "cs", "expires_at": "2096-10-02T07:06:40.12Z"} -> 201 {"lots": [{"expires_at": "2096-10-02T07:06:40.120Z"}]}
        # across a year, a leap day, a century that has none
        POST /v1/items/f/receipts {"id": "m1", "quantity": 1, "lot": "year", "expires_at": "2095-12-31T23:59:59.999-00:01"} -> 201 {"lots": [{"expires_at": "2096-01-01T00:00:59.999Z"}]}
        POST /v1/items/g/receipts {"id": "m1", "quantity": 1, "lot": "leap", "expires_at": "2096-02-29T23:30:00-01:00"} -> 201 {"lots": [{"expires_at": "2096-03-01T00:30:00.000Z"}]}
        POST /v1/items/h/receipts {"id": "m1", "quantity": 1, "lot": "century", "expires_at": "2100-02-28T23:30:00-01:00"} -> 201 {"lots": [{"expires_at": "2100-03-01T00:30:00.000Z"}]}
        ITEM a -> lots.1.expires_at=4000000000000
        ITEM b -> lots.1.expires_at=4000000000000
        ITEM c -> lots.1.expires_at=4000000000500
        ITEM d -> lots.1.expires_at=4000000000007
        # the same number of milliseconds everywhere
        RESERVE r 60000 1 a 1 UNTIL 3999999999999 -> held expires_at:=e
        GET /v1/reservations/r -> 200 {"needed_until": "2096-10-02T07:06:39.999Z", "expires_at": "now+60000", "created_at": "now"}
        "#,
    );
}

#[test]
fn a_time_in_another_form_is_refused() {
    let times = [
        "2096-10-02T07:06:40.0001Z",
        "2096-10-02T07:06:40.000000Z",
        "2096-10-02T07:06:40.123456789+09:00",
        "2096-10-02T07:06:40",
        "2096-10-02",
        "07:06:40Z",
        "2096-10-02T07:06Z",
        "2096-10-02T07:06:40.Z",
        "2096-10-02T07:06:40,5Z",
        "2096-10-02T07:06:40+0900",
        "2096-10-02T07:06:40+09",
        "2096-10-02T07:06:40 Z",
        "2096-10-02T07:06:40+24:00",
        "2096-10-02T07:06:40+09:60",
        "2096-10-02T24:00:00Z",
        "2096-10-02T07:60:00Z",
        "2096-13-02T07:06:40Z",
        "2096-00-02T07:06:40Z",
        "2096-10-00T07:06:40Z",
        "2096-10-32T07:06:40Z",
        "2095-02-29T07:06:40Z",
        "2100-02-29T07:06:40Z",
        "2096-2-29T07:06:40Z",
        "96-10-02T07:06:40Z",
        "+2096-10-02T07:06:40Z",
        "12096-10-02T07:06:40Z",
        "Fri, 02 Oct 2096 07:06:40 GMT",
        "2096-W40-2T07:06:40Z",
        "4000000000000",
        "",
        "now",
        "２０96-10-02T07:06:40Z",
    ];
    let server = Server::start();
    let mut http = Http::connect(&server);
    let stocked = http.call("POST", "/v1/items/a/receipts", &[], Some(r#"{"id": "m1", "quantity": 10}"#));
    assert_eq!(stocked.status, 201, "{stocked}");
    for time in
        times.map(|time| format!("\"{time}\"")).iter().map(String::as_str).chain(["4000000000000", "{}", "true"])
    {
        let receipt = format!(r#"{{"id": "m2", "quantity": 1, "lot": "L1", "expires_at": {time}}}"#);
        let reserve = format!(
            r#"{{"id": "r", "ttl_ms": 60000, "needed_until": {time}, "lines": [{{"sku": "a", "quantity": 1}}]}}"#
        );
        for (path, body) in [("/v1/items/a/receipts", receipt), ("/v1/reservations", reserve)] {
            let answer = http.call("POST", path, &[], Some(&body));
            let problem = problem(&answer).unwrap_or_else(|why| panic!("{body}: {why}: {answer}"));
            assert_eq!(problem["code"], "invalid", "{body}: {answer}");
        }
    }
    assert_eq!(http.json("/v1/items/a")["version"], 2);
}

#[test]
fn every_time_of_a_reservation_is_one_number_everywhere() {
    let mut server = Server::start();
    http_check(
        &mut server,
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 201 {"created_at": ":=c", "expires_at": ":=e"}
        GET /v1/reservations/r -> 200 {"created_at": "$c", "expires_at": "$e"}
        GET /v1/events?type=reservation.held -> 200 {"events": [{"time": "$c", "data": {"created_at": "$c", "expires_at": "$e"}}]}
        restart
        GET /v1/reservations/r -> 200 {"created_at": "$c", "expires_at": "$e"}
        "#,
    );
    let record = server.connect().say("RESERVATION r");
    let [created, expires] = ["created_at", "expires_at"].map(|name| record.field(name).expect(name).integer());
    assert_eq!(expires - created, 60_000);
    let json = Http::connect(&server).json("/v1/reservations/r");
    let read = |name: &str| json[name].as_str().and_then(super::support::http_script::unix_ms_of);
    assert_eq!((read("created_at"), read("expires_at")), (Some(created), Some(expires)));
}
