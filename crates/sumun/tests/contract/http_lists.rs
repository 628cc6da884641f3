//! Lists: pages, cursors and filters of items and of open reservations.

use super::support::http_script::{cursor, rows};
use super::support::{Http, Server, http, http_check, resp::encoded};
use serde_json::Value;
use std::collections::BTreeSet;

/// Goes through all pages of a list; no page is longer than asked for, none but the last is empty, nothing comes twice.
fn walk(http: &mut Http, path: &str, limit: usize, name: &str) -> Vec<String> {
    let join = if path.contains('?') { '&' } else { '?' };
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _page in 0..1_000 {
        let page = http.json(&format!("{path}{join}limit={limit}{after}"));
        let rows = rows(&page);
        assert!(rows.len() <= limit, "a page of {limit} has {} rows", rows.len());
        seen.extend(rows.iter().map(|row| row[name].as_str().unwrap_or_else(|| panic!("{name}: {row}")).to_owned()));
        let Some(next) = cursor(&page) else {
            let distinct: BTreeSet<_> = seen.iter().collect();
            assert_eq!(distinct.len(), seen.len(), "nothing comes twice: {seen:?}");
            return seen;
        };
        assert!(!rows.is_empty(), "a page before the last has rows");
        after = format!("&after={}", encode(&next));
    }
    panic!("a list without end");
}

