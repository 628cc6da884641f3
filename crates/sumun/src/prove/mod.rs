//! Compares a store with the log beside it: each record is what the kept log makes of it at the record's own sequence,
//! nothing that P covers is missing, and each stands where it belongs with its hash, and lots with their ends.
//!
//! What the log has trimmed is taken as it stands: an item's first kept event is its base, of an older reservation and
//! an older usage only what their own events tell is compared, and records without a kept event are counted.
//! Memory: all records of the store, and all that the kept log names.

mod book;
mod ends;
mod hashes;
mod used;

use crate::failure::Failure;
use crate::findings::Findings;
use book::Book;
use ends::Ends;
use hashes::Hashes;
use sumun_core::record::Item;
use sumun_core::{Event, Figures, Key, Record, Stage, State};
use sumun_engine::{About, Holdings};
use sumun_log::{Bounds, LogId};

/// All records are compared, whatever their age.
const FOR_EVER: u64 = u64::MAX;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) saved: u64,
    pub(crate) newest: u64,
    pub(crate) records: u64,
    /// They are, to the last figure, what the kept log makes of them.
    pub(crate) proven: u64,
    /// Their own event is kept, the one that they began with is not: they are what it tells.
    pub(crate) partly: u64,
    /// No event of them is kept.
    pub(crate) unkept: u64,
}

/// The answer of a comparison that found something.
fn no_findings(findings: &Findings) -> Result<(), Failure> {
    if findings.count() == 0 {
        return Ok(());
    }
    let text = findings.text();
    Err(Failure::No(format!(
        "the store is not what the log makes of it:\n{text}\nkeep a copy of both, and rebuild it: sumun store rebuild --help"
    )))
}

#[derive(Debug)]
pub(crate) struct Prover {
    state: State,
    book: Book,
    waits: Vec<Key>,
}

impl Prover {
    /// Reads the store whole.
    pub(crate) fn new(holdings: &mut Holdings, log: LogId, bounds: Bounds) -> Result<Prover, Failure> {
        let about = holdings.about().clone();
        belongs(&about, log, bounds)?;
        let mut state = State::new(about.seed, FOR_EVER);
        let mut book = Book::new(about, bounds.first);
        let mut hashes = Hashes::read(holdings)?;
        let mut ends = Ends::read(holdings)?;
        holdings.each(&mut |shelf, record, bytes| {
            hashes.check(&state, shelf, record, &mut book.findings);
            ends.check(shelf, record, &mut book.findings);
            book.keep(shelf, record, bytes);
            Ok::<(), Failure>(())
        })?;
        ends.finish(&mut book.findings);
        book.check_places();
        if bounds.first > 1 {
            // What the log does not tell may stand elsewhere.
            state.begin_unfilled(&[sumun_core::FIRST_GENERATION]);
            state.begin_at(bounds.first - 1);
        }
        Ok(Prover { state, book, waits: Vec::new() })
    }

    /// The next event of the log.
    pub(crate) fn feed(&mut self, event: &Event) {
        let Prover { state, book, waits } = self;
        book.used.note(event);
        state.replay(event, waits);
        for key in waits.drain(..) {
            // It began before the log does.
            state.install(&key, &[]);
            state.unpin(&key);
            book.see_in_part(event, &key);
        }
        loop {
            match state.stage(&mut |staged| book.see(event, &staged.record)) {
                Stage::Staged => {}
                Stage::Empty => return,
                Stage::Unread(key) => {
                    give_base(state, book, event, &key);
                    state.unpin(&key);
                }
            }
        }
    }

    pub(crate) fn finish(self) -> Result<Proven, Failure> {
        self.book.finish()
    }
}

fn belongs(about: &About, log: LogId, bounds: Bounds) -> Result<(), Failure> {
    let what_to_do = "bring both from one time of one data directory, or rebuild the store: sumun store rebuild --help";
    let why = if about.log != log {
        format!("the store belongs to log {}, the log beside it is {log}", about.log)
    } else if about.newest > bounds.last {
        format!("the store holds events up to {}, the log ends at {}", about.newest, bounds.last)
    } else if about.saved + 1 < bounds.first {
        format!("the store holds all events up to {}, the log begins at {}", about.saved, bounds.first)
    } else if about.saved > about.newest {
        format!("the store says that it holds all events up to {}, and none after {}", about.saved, about.newest)
    } else {
        return Ok(());
    };
    Err(Failure::No(format!("{why}; {what_to_do}")))
}

/// An item whose first event was trimmed: its settings are the store's until an event tells others.
fn give_base(state: &mut State, book: &Book, event: &Event, key: &Key) {
    let Key::Item(sku) = key else { unreachable!("only items are known in part") };
    let stored = book.newest_of(key);
    let record = stored.and_then(|bytes| sumun_codec::decode_record(bytes).ok());
    let mut base = match record {
        Some(Record::Item(item)) => item,
        Some(Record::Lot(_) | Record::Reservation(_) | Record::Movement(_) | Record::Usage(_)) | None => {
            Item { sku, ..nothing() }
        }
    };
    if base.sequence >= book.first {
        // Its figures are what is to be proven.
        (base.sequence, base.figures) = (1, Figures { version: 1, ..Figures::default() });
    }
    let named = |lot: &sumun_core::LotEntry| event.name(event.items[lot.item as usize].sku) == sku.as_str();
    if event.lots.iter().any(named) {
        base.lots_touched_at = 0;
    }
    state.install(key, &[Record::Item(base)]);
}

const fn nothing() -> Item<'static> {
    Item {
        sku: "",
        kind: sumun_wire::Kind::Stock,
        hidden: false,
        counts: false,
        allocation: sumun_wire::Allocation::Fefo,
        limit: None,
        safety_stock: 0,
        backorder_limit: 0,
        metadata: None,
        sequence: 1,
        figures: Figures {
            version: 1,
            previous: 0,
            on_hand: 0,
            reserved: 0,
            available: 0,
            received: 0,
            removed: 0,
            returned: 0,
            captured: 0,
            lots: sumun_core::LotSums { on_hand: 0, reserved: 0, ended_on_hand: 0, ended_reserved: 0 },
        },
        lots_touched_at: 0,
    }
}
