//! Chunks: changes to tables that happen together or not at all, in order.
//! One arena and one list, kept when cleared: staging allocates nothing once it is warm.
//! Never here: where chunks go.

use crate::Table;
use crate::caps::{CHUNK_BYTES_MAX, CHUNK_CHANGES_MAX, KEY_BYTES_MAX};
use std::fmt;

#[derive(Clone, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    changes: Vec<Staged>,
}

/// One change, as it lies in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    Put { table: Table, key: &'a [u8], value: &'a [u8] },
    Remove { table: Table, key: &'a [u8] },
    DropTable { table: Table },
}

#[derive(Clone, Copy)]
struct Staged {
    table: Table,
    kind: Kind,
    key_at: usize,
    value_at: usize,
    end: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Put,
    Remove,
    DropTable,
}

impl Chunk {
    pub fn new() -> Chunk {
        Chunk::default()
    }

    /// Writes a value under a key, which is its parts one after the other. A table begins with its first put.
    pub fn put(&mut self, table: Table, key: &[&[u8]], value: &[u8]) {
        self.put_with(table, key, |bytes| bytes.extend_from_slice(value));
    }

    /// As `put`; the value is what `write` adds to the end of the buffer that it is given.
    pub fn put_with(&mut self, table: Table, key: &[&[u8]], write: impl FnOnce(&mut Vec<u8>)) {
        let key_at = self.stage_key(key);
        let value_at = self.bytes.len();
        write(&mut self.bytes);
        assert!(self.bytes.len() >= value_at, "a value is only ever added to the end");
        self.push(Staged { table, kind: Kind::Put, key_at, value_at, end: self.bytes.len() });
    }

    /// A key that is not there stays so.
    pub fn remove(&mut self, table: Table, key: &[&[u8]]) {
        let key_at = self.stage_key(key);
        let end = self.bytes.len();
        self.push(Staged { table, kind: Kind::Remove, key_at, value_at: end, end });
    }

    /// The table and all in it is gone; a later put begins it anew.
    pub fn drop_table(&mut self, table: Table) {
        let end = self.bytes.len();
        self.push(Staged { table, kind: Kind::DropTable, key_at: end, value_at: end, end });
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has reached what a store takes: it then holds at most one value more than that.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES_MAX || self.changes.len() >= CHUNK_CHANGES_MAX
    }

    /// Empties it, and keeps its buffers.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.changes.clear();
    }

    /// All changes, in order.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = Change<'_>> {
        self.changes.iter().map(|staged| {
            let Staged { table, kind, key_at, value_at, end } = *staged;
            let key = &self.bytes[key_at..value_at];
            match kind {
                Kind::Put => Change::Put { table, key, value: &self.bytes[value_at..end] },
                Kind::Remove => Change::Remove { table, key },
                Kind::DropTable => Change::DropTable { table },
            }
        })
    }

    fn stage_key(&mut self, parts: &[&[u8]]) -> usize {
        assert!(!self.is_full(), "a chunk that is full is written before more is staged");
        let key_at = self.bytes.len();
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        assert!(self.bytes.len() - key_at <= KEY_BYTES_MAX, "keys are made of ids, which are short");
        key_at
    }

    fn push(&mut self, staged: Staged) {
        assert!(staged.end - staged.value_at <= CHUNK_BYTES_MAX, "a value is at most as long as a chunk");
        self.changes.push(staged);
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.changes()).finish()
    }
}
