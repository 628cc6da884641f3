//! The only file of these tests that reads a clock or waits for a while: a black box has no other way to see time pass.
#![expect(clippy::disallowed_methods, reason = "the server under test follows the real clock, and so must its tests")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
    i64::try_from(since.as_millis()).expect("the clock stands before the year 292278994")
}

/// Asks again until `attempt` gives a value, for at most `limit_ms`.
pub(crate) fn eventually<T>(limit_ms: u64, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if begin.elapsed() >= Duration::from_millis(limit_ms) {
            return None;
        }
        sleep_ms(2);
    }
}
