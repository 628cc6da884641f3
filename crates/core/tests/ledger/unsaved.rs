//! What is unsaved, and what is known of what is away: the queue against a naive model, filters against the keys that
//! were staged, and the moments between an event, its sync and its record's leaving.

use crate::support::{Driven, Judged, keys};
use proptest::prelude::*;
use std::collections::BTreeMap;
use sumun_auditor::generate::{Generator, Random};
use sumun_auditor::{OwnedCommand, RETENTION_MS_DEFAULT};
use sumun_core::{Event, EventKind, Key, Stage, State};
use sumun_wire::{Answer, Command};

/// Records that an event changes.
fn changed(event: &Event) -> Vec<Key> {
    let stamped = |at: usize| event.kind != EventKind::Extended && event.lots.iter().any(|lot| lot.item as usize == at);
    let is_changed = |key: &Key| {
        let Key::Item(sku) = key else { return true };
        let at = event.items.iter().position(|entry| event.name(entry.sku) == sku).unwrap();
        event.items[at].touched || stamped(at)
    };
    keys(std::slice::from_ref(event)).into_iter().filter(is_changed).collect()
}

fn stage(state: &mut State) -> Option<Key> {
    let mut key = None;
    let staged = state.stage(&mut |staged| key = Some(staged.record.key()));
    assert_eq!(staged, if key.is_some() { Stage::Staged } else { Stage::Empty });
    key
}

/// The same history on two states; one of them tries EXECs in between and takes them back.
fn run(seed: u64, steps: usize) {
    let mut judged = Judged::new(seed);
    let mut straight = Driven::new(seed);
    let (mut generator, mut others) = (Generator::new(seed), Generator::new(!seed));
    let mut random = Random::new(seed);
    let mut unsaved: BTreeMap<Key, u64> = BTreeMap::new();
    for _ in 0..steps {
        let step = generator.step(&judged.ledger);
        let from = judged.driven.log.len();
        judged.tick(judged.driven.now + step.advance_ms, usize::MAX).unwrap();
        straight.advance(judged.driven.now, u32::MAX);
        straight.follow(&judged.driven.log, &mut random);
        if random.chance(40) {
            let tried: Vec<OwnedCommand> = (0..4).flat_map(|_| others.step(&judged.ledger).commands).collect();
            let tried: Vec<Command<'_>> = tried.iter().map(OwnedCommand::as_command).collect();
            judged.driven.attempt(&tried);
        }
        for command in &step.commands {
            judged.handle(command).unwrap();
            straight.handle(&command.as_command());
        }
        for event in &judged.driven.log[from..] {
            for key in changed(event) {
                unsaved.entry(key).or_insert(event.sequence);
            }
        }
        for _ in 0..random.below(6) {
            let key = stage(&mut judged.driven.state);
            assert_eq!(key, stage(&mut straight.state), "what was taken back left the queue as it was");
            match key {
                Some(key) => drop(unsaved.remove(&key).expect("what is staged was unsaved")),
                None => assert!(unsaved.is_empty(), "{unsaved:?}"),
            }
            let state = &judged.driven.state;
            let first = unsaved.values().min().map_or(state.sequence(), |first| first - 1);
            assert_eq!(state.saved_through(), first, "P is what stands before the first unsaved event");
            assert_eq!(straight.state.saved_through(), first);
        }
        assert_eq!(straight.log, judged.driven.log);
    }
    while let Some(key) = stage(&mut judged.driven.state) {
        unsaved.remove(&key).expect("what is staged was unsaved");
    }
    assert!(unsaved.is_empty(), "{unsaved:?}");
    assert_eq!(judged.driven.state.unsaved(), 0);
}

#[test]
fn p_is_exactly_what_a_naive_model_says_whatever_was_taken_back() {
    (0..40).for_each(|seed| run(seed, 250));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p_is_what_a_naive_model_says_of_any_history(seed: u64) {
        run(seed, 200);
    }
}

fn ask(driven: &mut Driven, text: &str) -> Answer {
    let command: OwnedCommand = text.parse().unwrap();
    driven.handle(&command.as_command())
}

fn given(retention_ms: u64, commands: &[&str]) -> Driven {
    let mut driven = Driven::on_a_store(5, retention_ms);
    for text in commands {
        let answer = ask(&mut driven, text);
        assert!(!matches!(answer, Answer::Refused(_)), "{text}: {answer:?}");
    }
    driven
}

