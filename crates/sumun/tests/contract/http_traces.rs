//! A trace that a request brings is carried into the event that it makes, and leaves with it wherever events leave.

use super::http_stream::Follower;
use super::support::collector::{Collector, attributes, hex};
use super::support::{Http, Server, world};
use serde_json::Value;
use std::net::TcpListener;

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
    world::sleep_ms(5);
    asking.ask("POST", "/v1/reservations/x/capture", "{}", 409);
    expected.push(("reservation.expired", "x", None));
    expected
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// What the specification calls invalid is as if it were not there; what it does not know yet is read as far as known.
fn odd_headers(asking: &mut Asking) -> Vec<(&'static str, &'static str, Option<String>)> {
    let good = parent(77);
    let upper = good.to_uppercase();
    let (newer, reserved) = (format!("cc{}-more", &good[2..]), format!("{}f9", &good[..53]));
    let zeros = format!("00-{}-{:016x}-01", "0".repeat(32), 1);
    let twice = [("traceparent", good.as_str()), ("Traceparent", good.as_str())];
    let one = |value| vec![("traceparent", value)];
    let rows: [(Headers<'_>, Option<&str>); 9] = [
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

/// The trace and the span that the newest event of this type names.
fn named(http: &mut Http, kind: &str) -> Option<(String, String, String)> {
    let page = http.json(&format!("/v1/events?type={kind}&limit=1000"));
    let text = page["events"].as_array()?.last()?.get("traceparent")?.as_str()?.to_owned();
    let parts: Vec<&str> = text.split('-').collect();
    let [_, id, span, flags] = parts.as_slice() else { panic!("{text}") };
    Some(((*id).to_owned(), (*span).to_owned(), (*flags).to_owned()))
}

#[test]
fn an_event_names_the_span_of_the_request_that_made_it() {
    let mut collector = Collector::start();
    let url = format!("http://{}", collector.address);
    let mut server = Server::start_with(&["--otlp", &url, "--trace-ratio", "0"]);
    let mut http = Http::connect(&server);
    let receive = |http: &mut Http, id: &str, trace: &str| {
        let body = format!(r#"{{"id": "{id}", "quantity": 5}}"#);
        let answer = http.call("POST", "/v1/items/a/receipts", &[("traceparent", trace)], Some(&body));
        assert_eq!(answer.status, 201, "{answer}");
        named(http, "item.received")
    };
    // Sampled: whoever goes on from the event goes on from the server's span.
    let (id, span, flags) = receive(&mut http, "m1", &parent(1)).expect("it is traced");
    assert_eq!((id.as_str(), flags.as_str()), (ID, "01"));
    assert_ne!(span, format!("{:016x}", 1));
    let server_span = collector.child_of(&format!("{:016x}", 1));
    assert_eq!((hex(&server_span.trace_id), hex(&server_span.span_id)), (ID.to_owned(), span.clone()));
    assert_eq!(server_span.name, "POST /v1/items/{sku}/receipts");
    let of = attributes(&server_span);
    let expected = [
        ("http.request.method", "POST"),
        ("http.response.status_code", "201"),
        ("http.route", "/v1/items/{sku}/receipts"),
        ("network.protocol.version", "1.1"),
        ("url.path", "/v1/items/a/receipts"),
        ("url.scheme", "http"),
    ];
    assert_eq!(of.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), expected);
    let stages = collector.children(&span);
    assert_eq!(stages.keys().collect::<Vec<_>>(), ["sumun.commit", "sumun.decide", "sumun.queue"]);
    let [queue, decide, commit] = ["sumun.queue", "sumun.decide", "sumun.commit"].map(|name| &stages[name]);
    assert!(server_span.start_time_unix_nano <= queue.start_time_unix_nano);
    assert!(queue.end_time_unix_nano == decide.start_time_unix_nano);
    assert!(decide.end_time_unix_nano == commit.start_time_unix_nano);
    assert!(commit.end_time_unix_nano <= server_span.end_time_unix_nano);

    // A refusal says so, and is no failure of the server's.
    let refused = http.call("POST", "/v1/reservations/x/capture", &[("traceparent", &parent(2))], Some("{}"));
    assert_eq!(refused.status, 404);
    // Not sampled: passed on as it came, and no span of it.
    let unsampled = format!("00-{ID}-{:016x}-00", 3);
    assert_eq!(receive(&mut http, "m2", &unsampled), Some((ID.into(), format!("{:016x}", 3), "00".into())));
    // Without a trace, at this part, none.
    assert_eq!(receive(&mut http, "m3", ""), None);
    assert_eq!(server.terminate().code(), Some(0));
    // What waited when it ended is sent before it does.
    let refused = collector.child_of(&format!("{:016x}", 2));
    let of = attributes(&refused);
    assert_eq!((of["http.response.status_code"].as_str(), of["sumun.code"].as_str()), ("404", "not_found"));
    assert!(!of.contains_key("error.type") && refused.status.as_ref().is_none_or(|status| status.code == 0));
    assert!(collector.children(&format!("{:016x}", 3)).is_empty());
}

#[test]
fn a_collector_that_stalls_or_is_down_costs_no_request_anything() {
    // It listens, and never reads.
    let stalled = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr()).expect("a port");
    for address in [stalled.local_addr().expect("bound"), gone] {
        let mut server = Server::start_with(&["--otlp", &format!("http://{address}"), "--trace-ratio", "1"]);
        let mut http = Http::connect(&server);
        let begun = world::unix_ms();
        for _ in 0..2_000 {
            let answer = http.get("/v1/items/a");
            assert_eq!(answer.status, 404, "{answer}");
        }
        // The four spans of each are more than the queue takes.
        let metrics = http.get("/metrics").text();
        let metric = |name: &str| -> f64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().expect("a number")
        };
        assert_eq!(metric("sumun_trace_spans_sent_total"), 0.0);
        assert!(metric("sumun_trace_spans_queued") <= 4_096.0);
        let lost = metric("sumun_trace_spans_dropped_total") + metric("sumun_trace_spans_failed_total");
        assert!(address == gone || lost > 0.0, "{metrics}");
        assert!(world::unix_ms() - begun < 10_000, "{} ms", world::unix_ms() - begun);
        let stopping = world::unix_ms();
        assert_eq!(server.terminate().code(), Some(0));
        assert!(world::unix_ms() - stopping < 8_000, "{} ms", world::unix_ms() - stopping);
    }
}
