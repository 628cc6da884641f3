//! Pages: a run of events behind a sequence, and an item's history before one.
//! Each page does bounded work and says where the next one goes on; what stops it on its way is met by the next one, so that
//! nothing is skipped.

use crate::caps::{
    HISTORY_BYTES_MAX, HISTORY_STEPS_MAX, PAGE_BYTES_MAX, PAGE_EVENTS_MAX, SCAN_BYTES_MAX, SCAN_EVENTS_MAX,
};
use crate::cloud_event::CloudEvents;
use crate::error::FeedError;
use crate::filter::Filter;
use crate::reader::{Flow, LogReader, Met, Place};
use std::ops::ControlFlow;
use sumun_log::Bounds;
use sumun_wire::{Event, Sequence};

/// How much of a page is wanted; the caps of the crate hold besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub events: usize,
    /// Of JSON. One event is always given, however long.
    pub bytes: usize,
}

impl Default for Size {
    fn default() -> Size {
        Size { events: PAGE_EVENTS_MAX, bytes: PAGE_BYTES_MAX }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// A JSON array of CloudEvents.
    pub events: Vec<u8>,
    pub count: usize,
    /// The cursor of the next page: `after` of events, `before` of a history. `None` on the last.
    pub next: Option<u64>,
    /// Of a page of events: how far it has looked. Every event up to here that is wanted stands on this page or an earlier one.
    pub reached: u64,
}

/// A page that is being written.
#[derive(Debug)]
struct Draft<'a> {
    cloud_events: &'a CloudEvents,
    size: Size,
    events: Vec<u8>,
    count: usize,
}

