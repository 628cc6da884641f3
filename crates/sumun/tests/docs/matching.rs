//! Whether an output is what a page shows. `…` stands for anything; times, in whatever form, for any other time; in a
//! JSON object a member `"…"` says that there are more.

use serde_json::Value;

const ANYTHING: &str = "…";

/// Times become one word, so that every time is equal to every other.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 13 {
            out.push_str("‹ms›");
            rest = &rest[13..];
        } else if digits == 4 && rfc3339(rest).is_some() {
            out.push_str("‹time›");
            rest = &rest[rfc3339(rest).expect("just seen")..];
        } else {
            let step = digits.max(first.len_utf8());
            out.push_str(&rest[..step]);
            rest = &rest[step..];
        }
    }
    out
}

/// The length of `2026-01-31T12:00:00.000Z` at the beginning, milliseconds optional.
fn rfc3339(text: &str) -> Option<usize> {
    let shape = |form: &str| {
        let taken = text.get(..form.len())?;
        let same = taken.chars().zip(form.chars()).all(|(c, f)| if f == '0' { c.is_ascii_digit() } else { c == f });
        same.then_some(form.len())
    };
    shape("0000-00-00T00:00:00.000Z").or_else(|| shape("0000-00-00T00:00:00Z"))
}

/// Lines without what trails them.
fn trimmed(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Both as one line: runs of white space are one blank.
pub(crate) fn one_line(seen: &str, shown: &str) -> bool {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    glob(&timeless(&flat(seen)), &timeless(&flat(shown)))
}

/// Line by line.
pub(crate) fn text(seen: &str, shown: &str) -> bool {
    glob(&timeless(&trimmed(seen)), &timeless(&trimmed(shown)))
}

fn glob(seen: &str, shown: &str) -> bool {
    let mut parts = shown.split(ANYTHING);
    let Some(mut rest) = seen.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// As values: the order of members and the space between them do not matter.
pub(crate) fn json(seen: &str, shown: &str) -> Result<bool, String> {
    let shown: Value = serde_json::from_str(shown).map_err(|error| format!("what is shown is no JSON: {error}"))?;
    let seen: Value = serde_json::from_str(seen).map_err(|error| format!("the output is no JSON: {error}"))?;
    Ok(same(&seen, &shown))
}

fn same(seen: &Value, shown: &Value) -> bool {
    match (seen, shown) {
        (Value::Object(seen), Value::Object(shown)) => {
            let open = shown.contains_key(ANYTHING);
            (open || seen.len() == shown.len())
                && shown
                    .iter()
                    .filter(|(name, _)| *name != ANYTHING)
                    .all(|(name, shown)| seen.get(name).is_some_and(|seen| same(seen, shown)))
        }
        (Value::Array(seen), Value::Array(shown)) => {
            let open = shown.last().is_some_and(|last| last == ANYTHING);
            let shown = if open { &shown[..shown.len() - 1] } else { &shown[..] };
            (seen.len() == shown.len() || (open && seen.len() > shown.len()))
                && seen.iter().zip(shown).all(|(seen, shown)| same(seen, shown))
        }
        (_, Value::String(shown)) if shown == ANYTHING => true,
        (Value::String(seen), Value::String(shown)) => glob(&timeless(seen), &timeless(shown)),
        _ => seen == shown,
    }
}

#[test]
fn what_is_shown_stands_for_what_is_seen() {
    assert!(text("a \nat 1795308442791\n", "a\nat 1700000000000"));
    assert!(!text("a\nat 179530844279", "a\nat 1700000000000"), "twelve digits are no time");
    assert!(text("from 2026-11-22T00:46:37.447Z on", "from 2026-01-31T12:00:00.000Z on"));
    assert!(text("one two three", "one … three") && !text("one two", "one … three") && !text("one two", "one"));
    assert!(one_line("1# \"a\" =>\n 2", "1# \"a\" => 2"));
    for (seen, shown, expected) in [
        (r#"{"a": 1, "b": [1, 2]}"#, r#"{"b": [1, 2], "a": 1}"#, true),
        (r#"{"a": 1, "b": [1, 2]}"#, r#"{"a": 1}"#, false),
        (r#"{"a": 1, "b": [1, 2]}"#, r#"{"a": 1, "…": "…"}"#, true),
        (r#"{"a": 1, "b": [1, 2]}"#, r#"{"a": 2, "…": "…"}"#, false),
        (r#"[1, 2, 3]"#, r#"[1, "…"]"#, true),
        (r#"{"at": "2026-11-22T00:46:37.447Z"}"#, r#"{"at": "2026-01-31T12:00:00.000Z"}"#, true),
        (r#"{"id": "0/7"}"#, r#"{"id": "…"}"#, true),
    ] {
        assert_eq!(json(seen, shown), Ok(expected), "{seen} {shown}");
    }
}
