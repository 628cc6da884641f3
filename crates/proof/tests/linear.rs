//! Linearizability: the judge against histories that are known to be right and wrong, then real ones of the real binary,
//! each with a kill -9 in its middle.

use sumun_proof::linear::{History, Recipe, Recorded, Verdict, judge, trial};
use sumun_proof::support::Value;

fn verdict(text: &str) -> Verdict {
    judge(&History::parse(text).expect("a history")).expect("of known commands")
}

fn right(text: &str) {
    assert_eq!(verdict(text), Verdict::Linearizable, "{text}");
}

fn wrong(text: &str) {
    assert!(matches!(verdict(text), Verdict::Violation(_)), "taken for right: {text}");
}

#[test]
fn one_command_after_the_other_is_right() {
    right(
        "
        c 0-1 RECEIVE a 10 ID m1 -> 10
        c 2-3 RECEIVE a 10 ID m1 -> 10
        c 4-5 RECEIVE a 9 ID m1 -> -CONFLICT the id was used with other content
        c 6-7 RESERVE r 600000 1 a 4 FOR h -> state=held replayed=0 sequence=3
        c 8-9 RESERVE r 600000 1 a 4 FOR h -> state=held replayed=1 sequence=3
        c 10-11 RESERVE r 600000 1 a 3 FOR h -> -CONFLICT *
        c 12-13 CAPTURE r 1 a 1 ID p -> state=held replayed=0 sequence=4
        c 14-15 RELEASE r 1 a 9 ID p -> -EXCEEDS a wanted 9 left 3
        c 16-17 RELEASE r 1 a 1 ID p -> state=held replayed=0 tombstone=0
        c 18-19 RETURN r ID t -> state=held replayed=0
        c 20-21 RETURN r ID u -> -EXCEEDS a wanted 4 left 0
        c 22-23 RELEASE r -> state=partially_captured replayed=0 tombstone=0
        c 24-25 CAPTURE r -> -RELEASED the reservation is released
        c 26-27 RESERVATION r -> state=partially_captured ended=released version=5 holder=h lines=a:4/1/3/0/1
        c 28-29 ITEM a -> on_hand=10 reserved=0 available=10 received=10 removed=0 returned=1 captured=1 version=7
        c 30-31 RELEASE t -> state=released replayed=0 tombstone=1
        c 32-33 RESERVE t 600000 1 a 1 -> -RELEASED the reservation is released
        c 34-35 RESERVE u 600000 1 a 11 -> -INSUFFICIENT a wanted 11 available 10
        c 36-37 RESERVE u 600000 1 b 1 -> -NOTFOUND b
        c 38-39 EXTEND u 1 -> -NOTFOUND u
        c 40-41 RESERVATION u -> null
        c 42-43 RESERVE v 0 1 a 10 CAPTURE -> state=captured replayed=0 expires_at=null
        c 44-45 RELEASE v -> -CAPTURED the reservation is captured
        c 46-47 ITEM a -> on_hand=0 reserved=0 available=0 captured=11 version=8
        ",
    );
}

#[test]
fn a_limit_counts_what_is_held_and_what_was_captured() {
    let before = "
        c 0-1 CONFIGURE a LIMIT 3 -> 0
        c 2-3 RECEIVE a 10 ID m1 -> 10
        c 4-5 RESERVE r 0 1 a 2 FOR h CAPTURE -> state=captured
        c 6-7 RESERVE s 600000 1 a 1 FOR h -> state=held";
    right(&format!("{before}\n c 8-9 RESERVE u 600000 1 a 1 FOR h -> -LIMIT a h wanted 1 left 0"));
    wrong(&format!("{before}\n c 8-9 RESERVE u 600000 1 a 1 FOR h -> state=held"));
    right(&format!("{before}\n c 8-9 RESERVE u 600000 1 a 1 FOR i -> state=held"));
    right(&format!("{before}\n c 8-9 RESERVE u 600000 1 a 1 -> -INVALID *"));
}

#[test]
fn what_overlaps_may_have_come_in_either_order() {
    for (one, other) in [("state=captured", "-CAPTURED *"), ("-RELEASED *", "state=released")] {
        right(&format!(
            "
            c 0-1 RECEIVE a 1 ID m1 -> 1
            c 2-3 RESERVE r 600000 1 a 1 -> state=held
            c 10-20 CAPTURE r -> {one}
            d 11-19 RELEASE r -> {other}
            "
        ));
    }
    wrong(
        "
        c 0-1 RECEIVE a 1 ID m1 -> 1
        c 2-3 RESERVE r 600000 1 a 1 -> state=held
        c 10-20 CAPTURE r -> state=captured
        d 11-19 RELEASE r -> state=released
        ",
    );
}

