//! The book's reference beside the real thing: each error and each metric that there is, and none that there is not. What
//! is missing is printed as the row to be added.

use super::markdown::rows;
use super::root;
use super::support::{Http, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use sumun_http::ProblemCode;
use sumun_wire::Code;

fn page(name: &str) -> String {
    let path = root().join("docs/book/reference").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The ledger's codes as RESP and HTTP say them.
const BOTH: [(Code, ProblemCode); 12] = [
    (Code::Invalid, ProblemCode::Invalid),
    (Code::NotFound, ProblemCode::NotFound),
    (Code::IdConflict, ProblemCode::IdConflict),
    (Code::Conflict, ProblemCode::Conflict),
    (Code::Expired, ProblemCode::Expired),
    (Code::Captured, ProblemCode::AlreadyCaptured),
    (Code::Released, ProblemCode::AlreadyReleased),
    (Code::Limit, ProblemCode::LimitExceeded),
    (Code::Insufficient, ProblemCode::InsufficientStock),
    (Code::Exceeds, ProblemCode::Exceeds),
    (Code::Overloaded, ProblemCode::Overloaded),
    (Code::ReadOnly, ProblemCode::ReadOnly),
];

/// First words of RESP's errors that are not the ledger's.
const OF_RESP: [&str; 8] = ["LOADING", "NOAUTH", "NOPERM", "WRONGPASS", "NOPROTO", "EXECABORT", "CROSSSLOT", "ERR"];

/// The codes that the running server's description names.
fn described() -> BTreeSet<String> {
    let server = Server::start();
    let whole = Http::connect(&server).json("/openapi.json");
    let schema = &whole["components"]["schemas"]["ProblemCode"];
    let words = schema["enum"].as_array().or_else(|| schema["oneOf"].as_array()).expect("`ProblemCode` is a list");
    words.iter().map(|word| word.as_str().or(word["const"].as_str()).expect("a word").to_owned()).collect()
}

/// A row is: RESP's first word, HTTP's code, status, whether the same request may pass in a moment, meaning, what to do.
#[test]
fn every_error_is_explained() {
    let ours: BTreeSet<String> = ProblemCode::ALL.iter().map(|code| code.word().to_owned()).collect();
    assert_eq!(described(), ours, "/openapi.json has all of them");
    let page = page("errors.md");
    let mut flaws = Vec::new();
    let rows = rows(&page, "RESP");
    for code in ProblemCode::ALL {
        let word = BOTH.iter().find(|(_, http)| *http == code).map_or("–", |(resp, _)| resp.word());
        let word = if code == ProblemCode::Loading { "LOADING" } else { word };
        let word = if code == ProblemCode::Unauthorized { "NOAUTH" } else { word };
        let word = if code == ProblemCode::Forbidden { "NOPERM" } else { word };
        let retryable = if code.status().as_u16() == 503 { "yes" } else { "no" };
        let expected = [word, code.word(), code.status().as_str(), retryable].map(str::to_owned);
        let found: Vec<_> = rows.iter().filter(|row| row.get(1).is_some_and(|cell| cell == code.word())).collect();
        match found[..] {
            [row] if row.len() == 6 && row[..4] == expected => {}
            [row] => flaws.push(format!("{row:?} is not {expected:?}, what it means, what to do")),
            _ => flaws.push(format!(
                "{} rows: | `{word}` | `{}` | {} | {retryable} | | |",
                found.len(),
                code.word(),
                expected[2]
            )),
        }
    }
    for row in &rows {
        if row[1] != "–" && !ours.contains(&row[1]) {
            flaws.push(format!("there is no `{}`", row[1]));
        }
    }
    for (resp, _) in BOTH {
        assert_eq!(resp.retryable(), matches!(resp, Code::Overloaded | Code::ReadOnly));
    }
    let words: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    flaws.extend(OF_RESP.iter().filter(|word| !words.contains(*word)).map(|word| format!("no row for `{word}`")));
    assert!(flaws.is_empty(), "docs/book/reference/errors.md:\n  {}", flaws.join("\n  "));
}

/// Each metric's type and unit, as the running server tells them.
fn told() -> BTreeMap<String, (String, String, String)> {
    let server = Server::start();
    let mut client = server.connect();
    // So that what is counted by code and by route is there.
    client.say("CAPTURE nosuch");
    let mut http = Http::connect(&server);
    http.get("/v1/items");
    let text = String::from_utf8(http.get("/metrics").body).expect("text");
    let mut found: BTreeMap<String, (String, String, String)> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let (Some("#"), Some(kind), Some(name), Some(rest)) = (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let of = found.entry(name.to_owned()).or_default();
        match kind {
            "TYPE" => of.0 = rest.to_owned(),
            "UNIT" => of.1 = rest.to_owned(),
            "HELP" => of.2 = rest.to_owned(),
            _ => {}
        }
    }
    found
}

/// A row is: name as it is scraped, type, unit, meaning, when to worry.
#[test]
fn every_metric_is_explained() {
    let page = page("metrics.md");
    let rows = rows(&page, "metric");
    let mut missing = Vec::new();
    let mut flaws = Vec::new();
    let mut there = BTreeSet::new();
    for (name, (kind, unit, help)) in told() {
        let scraped = if kind == "counter" { format!("{name}_total") } else { name.clone() };
        let unit = match unit.as_str() {
            "" if name.ends_with("_bytes") => "bytes",
            "" => "–",
            unit => unit,
        };
        let found: Vec<_> = rows.iter().filter(|row| row[0] == scraped).collect();
        match found[..] {
            [row] if row.len() == 5 && row[1] == kind && row[2] == unit && !row[3].is_empty() => {}
            [row] => flaws.push(format!("{row:?}: it is a {kind} in {unit}")),
            [] => missing.push(format!("| `{scraped}` | {kind} | {unit} | {} | |", help.trim_end_matches('.'))),
            _ => flaws.push(format!("{scraped} has {} rows", found.len())),
        }
        there.insert(scraped);
    }
    let gone: Vec<_> =
        rows.iter().filter(|row| !there.contains(&row[0])).map(|row| format!("there is no {}", row[0])).collect();
    flaws.extend(gone);
    assert!(
        missing.is_empty() && flaws.is_empty(),
        "docs/book/reference/metrics.md\n{}\nrows to add, to be completed by when to worry:\n{}\n",
        flaws.join("\n"),
        missing.join("\n")
    );
}
