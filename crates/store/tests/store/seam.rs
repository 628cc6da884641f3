//! What holds of every store, on disk and in memory.

use crate::support::{Model, Random, apply, dir, opener, read_all, small};
use std::ops::ControlFlow;
use sumun_store::{Chunk, Opener, Reader, Store, StoreError, Table, Twin};

const A: Table = Table::new(1);
const B: Table = Table::new(2);

/// Runs a test over both.
fn on_both(name: &str, test: impl Fn(&dyn Opener)) {
    test(&Twin::new(7));
    test(&opener(&dir(name), small()));
}

fn write(store: &mut dyn Store, fill: impl FnOnce(&mut Chunk)) {
    let mut chunk = Chunk::new();
    fill(&mut chunk);
    store.write(&chunk).unwrap();
}

fn get(reader: &mut dyn Reader, table: Table, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = b"what was there before".to_vec();
    reader.get(table, key, &mut value).unwrap().then_some(value)
}

fn keys(reader: &mut dyn Reader, table: Table, prefix: &[u8], from: Option<&[u8]>, most: usize) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    reader
        .scan(table, prefix, from, &mut |key, _| {
            keys.push(key.to_vec());
            if keys.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
    keys
}

#[test]
fn what_is_put_is_read_after_the_sync_and_not_before() {
    on_both("put", |opener| {
        let mut store = opener.open().unwrap();
        let mut reader = store.reader();
        write(&mut *store, |chunk| {
            chunk.put(A, &[b"k", b"1"], b"one");
            chunk.put_with(A, &[b"k2"], |bytes| bytes.extend(b"two"));
            chunk.put(B, &[], b"head");
            chunk.put(B, &[b"\0\x01"], b"");
        });
        assert_eq!(get(&mut *reader, A, b"k1"), None);
        assert_eq!(keys(&mut *reader, A, b"", None, 9), Vec::<Vec<u8>>::new());
        assert_eq!(store.tables().unwrap(), [A, B]);
        store.sync().unwrap();
        assert_eq!(get(&mut *reader, A, b"k1").as_deref(), Some(&b"one"[..]));
        assert_eq!(get(&mut *reader, A, b"k2").as_deref(), Some(&b"two"[..]));
        assert_eq!(get(&mut *reader, A, b"k"), None);
        assert_eq!(get(&mut *reader, B, b"").as_deref(), Some(&b"head"[..]));
        assert_eq!(get(&mut *reader, B, b"\0\x01").as_deref(), Some(&b""[..]));
        assert_eq!(get(&mut *reader, Table::new(3), b"k1"), None);
        write(&mut *store, |chunk| chunk.remove(A, &[b"k1"]));
        assert!(get(&mut *reader, A, b"k1").is_some());
        store.sync().unwrap();
        assert_eq!(get(&mut *reader, A, b"k1"), None);
        assert_eq!(store.stats().chunks_synced, 2);
    });
}

#[test]
fn changes_of_one_chunk_happen_in_their_order() {
    on_both("order", |opener| {
        let mut store = opener.open().unwrap();
        write(&mut *store, |chunk| {
            chunk.put(A, &[b"a"], b"1");
            chunk.remove(A, &[b"a"]);
            chunk.remove(A, &[b"b"]);
            chunk.put(A, &[b"b"], b"1");
            chunk.put(A, &[b"b"], b"2");
            chunk.put(B, &[b"a"], b"1");
            chunk.drop_table(B);
            chunk.put(B, &[b"b"], b"2");
        });
        store.sync().unwrap();
        let mut reader = store.reader();
        assert_eq!(read_all(&mut *reader, A), [(b"b".to_vec(), b"2".to_vec())]);
        assert_eq!(read_all(&mut *reader, B), [(b"b".to_vec(), b"2".to_vec())]);
    });
}

#[test]
fn a_scan_goes_by_bytes_within_its_prefix_from_where_it_is_told_until_it_is_told_to_stop() {
    on_both("scan", |opener| {
        let mut store = opener.open().unwrap();
        let all: [&[u8]; 9] = [b"", b"\0", b"\0\x01", b"a", b"a\0", b"a\0x", b"ab", b"b", b"\xff\xff"];
        write(&mut *store, |chunk| all.iter().rev().for_each(|key| chunk.put(A, &[key], b"v")));
        store.sync().unwrap();
        let mut reader = store.reader();
        assert_eq!(keys(&mut *reader, A, b"", None, 99), all);
        assert_eq!(keys(&mut *reader, A, b"a", None, 99), [&b"a"[..], b"a\0", b"a\0x", b"ab"]);
        assert_eq!(keys(&mut *reader, A, b"a\0", None, 99), [&b"a\0"[..], b"a\0x"]);
        assert_eq!(keys(&mut *reader, A, b"a", Some(b"a\0x"), 99), [&b"a\0x"[..], b"ab"]);
        assert_eq!(keys(&mut *reader, A, b"a", Some(b""), 1), [b"a"]);
        assert_eq!(keys(&mut *reader, A, b"", Some(b"\0\x01"), 2), [&b"\0\x01"[..], b"a"]);
        assert_eq!(keys(&mut *reader, A, b"a", Some(b"b"), 99), Vec::<Vec<u8>>::new());
        assert_eq!(keys(&mut *reader, A, b"\xff", None, 99), [b"\xff\xff"]);
    });
}

#[test]
fn a_dropped_table_is_gone_and_begins_anew() {
    on_both("drop", |opener| {
        let mut store = opener.open().unwrap();
        write(&mut *store, |chunk| chunk.put(A, &[b"old"], b"1"));
        store.sync().unwrap();
        let mut reader = store.reader();
        write(&mut *store, |chunk| chunk.drop_table(A));
        assert_eq!(store.tables().unwrap(), []);
        assert!(get(&mut *reader, A, b"old").is_some(), "not yet synced");
        write(&mut *store, |chunk| chunk.put(A, &[b"new"], b"2"));
        store.sync().unwrap();
        assert_eq!(get(&mut *reader, A, b"old"), None);
        assert_eq!(get(&mut *reader, A, b"new").as_deref(), Some(&b"2"[..]));
        drop(store);
        let store = opener.open().unwrap();
        assert_eq!(read_all(&mut *store.reader(), A), [(b"new".to_vec(), b"2".to_vec())]);
    });
}

#[test]
fn what_is_synced_is_there_when_it_is_opened_again_and_readers_of_before_are_closed() {
    on_both("again", |opener| {
        let mut store = opener.open().unwrap();
        assert!(matches!(opener.open(), Err(StoreError::Locked { .. })));
        write(&mut *store, |chunk| chunk.put(A, &[b"a"], b"1"));
        store.sync().unwrap();
        let mut reader = store.reader();
        drop(store);
        assert!(matches!(reader.get(A, b"a", &mut Vec::new()), Err(StoreError::Closed)));
        let store = opener.open().unwrap();
        assert_eq!(get(&mut *store.reader(), A, b"a").as_deref(), Some(&b"1"[..]));
        assert_eq!(store.tables().unwrap(), [A]);
    });
}

#[test]
fn random_chunks_come_to_what_a_map_says_across_openings() {
    on_both("random", |opener| {
        let mut random = Random(11);
        let mut model = Model::new();
        let mut chunk = Chunk::new();
        for _ in 0..4 {
            let mut store = opener.open().unwrap();
            compare(&mut *store.reader(), &model);
            for number in 0..200 {
                random.fill(&mut chunk);
                store.write(&chunk).unwrap();
                apply(&mut model, &chunk);
                if number % 20 == 19 {
                    store.sync().unwrap();
                    compare(&mut *store.reader(), &model);
                }
            }
            assert_eq!(store.tables().unwrap(), model.keys().copied().collect::<Vec<_>>());
        }
    });
}

fn compare(reader: &mut dyn Reader, model: &Model) {
    for number in 0..crate::support::TABLES {
        let table = Table::new(number);
        let expected = model.get(&table).cloned().unwrap_or_default();
        assert_eq!(read_all(reader, table), expected.into_iter().collect::<Vec<_>>(), "{table}");
    }
}
