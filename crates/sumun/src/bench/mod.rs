//! `bench`: how fast a server answers, under a load that says what it did.
//! Peers (Sumun by RESP and by HTTP, Redis with a Lua script) differ in requests and replies alone: the rest is one code for both.

mod load;
mod peer;
mod report;
mod web;
mod workload;
mod zipf;

pub(crate) use load::{Goal, Pace, Plan, Refused, run};
pub(crate) use peer::PeerKind;
pub(crate) use report::Live;
pub(crate) use workload::{Scenario, Workload};
