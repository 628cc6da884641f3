//! Tests of the feed, over a real log that the core's events were written to.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test may fail anywhere, its helpers too")]

mod crowd;
mod follow;
mod golden;
mod history;
mod mirror;
mod pages;
mod world;
