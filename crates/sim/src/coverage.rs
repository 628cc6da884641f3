//! Which cells of the contract's verb table were reached, and under which condition.

use std::collections::BTreeMap;
use std::fmt;
use sumun_auditor::{Asked, Cell, Met};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Nothing went wrong.
    Plain,
    /// What the command names was there before a restart.
    Restart,
    /// A sync failed under the command's batch, or under one on which its answer rests.
    FailedSync,
    /// The disk was full.
    FullDisk,
    /// A record that the command needs had left memory.
    Dropped,
}

const CONDITIONS: [Condition; 5] =
    [Condition::Plain, Condition::Restart, Condition::FailedSync, Condition::FullDisk, Condition::Dropped];

/// Whatever may have something to write.
const WRITING: [Asked; 13] = [
    Asked::Configure,
    Asked::Remove,
    Asked::Receive,
    Asked::Adjust,
    Asked::Reserve,
    Asked::ReserveCapture,
    Asked::Capture,
    Asked::CapturePart,
    Asked::Release,
    Asked::ReleasePart,
    Asked::Extend,
    Asked::Return,
    Asked::ReturnPart,
];

fn writes(met: Met) -> bool {
    matches!(met, Met::Done | Met::DoneLast | Met::Created | Met::CreatedAgain)
}

#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<(Cell, Condition), u64>);

impl Coverage {
    pub(crate) fn reach(&mut self, cell: Cell, condition: Condition) {
        *self.0.entry((cell, condition)).or_default() += 1;
    }
    pub fn merge(&mut self, other: &Coverage) {
        for (cell, count) in &other.0 {
            *self.0.entry(*cell).or_default() += count;
        }
    }
    /// Cells that can be reached under a condition and were not.
    pub fn empty(&self) -> Vec<String> {
        let all = Cell::all().into_iter().flat_map(|cell| CONDITIONS.map(|condition| (cell, condition)));
        // On a full disk nothing is done: whatever would have been is refused instead.
        let all = all.filter(|(cell, condition)| *condition != Condition::FullDisk || !writes(cell.met));
        let refused = WRITING.map(|asked| (Cell { asked, met: Met::Blocked }, Condition::FullDisk));
        let empty = all.chain(refused).filter(|(cell, condition)| self.count(*cell, *condition) == 0);
        empty.map(|(cell, condition)| format!("{cell}, {condition:?}")).collect()
    }
    pub fn count(&self, cell: Cell, condition: Condition) -> u64 {
        self.0.get(&(cell, condition)).copied().unwrap_or(0)
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((cell, condition), count) in &self.0 {
            writeln!(f, "{count:>8}  {cell}, {condition:?}")?;
        }
        Ok(())
    }
}
