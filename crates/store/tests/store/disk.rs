//! What only the disk can show: kills, damage, limits, space.

use crate::support::{dir, opener, read_all, small};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use sumun_store::{Chunk, FjallStore, Opener, Options, Store, StoreError, Table};

const A: Table = Table::new(1);
const B: Table = Table::new(2);
const CHILD: &str = "SUMUN_STORE_TEST_DIR";

fn chunk(number: u64) -> Chunk {
    let mut chunk = Chunk::new();
    let value = [u8::try_from(number % 251).unwrap() | 1; 200];
    for table in [A, B] {
        (0..10_u8).for_each(|part| chunk.put(table, &[&number.to_be_bytes(), &[part]], &value));
    }
    chunk.put(generation(number), &[&number.to_be_bytes()], b"g");
    if number.is_multiple_of(10) && number >= 20 {
        chunk.drop_table(generation(number - 20));
    }
    chunk
}

/// Ten chunks write into a generation; the last two are kept.
fn generation(number: u64) -> Table {
    Table::new(100 + u32::try_from(number / 10).unwrap())
}

/// How many chunks it holds: each whole, and none without those before it.
fn held(store: &dyn Store) -> u64 {
    let [a, b] = [A, B].map(|table| read_all(&mut *store.reader(), table));
    assert!(a == b);
    let count = a.len() as u64 / 10;
    assert_eq!(a.len() % 10, 0);
    for number in 0..count {
        for part in 0..10_u8 {
            let at = usize::try_from(number).unwrap() * 10 + usize::from(part);
            assert_eq!(a[at].0, [&number.to_be_bytes()[..], &[part]].concat());
        }
    }
    let Some(last) = count.checked_sub(1) else {
        assert_eq!(store.tables().unwrap(), []);
        return 0;
    };
    let first = (last / 10).saturating_sub(1) * 10;
    let tables = [A, B].into_iter().chain((first..count).step_by(10).map(generation)).collect::<Vec<_>>();
    assert_eq!(store.tables().unwrap(), tables);
    for number in first..count {
        assert!(store.reader().get(generation(number), &number.to_be_bytes(), &mut Vec::new()).unwrap(), "{number}");
    }
    count
}

/// What a child does until it is killed or fails: goes on from what it finds, and says how much is synced.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut store = opener(Path::new(&dir), small()).open().unwrap();
    let mut out = std::io::stdout();
    for number in held(&*store).. {
        let done = store.write(&chunk(number)).and_then(|()| if number % 7 == 0 { store.sync() } else { Ok(()) });
        match done {
            Ok(()) if number % 7 == 0 => writeln!(out, "\nsynced {}", number + 1).unwrap(),
            Ok(()) => {}
            Err(error) => {
                writeln!(out, "\nerror {error:?}").unwrap();
                return;
            }
        }
    }
}

fn start(command: &mut Command, dir: &Path) -> Child {
    command.env(CHILD, dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

const CHILD_ARGUMENTS: [&str; 3] = ["disk::child", "--exact", "--nocapture"];

#[test]
fn killed_at_any_moment_it_holds_a_whole_beginning_with_all_that_was_synced() {
    let dir = dir("kill");
    for round in 1..=8 {
        let mut child = start(Command::new(std::env::current_exe().unwrap()).args(CHILD_ARGUMENTS), &dir);
        let mut synced = 0;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for count in
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("synced ")?.parse().ok()).take(round * 9)
        {
            synced = count;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = opener(&dir, small()).open().unwrap();
        let held = held(&*store);
        assert!(held >= synced, "{held} < {synced}");
        assert!(synced > 0);
    }
}

#[test]
fn a_write_that_the_system_refuses_is_a_failure_that_opening_again_mends() {
    let dir = dir("limit");
    // A journal that goes on is not laid out ahead; so it meets the limit as it grows.
    let mut store = opener(&dir, small()).open().unwrap();
    store.write(&chunk(0)).unwrap();
    drop(store);
    drop(opener(&dir, small()).open().unwrap());
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let child = start(shell.args(CHILD_ARGUMENTS), &dir);
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let error = output.lines().find(|line| line.starts_with("error ")).unwrap();
    assert!(error.contains("Failed"), "{error}");
    let synced = output.lines().filter_map(|line| line.strip_prefix("synced ")?.parse::<u64>().ok()).max().unwrap();
    let mut store = opener(&dir, small()).open().unwrap();
    let count = held(&*store);
    assert!(count >= synced);
    store.write(&chunk(count)).unwrap();
    store.sync().unwrap();
    assert_eq!(held(&*store), count + 1);
}

fn journal(dir: &Path) -> PathBuf {
    let entries = dir.join("db").read_dir().unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "jnl")).max().unwrap()
}

