//! Scripts: a conversation with a server as text, a line a step, so that a test says what a client says and sees.
//!
//! ```text
//! RESERVE r1 10000 1 a 2 -> held                  state, and neither replayed nor a tombstone unless said
//! RESERVE r1 10000 1 a 2 -> held replayed
//! CAPTURE r2 -> -NOTFOUND*                        an error: `*` stands for anything, `|` between alternatives
//! ITEM a -> on_hand=10 lots=L1:5/2,null:5/0       fields; lots as lot:on_hand/reserved
//! RESERVATION r1 -> held lines=a:2/1/0/0/0        lines as sku:quantity/captured/released/expired/returned
//! RESERVATION r1 -> taken=L1:2+null:1             lots taken, `+` between lots, `,` between lines
//! EXTEND r1 $now+5 -> held expires_at:=t          keeps a figure; `$t+1` is that figure and one
//! eventually ITEM a -> available=10               asks again for up to two seconds
//! @b PING -> PONG                                 on another connection
//! hello 3 | wait 30ms | restart | kill | reconnect
//! ```
//! A line that begins with `#` is a comment. All lines are gone through, and every one that failed is shown.

use super::{Client, Server, Value, world};
use std::collections::BTreeMap;

const EVENTUALLY_MS: u64 = 2_000;
/// How far a time may lie from `now+…`: the test's clock is read after the reply.
const NEAR_MS: i64 = 2_000;

pub(crate) fn check(server: &mut Server, text: &str) {
    let mut script = Script::new(server);
    let mut failures = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Err(why) = script.step(line) {
            failures.push(format!("  {line}\n      {why}"));
        }
    }
    assert!(failures.is_empty(), "{} steps failed:\n{}", failures.len(), failures.join("\n"));
}

pub(crate) struct Script<'a> {
    pub(crate) server: &'a mut Server,
    protocol: &'static str,
    connections: BTreeMap<String, Client>,
    pub(crate) kept: BTreeMap<String, i64>,
}

impl Script<'_> {
    pub(crate) fn new(server: &mut Server) -> Script<'_> {
        Script { server, protocol: "2", connections: BTreeMap::new(), kept: BTreeMap::new() }
    }

    pub(crate) fn step(&mut self, line: &str) -> Result<(), String> {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["hello", "3"] => self.speak("3"),
            ["hello", "2"] => self.speak("2"),
            ["wait", time] => {
                let ms = time.strip_suffix("ms").and_then(|ms| ms.parse().ok()).ok_or("`wait` wants `30ms`")?;
                world::sleep_ms(ms);
            }
            ["reconnect"] => self.connections.clear(),
            ["restart"] => {
                let status = self.server.terminate();
                if !status.success() {
                    return Err(format!("SIGTERM ended the server with {status}"));
                }
                self.again();
            }
            ["kill"] => {
                self.server.kill();
                self.again();
            }
            ["eventually", ..] => {
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
            _ => return self.exchange(line),
        }
        Ok(())
    }

    fn speak(&mut self, protocol: &'static str) {
        self.protocol = protocol;
        self.connections.clear();
    }

    fn again(&mut self) {
        self.connections.clear();
        self.server.start_again();
    }

    fn exchange(&mut self, line: &str) -> Result<(), String> {
        let (command, expected) = line.rsplit_once(" -> ").ok_or("a step is `command -> reply`")?;
        let (connection, command) = match command.strip_prefix('@') {
            Some(rest) => rest.split_once(' ').ok_or("`@name command`")?,
            None => ("", command),
        };
        let words = split(&self.expand(command)?)?;
        let expected = self.expand(expected)?;
        let reply = self.connection(connection).call(&words);
        self.judge(&reply, expected.trim()).map_err(|why| format!("{why}\n      {reply}"))
    }

    fn connection(&mut self, name: &str) -> &mut Client {
        if !self.connections.contains_key(name) {
            let mut client = self.server.connect();
            if self.protocol == "3" {
                let hello = client.say("HELLO 3");
                assert!(matches!(hello, Value::Map(_)), "HELLO 3 was answered with {hello}");
            }
            self.connections.insert(name.to_owned(), client);
        }
        self.connections.get_mut(name).expect("it was just put there")
    }

    /// `$name`, `$name+5`, `$name-5`, where `$now` is the clock.
    fn expand(&self, text: &str) -> Result<String, String> {
        let mut parts = text.split('$');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
            let (name, mut rest) = part.split_at(end);
            let mut figure = match name {
                "now" => world::unix_ms(),
                _ => *self.kept.get(name).ok_or_else(|| format!("nothing was kept as `{name}`"))?,
            };
            for (sign, factor) in [('+', 1), ('-', -1)] {
                if let Some(after) = rest.strip_prefix(sign) {
                    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
                    figure += factor * after[..digits].parse::<i64>().map_err(|e| e.to_string())?;
                    rest = &after[digits..];
                }
            }
            out.push_str(&figure.to_string());
            out.push_str(rest);
        }
        Ok(out)
    }

    fn judge(&mut self, reply: &Value, expected: &str) -> Result<(), String> {
        if expected.starts_with('-') && matches!(reply, Value::Error(_)) {
            let text = reply.to_string();
            return if expected.split('|').any(|one| glob(one, &text)) { Ok(()) } else { Err("another error".into()) };
        }
        if matches!(reply, Value::Error(_)) {
            return Err("an error".into());
        }
        if let Some(name) = expected.strip_prefix(":=") {
            self.kept.insert(name.to_owned(), reply.integer());
            return Ok(());
        }
        if reply.entries().is_none() || expected == "*" {
            return if glob(expected, &reply.to_string()) { Ok(()) } else { Err("another reply".into()) };
        }
        expected.split_whitespace().try_for_each(|word| self.judge_word(reply, word))?;
        // A replay or a tombstone that nobody expected is a finding, so they are said where they are.
        for mark in ["replayed", "tombstone"] {
            let said = expected.split_whitespace().any(|word| word.split('=').next() == Some(mark));
            if !said && !matches!(reply.field(mark), None | Some(Value::Integer(0))) {
                return Err(format!("`{mark}` was not expected"));
            }
        }
        Ok(())
    }

    fn judge_word(&mut self, reply: &Value, word: &str) -> Result<(), String> {
        if let Some((path, name)) = word.split_once(":=") {
            let value = reply.field(path).ok_or_else(|| format!("no `{path}`"))?;
            self.kept.insert(name.to_owned(), value.integer());
            return Ok(());
        }
        let (path, wanted) = match word {
            "replayed" | "tombstone" => (word, "1"),
            _ => word.split_once('=').unwrap_or(("state", word)),
        };
        let seen = shown(reply, path).ok_or_else(|| format!("no `{path}`"))?;
        let fits = match wanted.strip_prefix("now") {
            Some(offset) => {
                let offset: i64 = if offset.is_empty() { 0 } else { offset.parse().map_err(|_| "`now+10`")? };
                let seen: i64 = seen.parse().map_err(|_| format!("`{path}` is not a time"))?;
                (seen - offset - world::unix_ms()).abs() < NEAR_MS
            }
            None => glob(wanted, &seen),
        };
        if fits { Ok(()) } else { Err(format!("`{path}` is {seen}")) }
    }
}

