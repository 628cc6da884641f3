//! Events over HTTP: pages without a gap, filters, the shape of each type, the history of an item.

use super::support::http_script::{cursor, problem, rows, unix_ms_of};
use super::support::{Http, Server, http, http_check, resp::encoded};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every event of the log, in pages of `limit`.
fn all(http: &mut Http, limit: usize) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), String::new());
    loop {
        let page = http.json(&format!("/v1/events?limit={limit}{after}"));
        assert!(page["events"].is_array() && rows(&page).len() <= limit, "{page}");
        events.extend(rows(&page).iter().cloned());
        let Some(next) = cursor(&page) else { return events };
        assert_eq!(sequence(events.last().expect("a page before the last has events")).to_string(), next);
        after = format!("&after={next}");
    }
}

/// The sequence of an event, in its id and as an attribute.
fn sequence(event: &Value) -> u64 {
    let id = event["id"].as_str().unwrap_or_else(|| panic!("an id: {event}"));
    let (shard, sequence) = id.split_once('/').unwrap_or_else(|| panic!("`shard/sequence`: {id}"));
    let attribute = &event["sequence"];
    let attribute = attribute.as_str().map_or(attribute.to_string(), str::to_owned);
    assert_eq!((shard, attribute.as_str()), ("0", sequence), "{event}");
    sequence.parse().expect("a number")
}

const LIFE: &str = r#"
    PUT /v1/items/a {"safety_stock": 1, "limit": {"quantity": 50, "window_ms": 60000}, "metadata": {"n": 1}} -> 200|201
    POST /v1/items/a/receipts {"id": "m1", "quantity": 10, "lot": "L1", "expires_at": "2096-10-02T07:06:40Z", "location": "seoul"} -> 201
    POST /v1/items/a/receipts {"id": "m2", "quantity": 5} -> 201
    POST /v1/items/a/adjustments {"id": "m3", "delta": -2, "reason": "broken", "lot": "L1"} -> 201
    POST /v1/items/b/receipts {"id": "m1", "quantity": 9} -> 201
    POST /v1/reservations {"id": "r", "holder": "kim", "ttl_ms": 60000, "needed_until": "1970-01-01T00:00:01Z", "lines": [{"sku": "a", "quantity": 9}, {"sku": "b", "quantity": 2}]} -> 201 {"expires_at": ":=e", "created_at": ":=c"}
    POST /v1/reservations/r/capture {"id": "c1", "lines": [{"sku": "a", "quantity": 3}]} -> 200
    POST /v1/reservations/r/extend {"ttl_ms": 90000} -> 200 {"expires_at": ":=f"}
    POST /v1/reservations/r/release {} -> 200
    POST /v1/reservations/r/return {"id": "t1", "lines": [{"sku": "a", "quantity": 1}]} -> 200
    POST /v1/reservations {"id": "q", "holder": "lee", "capture": true, "lines": [{"sku": "b", "quantity": 4}]} -> 201
    POST /v1/reservations {"id": "x", "ttl_ms": 30, "lines": [{"sku": "b", "quantity": 1}]} -> 201
    wait 40ms
    GET /v1/reservations/x -> 200 {"state": "expired"}
    POST /v1/reservations/tomb/release {} -> 200
"#;

