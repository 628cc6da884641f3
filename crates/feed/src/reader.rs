//! Readers of the log, a few of them, lent to whoever reads a page: each keeps the frame that it read last, so that neighbours
//! of an event cost nothing more.
//! LOG-1: a reader goes as far as the shard told, never further.

use crate::caps::{FRAME_BYTES_KEPT, READERS_MAX};
use crate::error::FeedError;
use crate::feed::Setup;
use crate::filter::name;
use std::fmt;
use std::ops::{ControlFlow, Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use sumun_codec::{Decoder, next_event, peek};
use sumun_log::{Bounds, Follower, Frame, Position, ReadError};
use sumun_wire::Event;

/// Where a frame stands, and the sequence that it begins with: spares looking for what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) first: u64,
    pub(crate) position: Position,
}

/// An event that was met: what it is about, and all of it when somebody wants it.
pub(crate) struct Met<'a> {
    pub(crate) sequence: u64,
    pub(crate) kind: &'static str,
    pub(crate) subject: Option<&'a str>,
    bytes: &'a [u8],
    decoder: &'a mut Decoder,
}

impl Met<'_> {
    pub(crate) fn event(&mut self) -> Result<Event, FeedError> {
        let sequence = self.sequence;
        self.decoder.decode(self.bytes, sequence).map_err(|error| FeedError::Undecodable { sequence, error })
    }
}

/// Whether to go on to the next event.
pub(crate) type Flow = Result<ControlFlow<()>, FeedError>;

#[derive(Debug)]
struct Loaded {
    at: Position,
    frame: Frame,
}

impl Loaded {
    fn holds(&self, sequence: u64) -> bool {
        (self.frame.first..self.next()).contains(&sequence)
    }
    fn next(&self) -> u64 {
        self.frame.first + u64::from(self.frame.count)
    }
}

pub(crate) struct LogReader {
    follower: Follower,
    decoder: Decoder,
    bytes: Vec<u8>,
    loaded: Option<Loaded>,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").field("loaded", &self.loaded).finish_non_exhaustive()
    }
}

impl LogReader {
    pub(crate) fn new(setup: &Setup) -> LogReader {
        let follower = Follower::new(Arc::clone(&setup.disk), &setup.data, setup.shard, setup.id);
        LogReader { follower, decoder: Decoder::default(), bytes: Vec::new(), loaded: None }
    }

    pub(crate) fn follow(&mut self, told: &Bounds) -> Result<(), FeedError> {
        Ok(self.follower.follow(told)?)
    }

