//! The independent model that judges Sumun: written from the public contract alone, so that whoever misreads it there
//! does not misread it here in the same way. As simple as possible: ordered maps, lists, sums that are taken anew.
//!
//! `Ledger` judges commands, their answers and the events that they made. `Trail` judges a stream of events by itself.
//! `generate` makes commands that reach every cell of the contract's verb table.
//!
//! Where the contract is silent, the model accepts every reading that its words admit if the answer shows which was
//! chosen (`Decision::also`, `compare`), and else holds to one: "first received" is the log's order, not the
//! millisecond; a negative adjustment leaves both the lot and the whole item what is reserved of them; a return names
//! only the skus that something would go back to; times after the year 9999 are INVALID; `*` is no id of anything.
//! What is forgotten is so exactly at its last event + retention; where a retention was raised, `forget` says which
//! readings are accepted.
//!
//! Never here: any other crate of ours but `sumun-wire`, clocks, randomness other than a given seed, I/O, speed.

mod apply;
mod cell;
mod compare;
mod complaint;
mod decide;
mod decide_items;
mod forget;
pub mod generate;
mod item;
mod ledger;
mod owned;
mod parse;
mod recover;
mod request;
mod reservation;
mod trail;

pub use cell::{Asked, Cell, Met, Stand};
pub use complaint::Complaint;
pub use forget::{Forgotten, RETENTION_MS_DEFAULT};
pub use ledger::{Ledger, Writes};
pub use owned::{OwnedCommand, OwnedLine, PartVerb};
pub use parse::BadText;
pub use trail::{Proven, Trail};
