//! HTTP at its sockets: over the real reactor, engine and log, on a disk whose syncs can be held and fail.

mod bounds;
#[path = "../../../sumun/tests/contract/support/collector.rs"]
mod collector;
mod describes;
mod durability;
mod hostile;
mod lists;
mod support;
mod traces;
mod verbs;
