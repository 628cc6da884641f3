//! What the tests of the log share: crews, a set-up over the faulty disk, appending and reading everything.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use sumun_log::disk::Disk;
use sumun_log::faulty::FaultyDisk;
use sumun_log::{
    Batch, Crew, FileLog, Log, LogId, OpenError, Options, Place, Position, Progress, ReadError, Report, Setup,
    segment_name,
};

pub(crate) const ID: LogId = LogId(*b"an identity here");
pub(crate) const SMALL: Options = Options { segment_bytes: 16 << 10, batch_bytes_max: 3000 };

/// Runs work at once, on the thread that asks for it.
pub(crate) struct AtOnce;

impl Crew for AtOnce {
    fn start(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// Keeps work until it is told to run it.
#[derive(Default)]
pub(crate) struct Later(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

impl Crew for Later {
    fn start(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        self.0.lock().unwrap().push(work);
    }
}

impl Later {
    pub(crate) fn run(&self) {
        for work in std::mem::take(&mut *self.0.lock().unwrap()) {
            work();
        }
    }
}

/// Real threads.
pub(crate) struct Threads;

impl Crew for Threads {
    fn start(&self, name: &'static str, work: Box<dyn FnOnce() + Send>) {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).unwrap();
    }
}

pub(crate) fn data() -> PathBuf {
    PathBuf::from("/data")
}

pub(crate) fn dir() -> PathBuf {
    data().join("0/log")
}

pub(crate) fn segment(number: u64) -> PathBuf {
    dir().join(segment_name(number))
}

pub(crate) fn setup(disk: &FaultyDisk) -> Setup {
    setup_on(Arc::new(disk.clone()), &data(), Arc::new(AtOnce))
}

pub(crate) fn setup_on(disk: Arc<dyn Disk>, data: &Path, crew: Arc<dyn Crew>) -> Setup {
    Setup {
        disk,
        data: data.to_owned(),
        shard: 0,
        fresh: ID,
        expected: None,
        crew,
        wake: Arc::new(|| {}),
        options: SMALL,
    }
}

pub(crate) fn open(disk: &FaultyDisk) -> (FileLog, Report) {
    FileLog::open(setup(disk)).unwrap()
}

pub(crate) fn refused(disk: &FaultyDisk) -> OpenError {
    FileLog::open(setup(disk)).unwrap_err()
}

pub(crate) fn submit(log: &mut FileLog, count: u32, bytes: &[u8]) -> Progress {
    let batch = Batch { first: log.bounds().last + 1, count, epoch: log.epoch(), bytes: bytes.to_vec() };
    log.submit(batch, Place::Here);
    log.poll()
}

/// Appends a batch of one event, which must become durable; says where.
pub(crate) fn append(log: &mut FileLog, bytes: &[u8]) -> Position {
    log.make_room(bytes.len()).unwrap();
    match submit(log, 1, bytes) {
        Progress::Durable { position, bytes: back, .. } => {
            assert_eq!(back, bytes, "the buffer comes back");
            position
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) type Frames = Vec<(u64, u32, Vec<u8>)>;

pub(crate) fn read_all(log: &mut impl ReadFrames) -> Result<Frames, ReadError> {
    let mut frames = Vec::new();
    let mut bytes = Vec::new();
    let mut at = log.begin();
    while let Some(frame) = log.frame(at, &mut bytes)? {
        frames.push((frame.first, frame.count, bytes.clone()));
        assert!(frame.next > at, "reading goes forward");
        at = frame.next;
    }
    Ok(frames)
}

pub(crate) fn texts(log: &mut impl ReadFrames) -> Vec<String> {
    read_all(log).unwrap().into_iter().map(|(_, _, bytes)| String::from_utf8(bytes).unwrap()).collect()
}

pub(crate) trait ReadFrames {
    fn begin(&self) -> Position;
    fn frame(&mut self, at: Position, bytes: &mut Vec<u8>) -> Result<Option<sumun_log::Frame>, ReadError>;
}

impl ReadFrames for FileLog {
    fn begin(&self) -> Position {
        self.bounds().first_position
    }
    fn frame(&mut self, at: Position, bytes: &mut Vec<u8>) -> Result<Option<sumun_log::Frame>, ReadError> {
        self.read(at, bytes)
    }
}

impl ReadFrames for sumun_log::Reader {
    fn begin(&self) -> Position {
        self.bounds().first_position
    }
    fn frame(&mut self, at: Position, bytes: &mut Vec<u8>) -> Result<Option<sumun_log::Frame>, ReadError> {
        self.read(at, bytes)
    }
}

/// Three segments, none with space behind its end; the last one is closed or not.
pub(crate) fn three_segments(close: bool) -> FaultyDisk {
    let disk = FaultyDisk::new(9);
    for session in 0..3 {
        let (mut log, _) = open(&disk);
        for n in 0..3 {
            append(&mut log, format!("session {session} batch {n}").as_bytes());
        }
        log.tend();
        if close || session < 2 {
            log.close().unwrap();
        }
    }
    disk
}
