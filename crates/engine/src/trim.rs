//! Lets go of the log's oldest segments, once all in them is older than its retention and stands in the store.
//!
//! How far that is, is searched by halves over sequences, one look a call: a log has no index by time.
//! Cost: two frames read a look, some thirty looks a search, at most one search a minute.

use crate::caps::{TRIM_PAUSE_MS, TRIM_PAUSE_MS_MIN};
use sumun_codec::{decode, next_event};
use sumun_core::Event;
use sumun_log::{Log, ReadError};

#[derive(Debug, Default)]
pub(crate) struct Trim {
    next_at_ms: u64,
    /// All events up to the first are old; none after the second is.
    search: Option<(u64, u64)>,
    bytes: Vec<u8>,
    event: Event,
    oldest_ms: Option<u64>,
}

impl Trim {
    /// One look. `saved`: all events up to it stand in the store.
    pub(crate) fn tend(&mut self, log: &mut dyn Log, saved: u64, now: u64, retention_ms: u64) -> Result<(), ReadError> {
        if now < self.next_at_ms {
            return Ok(());
        }
        let looked = self.look(log, saved, now, retention_ms);
        if looked.is_err() {
            *self = Trim { next_at_ms: now + TRIM_PAUSE_MS, oldest_ms: self.oldest_ms, ..Trim::default() };
        }
        looked
    }

    /// A time not before that of the oldest event, when it was last looked at.
    pub(crate) const fn oldest_ms(&self) -> Option<u64> {
        self.oldest_ms
    }

    fn look(&mut self, log: &mut dyn Log, saved: u64, now: u64, retention_ms: u64) -> Result<(), ReadError> {
        let bounds = log.bounds();
        let (old, end) = self.search.unwrap_or((bounds.first - 1, saved.min(bounds.last)));
        if old >= end {
            if old >= bounds.first {
                let position = log.find(old + 1)?;
                log.trim(position);
            }
            self.search = None;
            self.next_at_ms = now + (retention_ms / 16).clamp(TRIM_PAUSE_MS_MIN, TRIM_PAUSE_MS);
            return Ok(());
        }
        // The oldest event first: most often it is young, and nothing is to be done.
        let middle = if old + 1 == bounds.first { old + 1 } else { old + (end - old).div_ceil(2) };
        let behind = self.time_behind(log, middle)?;
        if middle == bounds.first {
            self.oldest_ms = behind;
        }
        let is_old = behind.is_some_and(|time| time.saturating_add(retention_ms) <= now);
        self.search = Some(if is_old { (middle, end) } else { (old, middle - 1) });
        Ok(())
    }

    /// A time not before that of the event: of the frame behind its own. `None` when there is none.
    fn time_behind(&mut self, log: &mut dyn Log, sequence: u64) -> Result<Option<u64>, ReadError> {
        let at = log.find(sequence)?;
        let Some(frame) = log.read(at, &mut self.bytes)? else { return Ok(None) };
        let Some(behind) = log.read(frame.next, &mut self.bytes)? else { return Ok(None) };
        let first = next_event(&mut &self.bytes[..]).ok().flatten();
        let read = first.and_then(|event| decode(event, behind.first, &mut self.event).ok());
        Ok(read.map(|()| self.event.time))
    }
}
