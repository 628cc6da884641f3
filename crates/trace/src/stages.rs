//! What a request goes through in the shard: it waits in the queue, is decided, and waits until what it rests on is durable.

use crate::tracer::Clock;
use std::time::SystemTime;

/// What a request has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It was put to the shard.
    Asked,
    /// The shard takes it up.
    Begun,
    /// Its answer is there.
    Decided,
    /// What the answer rests on is durable.
    Proven,
}

const STAGES: usize = 4;
/// What lies between two of them.
const SPANS: [&str; STAGES - 1] = ["sumun.queue", "sumun.decide", "sumun.commit"];

/// When each was reached first. Later visits (it waited for a record, or for room in a step) belong to the stage before.
#[derive(Clone, Debug)]
pub struct Stages {
    clock: Clock,
    reached: [Option<SystemTime>; STAGES],
}

impl Stages {
    pub(crate) const fn new(clock: Clock) -> Stages {
        Stages { clock, reached: [None; STAGES] }
    }
    pub fn reach(&mut self, stage: Stage) {
        let at = &mut self.reached[stage as usize];
        if at.is_none() {
            *at = Some((self.clock)());
        }
    }
    /// Those of which both ends are known.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (&'static str, SystemTime, SystemTime)> {
        let pairs = SPANS.iter().zip(self.reached.windows(2));
        pairs.filter_map(|(name, ends)| Some((*name, ends[0]?, ends[1]?)))
    }
}
