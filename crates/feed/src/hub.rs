//! Who follows, and how a new event reaches them: the ring of the newest events, an index of followers by subject, and an outbox
//! for each.
//! FEED-1: a follower gets each event that it wants once, in order: what stands in its outbox, then what comes behind `after`.
//! MEM-1: ring and outboxes are capped in count and bytes. One whose outbox is full is left out until it comes back by itself.
//! Never here: the log, threads, waiting.

use crate::caps::{
    INTEREST_SLOTS, OUTBOX_BYTES_MAX, OUTBOX_EVENTS_MAX, RING_BYTES_MAX, RING_EVENTS_MAX, SUBSCRIBERS_MAX,
    TURN_EVENTS_MAX,
};
use crate::error::FeedError;
use crate::feed::Counts;
use crate::filter::Filter;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use sumun_log::{Bounds, Position};
use sumun_wire::Name;

/// An event as it is shown, shared by all who get it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub sequence: u64,
    /// The CloudEvents type.
    pub kind: &'static str,
    pub subject: Option<Name>,
    /// The CloudEvent: JSON on one line.
    pub text: Box<[u8]>,
}

pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// What waits for one follower.
pub(crate) struct Outbox {
    pub(crate) filter: Filter,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) events: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// The tail puts new events here. Otherwise the follower has to come back first.
    pub(crate) live: bool,
    /// Every wanted event up to here was put in, those of the hole aside.
    pub(crate) after: u64,
    /// Behind the first and up to the second, before all that is in: to be read from the log.
    pub(crate) hole: Option<(u64, u64)>,
    pub(crate) closed: bool,
    pub(crate) waker: Option<Wake>,
}

enum Put {
    Taken,
    /// It is left out from here on.
    Full,
}

impl Outbox {
    fn new(filter: Filter, after: u64) -> Outbox {
        Outbox { filter, inner: Mutex::new(Inner { after, ..Inner::default() }) }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds it")
    }

    fn put(&self, entry: &Arc<Entry>, wakes: &mut Vec<Wake>) -> Put {
        if !self.filter.takes_type(entry.kind) {
            return Put::Taken;
        }
        let mut inner = self.inner();
        if entry.sequence <= inner.after {
            return Put::Taken;
        }
        if inner.is_full(entry.text.len()) {
            inner.live = false;
            inner.after = entry.sequence - 1;
            return Put::Full;
        }
        inner.push(entry);
        if inner.events.len() == 1 {
            wakes.extend(inner.waker.clone());
        }
        Put::Taken
    }
}

impl Inner {
    pub(crate) fn is_full(&self, more: usize) -> bool {
        let count = self.events.len();
        count >= OUTBOX_EVENTS_MAX || count > 0 && self.bytes + more > OUTBOX_BYTES_MAX
    }

    pub(crate) fn push(&mut self, entry: &Arc<Entry>) {
        self.bytes += entry.text.len();
        self.after = entry.sequence;
        self.events.push_back(Arc::clone(entry));
    }

    pub(crate) fn pop(&mut self) -> Option<Arc<Entry>> {
        let entry = self.events.pop_front()?;
        self.bytes -= entry.text.len();
        Some(entry)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("sequence", &self.sequence).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("filter", &self.filter).finish_non_exhaustive()
    }
}

type Member = (u64, Arc<Outbox>);

/// How many live followers want a subject, or another one of the same hash: what nobody wants is not even made a text of.
#[derive(Debug)]
pub(crate) struct Interest {
    hasher: RandomState,
    followers: Box<[AtomicU32]>,
}

impl Default for Interest {
    fn default() -> Interest {
        let followers = (0..INTEREST_SLOTS).map(|_| AtomicU32::new(0)).collect();
        Interest { hasher: RandomState::new(), followers }
    }
}

impl Interest {
    fn slot(&self, subject: &str) -> &AtomicU32 {
        let hash = self.hasher.hash_one(subject);
        &self.followers[(hash % INTEREST_SLOTS as u64) as usize]
    }

    pub(crate) fn has(&self, subject: &str) -> bool {
        self.slot(subject).load(Ordering::Relaxed) > 0
    }
}

#[derive(Debug, Default)]
pub(crate) struct Hub {
    closed: bool,
    last_id: u64,
    members: HashMap<u64, Arc<Outbox>>,
    /// The live ones, by the subject that they want.
    by_subject: HashMap<Name, Vec<Member>>,
    /// The live ones that want all subjects.
    wide: Vec<Member>,
    live: usize,
    ring: VecDeque<Arc<Entry>>,
    ring_bytes: usize,
    /// The last event that the tail has given out, and where it began to, and how often it began anew.
    covered: u64,
    begin: (u64, Position),
    generation: u64,
    interest: Arc<Interest>,
    /// Who came while the tail was reading, and wants what nobody wanted before: it may have left that out.
    newcomers: Vec<Member>,
    left_behind: u64,
    refused: u64,
}

