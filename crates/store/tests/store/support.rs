//! What the store's tests share: a model, random chunks, directories.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use sumun_store::{Change, Chunk, FjallOpener, Options, Reader, Table};

pub(crate) type Model = BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>;

pub(crate) const TABLES: u32 = 5;

/// An empty directory of this test's own.
pub(crate) fn dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store").join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Flushes often.
pub(crate) fn small() -> Options {
    Options { cache_bytes: 1 << 20, write_buffer_bytes: 64 << 10 }
}

pub(crate) fn opener(dir: &Path, options: Options) -> FjallOpener {
    FjallOpener { dir: dir.to_owned(), options }
}

pub(crate) fn apply(model: &mut Model, chunk: &Chunk) {
    for change in chunk.changes() {
        match change {
            Change::Put { table, key, value } => {
                model.entry(table).or_default().insert(key.to_vec(), value.to_vec());
            }
            Change::Remove { table, key } => {
                model.get_mut(&table).and_then(|records| records.remove(key));
            }
            Change::DropTable { table } => {
                model.remove(&table);
            }
        }
    }
}

pub(crate) fn read_all(reader: &mut dyn Reader, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    reader
        .scan(table, b"", None, &mut |key, value| {
            all.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    all
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// Some changes to few keys, so that they meet.
    pub(crate) fn fill(&mut self, chunk: &mut Chunk) {
        chunk.clear();
        for _ in 0..self.below(40) {
            let table = Table::new(u32::try_from(self.below(u64::from(TABLES))).unwrap());
            let bytes = self.below(600).to_be_bytes();
            let key = &bytes[usize::try_from(self.below(3)).unwrap() + 5..];
            match self.below(200) {
                0 => chunk.drop_table(table),
                1..60 => chunk.remove(table, &[key]),
                _ => {
                    let value = vec![b'v'; usize::try_from(self.below(300)).unwrap()];
                    chunk.put(table, &[key], &value);
                }
            }
        }
    }
}
