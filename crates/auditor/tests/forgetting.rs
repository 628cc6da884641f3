//! Retention, to the millisecond: what is forgotten when, what that shows, and that a system which forgets early or
//! late, or the wrong thing, is caught.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::collections::BTreeMap;
use sumun_auditor::generate::{Generator, Random, Step};
use sumun_auditor::{Cell, Complaint, Ledger, OwnedCommand, Trail};
use sumun_wire::{Answer, Event, EventData, Limit, LogEvent, Name, Sequence, Timestamp, Verb};

mod script;

/// Retention is 100 ms.
fn check(script: &str) {
    script::check(Ledger::new().with_retention(100), Trail::new().with_retention(100), script);
}

#[test]
fn an_id_is_free_retention_after_its_end_and_not_a_millisecond_before() {
    check(
        "@1 RECEIVE a 9 ID m -> 9
         RESERVE r 50 1 a 1 -> held until 51
         RELEASE t -> released tombstone
         RESERVE open 2592000000 1 a 1 -> held until 2592000001
         @51 RESERVE r 50 1 a 1 -> EXPIRED
         @100 RESERVE t 50 1 a 1 -> RELEASED
         RECEIVE a 9 ID m -> 9 replayed
         RECEIVE a 8 ID m -> CONFLICT id
         @101 RESERVATION t -> null
         CAPTURE t -> NOTFOUND t
         EXTEND t 5 -> NOTFOUND t
         RESERVE t 50 1 a 3 -> held until 151
         | reservation.held a 3 = 9/4/5 v6
         RECEIVE a 8 ID m -> 13
         @150 RESERVATION r -> expired by expired [a 1 e1 -:1]
         RESERVE r 50 1 a 2 -> CONFLICT id
         @151 RESERVATION r -> null
         RELEASE r -> released tombstone
         @900 RESERVATION open -> held [a 1 -:1]
         RETURN r ID x -> NOTFOUND r",
    );
}

#[test]
fn a_return_keeps_an_id_and_a_replay_does_not() {
    check(
        "@1 RECEIVE a 9 ID m -> 9
         RESERVE r - 1 a 3 CAPTURE -> captured
         @100 RETURN r 1 a 1 ID x -> captured
         @199 RESERVE r - 1 a 3 CAPTURE -> captured replayed
         RETURN r 1 a 1 ID x -> captured replayed
         @200 RETURN r 1 a 1 ID x -> NOTFOUND r
         RESERVE r - 1 a 3 CAPTURE -> captured
         | reservation.captured a 3 = 4/0/4 v5
         RETURN r 1 a 1 ID x -> captured",
    );
}

#[test]
fn a_lot_without_units_is_forgotten_and_begins_anew() {
    check(
        "@1 RECEIVE a 5 ID m1 LOT l EXPIRES 5000 AT north -> 5
         ADJUST a -5 REASON out ID m2 LOT l -> 0
         RECEIVE a 1 ID m3 -> 1
         ITEM a -> 1/0/1 -:1/0
         @100 RECEIVE a 1 ID m4 LOT l EXPIRES 6000 -> CONFLICT
         CONFIGURE a BACKORDER 1 -> CONFLICT
         ADJUST a -1 REASON out ID m5 LOT l -> INSUFFICIENT a wanted 1 available 0
         @101 ADJUST a 1 REASON found ID m6 LOT l -> NOTFOUND l
         ITEM a -> 1/0/1
         RESERVE r 50 1 a 1 LOT 1 l -> INSUFFICIENT a wanted 1 available 0
         CONFIGURE a BACKORDER 1 -> 2
         CONFIGURE a -> 1
         RECEIVE a 2 ID m7 LOT l EXPIRES 6000 AT south -> 3
         ITEM a -> 3/0/3 l:2/0 -:1/0
         @900 RECEIVE a 1 ID m8 LOT l EXPIRES 5000 -> CONFLICT",
    );
}

#[test]
fn a_lot_of_an_open_reservation_is_remembered_and_what_ends_or_comes_back_stamps_all_its_lots() {
    check(
        "@1 RECEIVE a 2 ID m LOT l AT north -> 2
         RECEIVE b 2 ID m LOT l AT north -> 2
         RESERVE r 1000 2 a 2 b 2 -> held until 1001
         CAPTURE r 1 a 2 ID x -> held until 1001
         @500 RECEIVE a 1 ID m2 LOT l AT south -> CONFLICT
         CAPTURE r -> captured until 1001
         @599 RECEIVE a 1 ID m2 LOT l AT south -> CONFLICT
         RETURN r 1 b 1 ID x -> captured until 1001
         @698 RECEIVE a 1 ID m2 LOT l AT south -> CONFLICT
         @699 RECEIVE a 1 ID m2 LOT l AT south -> 1
         RECEIVE b 1 ID m2 LOT l AT south -> CONFLICT
         ITEM b -> 1/0/1 l:1/0",
    );
}

