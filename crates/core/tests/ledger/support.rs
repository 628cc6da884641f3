//! A state that is driven like a shard drives it, without log or clock, and judged after every step by the auditor.

use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};
use sumun_auditor::generate::Random;
use sumun_auditor::{Complaint, Ledger, OwnedCommand, RETENTION_MS_DEFAULT, Trail};
use sumun_codec::{decode, encode, encode_record, next_event, outside};
use sumun_core::{Decision, Event, EventKind, Key, State};
use sumun_wire as wire;
use sumun_wire::{Answer, Command, Name, Timestamp};

/// Time at which tests begin: some instant in 2026.
pub(crate) const BEGIN: u64 = 1_770_000_000_000;

/// Rounds in which one command may miss records: far more than any needs.
const ROUNDS_MAX: usize = 40;

/// A state, and what it wrote.
#[derive(Debug)]
pub(crate) struct Driven {
    pub(crate) state: State,
    pub(crate) now: u64,
    /// As the log would give them back.
    pub(crate) log: Vec<Event>,
    /// Where records stand that have left memory. None: nothing leaves.
    pub(crate) store: Option<Store>,
    /// Events of the tail that wait for a record to be read.
    pub(crate) waiting: BTreeMap<Key, Vec<Event>>,
    /// Records that were read.
    pub(crate) read: u64,
    seed: u64,
    retention_ms: u64,
    event: Event,
    missing: Vec<Key>,
    /// What a command asked for stays until it is decided.
    pinned: Vec<Key>,
    random: Random,
}

impl Driven {
    pub(crate) fn new(seed: u64) -> Driven {
        Driven::with_retention(seed, RETENTION_MS_DEFAULT)
    }

    pub(crate) fn with_retention(seed: u64, retention_ms: u64) -> Driven {
        let mut state = State::new(seed, retention_ms);
        assert_eq!(state.arm(BEGIN, 0, 1), None, "an empty state has nothing to arm");
        Driven {
            state,
            now: BEGIN,
            log: Vec::new(),
            store: None,
            waiting: BTreeMap::new(),
            read: 0,
            seed,
            retention_ms,
            event: Event::default(),
            missing: Vec::new(),
            pinned: Vec::new(),
            random: Random::new(seed),
        }
    }

    /// With a store, to which it will be staged.
    pub(crate) fn on_a_store(seed: u64, retention_ms: u64) -> Driven {
        Driven { store: Some(Store::new(BEGIN)), ..Driven::with_retention(seed, retention_ms) }
    }

    fn write(&mut self) {
        self.state.apply(&self.event);
        self.log.push(read_back(&self.event));
    }

    /// Decides a command and writes what it makes, the ends before it included. `None`: records are missing.
    fn try_handle(&mut self, command: &Command<'_>) -> Option<Answer> {
        loop {
            self.missing.clear();
            match self.state.decide(self.now, command, &mut self.event, &mut self.missing) {
                Decision::Answer(answer) => return Some(answer),
                Decision::Missing => return None,
                Decision::First => self.write(),
                Decision::Event(answer) => {
                    self.write();
                    return Some(answer);
                }
            }
        }
    }

    pub(crate) fn handle(&mut self, command: &Command<'_>) -> Answer {
        for _ in 0..ROUNDS_MAX {
            if let Some(answer) = self.try_handle(command) {
                self.unpin();
                return answer;
            }
            self.fetch();
        }
        panic!("{command:?} never has all that it needs: {:?}", self.missing)
    }

