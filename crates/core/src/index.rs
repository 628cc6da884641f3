//! An index from a key's hash to a slab's slot. Keys stay in the slab; the index holds 32 bits of hash beside each
//! slot, so that growing reads no key, and 256 sub-tables grow one at a time: their shares rise from the first to the
//! last by a factor of two, so that they double one after the other and memory grows as entries do.
//!
//! Cost: 9 bytes a place, at loads from 0.44 to 0.88 that are all there at any time: 14.3 to 15.1 bytes an entry. A
//! look-up is one cache line of the table and one of the slab.

use crate::caps::{INDEX_KEPT, INDEX_TABLES};
use alloc::boxed::Box;
use hashbrown::HashTable;

#[derive(Debug)]
pub(crate) struct Index {
    tables: Box<[HashTable<(u32, u32)>]>,
    len: usize,
}

impl Index {
    pub(crate) fn new() -> Index {
        Index { tables: (0..INDEX_TABLES).map(|_| HashTable::new()).collect(), len: 0 }
    }
    pub(crate) const fn bytes(&self) -> usize {
        self.len * 15
    }
    pub(crate) fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let short = hash as u32;
        self.tables[table(hash)].find(spread(short), |(h, slot)| *h == short && same(*slot)).map(|(_, slot)| *slot)
    }
    /// A sub-table's entries, 32 bits of hash and a slot, in no order.
    pub(crate) fn entries(&self, table: usize) -> impl ExactSizeIterator<Item = (u32, u32)> {
        self.tables[table].iter().copied()
    }
    /// A key's sub-table, and what stands of its hash there.
    pub(crate) const fn place(hash: u64) -> (usize, u32) {
        (table(hash), hash as u32)
    }
    /// The key must not be there yet. Returns how many entries had to move.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) -> usize {
        let short = hash as u32;
        let table = &mut self.tables[table(hash)];
        let moved = if table.len() == table.capacity() { table.len() } else { 0 };
        table.insert_unique(spread(short), (short, slot), |(h, _)| spread(*h));
        self.len += 1;
        moved
    }
    /// Memory is given back once a sub-table is nearly empty: its entries move, as few as there are.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let table = &mut self.tables[table(hash)];
        let entry = table.find_entry(spread(hash as u32), |(_, at)| *at == slot);
        entry.expect("a slot is removed from the index it stands in").remove();
        self.len -= 1;
        if table.capacity() > INDEX_KEPT && table.len() < table.capacity() / 8 {
            table.shrink_to(table.len() * 2, |(h, _)| spread(*h));
        }
    }
}

/// About `log2(1 + x)` of the hash's highest bits: a table's share of all hashes doubles from the first to the last.
const fn table(hash: u64) -> usize {
    const BEND: u64 = 22_560;
    let x = hash >> 48;
    let bent = x + ((x * (0x1_0000 - x)) >> 16) * BEND / 0x1_0000;
    bent as usize * INDEX_TABLES / 0x1_0000
}

/// hashbrown takes the bucket from the low bits and the tag from the high ones.
const fn spread(short: u32) -> u64 {
    (short as u64) << 32 | short as u64
}

#[cfg(test)]
mod tests {
    use super::{Index, table};
    use crate::caps::{INDEX_KEPT, INDEX_TABLES};

    /// A number that looks like any other (splitmix64).
    const fn mix(number: u64) -> u64 {
        let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let b = (a ^ a >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let c = (b ^ b >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        c ^ c >> 31
    }

    #[test]
    fn every_hash_has_a_table_in_the_order_of_hashes() {
        let tables = (0..0x1_0000u64).map(|high| table(high << 48 | 0xffff_ffff_ffff));
        assert!(tables.clone().is_sorted());
        assert_eq!((table(0), table(u64::MAX)), (0, INDEX_TABLES - 1));
        let mut shares = [0u32; INDEX_TABLES];
        tables.for_each(|at| shares[at] += 1);
        let (least, most) = (shares.iter().min().expect("some"), shares.iter().max().expect("some"));
        assert!(*least > 180 && *most < 400, "from {least} to {most}");
    }

    #[test]
    fn it_takes_as_much_for_each_entry_at_any_size() {
        let mut index = Index::new();
        for number in 0..600_000 {
            index.insert(mix(number), number as u32);
            if number > 100_000 && number % 5_000 == 0 {
                let bytes: usize = index.tables.iter().map(|table| table.allocation_size()).sum();
                let each = bytes * 10 / index.len;
                assert!((135..165).contains(&each), "{each} tenths of a byte at {number}");
                assert!((9..=11).contains(&(index.bytes() * 10 / bytes)), "the estimate holds");
            }
        }
        for number in 0..600_000 {
            assert_eq!(index.find(mix(number), |slot| slot == number as u32), Some(number as u32));
        }
        (1_000..600_000).for_each(|number| index.remove(mix(number), number as u32));
        let bytes: usize = index.tables.iter().map(|table| table.allocation_size()).sum();
        assert!(bytes < 256 * 9 * INDEX_KEPT * 8 / 7 + 256 * 64, "{bytes} bytes for a thousand entries");
        assert!((0..1_000).all(|number| index.find(mix(number), |slot| slot == number as u32).is_some()));
    }
}