#[test]
fn what_a_limit_has_counted_outlives_its_record() {
    check(
        "@1 CONFIGURE a LIMIT 3 -> 0
         RECEIVE a 9 ID m -> 9
         RESERVE r - 1 a 2 FOR h CAPTURE -> captured
         @500 RESERVATION r -> null
         HOLDER a h -> held 0 counted 2 left 1
         RESERVE r - 1 a 2 FOR h CAPTURE -> LIMIT a h wanted 2 left 1
         RESERVE r - 1 a 1 FOR h CAPTURE -> captured
         RETURN r ID x -> captured
         HOLDER a h -> held 0 counted 2 left 1
         @5000 CONFIGURE a LIMIT 3 WINDOW 10000 -> 7
         HOLDER a h -> held 0 counted 2 left 1 free 10001",
    );
}

/// What a run met.
#[derive(Debug, Default)]
struct Seen {
    /// Ids of reservations that began again, by the time since the end before: at `retention`, one later, more.
    anew: [u32; 3],
    /// Commands answered with the record one millisecond before it was forgotten.
    late: u32,
    lots_anew: u32,
}

fn run(seed: u64, retention_ms: u64, steps: u32, seen: &mut Seen) -> Ledger {
    let mut system = Ledger::new().with_retention(retention_ms);
    let mut judge = system.clone();
    let mut trail = Trail::new().with_retention(retention_ms);
    let mut generator = Generator::new(seed).forgetting();
    let mut random = Random::new(seed ^ 1);
    let mut now = Timestamp(1_000_000);
    let mut written: Vec<String> = Vec::new();
    let mut ends: BTreeMap<Name, Timestamp> = BTreeMap::new();
    let mut lots: BTreeMap<(Name, Name), Option<Name>> = BTreeMap::new();
    let mut log: Vec<Event> = Vec::new();
    let all = Cell::all();
    for _ in 0..steps {
        let Step { advance_ms, commands, exec } = generator.step(&judge);
        now.0 += advance_ms;
        written.push(format!("{} {}", now.0, commands.iter().map(|c| format!("{c}; ")).collect::<String>()));
        let told = |c: Complaint| -> ! {
            let last = written[written.len().saturating_sub(12)..].join("\n");
            panic!("seed {seed}, retention {retention_ms}: {c}\n{last}")
        };
        let mut events: Vec<Event> = Vec::new();
        if random.chance(30) {
            let ends = system.perform_ends(now).unwrap_or_else(|c| told(c));
            judge.judge_ends(now, &ends).unwrap_or_else(|c| told(c));
            events.extend(ends);
        }
        let (mut answers, mut own) = (Vec::new(), Vec::new());
        for command in &commands {
            let (answer, made) = system.perform(now, &command.as_command()).unwrap_or_else(|c| told(c));
            if let (OwnedCommand::Reserve { reservation, .. }, true) = (command, made.is_empty()) {
                let end = ends.get(reservation.as_str()).map_or(0, |end| end.0 + retention_ms);
                seen.late += u32::from(end == now.0 + 1);
            }
            answers.push(answer);
            own.extend(made);
        }
        let borrowed: Vec<_> = commands.iter().map(OwnedCommand::as_command).collect();
        let judged = if exec {
            judge.judge_exec(now, &borrowed, &answers, &own)
        } else {
            judge.judge(now, &borrowed[0], &answers[0], &own)
        };
        judged.unwrap_or_else(|c| told(c));
        let unlisted = judge.cells().iter().find(|cell| !all.contains(cell));
        assert_eq!(unlisted, None, "seed {seed}: not in the list of cells");
        events.extend(own);
        for event in &events {
            trail.feed(event).unwrap_or_else(|c| told(c));
            note(event, retention_ms, &mut ends, &mut lots, seen);
        }
        log.extend(events);
    }
    judge.check_all().unwrap();
    trail.finish().unwrap();
    a_trail_may_begin_anywhere(&log, retention_ms, &mut random);
    judge
}

