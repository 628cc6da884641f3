//! Loading, in slices, so that whoever asks meanwhile is told to wait: what is open is read from the store, then the
//! log's tail is replayed on it.

use crate::caps::{ARM_SLOTS, CLOCK_AHEAD_MS, CLOCK_BACK_MS, LOAD_BYTES};
use crate::engine::Engine;
use crate::keeper::{Head, Told, What};
use crate::notice::Notice;
use crate::shard::Shard;
use crate::start::StartError;
use sumun_codec::decode_record;
use sumun_log::Position;

#[derive(Debug)]
pub(crate) struct Load {
    stage: Stage,
    bytes: Vec<u8>,
    /// Events that were replayed, and how long it took.
    events: u64,
    replay_ns: u64,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// What was handed to the store before is still on its way there.
    Quiet,
    /// The store says what it holds.
    Head,
    /// Open reservations are read.
    Open,
    /// The filter of items and usages is filled.
    Filter(Position),
    Replay(Position),
    /// Timers are being set, from this slot on.
    Arm(u32),
    /// Ends that are due are being written.
    Settle,
}

impl Load {
    pub(crate) fn new() -> Load {
        Load { stage: Stage::Quiet, bytes: Vec::new(), events: 0, replay_ns: 0 }
    }

    /// Whether nothing can be done until the store answers.
    pub(crate) const fn waits(&self) -> bool {
        matches!(self.stage, Stage::Quiet | Stage::Head | Stage::Open | Stage::Filter(_))
    }

    /// Goes on a bit. `true` when all is loaded.
    pub(crate) fn slice(&mut self, engine: &mut Engine) -> Result<bool, StartError> {
        engine.hear_store()?;
        self.stage = match self.stage {
            Stage::Quiet if engine.keeper.is_quiet() => {
                engine.keeper.tell(What::Head);
                Stage::Head
            }
            Stage::Head => match engine.keeper.told() {
                Some(Told::Head(head)) => {
                    begin(engine, head.as_deref())?;
                    engine.keeper.tell(What::Open { from: None });
                    Stage::Open
                }
                Some(
                    Told::Open { .. } | Told::Key { .. } | Told::Ends(_) | Told::Hashes { .. } | Told::Skus { .. },
                )
                | None => Stage::Head,
            },
            Stage::Open => match engine.keeper.told() {
                Some(Told::Open { values, next }) => open(engine, &values, next)?,
                Some(Told::Head(_) | Told::Key { .. } | Told::Ends(_) | Told::Hashes { .. } | Told::Skus { .. })
                | None => Stage::Open,
            },
            Stage::Filter(position) if engine.keeper.knows_items() => Stage::Replay(position),
            Stage::Replay(position) => match self.timed_replay(engine, position)? {
                Some(next) => Stage::Replay(next),
                None => {
                    engine.lag.replayed(self.events, self.replay_ns);
                    let time = engine.keeper.head.time;
                    engine.shard.state_mut().not_before(time);
                    check_clock(engine)?;
                    engine.shard.state().check();
                    Stage::Arm(0)
                }
            },
            Stage::Arm(from) => {
                let now = engine.env.now_ms().max(engine.shard.state().time());
                let next = engine.shard.state_mut().arm(now, from, ARM_SLOTS);
                next.map_or(Stage::Settle, Stage::Arm)
            }
            Stage::Settle if engine.settle() => return Ok(true),
            stage @ (Stage::Quiet | Stage::Filter(_) | Stage::Settle) => stage,
        };
        Ok(false)
    }

    fn timed_replay(&mut self, engine: &mut Engine, at: Position) -> Result<Option<Position>, StartError> {
        let began = engine.env.ticks_ns();
        let next = self.replay(engine, at);
        self.replay_ns += engine.env.ticks_ns().saturating_sub(began);
        next
    }

    fn replay(&mut self, engine: &mut Engine, mut at: Position) -> Result<Option<Position>, StartError> {
        let mut read = 0;
        while read < LOAD_BYTES {
            let Some(log) = &mut engine.log else { return Ok(None) };
            let Some(frame) = log.read(at, &mut self.bytes)? else { return Ok(None) };
            read += self.bytes.len();
            let sequence = frame.first;
            let replayed = engine.shard.replay(frame.first, &self.bytes, &mut engine.keeper);
            let count = replayed.map_err(|error| StartError::Event { sequence, error })?;
            assert!(count == frame.count, "LOG-2: a frame holds as many events as it says");
            self.events += u64::from(count);
            at = frame.next;
        }
        Ok(Some(at))
    }
}

/// A new state, as the store says: its log, and how far it goes.
fn begin(engine: &mut Engine, head: Option<&[u8]>) -> Result<(), StartError> {
    let Some(bounds) = engine.bounds() else { return Ok(()) };
    let now = engine.env.now_ms();
    let fresh = head.is_none();
    let head = match head {
        Some(bytes) => Head::read(bytes).map_err(StartError::Store)?,
        None => Head::new(engine.id(), engine.env.random(), now),
    };
    if head.log != engine.id() {
        return Err(StartError::OtherLog { store: head.log.to_string(), log: engine.id().to_string() });
    }
    if head.newest > bounds.last {
        return Err(StartError::Ahead { newest: head.newest, last: bounds.last });
    }
    if head.saved + 1 < bounds.first {
        return Err(StartError::Behind { saved: head.saved, first: bounds.first });
    }
    let saved = head.saved;
    engine.shard = Shard::new(head.seed, engine.options.retention_ms);
    engine.keeper.begin(head, fresh, engine.shard.state_mut());
    engine.shard.state_mut().begin_at(saved);
    Ok(())
}

fn open(engine: &mut Engine, values: &[Vec<u8>], next: Option<Vec<u8>>) -> Result<Stage, StartError> {
    // The next page is read while this one is installed.
    let is_last = next.is_none();
    if next.is_some() {
        engine.keeper.tell(What::Open { from: next });
    }
    for value in values {
        let record = decode_record(value).map_err(|error| StartError::Store(error.to_string()))?;
        engine.shard.state_mut().install_open(&record);
    }
    if !is_last {
        return Ok(Stage::Open);
    }
    let first = engine.shard.state().sequence() + 1;
    let Some(log) = &mut engine.log else { return Ok(Stage::Open) };
    Ok(Stage::Filter(log.find(first)?))
}

/// A clock far behind the log would stop time until it has caught up.
fn check_clock(engine: &mut Engine) -> Result<(), StartError> {
    let behind_ms = engine.shard.state().time().saturating_sub(engine.env.now_ms());
    if behind_ms > CLOCK_BACK_MS && !engine.options.accept_clock {
        return Err(StartError::Clock { behind_ms });
    }
    let time = engine.shard.state().time();
    let since_log_ms = engine.env.now_ms().saturating_sub(time);
    if time > 0 && since_log_ms > CLOCK_AHEAD_MS {
        engine.notices.push(Notice::ClockAhead { since_log_ms });
    }
    Ok(())
}