/// A query's value: all but the unreserved characters as `%xx`.
fn encode(text: &str) -> String {
    let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|b| if safe(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

fn names(prefix: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| format!("{prefix}{n:03}")).collect()
}

/// 25 items, 60 open reservations of three holders over them, some ended.
fn shop() -> Server {
    let server = Server::start();
    let mut commands: Vec<String> = (0..20).map(|n| format!("RECEIVE s{n:03} 100 ID m1")).collect();
    commands.extend((0..5).map(|n| format!("RECEIVE t{n:03} 100 ID m1")));
    commands.extend((0..60).map(|n| format!("RESERVE r{n:03} 600000 1 s{:03} 1 FOR h{}", n % 4, n % 3)));
    commands.extend(["RESERVE two 600000 2 s000 1 t000 1 FOR h9", "RESERVE nobody 600000 1 t001 1"].map(String::from));
    commands.extend(["CAPTURE r000", "RELEASE r001", "CAPTURE r002 1 s002 1 ID c"].map(String::from));
    commands.push("RESERVE short 30 1 t002 1 FOR h0".to_owned());
    let commands: Vec<_> = commands.iter().map(|command| encoded(command)).collect();
    server.connect().pipeline(&commands);
    super::support::world::sleep_ms(40);
    server
}

#[test]
fn items_come_in_pages_each_once() {
    let server = shop();
    let mut http = Http::connect(&server);
    let all = [names("s", 0..20), names("t", 0..5)].concat();
    for limit in [1, 7, 25, 26, 1_000] {
        assert_eq!(sorted(walk(&mut http, "/v1/items", limit, "sku")), all, "pages of {limit}");
    }
    assert_eq!(sorted(walk(&mut http, "/v1/items?prefix=t", 2, "sku")), names("t", 0..5));
    assert_eq!(sorted(walk(&mut http, "/v1/items?prefix=s01", 3, "sku")), names("s", 10..20));
    assert_eq!(walk(&mut http, "/v1/items?prefix=s007", 3, "sku"), ["s007"]);
    assert!(walk(&mut http, "/v1/items?prefix=x", 3, "sku").is_empty());
    let picked = walk(&mut http, "/v1/items?sku=t001&sku=s003&sku=s019", 1_000, "sku");
    assert_eq!(sorted(picked), ["s003", "s019", "t001"]);
    assert_eq!(walk(&mut http, "/v1/items?sku=s003", 1, "sku"), ["s003"]);
    // A row is the whole record.
    let page = http.json("/v1/items?sku=s000");
    assert_eq!(rows(&page)[0], http.json("/v1/items/s000"));
    // The names of the contract, and no total that would cost a scan.
    assert!(page["items"].is_array() && page["next"].is_null(), "{page}");
}

#[test]
fn an_exactly_full_last_page_says_that_it_is_the_last() {
    let server = shop();
    let mut http = Http::connect(&server);
    let page = http.json("/v1/items?prefix=t&limit=5");
    assert_eq!((rows(&page).len(), cursor(&page)), (5, None), "{page}");
    let page = http.json("/v1/items?prefix=t&limit=4");
    assert_eq!(rows(&page).len(), 4);
    assert!(cursor(&page).is_some(), "{page}");
}

#[test]
fn a_prefix_and_a_sku_may_be_any_text() {
    http(
        r#"
        POST /v1/items/a%2Fb/receipts {"id": "m1", "quantity": 1} -> 201 {"sku": "a/b"}
        POST /v1/items/a%2Fc/receipts {"id": "m1", "quantity": 1} -> 201
        POST /v1/items/%EC%88%98%EB%AC%B8/receipts {"id": "m1", "quantity": 1} -> 201 {"sku": "수문"}
        POST /v1/items/a%26b%3D1/receipts {"id": "m1", "quantity": 1} -> 201 {"sku": "a&b=1"}
        GET /v1/items?prefix=a%2F -> 200 {"items": "len:2"}
        GET /v1/items?sku=a%2Fb&sku=%EC%88%98%EB%AC%B8 -> 200 {"items": "len:2"}
        GET /v1/items?prefix=%EC%88%98 -> 200 {"items": [{"sku": "수문"}], "next": null}
        GET /v1/items?sku=a%26b%3D1 -> 200 {"items": [{"sku": "a&b=1"}]}
        "#,
    );
}

#[test]
fn open_reservations_say_who_holds_what_until_when() {
    let server = shop();
    let mut http = Http::connect(&server);
    // All but the captured, the released, the wholly captured and the due one.
    let mut open = names("r", 3..60);
    open.extend(["nobody", "two"].map(String::from));
    let open = sorted(open);
    for limit in [1, 10, 59, 1_000] {
        assert_eq!(sorted(walk(&mut http, "/v1/reservations?state=held", limit, "id")), open, "pages of {limit}");
    }
    assert_eq!(sorted(walk(&mut http, "/v1/reservations", 13, "id")), open);
    let of = |wanted: &dyn Fn(usize) -> bool| {
        names("r", 3..60).into_iter().enumerate().filter(|(at, _)| wanted(at + 3)).map(|(_, id)| id).collect::<Vec<_>>()
    };
    assert_eq!(sorted(walk(&mut http, "/v1/reservations?state=held&holder=h1", 4, "id")), of(&|n| n % 3 == 1));
    assert_eq!(sorted(walk(&mut http, "/v1/reservations?state=held&sku=s002", 4, "id")), of(&|n| n % 4 == 2));
    let both = walk(&mut http, "/v1/reservations?state=held&sku=s001&holder=h2", 2, "id");
    assert_eq!(sorted(both), of(&|n| n % 4 == 1 && n % 3 == 2));
    // One of several lines is enough.
    assert_eq!(walk(&mut http, "/v1/reservations?state=held&sku=t000", 4, "id"), ["two"]);
    assert_eq!(walk(&mut http, "/v1/reservations?state=held&holder=h9", 4, "id"), ["two"]);
    assert!(walk(&mut http, "/v1/reservations?state=held&holder=nosuch", 4, "id").is_empty());
    assert!(walk(&mut http, "/v1/reservations?state=held&sku=t002", 4, "id").is_empty(), "a due one is left out");
    let page = http.json("/v1/reservations?state=held&holder=h9");
    assert_eq!(page["reservations"][0], http.json("/v1/reservations/two"), "a row is the whole record");
    assert!(page["next"].is_null(), "{page}");
}

#[test]
fn a_list_leaves_due_reservations_out_and_ends_none() {
    http(
        r#"
        POST /v1/items/a/receipts {"id": "m1", "quantity": 5} -> 201
        POST /v1/reservations {"id": "r", "ttl_ms": 500, "holder": "kim", "lines": [{"sku": "a", "quantity": 1}]} -> 201
        GET /v1/reservations?state=held -> 200 {"reservations": [{"id": "r", "state": "held", "holder": "kim"}], "next": null}
        wait 501ms
        GET /v1/reservations?state=held -> 200 {"reservations": [], "next": null}
        GET /v1/reservations?state=held&holder=kim -> 200 {"reservations": []}
        GET /v1/reservations?state=held&sku=a -> 200 {"reservations": []}
        "#,
    );
}

#[test]
fn what_changes_while_one_pages_neither_hides_nor_doubles_the_rest() {
    let mut server = shop();
    let mut http = Http::connect(&server);
    let first = http.json("/v1/reservations?state=held&limit=20");
    let seen: BTreeSet<String> = ids(&first);
    let after = encode(&cursor(&first).expect("there are more"));
    // Some of the first page end, and new ones come.
    let gone: Vec<_> = seen.iter().take(5).cloned().collect();
    for id in &gone {
        http_check(&mut server, &format!("POST /v1/reservations/{id}/release {{}} -> 200"));
    }
    http_check(&mut server, "RESERVE zzz 600000 1 t004 1 -> held");
    let rest: BTreeSet<_> =
        walk(&mut http, &format!("/v1/reservations?state=held&after={after}"), 1_000, "id").into_iter().collect();
    assert!(seen.is_disjoint(&rest), "none comes twice");
    let both: BTreeSet<_> = seen.union(&rest).cloned().collect();
    for id in names("r", 3..60) {
        assert!(both.contains(&id), "{id} was there all the time, or when its page was read");
    }
}

fn ids(page: &Value) -> BTreeSet<String> {
    rows(page).iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn a_limit_is_1_to_1000_everywhere() {
    let mut script = String::from("POST /v1/items/a/receipts {\"id\": \"m1\", \"quantity\": 5} -> 201\n");
    for list in ["/v1/items", "/v1/reservations", "/v1/events", "/v1/items/a/history"] {
        for good in ["1", "1000"] {
            script += &format!("GET {list}?limit={good} -> 200\n");
        }
        for bad in ["0", "1001", "-1", "%2B1", "01", "1.0", "1e2", "x", "", "18446744073709551617"] {
            script += &format!("GET {list}?limit={bad} -> 400 invalid {{\"detail\": \"*limit*\"}}\n");
        }
    }
    http(&script);
}

#[test]
fn unknown_and_doubled_parameters_are_refused_by_name() {
    let mut script = String::from("POST /v1/items/a/receipts {\"id\": \"m1\", \"quantity\": 5} -> 201\n");
    for list in ["/v1/items", "/v1/reservations", "/v1/events", "/v1/items/a/history"] {
        for (query, name) in [
            ("colour=red", "colour"),
            ("Limit=5", "Limit"),
            ("limit=5&offset=3", "offset"),
            ("limit=1&limit=1", "limit"),
        ] {
            script += &format!("GET {list}?{query} -> 400 invalid {{\"detail\": \"*{name}*\"}}\n");
        }
    }
    script += "
        GET /v1/items?before=5 -> 400 invalid {\"detail\": \"*before*\"}
        GET /v1/items/a/history?after=5 -> 400 invalid {\"detail\": \"*after*\"}
        GET /v1/events?before=5 -> 400 invalid {\"detail\": \"*before*\"}
        GET /v1/items?prefix=a&prefix=b -> 400 invalid {\"detail\": \"*prefix*\"}
        GET /v1/reservations?holder=a&holder=b -> 400 invalid {\"detail\": \"*holder*\"}
        GET /v1/items/a?fields=sku -> 400 invalid {\"detail\": \"*fields*\"}
        GET /v1/reservations/r?x=1 -> 400 invalid {\"detail\": \"*x*\"}
        PUT /v1/items/a?dry_run=true {} -> 400 invalid {\"detail\": \"*dry_run*\"}
        POST /v1/items/a/receipts?force=1 {\"id\": \"m2\", \"quantity\": 5} -> 400 invalid {\"detail\": \"*force*\"}
        POST /v1/reservations?wait=1 {\"id\": \"r\", \"ttl_ms\": 1000, \"lines\": [{\"sku\": \"a\", \"quantity\": 1}]} -> 400 invalid
        DELETE /v1/items/a?cascade=1 -> 400 invalid {\"detail\": \"*cascade*\"}
        GET /v1/items/a -> 200 {\"on_hand\": 5, \"reserved\": 0, \"version\": 2}
        GET /v1/events?after=-1 -> 400 invalid {\"detail\": \"*after*\"}
        GET /v1/events?after=x -> 400 invalid {\"detail\": \"*after*\"}
        GET /v1/events?after=1.5 -> 400 invalid
        GET /v1/events?shard=x -> 400 invalid
        GET /v1/items/a/history?before=x -> 400 invalid {\"detail\": \"*before*\"}
    ";
    http(&script);
}
