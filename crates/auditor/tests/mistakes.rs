//! Each mistake that a system could make is complained of: by the judge of answers, by the judge of events, or both.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use sumun_auditor::{Complaint, Ledger, OwnedCommand, Trail, Writes};
use sumun_wire::{
    Answer, Code, Ended, Event, EventData, EventLine, Limit, LogEvent, Name, Refusal, ReservationEvent, Sequence,
    Settings, State, Timestamp, Verb,
};

/// A system that has done right so far, with its judges.
struct Story {
    system: Ledger,
    judge: Ledger,
    trail: Trail,
    now: Timestamp,
    history: Vec<Event>,
}

impl Story {
    fn of(script: &str) -> Story {
        let (system, judge, trail) = (Ledger::new(), Ledger::new(), Trail::new());
        let mut story = Story { system, judge, trail, now: Timestamp(1_000), history: Vec::new() };
        for command in script.split(';') {
            story.right(command);
        }
        story
    }

    fn at(mut self, now: u64) -> Story {
        self.now = Timestamp(now);
        self
    }

    fn right(&mut self, command: &str) {
        let (command, answer, events) = self.perform(command);
        self.judge.judge(self.now, &command.as_command(), &answer, &events).unwrap();
        for event in events {
            self.trail.feed(&event).unwrap();
            self.history.push(event);
        }
    }

    fn perform(&mut self, command: &str) -> (OwnedCommand, Answer, Vec<Event>) {
        let command: OwnedCommand = command.parse().unwrap();
        let (answer, events) = self.system.perform(self.now, &command.as_command()).unwrap();
        (command, answer, events)
    }

    /// The last command, with its answer and events changed: what the judge of answers says.
    fn judged(mut self, command: &str, wrong: impl FnOnce(&mut Answer, &mut Vec<Event>)) -> Complaint {
        let (command, mut answer, mut events) = self.perform(command);
        wrong(&mut answer, &mut events);
        self.judge.judge(self.now, &command.as_command(), &answer, &events).expect_err("this is wrong")
    }

    /// What the judge of events alone says.
    fn trailed(mut self, command: &str, wrong: impl FnOnce(&mut Vec<Event>)) -> Complaint {
        let (_, _, mut events) = self.perform(command);
        wrong(&mut events);
        let complaint = events.iter().find_map(|event| self.trail.feed(event).err());
        complaint.or_else(|| self.trail.finish().err()).expect("this is wrong")
    }
}

fn lines(event: &mut Event) -> &mut Vec<EventLine> {
    match &mut event.data {
        EventData::Log(_) => panic!("the log's own events have no lines"),
        EventData::Item(data) => &mut data.lines,
        EventData::Reservation(data) => &mut data.lines,
    }
}

fn reservation(event: &mut Event) -> &mut ReservationEvent {
    match &mut event.data {
        EventData::Log(_) | EventData::Item(_) => panic!("not a reservation's"),
        EventData::Reservation(data) => data,
    }
}

const TEN: &str = "RECEIVE a 10 ID m1";

#[test]
fn a_wrong_available_is_caught() {
    let wrong =
        |answer: &mut Answer, _: &mut Vec<Event>| *answer = Answer::Available { available: 13, replayed: false };
    assert_eq!(Story::of(TEN).judged("RECEIVE a 2 ID m2", wrong).rule, "answer");
    let c = Story::of(TEN).judged("RECEIVE a 2 ID m2", |_, events| lines(&mut events[0])[0].available = 13);
    assert_eq!(c.rule, "event");
    assert_eq!(Story::of(TEN).trailed("RECEIVE a 2 ID m2", |e| lines(&mut e[0])[0].available = 13).rule, "STOCK-1");
}

