//! The core against the contract: as text, against the independent model, record by record, and backwards.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod evict;
mod fine_print;
mod history;
mod lists;
mod replay;
mod retention;
mod roll_back;
mod script;
mod store;
mod support;
mod timers;
mod unsaved;
mod verbs;
