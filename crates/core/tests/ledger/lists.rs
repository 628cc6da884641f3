//! Lists of open reservations against a naive one, made of the log alone: whole, page by page, while history goes on,
//! and over restarts.

use crate::support::{BEGIN, Driven, Judged};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use sumun_auditor::generate::{Generator, Random};
use sumun_auditor::{OwnedCommand, RETENTION_MS_DEFAULT};
use sumun_core::{Cursor, Event, Key, ListBy, Page, Record, State};
use sumun_wire::{Answer, Command, Extend, Line, Lines, Receive, Reserve, State as Status};

/// An open reservation as its events tell of it.
#[derive(Clone, Debug)]
struct Open {
    begun: u64,
    skus: BTreeSet<String>,
    holder: Option<String>,
    expires_at: u64,
}

#[derive(Debug, Default)]
struct Naive {
    open: BTreeMap<String, Open>,
    fed: usize,
}

impl Naive {
    fn hear(&mut self, log: &[Event]) {
        for event in log[self.fed..].iter().filter(|event| event.kind.is_reservation()) {
            let (entry, id) = (&event.reservation, event.name(event.reservation.id).to_owned());
            if entry.state != Status::Held {
                self.open.remove(&id);
                continue;
            }
            if entry.version == 1 {
                let skus = event.moves.iter().map(|m| event.name(event.items[m.item as usize].sku).to_owned());
                let open = Open {
                    begun: event.sequence,
                    skus: skus.collect(),
                    holder: event.holder().map(str::to_owned),
                    expires_at: 0,
                };
                self.open.insert(id.clone(), open);
            }
            let open = self.open.get_mut(&id).expect("it has begun");
            open.expires_at = entry.expires_at.unwrap_or(u64::MAX);
        }
        self.fed = log.len();
    }

    /// Begins and ids of what is listed, in the order of begins.
    fn listed(&self, now: u64, by: &By) -> BTreeSet<(u64, String)> {
        let listed = self.open.iter().filter(|(_, open)| open.expires_at > now && by.has(open));
        listed.map(|(id, open)| (open.begun, id.clone())).collect()
    }
    fn begun(&self, id: &str) -> u64 {
        self.open.get(id).unwrap_or_else(|| panic!("{id} is listed and not open")).begun
    }
}

#[derive(Clone, Debug, Default)]
struct By {
    sku: Option<String>,
    holder: Option<String>,
}

impl By {
    fn any(naive: &Naive, random: &mut Random) -> By {
        let mut by = By::default();
        let open: Vec<&Open> = naive.open.values().collect();
        if !open.is_empty() {
            let skus: Vec<&String> = random.pick(&open).skus.iter().collect();
            by.sku = random.chance(50).then(|| (*random.pick(&skus)).clone());
            by.holder = random.pick(&open).holder.clone().filter(|_| random.chance(50));
        }
        by
    }
    fn list(&self) -> ListBy<'_> {
        match (self.sku.as_deref(), self.holder.as_deref()) {
            (None, None) => ListBy::All,
            (Some(sku), None) => ListBy::Item(sku),
            (None, Some(holder)) => ListBy::Holder(holder),
            (Some(sku), Some(holder)) => ListBy::ItemAndHolder(sku, holder),
        }
    }
    fn has(&self, open: &Open) -> bool {
        self.sku.as_ref().is_none_or(|sku| open.skus.contains(sku))
            && (self.holder.is_none() || self.holder == open.holder)
    }
    fn is_by_begin(&self) -> bool {
        self.sku.is_some() || self.holder.is_some()
    }
}

/// Somebody who pages through a list while the world goes on.
#[derive(Debug)]
struct Walk {
    by: By,
    cursor: Option<Cursor>,
    /// What was open when it began.
    from: BTreeSet<(u64, String)>,
    seen: BTreeSet<(u64, String)>,
    last: u64,
}

impl Walk {
    fn begin(naive: &Naive, now: u64, by: By) -> Walk {
        let from = naive.listed(now, &by);
        Walk { by, cursor: None, from, seen: BTreeSet::new(), last: 0 }
    }

