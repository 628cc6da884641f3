//! HTTP itself: methods, keep-alive, pipelining, who may ask, what an operator's tools ask.

use super::support::http::http_address;
use super::support::{Http, Server, check, http, problem};

const RECEIPT: &str = r#"{"id": "m1", "quantity": 1}"#;

#[test]
fn a_method_that_a_path_has_not_is_405_and_says_which_it_has() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/items/a {} -> 405 method_not_allowed [Allow: *GET*]
        POST /v1/items/a {} -> 405 method_not_allowed [Allow: *PUT*]
        PATCH /v1/items/a {"safety_stock": 1} -> 405 method_not_allowed [Allow: *DELETE*]
        POST /v1/items {} -> 405 method_not_allowed [Allow: *GET*]
        PUT /v1/items {} -> 405 method_not_allowed
        DELETE /v1/items -> 405 method_not_allowed
        GET /v1/items/a/receipts -> 405 method_not_allowed [Allow: *POST*]
        PUT /v1/items/a/receipts {"id": "m2", "quantity": 5} -> 405 method_not_allowed
        GET /v1/items/a/adjustments -> 405 method_not_allowed [Allow: *POST*]
        POST /v1/items/a/history {} -> 405 method_not_allowed [Allow: *GET*]
        POST /v1/items/a/holders/kim {} -> 405 method_not_allowed [Allow: *GET*]
        DELETE /v1/reservations/r -> 405 method_not_allowed [Allow: *GET*]
        PUT /v1/reservations/r {} -> 405 method_not_allowed
        PUT /v1/reservations {} -> 405 method_not_allowed [Allow: *POST*]
        GET /v1/reservations/r/capture -> 405 method_not_allowed [Allow: *POST*]
        GET /v1/reservations/r/release -> 405 method_not_allowed [Allow: *POST*]
        GET /v1/reservations/r/extend -> 405 method_not_allowed [Allow: *POST*]
        DELETE /v1/reservations/r/return -> 405 method_not_allowed [Allow: *POST*]
        DELETE /v1/events -> 405 method_not_allowed [Allow: *GET*]
        POST /livez {} -> 405 method_not_allowed [Allow: *GET*]
        DELETE /readyz -> 405 method_not_allowed [Allow: *GET*]
        PUT /metrics {} -> 405 method_not_allowed [Allow: *GET*]
        DELETE /openapi.json -> 405 method_not_allowed [Allow: *GET*]
        GET /v1/items/a -> 200 {"on_hand": 5, "version": 2}
        "#,
    );
}

#[test]
fn head_is_get_without_its_body() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    assert_eq!(http.call("POST", "/v1/items/a/receipts", &[], Some(RECEIPT)).status, 201);
    for path in
        ["/v1/items/a", "/v1/items", "/v1/reservations", "/v1/events?limit=2", "/livez", "/readyz", "/openapi.json"]
    {
        let get = http.get(path);
        // Read as HEAD is: a body would stand before the next answer, and be no status line.
        let head = http.call("HEAD", path, &[], None);
        assert_eq!((head.status, head.header("Content-Type")), (get.status, get.header("Content-Type")), "{path}");
    }
    assert_eq!(http.call("HEAD", "/v1/items/nosuch", &[], None).status, 404);
    assert_eq!(http.call("HEAD", "/v1/nosuch", &[], None).status, 404);
    assert_eq!(http.get("/v1/items/a").status, 200);
}