fn saved(driven: &Driven) -> u64 {
    driven.store.as_ref().unwrap().saved
}

/// Everything that may leave does.
fn empty(driven: &mut Driven) {
    let saved = saved(driven);
    for _ in 0..3 {
        for key in keys(&driven.log) {
            driven.state.evict_key(&key, saved, driven.now);
        }
    }
}

#[test]
fn what_was_staged_is_never_called_never_seen() {
    for seed in 0..30 {
        let mut judged = Judged::new(seed);
        let mut driven = Driven::on_a_store(!seed, RETENTION_MS_DEFAULT);
        let (mut generator, mut random) = (Generator::new(seed), Random::new(seed));
        for _ in 0..200 {
            let step = generator.step(&judged.ledger);
            judged.tick(judged.driven.now + step.advance_ms, usize::MAX).unwrap();
            driven.advance(judged.driven.now, u32::MAX);
            driven.follow(&judged.driven.log, &mut random);
            for command in &step.commands {
                judged.handle(command).unwrap();
                driven.handle(&command.as_command());
            }
        }
        driven.flush();
        if seed % 2 == 0 {
            driven.restart(&mut random);
            driven.store.as_mut().unwrap().fill(&mut driven.state, 99);
        }
        empty(&mut driven);
        for key in keys(&judged.driven.log) {
            let before = driven.state.record(&key).is_some();
            let command = match &key {
                Key::Item(sku) => Command::Item { sku },
                Key::Reservation(id) => Command::Reservation { id },
                Key::Usage(sku, holder) => Command::Holder { sku, holder },
                Key::Lot(..) | Key::Movement(..) => continue,
            };
            let read = driven.read;
            assert_eq!(driven.handle(&command), judged.driven.handle(&command), "{key:?}");
            assert!(before || driven.read > read, "{key:?} was found without a read");
        }
    }
}

#[test]
fn what_was_never_seen_needs_no_read() {
    let mut driven = given(RETENTION_MS_DEFAULT, &["CONFIGURE a LIMIT 9000", "RECEIVE a 9000 ID m"]);
    for n in 0..400 {
        ask(&mut driven, &format!("RESERVE r{n} - 1 a 1 FOR h{n} CAPTURE"));
    }
    driven.flush();
    driven.restart(&mut Random::new(1));
    driven.store.as_mut().unwrap().fill(&mut driven.state, 99);
    ask(&mut driven, "ITEM a");
    let read = driven.read;
    for n in 0..300 {
        ask(&mut driven, &format!("RESERVE s{n} - 1 a 1 FOR i{n} CAPTURE"));
        assert_eq!(ask(&mut driven, &format!("ITEM b{n}")), Answer::Item(None));
    }
    let reads = driven.read - read;
    assert!(reads <= 20, "{reads} reads of 900 keys that never were");
}

#[test]
fn an_item_known_in_part_has_to_be_read_before_it_is_staged() {
    let mut driven = given(RETENTION_MS_DEFAULT, &["CONFIGURE a SAFETY 1", "RECEIVE a 9 ID m"]);
    driven.flush();
    ask(&mut driven, "RECEIVE a 1 ID n");
    driven.restart(&mut Random::new(1));
    let item = Key::Item("a".into());
    for _ in 0..2 {
        let staged = driven.state.stage(&mut |staged| panic!("{staged:?}"));
        assert_eq!((staged, driven.state.saved_through()), (Stage::Unread(item.clone()), 2));
        assert_eq!(driven.state.record(&item), None);
    }
    driven.install(&item);
    assert_eq!(stage(&mut driven.state), Some(item));
    assert_eq!(stage(&mut driven.state), Some(Key::Movement("a".into(), "n".into())));
    assert_eq!(driven.state.saved_through(), 3);
}

#[test]
fn what_waits_for_a_record_holds_the_queue_until_that_is_read() {
    let mut driven = given(RETENTION_MS_DEFAULT, &["RECEIVE a 9 ID m", "RESERVE r - 1 a 4 CAPTURE"]);
    driven.flush();
    ask(&mut driven, "RETURN r 1 a 1 ID b");
    ask(&mut driven, "RECEIVE b 1 ID m");
    driven.restart(&mut Random::new(1));
    driven.install(&Key::Item("a".into()));
    assert_eq!(stage(&mut driven.state), Some(Key::Item("a".into())));
    let key = Key::Reservation("r".into());
    for _ in 0..2 {
        assert_eq!(driven.state.stage(&mut |staged| panic!("{staged:?}")), Stage::Unread(key.clone()));
        assert_eq!(driven.state.saved_through(), 3);
    }
    driven.install(&key);
    assert_eq!(stage(&mut driven.state), Some(key));
    let mut last = driven.state.saved_through();
    while stage(&mut driven.state).is_some() {
        assert!(last <= driven.state.saved_through(), "P never goes back");
        last = driven.state.saved_through();
    }
    assert_eq!(driven.state.saved_through(), driven.state.sequence());
}