/// What is right from the first event on is right from any, whether the retention is known or not.
fn a_trail_may_begin_anywhere(log: &[Event], retention_ms: u64, random: &mut Random) {
    for told in [true, false, true, false] {
        let from = usize::try_from(random.below(log.len() as u64)).unwrap();
        let mut trail = if told { Trail::new().with_retention(retention_ms) } else { Trail::new() };
        if from == 0 && !told {
            continue;
        }
        for event in &log[from..] {
            trail.feed(event).unwrap_or_else(|c| panic!("from {from} of {}, told {told}: {c}", log.len()));
        }
        trail.finish().unwrap();
    }
}

fn note(
    event: &Event,
    retention_ms: u64,
    ends: &mut BTreeMap<Name, Timestamp>,
    lots: &mut BTreeMap<(Name, Name), Option<Name>>,
    seen: &mut Seen,
) {
    match &event.data {
        EventData::Log(_) => {}
        EventData::Item(data) => {
            for line in &data.lines {
                let (Some(lot), Some(figures)) = (&line.lot, &line.lot_figures) else { continue };
                let key = (line.sku.clone(), lot.clone());
                let before = lots.insert(key, figures.location.clone());
                seen.lots_anew += u32::from(before.is_some_and(|location| location != figures.location));
            }
        }
        EventData::Reservation(data) => {
            if data.version == 1
                && let Some(end) = ends.remove(&data.reservation)
            {
                let since = event.time.0 - end.0 - retention_ms;
                seen.anew[usize::try_from(since.min(2)).unwrap()] += 1;
            }
            if data.complete {
                ends.insert(data.reservation.clone(), event.time);
            }
        }
    }
}

#[test]
fn what_the_model_performs_with_a_short_retention_its_judges_accept() {
    let mut seen = Seen::default();
    for (seed, retention_ms) in [(1, 1_000), (2, 1_000), (3, 5_000), (4, 10_000), (5, 60_000), (6, 60_000)] {
        let forgotten = run(seed, retention_ms, 4_000, &mut seen).forgotten();
        assert!(forgotten.reservations > 200 && forgotten.movements > 200 && forgotten.lots > 60, "{forgotten:?}");
    }
    println!("{seen:?}");
    assert!(seen.anew.iter().all(|count| *count > 60) && seen.late > 60 && seen.lots_anew > 60, "{seen:?}");
}

/// A system whose retention is another by one millisecond: after how many steps somebody complains.
fn steps_until_caught(seed: u64, retention_ms: u64, of_system_ms: u64) -> Option<u32> {
    let mut system = Ledger::new().with_retention(of_system_ms);
    let mut judge = Ledger::new().with_retention(retention_ms);
    let mut generator = Generator::new(seed).forgetting();
    let mut now = Timestamp(1_000_000);
    for step in 0..3_000 {
        let Step { advance_ms, commands, .. } = generator.step(&judge);
        now.0 += advance_ms;
        for command in commands.iter().map(OwnedCommand::as_command) {
            let (answer, events) = system.perform(now, &command).unwrap();
            if judge.judge(now, &command, &answer, &events).is_err() {
                return Some(step);
            }
        }
    }
    None
}

#[test]
fn a_retention_that_is_wrong_by_a_millisecond_is_soon_caught() {
    for seed in 20..40 {
        for of_system_ms in [9_999, 10_001] {
            let caught = steps_until_caught(seed, 10_000, of_system_ms);
            assert!(caught.is_some(), "seed {seed}: {of_system_ms} instead of 10000");
        }
    }
}

fn do_as(ledger: &mut Ledger, now: u64, command: &str) -> (OwnedCommand, Answer, Vec<Event>) {
    let command: OwnedCommand = command.parse().unwrap();
    let (answer, events) = ledger.perform(Timestamp(now), &command.as_command()).unwrap();
    (command, answer, events)
}

/// Two systems with the same history until one of them holds to another retention than the judge's 100 ms: what the
/// judge of answers, and the trail, say of `command` at `now`.
fn with_another_retention(
    retention_ms: u64,
    history: &[(u64, &str)],
    now: u64,
    command: &str,
) -> [Option<Complaint>; 2] {
    let mut system = Ledger::new().with_retention(100);
    let mut judge = system.clone();
    let mut trail = Trail::new().with_retention(100);
    for (now, one) in history {
        let (one, answer, events) = do_as(&mut system, *now, one);
        judge.judge(Timestamp(*now), &one.as_command(), &answer, &events).unwrap();
        events.iter().for_each(|event| trail.feed(event).unwrap());
    }
    system.set_retention(retention_ms);
    let (command, answer, events) = do_as(&mut system, now, command);
    let judged = judge.judge(Timestamp(now), &command.as_command(), &answer, &events).err();
    [judged, events.iter().find_map(|event| trail.feed(event).err())]
}

