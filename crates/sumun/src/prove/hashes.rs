//! Hashes beside the records: what filters are filled with. One that is missing makes a filter say *never seen* of a
//! record that is there.

use crate::failure::Failure;
use crate::findings::Findings;
use std::collections::{HashMap, HashSet};
use sumun_core::{Record, State};
use sumun_engine::{Holdings, Shelf};

#[derive(Debug)]
pub(super) struct Hashes {
    fixed: HashSet<u64>,
    generations: HashMap<u32, HashSet<u64>>,
}

impl Hashes {
    pub(super) fn read(holdings: &mut Holdings) -> Result<Hashes, Failure> {
        let fixed = holdings.hashes(None)?;
        let mut generations = HashMap::new();
        for number in holdings.generations().to_vec() {
            generations.insert(number, holdings.hashes(Some(number))?);
        }
        Ok(Hashes { fixed, generations })
    }

    pub(super) fn check(&mut self, hashing: &State, shelf: Shelf, record: &Record<'_>, findings: &mut Findings) {
        let hash = || hashing.key_hash(&record.key());
        let there = match shelf {
            Shelf::Items | Shelf::Usages => self.fixed.contains(&hash()),
            Shelf::Generation(number) => self.generations.get(&number).is_some_and(|known| known.contains(&hash())),
            Shelf::Lots | Shelf::Open => true,
        };
        if !there {
            findings.add(|| format!("{:?}: its hash is missing: it would not be found", record.key()));
        }
    }
}