#[test]
fn a_movement_applied_twice_is_caught() {
    let mut story = Story::of(TEN);
    let again: OwnedCommand = TEN.parse().unwrap();
    let (answer, events) =
        story.system.perform(story.now, &"RECEIVE a 10 ID m2".parse::<OwnedCommand>().unwrap().as_command()).unwrap();
    assert_eq!(answer, Answer::Available { available: 20, replayed: false });
    assert!(story.judge.judge(story.now, &again.as_command(), &answer, &events).is_err());
    let c = Story::of(TEN).trailed("RECEIVE a 10 ID m2", |events| match &mut events[0].data {
        EventData::Item(data) => data.movement = Some(Name::from("m1")),
        EventData::Log(_) | EventData::Reservation(_) => panic!("an item's"),
    });
    assert_eq!(c.rule, "IDEM-1");
    let doubled = |events: &mut Vec<Event>| {
        let line = &mut lines(&mut events[0])[0];
        (line.received, line.on_hand, line.available) = (24, 24, 24);
    };
    assert_eq!(Story::of(TEN).trailed("RECEIVE a 2 ID m2", doubled).rule, "STOCK-2");
}

#[test]
fn a_return_above_what_was_captured_is_caught() {
    let story = || Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3;CAPTURE r 1 a 2 ID x");
    let more = |events: &mut Vec<Event>| {
        let line = &mut lines(&mut events[0])[0];
        line.quantity = 3;
        (line.returned, line.on_hand, line.available) = (3, 11, 10);
    };
    assert_eq!(story().trailed("RETURN r 1 a 2 ID x", more).rule, "RSV-1");
    assert_eq!(story().judged("RETURN r 1 a 2 ID x", |_, events| more(events)).rule, "event");
    // The refusal is demanded, too.
    let done = |answer: &mut Answer, _: &mut Vec<Event>| *answer = Answer::Available { available: 1, replayed: false };
    assert_eq!(story().judged("RETURN r 1 a 3 ID x", done).rule, "answer");
    let left = |answer: &mut Answer, _: &mut Vec<Event>| {
        let Answer::Refused(Refusal { facts: sumun_wire::Facts::Short(shorts), .. }) = answer else {
            panic!("EXCEEDS")
        };
        shorts[0].available = 1;
    };
    assert_eq!(story().judged("RETURN r 1 a 3 ID x", left).rule, "answer");
}

#[test]
fn a_tombstone_that_is_ignored_is_caught() {
    let mut story = Story::of("RECEIVE a 10 ID m1;RELEASE r");
    let (_, answer, mut events) = story.perform("RESERVE s 100 1 a 1");
    reservation(&mut events[0]).reservation = Name::from("r");
    let late: OwnedCommand = "RESERVE r 100 1 a 1".parse().unwrap();
    assert!(story.judge.judge(story.now, &late.as_command(), &answer, &events).is_err());
    assert_eq!(story.trail.feed(&events[0]).unwrap_err().rule, "RSV-1");
}

#[test]
fn a_part_of_the_lines_is_caught() {
    let story = || Story::of("RECEIVE a 10 ID m1;RECEIVE b 10 ID m1");
    let partial = |events: &mut Vec<Event>| drop(lines(&mut events[0]).pop());
    assert_eq!(story().judged("RESERVE r 100 2 a 1 b 1", |_, events| partial(events)).rule, "event");
    // Of a capture of the whole the trail knows what was held.
    let mut held = story();
    held.right("RESERVE r 100 2 a 1 b 1");
    assert_eq!(held.trailed("CAPTURE r", partial).rule, "RSV-2");
    let c = Story::of("RECEIVE a 1 ID m1").judged("RESERVE r 100 1 a 2", |answer, events| {
        *answer = Answer::Available { available: 0, replayed: false };
        events.clear();
    });
    assert_eq!(c.rule, "answer");
}

