//! A trace that a request brings is carried into the event that it makes, and leaves with it wherever events leave.

use super::http_stream::Follower;
use super::support::{Http, Server};
use serde_json::Value;

const ID: &str = "0af7651916cd43dd8448eb211c80319c";

/// The parent with this number.
fn parent(number: u32) -> String {
    format!("00-{ID}-{number:016x}-01")
}

struct Asking {
    http: Http,
    number: u32,
}

impl Asking {
    /// One request, with a parent of its own, which is returned.
    fn ask(&mut self, method: &str, path: &str, body: &str, status: u16) -> String {
        self.number += 1;
        let parent = parent(self.number);
        self.ask_with(method, path, &[("traceparent", &parent)], body, status);
        parent
    }
    fn ask_with(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str, status: u16) {
        let body = (!body.is_empty()).then_some(body);
        let answer = self.http.call(method, path, headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer}");
    }
}

/// Type, subject and trace of each.
fn told(events: &[Value]) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |event: &Value| {
        let trace = event.as_object().expect("an object").get("traceparent").map(text);
        (text(&event["type"]), text(&event["subject"]), trace)
    };
    events.iter().filter(|event| event["type"] != "log.opened").map(one).collect()
}

/// What is asked, and the events that it makes, with the trace that each is to have.
fn life(asking: &mut Asking) -> Vec<(&'static str, &'static str, Option<String>)> {
    let mut expected = Vec::new();
    // The item that comes before the receipt has none: it is not what was asked for.
    expected.push(("item.configured", "a", None));
    let receipt = r#"{"id": "m1", "quantity": 10}"#;
    expected.push(("item.received", "a", Some(asking.ask("POST", "/v1/items/a/receipts", receipt, 201))));
    // A replay and a refusal leave nothing.
    asking.ask("POST", "/v1/items/a/receipts", receipt, 200);
    asking.ask("POST", "/v1/items/a/receipts", r#"{"id": "m1", "quantity": 11}"#, 409);
    expected.push(("item.configured", "a", Some(asking.ask("PUT", "/v1/items/a", r#"{"safety_stock": 1}"#, 200))));
    let adjustment = r#"{"id": "m2", "delta": -1, "reason": "broken"}"#;
    expected.push(("item.adjusted", "a", Some(asking.ask("POST", "/v1/items/a/adjustments", adjustment, 201))));
    let reserve = |id: &str, ttl_ms: u32| {
        format!(r#"{{"id": "{id}", "ttl_ms": {ttl_ms}, "lines": [{{"sku": "a", "quantity": 2}}]}}"#)
    };
    expected.push(("reservation.held", "r", Some(asking.ask("POST", "/v1/reservations", &reserve("r", 60_000), 201))));
    asking.ask("GET", "/v1/reservations/r", "", 200);
    let of = |verb: &str| format!("/v1/reservations/r/{verb}");
    expected.push(("reservation.extended", "r", Some(asking.ask("POST", &of("extend"), r#"{"ttl_ms": 90000}"#, 200))));
    let part = r#"{"id": "c1", "lines": [{"sku": "a", "quantity": 1}]}"#;
    expected.push(("reservation.captured", "r", Some(asking.ask("POST", &of("capture"), part, 200))));
    expected.push(("reservation.released", "r", Some(asking.ask("POST", &of("release"), "{}", 200))));
    let back = r#"{"id": "t1", "lines": [{"sku": "a", "quantity": 1}]}"#;
    expected.push(("reservation.returned", "r", Some(asking.ask("POST", &of("return"), back, 200))));
    // Time ends it, whoever asks next.
    expected.push(("reservation.held", "x", Some(asking.ask("POST", "/v1/reservations", &reserve("x", 1), 201))));
    super::support::world::sleep_ms(5);
    asking.ask("POST", "/v1/reservations/x/capture", "{}", 409);
    expected.push(("reservation.expired", "x", None));
    expected
}

/// What the specification calls invalid is as if it were not there; what it does not know yet is read as far as known.
fn odd_headers(asking: &mut Asking) -> Vec<(&'static str, &'static str, Option<String>)> {
    let good = parent(77);
    let upper = good.to_uppercase();
    let (newer, reserved) = (format!("cc{}-more", &good[2..]), format!("{}f9", &good[..53]));
    let zeros = format!("00-{}-{:016x}-01", "0".repeat(32), 1);
    let twice = [("traceparent", good.as_str()), ("Traceparent", good.as_str())];
    let one = |value| vec![("traceparent", value)];
    let rows: [(Vec<(&str, &str)>, Option<&str>); 9] = [
        (vec![], None),
        (one("nonsense"), None),
        (one(&upper), None),
        (one(&zeros), None),
        (twice.to_vec(), None),
        // Without a parent its state says nothing, and with one it is not kept.
        (vec![("tracestate", "a=1")], None),
        (vec![("TraceParent", &good), ("tracestate", "a=1,b=2")], Some(&good)),
        (one(&newer), Some(&good)),
        (one(&reserved), Some(&good)),
    ];
    let mut expected = Vec::new();
    for (n, (headers, trace)) in rows.iter().enumerate() {
        let body = format!(r#"{{"id": "odd{n}", "quantity": 1}}"#);
        asking.ask_with("POST", "/v1/items/a/receipts", headers, &body, 201);
        expected.push(("item.received", "a", trace.map(str::to_owned)));
    }
    expected
}

#[test]
fn a_requests_trace_is_in_its_event_on_pages_streams_histories_and_dumps() {
    let mut server = Server::start();
    let mut asking = Asking { http: Http::connect(&server), number: 0 };
    let mut expected = life(&mut asking);
    expected.extend(odd_headers(&mut asking));
    // RESP has no place for one.
    server.connect().say("RELEASE gone");
    expected.push(("reservation.released", "gone", None));
    let expected: Vec<_> =
        expected.into_iter().map(|(kind, subject, trace)| (kind.to_owned(), subject.to_owned(), trace)).collect();

    let page = |server: &Server| Http::connect(server).json("/v1/events?limit=1000")["events"].as_array().cloned();
    let events = page(&server).expect("a page");
    assert_eq!(told(&events), expected);
    let mut follower = Follower::of(&server, "/v1/events?after=0", &[]);
    let followed: Vec<Value> = events.iter().map(|_| follower.next().1).collect();
    assert_eq!(followed, events, "a stream has what pages have");
    let history = Http::connect(&server).json("/v1/items/a/history?limit=1000");
    let mut history = told(history["events"].as_array().expect("a history"));
    history.reverse();
    let touching = |kind: &str| kind != "reservation.extended";
    let of_item = expected.iter().filter(|(kind, subject, _)| touching(kind) && subject != "gone");
    assert_eq!(history.iter().collect::<Vec<_>>(), of_item.collect::<Vec<_>>());

    // The log has it, and so it is there after a kill.
    server.kill();
    server.start_again();
    let again = page(&server).expect("a page");
    assert_eq!(told(&again), expected);
    assert_eq!(server.terminate().code(), Some(0));
    let data = server.data();
    let data = data.to_str().expect("UTF-8");
    let dump = |more: &[&str]| {
        let output = Server::command(&[&["log", "dump", "--data", data], more].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let dumped: Vec<Value> =
        dump(&["--json"]).lines().map(|line| serde_json::from_str(line).expect("a line is an event")).collect();
    assert_eq!(told(&dumped), expected);
    let shown = dump(&[]).lines().filter(|line| line.contains(&format!(" traceparent=00-{ID}-"))).count();
    assert_eq!(shown, expected.iter().filter(|(_, _, trace)| trace.is_some()).count());
    let verified = Server::command(&["verify", "--data", data]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}
