//! The feed of one shard: what its shard tells, what is asked of it, and the tail that reads each new event once for all who
//! follow.
//! LOG-1: nothing is shown that the shard has not told to be durable.

use crate::caps::{FRAME_BYTES_KEPT, LOOK_EVENTS_MAX, TAIL_REST, TURN_BYTES_MAX, TURN_EVENTS_MAX};
use crate::cloud_event::CloudEvents;
use crate::error::FeedError;
use crate::filter::Filter;
use crate::hub::{Entry, Hub, Task, Wake, Work};
use crate::page::{self, History, Page, Size};
use crate::reader::{Lent, LogReader, Met, Place, Pool};
use crate::subscription::Subscription;
use crate::told::Told;
use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::Thread;
use sumun_log::disk::Disk;
use sumun_log::{Bounds, LogId};

/// Whose log it is.
#[derive(Clone, Debug)]
pub struct Setup {
    pub disk: Arc<dyn Disk>,
    pub data: PathBuf,
    pub shard: u32,
    pub id: LogId,
}

/// Where a follower begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes from now on.
    Now,
    /// Where the log begins.
    Begin,
    /// Behind this sequence.
    After(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There may be more at once.
    Worked,
    /// Nothing to do until the shard tells more, or somebody follows.
    Idle,
    Closed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub followers: usize,
    /// Those that the tail serves; the others catch up, or stall.
    pub live: usize,
    pub ring_events: usize,
    pub ring_bytes: usize,
    /// Events that wait in outboxes.
    pub outbox_events: usize,
    /// Events of the log behind the place of the follower that is furthest back, whether it wants them or not.
    pub behind: u64,
    /// Times that a live follower was left to catch up by itself: its outbox was full.
    pub left_behind: u64,
    /// Followers turned away: there were too many.
    pub refused: u64,
    /// Pages and histories that read the log now, and those that wait to.
    pub pages: usize,
    pub pages_waiting: usize,
}

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
}

/// The shard's end of the feed.
#[derive(Debug)]
pub struct Teller {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    setup: Setup,
    cloud_events: CloudEvents,
    pub(crate) told: Told,
    hub: Mutex<Hub>,
    pool: Pool,
    tail: Mutex<Tail>,
    /// The tail's thread is parked until the shard tells more.
    waiting: AtomicBool,
    thread: Mutex<Option<Thread>>,
}

/// What reads each new event for all.
struct Tail {
    reader: LogReader,
    /// Of the hub, when it read last.
    generation: u64,
    entries: Vec<Arc<Entry>>,
    text: Vec<u8>,
    wakes: Vec<Wake>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("setup", &self.setup).field("told", &self.told).finish_non_exhaustive()
    }
}

impl Teller {
    /// The log is durable up to here, and begins there: after every commit, before its replies leave, and after every trim.
    /// Cost: a few stores; a wake of the tail's thread when it waits for this.
    pub fn advance(&mut self, bounds: &Bounds) {
        self.shared.told.write(bounds);
        fence(Ordering::SeqCst);
        if self.shared.waiting.load(Ordering::Relaxed) && self.shared.waiting.swap(false, Ordering::Relaxed) {
            self.shared.wake_tail();
        }
    }
}

impl Feed {
    /// Reads nothing yet.
    pub fn new(setup: Setup, bounds: &Bounds) -> (Feed, Teller) {
        let tail = Tail {
            reader: LogReader::new(&setup),
            generation: 0,
            entries: Vec::new(),
            text: Vec::new(),
            wakes: Vec::new(),
        };
        let shared = Arc::new(Shared {
            cloud_events: CloudEvents::new(setup.id, setup.shard),
            setup,
            told: Told::new(bounds),
            hub: Mutex::default(),
            pool: Pool::default(),
            tail: Mutex::new(tail),
            waiting: AtomicBool::new(false),
            thread: Mutex::default(),
        });
        (Feed { shared: Arc::clone(&shared) }, Teller { shared })
    }

    /// Which part of the log is kept and durable, as told last.
    pub fn bounds(&self) -> Bounds {
        self.shared.told.read()
    }

    pub fn shard(&self) -> u32 {
        self.shared.setup.shard
    }

    pub fn cloud_events(&self) -> &CloudEvents {
        &self.shared.cloud_events
    }

    /// The events behind `after`, or from where the log begins. One behind the log's end gives none. Blocks on the disk.
    pub fn page(&self, after: Option<u64>, filter: &Filter, size: Size) -> Result<Page, FeedError> {
        let told = self.shared.told.read();
        let begin = told.first.saturating_sub(1);
        let from = after.unwrap_or(begin);
        if from < begin {
            return Err(FeedError::Trimmed { wanted: from + 1, first: told.first });
        }
        if !filter.is_of(self.shared.setup.shard) {
            return Ok(Page { events: b"[]".to_vec(), count: 0, next: None, reached: from.max(told.last) });
        }
        let mut reader = self.shared.lend()?;
        match page::events(&mut reader, &told, &self.shared.cloud_events, from, filter, size) {
            // Trimmed while it was looked for: it begins where the log begins now.
            Err(FeedError::Trimmed { first, .. }) if after.is_none() => {
                let from = first.saturating_sub(1);
                page::events(&mut reader, &told, &self.shared.cloud_events, from, filter, size)
            }
            other => other,
        }
    }

    /// The events of an item, newest first: from `newest`, the sequence that its record has, or before a cursor. The record is
    /// to be read before, and its answer to have waited for its proof. Blocks on the disk.
    pub fn history(&self, sku: &str, newest: u64, before: Option<u64>, size: Size) -> Result<Page, FeedError> {
        let told = self.shared.told.read();
        let mut reader = self.shared.lend()?;
        let cloud_events = &self.shared.cloud_events;
        History { reader: &mut reader, told, cloud_events, sku, newest }.page(before, size)
    }

