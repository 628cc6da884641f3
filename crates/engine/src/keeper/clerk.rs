//! Who works on the store: one writer, one reader, each with its own queue. On threads beside the loop, or, for
//! simulations, in the loop when told to.
//!
//! A store that fails is dropped and opened again until it works; the chunk that failed is written again. The log goes
//! on meanwhile. One that failed for want of space stays until there is some: it can be read.

use super::tables::{self, HASHES, HASHES_PREFIX, HEAD, OPEN};
use crate::caps::{FILTER_PAGE_HASHES, LOAD_BYTES, STORE_RETRY_MS, STORE_RETRY_MS_MAX};
use crate::lists::{Skus, SkusOf};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use sumun_core::Key;
use sumun_log::Crew;
use sumun_store::{Chunk, Opener, Reader, Store, StoreError};

/// A chunk on its way to the store; when it has arrived, all events up to `saved` stand there.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) chunk: Chunk,
    pub(crate) saved: u64,
}

/// A question of one life of the state: answers to an earlier one are void, since what they rest on is gone.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) life: u32,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// The head, for a start.
    Head,
    /// Open reservations, those behind the key `from`.
    Open {
        from: Option<Vec<u8>>,
    },
    Key {
        key: Key,
        generations: Vec<u32>,
    },
    /// Lots' ends, from a key on, up to a time.
    Ends {
        from: Vec<u8>,
        until: u64,
    },
    /// Hashes of a generation, or (`None`) of items and usages: those behind the key `from`.
    Filter {
        generation: Option<u32>,
        from: Option<Vec<u8>>,
    },
    /// Names of items.
    Skus {
        ticket: u64,
        of: SkusOf,
    },
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Done {
    Stored(Write),
    Told {
        life: u32,
        told: Told,
    },
    /// The store does not work; it is tried again.
    Trouble(String),
    Mended,
    /// It holds something else than was written: nothing more can be built on it.
    Broken(String),
}

#[derive(Debug)]
pub(crate) enum Told {
    Head(Option<Vec<u8>>),
    /// Values of some; where to go on, unless that was all.
    Open {
        values: Vec<Vec<u8>>,
        next: Option<Vec<u8>>,
    },
    Key {
        key: Key,
        values: Vec<Vec<u8>>,
    },
    Ends(tables::Ends),
    /// Where to go on, unless that was all.
    Hashes {
        generation: Option<u32>,
        hashes: Vec<u64>,
        next: Option<Vec<u8>>,
    },
    Skus {
        ticket: u64,
        skus: Skus,
    },
}

pub(crate) trait Desk: Send {
    fn write(&mut self, write: Write);
    fn ask(&mut self, ask: Ask);
    fn poll(&mut self) -> Option<Done>;
    /// Does a piece of what was asked, where there is no thread for it. `false`: there is nothing to do.
    fn work(&mut self) -> bool;
}

struct Writer {
    opener: Box<dyn Opener>,
    store: Option<Box<dyn Store>>,
    /// The store failed for want of space: it takes nothing more, and is kept for its readers until there is space.
    is_full: bool,
    in_trouble: bool,
}

impl Writer {
    /// Tries once. On success the chunk is durable; a new reader when the store had to be opened again.
    fn try_write(&mut self, write: &Write) -> Result<Option<Box<dyn Reader>>, StoreError> {
        if self.is_full && !self.opener.has_room() {
            return Err(StoreError::Full { why: "there is still too little".to_owned() });
        }
        if std::mem::take(&mut self.is_full) {
            self.store = None;
        }
        let mut reader = None;
        if self.store.is_none() {
            let store = self.opener.open()?;
            reader = Some(store.reader());
            self.store = Some(store);
        }
        let store = self.store.as_mut().expect("opened above");
        let result = store.write(&write.chunk).and_then(|()| store.sync());
        match &result {
            Ok(()) => {}
            Err(StoreError::Full { .. }) => self.is_full = true,
            // Dropped before it is opened again: it holds the lock.
            Err(_) => self.store = None,
        }
        result.map(|()| reader)
    }
    /// For readers: a read has failed.
    fn reopen(&mut self) -> Result<Option<Box<dyn Reader>>, StoreError> {
        self.store = None;
        self.is_full = false;
        let store = self.opener.open()?;
        let reader = store.reader();
        self.store = Some(store);
        Ok(Some(reader))
    }
    /// What to say of an attempt.
    fn report(&mut self, result: &Result<Option<Box<dyn Reader>>, StoreError>) -> Option<Done> {
        match result {
            Ok(_) if std::mem::take(&mut self.in_trouble) => Some(Done::Mended),
            Ok(_) => None,
            Err(error) if !error.can_be_opened_again() => Some(Done::Broken(error.to_string())),
            Err(error) => {
                self.in_trouble = true;
                Some(Done::Trouble(error.to_string()))
            }
        }
    }
}

