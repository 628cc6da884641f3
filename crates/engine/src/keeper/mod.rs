//! The keeper: what the store holds of a shard, behind the log. It stages records that changed, hands them over once the
//! log is durable that far (LOG-4), reads back what is missing, and lets memory go.
//!
//! ```text
//! state.stage ─► chunk being staged ─► sealed (waits for the log) ─► writer ─► stored: P moves on
//! decide misses ─► asked ─► reader ─► installed, pinned for a while
//! ```
//! Cost on the loop: encoding a record, some 0.3 µs; bounded a call by `STAGE_RECORDS`.

mod ages;
mod ahead;
mod clerk;
mod filters;
mod generations;
mod offline;
mod tables;

pub use offline::{About, Builder, Holdings, LotEnd, OfflineError, Shelf, VisitRecord};

pub(crate) use clerk::{Ask, Desk, Done, Told, What, Write};
pub(crate) use tables::Head;

use crate::caps::{
    EVICT_SLOTS, INSTALLS_PER_TEND, PIN_MS, READS_AHEAD_MAX, READS_MAX, STAGE_BYTES, STAGE_RECORDS,
    STORE_EVENTS_PER_S_MIN, STORE_PAUSE_MS, STORE_SPREAD, WRITES_MAX,
};
use crate::env::patiently;
use crate::lists::Skus;
use ages::Ages;
use ahead::Ahead;
use clerk::{Beside, Here};
use filters::Filters;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use sumun_codec::{DecodeError, decode, decode_record};
use sumun_core::caps::FORESEEN;
use sumun_core::{Event, Filing, Key, Record, Stage, State};
use sumun_log::{Crew, LogId};
use sumun_store::{Chunk, Opener, StoreError};

/// The store of a shard, opened, and who works on it.
pub struct Shelves(pub(crate) Box<dyn Desk>);

impl Shelves {
    /// Worked on by threads of the crew's, and by the store's own, which leave others the CPU; `wake` is called when there
    /// is something to hear.
    pub fn beside(
        opener: Box<dyn Opener>,
        crew: &dyn Crew,
        wake: &Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Shelves, StoreError> {
        let (opener, store) = patiently(|| opener.open().map(|store| (opener, store)))?;
        Ok(Shelves(Box::new(Beside::new(opener, store, crew, wake))))
    }
    /// Worked on in the loop, by `Engine::work_on_store`.
    pub fn here(opener: Box<dyn Opener>) -> Result<Shelves, StoreError> {
        let store = opener.open()?;
        Ok(Shelves(Box::new(Here::new(opener, store))))
    }
}

impl std::fmt::Debug for Shelves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shelves")
    }
}

/// Events of the log's tail that wait for a record to be read.
#[derive(Debug, Default)]
struct Tail {
    events: HashMap<Key, Vec<(u64, Vec<u8>)>>,
    /// The first of each key.
    first: BTreeMap<u64, Vec<Key>>,
}

#[derive(Debug, Default)]
struct Staging {
    chunk: Chunk,
    fixed: Vec<u64>,
    of_generation: Vec<u64>,
    generation: u32,
}

#[derive(Debug)]
struct Sealed {
    write: Write,
    newest: u64,
}

/// What of the store is worth a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// P: all events up to here stand in the store.
    pub saved: u64,
    pub unsaved: usize,
    pub chunks: u64,
    pub records: u64,
    pub bytes: u64,
    pub reads: u64,
    pub reading: usize,
    /// Generations of ended records, and when the oldest began (0: before anything was kept of that).
    pub generations: usize,
    pub oldest_ms: u64,
    /// Why the store does not work, while it does not.
    pub trouble: Option<String>,
}

/// How far records in memory are past what they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pressure {
    None,
    /// What may leave does.
    Some,
    /// And nothing is read ahead of need.
    High,
}

/// What `tend` goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tending {
    pub(crate) now: u64,
    /// All events up to here are durable.
    pub(crate) durable: u64,
    pub(crate) retention_ms: u64,
    pub(crate) pressure: Pressure,
    /// How long events wait to be staged.
    pub(crate) after_ms: u64,
    /// Ended reservations that stay in memory although it may not be short.
    pub(crate) ended_max: usize,
}