    /// Decides commands with nothing in between. What was done before a record was missed is taken back.
    pub(crate) fn exec(&mut self, commands: &[Command<'_>]) -> Vec<Answer> {
        let written = self.log.len();
        for _ in 0..ROUNDS_MAX {
            self.state.begin_undo();
            let answers: Option<Vec<Answer>> = commands.iter().map(|command| self.try_handle(command)).collect();
            if let Some(answers) = answers {
                self.state.keep();
                self.unpin();
                return answers;
            }
            self.state.roll_back();
            self.log.truncate(written);
            self.fetch();
        }
        panic!("{commands:?} never have all that they need: {:?}", self.missing)
    }

    /// Decides commands and takes everything back.
    pub(crate) fn attempt(&mut self, commands: &[Command<'_>]) {
        let written = self.log.len();
        self.state.begin_undo();
        let all = commands.iter().all(|command| self.try_handle(command).is_some());
        assert!(all || self.store.is_some(), "nothing has left memory, and {:?} is missing", self.missing);
        self.state.roll_back();
        self.log.truncate(written);
    }

    /// Reads what is missing, in any order: reads end as they do.
    fn fetch(&mut self) {
        let mut keys = std::mem::take(&mut self.missing);
        assert!(!keys.is_empty(), "what is missing has a key");
        while !keys.is_empty() {
            let key = keys.swap_remove(self.random.below(keys.len() as u64) as usize);
            self.install(&key);
            self.pinned.push(key);
        }
    }

    /// Reads one record, and applies what waited for it.
    pub(crate) fn install(&mut self, key: &Key) {
        let store = self.store.as_ref();
        let store = store.unwrap_or_else(|| panic!("nothing has left memory, and {key:?} is missing"));
        store.install(key, &mut self.state);
        for event in self.waiting.remove(key).unwrap_or_default() {
            self.state.apply_late(&event, key);
        }
        self.read += 1;
    }
    fn unpin(&mut self) {
        self.pinned.drain(..).for_each(|key| self.state.unpin(&key));
    }

    /// Stages so many records as one chunk, reading what has to be read before. `false`: nothing was unsaved.
    pub(crate) fn stage(&mut self, most: usize) -> bool {
        let mut store = self.store.take().expect("there is a store");
        let unread = store.stage(&mut self.state, most);
        self.store = Some(store);
        if let Some(key) = &unread {
            self.install(key);
            self.state.unpin(key);
        }
        unread.is_some() || self.state.unsaved() > 0
    }

    /// Everything that is unsaved goes to the store.
    pub(crate) fn flush(&mut self) {
        while self.stage(usize::MAX) {}
        self.store.as_mut().unwrap().sync(usize::MAX);
        assert!(self.waiting.is_empty(), "what is unread is unsaved");
        assert_eq!(self.store.as_ref().unwrap().saved, self.state.sequence());
    }

    /// Some of what happens beside commands: chunks, syncs, generations, records that leave.
    pub(crate) fn tend(&mut self, random: &mut Random) -> u64 {
        if random.chance(30) {
            self.stage(random.below(9) as usize);
        }
        let (now, retention_ms) = (self.now, self.retention_ms);
        let store = self.store.as_mut().expect("there is a store");
        if random.chance(40) {
            store.sync(random.between(1, 3) as usize);
        }
        let idle = self.waiting.is_empty();
        store.turn(&mut self.state, now, retention_ms, idle);
        store.fill(&mut self.state, random.below(3) as usize);
        let saved = store.saved;
        let mut left = 0;
        for _ in 0..random.below(12) {
            left += u64::from(match random.below(3) {
                0 => self.state.evict_any(random.next(), saved, now),
                _ => store.any_key(random).is_some_and(|key| self.state.evict_key(&key, saved, now)),
            });
        }
        if random.chance(20) {
            self.state.evict(saved, now, random.below(40) as u32);
        }
        left
    }

    /// The process ends here and begins anew: what was not synced is lost, but for the log.
    pub(crate) fn restart(&mut self, random: &mut Random) {
        let mut store = self.store.take().expect("there is a store");
        store.crash();
        let mut state = State::new(self.seed, self.retention_ms);
        store.start(&mut state);
        self.waiting.clear();
        let mut waits = Vec::new();
        for event in &self.log[store.saved as usize..] {
            state.replay(event, &mut waits);
            waits.drain(..).for_each(|key| self.waiting.entry(key).or_default().push(event.clone()));
            // Filters are read meanwhile.
            if random.chance(5) {
                store.fill(&mut state, 1);
            }
        }
        state.not_before(store.time);
        state.check();
        assert_eq!(state.arm(self.now, 0, u32::MAX), None);
        self.state = state;
        self.store = Some(store);
        self.pinned.clear();
    }

    /// Ends what another state has ended, in its order: of what is due, which comes first is left open.
    pub(crate) fn follow(&mut self, log: &[Event], random: &mut Random) {
        while self.log.len() < log.len() {
            let next = &log[self.log.len()];
            if random.chance(50) && self.end_as(next) {
                continue;
            }
            if next.kind == EventKind::LotExpired {
                self.handle(&Command::Item { sku: next.name(next.items[0].sku) });
            } else {
                self.handle(&Command::Reservation { id: next.name(next.reservation.id) });
            }
            assert_eq!(self.log.last(), log.get(self.log.len() - 1));
        }
        assert_eq!(self.end_due(usize::MAX), 0, "nothing else is due");
    }

    /// Ends what the timers say comes next, if it is this.
    fn end_as(&mut self, wanted: &Event) -> bool {
        let written = self.log.len();
        self.state.begin_undo();
        let mut missing = Vec::new();
        if !self.state.end_due(self.now, &mut self.event, &mut missing) {
            self.state.roll_back();
            for key in missing {
                self.install(&key);
                self.state.unpin(&key);
            }
            return false;
        }
        self.write();
        if self.log.last() == Some(wanted) {
            self.state.keep();
            return true;
        }
        self.state.roll_back();
        self.log.truncate(written);
        false
    }

    /// Goes on to `now` without writing anything. Items whose lots end soon are read ahead.
    pub(crate) fn advance(&mut self, now: u64, work: u32) {
        assert!(now >= self.now, "time goes on");
        self.now = now;
        let soon = self.store.as_ref().map(|store| store.missing_ends(&self.state, now)).unwrap_or_default();
        for item in soon {
            self.install(&item);
            self.state.unpin(&item);
        }
        self.state.advance(now, work);
    }

    /// Writes that time goes on, as a shard does after an hour without an event.
    pub(crate) fn log_time(&mut self) {
        self.event.clear(self.state.sequence() + 1, self.now, EventKind::LogTime);
        self.write();
    }

    /// Writes at most so many ends. Returns how many there were.
    pub(crate) fn end_due(&mut self, most: usize) -> usize {
        let mut ends = 0;
        while ends < most {
            self.missing.clear();
            if self.state.end_due(self.now, &mut self.event, &mut self.missing) {
                self.write();
                ends += 1;
            } else if self.missing.is_empty() {
                break;
            } else {
                self.fetch();
            }
        }
        self.unpin();
        ends
    }
}

/// Every name that a log speaks of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub(crate) skus: BTreeSet<String>,
    pub(crate) lots: BTreeSet<(String, String)>,
    pub(crate) movements: BTreeSet<(String, String)>,
    pub(crate) reservations: BTreeSet<String>,
    pub(crate) holders: BTreeSet<String>,
}

impl Names {
    pub(crate) fn of(log: &[Event]) -> Names {
        let mut names = Names::default();
        for event in log {
            let own = |span| event.name(span).to_owned();
            names.skus.extend(event.items.iter().map(|entry| own(entry.sku)));
            let lots = event.lots.iter().map(|lot| (own(event.items[lot.item as usize].sku), own(lot.lot)));
            names.lots.extend(lots);
            names.holders.extend(event.holder().map(str::to_owned));
            if event.kind.is_reservation() {
                names.reservations.insert(own(event.reservation.id));
            } else if event.part.id.is_some() {
                names.movements.insert((own(event.items[0].sku), own(event.part.id)));
            }
        }
        names
    }

