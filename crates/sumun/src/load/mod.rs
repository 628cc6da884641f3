//! Load: one thread that drives thousands of connections, deep pipelines and exact send times.
//! It counts and measures replies; what they mean is its handler's business.

mod pool;
mod schedule;
mod stats;
mod timer;

pub(crate) use pool::{Handler, Line, Pool, Scan};
pub(crate) use schedule::Schedule;
pub(crate) use stats::{Latency, Percentiles, Throughput};

use crate::caps::LOAD_MS_MAX;
use crate::failure::Failure;
use crate::units::Millis;

/// In nanoseconds, the length of a load that `flag` gives.
pub(crate) fn length_ns(flag: &str, length: Millis) -> Result<u64, Failure> {
    if length.0 > LOAD_MS_MAX {
        return Err(Failure::Usage(format!("{flag} must be at most {}, not {length}", Millis(LOAD_MS_MAX))));
    }
    Ok(length.0 * 1_000_000)
}
