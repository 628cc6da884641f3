//! The real disk and real threads: commits beside the caller, laying out ahead, locks.

use crate::common::*;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use sumun_log::disk::Disk;
use sumun_log::faulty::FaultyDisk;
use sumun_log::{
    Batch, FileLog, Follower, Log, OpenError, Options, Place, Position, Progress, ReadError, Reader, ReaderEnd,
    RealDisk, Setup, segment_name,
};

fn fresh_dir(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    dir
}

fn threaded(disk: Arc<dyn Disk>, data: PathBuf) -> (Setup, Receiver<()>) {
    let (wake, woken) = channel();
    let wake = Arc::new(move || {
        // A log that was dropped while a batch was on its way wakes nobody.
        let _ = wake.send(());
    });
    let setup = Setup { wake, ..setup_on(disk, &data, Arc::new(Threads)) };
    (setup, woken)
}

fn batch(log: &FileLog, bytes: &[u8]) -> Batch {
    Batch { first: log.bounds().last + 1, count: 1, epoch: log.epoch(), bytes: bytes.to_vec() }
}

#[test]
fn commits_beside_the_caller_arrive_with_a_wake_and_survive_a_reopen() {
    let data = fresh_dir("beside");
    let options = Options { segment_bytes: 256 << 10, batch_bytes_max: 64 << 10 };
    let (setup, woken) = threaded(Arc::new(RealDisk), data.clone());
    let (mut log, _) = FileLog::open(Setup { options, ..setup }).unwrap();
    let mut expected = Vec::new();
    for n in 0..300 {
        let bytes = format!("{n} {}", "r".repeat(n * 41)).into_bytes();
        log.make_room(bytes.len()).unwrap();
        let place = if n % 3 == 0 { Place::Here } else { Place::Beside };
        log.submit(batch(&log, &bytes), place);
        if place == Place::Beside {
            log.make_room(bytes.len()).expect("room for the next while this one is on its way");
            log.tend();
            woken.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        match log.poll() {
            Progress::Durable { last, bytes: back, .. } => assert!(last == n as u64 + 1 && back == bytes),
            other => panic!("{other:?}"),
        }
        assert!(matches!(log.poll(), Progress::Idle));
        expected.push((n as u64 + 1, 1, bytes));
        log.tend();
        if n == 200 {
            let position = log.find(50).unwrap();
            log.trim(position);
        }
    }
    log.close().unwrap();
    drop(log);
    let (setup, _woken) = threaded(Arc::new(RealDisk), data);
    let (mut log, report) = FileLog::open(Setup { options, ..setup }).unwrap();
    assert!(report.clean && report.segments > 3, "{report:?}");
    let first = log.bounds().first;
    assert!(first <= 50);
    assert_eq!(read_all(&mut log).unwrap(), expected[first as usize - 1..]);
}

#[test]
fn nothing_is_durable_while_its_sync_is_held() {
    let disk = FaultyDisk::new(1);
    let (setup, woken) = threaded(Arc::new(disk.clone()), data());
    let (mut log, _) = FileLog::open(setup).unwrap();
    disk.hold_syncs();
    log.make_room(4).unwrap();
    log.submit(batch(&log, b"held"), Place::Beside);
    assert!(woken.recv_timeout(Duration::from_millis(50)).is_err());
    assert!(matches!(log.poll(), Progress::Pending));
    assert!(read_all(&mut log).unwrap().is_empty(), "what is not durable is not read");
    disk.release_syncs();
    woken.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(matches!(log.poll(), Progress::Durable { last: 1, .. }));
    assert_eq!(texts(&mut log), ["held"]);
}

#[test]
fn a_close_or_a_drop_waits_for_what_is_on_its_way() {
    let disk = FaultyDisk::new(1);
    for n in 0..20 {
        let (setup, _woken) = threaded(Arc::new(disk.clone()), data());
        let (mut log, report) = FileLog::open(setup).expect("the lock was given back");
        assert_eq!(log.bounds().last, n);
        assert!(report.clean || n % 2 == 0);
        log.make_room(1).unwrap();
        log.submit(batch(&log, b"x"), Place::Beside);
        if n % 2 == 0 {
            log.close().unwrap();
            assert!(matches!(log.poll(), Progress::Durable { .. }), "it is still reported");
        }
    }
}

#[test]
fn a_failure_beside_the_caller_is_reported_with_a_wake() {
    let disk = FaultyDisk::new(1);
    let (setup, woken) = threaded(Arc::new(disk.clone()), data());
    let (mut log, _) = FileLog::open(setup).unwrap();
    log.make_room(4).unwrap();
    disk.fail_always(sumun_log::faulty::Call::Sync, libc::EIO);
    log.submit(batch(&log, b"lost"), Place::Beside);
    woken.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(matches!(log.poll(), Progress::Failed(_)));
}

#[test]
fn the_real_disk_locks_hides_and_refuses_as_it_should() {
    use std::os::unix::fs::PermissionsExt;
    let data = fresh_dir("real");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    assert!(Reader::open(&disk, &data, 0, ReaderEnd::Known).unwrap().is_none());
    let (first, _woken) = threaded(disk.clone(), data.clone());
    let (mut log, _) = FileLog::open(first).unwrap();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(data.clone()), mode(data.join("0/log")), mode(data.join("lock"))), (0o700, 0o700, 0o600));
    let (second, _woken) = threaded(disk.clone(), data.clone());
    assert!(matches!(FileLog::open(second), Err(OpenError::Locked { .. })));
    append(&mut log, b"one");
    append(&mut log, b"two");
    let mut reader = Reader::open(&disk, &data, 0, ReaderEnd::Known).unwrap().unwrap();
    assert!(reader.is_running() && texts(&mut reader) == ["one"]);
    drop(log);
    let mut reader = Reader::open(&disk, &data, 0, ReaderEnd::Known).unwrap().unwrap();
    assert!(!reader.is_running() && texts(&mut reader) == ["one", "two"]);
    let path = data.join("0/log/000000000001.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 + 64] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (damaged, _woken) = threaded(disk, data);
    let error = FileLog::open(damaged).unwrap_err();
    assert!(matches!(error, OpenError::Read(ReadError::Damaged { offset: 4096, .. })), "{error}");
}

