//! Conversations over HTTP as text, a line a step. What is no HTTP request is a step of the RESP scripts, on the same
//! server: both see the same records.
//!
//! ```text
//! PUT /v1/items/a {"safety_stock": 1} -> 200|201             a body is the rest of the line; one of these statuses
//! GET /v1/items/a -> 200 {"on_hand": 10, "lots": []}         a subset: more names are no error, more rows are
//! POST /v1/reservations [Idempotency-Key: r] {…} -> 200 replayed {"state": "held"}
//! GET /v1/items/nosuch -> 404 not_found                      an error: its code, `|` between alternatives
//! DELETE /v1/events -> 405 method_not_allowed [Allow: *GET*] a header of the answer
//! GET /v1/items/a -> 200 {"version": ":=v"}                  keeps a value; `$v`, `$v+1` stand for it later
//! POST … {"expires_at": "now+5000"} -> 201 {"lots": [{"expires_at": "now+5000"}]}   times, near that moment
//! eventually GET … | wait 30ms | restart | kill | reconnect | ITEM a -> on_hand=10
//! ```
//! In what is expected, `*` in a string stands for any text, `"?"` for anything that is there, `"int"` for an integer,
//! `"len:3"` for an array of three. Every answer is judged as a whole, too: an error is a problem with all its members,
//! and `Idempotency-Replayed` stands where `replayed` is expected and nowhere else.

use super::http::{Answer, Http};
use super::script::{Script, glob};
use super::{Server, world};
use serde_json::Value;
use std::collections::BTreeMap;

const EVENTUALLY_MS: u64 = 2_000;
/// How far a time may lie from `now+…`: the test's clock is read after the answer.
const NEAR_MS: i64 = 2_000;
const METHODS: [&str; 7] = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"];

/// Codes and their statuses, as the contract names them.
const CODES: [(&str, u16); 20] = [
    ("invalid", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("insufficient_stock", 409),
    ("limit_exceeded", 409),
    ("exceeds", 409),
    ("id_conflict", 409),
    ("conflict", 409),
    ("expired", 409),
    ("already_captured", 409),
    ("already_released", 409),
    ("trimmed", 410),
    ("too_large", 413),
    ("unsupported_media_type", 415),
    ("overloaded", 503),
    ("loading", 503),
    ("read_only", 503),
    ("", 0),
];

/// A script on a fresh server.
pub(crate) fn http(text: &str) {
    http_check(&mut Server::start(), text);
}

pub(crate) fn http_check(server: &mut Server, text: &str) {
    let mut script = HttpScript { resp: Script::new(server), http: None, kept: BTreeMap::new() };
    let mut failures = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Err(why) = script.step(line) {
            failures.push(format!("  {line}\n      {why}"));
        }
    }
    assert!(failures.is_empty(), "{} steps failed:\n{}", failures.len(), failures.join("\n"));
}

/// An error is a problem with all the members that the contract promises; gives them.
pub(crate) fn problem(answer: &Answer) -> Result<Value, String> {
    if answer.media_type() != "application/problem+json" {
        return Err(format!("an error is a problem, not {:?}", answer.media_type()));
    }
    let problem: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    for name in ["type", "title", "detail", "code"] {
        if problem[name].as_str().is_none_or(str::is_empty) {
            return Err(format!("a problem has a `{name}`"));
        }
    }
    let code = problem["code"].as_str().unwrap_or_default();
    if problem["status"] != answer.status || !CODES.contains(&(code, answer.status)) {
        return Err(format!("`{code}` and status {} do not belong together", problem["status"]));
    }
    let passes = answer.status == 503;
    if problem["retryable"] != passes {
        return Err(format!("`retryable` must be {passes}"));
    }
    if passes && !(problem["retry_after_ms"].is_u64() && answer.header("Retry-After").is_some()) {
        return Err("what may be asked again says when".into());
    }
    Ok(problem)
}

struct HttpScript<'a> {
    resp: Script<'a>,
    http: Option<Http>,
    kept: BTreeMap<String, Value>,
}