#[test]
fn an_end_that_frees_nothing_is_caught() {
    let story = || Story::of("RECEIVE a 10 ID m1 LOT l;RESERVE r 100 1 a 3").at(1_100);
    let kept = |events: &mut Vec<Event>| {
        let line = &mut lines(&mut events[0])[0];
        (line.reserved, line.available) = (3, 7);
    };
    assert_eq!(story().judged("RESERVATION r", |_, events| kept(events)).rule, "event");
    assert_eq!(story().trailed("RESERVATION r", kept).rule, "STOCK-2");
    let lot = |events: &mut Vec<Event>| lines(&mut events[0])[0].lot_figures.as_mut().unwrap().reserved = 3;
    assert_eq!(story().trailed("RESERVATION r", lot).rule, "STOCK-2");
    // No end at all, though the reservation is named.
    assert_eq!(story().judged("RESERVATION r", |_, events| events.clear()).rule, "ends");
    // Ended a millisecond early.
    let mut early = Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3").at(1_100);
    let (_, _, mut events) = early.perform("RESERVATION r");
    events[0].time = Timestamp(1_099);
    assert_eq!(early.judge.judge_ends(Timestamp(1_099), &events).unwrap_err().rule, "ends");
    assert_eq!(early.trail.feed(&events[0]).unwrap_err().rule, "RSV-1");
}

#[test]
fn a_lot_taken_at_its_end_is_caught() {
    let mut story = Story::of("RECEIVE a 10 ID m1 LOT l EXPIRES 2000").at(1_999);
    let (command, answer, mut events) = story.perform("RESERVE r 100 1 a 1");
    events[0].time = Timestamp(2_000);
    reservation(&mut events[0]).created_at = Timestamp(2_000);
    reservation(&mut events[0]).expires_at = Some(Timestamp(2_100));
    assert!(story.judge.judge(Timestamp(2_000), &command.as_command(), &answer, &events).is_err());
    assert_eq!(story.trail.feed(&events[0]).unwrap_err().rule, "STOCK-1");
}

#[test]
fn a_limit_that_forgets_what_was_captured_is_caught() {
    let limit = Limit { quantity: 3, window_ms: None };
    let buy = ["RECEIVE a 10 ID m1", "RESERVE r - 1 a 2 FOR h CAPTURE", "RESERVE s 100 1 a 2 FOR h"];
    let mut system = Ledger::new();
    let mut judge = Ledger::new();
    let mut trail = Trail::new();
    let now = Timestamp(5);
    let mut complaints = Vec::new();
    let without: OwnedCommand = "CONFIGURE a".parse().unwrap();
    let with: OwnedCommand = "CONFIGURE a LIMIT 3".parse().unwrap();
    let (answer, mut events) = system.perform(now, &without.as_command()).unwrap();
    let settings = Settings { limit: Some(limit), ..Settings::default() };
    match &mut events[0].data {
        EventData::Item(data) => data.settings = Some(Box::new(settings)),
        EventData::Log(_) | EventData::Reservation(_) => panic!("an item's"),
    }
    judge.judge(now, &with.as_command(), &answer, &events).unwrap();
    trail.feed(&events[0]).unwrap();
    for command in buy {
        let command: OwnedCommand = command.parse().unwrap();
        let (answer, events) = system.perform(now, &command.as_command()).unwrap();
        complaints.extend(judge.judge(now, &command.as_command(), &answer, &events).err());
        complaints.extend(events.iter().find_map(|event| trail.feed(event).err()));
    }
    let rules: Vec<&str> = complaints.iter().map(|c| c.rule).collect();
    assert_eq!(rules, ["answer", "LIMIT-1"], "{complaints:?}");
}

#[test]
fn gaps_in_versions_sequences_and_previous_are_caught() {
    let cases: [fn(&mut Vec<Event>); 6] = [
        |e| lines(&mut e[0])[0].version += 1,
        |e| lines(&mut e[0])[0].previous = None,
        |e| lines(&mut e[0])[0].previous = Some(Sequence(1)),
        |e| e[0].sequence.0 += 1,
        |e| e[0].time.0 -= 1,
        |e| reservation(&mut e[0]).version += 1,
    ];
    for case in cases {
        let story = || Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3");
        assert_eq!(story().trailed("CAPTURE r", case).rule, "LOG-2");
        assert_eq!(story().judged("CAPTURE r", |_, events| case(events)).rule, "event");
    }
}