#[test]
fn options_tells_the_methods_and_lets_no_other_site_in() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    let answer = http.call("OPTIONS", "/v1/reservations", &[], None);
    assert!([200, 204, 405].contains(&answer.status), "{answer}");
    assert!(answer.header("Allow").is_some_and(|allow| allow.contains("POST")), "{answer}");
    let preflight = [
        ("Origin", "http://evil.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let answer = http.call("OPTIONS", "/v1/reservations", &preflight, None);
    assert_eq!(answer.status, 403, "{answer}");
    for header in ["Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"] {
        assert!(answer.header(header).is_none(), "{header}");
    }
}

#[test]
fn a_connection_is_kept_and_answers_come_in_order() {
    let mut server = Server::start();
    let mut http = Http::connect(&server);
    let mut bytes = Vec::new();
    let mut wanted = Vec::new();
    let mut ask = |method: &str, path: &str, body: Option<&str>, status: u16| {
        bytes.extend(http.request(method, path, &[], body.map(str::as_bytes)));
        wanted.push((method.to_owned(), path.to_owned(), status));
    };
    // Each rests on the one before it: decided in the order of sending, or not as expected.
    ask("POST", "/v1/items/a/receipts", Some(r#"{"id": "m1", "quantity": 50}"#), 201);
    for n in 0..50 {
        let id = format!("r{n}");
        let reserve = format!(r#"{{"id": "{id}", "ttl_ms": 60000, "lines": [{{"sku": "a", "quantity": 1}}]}}"#);
        ask("GET", &format!("/v1/reservations/{id}"), None, 404);
        ask("POST", "/v1/reservations", Some(&reserve), 201);
        ask("GET", &format!("/v1/reservations/{id}"), None, 200);
        ask("POST", &format!("/v1/reservations/{id}/capture"), Some("{}"), 200);
        ask("POST", &format!("/v1/reservations/{id}/release"), Some("{}"), 409);
        ask("GET", "/v1/nosuch", None, 404);
    }
    ask(
        "POST",
        "/v1/reservations",
        Some(r#"{"id": "z", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 1}]}"#),
        409,
    );
    http.send_bytes(&bytes);
    for (place, (method, path, status)) in wanted.iter().enumerate() {
        let answer = http.answer(method);
        assert_eq!(answer.status, *status, "{place}: {method} {path}: {answer}");
        assert!(!answer.is_last(), "{place}: the connection is kept");
    }
    check(&mut server, "ITEM a -> on_hand=0 captured=50 version=102");
}

#[test]
fn a_client_that_closes_is_closed() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    let answer = http.call("GET", "/livez", &[("Connection", "close")], None);
    assert_eq!(answer.status, 200);
    assert!(http.is_closed());
}

#[test]
fn a_host_that_is_no_address_is_forbidden() {
    let server = Server::start();
    let port = http_address(&server).port();
    let hosts = |names: &[&str]| names.iter().map(|name| name.replace("PORT", &port.to_string())).collect::<Vec<_>>();
    for good in hosts(&[
        "127.0.0.1:PORT",
        "127.0.0.1",
        "localhost:PORT",
        "localhost",
        "LOCALHOST:PORT",
        "[::1]:PORT",
        "[::1]",
        "10.1.2.3:80",
    ]) {
        let answer = Http::connect(&server).call("POST", "/v1/items/a/receipts", &[("Host", &good)], Some(RECEIPT));
        assert!([200, 201].contains(&answer.status), "{good}: {answer}");
    }
    for bad in hosts(&[
        "evil.example:PORT",
        "evil.example",
        "127.0.0.1.evil.example:PORT",
        "localhost.evil.example",
        "evil.example.localhost.example",
        "localhostx:PORT",
        "127.0.0.1.nip.io",
        "sumun:PORT",
    ]) {
        for (method, path, body) in [
            ("POST", "/v1/items/b/receipts", Some(RECEIPT)),
            ("PUT", "/v1/items/b", Some("{}")),
            ("GET", "/v1/items/a", None),
            ("GET", "/v1/events", None),
            ("DELETE", "/v1/items/a", None),
        ] {
            let answer = Http::connect(&server).call(method, path, &[("Host", &bad)], body);
            let problem = problem(&answer).unwrap_or_else(|why| panic!("{bad} {path}: {why}: {answer}"));
            assert_eq!(problem["code"], "forbidden", "{bad} {path}: {answer}");
        }
    }
    assert_eq!(Http::connect(&server).get("/v1/items/b").status, 404);
}

#[test]
fn a_foreign_origin_is_forbidden_whatever_it_asks() {
    let server = Server::start();
    let port = http_address(&server).port();
    let own = format!("http://127.0.0.1:{port}");
    let answer = Http::connect(&server).call("POST", "/v1/items/a/receipts", &[("Origin", &own)], Some(RECEIPT));
    assert_eq!(answer.status, 201, "its own: {answer}");
    for origin in [
        "http://evil.example".to_owned(),
        "https://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("http://127.0.0.1:{port}.evil.example"),
        format!("http://evil.example/?http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}@evil.example"),
        "null".to_owned(),
        "file://".to_owned(),
        "chrome-extension://abcdefgh".to_owned(),
    ] {
        for (method, path, body) in [
            ("POST", "/v1/items/b/receipts", Some(RECEIPT)),
            ("POST", "/v1/reservations/r/release", Some("{}")),
            ("PUT", "/v1/items/b", Some("{}")),
            ("DELETE", "/v1/items/a", None),
            ("GET", "/v1/items/a", None),
            ("GET", "/v1/events", None),
        ] {
            let answer = Http::connect(&server).call(method, path, &[("Origin", &origin)], body);
            let problem = problem(&answer).unwrap_or_else(|why| panic!("{origin} {path}: {why}: {answer}"));
            assert_eq!(problem["code"], "forbidden", "{origin} {path}: {answer}");
            assert!(answer.header("Access-Control-Allow-Origin").is_none(), "{origin} {path}");
        }
    }
    let mut http = Http::connect(&server);
    assert_eq!(http.get("/v1/items/b").status, 404);
    assert_eq!(http.get("/v1/reservations/r").status, 404, "no tombstone either");
}

#[test]
fn a_healthy_server_says_so() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    assert_eq!(http.get("/livez").status, 200);
    assert_eq!(http.get("/readyz").status, 200);
    assert_eq!(http.call("POST", "/v1/items/a/receipts", &[], Some(RECEIPT)).status, 201);
    let metrics = http.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(["text/plain", "application/openmetrics-text"].contains(&metrics.media_type().as_str()), "{metrics}");
    let text = metrics.text();
    let mut samples = 0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}")));
        assert!(name.starts_with("sumun_"), "every name is ours: {line}");
        let value = rest.rsplit_once('}').map_or(rest, |(_, value)| value).split_whitespace().next();
        assert!(value.is_some_and(|value| value.parse::<f64>().is_ok()), "no figure: {line}");
        samples += 1;
    }
    assert!(samples > 10, "{text}");
    assert!(text.contains("# TYPE sumun_") && text.contains("# HELP sumun_"), "{text}");
}

#[test]
fn a_request_id_comes_back_and_one_is_made_where_none_was() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    for (method, path, status) in
        [("GET", "/v1/items", 200), ("GET", "/v1/items/nosuch", 404), ("GET", "/v1/nosuch", 404)]
    {
        let answer = http.call(method, path, &[("X-Request-Id", "order-7f3a")], None);
        assert_eq!((answer.status, answer.header("X-Request-Id")), (status, Some("order-7f3a")), "{path}");
        let [one, other] =
            [http.get(path), http.get(path)].map(|answer| answer.header("X-Request-Id").map(str::to_owned));
        assert!(one.as_ref().is_some_and(|id| !id.is_empty()) && one != other, "{path}: {one:?} {other:?}");
    }
}

#[test]
fn an_absolute_target_is_the_path_it_names() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    let own = http_address(&server);
    assert_eq!(http.get(&format!("http://{own}/livez")).status, 200);
}