impl HttpScript<'_> {
    fn step(&mut self, line: &str) -> Result<(), String> {
        let first = line.split_whitespace().next().unwrap_or_default();
        if first == "eventually" && is_http(line.trim_start_matches("eventually").trim()) {
            let rest = line.trim_start_matches("eventually").trim();
            let mut last = String::new();
            let passed = world::eventually(EVENTUALLY_MS, || match self.exchange(rest) {
                Ok(()) => Some(()),
                Err(why) => {
                    last = why;
                    None
                }
            });
            return passed.ok_or(last);
        }
        if is_http(line) {
            return self.exchange(line);
        }
        if ["restart", "kill", "reconnect"].contains(&first) {
            self.http = None;
        }
        self.resp.step(line)
    }

    fn exchange(&mut self, line: &str) -> Result<(), String> {
        let (request, expected) = line.rsplit_once(" -> ").ok_or("a step is `request -> answer`")?;
        let request = moments(&self.expand(request)?)?;
        let expected = self.expand(expected)?;
        let (method, rest) = request.split_once(' ').ok_or("`METHOD path`")?;
        let (path, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (headers, body) = headers(rest);
        let body = (!body.is_empty()).then_some(body);
        let http = self.http.get_or_insert_with(|| Http::connect(self.resp.server));
        let answer = http.call(method, path, &headers, body);
        if answer.is_last() {
            self.http = None;
        }
        self.judge(&answer, expected.trim()).map_err(|why| format!("{why}\n      {answer}"))
    }

    fn judge(&mut self, answer: &Answer, expected: &str) -> Result<(), String> {
        let (statuses, rest) = expected.split_once(' ').unwrap_or((expected, ""));
        if !statuses.split('|').any(|status| status == answer.status.to_string()) {
            return Err("another status".into());
        }
        let at = rest.find(['{', '"']).unwrap_or(rest.len());
        let (mut words, json) = rest.split_at(at);
        let mut replayed = false;
        let mut codes = None;
        while let Some(word) = words.split_whitespace().next() {
            if let Some(header) = words.trim_start().strip_prefix('[') {
                let (header, after) = header.split_once(']').ok_or("`[` without `]`")?;
                let (name, wanted) = header.split_once(':').ok_or("`[Name: value]`")?;
                let seen = answer.header(name).ok_or_else(|| format!("no header `{name}`"))?;
                if !glob(wanted.trim(), seen) {
                    return Err(format!("the header `{name}` is {seen:?}"));
                }
                words = after;
                continue;
            }
            match word {
                "replayed" => replayed = true,
                _ => codes = Some(word.to_owned()),
            }
            words = words.trim_start().strip_prefix(word).unwrap_or_default();
        }
        if answer.header("Idempotency-Replayed").is_some_and(|value| value == "true") != replayed {
            return Err("`Idempotency-Replayed` is where a replay is".into());
        }
        if answer.status >= 400 {
            let problem = problem(answer)?;
            let code = problem["code"].as_str().unwrap_or_default();
            if codes.is_some_and(|codes| !codes.split('|').any(|one| one == code)) {
                return Err("another code".into());
            }
        }
        if json.is_empty() {
            return Ok(());
        }
        if answer.status < 400 && answer.media_type() != "application/json" {
            return Err(format!("JSON is sent as {:?}", answer.media_type()));
        }
        let wanted: Value = serde_json::from_str(json).map_err(|error| format!("what is expected: {error}"))?;
        let seen: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        self.fits("", &wanted, &seen)
    }

    fn fits(&mut self, path: &str, wanted: &Value, seen: &Value) -> Result<(), String> {
        let other = || Err(format!("`{path}` is {seen}, not {wanted}"));
        match (wanted, seen) {
            (Value::Object(wanted), Value::Object(seen)) => wanted.iter().try_for_each(|(name, value)| {
                let path = format!("{path}.{name}");
                let seen = seen.get(name).ok_or_else(|| format!("no `{path}`"))?;
                self.fits(&path, value, seen)
            }),
            (Value::Array(wanted), Value::Array(seen)) if wanted.len() == seen.len() => (0..wanted.len())
                .try_for_each(|place| self.fits(&format!("{path}.{}", place + 1), &wanted[place], &seen[place])),
            (Value::String(pattern), _) => {
                if let Some(name) = pattern.strip_prefix(":=") {
                    if let Some(number) = seen.as_i64() {
                        self.resp.kept.insert(name.to_owned(), number);
                    }
                    self.kept.insert(name.to_owned(), seen.clone());
                    return Ok(());
                }
                if stands_for(pattern, seen) { Ok(()) } else { other() }
            }
            _ if wanted == seen => Ok(()),
            _ => other(),
        }
    }

    /// `$name` and `$name+1`, of what was kept by either kind of step.
    fn expand(&self, text: &str) -> Result<String, String> {
        let mut parts = text.split('$');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            let number = self.resp.kept.get(name).map(|number| Value::from(*number));
            let value = self.kept.get(name).cloned().or(number).ok_or_else(|| format!("nothing kept as `{name}`"))?;
            match (rest.strip_prefix('+'), value.as_i64()) {
                (Some(after), Some(number)) => {
                    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
                    let more: i64 = after[..digits].parse().map_err(|_| "`$name+1`")?;
                    out.push_str(&format!("{}{}", number + more, &after[digits..]));
                }
                _ => out.push_str(&format!("{}{rest}", value.as_str().map_or(value.to_string(), str::to_owned))),
            }
        }
        Ok(out)
    }
}