#[test]
fn events_that_are_missing_or_too_many_are_caught() {
    let story = || Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3");
    assert_eq!(story().judged("CAPTURE r", |_, events| events.clear()).rule, "event");
    let twice = |_: &mut Answer, events: &mut Vec<Event>| {
        let mut again = events[0].clone();
        again.sequence.0 += 1;
        events.push(again);
    };
    assert_eq!(story().judged("CAPTURE r", twice).rule, "event");
    let c = Story::of(TEN).judged("RECEIVE b 1 ID m", |_, events| drop(events.remove(0)));
    assert_eq!(c.rule, "event", "item.configured comes first");
    let mut story = story();
    let (command, answer, _) = story.perform("RESERVE r 100 1 a 3");
    let (_, _, events) = story.perform("RECEIVE a 1 ID m9");
    assert_eq!(story.judge.judge(story.now, &command.as_command(), &answer, &events).unwrap_err().rule, "event");
}

#[test]
fn wrong_marks_in_an_answer_are_caught() {
    let story = || Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3");
    let outcome = |change: fn(&mut sumun_wire::Outcome)| {
        move |answer: &mut Answer, _: &mut Vec<Event>| {
            let Answer::Outcome(outcome) = answer else { panic!("an outcome") };
            change(outcome);
        }
    };
    let cases: [fn(&mut sumun_wire::Outcome); 5] = [
        |o| o.replayed = !o.replayed,
        |o| o.state = State::Released,
        |o| o.sequence.0 += 1,
        |o| o.tombstone = true,
        |o| o.expires_at = None,
    ];
    for case in cases {
        assert_eq!(story().judged("CAPTURE r", outcome(case)).rule, "answer");
        assert_eq!(story().judged("RESERVE r 7 1 a 3", outcome(case)).rule, "answer");
    }
    let no = |code| move |answer: &mut Answer, _: &mut Vec<Event>| *answer = Answer::Refused(Refusal::bare(code));
    assert_eq!(story().judged("RESERVE r 7 1 a 4", no(Code::Conflict)).rule, "answer", "the id's conflict");
    assert_eq!(story().judged("RESERVE r 7 1 a 3", no(Code::Overloaded)).rule, "answer", "a replay still answers");
    assert_eq!(story().judged("RESERVATION r", no(Code::Overloaded)).rule, "answer", "a read still answers");
    assert_eq!(story().judged("ITEM b", |a, _| *a = Answer::Refused(Refusal::missing("b"))).rule, "answer");
}

#[test]
fn misconf_is_for_what_needs_an_event_and_leaves_everything_as_it_was() {
    let blocked = Answer::Refused(Refusal::bare(Code::ReadOnly));
    let overloaded = Answer::Refused(Refusal::overloaded(40));
    let story = || Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3");
    let told = |story: &mut Story, command: &str, answer: &Answer| {
        let command: OwnedCommand = command.parse().unwrap();
        story.judge.judge(story.now, &command.as_command(), answer, &[])
    };
    let mut s = story();
    assert!(told(&mut s, "CAPTURE r", &blocked).is_err(), "the log can be written");
    let mut s = story();
    told(&mut s, "CAPTURE r", &overloaded).unwrap();
    s.judge.set_writes(Writes::MayFail);
    for needs in
        ["CAPTURE r", "RELEASE q", "RECEIVE a 1 ID m2", "RESERVE s 1 1 a 1", "EXTEND r 5000", "CONFIGURE a LIMIT 1"]
    {
        told(&mut s, needs, &blocked).unwrap_or_else(|c| panic!("{needs}: {c}"));
    }
    s.right("CAPTURE r 1 a 1 ID x");
    for answers in [
        "RESERVE r 9 1 a 3",
        "RESERVE r 9 1 a 4",
        "CAPTURE r 1 a 1 ID x",
        "RESERVE s 1 1 a 99",
        "ITEM a",
        "CONFIGURE a",
        "EXTEND r 1",
        "CAPTURE none",
        "RECEIVE a 1",
    ] {
        let mut s = s.judge.clone();
        let command: OwnedCommand = answers.parse().unwrap();
        assert!(s.judge(Timestamp(1_000), &command.as_command(), &blocked, &[]).is_err(), "{answers} needs no event");
    }
    // What is due reads as it last stood; a command that would have to end it first is refused.
    s.now = Timestamp(1_100);
    told(&mut s, "EXTEND r 1", &blocked).unwrap();
    let stood = Answer::Reservation(s.judge.reservation("r").map(Box::new));
    told(&mut s, "RESERVATION r", &stood).unwrap();
    s.judge.set_writes(Writes::Work);
    assert_eq!(told(&mut s, "RESERVATION r", &stood).unwrap_err().rule, "ends");
}

