//! HTTP and JSON over the same ledger: requests to questions, questions to the loop beside, answers to documents.
//!
//! A tokio runtime on one thread of its own; what it asks it puts into the server's `Handover`, and there it is decided
//! like any other request. LOG-1 is the loop's: an answer comes when it is proven, and where none comes the connection
//! closes. MEM-1: connections, heads, bodies, questions and what leaves are bounded in `caps`.
//!
//! Never here: decisions about items and reservations, RESP, the log's and the store's formats, a clock.

mod answers;
mod ask;
mod body;
pub mod caps;
mod events;
mod guard;
mod json;
mod metrics;
mod openapi;
mod pack;
mod problem;
mod records;
mod requests;
mod route;
mod server;
mod service;
mod socket;
mod target;
mod trace;

pub use body::Body;
pub use openapi::document as openapi;
pub use problem::{Problem, ProblemCode};
pub use server::{Limits, Listener, Options, ServeError};
pub use target::Query;
