//! What a seed is asked to do, what came of it, and how a failure is told.

use crate::coverage::Coverage;
use std::fmt;

#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Commands of a seed, at least.
    pub commands: u64,
    /// Restarts of a seed, at least: kills, power cuts, clean stops.
    pub restarts: u64,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { commands: 5_000, restarts: 12 }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Report {
    pub commands: u64,
    pub events: u64,
    pub restarts: u64,
    pub failures: u64,
    pub full: u64,
    pub fetched: u64,
    pub coverage: Coverage,
}

impl Report {
    pub fn merge(&mut self, other: &Report) {
        self.commands += other.commands;
        self.events += other.events;
        self.restarts += other.restarts;
        self.failures += other.failures;
        self.full += other.full;
        self.fetched += other.fetched;
        self.coverage.merge(&other.coverage);
    }
}

/// What went wrong, and what was asked before it.
#[derive(Clone, Debug)]
pub struct Failure {
    pub seed: u64,
    pub commands: u64,
    pub what: String,
    pub before: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} failed after {} commands: {}", self.seed, self.commands, self.what)?;
        writeln!(f, "replay it with: cargo xtask sim --seed {}", self.seed)?;
        self.before.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
