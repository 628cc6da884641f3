//! The row that each chunk writes (format): which tables there are, under which name each lies on disk, and which chunk
//! was the last to touch it. A table keeps that chunk in a row of its own, too: where the two differ, chunks are
//! missing.
//! `synced` is the last chunk that was durable when the row was written: no chunk up to there may be missing. `flushed` is
//! the last that lay in sorted files then, as did all before it: a start needs none of them from the journal.
//! Never here: reading and writing it.

use crate::Table;
use std::collections::BTreeMap;

/// The format of the row, and so of the store.
pub const FORMAT: u32 = 2;
/// The table that holds the row.
pub(crate) const NAME: &str = "ledger";
/// No key of a table begins so (`keys`), so it is known wherever it stands.
pub(crate) const ROW: &[u8] = b"\0\x01tables";
const HEAD_BYTES: usize = 4 + 8 + 8 + 8 + 8;
const PLACE_BYTES: usize = 4 + 8 + 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Chunks are counted from 1.
    pub(crate) chunk: u64,
    pub(crate) synced: u64,
    pub(crate) flushed: u64,
    /// The next table that begins gets this one.
    pub(crate) next_life: u64,
    pub(crate) places: BTreeMap<Table, Place>,
}

/// Where a table lies. One that was dropped and begun again has a new life, and lies elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) life: u64,
    pub(crate) last_chunk: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Newer(u32),
    Garbled,
}

impl Ledger {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.places.len() * PLACE_BYTES);
        bytes.extend(FORMAT.to_be_bytes());
        bytes.extend(self.chunk.to_be_bytes());
        bytes.extend(self.synced.to_be_bytes());
        bytes.extend(self.flushed.to_be_bytes());
        bytes.extend(self.next_life.to_be_bytes());
        for (table, place) in &self.places {
            bytes.extend(table.number().to_be_bytes());
            bytes.extend(place.life.to_be_bytes());
            bytes.extend(place.last_chunk.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Ledger, Unreadable> {
        let format = u32::from_be_bytes(take(&mut bytes).ok_or(Unreadable::Garbled)?);
        if format > FORMAT {
            return Err(Unreadable::Newer(format));
        }
        Ledger::decode_from(format, bytes).ok_or(Unreadable::Garbled)
    }

    fn decode_from(format: u32, mut bytes: &[u8]) -> Option<Ledger> {
        let number = |bytes: &mut &[u8]| take(bytes).map(u64::from_be_bytes);
        let mut ledger = Ledger {
            chunk: number(&mut bytes)?,
            synced: number(&mut bytes)?,
            flushed: if format == 1 { 0 } else { number(&mut bytes)? },
            next_life: number(&mut bytes)?,
            places: BTreeMap::new(),
        };
        while !bytes.is_empty() {
            let table = Table::new(u32::from_be_bytes(take(&mut bytes)?));
            let place = Place { life: number(&mut bytes)?, last_chunk: number(&mut bytes)? };
            ledger.places.insert(table, place);
        }
        Some(ledger)
    }
}

impl Place {
    /// The table's name on disk.
    pub(crate) fn name(self, table: Table) -> String {
        format!("{}.{}", table.number(), self.life)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_written_in_these_bytes_and_read_from_them() {
        let place = Place { life: 5, last_chunk: 6 };
        let places = BTreeMap::from([(Table::new(3), place)]);
        let ledger = Ledger { chunk: 7, synced: 4, flushed: 2, next_life: 9, places };
        let golden = [
            0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9,
            0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6,
        ];
        assert_eq!(ledger.encode(), golden);
        assert_eq!(Ledger::decode(&golden), Ok(ledger.clone()));
        assert_eq!(Ledger::decode(&golden[..golden.len() - 1]), Err(Unreadable::Garbled));
        assert_eq!(Ledger::decode(&[0, 0, 0, 3]), Err(Unreadable::Newer(3)));
        assert_eq!(place.name(Table::new(3)), "3.5");
        // Format 1 did not say what was flushed.
        let first = [&[0, 0, 0, 1], &golden[4..20], &golden[28..]].concat();
        assert_eq!(Ledger::decode(&first), Ok(Ledger { flushed: 0, ..ledger }));
    }
}
