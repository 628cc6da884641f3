//! Tests of the store, in one binary.

#![expect(clippy::unwrap_used, reason = "a test panics when anything is not as it should be, helpers of tests too")]

mod disk;
mod seam;
mod support;
mod twin;