fn answer(reader: &mut dyn Reader, ask: &Ask, done: &mut dyn FnMut(Done)) -> Result<(), StoreError> {
    let life = ask.life;
    let mut done = |told| done(Done::Told { life, told });
    match &ask.what {
        What::Head => {
            let mut head = Vec::new();
            let found = reader.get(HEAD, &[], &mut head)?;
            done(Told::Head(found.then_some(head)));
        }
        What::Open { from } => {
            let (mut values, mut bytes, mut next) = (Vec::new(), 0, None);
            reader.scan(OPEN, &[], from.as_deref(), &mut |key, value| {
                if bytes > LOAD_BYTES {
                    next = Some(key.to_vec());
                    return ControlFlow::Break(());
                }
                bytes += value.len();
                values.push(value.to_vec());
                ControlFlow::Continue(())
            })?;
            done(Told::Open { values, next });
        }
        What::Key { key, generations } => {
            let values = tables::read(reader, key, generations)?;
            done(Told::Key { key: key.clone(), values });
        }
        What::Ends { from, until } => done(Told::Ends(tables::read_ends(reader, from, *until)?)),
        What::Skus { ticket, of } => done(Told::Skus { ticket: *ticket, skus: tables::read_skus(reader, of)? }),
        What::Filter { generation, from } => {
            let table = generation.map_or(HASHES, tables::generation);
            let prefix: &[u8] = if generation.is_some() { HASHES_PREFIX } else { &[] };
            let (mut hashes, mut next) = (Vec::new(), None);
            reader.scan(table, prefix, from.as_deref(), &mut |key, value| {
                if hashes.len() >= FILTER_PAGE_HASHES {
                    next = Some(key.to_vec());
                    return ControlFlow::Break(());
                }
                hashes.extend(value.as_chunks::<8>().0.iter().map(|hash| u64::from_le_bytes(*hash)));
                ControlFlow::Continue(())
            })?;
            done(Told::Hashes { generation: *generation, hashes, next });
        }
    }
    Ok(())
}

/// Threads: a writer and a reader.
pub(crate) struct Beside {
    writes: Sender<ToWriter>,
    asks: Sender<ToReader>,
    done: Receiver<Done>,
    stop: Arc<AtomicBool>,
}

enum ToWriter {
    Stop,
    Write(Write),
    /// A read failed: the store is opened again.
    Reopen,
}

enum ToReader {
    Stop,
    Ask(Ask),
    /// The store was opened again.
    Reader(Box<dyn Reader>),
}

impl Beside {
    pub(crate) fn new(
        opener: Box<dyn Opener>,
        store: Box<dyn Store>,
        crew: &dyn Crew,
        wake: &Arc<dyn Fn() + Send + Sync>,
    ) -> Beside {
        let (writes, to_write) = channel();
        let (asks, to_read) = channel();
        let (say, done) = channel();
        let reader = store.reader();
        let (say_too, wake_too, readers, reopen) = (say.clone(), Arc::clone(wake), asks.clone(), writes.clone());
        let wake = Arc::clone(wake);
        let writer = Writer { opener, store: Some(store), is_full: false, in_trouble: false };
        let stop = Arc::<AtomicBool>::default();
        let told = Arc::clone(&stop);
        crew.start("sumun-store", Box::new(move || write_all(writer, &to_write, &readers, &say, &*wake, &told)));
        crew.start("sumun-read", Box::new(move || read_all(reader, &to_read, &reopen, &say_too, &*wake_too)));
        Beside { writes, asks, done, stop }
    }
}

fn pause() {
    crate::env::pause(Duration::from_millis(STORE_RETRY_MS));
}

/// Ends when the engine has gone.
fn write_all(
    mut writer: Writer,
    writes: &Receiver<ToWriter>,
    readers: &Sender<ToReader>,
    say: &Sender<Done>,
    wake: &dyn Fn(),
    stop: &AtomicBool,
) {
    while let Ok(message) = writes.recv() {
        let mut pause_ms = STORE_RETRY_MS;
        while !stop.load(Ordering::Acquire) {
            let result = match &message {
                ToWriter::Stop => return,
                ToWriter::Write(write) => writer.try_write(write),
                ToWriter::Reopen => writer.reopen(),
            };
            if let Some(done) = writer.report(&result) {
                let _ = say.send(done);
                wake();
            }
            match result {
                Ok(Some(reader)) => {
                    let _ = readers.send(ToReader::Reader(reader));
                    break;
                }
                Ok(None) => break,
                Err(error) if error.can_be_opened_again() => {
                    let pauses = pause_ms / STORE_RETRY_MS;
                    (0..pauses).filter(|_| !stop.load(Ordering::Acquire)).for_each(|_| pause());
                    // Opening reads the journal each time. To look for space costs nothing.
                    pause_ms = if writer.is_full { STORE_RETRY_MS } else { (2 * pause_ms).min(STORE_RETRY_MS_MAX) };
                }
                Err(_) => return,
            }
        }
        if stop.load(Ordering::Acquire) {
            return;
        }
        if let ToWriter::Write(write) = message
            && say.send(Done::Stored(write)).is_err()
        {
            return;
        }
        wake();
    }
}

