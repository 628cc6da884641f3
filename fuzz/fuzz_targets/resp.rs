//! Any bytes that come in by a socket; `judge` says what must hold.
#![no_main]

#[path = "../../crates/server/tests/fuzz/judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|data: &[u8]| judge::judge(data));
