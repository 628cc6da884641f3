//! Names in paths: percent-encoding, dots, what is no name.

use super::support::{Http, Server, http, problem};

#[test]
fn a_name_in_a_path_may_be_any_text_percent_encoded() {
    http(
        r#"
        POST /v1/items/%61/receipts {"id": "m1", "quantity": 1} -> 201 {"sku": "a"}
        GET /v1/items/a -> 200 {"on_hand": 1}
        # capital and small hexadecimal digits, reserved characters, other alphabets
        POST /v1/items/a%2fb%2Fc/receipts {"id": "m1", "quantity": 2} -> 201 {"sku": "a/b/c"}
        GET /v1/items/a%2Fb%2fc -> 200 {"on_hand": 2}
        POST /v1/items/%EC%88%98%eb%ac%b8/receipts {"id": "m1", "quantity": 3} -> 201 {"sku": "수문"}
        ITEM 수문 -> on_hand=3
        POST /v1/items/%F0%9F%90%9F/receipts {"id": "m1", "quantity": 4} -> 201 {"sku": "🐟"}
        POST /v1/items/%25/receipts {"id": "m1", "quantity": 5} -> 201 {"sku": "%"}
        GET /v1/items/%25 -> 200 {"on_hand": 5}
        # decoded once
        POST /v1/items/%2561/receipts {"id": "m1", "quantity": 6} -> 201 {"sku": "%61"}
        GET /v1/items/a -> 200 {"on_hand": 1}
        # a plus is a plus
        POST /v1/items/a+b/receipts {"id": "m1", "quantity": 7} -> 201 {"sku": "a+b"}
        GET /v1/items/a%2Bb -> 200 {"on_hand": 7}
        POST /v1/items/%3F%23/receipts {"id": "m1", "quantity": 8} -> 201 {"sku": "?\u0023"}
        # what RFC 3986 leaves as it is
        POST /v1/items/;,:@&='()!*~/receipts {"id": "m1", "quantity": 9} -> 201 {"sku": ";,:@&='()!*~"}
        GET /v1/items/A -> 404 not_found
        # in every place of a path
        POST /v1/reservations {"id": "r/1 ", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/reservations {"id": "r/1?", "ttl_ms": 60000, "holder": "k/m", "lines": [{"sku": "a/b/c", "quantity": 1}]} -> 201
        GET /v1/reservations/r%2F1%3F -> 200 {"id": "r/1?"}
        POST /v1/reservations/r%2F1%3F/extend {"ttl_ms": 70000} -> 200
        POST /v1/reservations/r%2F1%3F/capture {} -> 200
        PUT /v1/items/a%2Fb%2Fc {"limit": {"quantity": 5}} -> 200
        GET /v1/items/a%2Fb%2Fc/holders/k%2Fm -> 200
        GET /v1/items/a%2Fb%2Fc/history?limit=1 -> 200
        DELETE /v1/items/a%2Fb%2Fc -> 409 conflict
        # three words of the paths are names as any other
        POST /v1/items/holders/receipts {"id": "m1", "quantity": 1} -> 201 {"sku": "holders"}
        POST /v1/items/receipts/receipts {"id": "m1", "quantity": 1} -> 201 {"sku": "receipts"}
        POST /v1/reservations {"id": "capture", "ttl_ms": 60000, "lines": [{"sku": "receipts", "quantity": 1}]} -> 201
        POST /v1/reservations/capture/capture {} -> 200 {"id": "capture"}
        "#,
    );
}

#[test]
fn what_is_no_name_is_refused_in_a_path() {
    let names = [
        "%2E",
        "%2e%2e",
        "%20",
        "a%20b",
        "%09",
        "%0A",
        "a%0D%0Ab",
        "%00",
        "a%00",
        "%7F",
        "%1B%5B31m",
        "%C2%85",
        "%C2%A0",
        "%E2%80%8B",
        "%E2%80%AE",
        "%EF%BB%BF",
        "%E3%80%80",
        "%E2%80%A8",
        "%CD%B8",
        "%F3%A0%80%81",
        // No UTF-8: a lone byte, an overlong slash, a surrogate, a cut character, past the last one.
        "%FF",
        "%C0%AF",
        "%ED%A0%80",
        "%EC%88",
        "%F4%90%80%80",
        // No percent-encoding.
        "%",
        "%2",
        "%zz",
        "a%g1",
        "%u0061",
    ];
    let server = Server::start();
    let mut http = Http::connect(&server);
    let mut failures = Vec::new();
    for name in names {
        let body = r#"{"id": "m1", "quantity": 1}"#;
        let requests = [
            ("POST", format!("/v1/items/{name}/receipts"), Some(body)),
            ("GET", format!("/v1/items/{name}"), None),
            ("PUT", format!("/v1/items/{name}"), Some("{}")),
            ("POST", format!("/v1/reservations/{name}/release"), Some("{}")),
            ("GET", format!("/v1/reservations/{name}"), None),
        ];
        for (method, path, body) in requests {
            let answer = http.call(method, &path, &[], body);
            match problem(&answer) {
                Ok(problem) if problem["code"] == "invalid" => {}
                Ok(_) => failures.push(format!("{method} {path}: {answer}")),
                Err(why) => failures.push(format!("{method} {path}: {why}: {answer}")),
            }
            if answer.is_last() {
                http = Http::connect(&server);
            }
        }
    }
    assert!(failures.is_empty(), "{} of them:\n{}", failures.len(), failures.join("\n"));
    assert!(http.json("/v1/items")["items"].as_array().is_some_and(Vec::is_empty));
    assert!(http.json("/v1/events?type=reservation.released")["events"].as_array().is_some_and(Vec::is_empty));
}

#[test]
fn dots_that_a_client_left_in_a_path_lead_nowhere_else() {
    let mut server = Server::start();
    let mut http = Http::connect(&server);
    assert_eq!(http.call("POST", "/v1/items/a/receipts", &[], Some(r#"{"id": "m1", "quantity": 1}"#)).status, 201);
    for path in [
        "/v1/items/.",
        "/v1/items/..",
        "/v1/items/x/../a",
        "/v1/./items/a",
        "/v1/items/../items/a",
        "/../../etc/passwd",
        "/v1/items/%2e%2e/items/a",
        "//v1/items/a",
        "/v1//items/a",
        "/v1/items//a",
        "/v1/items/a/",
        "/v1/items/",
        "/V1/items/a",
        "/v1/Items/a",
        "/v1/items/a/receipts/m1",
        "/v1/items/a%00/../a",
        "/v1/items\\a",
    ] {
        let answer = http.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {answer}");
        if answer.is_last() {
            http = Http::connect(&server);
        }
    }
    super::support::check(&mut server, "ITEM a -> version=2 on_hand=1");
}

#[test]
fn names_in_a_body_have_the_same_limits() {
    let names = [
        r#""""#,
        r#"".""#,
        r#""..""#,
        r#"" ""#,
        r#""a b""#,
        r#""a\tb""#,
        r#""a\nb""#,
        r#""\u0000""#,
        r#""\u001b[31m""#,
        r#""\u007f""#,
        r#""\u0085""#,
        r#""\u00a0""#,
        r#""\u200b""#,
        r#""\u202e""#,
        r#""\ufeff""#,
        r#""\u3000""#,
        r#""\u0378""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud83d""#,
        "1",
        "null",
        "true",
        "[]",
        "{}",
    ];
    let templates = [
        ("/v1/items/a/receipts", r#"{"id": NAME, "quantity": 1}"#),
        ("/v1/items/a/receipts", r#"{"id": "m2", "quantity": 1, "lot": NAME}"#),
        ("/v1/items/a/receipts", r#"{"id": "m2", "quantity": 1, "lot": "L", "location": NAME}"#),
        ("/v1/items/a/adjustments", r#"{"id": "m2", "delta": 1, "reason": NAME}"#),
        ("/v1/reservations", r#"{"id": NAME, "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]}"#),
        ("/v1/reservations", r#"{"id": "r", "ttl_ms": 60000, "lines": [{"sku": NAME, "quantity": 1}]}"#),
        ("/v1/reservations", r#"{"id": "r", "ttl_ms": 60000, "holder": NAME, "lines": [{"sku": "a", "quantity": 1}]}"#),
    ];
    let server = Server::start();
    let mut http = Http::connect(&server);
    assert_eq!(http.call("POST", "/v1/items/a/receipts", &[], Some(r#"{"id": "m1", "quantity": 9}"#)).status, 201);
    let mut failures = Vec::new();
    for name in names {
        for (path, template) in templates {
            // Whether null is as good as absent is not said for names that may be left out.
            if name == "null"
                && ["lot", "location", "holder"].iter().any(|n| template.contains(&format!("{n}\": NAME")))
            {
                continue;
            }
            let body = template.replace("NAME", name);
            let answer = http.call("POST", path, &[], Some(&body));
            if !problem(&answer).is_ok_and(|problem| problem["code"] == "invalid") {
                failures.push(format!("{path} {body}: {answer}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} of them:\n{}", failures.len(), failures.join("\n"));
    assert_eq!(http.json("/v1/items/a")["version"], 2);
}