/// What the tail has to do.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Events(Task),
    /// Nothing until the shard tells more.
    Wait,
    /// Nothing until somebody follows.
    Sleep,
    Closed,
}

/// A run of events that is to be read.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) generation: u64,
    /// None when somebody wants all subjects: then all events are shown, and kept in the ring.
    pub(crate) interest: Option<Arc<Interest>>,
    pub(crate) after: u64,
    /// Where the frame stands that holds the event behind this one.
    pub(crate) begin: (u64, Position),
}

/// How a follower that is not live stands to the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is live, and has to read from the log what lies between its own place and the tail's, if anything does.
    Joined { gap: Option<(u64, u64)> },
    /// It was given some events of the ring; there are more.
    Nearer,
    /// It has to read the log.
    Far { after: u64 },
}

impl Hub {
    pub(crate) fn enter(&mut self, filter: Filter, after: u64) -> Result<Member, FeedError> {
        if self.closed {
            return Err(FeedError::Closed);
        }
        if self.members.len() >= SUBSCRIBERS_MAX {
            self.refused += 1;
            return Err(FeedError::TooManySubscribers);
        }
        self.last_id += 1;
        let outbox = Arc::new(Outbox::new(filter, after));
        self.members.insert(self.last_id, Arc::clone(&outbox));
        Ok((self.last_id, outbox))
    }

    pub(crate) fn leave(&mut self, id: u64) {
        let Some(outbox) = self.members.remove(&id) else { return };
        if std::mem::take(&mut outbox.inner().live) {
            self.unlist(id, &outbox.filter);
        }
        if self.members.is_empty() {
            self.forget_ring();
        }
    }

    pub(crate) fn close(&mut self, wakes: &mut Vec<Wake>) {
        self.closed = true;
        for outbox in self.members.values() {
            let mut inner = outbox.inner();
            inner.closed = true;
            wakes.extend(inner.waker.clone());
        }
        self.forget_ring();
    }

    pub(crate) fn work(&mut self, told_last: u64) -> Work {
        if self.closed {
            Work::Closed
        } else if self.live == 0 {
            Work::Sleep
        } else if told_last <= self.covered {
            Work::Wait
        } else {
            self.newcomers.clear();
            Work::Events(Task {
                generation: self.generation,
                interest: self.wide.is_empty().then(|| Arc::clone(&self.interest)),
                after: self.covered,
                begin: self.begin,
            })
        }
    }

    /// Gives out what the tail has read, all events up to `last`. Nothing, when the tail is to begin anew meanwhile.
    pub(crate) fn publish(&mut self, task: &Task, entries: &[Arc<Entry>], last: u64, wakes: &mut Vec<Wake>) {
        if task.generation != self.generation || self.closed {
            return;
        }
        let is_whole = task.interest.is_none();
        if !is_whole {
            self.forget_ring();
            for (_, outbox) in self.newcomers.drain(..) {
                let mut inner = outbox.inner();
                inner.hole = (inner.after < last).then_some((inner.after, last));
                inner.after = inner.after.max(last);
                wakes.extend(inner.waker.clone());
            }
        }
        let mut full = 0;
        for entry in entries {
            let mut stays = |(_, outbox): &mut Member| match outbox.put(entry, wakes) {
                Put::Taken => true,
                Put::Full => {
                    full += 1;
                    false
                }
            };
            if let Some(subject) = &entry.subject
                && let Some(members) = self.by_subject.get_mut(subject)
            {
                let before = members.len();
                members.retain_mut(&mut stays);
                let gone = u32::try_from(before - members.len()).expect("followers are capped");
                if gone > 0 {
                    self.interest.slot(subject).fetch_sub(gone, Ordering::Relaxed);
                }
                if members.is_empty() {
                    self.by_subject.remove(subject);
                }
            }
            self.wide.retain_mut(stays);
            if is_whole {
                self.keep(entry);
            }
        }
        self.live -= full;
        self.left_behind += full as u64;
        self.covered = last;
    }

    fn keep(&mut self, entry: &Arc<Entry>) {
        self.ring_bytes += entry.text.len();
        self.ring.push_back(Arc::clone(entry));
        while self.ring.len() > RING_EVENTS_MAX || self.ring_bytes > RING_BYTES_MAX && self.ring.len() > 1 {
            let oldest = self.ring.pop_front().expect("it is not empty");
            self.ring_bytes -= oldest.text.len();
        }
    }

    fn forget_ring(&mut self) {
        self.ring = VecDeque::new();
        self.ring_bytes = 0;
    }

    /// The tail cannot go on: whoever is live finds out for itself why.
    pub(crate) fn give_up(&mut self, generation: u64, wakes: &mut Vec<Wake>) {
        if generation != self.generation {
            return;
        }
        self.interest.followers.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
        self.newcomers.clear();
        let subjects = std::mem::take(&mut self.by_subject);
        let wide = std::mem::take(&mut self.wide);
        for (_, outbox) in subjects.into_values().flatten().chain(wide) {
            let mut inner = outbox.inner();
            inner.live = false;
            inner.after = inner.after.max(self.covered);
            wakes.extend(inner.waker.clone());
        }
        self.live = 0;
    }

