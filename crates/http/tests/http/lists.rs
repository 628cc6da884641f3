//! Lists over HTTP: pages, cursors, filters; items as new as what was written before.

use crate::support::{Server, start};
use serde_json::Value;

fn names(page: &Value, of: &str, name: &str) -> Vec<String> {
    let records = page[of].as_array().expect("a page");
    records.iter().map(|record| record[name].as_str().expect("a name").to_owned()).collect()
}

fn items(server: &Server, query: &str) -> (Vec<String>, Option<String>) {
    let page = server.ask("GET", &format!("/v1/items{query}"), "");
    assert_eq!(page.status, 200, "{page:?}");
    let page = page.json();
    (names(&page, "items", "sku"), page["next"].as_str().map(str::to_owned))
}

fn shop(skus: &[&str]) -> Server {
    let server = start();
    let mut client = server.connect();
    for sku in skus {
        let path = format!("/v1/items/{}/receipts", sku.replace('/', "%2F"));
        assert_eq!(client.ask("POST", &path, r#"{"id":"m","quantity":100}"#).status, 201);
    }
    server
}

#[test]
fn items_are_listed_by_sku_from_a_prefix_or_by_name() {
    let server = shop(&["b", "a", "b/2", "b/1", "수문", "c"]);
    assert_eq!(items(&server, "").0, ["a", "b", "b/1", "b/2", "c", "수문"]);
    assert_eq!(items(&server, "?prefix=b").0, ["b", "b/1", "b/2"]);
    assert_eq!(items(&server, "?prefix=b%2F").0, ["b/1", "b/2"]);
    assert_eq!(items(&server, "?sku=c&sku=nope&sku=a&sku=c").0, ["a", "c"]);
    assert_eq!(items(&server, "?sku=c&sku=b/1&prefix=b").0, ["b/1"]);
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let (page, next) = items(&server, &format!("?limit=2{after}"));
        assert!(page.len() <= 2);
        all.extend(page);
        let Some(next) = next else { break };
        after = format!("&after={next}");
    }
    assert_eq!(all, ["a", "b", "b/1", "b/2", "c", "수문"]);
    let (first, next) = items(&server, "?sku=c&sku=a&sku=b&limit=2");
    assert_eq!(
        (first, items(&server, &format!("?sku=c&sku=a&sku=b&after={}", next.expect("more"))).0),
        (vec!["a".into(), "b".into()], vec!["c".to_owned()])
    );
    let zero = r#"{"id":"z","delta":-100,"reason":"gone"}"#;
    assert_eq!(server.ask("POST", "/v1/items/b/adjustments", zero).status, 201);
    assert_eq!(server.ask("DELETE", "/v1/items/b", "").status, 204);
    assert_eq!(items(&server, "?prefix=b").0, ["b/1", "b/2"], "what is hidden is not listed");
}

#[test]
fn an_empty_server_has_an_empty_page() {
    let server = start();
    assert_eq!(items(&server, ""), (vec![], None));
}

#[test]
fn a_page_of_items_shows_what_was_written_just_before() {
    let server = shop(&["x"]);
    let mut client = server.connect();
    for n in 0..20 {
        assert_eq!(client.ask("PUT", &format!("/v1/items/n{n:02}"), "{}").status, 200);
        assert_eq!(client.ask("POST", "/v1/items/x/receipts", &format!(r#"{{"id":"{n}","quantity":1}}"#)).status, 201);
        let page = client.ask("GET", "/v1/items?limit=1000", "").json();
        assert_eq!(names(&page, "items", "sku").len(), n + 2);
        assert_eq!(page["items"][n + 1]["on_hand"], 101 + n);
    }
}

#[test]
fn open_reservations_are_listed_by_item_by_holder_by_both_and_all() {
    let server = shop(&["a", "b"]);
    let mut client = server.connect();
    for (id, holder, sku) in [("r1", "h", "a"), ("r2", "i", "a"), ("r3", "h", "b"), ("r4", "h", "a")] {
        let body =
            format!(r#"{{"id":"{id}","holder":"{holder}","ttl_ms":60000,"lines":[{{"sku":"{sku}","quantity":1}}]}}"#);
        assert_eq!(client.ask("POST", "/v1/reservations", &body).status, 201);
    }
    let mut list = |query: &str| {
        let page = client.ask("GET", &format!("/v1/reservations{query}"), "").json();
        (names(&page, "reservations", "id"), page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(list("?sku=a").0, ["r1", "r2", "r4"]);
    assert_eq!(list("?holder=h&state=held").0, ["r1", "r3", "r4"]);
    assert_eq!(list("?holder=h&sku=a").0, ["r1", "r4"]);
    assert_eq!(list("?holder=none").0, Vec::<String>::new());
    let mut all = list("").0;
    all.sort();
    assert_eq!(all, ["r1", "r2", "r3", "r4"]);
    let (first, next) = list("?sku=a&limit=2");
    assert_eq!(first, ["r1", "r2"]);
    assert_eq!(list(&format!("?sku=a&limit=2&after={}", next.expect("more"))), (vec!["r4".into()], None));
    assert_eq!(server.ask("POST", "/v1/reservations/r1/capture", "").status, 200);
    let short = r#"{"id":"due","ttl_ms":1,"lines":[{"sku":"a","quantity":1}]}"#;
    assert_eq!(server.ask("POST", "/v1/reservations", short).status, 201);
    std::thread::park_timeout(std::time::Duration::from_millis(5));
    assert_eq!(list("?sku=a").0, ["r2", "r4"], "what has ended or is due is left out");
}

#[test]
fn cursors_limits_and_states_that_are_none_are_refused() {
    let server = shop(&["a"]);
    let mut client = server.connect();
    for path in [
        "/v1/items?after=xyz",
        "/v1/items?after=6",
        "/v1/items?after=FF",
        "/v1/items?after=ff",
        "/v1/items?after=",
        "/v1/items?limit=0",
        "/v1/items?limit=1001",
        "/v1/items?limit=01",
        "/v1/items?prefix=a%20b",
        "/v1/items?sku=",
        "/v1/reservations?after=61",
        "/v1/reservations?after=b1.2",
        "/v1/reservations?after=i",
        "/v1/reservations?sku=a&after=i61",
        "/v1/reservations?after=b1.2.3",
        "/v1/reservations?state=captured",
        "/v1/reservations?state=",
        "/v1/reservations?sku=a&sku=a",
        "/v1/reservations?holder=",
        "/v1/reservations?x",
    ] {
        assert_eq!(client.ask("GET", path, "").said(), "400 invalid", "{path}");
    }
}

#[test]
fn long_pages_leave_packed_for_who_takes_them_so() {
    use std::io::Read as _;
    let skus: Vec<String> = (0..300).map(|n| format!("sku-{n:04}")).collect();
    let server = shop(&skus.iter().map(String::as_str).collect::<Vec<_>>());
    let mut client = server.connect();
    let plain = client.ask("GET", "/v1/items?limit=1000", "");
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    let packed = client.ask_with("GET", "/v1/items?limit=1000", "accept-encoding: br, gzip\r\n", "");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() * 10 < plain.body.len());
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut text).expect("gzip");
    assert_eq!(text, plain.body);
    let short = client.ask_with("GET", "/v1/items/sku-0001", "accept-encoding: gzip\r\n", "");
    assert_eq!(short.header("content-encoding"), None);
}