/// A store with chunks that are still in its journal, closed.
fn with_journal(name: &str, chunks: u64, synced: u64) -> PathBuf {
    let dir = dir(name);
    let options = Options { cache_bytes: 1 << 20, write_buffer_bytes: 32 << 20 };
    let mut store = opener(&dir, options).open().unwrap();
    for number in 0..chunks {
        store.write(&chunk(number)).unwrap();
        if number + 1 == synced {
            store.sync().unwrap();
        }
    }
    dir
}

fn flip(file: &Path, at: u64) {
    let file = std::fs::File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x55], at).unwrap();
}

#[test]
fn a_torn_last_chunk_is_cut_and_said() {
    let dir = with_journal("torn", 10, 5);
    drop(opener(&dir, small()).open().unwrap());
    let journal = journal(&dir);
    let file = std::fs::File::options().write(true).open(&journal).unwrap();
    file.set_len(file.metadata().unwrap().len() - 20).unwrap();
    let store = opener(&dir, small()).open().unwrap();
    assert_eq!(held(&*store), 9);
    assert!(store.stats().cut_bytes > 1_000);
    assert!(dir.join("torn").metadata().unwrap().len() >= store.stats().cut_bytes);
    assert_eq!(store.stats().chunks, 9);
}

#[test]
fn a_flipped_byte_in_the_journal_is_cut_where_it_was_not_synced_and_damage_where_it_was() {
    // A chunk is about 5 kB in the journal; 10 are synced, and the 11th and later say so.
    for (at, kept) in [(3_000, None), (30_000, None), (80_000, Some(12..18))] {
        let dir = with_journal(&format!("flip-{at}"), 20, 10);
        flip(&journal(&dir), at);
        match (opener(&dir, small()).open(), kept) {
            (Err(error @ StoreError::Damaged { .. }), None) => {
                assert!(!error.can_be_opened_again());
                let words = error.to_string();
                assert!(words.contains("rebuild the store from a snapshot and the log"), "{words}");
                assert!(words.contains(dir.to_str().unwrap()) && words.contains("offset"), "{words}");
            }
            (Ok(store), Some(kept)) => assert!(kept.contains(&held(&*store)), "{}", held(&*store)),
            (outcome, kept) => panic!("at {at}: {:?}, not {kept:?}", outcome.map(|store| store.stats())),
        }
    }
}

#[test]
fn a_flipped_byte_in_a_table_is_damage_when_it_is_read() {
    let dir = dir("table");
    let mut store = opener(&dir, small()).open().unwrap();
    (0..200).for_each(|number| store.write(&chunk(number)).unwrap());
    drop(store);
    for file in files(&dir).into_iter().filter(|file| file.metadata().unwrap().len() > 20_000) {
        if file.parent().unwrap().ends_with("tables") {
            flip(&file, 9_000);
        }
    }
    let read = opener(&dir, small())
        .open()
        .and_then(|store| store.reader().scan(A, b"", None, &mut |_, _| std::ops::ControlFlow::Continue(())));
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
}

#[test]
fn a_missing_journal_or_version_is_damage_and_an_unfinished_beginning_is_not() {
    let dir_ = with_journal("version", 3, 3);
    std::fs::remove_file(dir_.join("db/version")).unwrap();
    assert!(matches!(opener(&dir_, small()).open(), Err(StoreError::Damaged { .. })));
    let dir_ = with_journal("journal", 3, 3);
    std::fs::rename(journal(&dir_), dir_.join("db/7.jnl")).unwrap();
    std::fs::write(dir_.join("db/5.jnl"), b"").unwrap();
    assert!(matches!(opener(&dir_, small()).open(), Err(StoreError::Damaged { .. })));
    let dir_ = dir("begun");
    std::fs::create_dir_all(dir_.join("db/keyspaces")).unwrap();
    std::fs::write(dir_.join("db/0.jnl"), b"").unwrap();
    opener(&dir_, small()).open().unwrap();
}