#[test]
fn an_exec_is_refused_whole_or_not_at_all() {
    let story = Story::of("RECEIVE a 10 ID m1");
    let texts = ["RESERVE r 100 1 a 1", "RECEIVE a 1 ID m2", "ITEM a"];
    let commands: Vec<OwnedCommand> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let commands: Vec<_> = commands.iter().map(OwnedCommand::as_command).collect();
    let mut system = story.system.clone();
    let mut answers = Vec::new();
    let mut events = Vec::new();
    for command in &commands {
        let (answer, made) = system.perform(story.now, command).unwrap();
        answers.push(answer);
        events.extend(made);
    }
    story.judge.clone().judge_exec(story.now, &commands, &answers, &events).unwrap();
    assert!(story.judge.clone().judge_exec(story.now, &commands, &answers, &events[..1]).is_err());
    let no = Answer::Refused(Refusal::overloaded(1));
    let all = vec![no.clone(); 3];
    story.judge.clone().judge_exec(story.now, &commands, &all, &[]).unwrap();
    assert!(story.judge.clone().judge_exec(story.now, &commands[2..], &all[2..], &[]).is_err(), "it only reads");
    answers[1] = no;
    assert!(story.judge.clone().judge_exec(story.now, &commands, &answers, &events[..1]).is_err());
}

#[test]
fn after_a_restart_each_event_is_explained_by_an_unanswered_command_in_order() {
    let story = Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3");
    let mut system = story.system.clone();
    let texts = ["RECEIVE a 1 ID m2", "RESERVE s 50 1 a 2", "CAPTURE r", "RECEIVE b 1 ID m"];
    let commands: Vec<OwnedCommand> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let mut judge = story.judge.clone();
    let mut events = Vec::new();
    for command in &commands {
        judge.lost(&[command.as_command()]);
        events.extend(system.perform(Timestamp(1_010), &command.as_command()).unwrap().1);
    }
    for kept in [0, 1, 2, 3, 5] {
        let mut judge = judge.clone();
        judge.recovered(&events[..kept]).unwrap();
        assert_eq!(judge.last_sequence(), Some(Sequence(3 + kept as u64)));
    }
    assert!(judge.clone().recovered(&events[..4]).is_err(), "item.configured alone is half a command");
    let mut swapped = story.judge.clone();
    swapped.lost(&[commands[1].as_command()]);
    swapped.lost(&[commands[0].as_command()]);
    assert!(swapped.recovered(&events[..2]).is_err(), "not in order");
    assert_eq!(story.judge.clone().recovered(&events[..1]).unwrap_err().rule, "LOG-1", "nobody asked for it");
    let mut exec = story.judge.clone();
    exec.lost(&[commands[0].as_command(), commands[1].as_command()]);
    assert!(exec.clone().recovered(&events[..1]).is_err(), "an EXEC was cut");
    exec.recovered(&events[..2]).unwrap();
    assert_eq!(exec.reservation("s").map(|r| r.state), Some(State::Held));
}

