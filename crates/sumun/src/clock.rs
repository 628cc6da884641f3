//! The clock of the load generator and of the commands: the only file of this crate that reads one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the clock was made. Never goes backwards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this file is where the commands' time comes from")]
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Unix time in milliseconds.
#[expect(clippy::disallowed_methods, reason = "this file is where the commands' time comes from")]
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The wall clock: what spans are told by.
#[expect(clippy::disallowed_methods, reason = "this file is where the commands' time comes from")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

#[expect(clippy::disallowed_methods, reason = "this file is where the commands' time comes from")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A number that no other run on this machine has: what ids of a run begin with.
#[expect(clippy::disallowed_methods, reason = "this file is where the commands' time comes from")]
pub(crate) fn run_id() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    crate::random::mix(nanos ^ (u64::from(std::process::id()) << 40))
}