#[test]
fn each_type_of_event_has_its_shape() {
    http(&format!(
        "{LIFE}{}",
        r#"
        GET /v1/events?type=item.configured -> 200 {"events": [{"specversion": "1.0", "subject": "a", "data": {"settings": {"safety_stock": 1}, "lines": [{"sku": "a", "lot": null, "quantity": 0, "version": 1, "previous": null, "on_hand": 0, "reserved": 0, "available": 0, "received": 0, "removed": 0, "returned": 0, "captured": 0}]}}, {"subject": "b", "data": {"lines": [{"sku": "b", "version": 1}]}}], "next": null}
        GET /v1/events?type=item.received&subject=a -> 200 {"events": [{"type": "item.received", "source": "?", "time": "now", "data": {"movement": "m1", "lines": [{"sku": "a", "lot": "L1", "quantity": 10, "version": 2, "previous": "int", "on_hand": 10, "reserved": 0, "available": 9, "received": 10, "lot_on_hand": 10, "lot_reserved": 0, "lot_expires_at": "2096-10-02T07:06:40.000Z", "lot_location": "seoul"}]}}, {"data": {"movement": "m2", "lines": [{"lot": null, "quantity": 5, "version": 3, "on_hand": 15, "available": 14, "received": 15}]}}]}
        GET /v1/events?type=item.adjusted -> 200 {"events": [{"subject": "a", "data": {"movement": "m3", "reason": "broken", "lines": [{"sku": "a", "lot": "L1", "quantity": -2, "version": 4, "on_hand": 13, "removed": 2, "lot_on_hand": 8}]}}]}
        # one line a sku and lot, figures as they stand after the whole event
        GET /v1/events?type=reservation.held&subject=r -> 200 {"events": [{"subject": "r", "time": "$c", "data": {"reservation": "r", "created_at": "$c", "version": 1, "state": "held", "tombstone": false, "holder": "kim", "complete": false, "expires_at": "$e", "lines": [{"sku": "a", "lot": "L1", "quantity": 8, "version": 5, "on_hand": 13, "reserved": 9, "available": 3, "lot_on_hand": 8, "lot_reserved": 8}, {"sku": "a", "lot": null, "quantity": 1, "version": 5, "on_hand": 13, "reserved": 9, "available": 3}, {"sku": "b", "lot": null, "quantity": 2, "version": 3, "on_hand": 9, "reserved": 2, "available": 7}]}}]}
        GET /v1/events?type=reservation.captured&subject=r -> 200 {"events": [{"data": {"reservation": "r", "version": 2, "state": "held", "complete": false, "holder": "kim", "lines": [{"sku": "a", "lot": "L1", "quantity": 3, "version": 6, "on_hand": 10, "reserved": 6, "available": 3, "captured": 3, "lot_on_hand": 5, "lot_reserved": 5}]}}]}
        GET /v1/events?type=reservation.extended -> 200 {"events": [{"subject": "r", "data": {"version": 3, "state": "held", "expires_at": "$f", "complete": false}}]}
        GET /v1/events?type=reservation.released&subject=r -> 200 {"events": [{"data": {"version": 4, "state": "partially_captured", "complete": true, "tombstone": false, "created_at": "$c"}}]}
        GET /v1/events?type=reservation.returned -> 200 {"events": [{"subject": "r", "data": {"version": 5, "state": "partially_captured", "complete": true, "lines": [{"sku": "a", "lot": "L1", "quantity": 1, "returned": 1, "captured": 3, "on_hand": 11, "reserved": 0, "lot_on_hand": 6, "lot_reserved": 0}]}}]}
        GET /v1/events?type=reservation.captured&subject=q -> 200 {"events": [{"data": {"version": 1, "state": "captured", "complete": true, "holder": "lee", "lines": [{"sku": "b", "quantity": 4, "captured": 4, "reserved": 0}]}}]}
        GET /v1/events?type=reservation.expired -> 200 {"events": [{"subject": "x", "data": {"version": 2, "state": "expired", "complete": true, "holder": null, "lines": [{"sku": "b", "quantity": 1, "reserved": 0}]}}]}
        GET /v1/events?type=reservation.released&subject=tomb -> 200 {"events": [{"data": {"version": 1, "state": "released", "tombstone": true, "complete": true}}]}
        "#
    ));
}

#[test]
fn an_expired_lot_and_a_removed_item_are_events_too() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5, "lot": "L1", "expires_at": "now+800"} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 60000, "lines": [{"sku": "a", "quantity": 2}]} -> 201
        wait 850ms
        GET /v1/items/a -> 200 {"expired": 5, "available": 0}
        # what nobody holds of the lot
        GET /v1/events?type=lot.expired -> 200 {"events": [{"subject": "a", "data": {"lines": [{"sku": "a", "lot": "L1", "quantity": 3, "version": 4, "on_hand": 5, "reserved": 2, "available": 0, "lot_on_hand": 5, "lot_reserved": 2}]}}], "next": null}
        POST /v1/reservations/r/capture {} -> 200
        POST /v1/items/a/adjustments {"id": "m2", "delta": -3, "reason": "spoiled"} -> 201
        DELETE /v1/items/a -> 204
        GET /v1/events?type=item.removed -> 200 {"events": [{"subject": "a", "data": {"lines": [{"sku": "a", "version": 7, "on_hand": 0, "reserved": 0}]}}]}
        "#,
    );
}

