//! Events and records as bytes: golden bytes, round trips of what histories write and of extremes, and damage of every byte.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod damage;
mod golden;
mod history;
mod records;
mod round_trip;
mod tell;