/// Whoever reads a key that was forgotten meanwhile finds nothing: the queue goes on.
#[test]
fn what_waits_for_a_record_that_is_not_there_holds_nothing() {
    let mut driven = given(RETENTION_MS_DEFAULT, &["RECEIVE a 9 ID m", "RESERVE r - 1 a 4 CAPTURE"]);
    driven.flush();
    ask(&mut driven, "RETURN r 1 a 1 ID b");
    driven.restart(&mut Random::new(1));
    driven.state.install(&Key::Reservation("r".into()), &[]);
    driven.state.unpin(&Key::Reservation("r".into()));
    driven.install(&Key::Item("a".into()));
    assert_eq!(stage(&mut driven.state), Some(Key::Item("a".into())));
    assert_eq!(stage(&mut driven.state), None);
    assert_eq!(driven.state.saved_through(), driven.state.sequence());
}

/// A command waits for another record, and meanwhile somebody makes what it was told is absent.
#[test]
fn what_was_absent_and_is_made_since_stays_while_somebody_waits_for_it() {
    let mut driven = given(RETENTION_MS_DEFAULT, &["RECEIVE a 9 ID m"]);
    let key = Key::Reservation("r".into());
    driven.state.install(&key, &[]);
    ask(&mut driven, "RESERVE r - 1 a 1 CAPTURE");
    driven.flush();
    let saved = saved(&driven);
    assert!(!driven.state.evict_key(&key, saved, driven.now), "it would still be called absent");
    driven.state.unpin(&key);
    assert!(driven.state.evict_key(&key, saved, driven.now));
    assert!(matches!(ask(&mut driven, "RESERVATION r"), Answer::Reservation(Some(_))));
}

#[test]
fn what_was_read_stays_until_it_is_unpinned_as_often_as_it_was_read() {
    let mut driven = given(RETENTION_MS_DEFAULT, &["RECEIVE a 9 ID m", "RESERVE r - 1 a 1 CAPTURE"]);
    driven.flush();
    let saved = saved(&driven);
    for key in [Key::Reservation("r".into()), Key::Movement("a".into(), "m".into()), Key::Item("a".into())] {
        assert!(driven.state.evict_key(&key, saved, driven.now), "{key:?}");
        driven.install(&key);
        driven.install(&key);
        driven.state.unpin(&key);
        assert!(!driven.state.evict_key(&key, saved, driven.now), "{key:?}");
        driven.state.unpin(&key);
        assert!(driven.state.evict_key(&key, saved, driven.now), "{key:?}");
    }
}

#[test]
fn what_is_staged_and_not_synced_does_not_leave() {
    let returned = ["RECEIVE a 2 ID m LOT l", "RECEIVE b 1 ID m", "RESERVE r - 2 a 2 b 1 CAPTURE"];
    let mut driven = given(RETENTION_MS_DEFAULT, &returned);
    driven.flush();
    let before = saved(&driven);
    // Nothing of `a` moves, and yet it learns how long its lots are remembered.
    driven.advance(driven.now + 1_000, u32::MAX);
    ask(&mut driven, "RETURN r 1 b 1 ID b");
    while driven.stage(usize::MAX) {}
    assert_eq!(driven.state.unsaved(), 0);
    for key in [Key::Item("a".into()), Key::Item("b".into()), Key::Reservation("r".into())] {
        assert!(!driven.state.evict_key(&key, before, driven.now), "{key:?} is not synced");
        driven.store.as_mut().unwrap().sync(9);
        assert!(driven.state.evict_key(&key, before + 1, driven.now), "{key:?}");
    }
}