    /// What reading has cost so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.follower.read_bytes()
    }

    /// The frame that was read last.
    pub(crate) fn place(&self) -> Option<Place> {
        self.loaded.as_ref().map(|loaded| Place { first: loaded.frame.first, position: loaded.at })
    }

    /// Calls `each` with every event behind `after` and up to `until`, until it breaks. Gives the sequence of the last that went
    /// well, or `after`, and what stopped it on its way.
    pub(crate) fn scan(
        &mut self,
        (after, until): (u64, u64),
        place: Option<Place>,
        mut each: impl FnMut(&mut Met<'_>) -> Flow,
    ) -> (u64, Result<(), FeedError>) {
        let mut last = after;
        let mut place = place;
        while last < until {
            if let Err(error) = self.seek(last + 1, place.take()) {
                return (last, Err(error));
            }
            let loaded = self.loaded.as_ref().expect("it was just sought");
            let (mut sequence, end) = (loaded.frame.first, loaded.next().min(until + 1));
            let mut rest = self.bytes.as_slice();
            while sequence < end {
                let event = match next_event(&mut rest) {
                    Ok(Some(event)) => event,
                    Ok(None) => return (last, Err(too_few(sequence))),
                    Err(error) => return (last, Err(FeedError::Undecodable { sequence, error })),
                };
                if sequence > last {
                    let (kind, subject) = match peek(event) {
                        Ok((kind, subject)) => (kind, name(subject)),
                        Err(error) => return (last, Err(FeedError::Undecodable { sequence, error })),
                    };
                    let mut met = Met { sequence, kind, subject, bytes: event, decoder: &mut self.decoder };
                    match each(&mut met) {
                        Ok(ControlFlow::Continue(())) => last = sequence,
                        Ok(ControlFlow::Break(())) => return (sequence, Ok(())),
                        Err(error) => return (last, Err(error)),
                    }
                }
                sequence += 1;
            }
        }
        (last, Ok(()))
    }

    /// Loads the frame that holds an event which is durable.
    fn seek(&mut self, sequence: u64, place: Option<Place>) -> Result<(), FeedError> {
        let first = self.follower.bounds().first;
        if sequence < first {
            return Err(FeedError::Trimmed { wanted: sequence, first });
        }
        if self.loaded.as_ref().is_some_and(|loaded| loaded.holds(sequence)) {
            return Ok(());
        }
        if let Some(place) = place.filter(|place| place.first <= sequence) {
            self.try_load(place.position)?;
            if self.loaded.as_ref().is_some_and(|loaded| loaded.holds(sequence)) {
                return Ok(());
            }
        }
        if let Some(next) = self.loaded.as_ref().filter(|loaded| loaded.next() == sequence).map(|at| at.frame.next) {
            self.try_load(next)?;
            if self.loaded.as_ref().is_some_and(|loaded| loaded.holds(sequence)) {
                return Ok(());
            }
        }
        let at = self.follower.find(sequence)?;
        self.load(at)?;
        match &self.loaded {
            Some(loaded) if loaded.holds(sequence) => Ok(()),
            Some(loaded) => {
                let found = format!("the frame of events {} to {}", loaded.frame.first, loaded.next() - 1);
                Err(FeedError::Misplaced { sequence, found })
            }
            None => Err(FeedError::Misplaced { sequence, found: "the end of the log".to_owned() }),
        }
    }

    /// As `load`; the place may have been trimmed although what comes after it was not.
    fn try_load(&mut self, at: Position) -> Result<(), FeedError> {
        match self.load(at) {
            Err(ReadError::Trimmed { .. } | ReadError::NoSuchPosition(_)) => Ok(()),
            other => Ok(other?),
        }
    }

    fn load(&mut self, at: Position) -> Result<(), ReadError> {
        self.loaded = None;
        self.loaded = self.follower.read(at, &mut self.bytes)?.map(|frame| Loaded { at, frame });
        Ok(())
    }
}

fn too_few(sequence: u64) -> FeedError {
    FeedError::Misplaced { sequence, found: "the end of its frame".to_owned() }
}

/// Lends readers. The one given back last is lent first: it knows the most.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    state: Mutex<Free>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct Free {
    readers: Vec<LogReader>,
    made: usize,
    /// Who waits for one.
    waiting: usize,
}

#[derive(Debug)]
pub(crate) struct Lent<'a> {
    pool: &'a Pool,
    /// Until it is given back.
    reader: Option<LogReader>,
}

impl Pool {
    /// Waits while all are lent.
    pub(crate) fn lend(&self, setup: &Setup) -> Lent<'_> {
        let mut free = self.state();
        loop {
            if let Some(reader) = free.readers.pop() {
                return Lent { pool: self, reader: Some(reader) };
            }
            if free.made < READERS_MAX {
                free.made += 1;
                return Lent { pool: self, reader: Some(LogReader::new(setup)) };
            }
            free.waiting += 1;
            free = self.given_back.wait(free).expect("nothing panics while it holds it");
            free.waiting -= 1;
        }
    }

    /// How many are lent, and how many wait for one.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let free = self.state();
        (free.made - free.readers.len(), free.waiting)
    }

    fn state(&self) -> MutexGuard<'_, Free> {
        self.state.lock().expect("nothing panics while it holds it")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(mut reader) = self.reader.take() {
            if reader.bytes.capacity() > FRAME_BYTES_KEPT {
                reader.bytes = Vec::new();
                reader.loaded = None;
            }
            self.pool.state().readers.push(reader);
            self.pool.given_back.notify_one();
        }
    }
}

impl Deref for Lent<'_> {
    type Target = LogReader;
    fn deref(&self) -> &LogReader {
        self.reader.as_ref().expect("it is lent until it is dropped")
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut LogReader {
        self.reader.as_mut().expect("it is lent until it is dropped")
    }
}
