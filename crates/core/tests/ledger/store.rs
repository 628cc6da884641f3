//! A store as the core's seam asks for one, in memory: what was staged goes into chunks, chunks are synced whole and in
//! order, and a crash leaves what was synced. Records stand as bytes.

use crate::support::record_bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use sumun_auditor::generate::Random;
use sumun_codec::{decode_record, encode_record};
use sumun_core::caps::LOT_ENDS_AHEAD_MS;
use sumun_core::{Event, FIRST_GENERATION, Filing, Key, Record, Stage, State};

type Table = BTreeMap<Key, Vec<u8>>;

#[derive(Debug, Default)]
struct Generation {
    began: u64,
    records: Table,
    hashes: Vec<u64>,
}

#[derive(Debug)]
enum Write {
    Put(Option<u32>, Key, Vec<u8>),
    Remove(Key),
    Hash(Option<u32>, u64),
    /// Whether a lot ends then.
    End(u64, Key, bool),
    Begin(u32, u64),
    Drop(u32),
}

#[derive(Debug)]
struct Chunk {
    writes: Vec<Write>,
    saved: u64,
    time: u64,
}

#[derive(Debug)]
pub(crate) struct Store {
    /// Items, usages, lots of items, open reservations.
    main: Table,
    hashes: Vec<u64>,
    /// When lots end, from the first on.
    pub(crate) ends: BTreeSet<(u64, Key)>,
    generations: BTreeMap<u32, Generation>,
    pub(crate) saved: u64,
    pub(crate) time: u64,
    /// Staged and not synced.
    chunks: VecDeque<Chunk>,
    /// Generations as the state knows them: number, and when it began.
    turned: VecDeque<(u32, u64)>,
    /// Hashes that filters are still to be filled with.
    unfilled: Vec<(Option<u32>, Vec<u64>)>,
    pub(crate) dropped: u64,
}

impl Store {
    pub(crate) fn new(now: u64) -> Store {
        let first = Generation { began: now, ..Generation::default() };
        Store {
            main: Table::new(),
            hashes: Vec::new(),
            ends: BTreeSet::new(),
            generations: BTreeMap::from([(FIRST_GENERATION, first)]),
            saved: 0,
            time: 0,
            chunks: VecDeque::new(),
            turned: VecDeque::from([(FIRST_GENERATION, now)]),
            unfilled: Vec::new(),
            dropped: 0,
        }
    }

    /// Stages a chunk. What has to be read first ends it.
    pub(crate) fn stage(&mut self, state: &mut State, most: usize) -> Option<Key> {
        let mut writes = Vec::new();
        let mut unread = None;
        for _ in 0..most {
            let stage = state.stage(&mut |staged| {
                let key = staged.record.key();
                let mut bytes = Vec::new();
                encode_record(&staged.record, &mut bytes);
                let generation = match staged.filing {
                    Filing::Open => None,
                    Filing::Fixed(hash) => {
                        writes.extend(hash.map(|hash| Write::Hash(None, hash)));
                        None
                    }
                    Filing::Generation { number, hash } => {
                        writes.push(Write::Hash(Some(number), hash));
                        Some(number)
                    }
                };
                writes.extend(staged.stale_end.map(|at| Write::End(at, key.clone(), false)));
                if let Record::Lot(lot) = &staged.record {
                    let ends = |at| Write::End(at, key.clone(), lot.ends_at().is_some());
                    writes.extend(lot.expires_at.map(ends));
                }
                writes.push(Write::Put(generation, key.clone(), bytes));
                if staged.leaves {
                    writes.push(Write::Remove(key));
                }
            });
            match stage {
                Stage::Staged => {}
                Stage::Empty => break,
                Stage::Unread(key) => {
                    unread = Some(key);
                    break;
                }
            }
        }
        let saved = state.saved_through();
        assert!(self.chunks.back().map_or(self.saved, |chunk| chunk.saved) <= saved, "P never goes back");
        self.chunks.push_back(Chunk { writes, saved, time: state.time() });
        unread
    }

