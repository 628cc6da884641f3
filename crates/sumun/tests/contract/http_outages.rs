//! What HTTP says when the log was trimmed, when there is too much, and when the disk fails.

use super::support::http_script::{cursor, problem, rows};
use super::support::resp::encoded;
use super::support::{Http, Server, http_check, world};
use serde_json::Value;

/// Reserves of one unit each, a thousand a time, with long ids, so that the log fills soon; the replies of the last
/// thousand.
fn reserve(server: &Server, rounds: std::ops::Range<usize>) -> Vec<super::support::Value> {
    let mut client = server.connect();
    let pad = "x".repeat(100);
    let mut last = Vec::new();
    for round in rounds {
        let reserve = |n: usize| encoded(&format!("RESERVE r{round}-{n}-{pad} 2000000000 1 a 1"));
        let commands: Vec<_> = (0..1_000).map(reserve).collect();
        last = client.pipeline(&commands);
    }
    last
}

/// A server whose log begins later than 1, and where it begins.
fn trimmed() -> (Server, u64) {
    let server = Server::start_with(&["--segment", "4MiB", "--log-retention", "1s"]);
    let mut client = server.connect();
    client.say("RECEIVE old 5 ID m1");
    client.say("RECEIVE a 100000000 ID m1");
    reserve(&server, 0..120);
    let first = world::eventually(20_000, || {
        // Trimming goes with what is written.
        client.say(&format!("RECEIVE a 1 ID t{}", world::unix_ms()));
        world::sleep_ms(100);
        let page = Http::connect(&server).json("/v1/events?limit=1");
        let first = rows(&page)[0]["id"].as_str()?.strip_prefix("0/")?.parse::<u64>().ok()?;
        (first > 1).then_some(first)
    });
    (server, first.expect("segments leave"))
}

#[test]
fn what_is_older_than_the_log_is_gone_and_says_where_the_log_begins() {
    let (mut server, first) = trimmed();
    let mut http = Http::connect(&server);
    let gone = |answer: super::support::http::Answer| {
        let problem = problem(&answer).unwrap_or_else(|why| panic!("{why}: {answer}"));
        assert_eq!((answer.status, &problem["code"]), (410, &Value::from("trimmed")), "{answer}");
        let begins = problem["first_sequence"].as_u64().unwrap_or_else(|| panic!("a sequence: {answer}"));
        // It may have been trimmed again meanwhile.
        assert!(begins >= first, "{answer}");
        begins
    };
    for after in [0, 1, first - 2] {
        let begins = gone(http.get(&format!("/v1/events?after={after}")));
        let page = http.json(&format!("/v1/events?after={}&limit=1", begins - 1));
        assert_eq!(page["events"][0]["id"], format!("0/{begins}"), "the first that is kept");
    }
    gone(http.call("GET", "/v1/events", &[("Accept", "text/event-stream"), ("Last-Event-ID", "0/1")], None));
    // Without a cursor a page begins where the log begins.
    assert_eq!(http.get("/v1/events?limit=1").status, 200);
    // A history gives what is kept, and its `next` then answers 410.
    let mut before = String::new();
    let mut seen = 0;
    let answer = loop {
        let answer = http.get(&format!("/v1/items/a/history?limit=1000{before}"));
        if answer.status != 200 {
            break answer;
        }
        let page = answer.json();
        seen += rows(&page).len();
        before = format!("&before={}", cursor(&page).expect("a trimmed history has no last page"));
    };
    assert!(seen > 1_000, "{seen}");
    gone(answer);
    // Records outlive their events.
    http_check(&mut server, r#"GET /v1/items/old -> 200 {"on_hand": 5, "version": 2}"#);
}

#[test]
fn too_much_is_refused_for_a_moment_and_ends_go_on() {
    let mut server = Server::start_with(&["--memory", "16MiB"]);
    http_check(
        &mut server,
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 100000000} -> 201
        POST /v1/reservations {"id": "first", "ttl_ms": 2000000000, "lines": [{"sku": "a", "quantity": 1}]} -> 201
        "#,
    );
    let full = (0..400).any(|round| {
        let last = reserve(&server, round..round + 1);
        last.iter().any(|reply| reply.to_string().starts_with("-OVERLOADED"))
    });
    assert!(full, "400,000 open reservations are more than 16 MiB");
    http_check(
        &mut server,
        r#"
        POST /v1/reservations {"id": "more", "ttl_ms": 2000000000, "lines": [{"sku": "a", "quantity": 1}]} -> 503 overloaded [Retry-After: *] {"retryable": true, "retry_after_ms": "int", "status": 503}
        POST /v1/items/a/receipts {"id": "m2", "quantity": 1} -> 503 overloaded {"retryable": true}
        # invalid comes before; what needs no event still answers
        POST /v1/reservations {"id": "more", "ttl_ms": 0, "lines": [{"sku": "a", "quantity": 1}]} -> 400 invalid
        POST /v1/items/a/receipts {"id": "m1", "quantity": 100000000} -> 200 replayed
        POST /v1/items/a/receipts {"id": "m1", "quantity": 1} -> 409 id_conflict
        GET /v1/items/a -> 200 {"received": 100000000}
        GET /v1/reservations/more -> 404 not_found
        POST /v1/reservations/first/capture {} -> 200 {"state": "captured"}
        GET /readyz -> 200
        "#,
    );
}