#[test]
fn a_reader_beside_a_busy_writer_sees_a_prefix_and_never_damage() {
    let data = fresh_dir("busy");
    let options = Options { segment_bytes: 128 << 10, batch_bytes_max: 8 << 10 };
    let (setup, _woken) = threaded(Arc::new(RealDisk), data.clone());
    let (mut log, _) = FileLog::open(Setup { options, ..setup }).unwrap();
    let writer = std::thread::spawn(move || {
        for n in 0_usize..2000 {
            append(&mut log, format!("{n} {}", "w".repeat(n % 700)).as_bytes());
            log.tend();
        }
    });
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (mut seen, mut rounds) = (0, 0);
    while !writer.is_finished() {
        let Some(mut reader) = Reader::open(&disk, &data, 0, ReaderEnd::Known).unwrap() else { continue };
        let found = texts(&mut reader);
        assert!(found.len() >= seen, "what was known durable stays");
        assert!(found.iter().enumerate().all(|(n, text)| text.starts_with(&format!("{n} "))));
        (seen, rounds) = (found.len(), rounds + 1);
    }
    writer.join().unwrap();
    assert!(rounds > 3, "{rounds}");
    let mut reader = Reader::open(&disk, &data, 0, ReaderEnd::Known).unwrap().unwrap();
    assert_eq!(texts(&mut reader).len(), 2000);
}

#[test]
fn followers_beside_a_busy_writer_see_each_frame_once_on_a_real_disk() {
    let data = fresh_dir("followed");
    let options = Options { segment_bytes: 128 << 10, batch_bytes_max: 8 << 10 };
    let (setup, _woken) = threaded(Arc::new(RealDisk), data.clone());
    let (mut log, _) = FileLog::open(Setup { options, ..setup }).unwrap();
    let told = Arc::new(Mutex::new(log.bounds()));
    let writer = {
        let told = Arc::clone(&told);
        std::thread::spawn(move || {
            for n in 0_usize..3000 {
                append(&mut log, format!("{n} {}", "w".repeat(n % 700)).as_bytes());
                *told.lock().unwrap() = log.bounds();
                log.tend();
            }
        })
    };
    let follow = || {
        let (told, data) = (Arc::clone(&told), data.clone());
        std::thread::spawn(move || {
            let mut follower = Follower::new(Arc::new(RealDisk), &data, 0, ID);
            let (mut at, mut bytes, mut seen) = (Position::default(), Vec::new(), 0_u64);
            while seen < 3000 {
                let bounds = *told.lock().unwrap();
                follower.follow(&bounds).unwrap();
                while let Some(frame) = follower.read(at, &mut bytes).unwrap() {
                    seen += 1;
                    assert_eq!(frame.first, seen);
                    assert!(bytes.starts_with(format!("{} ", seen - 1).as_bytes()));
                    at = frame.next;
                }
                assert_eq!(seen, bounds.last);
                std::thread::yield_now();
            }
        })
    };
    let followers = [follow(), follow()];
    writer.join().unwrap();
    for follower in followers {
        follower.join().unwrap();
    }
}

#[test]
fn appending_to_space_that_left_the_page_cache_reads_nothing() {
    let data = fresh_dir("uncached");
    let options = Options { segment_bytes: 1 << 20, batch_bytes_max: 64 << 10 };
    let (setup, _woken) = threaded(Arc::new(RealDisk), data.clone());
    let (mut log, _) = FileLog::open(Setup { options, ..setup }).unwrap();
    let segment = std::fs::File::open(data.join("0/log").join(segment_name(1))).unwrap();
    // SAFETY: the descriptor is open; the call takes no pointers.
    let dropped = unsafe { libc::posix_fadvise(segment.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    assert_eq!(dropped, 0);
    let read_before = read_by_this_thread();
    for _ in 0..200 {
        log.submit(batch(&log, &[7; 900]), Place::Here);
        assert!(matches!(log.poll(), Progress::Durable { .. }));
    }
    assert_eq!(read_by_this_thread() - read_before, 0);
}

/// Bytes that had to come from the device.
fn read_by_this_thread() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("read_bytes: ")).unwrap().parse().unwrap()
}
