//! The handover: questions that come from beside the sockets (HTTP, on threads of its own), and their answers.
//!
//! A question is decided like a request of one more connection: it takes turns with RESP's clients, none starves the
//! other. LOG-1: its answer is given when its step is proven; when that is lost, or the loop has ended, the question is
//! dropped without one. MEM-1: questions are bounded in count and bytes from the moment they are put in until their
//! answer is given, what answers keep meanwhile by `HANDED_UNPROVEN_BYTES_MAX`.
//!
//! Never here: what the questions came from, any runtime.

use crate::caps;
use crate::ledger::{Figures, Readiness};
use crate::metrics::Metrics;
use mio::Waker;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use sumun_wire::{Answer, Command, ItemRecord, Refusal, ReservationRecord, Trace};

/// What is asked, and who hears the answer. Dropped unanswered: what it rests on could not be proven, or nobody decides
/// any more.
pub trait Question: Send {
    fn wants(&self) -> Wants<'_>;
    /// What it keeps in memory while it waits, about.
    fn bytes(&self) -> usize;
    /// Where in a trace it was asked: the event that it makes says so.
    fn trace(&self) -> Option<&Trace> {
        None
    }
    /// Its turn has come; more than once, if it has to wait after all.
    fn begins(&mut self) {}
    /// Its answer is there, and waits for its step's proof.
    fn decided(&mut self) {}
    fn answer(self: Box<Self>, reply: Reply);
}

#[derive(Debug)]
pub enum Wants<'a> {
    Decide {
        command: Command<'a>,
        /// The record that the answer shows beside the outcome, as it stands after it.
        shows: Shows,
    },
    /// Open reservations; whose, unless of all.
    Reservations {
        sku: Option<&'a str>,
        holder: Option<&'a str>,
        after: Option<&'a str>,
        limit: usize,
    },
    /// Items whose skus begin with `prefix`, behind `after`, in the order of their bytes.
    Items {
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    },
    /// Those of these items that exist; in the order of the names' bytes, as they are given.
    TheseItems {
        skus: &'a [String],
        limit: usize,
    },
    Report,
}

/// Which record goes with a command's outcome: that of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    Nothing,
    Item,
    Reservation,
}

#[derive(Debug)]
pub enum Reply {
    /// And the record that it shows, unless it was refused.
    Answer(Answer, Option<Answer>),
    Reservations(Page<ReservationRecord>),
    Items(Page<ItemRecord>),
    /// Of a list.
    Refused(Refusal),
    /// The log is being replayed: nothing is decided yet.
    Loading {
        done_permille: u16,
    },
    Report(Box<Report>),
}

/// A page may be short of its limit; where there is a cursor, there may be more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub records: Vec<T>,
    /// Opaque for reservations; of items the last sku.
    pub next: Option<String>,
}

/// What there is to say of shard and server.
#[derive(Clone, Debug)]
pub struct Report {
    pub now_ms: u64,
    pub readiness: Readiness,
    pub figures: Figures,
    pub resp: Served,
    /// Questions in hand.
    pub handed: usize,
}

/// What the RESP side counts.
#[derive(Clone, Debug, Default)]
pub struct Served {
    pub clients: usize,
    pub connections: u64,
    pub connections_refused: u64,
    pub requests: u64,
    pub protocol_errors: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub kept_bytes: usize,
    pub steps: u64,
    pub step_requests_max: u64,
    pub waits: u64,
    pub reader_pauses: u64,
    pub accept_pauses: u64,
    pub unproven_closed: u64,
    /// Since when it runs, in shard time.
    pub started_ms: u64,
    /// Decided, refused ones too, by name; of all interfaces.
    pub commands: Vec<(&'static str, u64)>,
    pub scarce_closed: u64,
    /// Of connections that are in a MULTI; a part of `kept_bytes`.
    pub transactions_bytes: usize,
    /// By code; of all interfaces.
    pub refusals: Vec<(sumun_wire::Code, u64)>,
}

impl Served {
    pub(crate) fn of(metrics: &Metrics, clients: usize) -> Served {
        Served {
            clients,
            started_ms: metrics.started_ms,
            commands: metrics.commands().collect(),
            connections: metrics.connections,
            connections_refused: metrics.connections_refused,
            requests: metrics.requests,
            protocol_errors: metrics.protocol_errors,
            bytes_in: metrics.bytes_in,
            bytes_out: metrics.bytes_out,
            kept_bytes: metrics.kept_bytes,
            steps: metrics.steps,
            step_requests_max: metrics.step_requests_max,
            waits: metrics.waits,
            reader_pauses: metrics.reader_pauses,
            accept_pauses: metrics.accept_pauses,
            unproven_closed: metrics.unproven_closed,
            scarce_closed: metrics.scarce_closed,
            transactions_bytes: metrics.transactions_bytes,
            refusals: metrics.refusals().collect(),
        }
    }
}

/// Why a question was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There are too many; nothing was done.
    Overloaded { retry_after_ms: u32 },
    /// The loop has ended.
    Gone,
}

