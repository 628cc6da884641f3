//! A disk with given files, and reading all of a log on it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use sumun_log::disk::Disk;
use sumun_log::faulty::FaultyDisk;
use sumun_log::{
    Batch, Crew, FileLog, Frame, Log, LogId, Options, Place, Position, Progress, ReadError, Setup, segment_name,
};

pub(crate) const SHARD: u32 = 0;
pub(crate) const ID: LogId = LogId(*b"an identity here");
const SMALL: Options = Options { segment_bytes: 16 << 10, batch_bytes_max: 3000 };

/// Segments' bytes by number.
pub(crate) type Files = BTreeMap<u64, Vec<u8>>;
/// First sequence, count, payload.
pub(crate) type Frames = Vec<(u64, u32, Vec<u8>)>;

/// What reading from the beginning gave.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) at: Vec<Position>,
    pub(crate) frames: Frames,
    /// Why it ended before the end.
    pub(crate) refused: Option<String>,
    at_open: bool,
}

impl Found {
    pub(crate) fn refused(why: &impl Display) -> Found {
        Found { refused: Some(why.to_string()), at_open: true, ..Found::default() }
    }

    /// Refused before anything could be read.
    pub(crate) fn opened_not(&self) -> bool {
        self.at_open
    }
}

/// Runs work at once, on the thread that asks for it.
struct AtOnce;

impl Crew for AtOnce {
    fn start(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

pub(crate) fn data() -> PathBuf {
    PathBuf::from("/data")
}

fn dir() -> PathBuf {
    data().join("0/log")
}

pub(crate) fn disk(files: &Files) -> FaultyDisk {
    let disk = FaultyDisk::new(1);
    for (number, bytes) in files {
        disk.put(&dir().join(segment_name(*number)), bytes.clone());
    }
    disk
}

/// The segments on a disk.
pub(crate) fn files(disk: &FaultyDisk, segments: u64) -> Files {
    (1..=segments).map(|number| (number, disk.contents(&dir().join(segment_name(number))))).collect()
}

pub(crate) fn shared(disk: &FaultyDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub(crate) fn setup(disk: &FaultyDisk) -> Setup {
    Setup {
        disk: shared(disk),
        data: data(),
        shard: SHARD,
        fresh: ID,
        expected: None,
        crew: Arc::new(AtOnce),
        wake: Arc::new(|| {}),
        options: SMALL,
    }
}

pub(crate) fn append(log: &mut FileLog, count: u32, bytes: &[u8]) {
    log.make_room(bytes.len()).expect("the disk has no end");
    let batch = Batch { first: log.bounds().last + 1, count, epoch: log.epoch(), bytes: bytes.to_vec() };
    log.submit(batch, Place::Here);
    let progress = log.poll();
    assert!(matches!(progress, Progress::Durable { .. }), "nothing fails on this disk: {progress:?}");
}

pub(crate) fn read_all(
    begin: Position,
    mut read: impl FnMut(Position, &mut Vec<u8>) -> Result<Option<Frame>, ReadError>,
) -> Found {
    let mut found = Found::default();
    let mut bytes = Vec::new();
    let mut at = begin;
    loop {
        match read(at, &mut bytes) {
            Ok(None) => return found,
            Ok(Some(frame)) => {
                assert!(frame.next > at, "reading goes forward");
                // A position may stand at the end of a segment, and its frame at the beginning of the next; or behind a
                // closing frame, which has no payload.
                let length = 64 + bytes.len() as u64;
                found.at.push(Position { segment: frame.next.segment, offset: frame.next.offset - length });
                found.frames.push((frame.first, frame.count, bytes.clone()));
                at = frame.next;
            }
            Err(error) => {
                found.refused = Some(error.to_string());
                return found;
            }
        }
    }
}