fn rules(complaints: &[Option<Complaint>; 2]) -> [&'static str; 2] {
    complaints.each_ref().map(|c| c.as_ref().map_or("fine", |c| c.rule))
}

const RESERVED: [(u64, &str); 3] = [(1, "RECEIVE a 9 ID m"), (1, "RESERVE r 500 1 a 1"), (1, "RELEASE r")];
const CAPTURED: [(u64, &str); 2] = [(1, "RECEIVE a 9 ID m"), (1, "RESERVE r - 1 a 3 CAPTURE")];
const EMPTIED: [(u64, &str); 2] = [(1, "RECEIVE a 5 ID m1 LOT l AT north"), (1, "ADJUST a -5 REASON out ID m2 LOT l")];

#[test]
fn a_system_that_forgets_a_millisecond_early_is_caught() {
    let cases = |now, early| {
        [
            (&RESERVED[..], "RESERVE r 500 1 a 1", "RSV-1"),
            (&RESERVED, "RELEASE r", "RSV-1"),
            (&RESERVED, "RESERVATION r", "fine"),
            (&CAPTURED, "RETURN r ID x", "fine"),
            (&RESERVED, "RECEIVE a 9 ID m", "IDEM-1"),
            (&EMPTIED, "RECEIVE a 1 ID m3 LOT l AT south", "event"),
            (&EMPTIED, "CONFIGURE a BACKORDER 1", "event"),
            (&EMPTIED, "ADJUST a 1 REASON found ID m3 LOT l", "fine"),
        ]
        .map(|(history, command, trail)| (rules(&with_another_retention(early, history, now, command)), trail, command))
    };
    for (rules, trail, command) in cases(100, 99) {
        assert!(rules[0] != "fine" && rules[1] == trail, "{command}: {rules:?}");
    }
    for (rules, _, command) in cases(101, 99) {
        assert_eq!(rules, ["fine"; 2], "{command}");
    }
}

#[test]
fn a_system_that_remembers_too_long_is_caught() {
    let cases = |now| {
        [
            (&RESERVED[..], "RESERVE r 500 1 a 1", "fine"),
            (&RESERVED, "RELEASE r", "fine"),
            (&RESERVED, "RESERVATION r", "fine"),
            (&CAPTURED, "RETURN r ID x", "RSV-1"),
            (&RESERVED, "RECEIVE a 9 ID m", "fine"),
            (&RESERVED, "RECEIVE a 8 ID m", "fine"),
            (&EMPTIED, "RECEIVE a 1 ID m3 LOT l", "fine"),
            (&EMPTIED, "RECEIVE a 1 ID m3 LOT l AT south", "fine"),
            (&EMPTIED, "CONFIGURE a BACKORDER 1", "fine"),
            (&EMPTIED, "ADJUST a 1 REASON found ID m3 LOT l", "event"),
        ]
        .map(|(history, command, trail)| (rules(&with_another_retention(101, history, now, command)), trail, command))
    };
    for (rules, trail, command) in cases(101) {
        assert!(rules[0] != "fine" && rules[1] == trail, "{command}: {rules:?}");
    }
    for (rules, _, command) in cases(100) {
        assert_eq!(rules, ["fine"; 2], "{command}");
    }
}

