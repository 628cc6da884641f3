//! HTTP at its sockets: over the real reactor, engine and log, on a disk whose syncs can be held and fail.

mod bounds;
mod describes;
mod durability;
mod hostile;
mod lists;
mod support;
mod verbs;
