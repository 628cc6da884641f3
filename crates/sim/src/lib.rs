//! The simulation: the same engine, shard and file log that serve, on virtual time over the faulty disk, under random
//! commands from the contract's whole input space. The auditor judges every answer once it may be shown, and every
//! event. A seed replays exactly.
//!
//! What happens besides commands: records leave memory, syncs and writes fail, the disk is full, commits take their
//! time, the process is killed, the power is cut, a stop is clean.
//!
//! Never here: threads, clocks, randomness other than the seed's.

mod coverage;
mod delayed;
mod events;
mod report;
mod world;

pub use coverage::{Condition, Coverage};
pub use report::{Failure, Report, Setup};
pub use world::run;
