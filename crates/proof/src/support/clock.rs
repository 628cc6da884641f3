//! The only file of the proofs that reads a clock or waits for a while: a black box has no other way to see time pass.
#![expect(clippy::disallowed_methods, reason = "the server under proof follows the real clock, and so must its proofs")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

pub fn sleep_us(us: u64) {
    std::thread::sleep(Duration::from_micros(us));
}

pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970");
    u64::try_from(since.as_millis()).expect("the clock stands before the year 584554051")
}

/// Nanoseconds of a clock that never goes back, from some beginning of this process's own.
pub fn ticks_ns() -> u64 {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_nanos()).expect("fits for 584 years")
}

/// Asks again until `attempt` gives a value, for at most `limit_ms`.
pub fn eventually<T>(limit_ms: u64, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return Some(value);
        }
        if begin.elapsed() >= Duration::from_millis(limit_ms) {
            return None;
        }
        sleep_ms(1);
    }
}
