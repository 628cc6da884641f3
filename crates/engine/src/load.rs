//! Loading: the log is replayed in slices, so that whoever asks meanwhile is told to wait.

use crate::caps::{ARM_SLOTS, CLOCK_BACK_MS, LOAD_BYTES};
use crate::engine::{Engine, StartError};
use sumun_log::{Bounds, Position};

#[derive(Debug)]
pub(crate) struct Load {
    stage: Stage,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Replay(Position),
    /// Timers are being set, from this slot on.
    Arm(u32),
    /// Ends that are due are being written.
    Settle,
}

impl Load {
    pub(crate) fn new(bounds: Bounds) -> Load {
        Load { stage: Stage::Replay(bounds.first_position), bytes: Vec::new() }
    }

    /// Goes on a bit. `true` when all is loaded.
    pub(crate) fn slice(&mut self, engine: &mut Engine) -> Result<bool, StartError> {
        match self.stage {
            Stage::Replay(position) => {
                if let Some(next) = self.replay(engine, position)? {
                    self.stage = Stage::Replay(next);
                } else {
                    check_clock(engine)?;
                    engine.shard.state().check();
                    self.stage = Stage::Arm(0);
                }
                Ok(false)
            }
            Stage::Arm(from) => {
                let now = engine.shard.now();
                let next = engine.shard.state_mut().arm(now, from, ARM_SLOTS);
                self.stage = next.map_or(Stage::Settle, Stage::Arm);
                Ok(false)
            }
            Stage::Settle => Ok(engine.settle()),
        }
    }

    fn replay(&mut self, engine: &mut Engine, mut at: Position) -> Result<Option<Position>, StartError> {
        let mut read = 0;
        while read < LOAD_BYTES {
            let Some(log) = &mut engine.log else { return Ok(None) };
            let Some(frame) = log.read(at, &mut self.bytes)? else { return Ok(None) };
            read += self.bytes.len();
            let sequence = frame.first;
            let replayed = engine.shard.replay(frame.first, &self.bytes);
            let count = replayed.map_err(|error| StartError::Event { sequence, error })?;
            assert!(count == frame.count, "LOG-2: a frame holds as many events as it says");
            at = frame.next;
        }
        Ok(Some(at))
    }
}

/// A clock far behind the log would stop time until it has caught up.
fn check_clock(engine: &mut Engine) -> Result<(), StartError> {
    let behind_ms = engine.shard.state().time().saturating_sub(engine.env.now_ms());
    if behind_ms > CLOCK_BACK_MS && !engine.options.accept_clock {
        return Err(StartError::Clock { behind_ms });
    }
    Ok(())
}