fn read_all(
    mut reader: Box<dyn Reader>,
    asks: &Receiver<ToReader>,
    writer: &Sender<ToWriter>,
    say: &Sender<Done>,
    wake: &dyn Fn(),
) {
    // What failed waits for a store that was opened again.
    let mut failed: VecDeque<Ask> = VecDeque::new();
    while let Ok(message) = asks.recv() {
        let todo = match message {
            ToReader::Stop => return,
            ToReader::Ask(ask) => VecDeque::from([ask]),
            ToReader::Reader(new) => {
                reader = new;
                std::mem::take(&mut failed)
            }
        };
        for ask in todo {
            let result = answer(reader.as_mut(), &ask, &mut |done| {
                let _ = say.send(done);
                wake();
            });
            match result {
                Ok(()) => {}
                Err(error) if error.can_be_opened_again() => {
                    if failed.is_empty() {
                        let _ = writer.send(ToWriter::Reopen);
                    }
                    failed.push_back(ask);
                }
                Err(error) => {
                    let _ = say.send(Done::Broken(error.to_string()));
                    wake();
                }
            }
        }
    }
}

impl Desk for Beside {
    fn write(&mut self, write: Write) {
        // A writer that has ended has said why.
        let _ = self.writes.send(ToWriter::Write(write));
    }
    fn ask(&mut self, ask: Ask) {
        let _ = self.asks.send(ToReader::Ask(ask));
    }
    fn poll(&mut self) -> Option<Done> {
        self.done.try_recv().ok()
    }
    fn work(&mut self) -> bool {
        false
    }
}

impl Drop for Beside {
    /// The store is closed when this returns: it may be opened again. What was handed over and not written stands in the
    /// log.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.writes.send(ToWriter::Stop);
        let _ = self.asks.send(ToReader::Stop);
        while self.done.recv().is_ok() {}
    }
}

/// In the loop, a piece each time it is told to. What is asked is answered in order, chunks and reads each in theirs.
pub(crate) struct Here {
    writer: Writer,
    reader: Option<Box<dyn Reader>>,
    writes: VecDeque<Write>,
    asks: VecDeque<Ask>,
    done: VecDeque<Done>,
    turn: bool,
}

impl Here {
    pub(crate) fn new(opener: Box<dyn Opener>, store: Box<dyn Store>) -> Here {
        let reader = Some(store.reader());
        let writer = Writer { opener, store: Some(store), is_full: false, in_trouble: false };
        Here { writer, reader, writes: VecDeque::new(), asks: VecDeque::new(), done: VecDeque::new(), turn: false }
    }
    fn write_one(&mut self) -> bool {
        let Some(write) = self.writes.front() else { return false };
        let result = self.writer.try_write(write);
        self.done.extend(self.writer.report(&result));
        match result {
            Ok(reader) => {
                self.reader = reader.or(self.reader.take());
                let write = self.writes.pop_front().expect("seen above");
                self.done.push_back(Done::Stored(write));
            }
            Err(_) => self.reader = None,
        }
        true
    }
    fn answer_one(&mut self) -> bool {
        let Some(ask) = self.asks.front() else { return false };
        if self.reader.is_none() {
            if self.writer.store.is_none() {
                self.writer.store = self.writer.opener.open().ok();
            }
            self.reader = self.writer.store.as_ref().map(|store| store.reader());
        }
        let Some(reader) = &mut self.reader else { return false };
        let done = &mut self.done;
        match answer(reader.as_mut(), ask, &mut |told| done.push_back(told)) {
            Ok(()) => {
                self.asks.pop_front();
            }
            Err(error) if error.can_be_opened_again() => {
                self.reader = None;
                self.writer.store = None;
            }
            Err(error) => self.done.push_back(Done::Broken(error.to_string())),
        }
        true
    }
}

impl Desk for Here {
    fn write(&mut self, write: Write) {
        self.writes.push_back(write);
    }
    fn ask(&mut self, ask: Ask) {
        self.asks.push_back(ask);
    }
    fn poll(&mut self) -> Option<Done> {
        self.done.pop_front()
    }
    fn work(&mut self) -> bool {
        self.turn = !self.turn;
        // Neither starves the other.
        let writes_first = self.turn;
        (writes_first && self.write_one()) || self.answer_one() || (!writes_first && self.write_one())
    }
}