fn is_http(line: &str) -> bool {
    let mut words = line.split_whitespace();
    words.next().is_some_and(|word| METHODS.contains(&word)) && words.next().is_some_and(|word| word.starts_with('/'))
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// `[Name: value]` any number of times, then the body.
fn headers(mut rest: &str) -> (Headers<'_>, &str) {
    let mut headers = Vec::new();
    // A body may be an array: a header has a name before its colon and no quote in it.
    while let Some((header, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        match header.split_once(':') {
            Some((name, value)) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                headers.push((name, value.trim()));
                rest = after.trim_start();
            }
            _ => break,
        }
    }
    (headers, rest)
}

fn stands_for(pattern: &str, seen: &Value) -> bool {
    let rows = |count: &str| seen.as_array().is_some_and(|rows| rows.len().to_string() == count);
    match pattern {
        "?" => true,
        "int" => seen.is_i64() || seen.is_u64(),
        _ if pattern.starts_with("len:") => rows(&pattern[4..]),
        _ if offset(pattern).is_some() => {
            let at = offset(pattern).unwrap_or_default() + world::unix_ms();
            seen.as_str().and_then(unix_ms_of).is_some_and(|seen| (seen - at).abs() < NEAR_MS)
        }
        _ => seen.as_str().is_some_and(|seen| glob(pattern, seen)),
    }
}

fn offset(pattern: &str) -> Option<i64> {
    let rest = pattern.strip_prefix("now")?;
    if rest.is_empty() { Some(0) } else { rest.parse().ok() }
}

/// `"now+5000"` in a request is that moment in RFC 3339.
fn moments(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\"now") {
        let end = rest[at + 1..].find('"').ok_or("a quote is not closed")? + at + 1;
        out.push_str(&rest[..=at]);
        match offset(&rest[at + 1..end]) {
            Some(offset) => out.push_str(&rfc3339(world::unix_ms() + offset)),
            None => out.push_str(&rest[at + 1..end]),
        }
        rest = &rest[end..];
    }
    Ok(out + rest)
}

/// A time as the contract says that it leaves: `Z`, milliseconds.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    let (days, ms) = (unix_ms.div_euclid(86_400_000), unix_ms.rem_euclid(86_400_000));
    // Days to a civil date, counted from the first of March of the year 0 in eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let (s, ms) = (ms / 1_000, ms % 1_000);
    format!("{:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}.{ms:03}Z", era * 400 + year, s / 3_600, s / 60 % 60, s % 60)
}

/// The moment that such a time names; `None` for every other form.
pub(crate) fn unix_ms_of(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let form = b"0000-00-00T00:00:00.000Z";
    let fits = |(seen, form): (&u8, &u8)| if *form == b'0' { seen.is_ascii_digit() } else { seen == form };
    if bytes.len() != form.len() || !bytes.iter().zip(form).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().ok();
    let (year, month, date) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date - 1 - 719_468;
    let seconds = (days * 24 + number(11, 13)?) * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    Some(seconds * 1_000 + number(20, 23)?)
}

/// The rows of a page: its only array.
pub(crate) fn rows(page: &Value) -> &[Value] {
    let members = page.as_object().unwrap_or_else(|| panic!("a page is an object: {page}"));
    let arrays: Vec<&Vec<Value>> = members.values().filter_map(Value::as_array).collect();
    let [rows] = arrays[..] else { panic!("a page has one array: {page}") };
    rows
}

/// A page's `next` as a query writes it: a sequence or an opaque text.
pub(crate) fn cursor(page: &Value) -> Option<String> {
    match page.get("next").unwrap_or_else(|| panic!("a page has `next`: {page}")) {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        other @ (Value::Bool(_) | Value::Array(_) | Value::Object(_)) => panic!("no cursor: {other}"),
    }
}

#[test]
fn times_are_written_and_read_as_the_calendar_has_them() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_868_799_001, "2000-02-29T23:59:59.001Z"),
        (4_000_000_000_000, "2096-10-02T07:06:40.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ] {
        assert_eq!(rfc3339(ms), text);
        assert_eq!(unix_ms_of(text), Some(ms));
    }
    assert_eq!(unix_ms_of("1970-01-01T00:00:00Z"), None);
    assert_eq!(unix_ms_of("1970-01-01T00:00:00.000+00:00"), None);
}
