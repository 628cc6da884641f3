//! The ledger of one shard: items, lots, reservations, limits, movements. It decides commands into events and applies
//! events to records; that is all.
//!
//! `State::decide` reads, and fills one `Event`, or refuses, or says which records it would have to see first.
//! `State::apply` cannot fail and is the only way that records change. The log holds what `apply` was given, so a
//! replay comes to the same records, record by record: each part of `apply` reads its own record and the event, and
//! skips what the record already holds.
//!
//! Never here: I/O, clocks, randomness, threads, serde, bytes of any format. `no_std` is the proof.
#![no_std]

extern crate alloc;

mod ahead;
mod allocate;
mod apply;
mod away;
mod bloom;
pub mod caps;
mod check;
mod decide;
mod draft;
mod event;
mod evict;
mod foresee;
mod index;
mod item;
mod links;
mod lists;
mod lot;
mod names;
mod page;
mod read;
pub mod record;
mod reservation;
mod slab;
mod state;
mod timers;
mod undo;
mod unsaved;
mod usage;
mod validate;

pub use away::{FIRST_GENERATION, Filing};
pub use decide::Decision;
pub use event::{
    Event, Figures, ItemEntry, Kind as EventKind, LogEntry, LotEntry, LotSums, Move, NONE, Named, PartEntry,
    ReservationEntry, SettingsEntry, Span, UsageEntry,
};
pub use foresee::Foreseen;
pub use page::{Cursor, ListBy, Near, Page};
pub use record::{Key, Record};
pub use state::{Counts, State};
pub use unsaved::{Stage, Staged};