    /// One page. `true`: it was the last one, and nothing that stayed open throughout was skipped.
    fn go_on(&mut self, state: &State, naive: &Naive, now: u64, limit: usize, work: u32) -> bool {
        let page = list(state, now, &self.by, self.cursor.as_ref(), limit, work);
        let listed = naive.listed(now, &self.by);
        for record in &page.records {
            assert_eq!(state_of(state, &record.id, now), Some(record.clone()), "it is told as it stands");
            let key = (naive.begun(&record.id), record.id.to_string());
            assert!(listed.contains(&key), "{:?} is not of {:?}", record.id, self.by);
            if self.by.is_by_begin() {
                assert!(key.0 > self.last, "{:?} is out of order", record.id);
                self.last = key.0;
            }
            assert!(self.seen.insert(key), "{:?} is told twice", record.id);
        }
        self.cursor = page.next;
        if self.cursor.is_some() {
            return false;
        }
        let stayed: BTreeSet<_> = self.from.intersection(&listed).cloned().collect();
        let skipped: Vec<_> = stayed.difference(&self.seen).collect();
        assert!(skipped.is_empty(), "{skipped:?} were skipped in {:?}", self.by);
        true
    }
}

fn list(state: &State, now: u64, by: &By, after: Option<&Cursor>, limit: usize, work: u32) -> Page {
    let page = state.list_open(now, by.list(), after, limit, work).expect("its own cursor");
    assert!(page.records.len() <= limit);
    // One more look, with all that the record took, and the hashes of one sub-table.
    assert!(page.looked <= work.max(1) + 1 + 1_024 + 1, "{} of {work}", page.looked);
    page
}

fn state_of(state: &State, id: &str, now: u64) -> Option<sumun_wire::ReservationRecord> {
    match state.as_it_stands(now, &Command::Reservation { id }) {
        Some(Answer::Reservation(Some(record))) => Some(*record),
        other => panic!("{id}: {other:?}"),
    }
}

fn run(seed: u64, steps: usize, restarts: u64) -> (u64, u64) {
    let mut judged = Judged::new(seed);
    judged.driven = Driven::on_a_store(seed, RETENTION_MS_DEFAULT);
    let (mut generator, mut others) = (Generator::new(seed), Generator::new(!seed));
    let mut random = Random::new(seed);
    let mut naive = Naive::default();
    let mut walks: Vec<Walk> = Vec::new();
    let (mut ended, mut told) = (0, 0);
    for _ in 0..steps {
        let step = generator.step(&judged.ledger);
        // What is due may not have ended yet.
        judged.tick(judged.driven.now + step.advance_ms, random.below(4) as usize).unwrap();
        judged.driven.tend(&mut random);
        if random.below(1_000) < restarts {
            judged.driven.restart(&mut random);
        }
        if random.chance(20) {
            let tried: Vec<OwnedCommand> = (0..4).flat_map(|_| others.step(&judged.ledger).commands).collect();
            let tried: Vec<Command<'_>> = tried.iter().map(OwnedCommand::as_command).collect();
            judged.driven.attempt(&tried);
        }
        let result = if step.exec { judged.exec(&step.commands) } else { judged.handle(&step.commands[0]).map(|_| ()) };
        result.unwrap_or_else(|complaint| panic!("seed {seed}: {complaint}"));
        naive.hear(&judged.driven.log);
        let (state, now) = (&judged.driven.state, judged.driven.now);
        if walks.len() < 4 {
            walks.push(Walk::begin(&naive, now, By::any(&naive, &mut random)));
        }
        walks.retain_mut(|walk| {
            let (limit, work) = (random.between(1, 4) as usize, random.between(1, 12) as u32);
            let more = !random.chance(50) || !walk.go_on(state, &naive, now, limit, work);
            ended += u64::from(!more);
            told += if more { 0 } else { walk.seen.len() as u64 };
            more
        });
        if random.chance(10) {
            let mut whole = Walk::begin(&naive, now, By::any(&naive, &mut random));
            while !whole.go_on(state, &naive, now, 1 + random.below(9) as usize, 1 + random.below(9) as u32) {}
            assert_eq!(whole.seen, whole.from, "seed {seed}");
        }
    }
    judged.finish().unwrap();
    (ended, told)
}

