//! Load: one thread that drives thousands of connections, deep pipelines and exact send times.
//! It counts and measures replies; what they mean is its handler's business.

mod pool;
mod schedule;
mod stats;
mod timer;

pub(crate) use pool::{Handler, Line, Pool};
pub(crate) use schedule::Schedule;
pub(crate) use stats::{Latency, Percentiles, Throughput};
