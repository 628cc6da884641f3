//! A state that is driven like a shard drives it, without log or clock, and judged after every step by the auditor.

use std::collections::{BTreeMap, BTreeSet};
use sumun_auditor::{Complaint, Ledger, OwnedCommand, Trail};
use sumun_codec::{decode, encode, next_event, outside};
use sumun_core::{Decision, Event, EventKind, Key, Record, State};
use sumun_wire as wire;
use sumun_wire::{Answer, Command, Name, Timestamp};

/// Time at which tests begin: some instant in 2026.
pub(crate) const BEGIN: u64 = 1_770_000_000_000;

/// A state, and what it wrote.
#[derive(Debug)]
pub(crate) struct Driven {
    pub(crate) state: State,
    pub(crate) now: u64,
    /// As the log would give them back.
    pub(crate) log: Vec<Event>,
    /// Records that have left memory.
    pub(crate) elsewhere: BTreeMap<Key, Record>,
    event: Event,
    missing: Vec<Key>,
}

impl Driven {
    pub(crate) fn new(seed: u64) -> Driven {
        let mut state = State::new(seed);
        assert_eq!(state.arm(BEGIN, 0, 1), None, "an empty state has nothing to arm");
        Driven {
            state,
            now: BEGIN,
            log: Vec::new(),
            elsewhere: BTreeMap::new(),
            event: Event::default(),
            missing: Vec::new(),
        }
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
        loop {
            if let Some(answer) = self.try_handle(command) {
                return answer;
            }
            self.fetch();
        }
    }

    /// Decides commands with nothing in between. What was done before a record was missed is taken back.
    pub(crate) fn exec(&mut self, commands: &[Command<'_>]) -> Vec<Answer> {
        let written = self.log.len();
        loop {
            self.state.begin_undo();
            let answers: Option<Vec<Answer>> = commands.iter().map(|command| self.try_handle(command)).collect();
            if let Some(answers) = answers {
                self.state.keep();
                return answers;
            }
            self.state.roll_back();
            self.log.truncate(written);
            self.fetch();
        }
    }

    /// Decides commands and takes everything back.
    pub(crate) fn attempt(&mut self, commands: &[Command<'_>]) {
        let written = self.log.len();
        self.state.begin_undo();
        let all = commands.iter().all(|command| self.try_handle(command).is_some());
        assert!(all || !self.elsewhere.is_empty(), "nothing has left memory, and {:?} is missing", self.missing);
        self.state.roll_back();
        self.log.truncate(written);
    }

    fn fetch(&mut self) {
        assert!(!self.elsewhere.is_empty(), "nothing has left memory, and {:?} is missing", self.missing);
        for key in std::mem::take(&mut self.missing) {
            self.state.install(&key, self.elsewhere.remove(&key));
        }
    }

    /// Lets a record leave memory: which, by number.
    pub(crate) fn evict(&mut self, number: u64) -> bool {
        let Some(key) = self.state.evictable(number) else { return false };
        let record = self.state.evict(&key);
        assert!(self.elsewhere.insert(key, record).is_none(), "a record stands in one place");
        true
    }

    pub(crate) fn fetch_all(&mut self) {
        for (key, record) in std::mem::take(&mut self.elsewhere) {
            self.state.install(&key, Some(record));
        }
    }

    /// Goes on to `now` without writing anything.
    pub(crate) fn advance(&mut self, now: u64, work: u32) {
        assert!(now >= self.now, "time goes on");
        self.now = now;
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

/// Takes a state apart: everything that `log` made of it, record by record, what each of them keeps to itself included.
pub(crate) fn records(mut state: State, log: &[Event]) -> BTreeMap<Key, Record> {
    let names = Names::of(log);
    let name = |text: &String| Name::from(text.as_str());
    let mut keys: Vec<Key> = names.reservations.iter().map(|id| Key::Reservation(name(id))).collect();
    keys.extend(names.movements.iter().map(|(sku, id)| Key::Movement(name(sku), name(id))));
    keys.extend(usages(log));
    // Those with units leave with their item.
    keys.extend(empty_lots(log));
    keys.extend(names.skus.iter().map(|sku| Key::Item(name(sku))));
    keys.into_iter().map(|key| (key.clone(), state.evict(&key))).collect()
}

fn usages(log: &[Event]) -> BTreeSet<Key> {
    let of = |event: &Event| -> Vec<Key> {
        let holder = || Name::from(event.holder().expect("what counts has one"));
        let key = |sku| Key::Usage(Name::from(event.name(sku)), holder());
        event.usages.iter().map(|usage| key(event.items[usage.item as usize].sku)).collect()
    };
    log.iter().flat_map(of).collect()
}

/// Lots that stand without units at the end of a log.
pub(crate) fn empty_lots(log: &[Event]) -> Vec<Key> {
    let mut on_hand: BTreeMap<Key, u64> = BTreeMap::new();
    for event in log {
        for lot in &event.lots {
            let sku = event.name(event.items[lot.item as usize].sku);
            on_hand.insert(Key::Lot(sku.into(), event.name(lot.lot).into()), lot.on_hand);
        }
    }
    on_hand.into_iter().filter(|(_, on_hand)| *on_hand == 0).map(|(key, _)| key).collect()
}

pub(crate) fn replayed(seed: u64, log: &[Event]) -> State {
    let mut state = State::new(seed);
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
        Judged { driven: Driven::new(seed), ledger: Ledger::new(), trail: Trail::new(), fed: 0 }
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