#[test]
fn whatever_stays_open_is_told_once_while_history_goes_on() {
    let all: Vec<(u64, u64)> = (0..30).map(|seed| run(seed, 300, 0)).collect();
    let (ended, told) = all.iter().fold((0, 0), |sum, met| (sum.0 + met.0, sum.1 + met.1));
    assert!(ended > 2_000 && told > 2_000, "{ended} walks, {told} told");
}

#[test]
fn whatever_stays_open_is_told_once_over_restarts() {
    let all: Vec<(u64, u64)> = (100..140).map(|seed| run(seed, 250, 60)).collect();
    let (ended, told) = all.iter().fold((0, 0), |sum, met| (sum.0 + met.0, sum.1 + met.1));
    assert!(ended > 2_000 && told > 2_000, "{ended} walks, {told} told");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lists_are_what_a_naive_one_says_of_any_history(seed: u64) {
        run(seed, 150, 20);
    }
}

/// Open reservations `r0` … of one sku, as many as asked for; every third one of `ann`.
fn given(count: u64) -> Driven {
    let mut driven = Driven::on_a_store(3, RETENTION_MS_DEFAULT);
    let receive = Receive { sku: "a", quantity: 1 << 40, movement: Some("m"), ..Receive::default() };
    driven.handle(&Command::Receive(receive));
    (0..count).for_each(|n| reserve(&mut driven, n));
    driven
}

fn reserve(driven: &mut Driven, n: u64) {
    let id = format!("r{n}");
    let lines = Lines::from_iter([Line { sku: "a", quantity: 1, lot: None, location: None }]);
    let holder = n.is_multiple_of(3).then_some("ann");
    let command = Reserve { reservation: &id, holder, ttl_ms: Some(1_000_000), lines, ..Reserve::default() };
    assert!(matches!(driven.handle(&Command::Reserve(command)), Answer::Outcome(_)));
}

fn release(driven: &mut Driven, n: u64) {
    let id = format!("r{n}");
    let part = sumun_wire::Part { reservation: &id, id: None, lines: None };
    assert!(matches!(driven.handle(&Command::Release(part)), Answer::Outcome(_)));
}

/// The numbers of all that a list tells from a cursor on, in pages of so much work, and how many pages it took.
fn numbers(driven: &Driven, by: ListBy<'_>, mut after: Option<Cursor>, work: u32) -> (Vec<u64>, u32) {
    let (mut all, mut pages) = (Vec::new(), 0);
    loop {
        let page = driven.state.list_open(driven.now, by, after.as_ref(), 1_000, work).unwrap();
        assert!(page.looked <= work + 2 || matches!(by, ListBy::All), "{} looks", page.looked);
        all.extend(page.records.iter().map(|record| record.id[1..].parse::<u64>().unwrap()));
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (all, pages);
        }
    }
}

#[test]
fn a_place_that_is_lost_is_searched_in_bounded_steps() {
    const OPEN: u64 = 10_000;
    let mut driven = given(OPEN);
    let page = driven.state.list_open(BEGIN, ListBy::Item("a"), None, 1_000, 100_000).unwrap();
    let found = driven.state.list_open(BEGIN, ListBy::Item("a"), page.next.as_ref(), 1, 100).unwrap();
    assert_eq!(found.records[0].id, "r1000");
    assert!(found.looked < 4, "a place that stands is found at once: {} looks", found.looked);
    release(&mut driven, 999);
    let (all, pages) = numbers(&driven, ListBy::Item("a"), page.next, 100);
    assert_eq!(all, (1_000..OPEN).collect::<Vec<u64>>());
    let once = (OPEN - 1_000) / 50 + 1_000 / 100;
    assert!(u64::from(pages) <= once + 2, "{pages} pages: what was searched is not searched again");
}