#[test]
fn a_stale_read_after_an_acknowledged_write_is_found() {
    let history = |read: &str| format!("c 0-10 RECEIVE a 5 ID m1 -> 5\n c 11-20 RECEIVE a 5 ID m2 -> 10\n d {read}");
    wrong(&history("21-30 ITEM a -> on_hand=5 version=2"));
    right(&history("15-30 ITEM a -> on_hand=5 version=2"));
    right(&history("15-30 ITEM a -> on_hand=10 version=3"));
    // Two readers: once it was seen, nobody sees less.
    wrong(&history("12-14 ITEM a -> on_hand=10 version=3\n e 15-19 ITEM a -> on_hand=5 version=2"));
    wrong(&history("5-9 ITEM b -> on_hand=0 version=1"));
}

#[test]
fn a_lost_acknowledged_write_after_a_kill_is_found() {
    let history = |after: &str| {
        format!(
            "
            c 0-1 RECEIVE a 5 ID m1 -> 5
            c 2-3 RESERVE r 600000 1 a 1 -> state=held
            c 4-? RESERVE s 600000 1 a 2 -> 
            d 5-? RESERVE t 600000 1 a 2
            c2 100-101 {after}
            "
        )
        .replace(" -> \n", "\n")
    };
    wrong(&history("RESERVATION r -> null"));
    wrong(&history("ITEM a -> reserved=0 version=2"));
    // What was lost with its connection happened or did not.
    for reserved in [1, 3, 5] {
        right(&history(&format!("ITEM a -> reserved={reserved}")));
    }
    wrong(&history("ITEM a -> reserved=2"));
    // It may even happen later, once.
    let later = "ITEM a -> reserved=1\n c2 102-103 ITEM a -> reserved=3\n c2 104-105 RESERVATION";
    right(&history(&format!("{later} s -> state=held version=1 lines=a:2/0/0/0/0")));
    right(&history(&format!("{later} s -> null")));
    wrong(&history(&format!("{later} s -> null\n c2 106-107 RESERVATION t -> null")));
}

/// Each of them may have happened or not: too many ways to try them all, were they not to be found missing later.
#[test]
fn lost_writes_that_a_later_look_shows_missing_are_not_tried() {
    let history = |reserved: u32| {
        let mut lines = vec!["b 0-1 RECEIVE a 99 ID m1 -> 99".to_owned()];
        lines.extend((0..40).map(|n| format!("c{n} {}-? RESERVE r{n} 600000 1 a 1", 2 + n)));
        lines.push(format!("d 100-101 ITEM a -> reserved={reserved}"));
        let seen = |n| if n == 20 { "state=held version=1 lines=a:1/0/0/0/0" } else { "null" };
        lines.extend((0..40).map(|n| format!("d {0}-{0} RESERVATION r{n} -> {1}", 102 + n, seen(n))));
        lines.join("\n")
    };
    right(&history(0));
    right(&history(1));
    wrong(&history(2));
}

#[test]
fn a_doubled_reserve_is_found() {
    wrong(
        "
        c 0-1 RECEIVE a 5 ID m1 -> 5
        c 10-20 RESERVE r 600000 1 a 1 -> state=held replayed=0
        d 11-21 RESERVE r 600000 1 a 1 -> state=held replayed=0
        ",
    );
    let twice = |reserved| {
        format!(
            "
            c 0-1 RECEIVE a 5 ID m1 -> 5
            c 2-? RESERVE r 600000 1 a 1
            c2 50-60 RESERVE r 600000 1 a 1 -> state=held
            c2 61-62 ITEM a -> reserved={reserved}
            "
        )
    };
    right(&twice(1));
    wrong(&twice(2));
}

#[test]
fn one_unit_too_many_is_found() {
    let sold = |last: &str| {
        format!(
            "
            c 0-1 RECEIVE a 2 ID m1 -> 2
            c 10-20 RESERVE r 600000 1 a 1 -> state=held
            d 10-20 RESERVE s 600000 1 a 1 -> state=held
            e 10-20 RESERVE t 600000 1 a 1 -> {last}
            "
        )
    };
    wrong(&sold("state=held"));
    right(&sold("-INSUFFICIENT a wanted 1 available 0"));
    wrong(&sold("-INSUFFICIENT a wanted 1 available 1"));
}

