//! The contract as text. One line a command with its answer, `@time` before it, the events that it makes behind `|`:
//!
//! ```text
//! @1000 RECEIVE a 5 ID m1 -> 5
//! | item.configured a 0 = 0/0/0 v1
//! | item.received a 5 = 5/0/5 v2
//! ```
//!
//! A line of an event is `sku quantity[@lot] = on_hand/reserved/available v version`. Events are compared only where a
//! command has some. `ENDS` writes what is due. A second model judges every answer, a trail every event.

use sumun_auditor::{Ledger, OwnedCommand, Trail};
use sumun_wire::{Answer, Code, Event, Timestamp};

pub(crate) fn check(ledger: Ledger, mut trail: Trail, script: &str) {
    let (mut system, mut judge) = (ledger.clone(), ledger);
    let mut now = Timestamp(0);
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let mut rest = line;
        if let Some(timed) = line.strip_prefix('@') {
            let (time, command) = timed.split_once(' ').unwrap_or((timed, ""));
            now = Timestamp(time.parse().expect("a time"));
            rest = command.trim();
        }
        if rest.is_empty() {
            continue;
        }
        let mut expected = Vec::new();
        while let Some(event) = lines.next_if(|line| line.starts_with('|')) {
            expected.push(event[1..].trim().to_owned());
        }
        let events = if rest == "ENDS" {
            let events = system.perform_ends(now).unwrap();
            judge.judge_ends(now, &events).unwrap_or_else(|c| panic!("{line}: {c}"));
            events
        } else {
            let (text, wanted) = rest.rsplit_once(" -> ").unwrap_or_else(|| panic!("no answer in `{line}`"));
            let command: OwnedCommand = text.parse().unwrap_or_else(|bad| panic!("{line}: {bad}"));
            let (answer, events) = system.perform(now, &command.as_command()).unwrap();
            assert_eq!(say(&answer), wanted.trim(), "{line}");
            judge.judge(now, &command.as_command(), &answer, &events).unwrap_or_else(|c| panic!("{line}: {c}"));
            events
        };
        if !expected.is_empty() || rest == "ENDS" {
            let made: Vec<String> = events.iter().map(tell).collect();
            assert_eq!(made, expected, "{line}");
        }
        events.iter().for_each(|event| trail.feed(event).unwrap_or_else(|c| panic!("{line}: {c}")));
    }
    judge.check_all().unwrap();
    trail.finish().unwrap();
}

pub(crate) fn say(answer: &Answer) -> String {
    let mark = |replayed: bool| if replayed { " replayed" } else { "" };
    match answer {
        Answer::Available { available, replayed } => format!("{available}{}", mark(*replayed)),
        Answer::Outcome(o) => {
            let until = o.expires_at.map(|at| format!(" until {}", at.0)).unwrap_or_default();
            let tombstone = if o.tombstone { " tombstone" } else { "" };
            format!("{}{until}{}{tombstone}", o.state.word(), mark(o.replayed))
        }
        Answer::Item(None) | Answer::Reservation(None) => "null".to_owned(),
        Answer::Item(Some(item)) => {
            let mut text = format!("{}/{}/{}", item.on_hand, item.reserved, item.available);
            if item.expired > 0 {
                text += &format!(" expired {}", item.expired);
            }
            for lot in &item.lots {
                text += &format!(" {}:{}/{}", lot.lot.as_deref().unwrap_or("-"), lot.on_hand, lot.reserved);
            }
            text
        }
        Answer::Reservation(Some(r)) => {
            let ended = r.ended.map(|how| format!(" by {}", how.word())).unwrap_or_default();
            let mut text = format!("{}{ended}", r.state.word());
            for line in &r.lines {
                text += &format!(" [{} {}", line.sku, line.quantity);
                let parts = [('c', line.captured), ('r', line.released), ('e', line.expired), ('b', line.returned)];
                for (letter, quantity) in parts.into_iter().filter(|(_, quantity)| *quantity > 0) {
                    text += &format!(" {letter}{quantity}");
                }
                for taken in &line.taken {
                    text += &format!(" {}:{}", taken.lot.as_deref().unwrap_or("-"), taken.quantity);
                }
                text += "]";
            }
            text
        }
        Answer::Holder(h) => {
            let left = h.left.map_or("-".to_owned(), |left| left.to_string());
            let free = h.next_free_at.map(|at| format!(" free {}", at.0)).unwrap_or_default();
            format!("held {} counted {} left {left}{free}", h.held, h.counted)
        }
        Answer::Refused(refusal) => match refusal.code {
            Code::Invalid | Code::Captured | Code::Released | Code::Expired => refusal.code.word().to_owned(),
            Code::IdConflict => "CONFLICT id".to_owned(),
            Code::Conflict => "CONFLICT".to_owned(),
            Code::NotFound | Code::Limit | Code::Insufficient | Code::Exceeds | Code::Overloaded | Code::ReadOnly => {
                refusal.to_string()
            }
        },
    }
}

pub(crate) fn tell(event: &Event) -> String {
    let mut text = event.kind().to_owned();
    for line in event.lines() {
        let lot = line.lot.as_deref().map(|lot| format!("@{lot}")).unwrap_or_default();
        let (q, on_hand, reserved) = (line.quantity, line.on_hand, line.reserved);
        text += &format!(" {} {q}{lot} = {on_hand}/{reserved}/{} v{}", line.sku, line.available, line.version);
    }
    text
}