/// The store holds it as open, nobody has staged its end, and an EXEC that begins its id anew is taken back.
#[test]
fn an_end_that_is_unsaved_survives_an_exec_that_begins_the_id_anew_and_is_taken_back() {
    let mut driven = given(1_000, &["RECEIVE a 9 ID m", "RESERVE r 60000 1 a 1"]);
    driven.flush();
    ask(&mut driven, "RELEASE r");
    driven.advance(driven.now + 1_000, u32::MAX);
    let again: OwnedCommand = "RESERVE r - 1 a 2 CAPTURE".parse().unwrap();
    driven.attempt(&[again.as_command()]);
    driven.state.check();
    driven.flush();
    driven.restart(&mut Random::new(1));
    assert_eq!(driven.state.open_reservations(), 0);
    let answer = driven.exec(&[again.as_command(), Command::Reservation { id: "r" }]);
    assert!(matches!(&answer[1], Answer::Reservation(Some(r)) if r.version == 1), "{answer:?}");
}

/// The same, kept: the new one takes the old one's place in the store.
#[test]
fn an_id_that_begins_anew_before_its_end_was_staged_is_not_open_twice() {
    let mut driven = given(1_000, &["RECEIVE a 9 ID m", "RESERVE r 60000 1 a 1"]);
    driven.flush();
    ask(&mut driven, "RELEASE r");
    driven.advance(driven.now + 1_000, u32::MAX);
    let again: OwnedCommand = "RESERVE r - 1 a 2 CAPTURE".parse().unwrap();
    driven.exec(&[again.as_command()]);
    driven.state.check();
    driven.flush();
    driven.restart(&mut Random::new(1));
    assert_eq!(driven.state.open_reservations(), 0);
}

/// The store has the old life as open, and its end is forgotten unsaved: P must not pass that before the new life is staged.
#[test]
fn an_id_that_begins_anew_takes_the_place_in_the_queue_of_the_end_that_was_forgotten() {
    let mut driven = given(1_000, &["RECEIVE a 9 ID m", "RESERVE r 60000 1 a 1"]);
    driven.flush();
    ask(&mut driven, "RELEASE r");
    driven.advance(driven.now + 1_000, u32::MAX);
    ask(&mut driven, "RECEIVE b 1 ID m");
    let again: OwnedCommand = "RESERVE r 60000 1 b 1".parse().unwrap();
    driven.exec(&[again.as_command()]);
    let released = 4;
    while driven.state.saved_through() <= released {
        driven.stage(1);
    }
    driven.store.as_mut().unwrap().sync(99);
    driven.restart(&mut Random::new(1));
    assert_eq!(driven.state.open_reservations(), 1);
    let Answer::Reservation(Some(r)) = ask(&mut driven, "RESERVATION r") else { panic!("it is there") };
    assert_eq!((r.version, r.lines[0].sku.as_str()), (1, "b"));
}

/// While nothing can be written, and nothing read: what is not in memory is not called unknown.
#[test]
fn a_holder_whose_item_is_away_is_not_shown_as_it_stands() {
    let mut driven =
        given(RETENTION_MS_DEFAULT, &["CONFIGURE a LIMIT 3", "RECEIVE a 9 ID m", "RESERVE r - 1 a 1 FOR h CAPTURE"]);
    driven.flush();
    let (saved, now) = (saved(&driven), driven.now);
    let read = Command::Holder { sku: "a", holder: "h" };
    assert!(driven.state.as_it_stands(now, &read).is_some());
    assert!(driven.state.evict_key(&Key::Usage("a".into(), "h".into()), saved, driven.now));
    assert_eq!(driven.state.as_it_stands(now, &read), None);
    assert!(driven.state.evict_key(&Key::Item("a".into()), saved, driven.now));
    assert_eq!(driven.state.as_it_stands(now, &read), None);
}

/// Its lot is known from the tail and due, its settings are not.
#[test]
fn an_item_known_in_part_is_read_before_its_lots_end() {
    let begin = ["CONFIGURE a SAFETY 2", "RECEIVE a 5 ID m LOT l EXPIRES 1770000001000", "RECEIVE a 9 ID n"];
    let mut driven = given(RETENTION_MS_DEFAULT, &begin);
    driven.flush();
    ask(&mut driven, "ADJUST a -1 REASON x ID o LOT l");
    driven.restart(&mut Random::new(1));
    driven.advance(driven.now + 1_000, u32::MAX);
    assert_eq!(driven.end_due(usize::MAX), 1);
    let ended = driven.log.last().unwrap();
    assert_eq!((ended.kind, ended.items[0].figures.available), (EventKind::LotExpired, 7));
}