#[test]
fn a_lot_forgotten_though_an_open_reservation_took_from_it_is_caught() {
    let received = [(1, "RECEIVE a 2 ID m LOT l AT north"), (1, "RECEIVE b 2 ID m")];
    let held = [(1, "RESERVE r 1000 2 a 2 b 2"), (1, "CAPTURE r 1 a 2 ID x")];
    // The wrong system thinks that nothing open took from the lot: for it, a reservation of `a` alone has ended.
    let ended = [(1, "RESERVE r - 1 a 2 CAPTURE")];
    let again = "RECEIVE a 1 ID m2 LOT l AT south";
    for (last, caught) in [(None, true), (Some((300, "RELEASE r")), true), (Some((200, "RELEASE r")), false)] {
        let mut wrong = Ledger::new().with_retention(100);
        let mut right = wrong.clone();
        let mut trail = Trail::new().with_retention(100);
        for (now, command) in received.iter().chain(&ended) {
            do_as(&mut wrong, *now, command);
        }
        for (now, command) in received.iter().chain(&held).chain(&last) {
            let (_, _, events) = do_as(&mut right, *now, command);
            events.iter().for_each(|event| trail.feed(event).unwrap());
        }
        let (command, answer, mut events) = do_as(&mut wrong, 300, again);
        let (_, right_answer, _) = do_as(&mut right.clone(), 300, again);
        assert_eq!(answer != right_answer, caught, "{last:?}");
        // As the right system would number them.
        events[0].sequence = Sequence(right.last_sequence().unwrap().0 + 1);
        if let EventData::Item(data) = &mut events[0].data {
            assert_eq!(data.verb, Verb::Received);
            let item = right.item("a", Timestamp(300)).unwrap();
            (data.lines[0].version, data.lines[0].previous) = (item.version + 1, Some(item.sequence));
        }
        assert_eq!(right.judge(Timestamp(300), &command.as_command(), &answer, &events).is_err(), caught, "{last:?}");
        let complaint = trail.feed(&events[0]).err();
        assert_eq!(complaint.map(|c| c.rule), caught.then_some("event"), "{last:?}");
    }
}

#[test]
fn a_limit_that_forgets_what_was_captured_together_with_its_record_is_caught() {
    let mut system = Ledger::new().with_retention(100);
    let mut judge = system.clone();
    let mut trail = Trail::new().with_retention(100);
    let buy = "RESERVE r - 1 a 2 FOR h CAPTURE";
    let (_, answer, mut events) = do_as(&mut system, 1, "CONFIGURE a");
    let EventData::Item(data) = &mut events[0].data else { panic!("an item's") };
    data.settings.as_mut().unwrap().limit = Some(Limit { quantity: 3, window_ms: None });
    let limited: OwnedCommand = "CONFIGURE a LIMIT 3".parse().unwrap();
    judge.judge(Timestamp(1), &limited.as_command(), &answer, &events).unwrap();
    trail.feed(&events[0]).unwrap();
    for (now, command, caught) in [(1, "RECEIVE a 9 ID m", false), (1, buy, false), (500, buy, true)] {
        let (command, answer, events) = do_as(&mut system, now, command);
        let judged = judge.judge(Timestamp(now), &command.as_command(), &answer, &events).err();
        let trailed = events.iter().find_map(|event| trail.feed(event).err());
        let rules = rules(&[judged, trailed]);
        assert_eq!(rules, if caught { ["answer", "LIMIT-1"] } else { ["fine"; 2] });
    }
}

fn opened(ledger: &Ledger, now: u64, retention_ms: u64) -> Event {
    let sequence = Sequence(ledger.last_sequence().map_or(1, |last| last.0 + 1));
    let data = EventData::Log(LogEvent::Opened { retention_ms, log_retention_ms: retention_ms });
    Event { sequence, time: Timestamp(now), trace: None, data }
}

/// A history under 100 ms, then a log that is opened with another retention: what the judges say of each of two systems,
/// one that looks anew at what it still has, and one for which what was forgotten is gone.
fn opened_with(retention_ms: u64, at: u64, now: u64, history: &[(u64, &str)], command: &str) -> [[bool; 2]; 2] {
    let mut told = [[false; 2]; 2];
    for (nth, gone) in [false, true].into_iter().enumerate() {
        let mut system = Ledger::new().with_retention(100);
        let mut judge = Ledger::new();
        let mut trail = Trail::new();
        let first = opened(&system, 1, 100);
        system.judge_ends(Timestamp(1), std::slice::from_ref(&first)).unwrap();
        judge.judge_ends(Timestamp(1), std::slice::from_ref(&first)).unwrap();
        trail.feed(&first).unwrap();
        for (now, one) in history {
            let (one, answer, events) = do_as(&mut system, *now, one);
            judge.judge(Timestamp(*now), &one.as_command(), &answer, &events).unwrap();
            events.iter().for_each(|event| trail.feed(event).unwrap());
        }
        let event = opened(&system, at, retention_ms);
        judge.judge_ends(Timestamp(at), std::slice::from_ref(&event)).unwrap();
        trail.feed(&event).unwrap();
        // Who held to the lower of both has forgotten what the judge only doubts.
        system.judge_ends(Timestamp(at), std::slice::from_ref(&event)).unwrap();
        if gone {
            system.set_retention(100.min(retention_ms));
        }
        let (command, answer, events) = do_as(&mut system, now, command);
        told[nth][0] = judge.judge(Timestamp(now), &command.as_command(), &answer, &events).is_ok();
        told[nth][1] = events.iter().all(|event| trail.feed(event).is_ok());
        judge.check_all().unwrap();
    }
    told
}

