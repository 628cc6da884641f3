//! The engine joins the core and a log into a shard that one thread drives: steps of commands, one commit a batch,
//! answers that may leave when what they rest on is durable.
//! LOG-1: no reply before its batch is durable. MEM-1: every batch, step and table has a cap.
//!
//! Never here: sockets, protocols, files (the log has them). Only `env` knows a clock, a thread or randomness.

pub mod caps;
mod commit;
mod engine;
pub mod env;
mod keeper;
mod lag;
mod lists;
mod load;
mod memory;
mod notice;
mod pace;
mod patience;
mod shard;
pub mod snapshot;
mod start;
mod stats;
mod trim;

pub use engine::{Engine, Exec, Handled};
pub use keeper::{About, Builder, Holdings, Kept, LotEnd, OfflineError, Shelf, Shelves, VisitRecord};
pub use lists::{Listed, OpenPage, Skus, SkusOf};
pub use notice::Notice;
pub use shard::{Budget, Decided, ExecAborted, ExecDone, Shard, Work};
pub use start::{Opened, Opener, Options, StartError};
pub use stats::{Durations, Stats};
pub use sumun_core::{Foreseen, ListBy};
pub use sumun_log::Bounds;
