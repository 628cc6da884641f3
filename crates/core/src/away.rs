//! What is known of records that are not in memory. A filter says *never seen* without a read, or *maybe*.
//!
//! Items and usages are never forgotten: one filter for both. What retention takes away (ended reservations, movements,
//! lots without units) has a filter a generation, which leaves with it. A generation whose filter is not filled says
//! *maybe*.
//! Cost: 20 to 80 bits a key; a look takes a cache line of each part of a filter, and it has few.

use crate::bloom::Bloom;
use crate::caps::{FILTER_BITS, FILTER_GROWTH, FILTER_KEYS_MIN};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use hashbrown::{HashMap, HashSet};

/// Where the store keeps a record, and what a filter learned by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filing {
    /// Among what is open: found in memory, by no filter.
    Open,
    /// Among what stays for ever; with the hash of a key that the filter did not have.
    Fixed(Option<u64>),
    /// In the generation that is filled now.
    Generation { number: u32, hash: u64 },
}

/// What a store that is new begins with.
pub const FIRST_GENERATION: u32 = 1;

type Hashed = foldhash::fast::FixedState;

#[derive(Debug)]
pub(crate) struct Away {
    /// Keys that a command has asked for and that do not exist: until it is decided.
    absent: HashMap<u64, u32, Hashed>,
    /// Keys whose records stay in memory until the command that asked for them is decided.
    pinned: HashMap<u64, u32, Hashed>,
    /// Keys at which events of the log's tail wait, until the record is read: whatever filters say of them.
    waiting: HashSet<u64, Hashed>,
    fixed: Filter,
    /// From the oldest to the one that is filled now.
    generations: VecDeque<Generation>,
}

#[derive(Debug)]
struct Generation {
    number: u32,
    filter: Filter,
}

impl Away {
    pub(crate) fn new() -> Away {
        let map = || HashMap::with_hasher(Hashed::default());
        let generations = VecDeque::from([Generation { number: FIRST_GENERATION, filter: Filter::new(true) }]);
        Away {
            absent: map(),
            pinned: map(),
            waiting: HashSet::with_hasher(Hashed::default()),
            fixed: Filter::new(true),
            generations,
        }
    }
    pub(crate) fn is_absent(&self, hash: u64) -> bool {
        !self.absent.is_empty() && self.absent.contains_key(&hash)
    }
    /// What was absent when it was asked for, and was made since, stays too: else it would still be called absent.
    pub(crate) fn is_pinned(&self, hash: u64) -> bool {
        self.is_absent(hash) || (!self.pinned.is_empty() && self.pinned.contains_key(&hash))
    }
    /// An event waits at a key: `true` for the first one.
    pub(crate) fn wait(&mut self, hash: u64) -> bool {
        self.waiting.insert(hash)
    }
    pub(crate) fn is_waiting(&self, hash: u64) -> bool {
        !self.waiting.is_empty() && self.waiting.contains(&hash)
    }
    /// What waits at a key is applied now.
    pub(crate) fn read(&mut self, hash: u64) {
        if !self.waiting.is_empty() {
            self.waiting.remove(&hash);
        }
    }
    pub(crate) fn pin(&mut self, hash: u64, exists: bool) {
        let pins = if exists { &mut self.pinned } else { &mut self.absent };
        *pins.entry(hash).or_insert(0) += 1;
    }
    pub(crate) fn unpin(&mut self, hash: u64) {
        for pins in [&mut self.pinned, &mut self.absent] {
            if let Some(count) = pins.get_mut(&hash) {
                *count -= 1;
                if *count == 0 {
                    pins.remove(&hash);
                }
            }
        }
    }
    pub(crate) fn maybe_fixed(&self, hash: u64) -> bool {
        self.fixed.maybe(hash)
    }
    pub(crate) fn maybe_in_generations(&self, hash: u64) -> bool {
        self.generations.iter().any(|generation| generation.filter.maybe(hash))
    }
    pub(crate) fn current(&self) -> u32 {
        self.generations.back().map_or(FIRST_GENERATION, |generation| generation.number)
    }
    pub(crate) fn note(&mut self, filing: Filing) {
        match filing {
            Filing::Open | Filing::Fixed(None) => {}
            Filing::Fixed(Some(hash)) => self.fixed.insert(hash),
            Filing::Generation { number, hash } => self.fill(number, &[hash]),
        }
    }
    fn fill(&mut self, number: u32, hashes: &[u64]) {
        if let Some(generation) = self.generations.iter_mut().rev().find(|generation| generation.number == number) {
            hashes.iter().for_each(|hash| generation.filter.insert(*hash));
        }
    }
    pub(crate) fn bytes(&self) -> usize {
        self.fixed.bytes() + self.generations.iter().map(|generation| generation.filter.bytes()).sum::<usize>()
    }
}