#[test]
fn what_a_raised_retention_may_bring_back_passes_either_way_and_what_it_never_lost_does_not() {
    let all = [
        (&RESERVED[..], "RESERVE r 500 1 a 1"),
        (&RESERVED, "RECEIVE a 9 ID m"),
        (&CAPTURED, "RETURN r 1 a 1 ID x"),
        (&EMPTIED, "RECEIVE a 1 ID m3 LOT l AT south"),
        (&EMPTIED, "ADJUST a 1 REASON found ID m3 LOT l"),
        (&EMPTIED, "CONFIGURE a BACKORDER 1"),
    ];
    for (history, command) in all {
        assert_eq!(opened_with(1_000, 500, 600, history, command), [[true; 2]; 2], "doubtful: {command}");
        assert_eq!(opened_with(1_000, 500, 1_001, history, command), [[true; 2]; 2], "surely forgotten: {command}");
        assert_eq!(opened_with(1_000, 500, 1_000, history, command), [[true; 2]; 2], "the last doubt: {command}");
        // Opened before it was forgotten: it must be remembered until 1001.
        let [kept, gone] = opened_with(1_000, 50, 600, history, command);
        assert_eq!((kept, gone[0]), ([true; 2], false), "never lost: {command}");
        assert_eq!(opened_with(10, 50, 50, history, command), [[true; 2]; 2], "lowered: {command}");
    }
}

#[test]
fn time_that_goes_back_to_the_last_event_finds_what_a_read_saw_forgotten() {
    let mut ledger = Ledger::new().with_retention(100);
    for (now, command) in RESERVED {
        do_as(&mut ledger, now, command);
    }
    assert_eq!(do_as(&mut ledger, 101, "RESERVATION r").1, Answer::Reservation(None));
    ledger.recovered(&[]).unwrap();
    assert!(ledger.reservation("r").is_some());
    assert!(matches!(do_as(&mut ledger, 100, "RESERVE r 500 1 a 1").1, Answer::Refused(_)));
    assert!(matches!(do_as(&mut ledger, 101, "RESERVE r 500 1 a 1").1, Answer::Outcome(_)));
}

/// Restarts with another retention each, and answers that were lost: the log explains itself all the same.
#[test]
fn what_is_in_the_log_after_a_restart_is_explained_with_a_short_retention_too() {
    for seed in 700..704 {
        let mut system = Ledger::new().with_retention(2_000);
        let mut judge = system.clone();
        let mut generator = Generator::new(seed).forgetting();
        let mut random = Random::new(seed);
        let mut now = Timestamp(1_000_000);
        let mut trail = Trail::new().with_retention(2_000);
        for round in 0..300 {
            let mut events: Vec<Event> = Vec::new();
            let batch = random.between(1, 12);
            let durable = random.below(batch + 1);
            for nth in 0..batch {
                let Step { advance_ms, commands, exec } = generator.step(&system);
                now.0 += advance_ms;
                let borrowed: Vec<_> = commands.iter().map(OwnedCommand::as_command).collect();
                if exec {
                    judge.lost(&borrowed)
                } else {
                    borrowed.iter().for_each(|one| judge.lost(std::slice::from_ref(one)))
                }
                for command in &borrowed {
                    if nth < durable {
                        events.extend(system.perform(now, command).unwrap().1);
                    }
                }
            }
            if random.chance(30) {
                let event = opened(&system, now.0, *random.pick(&[1_000, 2_000, 3_000]));
                system.judge_ends(now, std::slice::from_ref(&event)).unwrap();
                events.push(event);
            }
            judge.recovered(&events).unwrap_or_else(|c| panic!("seed {seed}, round {round}: {c}"));
            events.iter().for_each(|e| trail.feed(e).unwrap_or_else(|c| panic!("seed {seed}, round {round}: {c}")));
            assert_eq!(judge.last_sequence(), system.last_sequence());
            judge.check_all().unwrap();
        }
    }
}