#[test]
fn nothing_stays_of_a_lot_that_was_asked_for_and_is_not_there() {
    let mut driven = given(RETENTION_MS_DEFAULT, &["RECEIVE a 1 ID m LOT l", "RESERVE r - 1 a 1 CAPTURE"]);
    driven.flush();
    let saved = saved(&driven);
    let lot = Key::Lot("a".into(), "l".into());
    assert!(driven.state.evict_key(&lot, saved, driven.now));
    driven.state.install(&lot, &[]);
    driven.state.unpin(&lot);
    empty(&mut driven);
    let counts = driven.state.counts();
    assert_eq!((counts.items, counts.lots, counts.reservations, counts.movements), (0, 0, 0, 0));
}

/// Memory that records take is given back to the byte, but for what filters hold.
#[test]
fn an_empty_memory_takes_no_more_than_a_state_that_never_saw_a_record() {
    let mut driven = given(RETENTION_MS_DEFAULT, &[]);
    for text in [
        "CONFIGURE a LIMIT 50 METADATA {\"a\":\"some-text-that-stands-on-the-heap\"}",
        "RECEIVE a 9 ID a-movement-with-a-name-beyond-24-bytes LOT a-lot-with-a-name-beyond-24-bytes AT a-place-with-a-name-beyond-24-bytes",
        "RECEIVE b 9 ID m",
        "RESERVE a-reservation-with-a-name-beyond-24-bytes 9000 2 a 9 b 2 FOR a-holder-with-a-name-beyond-24-bytes",
        "CAPTURE a-reservation-with-a-name-beyond-24-bytes 1 a 2 ID a-part-with-a-name-beyond-24-bytes",
        "CAPTURE a-reservation-with-a-name-beyond-24-bytes",
        "RELEASE t ID x",
    ] {
        ask(&mut driven, text);
    }
    let filters = |driven: &mut Driven| {
        driven.flush();
        empty(driven);
        driven.state.counts()
    };
    let once = filters(&mut driven);
    assert_eq!(
        (once.items, once.lots, once.reservations, once.usages, once.movements, once.holders),
        (0, 0, 0, 0, 0, 0)
    );
    for text in ["ITEM a", "ITEM b", "RESERVATION a-reservation-with-a-name-beyond-24-bytes", "RESERVATION t"] {
        ask(&mut driven, text);
    }
    assert_eq!(driven.state.counts().reservations, 2);
    assert_eq!(filters(&mut driven), once);
}

/// After a start nothing but the reservation is there, and its item, lots and holder are named before its end.
#[test]
fn what_an_open_reservation_needs_is_named_before_it_ends() {
    let mut begin = vec!["CONFIGURE a LIMIT 9".to_owned(), "RECEIVE a 900 ID m LOT l".to_owned()];
    begin.push("RECEIVE b 9 ID m".to_owned());
    begin.extend((0..20).map(|n| format!("RESERVE r{n} 60000 1 a 1 FOR h{}", n / 3)));
    let begin: Vec<&str> = begin.iter().map(String::as_str).collect();
    let mut driven = given(RETENTION_MS_DEFAULT, &begin);
    driven.flush();
    driven.restart(&mut Random::new(1));
    let (mut from, mut missing) = (Some(0), Vec::new());
    while let Some(next) = from {
        from = driven.state.missing_of_open(next, 3, &mut missing);
    }
    assert!(missing.contains(&Key::Item("a".into())) && missing.contains(&Key::Usage("a".into(), "h2".into())));
    assert!(!missing.contains(&Key::Item("b".into())));
    missing.sort_unstable();
    missing.dedup();
    missing.iter().for_each(|key| driven.install(key));
    let read = driven.read;
    driven.advance(driven.now + 61_000, u32::MAX);
    assert_eq!((driven.end_due(usize::MAX), driven.read), (20, read));
}

/// The store holds an end of the lot's first life; the second begins before anything of it was staged.
#[test]
fn an_end_of_a_lot_that_was_forgotten_and_began_anew_does_not_stay_behind() {
    let first = ["RECEIVE a 1 ID m LOT l EXPIRES 1770000900000"];
    let mut driven = given(1_000, &first);
    driven.flush();
    ask(&mut driven, "ADJUST a -1 REASON x ID n LOT l");
    driven.advance(driven.now + 2_000, u32::MAX);
    ask(&mut driven, "RECEIVE a 1 ID o LOT l EXPIRES 1770000800000");
    driven.flush();
    let ends: Vec<u64> = driven.store.as_ref().unwrap().ends.iter().map(|(at, _)| *at).collect();
    assert_eq!(ends, [1_770_000_800_000]);
}
