//! Tests of the log, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test panics when anything is not as it should be, helpers of tests too"
)]

mod common;
mod damage;
mod faults;
mod follower;
mod fuzz;
mod golden;
mod reader;
mod simulation;
mod threads;