pub(crate) struct Keeper {
    desk: Box<dyn Desk>,
    pub(crate) head: Head,
    staging: Option<Staging>,
    sealed: VecDeque<Sealed>,
    in_flight: usize,
    spare: Vec<Chunk>,
    next_at_ms: u64,
    /// Full chunks go at a steady pace: not before this, unless nothing waits.
    paced_until_ms: u64,
    asked: HashSet<Key>,
    pins: VecDeque<(u64, Key)>,
    tail: Tail,
    ahead: Ahead,
    filters: Filters,
    ages: Ages,
    /// As `tend` was last told.
    by: Tending,
    /// Whether the newest generation may hold something.
    fills: bool,
    event: Event,
    life: u32,
    told: VecDeque<Told>,
    skus: VecDeque<(u64, Skus)>,
    /// The generation that goes next, and the newest event when it could first go.
    leaving: Option<(u32, u64)>,
    kept: Kept,
    broken: Option<String>,
}

impl Keeper {
    pub(crate) fn new(shelves: Shelves) -> Keeper {
        Keeper {
            desk: shelves.0,
            head: Head::new(LogId([0; 16]), 0, 0),
            staging: None,
            sealed: VecDeque::new(),
            in_flight: 0,
            spare: Vec::new(),
            next_at_ms: 0,
            paced_until_ms: 0,
            asked: HashSet::new(),
            pins: VecDeque::new(),
            tail: Tail::default(),
            ahead: Ahead::new(),
            filters: Filters::default(),
            ages: Ages::default(),
            by: Tending {
                now: 0,
                durable: 0,
                retention_ms: u64::MAX,
                pressure: Pressure::None,
                after_ms: 0,
                ended_max: 0,
            },
            fills: true,
            event: Event::default(),
            life: 0,
            told: VecDeque::new(),
            skus: VecDeque::new(),
            leaving: None,
            kept: Kept::default(),
            broken: None,
        }
    }
    pub(crate) fn work(&mut self) -> bool {
        self.desk.work()
    }
    pub(crate) fn tell(&mut self, what: What) {
        self.desk.ask(Ask { life: self.life, what });
    }
    /// An answer for a start, if there is one.
    pub(crate) fn told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }
    /// A list of names that was read, by its ticket.
    pub(crate) fn told_skus(&mut self) -> Option<(u64, Skus)> {
        self.skus.pop_front()
    }
    /// Whether the store holds all that came of the events up to this one. Those of the log itself leave nothing to store,
    /// so that what `saved` says may be behind them for as long as nothing else happens.
    pub(crate) fn holds(&self, state: &State, sequence: u64) -> bool {
        let is_under_way = self.staging.is_some() || !self.sealed.is_empty() || self.in_flight > 0;
        self.kept.saved >= sequence || (!is_under_way && self.saved_with(state) >= sequence)
    }
    /// All events up to here stand in the store.
    pub(crate) const fn saved(&self) -> u64 {
        self.kept.saved
    }
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
    pub(crate) fn take_broken(&mut self) -> Option<String> {
        self.broken.take()
    }

    /// Forgets all that was not handed over: the state that it was staged from is gone.
    pub(crate) fn drop_staged(&mut self) {
        self.staging = None;
        self.sealed.clear();
        self.asked.clear();
        self.pins.clear();
        self.tail = Tail::default();
        self.ahead = Ahead::new();
        self.filters = Filters::default();
        self.ages = Ages::default();
        self.told.clear();
        self.skus.clear();
        self.leaving = None;
        self.life += 1;
    }
    /// Whether all that was handed over has arrived.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.in_flight == 0
    }

    /// Begins with what the store says of itself, and tells the state.
    pub(crate) fn begin(&mut self, head: Head, fresh: bool, state: &mut State) {
        self.kept.saved = head.saved;
        self.head = head;
        self.fills = true;
        let numbers: Vec<u32> = self.head.generations.iter().map(|(number, _)| *number).collect();
        if !fresh {
            state.begin_unfilled(&numbers);
            self.filters.begin(&numbers);
            self.fill_filters(false);
        }
    }

    // What comes back.

    /// Hears what the store has done. `true` when a record arrived that something may wait for.
    pub(crate) fn hear(&mut self, state: &mut State, now: u64) -> Result<bool, DecodeError> {
        let mut arrived = false;
        for _ in 0..INSTALLS_PER_TEND {
            let Some(done) = self.desk.poll() else { break };
            match done {
                Done::Stored(write) => self.stored(write),
                Done::Told { life, .. } if life != self.life => {}
                Done::Told { told: Told::Key { key, values }, .. } => {
                    arrived = true;
                    self.install(state, key, &values, now)?;
                }
                Done::Told { told: Told::Hashes { generation, hashes, next }, .. } => {
                    self.hear_hashes(state, generation, &hashes, next);
                }
                Done::Told { told: Told::Ends(page), .. } => self.hear_ends(page, now),
                Done::Told { told: Told::Skus { ticket, skus }, .. } => self.skus.push_back((ticket, skus)),
                Done::Told { told: told @ (Told::Head(_) | Told::Open { .. }), .. } => self.told.push_back(told),
                Done::Trouble(why) => self.kept.trouble = Some(why),
                Done::Mended => self.kept.trouble = None,
                Done::Broken(why) => self.broken = Some(why),
            }
        }
        Ok(arrived)
    }

    pub(crate) fn stored(&mut self, mut write: Write) {
        self.in_flight -= 1;
        self.kept.saved = write.saved;
        write.chunk.clear();
        self.spare.push(write.chunk);
    }

    fn install(&mut self, state: &mut State, key: Key, values: &[Vec<u8>], now: u64) -> Result<(), DecodeError> {
        if !self.asked.remove(&key) {
            // It was asked for a state that is gone.
            return Ok(());
        }
        let records = values.iter().map(|value| decode_record(value)).collect::<Result<Vec<Record<'_>>, _>>()?;
        state.install(&key, &records);
        for (sequence, bytes) in self.tail.take(&key) {
            decode(&bytes, sequence, &mut self.event)?;
            state.apply_late(&self.event, &key);
        }
        self.kept.reads += 1;
        self.kept.reading = self.asked.len();
        self.pins.push_back((now + PIN_MS, key));
        Ok(())
    }

    /// Asks for records that are missing, each once.
    pub(crate) fn ask(&mut self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            if self.asked.len() >= READS_MAX {
                return;
            }
            if self.asked.insert(key.clone()) {
                let generations = self.head.generations.iter().map(|(number, _)| *number).collect();
                self.tell(What::Key { key, generations });
            }
        }
        self.kept.reading = self.asked.len();
    }

    /// Keeps an event of the tail for a record that is not in memory.
    pub(crate) fn wait_for(&mut self, key: Key, sequence: u64, bytes: &[u8]) {
        self.tail.push(key, sequence, bytes);
    }

    // What goes.

    /// Stages what changed, hands over what is durable, lets go of memory: a bounded piece of each.
    pub(crate) fn tend(&mut self, state: &mut State, by: Tending) {
        let Tending { now, durable, retention_ms, pressure, after_ms, ended_max } = by;
        self.by = by;
        self.ages.note(state.sequence(), now, after_ms);
        self.unpin(state, now);
        self.fill_filters(true);
        self.turn_generations(state, now, retention_ms);
        self.stage(state, now);
        while self.sealed.front().is_some_and(|sealed| sealed.newest <= durable) {
            let sealed = self.sealed.pop_front().expect("seen above");
            self.in_flight += 1;
            self.kept.chunks += 1;
            self.kept.bytes += sealed.write.chunk.bytes() as u64;
            self.desk.write(sealed.write);
        }
        if !self.tail.first.is_empty() && self.asked.len() < READS_AHEAD_MAX {
            let next: Vec<Key> = self.tail.first.values().flatten().take(READS_AHEAD_MAX).cloned().collect();
            self.ask(next);
        }
        state.relieve(self.kept.saved, now, ended_max);
        if pressure >= Pressure::Some {
            state.evict(self.kept.saved, now, EVICT_SLOTS);
        }
        if pressure < Pressure::High {
            self.read_ahead(state, now);
        }
        self.kept.unsaved = state.unsaved();
        self.kept.generations = self.head.generations.len();
        self.kept.oldest_ms = self.head.generations.first().map_or(0, |(_, began)| *began);
    }

    /// When `tend` has something to do that nothing will wake the loop for.
    pub(crate) fn next_at_ms(&self, state: &State) -> Option<u64> {
        let is_due = self.staging.is_some() || state.saved_through() < self.ages.aged();
        let staging = (is_due && !self.is_busy()).then(|| self.stages_at_ms());
        let due = self.ages.next_at_ms(state.sequence(), self.by.after_ms);
        let may = self.by.pressure < Pressure::High && self.asked.len() < READS_AHEAD_MAX;
        let ahead = self.ahead.next_at_ms().filter(|_| may);
        staging.into_iter().chain(due).chain(ahead).chain(self.turns_at_ms()).min()
    }

    fn unpin(&mut self, state: &mut State, now: u64) {
        while self.pins.front().is_some_and(|(until, _)| *until <= now) {
            let (_, key) = self.pins.pop_front().expect("seen above");
            state.unpin(&key);
        }
    }

    fn is_busy(&self) -> bool {
        self.in_flight + self.sealed.len() >= WRITES_MAX
    }

    fn stages_at_ms(&self) -> u64 {
        let paced = if self.by.after_ms == 0 { 0 } else { self.paced_until_ms };
        self.next_at_ms.max(paced)
    }

    fn stage(&mut self, state: &mut State, now: u64) {
        let waits = now < self.stages_at_ms() || state.saved_through() >= self.ages.aged();
        if self.staging.is_none() && (self.is_busy() || waits) {
            return;
        }
        let mut staging = self.staging.take().unwrap_or_else(|| {
            let generation = self.head.generations.last().expect("a store has a generation").0;
            Staging { chunk: self.spare.pop().unwrap_or_default(), generation, ..Staging::default() }
        });
        let mut whole = false;
        for staged in 0..STAGE_RECORDS {
            if (staged as usize).is_multiple_of(FORESEEN) {
                state.foresee_stage();
            }
            if staging.chunk.bytes() >= STAGE_BYTES || state.saved_through() >= self.ages.aged() {
                whole = true;
                break;
            }
            let stage = state.stage(&mut |staged| {
                match staged.filing {
                    Filing::Open | Filing::Fixed(None) => {}
                    Filing::Fixed(Some(hash)) => staging.fixed.push(hash),
                    Filing::Generation { hash, .. } => staging.of_generation.push(hash),
                }
                tables::put(&mut staging.chunk, staged);
            });
            match stage {
                Stage::Staged => self.kept.records += 1,
                Stage::Empty => {
                    whole = true;
                    break;
                }
                Stage::Unread(key) => {
                    self.ask([key]);
                    whole = true;
                    break;
                }
            }
        }
        if whole && !staging.chunk.is_empty() {
            self.seal(staging, state, now);
        } else if !whole {
            self.staging = Some(staging);
        } else {
            self.spare.push(staging.chunk);
            self.next_at_ms = now + STORE_PAUSE_MS;
        }
    }

    /// All events up to here stand in records that were staged.
    fn saved_with(&self, state: &State) -> u64 {
        let first_waiting = self.tail.first.keys().next().map_or(u64::MAX, |first| first - 1);
        state.saved_through().min(first_waiting)
    }

    fn seal(&mut self, mut staging: Staging, state: &State, now: u64) {
        let newest = state.sequence();
        self.fills |= !staging.of_generation.is_empty();
        let saved = self.saved_with(state).max(self.head.saved);
        let (moved, ahead) = (saved - self.head.saved, newest - self.head.saved);
        self.head.saved = saved;
        self.head.newest = newest;
        self.head.chunk += 1;
        self.head.time = state.time();
        let turning = (staging.generation, &staging.of_generation[..]);
        tables::put_hashes(&mut staging.chunk, self.head.chunk, &staging.fixed, turning);
        self.head.put(&mut staging.chunk);
        let is_full = staging.chunk.bytes() >= STAGE_BYTES;
        let write = Write { chunk: staging.chunk, saved: self.head.saved };
        self.sealed.push_back(Sealed { write, newest });
        self.next_at_ms = if is_full { now } else { now + STORE_PAUSE_MS };
        self.paced_until_ms = now + if is_full { pause_ms(moved, ahead, self.by.after_ms) } else { 0 };
    }
}