/// What the store tells of its keys, from the start on.
impl crate::state::State {
    /// A generation begins. `filled`: its filter knows all that will stand in it; else it says *maybe* until
    /// `filter_is_filled`.
    pub fn begin_generation(&mut self, number: u32, filled: bool) {
        assert!(self.away.generations.back().is_none_or(|last| last.number < number), "generations follow each other");
        self.away.generations.push_back(Generation { number, filter: Filter::new(filled) });
    }
    /// A generation was taken away.
    pub fn drop_generation(&mut self, number: u32) {
        self.away.generations.retain(|generation| generation.number != number);
    }
    /// The store holds records of before this run, in these generations: filters say *maybe* until they are filled.
    pub fn begin_unfilled(&mut self, generations: &[u32]) {
        assert!(!generations.is_empty(), "a store has a generation that is filled now");
        self.away.fixed.filled = false;
        self.away.generations.clear();
        generations.iter().for_each(|number| self.begin_generation(*number, false));
    }
    /// Hashes that were stored beside the records of a generation, or (`None`) of items and usages.
    pub fn fill_filter(&mut self, generation: Option<u32>, hashes: &[u64]) {
        match generation {
            Some(number) => self.away.fill(number, hashes),
            None => hashes.iter().for_each(|hash| self.away.fixed.insert(*hash)),
        }
    }
    pub fn filter_is_filled(&mut self, generation: Option<u32>) {
        match generation {
            Some(number) => {
                let found = self.away.generations.iter_mut().find(|generation| generation.number == number);
                if let Some(generation) = found {
                    generation.filter.filled = true;
                }
            }
            None => self.away.fixed.filled = true,
        }
    }
    pub(crate) fn filing_fixed(hash: u64, filed: bool) -> Filing {
        Filing::Fixed((!filed).then_some(hash))
    }
    pub(crate) fn filing_generation(&self, hash: u64) -> Filing {
        Filing::Generation { number: self.away.current(), hash }
    }
}

/// Grows by a part of some times the size of the last: nothing is hashed again.
struct Filter {
    parts: Vec<Bloom>,
    /// Keys that the newest part still takes.
    room: usize,
    filled: bool,
}

impl Filter {
    const fn new(filled: bool) -> Filter {
        Filter { parts: Vec::new(), room: 0, filled }
    }
    fn insert(&mut self, hash: u64) {
        if self.room == 0 {
            let keys = FILTER_KEYS_MIN * FILTER_GROWTH.pow(self.parts.len() as u32);
            self.parts.push(Bloom::new(keys * FILTER_BITS));
            self.room = keys;
        }
        let newest = self.parts.last_mut().expect("pushed above");
        if newest.insert(hash) {
            self.room -= 1;
        }
    }
    fn maybe(&self, hash: u64) -> bool {
        !self.filled || self.parts.iter().rev().any(|part| part.maybe(hash))
    }
    fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes()).sum()
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("bytes", &self.bytes()).field("filled", &self.filled).finish()
    }
}