#[test]
fn reordering_within_a_connection_is_found() {
    // Sent together, so that time alone would allow it.
    let pipeline = |connections: [&str; 2]| {
        let [one, other] = connections;
        format!(
            "
            b 0-1 RECEIVE a 5 ID m1 -> 5
            {one} 10-20 RESERVE r 600000 1 a 1 -> state=held
            {other} 10-21 ITEM a -> reserved=0 version=2
            "
        )
    };
    wrong(&pipeline(["c", "c"]));
    right(&pipeline(["c", "d"]));
    // Of lost ones too: the later did not happen without the earlier.
    let lost = |connections: [&str; 2]| {
        let [one, other] = connections;
        format!(
            "
            b 0-1 RECEIVE a 5 ID m1 -> 5
            {one} 10-? RESERVE r 600000 1 a 1
            {other} 10-? RESERVE s 600000 1 a 1
            b 20-21 RESERVATION s -> state=held
            b 22-23 RESERVATION r -> null
            "
        )
    };
    wrong(&lost(["c", "c"]));
    right(&lost(["c", "d"]));
}

#[test]
fn sequences_that_contradict_time_are_found() {
    let history = |second: u32| {
        format!(
            "
            c 0-1 RECEIVE a 5 ID m1 -> 5
            c 2-3 RESERVE r 600000 1 a 1 -> state=held replayed=0 sequence=7
            d 4-5 RESERVE s 600000 1 a 1 -> state=held replayed=0 sequence={second}
            "
        )
    };
    right(&history(8));
    wrong(&history(6));
    wrong(&history(7));
}

#[test]
fn an_end_comes_at_any_time_from_its_moment_on_and_once() {
    // Times in µs, `expires_at` in ms: the end is at 1,000,000 µs.
    let history = |rest: &str| {
        format!(
            "
            c 0-10 RECEIVE a 5 ID m1 -> 5
            c 20-900 RESERVE r 1000 1 a 2 -> state=held replayed=0 expires_at=1000
            {rest}
            "
        )
    };
    right(&history("c 900000-910000 CAPTURE r -> state=captured replayed=0"));
    wrong(&history("c 1100000-1110000 CAPTURE r -> state=captured replayed=0"));
    right(&history("c 900000-1110000 CAPTURE r -> -EXPIRED the reservation has expired"));
    wrong(&history("c 900000-910000 CAPTURE r -> -EXPIRED the reservation has expired"));
    wrong(&history("c 900000-910000 ITEM a -> reserved=0 version=4"));
    right(&history("c 2000000-2000001 ITEM a -> reserved=2 version=3"));
    right(&history("c 2000000-2000001 ITEM a -> reserved=0 version=4"));
    wrong(&history("c 2000000-2000001 ITEM a -> reserved=0 version=4\n c 2000002-2000003 ITEM a -> reserved=2"));
    wrong(&history("c 2000000-2000001 RESERVATION r -> state=held"));
    right(&history("c 2000000-2000001 RESERVATION r -> state=expired ended=expired version=2 lines=a:2/0/0/2/0"));
    // Both at the same moment: one of them.
    let race = |capture: &str, read: &str| {
        history(&format!("c 990000-1010000 CAPTURE r -> {capture}\n d 995000-1005000 RESERVATION r -> state={read}"))
    };
    right(&race("state=captured", "captured"));
    right(&race("state=captured", "held"));
    right(&race("-EXPIRED *", "expired"));
    wrong(&race("state=captured", "expired"));
    // An extend moves it; one that was lost may have.
    right(&history(
        "c 900000-910000 EXTEND r 500 -> state=held expires_at=1405\n c 1200000-1200001 CAPTURE r -> state=captured",
    ));
    right(&history("c 900000-? EXTEND r 500\n d 1200000-1200001 CAPTURE r -> state=captured"));
    wrong(&history("c 900000-? EXTEND r 50\n d 900001-900002 RESERVATION r -> state=held expires_at=5000"));
}

fn recipe(seed: u64) -> Recipe {
    Recipe { seed, clients: 16, operations: 500, short_lives: seed.is_multiple_of(2) }
}

/// Whether every kind of thing that it is about is in it, so that it cannot pass by being empty.
fn is_worth_judging(recorded: &Recorded, recipe: &Recipe) {
    let count = recorded.history.operations.len() as u64;
    assert!(count > recipe.clients * recipe.operations, "{count} operations");
    assert!(recorded.lost > 0, "the kill came when nothing was in flight");
    assert!(recorded.replayed > 200, "{} replays", recorded.replayed);
    for word in ["CAPTURED", "CONFLICT", "EXCEEDS", "INSUFFICIENT", "LIMIT", "NOTFOUND", "RELEASED"] {
        assert!(recorded.refused.get(word).is_some_and(|count| *count > 10), "{word}: {:?}", recorded.refused);
    }
    assert!(!recipe.short_lives || recorded.expired > 5, "{} ends were seen", recorded.expired);
}