    /// Every record of these names as it stands.
    pub(crate) fn read(&self, state: &State, now: u64) -> Vec<String> {
        let mut commands: Vec<Command<'_>> = self.skus.iter().map(|sku| Command::Item { sku }).collect();
        commands.extend(self.reservations.iter().map(|id| Command::Reservation { id }));
        let holders = |sku| self.holders.iter().map(move |holder| Command::Holder { sku, holder });
        commands.extend(self.skus.iter().flat_map(|sku| holders(sku)));
        let read = |command: &Command<'_>| format!("{command:?}: {:?}", state.as_it_stands(now, command));
        commands.iter().map(read).collect()
    }
}

/// Everything that `log` made, record by record, as bytes.
pub(crate) fn records(state: &State, log: &[Event]) -> BTreeMap<Key, Vec<u8>> {
    let mut keys = keys(log);
    keys.retain(|key| state.record(key).is_some());
    keys.into_iter().map(|key| (key.clone(), record_bytes(state, &key).unwrap())).collect()
}

pub(crate) fn record_bytes(state: &State, key: &Key) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    encode_record(&state.record(key)?, &mut bytes);
    Some(bytes)
}

/// All records that a log speaks of.
pub(crate) fn keys(log: &[Event]) -> BTreeSet<Key> {
    let names = Names::of(log);
    let name = |text: &String| Name::from(text.as_str());
    let mut keys: BTreeSet<Key> = names.reservations.iter().map(|id| Key::Reservation(name(id))).collect();
    keys.extend(names.movements.iter().map(|(sku, id)| Key::Movement(name(sku), name(id))));
    keys.extend(names.lots.iter().map(|(sku, lot)| Key::Lot(name(sku), name(lot))));
    keys.extend(names.skus.iter().map(|sku| Key::Item(name(sku))));
    for event in log {
        let holder = |sku| Key::Usage(Name::from(event.name(sku)), Name::from(event.holder().expect("it counts")));
        keys.extend(event.usages.iter().map(|usage| holder(event.items[usage.item as usize].sku)));
    }
    keys
}