/// Where questions are put in. Cheap to clone; any thread.
#[derive(Clone, Debug)]
pub struct Handover {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<VecDeque<Handed>>,
    count: AtomicUsize,
    bytes: AtomicUsize,
    /// Questions that were not taken: there were too many.
    refused: AtomicU64,
    /// Nothing more is taken.
    ended: AtomicBool,
    /// The loop has been told to end.
    ending: AtomicBool,
    /// Nothing more will come.
    closed: AtomicBool,
    on_end: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    waker: Arc<Waker>,
}

impl Handover {
    pub(crate) fn new(waker: Arc<Waker>) -> Handover {
        let shared = Shared {
            queue: Mutex::default(),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            on_end: Mutex::default(),
            waker,
        };
        Handover { shared: Arc::new(shared) }
    }

    /// Puts a question in, and wakes the loop when it does not know of any yet: it looks at once, and takes what has come
    /// until then.
    pub fn ask(&self, question: Box<dyn Question>) -> Result<(), Refused> {
        let shared = &self.shared;
        if shared.ended.load(Ordering::Acquire) {
            return Err(Refused::Gone);
        }
        let bytes = question.bytes();
        let room = Room { shared: Arc::clone(shared), bytes };
        let count = shared.count.fetch_add(1, Ordering::Relaxed);
        let kept = shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        if count >= caps::HANDED_MAX || kept + bytes > caps::HANDED_BYTES_MAX {
            shared.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refused::Overloaded { retry_after_ms: caps::SCARCE_RETRY_MS });
        }
        let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at under the lock: what is put in behind the last look would wait for ever.
        if shared.ended.load(Ordering::Acquire) {
            return Err(Refused::Gone);
        }
        let was_empty = queue.is_empty();
        queue.push_back(Handed { question, room, progress: Progress::Fresh });
        drop(queue);
        if was_empty {
            self.wake();
        }
        Ok(())
    }

    fn wake(&self) {
        // It fails when the process is out of memory; the loop looks at each round it makes.
        let _ = self.shared.waker.wake();
    }

    /// Is called when the loop is told to end: nobody new may come, what has come is still answered, then `close`.
    pub fn on_end(&self, act: impl FnOnce() + Send + 'static) {
        *self.shared.on_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
        if self.shared.ending.load(Ordering::Acquire) {
            self.tell_of_end();
        }
    }

    /// No more questions will come: the loop need not wait for any before it ends.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        self.wake();
    }

    pub fn in_hand(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// What questions in hand keep.
    pub fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }
    /// Questions that were turned away.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn begin_end(&self) {
        self.shared.ending.store(true, Ordering::Release);
        if !self.tell_of_end() {
            // Whoever puts questions in has not asked to be told: it is not waited for.
            self.shared.closed.store(true, Ordering::Release);
        }
    }
    fn tell_of_end(&self) -> bool {
        let act = self.shared.on_end.lock().unwrap_or_else(PoisonError::into_inner).take();
        act.map(|act| act()).is_some()
    }
    pub(crate) fn is_through(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire) && self.in_hand() == 0
    }
    /// The loop has ended: what is left gets no answer.
    pub(crate) fn end(&self) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.ended.store(true, Ordering::Release);
        let left = std::mem::take(&mut *queue);
        drop(queue);
        drop(left);
    }
    pub(crate) fn take_into(&self, all: &mut VecDeque<Handed>) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            std::mem::swap(all, &mut *queue);
        } else {
            all.append(&mut queue);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("count", &self.count).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// A question in hand; its room is free again when it is gone.
pub(crate) struct Handed {
    pub(crate) question: Box<dyn Question>,
    pub(crate) room: Room,
    pub(crate) progress: Progress,
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").field("progress", &self.progress).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(crate) struct Room {
    shared: Arc<Shared>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shared.count.fetch_sub(1, Ordering::Relaxed);
        self.shared.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// How far a question that takes more than one step has come.
#[derive(Debug)]
pub(crate) enum Progress {
    Fresh,
    /// The command is decided; the record that its answer shows is not there yet.
    Decided(Answer),
    Reservations(crate::lists::OpenSoFar),
    Items(crate::lists::ItemsSoFar),
}