#[test]
fn while_the_disk_fails_nothing_is_shown_that_is_not_proven() {
    let server = Server::start_on_a_disk_that_can_fail(&["--segment", "4MiB"]);
    let mut client = server.connect();
    client.say("RECEIVE a 100000000 ID m1");
    assert_eq!(Http::connect(&server).get("/readyz").status, 200);
    server.file_size_max("1048576");
    // Fills what was laid out before, until a write fails.
    let mut asked = 0;
    let unanswered = loop {
        let mut http = Http::connect(&server);
        let id = format!("r{asked}");
        let body = format!(r#"{{"id": "{id}", "ttl_ms": 2000000000, "lines": [{{"sku": "a", "quantity": 1}}]}}"#);
        let bytes = http.request("POST", "/v1/reservations", &[], Some(body.as_bytes()));
        http.send_bytes(&bytes);
        match http.try_answer("POST") {
            Ok(answer) if answer.status == 201 => {}
            // The log is being opened again: this request came too late to be lost.
            Ok(answer) => {
                let problem = problem(&answer).unwrap_or_else(|why| panic!("{why}: {answer}"));
                assert!([Value::from("loading"), Value::from("read_only")].contains(&problem["code"]), "{answer}");
                break None;
            }
            Err(_closed) => break Some(id),
        }
        asked += 1;
        let full: Vec<_> = (0..1_000).map(|n| encoded(&format!("RESERVE f{asked}-{n} 2000000000 1 a 1"))).collect();
        let mut client = server.connect();
        client.send_bytes(&full.concat());
        let _answered_until_it_failed = (0..1_000).take_while(|_| client.try_read().is_ok()).count();
        assert!(asked < 200, "the disk did not fail");
    };
    // Not ready, and it says so; alive it is.
    let mut http = Http::connect(&server);
    let ready = http.get("/readyz");
    assert_eq!(ready.status, 503, "{ready}");
    assert_eq!(http.get("/livez").status, 200);
    let answer = http.get("/v1/items/a");
    let problem = problem(&answer).unwrap_or_else(|why| panic!("{why}: {answer}"));
    assert_eq!((&problem["code"], &problem["retryable"]), (&Value::from("loading"), &Value::from(true)), "{answer}");
    server.file_size_max("unlimited");
    world::eventually(10_000, || (Http::connect(&server).get("/readyz").status == 200).then_some(()))
        .expect("it is ready again by itself");
    // The same id asked again tells, and every answered one is there.
    let mut http = Http::connect(&server);
    for n in 0..asked {
        assert_eq!(http.get(&format!("/v1/reservations/r{n}")).status, 200, "r{n} was answered");
    }
    let id = unanswered.unwrap_or_else(|| format!("r{asked}"));
    let body = format!(r#"{{"id": "{id}", "ttl_ms": 2000000000, "lines": [{{"sku": "a", "quantity": 1}}]}}"#);
    let again = http.call("POST", "/v1/reservations", &[], Some(&body));
    assert!([200, 201].contains(&again.status), "{again}");
    assert_eq!(http.call("POST", "/v1/reservations", &[], Some(&body)).status, 200);
}