#[test]
fn pages_hold_every_event_once_and_without_a_gap() {
    let mut server = Server::start();
    http_check(&mut server, LIFE);
    let mut http = Http::connect(&server);
    let log = all(&mut http, 1_000);
    let mut sources: Vec<_> = log.iter().map(|event| event["source"].as_str().expect("a source").to_owned()).collect();
    sources.dedup();
    assert_eq!(sources.len(), 1, "the source names the log");
    let mut time = i64::MIN;
    for (place, event) in log.iter().enumerate() {
        assert_eq!(sequence(event), place as u64 + 1, "bookkeeping included: {event}");
        assert_eq!(event["specversion"], "1.0");
        assert!(event["type"].as_str().is_some_and(|kind| kind.contains('.')), "{event}");
        let at = event["time"].as_str().and_then(unix_ms_of).unwrap_or_else(|| panic!("a time: {event}"));
        assert!(at >= time, "the shard's time never goes backwards");
        time = at;
    }
    assert!(log.iter().any(|event| event["type"] == "log.opened"));
    for limit in [1, 3, 7] {
        let pages = all(&mut http, limit);
        assert_eq!(pages[..log.len()], log[..], "pages of {limit}");
    }
    // `after` is exclusive, the first event is 1.
    assert_eq!(sequence(&rows(&http.json("/v1/events?limit=1&after=0"))[0]), 1);
    assert_eq!(sequence(&rows(&http.json("/v1/events?limit=1&after=1"))[0]), 2);
    let last = all(&mut http, 1_000).len();
    let end = http.json(&format!("/v1/events?after={last}"));
    assert_eq!((rows(&end).len(), cursor(&end)), (0, None), "{end}");
    assert_eq!(http.get("/v1/events?shard=0&limit=1").status, 200);
}

#[test]
fn a_log_reads_the_same_after_a_restart() {
    let mut server = Server::start();
    http_check(&mut server, LIFE);
    let before = all(&mut Http::connect(&server), 1_000);
    server.kill();
    server.start_again();
    let after = all(&mut Http::connect(&server), 1_000);
    assert_eq!(after[..before.len()], before[..]);
    for (place, event) in after.iter().enumerate() {
        assert_eq!(sequence(event), place as u64 + 1);
    }
}

#[test]
fn filters_leave_out_what_they_do_not_name() {
    let mut server = Server::start();
    http_check(&mut server, LIFE);
    let mut http = Http::connect(&server);
    let log = all(&mut http, 1_000);
    for (query, name, value) in [
        ("type=item.received", "type", "item.received"),
        ("type=reservation.released", "type", "reservation.released"),
        ("subject=a", "subject", "a"),
        ("subject=r", "subject", "r"),
    ] {
        let wanted: Vec<_> = log.iter().filter(|event| event[name] == value).cloned().collect();
        assert!(!wanted.is_empty());
        // Pages of one, so that every cursor is used.
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = http.json(&format!("/v1/events?{query}&limit=1{after}"));
            seen.extend(rows(&page).iter().cloned());
            let Some(next) = cursor(&page) else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen, wanted, "{query}");
    }
    let both = http.json("/v1/events?type=reservation.captured&subject=q");
    assert_eq!(rows(&both).len(), 1);
    assert!(rows(&http.json("/v1/events?type=item.exploded")).is_empty());
    assert!(rows(&http.json("/v1/events?subject=nosuch")).is_empty());
}

