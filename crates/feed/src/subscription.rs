//! One that follows the log. What it takes comes from three places, one after the other: what it read from the log itself, the
//! gap between its place and the tail's when it joined, its outbox.
//! FEED-1: each event that it wants, once, in order, whatever it is slow about.

use crate::caps::{JOIN_EVENTS_MAX, OUTBOX_BYTES_MAX, OUTBOX_EVENTS_MAX};
use crate::error::FeedError;
use crate::feed::Shared;
use crate::hub::{Entry, Outbox, Standing};
use crate::page::look_through;
use crate::reader::Place;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a follower finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Event(Arc<Entry>),
    /// Nothing new: the waker is called when there is.
    Wait,
    /// There is more, in the log: `catch_up` reads it.
    Behind,
    /// The feed is closed.
    Ended,
}

/// Dropping it ends it at once.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    id: u64,
    outbox: Arc<Outbox>,
    backlog: VecDeque<Arc<Entry>>,
    /// Behind the first and up to the second: to be read from the log before the outbox.
    gap: Option<(u64, u64)>,
    /// Where in the log it read last.
    place: Option<Place>,
    /// It asks for another shard's events: none will ever come.
    is_elsewhere: bool,
}

impl Subscription {
    pub(crate) fn new(shared: Arc<Shared>, id: u64, outbox: Arc<Outbox>, is_elsewhere: bool) -> Subscription {
        let mut new =
            Subscription { shared, id, outbox, backlog: VecDeque::new(), gap: None, place: None, is_elsewhere };
        if !is_elsewhere {
            new.approach(0);
        }
        new
    }

    /// Never waits, never reads.
    pub fn try_next(&mut self) -> Next {
        if let Some(entry) = self.backlog.pop_front() {
            return Next::Event(entry);
        }
        let mut inner = self.outbox.inner();
        if inner.closed {
            return Next::Ended;
        }
        if let Some((from, until)) = inner.hole.take() {
            self.gap = Some((self.gap.map_or(from, |(after, _)| after), until));
        }
        if self.gap.is_some() {
            return Next::Behind;
        }
        match inner.pop() {
            Some(entry) => Next::Event(entry),
            None if inner.live || self.is_elsewhere => Next::Wait,
            None => Next::Behind,
        }
    }

    /// Called, on the tail's thread, when there is something after `try_next` said `Wait`. To be set before `try_next` is asked.
    /// It must not block, nor call the feed.
    pub fn set_waker(&self, waker: Box<dyn Fn() + Send + Sync>) {
        self.outbox.inner().waker = Some(Arc::from(waker));
    }

    /// After `Behind`: reads what comes next, a page of it. Blocks on the disk; its cost is a page's.
    pub fn catch_up(&mut self) -> Result<(), FeedError> {
        if !self.backlog.is_empty() || self.is_elsewhere {
            return Ok(());
        }
        if self.gap.is_none()
            && let Some(after) = self.approach(JOIN_EVENTS_MAX)
        {
            let until = self.shared.told.read().last;
            let reached = self.read(after, until)?;
            self.outbox.inner().after = reached;
            return Ok(());
        }
        if let Some((after, until)) = self.gap {
            let reached = self.read(after, until)?;
            self.gap = (reached < until).then_some((reached, until));
        }
        Ok(())
    }

    /// Every event that it wants up to here was taken by `try_next`. What a follower may say that it has seen.
    pub fn reached(&self) -> u64 {
        match (self.backlog.front(), self.gap) {
            (Some(next), _) => next.sequence - 1,
            (None, Some((after, _))) => after,
            (None, None) if self.is_elsewhere => self.shared.told.read().last,
            (None, None) => self.shared.hub().reached(&self.outbox),
        }
    }

    /// The sequence behind which it has to read the log by itself.
    fn approach(&mut self, near: u64) -> Option<u64> {
        let told = self.shared.told.read();
        let standing = self.shared.hub().approach(self.id, &self.outbox, &told, near);
        match standing {
            Standing::Joined { gap } => {
                self.gap = gap;
                self.shared.wake_tail();
                None
            }
            Standing::Nearer => None,
            Standing::Far { after } => Some(after),
        }
    }

    /// Reads a page of the log into the backlog, and says how far it got.
    fn read(&mut self, after: u64, until: u64) -> Result<u64, FeedError> {
        let shared = &self.shared;
        let mut reader = shared.lend()?;
        let (filter, backlog, mut bytes) = (&self.outbox.filter, &mut self.backlog, 0);
        let mut text = Vec::new();
        let (reached, looked) = look_through(&mut reader, (after, until), self.place, |met| {
            if filter.takes(met.kind, met.subject) {
                let entry = shared.entry(met, &mut text)?;
                bytes += entry.text.len();
                backlog.push_back(entry);
            }
            let is_enough = backlog.len() >= OUTBOX_EVENTS_MAX || bytes >= OUTBOX_BYTES_MAX;
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        if reached == after {
            looked?;
        }
        self.place = reader.place();
        Ok(reached)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.hub().leave(self.id);
    }
}
