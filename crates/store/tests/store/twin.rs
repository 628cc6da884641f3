//! What the twin loses, keeps and refuses.

use std::collections::BTreeSet;
use sumun_store::{Call, Chunk, Opener, StoreError, Table, Twin};

const A: Table = Table::new(1);
const B: Table = Table::new(2);

fn chunk(number: u8) -> Chunk {
    let mut chunk = Chunk::new();
    chunk.put(A, &[&[number]], b"a");
    chunk.put(B, &[&[number]], b"b");
    chunk
}

/// How many chunks it holds: each in both tables or in none, and none without those before it.
fn held(twin: &Twin) -> usize {
    let records = twin.records();
    let of = |table| records.get(&table).map(|records| records.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let count = of(A).len();
    assert_eq!(of(A), of(B));
    assert_eq!(of(A), (0..u8::try_from(count).unwrap()).map(|number| vec![number]).collect::<Vec<_>>());
    count
}

#[test]
fn a_crash_keeps_what_was_synced_and_some_whole_chunks_after_it_in_order() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let twin = Twin::new(seed);
        let mut store = twin.open().unwrap();
        (0..3).for_each(|number| store.write(&chunk(number)).unwrap());
        store.sync().unwrap();
        (3..7).for_each(|number| store.write(&chunk(number)).unwrap());
        twin.crash();
        assert!(matches!(store.sync(), Err(StoreError::Closed)));
        assert!(matches!(store.reader().get(A, &[0], &mut Vec::new()), Err(StoreError::Closed)));
        let _again = twin.open().unwrap();
        drop(store);
        assert!(
            matches!(twin.open(), Err(StoreError::Locked { .. })),
            "the old store's end does not free the new one's lock"
        );
        seen.insert(held(&twin));
    }
    assert_eq!(seen, (3..=7).collect());
}

#[test]
fn a_seed_tells_everything() {
    let run = |seed| {
        let twin = Twin::new(seed);
        for _ in 0..20 {
            let mut store = twin.open().unwrap();
            let number = u8::try_from(held(&twin)).unwrap();
            (number..number + 5).for_each(|number| store.write(&chunk(number)).unwrap());
            twin.crash();
        }
        twin.records()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn a_store_that_failed_refuses_all_until_it_is_opened_again() {
    for call in [Call::Write, Call::Sync] {
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let twin = Twin::new(seed);
            let mut store = twin.open().unwrap();
            store.write(&chunk(0)).unwrap();
            store.sync().unwrap();
            twin.fail_next(call);
            let failed = store.write(&chunk(1)).and_then(|()| store.sync());
            assert!(failed.unwrap_err().can_be_opened_again());
            assert!(matches!(store.write(&chunk(2)), Err(StoreError::Failed { .. })));
            assert!(matches!(store.sync(), Err(StoreError::Failed { .. })));
            assert!(store.reader().get(A, &[0], &mut Vec::new()).unwrap(), "what is synced is still read");
            drop(store);
            let mut store = twin.open().unwrap();
            let count = held(&twin);
            seen.insert(count);
            store.write(&chunk(u8::try_from(count).unwrap())).unwrap();
            store.sync().unwrap();
            assert_eq!(held(&twin), count + 1);
        }
        assert_eq!(seen, BTreeSet::from([1, 2]), "what failed may have come to pass, or not ({call:?})");
    }
}

#[test]
fn a_full_and_a_stuck_twin_say_so_until_they_are_not() {
    let twin = Twin::new(1);
    let mut store = twin.open().unwrap();
    twin.set_full(true);
    assert!(matches!(store.write(&chunk(0)), Err(StoreError::Full { .. })));
    drop(store);
    let mut store = twin.open().unwrap();
    twin.set_full(false);
    store.write(&chunk(0)).unwrap();
    twin.set_stuck(true);
    assert!(matches!(store.sync(), Err(StoreError::Stuck { .. })));
    twin.set_stuck(false);
    assert!(matches!(store.sync(), Err(StoreError::Stuck { .. })), "it is dropped first");
    drop(store);
    twin.fail_next(Call::Open);
    assert!(matches!(twin.open(), Err(StoreError::Failed { .. })));
    let store = twin.open().unwrap();
    twin.fail_next(Call::Read);
    let mut reader = store.reader();
    assert!(reader.get(A, &[0], &mut Vec::new()).is_err());
    assert!(reader.get(A, &[0], &mut Vec::new()).is_ok(), "a read that failed spoils nothing");
}
