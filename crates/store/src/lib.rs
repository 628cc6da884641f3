//! The store: bytes by key in tables. What was synced survives power loss; what was written since does so in whole
//! chunks, in the order they were written, up to some chunk.
//! A store that has failed once takes nothing more: it is dropped and opened again. Its readers go on until then.
//!
//! Never here: what keys and values mean, clocks, randomness other than a twin's seed, retries.

pub mod caps;
mod chunk;
mod disk;
mod error;
mod journal;
mod keys;
mod ledger;
mod twin;

pub use chunk::{Change, Chunk};
pub use disk::{FjallOpener, FjallStore, Options};
pub use error::StoreError;
pub use ledger::FORMAT;
pub use twin::{Call, Twin, TwinStore};

use std::fmt;
use std::ops::ControlFlow;

/// A table, by a number that whoever uses the store gives it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(u32);

/// What is written, by one thread.
pub trait Store: Send {
    /// Writes all changes of a chunk or none, in order. It may wait for background work; it shows nothing to readers.
    fn write(&mut self, chunk: &Chunk) -> Result<(), StoreError>;
    /// What was written so far survives power loss, and readers see it from now on.
    fn sync(&mut self) -> Result<(), StoreError>;
    /// For another thread than the writer's. It answers until the store is dropped.
    fn reader(&self) -> Box<dyn Reader>;
    /// The tables that exist, with all that was written, in order.
    fn tables(&self) -> Result<Vec<Table>, StoreError>;
    fn stats(&self) -> Stats;
}

/// Reads what the store has synced, and nothing newer. What was never written is an answer, a missing table too.
pub trait Reader: Send {
    /// Reads a value into a buffer (cleared first), and says whether there is one.
    fn get(&mut self, table: Table, key: &[u8], value: &mut Vec<u8>) -> Result<bool, StoreError>;
    /// Visits all keys that begin with `prefix` and are not before `from`, in order of their bytes, until told to stop.
    /// They are those of one moment, whatever is written meanwhile.
    fn scan(
        &mut self,
        table: Table,
        prefix: &[u8],
        from: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;
}

/// Is given a key and its value.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Opens a store, the first time and after each failure.
pub trait Opener: Send {
    fn open(&self) -> Result<Box<dyn Store>, StoreError>;
    /// Whether there is space enough for a store that failed for want of it to be opened again.
    fn has_room(&self) -> bool;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub tables: u64,
    /// Chunks written over the store's life.
    pub chunks: u64,
    /// Those of them that are known to survive power loss.
    pub chunks_synced: u64,
    /// Sorted files of all tables.
    pub table_bytes: u64,
    /// What a start would have to read of the journal.
    pub journal_bytes: u64,
    /// What is in memory and not yet in a sorted file.
    pub write_buffer_bytes: u64,
    pub cache_bytes: u64,
    /// What was cut off the journal's end when the store was opened: a chunk that was not whole.
    pub cut_bytes: u64,
    /// Times that a writer waited for flushes or merges.
    pub waits: u64,
}

impl Table {
    pub const fn new(number: u32) -> Table {
        Table(number)
    }

    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.0)
    }
}