/// A field as scripts write it.
fn shown(reply: &Value, path: &str) -> Option<String> {
    let row = |row: &Value, names: &[&str]| {
        names.iter().map(|name| row.field(name).map_or("?".to_owned(), |v| v.to_string())).collect::<Vec<_>>()
    };
    match path {
        "lots" => Some(joined(reply.field("lots")?.rows(), ",", |lot| {
            let [lot, on_hand, reserved] = row(lot, &["lot", "on_hand", "reserved"]).try_into().expect("three names");
            format!("{lot}:{on_hand}/{reserved}")
        })),
        "lines" => Some(joined(reply.field("lines")?.rows(), ",", |line| {
            let figures = row(line, &["quantity", "captured", "released", "expired", "returned"]).join("/");
            format!("{}:{figures}", row(line, &["sku"]).concat())
        })),
        "taken" => Some(joined(reply.field("lines")?.rows(), ",", |line| {
            let taken = line.field("taken").unwrap_or(Value::Array(Vec::new()));
            joined(taken.rows(), "+", |lot| row(lot, &["lot", "quantity"]).join(":"))
        })),
        _ => reply.field(path).map(|value| value.to_string()),
    }
}

fn joined(rows: &[Value], between: &str, show: impl Fn(&Value) -> String) -> String {
    rows.iter().map(show).collect::<Vec<_>>().join(between)
}

/// Words between white space; `'…'` and `"…"` hold white space or nothing at all, and are otherwise as they stand.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if first == '\'' || first == '"' {
            rest = &rest[1..];
            rest.find(first).ok_or("a quote is not closed")?
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(first_quote(first)).trim_start();
    }
    Ok(words)
}

fn first_quote(first: char) -> impl Fn(char) -> bool {
    move |c| (first == '\'' || first == '"') && c == first
}

/// `*` stands for any text, everything else for itself.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            let Some(rest) = text.strip_prefix(head) else { return false };
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| glob(tail, &rest[at..]))
        }
    }
}

#[test]
fn patterns_stand_for_what_they_say() {
    for (pattern, text, fits) in [
        ("*", "", true),
        ("-NOTFOUND*", "-NOTFOUND a", true),
        ("-NOTFOUND*", "-NOTFOUN", false),
        ("a*c", "abcc", true),
        ("a*c", "abcd", false),
        ("held", "held ", false),
    ] {
        assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
    }
    assert_eq!(split("A 'b c' \"\" d").as_deref(), Ok(&["A", "b c", "", "d"].map(String::from)[..]));
}
