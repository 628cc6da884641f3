//! Following the log: server-sent events, from where one was, through restarts.

use super::support::http_script::problem;
use super::support::resp::encoded;
use super::support::{Http, Server, check, http_check, world};
use serde_json::Value;
use std::time::Duration;

const FOLLOW: (&str, &str) = ("Accept", "text/event-stream");

/// A follower: what came and was not yet looked at.
pub(crate) struct Follower {
    http: Http,
    bytes: Vec<u8>,
}

impl Follower {
    pub(crate) fn of(server: &Server, path: &str, headers: &[(&str, &str)]) -> Follower {
        let mut http = Http::connect(server);
        let headers: Vec<_> = headers.iter().copied().chain([FOLLOW]).collect();
        let bytes = http.request("GET", path, &headers, None);
        http.send_bytes(&bytes);
        let (status, headers) = http.head().expect("a stream begins with a head");
        let header =
            |name: &str| headers.iter().find(|(said, _)| said.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str());
        assert_eq!(status, 200, "{headers:?}");
        assert!(header("Content-Type").is_some_and(|kind| kind.starts_with("text/event-stream")), "{headers:?}");
        assert_eq!(header("Transfer-Encoding"), Some("chunked"), "a stream has no length");
        Follower { http, bytes: Vec::new() }
    }

    /// The next event: its id and its JSON. Comments, which keep a connection alive, are none.
    pub(crate) fn next(&mut self) -> (String, Value) {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") {
                let rest = self.bytes.split_off(end + 2);
                let block = String::from_utf8(std::mem::replace(&mut self.bytes, rest)).expect("events are UTF-8");
                let field = |name: &str| {
                    let values: Vec<_> = block
                        .lines()
                        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                        .map(|value| value.strip_prefix(' ').unwrap_or(value))
                        .collect();
                    (!values.is_empty()).then(|| values.join("\n"))
                };
                let Some(data) = field("data") else { continue };
                let event: Value = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {block}"));
                let id =
                    field("id").unwrap_or_else(|| panic!("a stream without ids cannot be taken up again: {block}"));
                assert_eq!(event["id"], id, "the stream's id is the event's");
                return (id, event);
            }
            let chunk = self.http.chunk().expect("the stream goes on").expect("the stream does not end by itself");
            // A line may end with CR LF as well, and no JSON of ours holds a bare CR.
            self.bytes.extend(chunk.into_iter().filter(|byte| *byte != b'\r'));
        }
    }

    /// Whether the server ends the stream, by its last chunk or by closing the connection.
    fn ends(&mut self) -> bool {
        loop {
            match self.http.chunk() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(error) => {
                    return !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
                }
            }
        }
    }
}

fn number(id: &str) -> u64 {
    id.strip_prefix("0/").and_then(|sequence| sequence.parse().ok()).unwrap_or_else(|| panic!("`shard/sequence`: {id}"))
}