#[test]
fn a_table_that_lacks_chunks_which_others_hold_is_damage() {
    let dir = dir("uneven");
    let write = |numbers: std::ops::Range<u64>| {
        let mut store = opener(&dir, small()).open().unwrap();
        numbers.for_each(|number| store.write(&chunk(number)).unwrap());
    };
    write(0..100);
    // The ledger lies in 1, `A` in 2, `B` in 3.
    let (b, kept) = (dir.join("db/keyspaces/3"), dir.join("kept"));
    let copy = |from: &Path, to: &Path| {
        assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
    };
    copy(&b, &kept);
    write(100..200);
    std::fs::remove_dir_all(&b).unwrap();
    copy(&kept, &b);
    std::fs::File::options().write(true).open(journal(&dir)).unwrap().set_len(0).unwrap();
    let Err(StoreError::Damaged { why, .. }) = opener(&dir, small()).open() else { panic!("it opened") };
    assert!(why.contains("ends with chunk"), "{why}");
}

/// A store with much in its journal that lies in sorted files, closed; and the length of that journal.
fn with_flushed_front(name: &str) -> (PathBuf, u64) {
    let dir = dir(name);
    let mut store = opener(&dir, small()).open().unwrap();
    let (_open, never) = mpsc::channel::<()>();
    for number in 0..100 {
        store.write(&chunk(number)).unwrap();
        // Flushes end meanwhile.
        let _ = never.recv_timeout(Duration::from_millis(3));
    }
    store.sync().unwrap();
    let length = store.stats().journal_bytes;
    (dir, length)
}

#[test]
fn what_lies_in_sorted_files_is_cut_off_the_journal() {
    let (dir, length) = with_flushed_front("front");
    let old = journal(&dir).metadata().unwrap().ino();
    let mut store = opener(&dir, small()).open().unwrap();
    assert!(store.stats().journal_bytes < length / 2, "{} of {length}", store.stats().journal_bytes);
    assert_ne!(journal(&dir).metadata().unwrap().ino(), old);
    assert!(!dir.join("journal.new").exists());
    assert_eq!(held(&*store), 100);
    (100..120).for_each(|number| store.write(&chunk(number)).unwrap());
    drop(store);
    assert_eq!(held(&*opener(&dir, small()).open().unwrap()), 120);
}

#[test]
fn a_journal_that_cannot_be_cut_serves_as_it_is() {
    let (dir, length) = with_flushed_front("front-kept");
    std::fs::create_dir(dir.join("journal.new")).unwrap();
    let store = opener(&dir, small()).open().unwrap();
    assert_eq!((store.stats().journal_bytes, held(&*store)), (length, 100));
}

#[test]
fn tables_begun_for_chunks_that_were_never_whole_take_nothing_from_those_that_follow() {
    let dir = dir("never-whole");
    let mut store = opener(&dir, small()).open().unwrap();
    (0..12).for_each(|number| store.write(&chunk(number * 10)).unwrap());
    drop(store);
    // Killed before the first chunk was whole, and once more when what it had begun was removed.
    std::fs::File::options().write(true).open(journal(&dir)).unwrap().set_len(0).unwrap();
    drop(opener(&dir, small()).open().unwrap());
    for begin in [0, 2, 4] {
        let mut store = opener(&dir, small()).open().unwrap();
        assert_eq!(held(&*store), begin);
        (begin..begin + 2).for_each(|number| store.write(&chunk(number)).unwrap());
    }
}

#[test]
fn a_journal_that_is_sealed_must_be_valid_to_its_end() {
    for at in [None, Some(80_000)] {
        let dir = with_journal(&format!("sealed-{}", at.is_some()), 20, 10);
        at.into_iter().for_each(|at| flip(&journal(&dir), at));
        std::fs::write(dir.join("db/1.jnl"), b"").unwrap();
        match (opener(&dir, small()).open(), at) {
            (Ok(store), None) => assert_eq!(held(&*store), 20),
            (Err(StoreError::Damaged { why, .. }), Some(_)) => assert!(why.contains("journal 0"), "{why}"),
            (outcome, _) => panic!("{:?}", outcome.map(|store| store.stats())),
        }
    }
}

/// Files that are open and have no name any more.
fn open_and_gone(dir: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.ok()?.path().read_link().ok());
    open.filter(|path| path.starts_with(dir) && path.to_string_lossy().ends_with("(deleted)")).count()
}