/// How long after a full chunk the next one waits, when so many events of those ahead of the store went with it.
fn pause_ms(moved: u64, ahead: u64, after_ms: u64) -> u64 {
    let even = moved.saturating_mul(after_ms * STORE_SPREAD) / ahead.max(1);
    even.min(moved.saturating_mul(1_000) / STORE_EVENTS_PER_S_MIN)
}

impl Tail {
    fn push(&mut self, key: Key, sequence: u64, bytes: &[u8]) {
        let events = self.events.entry(key.clone()).or_default();
        if events.is_empty() {
            self.first.entry(sequence).or_default().push(key);
        }
        events.push((sequence, bytes.to_vec()));
    }
    fn take(&mut self, key: &Key) -> Vec<(u64, Vec<u8>)> {
        let events = self.events.remove(key).unwrap_or_default();
        if let Some((first, _)) = events.first()
            && let Some(keys) = self.first.get_mut(first)
        {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.first.remove(first);
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::pause_ms;

    #[test]
    fn what_is_ahead_of_the_store_goes_evenly_and_never_slower_than_it_may() {
        assert_eq!(pause_ms(10_000, 400_000, 500), 100, "in forty chunks, in four seconds");
        assert_eq!(pause_ms(10_000, 20_000, 500), 200, "the least rate");
        assert_eq!((pause_ms(10_000, 400_000, 0), pause_ms(0, 0, 500)), (0, 0), "nothing waits");
    }
}