    /// Brings a follower whose outbox is empty nearer to the tail, or makes it live when it is no more than `near` events behind.
    pub(crate) fn approach(&mut self, id: u64, outbox: &Arc<Outbox>, told: &Bounds, near: u64) -> Standing {
        let mut inner = outbox.inner();
        if inner.live || self.closed {
            return Standing::Joined { gap: None };
        }
        // While nobody is live the tail stands still.
        let is_current = self.live > 0 || self.covered == told.last;
        if is_current && self.ring_has(inner.after + 1) {
            self.give_of_ring(&outbox.filter, &mut inner);
            if inner.after < self.covered || !inner.events.is_empty() {
                return Standing::Nearer;
            }
        }
        let after = inner.after;
        let tail = if is_current { self.covered } else { told.last };
        if tail.saturating_sub(after) > near {
            return Standing::Far { after };
        }
        if !is_current {
            self.forget_ring();
            self.covered = told.last;
            self.begin = (told.last, told.end);
            self.generation += 1;
        }
        inner.after = after.max(tail);
        inner.live = true;
        drop(inner);
        self.list(id, outbox);
        Standing::Joined { gap: (after < tail).then_some((after, tail)) }
    }

    fn ring_has(&self, sequence: u64) -> bool {
        self.ring.front().is_some_and(|oldest| oldest.sequence <= sequence) && sequence <= self.covered
    }

    fn give_of_ring(&self, filter: &Filter, inner: &mut Inner) {
        let Some(oldest) = self.ring.front() else { return };
        let from = usize::try_from((inner.after + 1).saturating_sub(oldest.sequence)).unwrap_or(usize::MAX);
        for entry in self.ring.iter().skip(from).take(TURN_EVENTS_MAX) {
            if filter.takes(entry.kind, entry.subject.as_deref()) {
                if inner.is_full(entry.text.len()) {
                    return;
                }
                inner.push(entry);
            }
            inner.after = entry.sequence;
        }
    }

    fn list(&mut self, id: u64, outbox: &Arc<Outbox>) {
        let member = (id, Arc::clone(outbox));
        let is_new = match &outbox.filter.subject {
            Some(subject) => {
                self.by_subject.entry(subject.as_str().into()).or_default().push(member.clone());
                self.interest.slot(subject).fetch_add(1, Ordering::Relaxed) == 0
            }
            None => {
                self.wide.push(member.clone());
                self.wide.len() == 1
            }
        };
        if is_new {
            self.newcomers.push(member);
        }
        self.live += 1;
    }

    fn unlist(&mut self, id: u64, filter: &Filter) {
        self.newcomers.retain(|(of, _)| *of != id);
        match &filter.subject {
            Some(subject) => {
                self.interest.slot(subject).fetch_sub(1, Ordering::Relaxed);
                if let Some(members) = self.by_subject.get_mut(subject.as_str()) {
                    members.retain(|(of, _)| *of != id);
                    if members.is_empty() {
                        self.by_subject.remove(subject.as_str());
                    }
                }
            }
            None => self.wide.retain(|(of, _)| *of != id),
        }
        self.live -= 1;
    }

    pub(crate) fn is_followed(&self) -> bool {
        self.live > 0
    }

    /// Up to where a follower has been given all that it wants.
    pub(crate) fn reached(&self, outbox: &Outbox) -> u64 {
        let inner = outbox.inner();
        if let Some((after, _)) = inner.hole {
            return after;
        }
        match inner.events.front() {
            Some(next) => next.sequence - 1,
            None if inner.live => inner.after.max(self.covered),
            None => inner.after,
        }
    }

    /// What there is of it; the log ends at `last`.
    pub(crate) fn counts(&self, last: u64, shard: u32) -> Counts {
        let (mut outbox_events, mut behind) = (0, 0);
        // Who asks for another shard's events waits for nothing.
        let is_here = |outbox: &&Arc<Outbox>| outbox.filter.shard.is_none_or(|of| of == shard);
        for outbox in self.members.values().filter(is_here) {
            let inner = outbox.inner();
            outbox_events += inner.events.len();
            let first = inner.events.front().map(|entry| entry.sequence - 1);
            let place = match inner.hole {
                Some((after, _)) => after,
                None if inner.live => first.unwrap_or(self.covered),
                None => first.unwrap_or(inner.after),
            };
            behind = last.saturating_sub(place).max(behind);
        }
        Counts {
            followers: self.members.len(),
            live: self.live,
            ring_events: self.ring.len(),
            ring_bytes: self.ring_bytes,
            outbox_events,
            behind,
            left_behind: self.left_behind,
            refused: self.refused,
            ..Counts::default()
        }
    }
}