#[test]
fn an_item_s_history_is_its_events_newest_first() {
    let mut server = Server::start();
    http_check(&mut server, LIFE);
    let mut http = Http::connect(&server);
    let touches = |event: &&Value| {
        event["data"]["lines"].as_array().is_some_and(|lines| lines.iter().any(|line| line["sku"] == "a"))
            && event["type"] != "reservation.extended"
    };
    let mut wanted: Vec<_> = all(&mut http, 1_000).iter().filter(touches).cloned().collect();
    wanted.reverse();
    assert_eq!(wanted.len(), 8, "{wanted:?}");
    let page = http.json("/v1/items/a/history?limit=1000");
    assert_eq!(rows(&page), wanted, "the same events as the log's");
    assert_eq!(cursor(&page), None);
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = http.json(&format!("/v1/items/a/history?limit=3{before}"));
        assert!(rows(&page).len() <= 3);
        seen.extend(rows(&page).iter().cloned());
        let Some(next) = cursor(&page) else { break };
        before = format!("&before={next}");
    }
    assert_eq!(seen, wanted);
    // The cursor is a sequence, and exclusive.
    let third = sequence(&wanted[2]);
    assert_eq!(rows(&http.json(&format!("/v1/items/a/history?before={third}&limit=1")))[0], wanted[3]);
    // Walking back by hand, by `previous`, is the same way.
    for pair in wanted.windows(2) {
        let line = pair[0]["data"]["lines"].as_array().and_then(|lines| lines.iter().find(|line| line["sku"] == "a"));
        assert_eq!(line.expect("a line")["previous"].as_u64(), Some(sequence(&pair[1])));
    }
    let answer = http.get("/v1/items/nosuch/history");
    assert_eq!(problem(&answer).expect("a problem")["code"], "not_found");
}

/// The figures of an item that events carry.
const FIGURES: [&str; 8] =
    ["version", "on_hand", "reserved", "available", "received", "removed", "returned", "captured"];

#[test]
fn a_mirror_needs_nothing_but_events() {
    let mut server = Server::start();
    let mut client = server.connect();
    for sku in 0..8 {
        client.say(&format!("RECEIVE s{sku} 1000 ID m1"));
        client.say(&format!("RECEIVE s{sku} 1000 ID m2 LOT L EXPIRES 4000000000000"));
    }
    let mut commands = Vec::new();
    for n in 0..400_u32 {
        let (one, other) = (n % 8, (n * 7 + 3) % 8);
        let ttl = if n % 9 == 0 { 20 } else { 600_000 };
        commands.push(format!("RESERVE r{n} {ttl} 2 s{one} {} s{other} 2 FOR h{}", n % 5 + 1, n % 3));
        match n % 6 {
            0 => commands.push(format!("CAPTURE r{n} 1 s{one} 1 ID c")),
            1 => commands.push(format!("CAPTURE r{n}")),
            2 => commands.push(format!("RELEASE r{n}")),
            3 => commands.push(format!("ADJUST s{one} -1 REASON lost ID a{n}")),
            4 => commands.push(format!("EXTEND r{n} 700000")),
            _ => commands.extend([format!("CAPTURE r{n}"), format!("RETURN r{n} 1 s{other} 1 ID t")]),
        }
    }
    client.pipeline(&commands.iter().map(|command| encoded(command)).collect::<Vec<_>>());
    server.kill();
    server.start_again();
    let mut http = Http::connect(&server);
    let mut mirror: BTreeMap<String, Value> = BTreeMap::new();
    let mut states: BTreeMap<String, Value> = BTreeMap::new();
    for event in all(&mut http, 97) {
        let data = &event["data"];
        for line in data["lines"].as_array().into_iter().flatten().filter(|line| line["version"].is_u64()) {
            let sku = line["sku"].as_str().expect("a sku").to_owned();
            let version = |line: &Value| line["version"].as_u64().expect("a version");
            let known = mirror.get(&sku).map_or(0, version);
            // Several lines of one event show one version.
            assert!(version(line) == known || version(line) == known + 1, "no gap: {known}, then {line}");
            mirror.insert(sku, line.clone());
        }
        if let Some(id) = data["reservation"].as_str() {
            let known = states.get(id).map_or(0, |data| data["version"].as_u64().expect("a version"));
            assert_eq!(data["version"].as_u64(), Some(known + 1), "{event}");
            states.insert(id.to_owned(), data.clone());
        }
    }
    assert_eq!((mirror.len(), states.len()), (8, 400));
    for (sku, line) in &mirror {
        let item = http.json(&format!("/v1/items/{sku}"));
        for name in FIGURES {
            assert_eq!(item[name], line[name], "{name} of {sku}");
        }
    }
    for (id, data) in &states {
        let record = http.json(&format!("/v1/reservations/{id}"));
        for name in ["state", "version", "holder", "tombstone", "created_at", "expires_at"] {
            assert_eq!(record[name], data[name], "{name} of {id}");
        }
        assert_eq!(data["complete"], record["state"] != "held", "{id}");
    }
}