fn keep(seed: u64, history: &History) -> String {
    let path = std::env::temp_dir().join(format!("sumun-history-{seed}-{}.txt", std::process::id()));
    std::fs::write(&path, history.to_string()).expect("a place for the history");
    path.display().to_string()
}

/// A history that was judged to the end, and is right.
fn is_linearizable(seed: u64) -> Recorded {
    let recipe = recipe(seed);
    let trial = trial(&recipe).expect("a history");
    for (seed, replaced) in &trial.replaced {
        let path = keep(*seed, &replaced.history);
        println!("seed {seed}: undecided, and another history took its place; this one is in {path}");
    }
    is_worth_judging(&trial.recorded, &recipe);
    if trial.verdict != Verdict::Linearizable {
        let path = keep(trial.seed, &trial.recorded.history);
        panic!("seed {}: {:?}; the history is in {path}", trial.seed, trial.verdict);
    }
    trial.recorded
}

#[test]
fn history_1_with_a_kill_is_linearizable() {
    is_linearizable(1);
}

#[test]
fn history_2_with_a_kill_and_ends_by_time_is_linearizable() {
    is_linearizable(2);
}

#[test]
fn history_3_with_a_kill_is_linearizable() {
    is_linearizable(3);
}

#[test]
fn history_4_with_a_kill_and_ends_by_time_is_linearizable() {
    is_linearizable(4);
}

#[test]
fn history_5_with_a_kill_is_linearizable() {
    is_linearizable(5);
}

/// What to answer to a command in place of this; `None` where there is nothing to lie about.
type Lie = fn(&str, &Value) -> Option<Value>;

/// One lie at a time told in a real history: each of them is found, in the middle of thousands of true answers. Without
/// ends by time, since ends that nobody saw leave too many orders to rule all of them out: there a lie may come out as
/// undecided, which is no pass either.
#[test]
fn a_single_wrong_answer_in_a_real_history_is_found() {
    let history = is_linearizable(7).history;
    // It reads back as it was written.
    let text = history.to_string();
    let again = History::parse(&text).expect("it reads back");
    assert_eq!(again.to_string(), text);
    assert_eq!(judge(&again).expect("of known commands"), Verdict::Linearizable);
    // Before the kill: a write that it lost could make a lie true.
    let middle = history.operations.len() / 4;
    let lies: [(&str, Lie); 4] = [
        ("an item's count is one behind", |command, value| {
            let version = value.number("version").filter(|_| command.starts_with("ITEM"))?;
            set(value, "version", version - 1)
        }),
        ("a reserve is replayed that was none", |command, value| {
            let fresh = value.number("replayed") == Some(0) && command.starts_with("RESERVE");
            fresh.then(|| set(value, "replayed", 1))?
        }),
        ("nothing is left of what is there", |command, value| {
            let refused = command.starts_with("RESERVE") && value.error()?.starts_with("INSUFFICIENT");
            let wanted = value.error()?.rsplit_once(' ')?.0;
            refused.then(|| Value::Error(format!("{wanted} 1000")))
        }),
        ("a capture was acknowledged and did nothing", |command, value| {
            let done = command.starts_with("CAPTURE") && value.error()?.starts_with("NOTFOUND");
            done.then(|| Value::Map(vec![("state".to_owned(), Value::Text("captured".to_owned()))]))
        }),
    ];
    for (name, lie) in lies {
        let mut changed = history.clone();
        let answers = changed.operations[middle..].iter_mut();
        let told = answers.filter_map(|operation| Some((&operation.command, &mut operation.answered.as_mut()?.1)));
        let mut told = told.filter_map(|(command, value)| Some((lie(command, value)?, value)));
        let (other, value) = told.next().unwrap_or_else(|| panic!("{name}: there is no such answer"));
        *value = other;
        assert!(matches!(judge(&changed), Ok(Verdict::Violation(_))), "{name}: taken for right");
    }
}

/// The same answer with another number behind a name.
fn set(value: &Value, name: &str, number: i64) -> Option<Value> {
    let Value::Array(flat) = value else { return None };
    let mut flat = flat.clone();
    let at = flat.iter().position(|field| field.text() == Some(name))?;
    flat[at + 1] = Value::Integer(number);
    Some(Value::Array(flat))
}