#[test]
fn a_dropped_table_gives_its_space_back() {
    let dir = dir("space");
    let options = Options { cache_bytes: 1 << 20, write_buffer_bytes: 1 << 20 };
    let mut store = FjallStore::open(&dir, options).unwrap();
    let mut chunk = Chunk::new();
    let fill = |store: &mut FjallStore, chunk: &mut Chunk, table: Table, chunks: u64| {
        for number in 0..chunks {
            chunk.clear();
            (0..100_u8).for_each(|part| chunk.put(table, &[&number.to_be_bytes(), &[part]], &[part | 1; 1_000]));
            store.write(chunk).unwrap();
        }
        store.sync().unwrap();
    };
    fill(&mut store, &mut chunk, A, 200);
    assert_eq!(read_all(&mut *store.reader(), A).len(), 20_000);
    let full = table_bytes(&dir);
    assert!(full > 15_000_000, "{full}");
    chunk.clear();
    chunk.drop_table(A);
    store.write(&chunk).unwrap();
    store.sync().unwrap();
    fill(&mut store, &mut chunk, B, 20);
    // A merge that was on its way keeps the table until it ends.
    let (_open, never) = mpsc::channel::<()>();
    for _ in 0..500 {
        if table_bytes(&dir) < 5_000_000 && open_and_gone(&dir) <= 2 {
            break;
        }
        let _ = never.recv_timeout(Duration::from_millis(20));
    }
    let left = table_bytes(&dir);
    assert!(left < 5_000_000, "{left} of {full} bytes");
    let gone = open_and_gone(&dir);
    assert!(gone <= 2, "{gone} files of a dropped table are still open");
    drop(store);
    let store = FjallStore::open(&dir, options).unwrap();
    assert_eq!(store.tables().unwrap(), [B]);
    assert_eq!(read_all(&mut *store.reader(), B).len(), 2_000);
}

#[test]
fn the_journal_stays_within_its_bounds_while_one_table_rests() {
    let dir = dir("journal-bound");
    let options = Options { cache_bytes: 1 << 20, write_buffer_bytes: 8 << 20 };
    let mut store = opener(&dir, options).open().unwrap();
    let mut chunk = Chunk::new();
    chunk.put(B, &[b"rests"], b"1");
    store.write(&chunk).unwrap();
    let mut most = 0;
    for number in 0..170_u64 {
        chunk.clear();
        chunk.put(A, &[&(number % 7).to_be_bytes()], &vec![7; 1 << 20]);
        store.write(&chunk).unwrap();
        let names = dir.join("db").read_dir().unwrap().map(|entry| entry.unwrap().path());
        let journals = names.filter(|path| path.extension().is_some_and(|extension| extension == "jnl"));
        most = most.max(journals.map(|path| path.metadata().unwrap().blocks() * 512).sum());
    }
    assert!((50_000_000..70_000_000).contains(&most), "{most}");
    drop(store);
    assert!(opener(&dir, options).open().unwrap().reader().get(B, b"rests", &mut Vec::new()).unwrap());
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn table_bytes(dir: &Path) -> u64 {
    files(&dir.join("db/keyspaces")).iter().filter_map(|file| Some(file.metadata().ok()?.blocks() * 512)).sum()
}

/// The names of a removed table come back one by one when the power goes.
#[test]
fn a_removed_table_of_which_a_name_came_back_is_forgotten_and_one_that_should_be_there_is_damage() {
    let dir = dir("removed");
    let mut store = opener(&dir, small()).open().unwrap();
    (0..10).for_each(|number| store.write(&chunk(number)).unwrap());
    store.sync().unwrap();
    drop(store);
    let folder = |number: u32| dir.join(format!("db/keyspaces/{number}"));
    std::fs::create_dir(folder(40)).unwrap();
    std::fs::copy(folder(2).join("current"), folder(40).join("current")).unwrap();
    assert_eq!(held(&*opener(&dir, small()).open().unwrap()), 10);
    for file in std::fs::read_dir(folder(2)).unwrap().map(|entry| entry.unwrap().path()) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('v')) {
            std::fs::remove_file(file).unwrap();
        }
    }
    assert!(matches!(opener(&dir, small()).open(), Err(StoreError::Damaged { .. })));
}