#[test]
fn a_stream_begins_where_it_is_told_and_goes_on_as_things_happen() {
    let mut server = Server::start();
    http_check(&mut server, r#"POST /v1/items/a/receipts {"id": "m1", "quantity": 100} -> 201"#);
    let mut follower = Follower::of(&server, "/v1/events?after=0", &[]);
    let mut expected = 1;
    let mut until = |follower: &mut Follower, kind: &str| {
        loop {
            let (id, event) = follower.next();
            assert_eq!(number(&id), expected, "no gap: {event}");
            expected += 1;
            if event["type"] == kind {
                return event;
            }
        }
    };
    assert_eq!(until(&mut follower, "item.received")["data"]["movement"], "m1");
    // Nothing more is there: what comes now comes because it happens.
    for n in 0..20 {
        http_check(
            &mut server,
            &format!(
                r#"POST /v1/reservations {{"id": "r{n}", "ttl_ms": 60000, "lines": [{{"sku": "a", "quantity": 1}}]}} -> 201"#
            ),
        );
        assert_eq!(until(&mut follower, "reservation.held")["subject"], format!("r{n}"));
    }
    check(&mut server, "RELEASE r3 -> released");
    let seen = until(&mut follower, "reservation.released");
    // The same event as the page's.
    let page = Http::connect(&server).json("/v1/events?type=reservation.released");
    assert_eq!(page["events"][0], seen);
}

#[test]
fn a_follower_takes_up_where_it_was_through_a_restart_and_a_kill() {
    let mut server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 100000 ID m1");
    let mut last = "0/0".to_owned();
    let mut held = Vec::new();
    for round in 0..3 {
        let mut client = server.connect();
        let commands: Vec<_> = (0..200).map(|n| encoded(&format!("RESERVE r{round}-{n:03} 600000 1 a 1"))).collect();
        client.pipeline(&commands);
        // The first time from the beginning, then from the last event that was seen.
        let mut follower = if round == 0 {
            Follower::of(&server, "/v1/events?after=0", &[])
        } else {
            Follower::of(&server, "/v1/events", &[("Last-Event-ID", &last)])
        };
        // Leaves some unread each time: they come the next time.
        while held.len() < (round + 1) * 150 {
            let (id, event) = follower.next();
            assert_eq!(number(&id), number(&last) + 1, "no gap and nothing twice, through restarts: {event}");
            if event["type"] == "reservation.held" {
                held.push(event["subject"].as_str().expect("a subject").to_owned());
            }
            last = id;
        }
        match round {
            0 => assert!(server.terminate().success()),
            _ => server.kill(),
        }
        assert!(follower.ends(), "a stop ends its streams");
        server.start_again();
    }
    let mut follower = Follower::of(&server, "/v1/events", &[("Last-Event-ID", &last)]);
    while held.len() < 600 {
        let (id, event) = follower.next();
        assert_eq!(number(&id), number(&last) + 1);
        last = id;
        if event["type"] == "reservation.held" {
            held.push(event["subject"].as_str().expect("a subject").to_owned());
        }
    }
    let wanted: Vec<_> = (0..3).flat_map(|round| (0..200).map(move |n| format!("r{round}-{n:03}"))).collect();
    assert_eq!(held, wanted);
}

#[test]
fn a_stream_may_be_filtered() {
    let server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 100 ID m1");
    let mut subject = Follower::of(&server, "/v1/events?after=0&subject=r7", &[]);
    let mut kind = Follower::of(&server, "/v1/events?after=0&type=reservation.captured", &[]);
    for n in 0..10 {
        client.say(&format!("RESERVE r{n} 60000 1 a 1"));
        client.say(&format!("CAPTURE r{n}"));
    }
    for (wanted, version) in [("reservation.held", 1), ("reservation.captured", 2)] {
        let (_, event) = subject.next();
        assert_eq!((&event["type"], &event["subject"]), (&Value::from(wanted), &Value::from("r7")), "{event}");
        assert_eq!(event["data"]["version"], version);
    }
    for n in 0..10 {
        let (_, event) = kind.next();
        assert_eq!(
            (&event["type"], &event["subject"]),
            (&Value::from("reservation.captured"), &Value::from(format!("r{n}")))
        );
    }
}

#[test]
fn a_stream_from_what_is_no_event_is_refused() {
    let server = Server::start();
    let mut http = Http::connect(&server);
    for id in ["x", "0", "0/", "/5", "0/x", "0/-1", "0/1.5", "0/01", "0/9007199254740992", "1/1/1", "0/1 0/2"] {
        let answer = http.call("GET", "/v1/events", &[FOLLOW, ("Last-Event-ID", id)], None);
        assert!(problem(&answer).is_ok_and(|problem| problem["code"] == "invalid"), "{id}: {answer}");
    }
    for query in ["after=x", "after=-1", "limit=0", "colour=red"] {
        let answer = http.call("GET", &format!("/v1/events?{query}"), &[FOLLOW], None);
        assert!(problem(&answer).is_ok_and(|problem| problem["code"] == "invalid"), "{query}: {answer}");
    }
    // Without asking for a stream it is a page.
    assert_eq!(
        http.call("GET", "/v1/events", &[("Accept", "application/json")], None).media_type(),
        "application/json"
    );
    assert_eq!(http.call("GET", "/v1/events", &[("Accept", "*/*")], None).media_type(), "application/json");
}

#[test]
fn a_follower_that_stalls_stops_nobody() {
    let server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 10000000 ID m1");
    // Followers that never read, and one that does.
    let stalled: Vec<_> = (0..20).map(|_| Follower::of(&server, "/v1/events?after=0", &[])).collect();
    let mut follower = Follower::of(&server, "/v1/events?after=0&type=reservation.captured", &[]);
    for round in 0..20 {
        let commands: Vec<_> = (0..1_000).map(|n| encoded(&format!("RESERVE r{round}-{n} 600000 1 a 1"))).collect();
        assert_eq!(client.pipeline(&commands).len(), 1_000);
    }
    client.say("CAPTURE r19-999");
    assert_eq!(follower.next().1["subject"], "r19-999");
    let begin = world::unix_ms();
    assert_eq!(Http::connect(&server).get("/v1/items/a").status, 200);
    assert!(world::unix_ms() - begin < 2_000, "others are served");
    drop(stalled);
}

#[test]
fn a_quiet_stream_stays_open() {
    let server = Server::start();
    let mut client = server.connect();
    client.say("RECEIVE a 10 ID m1");
    let mut follower = Follower::of(&server, "/v1/events?after=0&subject=late", &[]);
    world::sleep_ms(3_000);
    follower.http.wait_at_most(Duration::from_secs(15));
    client.say("RESERVE late 60000 1 a 1");
    assert_eq!(follower.next().1["subject"], "late");
}