    pub fn subscribe(&self, filter: Filter, start: Start) -> Result<Subscription, FeedError> {
        let told = self.shared.told.read();
        let after = match start {
            Start::Now => told.last,
            Start::Begin => told.first.saturating_sub(1),
            Start::After(after) => after,
        };
        if after.saturating_add(1) < told.first {
            return Err(FeedError::Trimmed { wanted: after + 1, first: told.first });
        }
        if after > told.last {
            return Err(FeedError::Ahead { wanted: after, last: told.last });
        }
        let is_elsewhere = !filter.is_of(self.shared.setup.shard);
        let (id, outbox) = self.shared.hub().enter(filter, after)?;
        Ok(Subscription::new(Arc::clone(&self.shared), id, outbox, is_elsewhere))
    }

    /// The tail, on a thread that its user started for it. Comes back when the feed is closed; at once, when another thread is
    /// the tail.
    pub fn run(&self) {
        {
            let mut thread = self.shared.thread.lock().expect("nothing panics while it holds it");
            if thread.is_some() {
                return;
            }
            *thread = Some(std::thread::current());
        }
        let mut has_worked = false;
        loop {
            let seen = self.shared.told.last();
            match self.turn() {
                Turn::Worked => has_worked = true,
                Turn::Closed => return,
                // The shard wakes nobody meanwhile: what it tells in the next moment is read together.
                Turn::Idle if std::mem::take(&mut has_worked) => std::thread::park_timeout(TAIL_REST),
                Turn::Idle => self.shared.park(seen),
            }
        }
    }

    /// One piece of the tail's work, for whoever drives it otherwise. Blocks on the disk.
    pub fn turn(&self) -> Turn {
        let told = self.shared.told.read();
        let work = self.shared.hub().work(told.last);
        match work {
            Work::Closed => Turn::Closed,
            Work::Wait | Work::Sleep => Turn::Idle,
            Work::Events(task) => {
                let mut tail = self.shared.tail.lock().expect("nothing panics while it holds it");
                tail.work(&self.shared, &told, &task);
                Turn::Worked
            }
        }
    }

    /// Ends all who follow, and the tail.
    pub fn close(&self) {
        let mut wakes = Vec::new();
        self.shared.hub().close(&mut wakes);
        wakes.iter().for_each(|wake| wake());
        self.shared.wake_tail();
    }

    pub fn counts(&self) -> Counts {
        let last = self.shared.told.read().last;
        let (pages, pages_waiting) = self.shared.pool.counts();
        Counts { pages, pages_waiting, ..self.shared.hub().counts(last, self.shared.setup.shard) }
    }
}

impl Tail {
    fn work(&mut self, shared: &Shared, told: &Bounds, task: &Task) {
        let Tail { reader, generation, entries, text, wakes } = self;
        let (first, position) = (task.begin.0 + 1, task.begin.1);
        let place = (*generation != task.generation).then_some(Place { first, position });
        *generation = task.generation;
        entries.clear();
        let (mut bytes, mut looked_at) = (0, 0);
        let mut last = task.after;
        let looked = reader.follow(told).and_then(|()| {
            let (reached, looked) = reader.scan((task.after, told.last), place, |met| {
                looked_at += 1;
                if is_wanted(task, met) {
                    let entry = shared.entry(met, text)?;
                    bytes += entry.text.len();
                    entries.push(entry);
                }
                let is_enough =
                    looked_at >= LOOK_EVENTS_MAX || entries.len() >= TURN_EVENTS_MAX || bytes >= TURN_BYTES_MAX;
                Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
            last = reached;
            looked
        });
        {
            let mut hub = shared.hub();
            hub.publish(task, entries, last, wakes);
            if looked.is_err() {
                hub.give_up(task.generation, wakes);
                *reader = LogReader::new(&shared.setup);
            }
        }
        entries.clear();
        wakes.drain(..).for_each(|wake| wake());
        if text.capacity() > FRAME_BYTES_KEPT {
            *text = Vec::new();
        }
    }
}

fn is_wanted(task: &Task, met: &Met<'_>) -> bool {
    let Some(interest) = &task.interest else { return true };
    met.subject.is_some_and(|subject| interest.has(subject))
}

impl Shared {
    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().expect("nothing panics while it holds it")
    }

    /// A reader that goes as far as the shard told last.
    pub(crate) fn lend(&self) -> Result<Lent<'_>, FeedError> {
        let mut reader = self.pool.lend(&self.setup);
        reader.follow(&self.told.read())?;
        Ok(reader)
    }

    /// An event as it is shown; `text` is used again and again.
    pub(crate) fn entry(&self, met: &mut Met<'_>, text: &mut Vec<u8>) -> Result<Arc<Entry>, FeedError> {
        text.clear();
        self.cloud_events.write(&met.event()?, text);
        let (sequence, kind, subject) = (met.sequence, met.kind, met.subject.map(Into::into));
        Ok(Arc::new(Entry { sequence, kind, subject, text: text.as_slice().into() }))
    }

    pub(crate) fn wake_tail(&self) {
        let thread = self.thread.lock().expect("nothing panics while it holds it");
        if let Some(thread) = &*thread {
            thread.unpark();
        }
    }

    /// Until the shard has told more than was `seen`, somebody follows, or the feed is closed. When nobody follows, what the
    /// shard tells wakes nobody.
    fn park(&self, seen: u64) {
        let is_followed = self.hub().is_followed();
        self.waiting.store(is_followed, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_followed || self.told.last() == seen {
            std::thread::park();
        }
        self.waiting.store(false, Ordering::Relaxed);
    }
}
