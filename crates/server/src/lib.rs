//! The server: RESP over one epoll reactor, one thread from socket to log.
//!
//! `resp` is pure: bytes to requests to commands, answers to bytes. `reactor` and `turn` are the loop; `ledger` is what
//! they need of the shard behind them; `handover` takes questions from beside the sockets.
//! LOG-1: no reply leaves before what it rests on is proven durable. MEM-1: every buffer has a cap in `caps`.
//!
//! Never here: decisions about items and reservations (the core's), formats of log and events, a clock (the ledger
//! tells the time).

pub mod caps;
mod client;
mod control;
mod handed;
pub mod handover;
mod info;
pub mod ledger;
mod listen;
mod lists;
mod metrics;
mod output;
mod reactor;
pub mod resp;
mod shard;
mod signals;
mod slab;
mod turn;

pub use handover::{Handover, Question, Refused, Reply, Report, Shows, Wants};
pub use reactor::{BindError, Ended, Options, Reactor, RunError, Stop};
pub use shard::{BoundsTo, Hears, Shard};
pub use signals::Signals;