pub(crate) fn replayed(seed: u64, log: &[Event]) -> State {
    let mut state = State::new(seed, RETENTION_MS_DEFAULT);
    log.iter().for_each(|event| state.apply(event));
    state
}

/// An event as it comes out of the log: without hints, names in the order of the bytes.
pub(crate) fn read_back(event: &Event) -> Event {
    let mut bytes = Vec::new();
    encode(event, &mut bytes);
    let mut rest = bytes.as_slice();
    let one = next_event(&mut rest).expect("its own bytes").expect("one event");
    let mut back = Event::default();
    decode(one, event.sequence, &mut back).expect("its own bytes");
    assert!(rest.is_empty(), "one event");
    back
}

/// A driven state with its judges.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) driven: Driven,
    pub(crate) ledger: Ledger,
    trail: Trail,
    fed: usize,
}

impl Judged {
    pub(crate) fn new(seed: u64) -> Judged {
        Judged::with_retention(seed, RETENTION_MS_DEFAULT)
    }
    pub(crate) fn with_retention(seed: u64, retention_ms: u64) -> Judged {
        Judged {
            driven: Driven::with_retention(seed, retention_ms),
            ledger: Ledger::new().with_retention(retention_ms),
            trail: Trail::new().with_retention(retention_ms),
            fed: 0,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.driven.now)
    }

    /// Events since the last call, after the trail has seen them.
    fn new_events(&mut self) -> Result<Vec<wire::Event>, Complaint> {
        let events: Vec<wire::Event> = self.driven.log[self.fed..].iter().map(outside).collect();
        self.fed = self.driven.log.len();
        events.iter().try_for_each(|event| self.trail.feed(event))?;
        Ok(events)
    }

    pub(crate) fn handle(&mut self, command: &OwnedCommand) -> Result<(Answer, Vec<wire::Event>), Complaint> {
        let command = command.as_command();
        let answer = self.driven.handle(&command);
        let events = self.new_events()?;
        let now = self.now();
        self.ledger.judge(now, &command, &answer, &events)?;
        Ok((answer, events))
    }

    /// Commands with nothing in between; all of it stands, or is taken back.
    pub(crate) fn exec(&mut self, commands: &[OwnedCommand]) -> Result<(), Complaint> {
        let commands: Vec<Command<'_>> = commands.iter().map(OwnedCommand::as_command).collect();
        let answers = self.driven.exec(&commands);
        self.hear(&commands, &answers)
    }

    /// Judges an EXEC that has been done.
    pub(crate) fn hear(&mut self, commands: &[Command<'_>], answers: &[Answer]) -> Result<(), Complaint> {
        let events = self.new_events()?;
        let now = self.now();
        self.ledger.judge_exec(now, commands, answers, &events)
    }

    /// Goes on to `now` and writes the ends that are due then, at most so many.
    pub(crate) fn tick(&mut self, now: u64, most: usize) -> Result<Vec<wire::Event>, Complaint> {
        self.driven.advance(now, u32::MAX);
        self.driven.end_due(most);
        let events = self.new_events()?;
        self.ledger.judge_ends(Timestamp(now), &events)?;
        Ok(events)
    }

    pub(crate) fn finish(&self) -> Result<(), Complaint> {
        self.driven.state.check();
        self.ledger.check_all()?;
        self.trail.finish().map(|_| ())
    }
}