    /// So many chunks are synced.
    pub(crate) fn sync(&mut self, most: usize) {
        for _ in 0..most.min(self.chunks.len()) {
            let chunk = self.chunks.pop_front().expect("counted above");
            chunk.writes.into_iter().for_each(|write| self.write(write));
            (self.saved, self.time) = (chunk.saved, chunk.time);
        }
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Put(None, key, bytes) => drop(self.main.insert(key, bytes)),
            Write::Put(Some(number), key, bytes) => {
                let generation = self.generations.get_mut(&number).expect("what is filled is there");
                generation.records.insert(key, bytes);
            }
            Write::Remove(key) => drop(self.main.remove(&key)),
            Write::End(at, key, true) => drop(self.ends.insert((at, key))),
            Write::End(at, key, false) => drop(self.ends.remove(&(at, key))),
            Write::Hash(None, hash) => self.hashes.push(hash),
            Write::Hash(Some(number), hash) => {
                self.generations.get_mut(&number).expect("what is filled is there").hashes.push(hash);
            }
            Write::Begin(number, began) => {
                self.generations.insert(number, Generation { began, ..Generation::default() });
            }
            Write::Drop(number) => drop(self.generations.remove(&number)),
        }
    }

    pub(crate) fn crash(&mut self) {
        self.chunks.clear();
        self.turned = self.generations.iter().map(|(number, generation)| (*number, generation.began)).collect();
    }

    /// What a state is told at a start, before the log's tail is replayed.
    pub(crate) fn start(&mut self, state: &mut State) {
        let numbers: Vec<u32> = self.generations.keys().copied().collect();
        state.begin_unfilled(&numbers);
        state.begin_at(self.saved);
        self.unfilled = vec![(None, self.hashes.clone())];
        let of_generations = self.generations.iter().map(|(number, g)| (Some(*number), g.hashes.clone()));
        self.unfilled.extend(of_generations);
        for (key, bytes) in &self.main {
            if let Key::Reservation(_) = key {
                state.install_open(&decode_record(bytes).unwrap());
            }
        }
    }

    /// So many filters are filled with what was stored before this run.
    pub(crate) fn fill(&mut self, state: &mut State, most: usize) {
        for (generation, hashes) in self.unfilled.drain(..most.min(self.unfilled.len())) {
            state.fill_filter(generation, &hashes);
            state.filter_is_filled(generation);
        }
    }

    /// Generations begin and go by time. What is dropped had its last event before the next one began.
    pub(crate) fn turn(&mut self, state: &mut State, now: u64, retention_ms: u64, idle: bool) {
        let (number, began) = *self.turned.back().expect("one is filled");
        let mut writes = Vec::new();
        if now >= began + (retention_ms / 4).max(1) && state.unsaved() > 0 {
            state.begin_generation(number + 1, true);
            self.turned.push_back((number + 1, now));
            writes.push(Write::Begin(number + 1, now));
        }
        if idle && self.turned.get(1).is_some_and(|(_, began)| began + retention_ms <= now) {
            let (number, _) = self.turned.pop_front().expect("seen above");
            state.drop_generation(number);
            writes.push(Write::Drop(number));
            self.dropped += 1;
        }
        if !writes.is_empty() {
            let (saved, time) = (state.saved_through(), state.time());
            self.chunks.push_back(Chunk { writes, saved, time });
        }
    }

    fn values(&self, key: &Key) -> Vec<&Vec<u8>> {
        let newest = || self.generations.values().rev().find_map(|generation| generation.records.get(key));
        match key {
            Key::Item(sku) => {
                let of_item = |other: &&Key| matches!(other, Key::Lot(of, _) if of == sku);
                let item = self.main.get(key).into_iter();
                item.chain(self.main.keys().filter(of_item).map(|lot| &self.main[lot])).collect()
            }
            Key::Usage(..) => self.main.get(key).into_iter().collect(),
            Key::Lot(..) => self.main.get(key).or_else(newest).into_iter().collect(),
            Key::Reservation(_) | Key::Movement(..) => newest().into_iter().collect(),
        }
    }

    /// Reads what a key names.
    pub(crate) fn install(&self, key: &Key, state: &mut State) {
        let records: Vec<Record<'_>> =
            self.values(key).into_iter().map(|bytes| decode_record(bytes).unwrap()).collect();
        state.install(key, &records);
    }

    /// Items that memory lacks although a lot of theirs ends soon.
    pub(crate) fn missing_ends(&self, state: &State, now: u64) -> BTreeSet<Key> {
        let soon = self.ends.iter().take_while(|(at, _)| *at <= now + LOT_ENDS_AHEAD_MS);
        let items = soon.map(|(_, lot)| {
            let Key::Lot(sku, _) = lot else { panic!("{lot:?} is no lot") };
            Key::Item(sku.clone())
        });
        items.filter(|item| !state.holds(item)).collect()
    }

    pub(crate) fn any_key(&self, random: &mut Random) -> Option<Key> {
        let newest = self.generations.values().rev().take(2).flat_map(|generation| generation.records.keys());
        let all: Vec<&Key> = self.main.keys().chain(newest).collect();
        (!all.is_empty()).then(|| (*random.pick(&all)).clone())
    }

    /// When all is saved, the store holds every record as a state has it that never let go of one.
    pub(crate) fn holds_what_stands_in(&self, state: &State, log: &[Event], now: u64, retention_ms: u64) {
        assert!(self.chunks.is_empty());
        for key in crate::support::keys(log) {
            let wanted = record_bytes(state, &key).unwrap();
            let found = match &key {
                Key::Reservation(_) => self.main.get(&key).or_else(|| self.values(&key).first().copied()),
                Key::Item(_) | Key::Lot(..) | Key::Movement(..) | Key::Usage(..) => self.values(&key).first().copied(),
            };
            match found {
                Some(bytes) => {
                    let same = *bytes == wanted || without_buckets(bytes) == without_buckets(&wanted);
                    let old = forgotten(bytes, now, retention_ms) && forgotten(&wanted, now, retention_ms);
                    assert!(same || old, "{:?}\nis not {:?}", decode_record(bytes), decode_record(&wanted));
                }
                None => assert!(forgotten(&wanted, now, retention_ms), "{key:?} is lost"),
            }
        }
        let held = |bytes: &Vec<u8>| matches!(decode_record(bytes), Ok(Record::Reservation(_)));
        let open = self.main.values().filter(|bytes| held(bytes)).count() as u64;
        assert_eq!(open, state.open_reservations(), "nothing else is open");
        let mut ends = BTreeSet::new();
        for (key, bytes) in &self.main {
            if let Record::Lot(lot) = decode_record(bytes).unwrap() {
                ends.extend(lot.ends_at().map(|at| (at, key.clone())));
                let stands = state.record(key).is_some_and(|record| record == Record::Lot(lot));
                assert!(stands, "{key:?} stands among the lots of its item");
            }
        }
        assert_eq!(self.ends, ends, "a row for each lot that will end, and no other");
    }
}

/// When buckets are merged depends on when they were read: what they count does not, to a thousandth.
fn without_buckets(bytes: &[u8]) -> Option<Vec<u8>> {
    let Record::Usage(mut usage) = decode_record(bytes).unwrap() else { return None };
    usage.buckets.clear();
    let mut bytes = Vec::new();
    encode_record(&Record::Usage(usage), &mut bytes);
    Some(bytes)
}

fn forgotten(bytes: &[u8], now: u64, retention_ms: u64) -> bool {
    match decode_record(bytes).unwrap() {
        Record::Item(_) | Record::Usage(_) => false,
        Record::Lot(lot) => lot.on_hand == 0 && lot.touched_at + retention_ms <= now,
        Record::Reservation(r) => r.state != sumun_wire::State::Held && r.touched_at + retention_ms <= now,
        Record::Movement(movement) => movement.made_at + retention_ms <= now,
    }
}