#[test]
fn a_trail_may_begin_anywhere_and_proves_what_follows() {
    let story = Story::of(
        "RECEIVE a 10 ID m1 LOT l;RECEIVE b 10 ID m1;RESERVE r 100 2 a 3 b 1;CAPTURE r 1 a 1 ID x;RELEASE r;RETURN r ID x",
    );
    for skipped in 0..story.history.len() {
        let mut trail = Trail::new();
        for event in &story.history[skipped..] {
            trail.feed(event).unwrap_or_else(|c| panic!("from {skipped}: {c}"));
        }
        let proven = trail.finish().unwrap();
        assert_eq!(proven.events as usize, story.history.len() - skipped);
        assert_eq!(proven.whole_items < proven.items, skipped > 0, "{skipped}");
    }
    let mut trail = Trail::new();
    let mut late = story.history[3..].to_vec();
    lines(&mut late[2])[0].on_hand += 1;
    let complaint = late.iter().find_map(|event| trail.feed(event).err());
    assert_eq!(complaint.unwrap().rule, "STOCK-2");
}

#[test]
fn a_reservation_that_ends_twice_or_wrongly_is_caught() {
    let story = || Story::of("RECEIVE a 10 ID m1;RESERVE r 100 1 a 3");
    assert_eq!(story().trailed("RELEASE r", |e| reservation(&mut e[0]).state = State::Captured).rule, "RSV-1");
    assert_eq!(story().trailed("RELEASE r", |e| reservation(&mut e[0]).ended = Some(Ended::Expired)).rule, "RSV-1");
    assert_eq!(story().trailed("RELEASE r", |e| reservation(&mut e[0]).complete = false).rule, "RSV-2");
    let twice = |events: &mut Vec<Event>| {
        let mut again = events[0].clone();
        again.sequence.0 += 1;
        reservation(&mut again).version += 1;
        events.push(again);
    };
    assert_eq!(story().trailed("RELEASE r", twice).rule, "RSV-1");
    let late = |events: &mut Vec<Event>| events[0].time = Timestamp(1_100);
    assert_eq!(story().trailed("CAPTURE r", late).rule, "RSV-1", "captured at its expires_at");
    let held = |events: &mut Vec<Event>| reservation(&mut events[0]).verb = Verb::Held;
    assert_eq!(story().trailed("CAPTURE r", held).rule, "RSV-1");
}

#[test]
fn the_logs_own_events_pass_and_keep_their_place() {
    let mut story = Story::of(TEN);
    let opened = |sequence| Event {
        sequence: Sequence(sequence),
        time: story.now,
        trace: None,
        data: EventData::Log(LogEvent::Opened { retention_ms: 1, log_retention_ms: 1 }),
    };
    assert_eq!(story.judge.clone().judge_ends(story.now, &[opened(4)]).unwrap_err().rule, "LOG-2");
    story.judge.judge_ends(story.now, &[opened(3)]).unwrap();
    story.trail.feed(&opened(3)).unwrap();
    assert_eq!(story.judge.last_sequence(), Some(Sequence(3)));
}

#[test]
fn within_the_last_thousandth_of_a_window_either_answer_is_right_and_nowhere_else() {
    let story = || {
        let mut story =
            Story::of("CONFIGURE a LIMIT 3 WINDOW 10000;RECEIVE a 10 ID m1;RESERVE r - 1 a 3 FOR h CAPTURE");
        story.system = Story::of("CONFIGURE a;RECEIVE a 10 ID m1;RESERVE r - 1 a 3 FOR h CAPTURE").system;
        story
    };
    let limited = Answer::Refused(Refusal {
        code: Code::Limit,
        facts: sumun_wire::Facts::Short(
            [sumun_wire::Short {
                sku: Name::from("a"),
                wanted: 1,
                available: 0,
                reserved: 0,
                holder: Some(Name::from("h")),
            }]
            .into_iter()
            .collect(),
        ),
    });
    for (at, may_refuse, may_pass) in
        [(10_999, true, false), (11_000, true, true), (11_010, true, true), (11_011, false, true)]
    {
        let mut story = story().at(at);
        let (command, passed, events) = story.perform("RESERVE s 100 1 a 1 FOR h");
        let command = command.as_command();
        let judge = |answer: &Answer, events: &[Event]| {
            story.judge.clone().judge(Timestamp(at), &command, answer, events).is_ok()
        };
        assert_eq!((judge(&limited, &[]), judge(&passed, &events)), (may_refuse, may_pass), "{at}");
    }
}