#[test]
fn a_cursor_of_another_list_or_of_nothing_that_ever_was_finds_its_place_or_is_refused() {
    let mut driven = given(9);
    driven.handle(&Command::Receive(Receive { sku: "b", quantity: 1, movement: Some("n"), ..Receive::default() }));
    let ask = |by, cursor: &Cursor| driven.state.list_open(BEGIN, by, Some(cursor), 10, 100);
    let of_ann = driven.state.list_open(BEGIN, ListBy::Holder("ann"), None, 1, 100).unwrap().next.unwrap();
    let ids = |page: Page| page.records.iter().map(|record| record.id.to_string()).collect::<Vec<String>>();
    assert_eq!(ids(ask(ListBy::Holder("ann"), &of_ann).unwrap()), ["r3", "r6"]);
    assert_eq!(ids(ask(ListBy::ItemAndHolder("a", "ann"), &of_ann).unwrap()), ["r3", "r6"]);
    assert_eq!(ids(ask(ListBy::Item("a"), &of_ann).unwrap()).len(), 8);
    let of_a = driven.state.list_open(BEGIN, ListBy::Item("a"), None, 2, 100).unwrap().next.unwrap();
    assert_eq!(ids(ask(ListBy::Holder("ann"), &of_a).unwrap()), ["r3", "r6"], "what is near holds nothing for ann");
    assert_eq!(ids(ask(ListBy::Item("b"), &of_ann).unwrap()).len(), 0);
    assert_eq!(ids(ask(ListBy::Item("nothing"), &of_ann).unwrap()).len(), 0);
    assert_eq!(ask(ListBy::All, &of_ann), None);
    let of_all = Cursor::Id("no such".into());
    assert_eq!(ask(ListBy::Item("a"), &of_all), None);
    assert!(ids(ask(ListBy::All, &of_all).unwrap()).len() <= 9);
}

#[test]
fn after_a_start_on_a_store_lists_stand_in_the_order_of_begins_again() {
    const OPEN: u64 = 70_000;
    let mut driven = given(OPEN);
    for n in (0..OPEN).step_by(7) {
        let command = Command::Extend(Extend { reservation: &format!("r{n}"), ttl_ms: 2_000_000 });
        assert!(matches!(driven.handle(&command), Answer::Outcome(_)));
    }
    driven.flush();
    let mut state = State::new(3, RETENTION_MS_DEFAULT);
    driven.store.as_mut().unwrap().start(&mut state);
    let (mut from, mut slices) = (Some(0), 0);
    while let Some(slot) = from {
        from = state.arm(driven.now, slot, 1_000);
        slices += 1;
    }
    assert_eq!(slices, 2 * OPEN / 1_000, "each is looked at, then listed");
    driven.state = state;
    reserve(&mut driven, OPEN);
    let all: Vec<u64> = (0..=OPEN).collect();
    assert_eq!(numbers(&driven, ListBy::Item("a"), None, 100_000).0, all);
    let of_ann: Vec<u64> = (0..=OPEN).step_by(3).collect();
    assert_eq!(numbers(&driven, ListBy::Holder("ann"), None, 100_000).0, of_ann);
    let mut of_all = numbers(&driven, ListBy::All, None, 100).0;
    of_all.sort_unstable();
    assert_eq!(of_all, all);
}

#[test]
#[should_panic(expected = "STOCK-1: reserved is the sum of open lines")]
fn an_item_that_comes_back_with_another_reserved_than_its_open_lines_ends_the_process() {
    let mut driven = given(3);
    driven.flush();
    let whole = driven.state;
    let key = Key::Item("a".into());
    let Some(Record::Item(mut item)) = whole.record(&key) else { panic!("it is there") };
    let mut state = State::new(3, RETENTION_MS_DEFAULT);
    driven.store.as_mut().unwrap().start(&mut state);
    assert_eq!(state.arm(BEGIN, 0, u32::MAX), None);
    item.figures.reserved -= 1;
    state.install(&key, &[Record::Item(item)]);
}