impl<'a> Draft<'a> {
    fn new(cloud_events: &'a CloudEvents, size: Size) -> Draft<'a> {
        let size = Size { events: size.events.clamp(1, PAGE_EVENTS_MAX), bytes: size.bytes.min(PAGE_BYTES_MAX) };
        Draft { cloud_events, size, events: vec![b'['], count: 0 }
    }
    /// Whether it was taken: what would make the page too long is left to the next.
    fn add(&mut self, event: &Event) -> bool {
        let before = self.events.len();
        if self.count > 0 {
            self.events.push(b',');
        }
        self.cloud_events.write(event, &mut self.events);
        // The closing bracket is still to come.
        if self.count > 0 && self.events.len() >= self.size.bytes {
            self.events.truncate(before);
            return false;
        }
        self.count += 1;
        true
    }
    fn is_full(&self) -> bool {
        self.count >= self.size.events || self.events.len() >= self.size.bytes
    }
    fn page(mut self, reached: u64, next: Option<u64>) -> Page {
        self.events.push(b']');
        Page { events: self.events, count: self.count, next, reached }
    }
}

/// Events behind `after`, as far as the shard told.
pub(crate) fn events(
    reader: &mut LogReader,
    told: &Bounds,
    cloud_events: &CloudEvents,
    after: u64,
    filter: &Filter,
    size: Size,
) -> Result<Page, FeedError> {
    let mut draft = Draft::new(cloud_events, size);
    let mut unused = None;
    let (last, looked) = look_through(reader, (after, told.last), None, |met| {
        if !filter.takes(met.kind, met.subject) {
            return Ok(ControlFlow::Continue(()));
        }
        if !draft.add(&met.event()?) {
            unused = Some(met.sequence - 1);
            return Ok(ControlFlow::Break(()));
        }
        Ok(if draft.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    if last == after {
        looked?;
    }
    let reached = unused.unwrap_or(last);
    Ok(draft.page(reached, (reached < told.last).then_some(reached)))
}

/// Events between two looks at what has been read.
const STEP_EVENTS: u64 = 1_024;

/// As `LogReader::scan`, and it stops too when it has looked at as much as one page may.
pub(crate) fn look_through(
    reader: &mut LogReader,
    (after, until): (u64, u64),
    mut place: Option<Place>,
    mut each: impl FnMut(&mut Met<'_>) -> Flow,
) -> (u64, Result<(), FeedError>) {
    let read_before = reader.read_bytes();
    let until = until.min(after.saturating_add(SCAN_EVENTS_MAX));
    let (mut reached, mut is_enough) = (after, false);
    while reached < until && !is_enough {
        let step = until.min(reached + STEP_EVENTS);
        let (last, scanned) = reader.scan((reached, step), place.take(), |met| {
            let flow = each(met);
            is_enough = matches!(flow, Ok(ControlFlow::Break(())));
            flow
        });
        reached = last;
        if scanned.is_err() {
            return (reached, scanned);
        }
        is_enough |= reader.read_bytes() - read_before >= SCAN_BYTES_MAX;
    }
    (reached, Ok(()))
}

/// An item's events, newest first, by the pointer that each has to the one before it.
#[derive(Debug)]
pub(crate) struct History<'a> {
    pub(crate) reader: &'a mut LogReader,
    pub(crate) told: Bounds,
    pub(crate) cloud_events: &'a CloudEvents,
    pub(crate) sku: &'a str,
    /// The sequence that the item's record has.
    pub(crate) newest: u64,
}

impl History<'_> {
    pub(crate) fn page(mut self, before: Option<u64>, size: Size) -> Result<Page, FeedError> {
        let mut draft = Draft::new(self.cloud_events, size);
        let mut at = match before {
            None => Some(self.newest),
            Some(before) => self.behind(before)?,
        };
        let read_before = self.reader.read_bytes();
        // Exclusive, as all cursors are: nothing was given yet.
        let mut next = self.newest.saturating_add(1);
        while let Some(sequence) = at.filter(|sequence| *sequence > 0) {
            let (event, previous) = match self.event(sequence) {
                Ok(Some(found)) => found,
                Ok(None) => {
                    let found = format!("an event that does not touch `{}`", self.sku);
                    return Err(FeedError::Misplaced { sequence, found });
                }
                // What is kept is given, be it nothing; who asks for more is told.
                Err(_) if draft.count > 0 => return Ok(draft.page(0, Some(next))),
                Err(FeedError::Trimmed { .. }) if before.is_none() => return Ok(draft.page(0, Some(next))),
                Err(error) => return Err(error),
            };
            if !draft.add(&event) {
                return Ok(draft.page(0, Some(next)));
            }
            next = sequence;
            at = previous;
            let is_enough = draft.is_full() || self.reader.read_bytes() - read_before >= HISTORY_BYTES_MAX;
            if is_enough && at.is_some() {
                return Ok(draft.page(0, Some(next)));
            }
        }
        Ok(draft.page(0, None))
    }

    /// The item's newest event before a cursor, which most often is one of its events.
    fn behind(&mut self, before: u64) -> Result<Option<u64>, FeedError> {
        if before > self.newest {
            return Ok(Some(self.newest));
        }
        if before <= 1 {
            return Ok(None);
        }
        if let Some((_, previous)) = self.event(before)? {
            return Ok(previous);
        }
        let mut at = Some(self.newest);
        for _ in 0..HISTORY_STEPS_MAX {
            match at {
                Some(sequence) if sequence >= before => at = self.event(sequence)?.and_then(|(_, previous)| previous),
                found => return Ok(found),
            }
        }
        Err(FeedError::NoSuchCursor { sku: self.sku.to_owned(), before })
    }

    /// The event, and the item's event before it; `None` when it does not touch the item.
    fn event(&mut self, sequence: u64) -> Result<Option<(Event, Option<u64>)>, FeedError> {
        let mut found = None;
        let wanted = |met: &mut Met<'_>| {
            found = Some(met.event()?);
            Ok(ControlFlow::Break(()))
        };
        if sequence > self.told.last {
            return Err(FeedError::Ahead { wanted: sequence, last: self.told.last });
        }
        self.reader.scan((sequence - 1, sequence), None, wanted).1?;
        Ok(found.and_then(|event| {
            let line = event.lines().iter().find(|line| line.sku == self.sku)?;
            let previous = line.previous.map(|Sequence(previous)| previous);
            // A pointer that does not go back would never end.
            let previous = previous.filter(|previous| *previous < sequence);
            Some((event, previous))
        }))
    }
}
