//! The file log: one directory, one writer, segments of frames.
//! LOG-1, LOG-2: what `poll` calls durable survives a power cut, once, in order. Nothing else is ever read.
//! Never here: clocks, randomness, threads of its own (the crew lends them), locks held while anything is written.

use crate::caps;
use crate::chain::Chain;
use crate::disk::{Disk, is_full};
use crate::frame::FRAME_HEADER_BYTES;
use crate::layout::{Chore, Fill, Laid, do_chores, lay_out};
use crate::recover::{self, Found, OpenError, Others, Report, io_error};
use crate::segment::SPARE_PREFIX;
use crate::writer::{SEGMENT_OVERHEAD_BYTES, Start, Writer, Written};
use crate::{Batch, Bounds, Crew, Frame, Log, LogId, NoRoom, Place, Position, Progress, ReadError};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size of a segment laid out ahead of time.
    pub segment_bytes: u64,
    pub batch_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: caps::SEGMENT_BYTES_DEFAULT, batch_bytes_max: caps::BATCH_BYTES_MAX_DEFAULT }
    }
}

/// What it takes to open a log.
pub struct Setup {
    pub disk: Arc<dyn Disk>,
    pub data: PathBuf,
    pub shard: u32,
    /// The identity of the log if there is none yet: random.
    pub fresh: LogId,
    /// Refuse a log with any other identity.
    pub expected: Option<LogId>,
    pub crew: Arc<dyn Crew>,
    /// Called, on another thread, when a batch that was submitted beside has arrived.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    pub options: Options,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { disk: _, data, shard, fresh, expected, crew: _, wake: _, options } = self;
        let mut setup = f.debug_struct("Setup");
        setup.field("data", data).field("shard", shard).field("fresh", fresh).field("expected", expected);
        setup.field("options", options).finish_non_exhaustive()
    }
}

struct Job {
    writer: Box<Writer>,
    batch: Batch,
}

struct Done {
    writer: Box<Writer>,
    batch: Batch,
    written: Result<Written, String>,
}

/// The log's own thread, once it was needed.
struct Helper {
    jobs: SyncSender<Job>,
    done: Receiver<Done>,
}

enum State {
    Idle,
    /// The writer is with the log's thread. `room` is what will be left of the segment in use.
    Beside {
        room: u64,
        spare: u64,
    },
    Arrived(Progress),
}

pub struct FileLog {
    setup: Setup,
    dir: PathBuf,
    id: LogId,
    epoch: u64,
    chain: Chain,
    writer: Option<Box<Writer>>,
    state: State,
    helper: Option<Helper>,
    /// Space laid out while the writer was away.
    spares: Vec<Laid>,
    laying_out: Option<Receiver<io::Result<Laid>>>,
    /// No space ahead of time until the next segment begins: whoever needs some lays it out.
    layout_failed: bool,
    laid_out: u64,
    chores: Vec<Chore>,
    /// A job of the crew on so many of them, which will say how many are done.
    doing: Option<(usize, Receiver<usize>)>,
    chores_failed: bool,
    failed: Option<String>,
    closed: bool,
    cancelled: Arc<AtomicBool>,
}

impl FileLog {
    pub fn open(setup: Setup) -> Result<(FileLog, Report), OpenError> {
        let max = setup.options.batch_bytes_max;
        assert!((1..=caps::FRAME_BYTES_MAX).contains(&max), "a batch has a size, and a cap");
        let disk = Arc::clone(&setup.disk);
        let lock_path = setup.data.join("lock");
        make_data_dir(&*disk, &setup.data)?;
        let lock = disk.lock(&lock_path).map_err(io_error("lock", &lock_path))?;
        let lock = lock.ok_or(OpenError::Locked { path: lock_path })?;
        let dir = make_log_dir(&*disk, &setup.data, setup.shard)?;
        let mut found = recover::look(&*disk, &dir, setup.shard, Others::None)?;
        let id = found.id().unwrap_or(setup.expected.unwrap_or(setup.fresh));
        if let Some(expected) = setup.expected.filter(|expected| *expected != id) {
            return Err(OpenError::OtherLog { dir, found: id, expected });
        }
        if let Some(torn) = &mut found.torn {
            recover::keep_torn(&*disk, &dir, torn)?;
        }
        for name in &found.spares {
            let path = dir.join(name);
            disk.remove(&path).map_err(io_error("remove", &path))?;
        }
        let Found { segments, abandoned, highest, epoch, closed, torn, .. } = found;
        let epoch = epoch + 1;
        let (new, count) = (segments.is_empty(), segments.len());
        let chain = Chain::new(Arc::clone(&disk), dir.clone(), segments);
        let at_once_bytes = setup.options.segment_bytes.min(caps::SEGMENT_BYTES_AT_ONCE);
        let end = chain.end();
        let shard = setup.shard;
        let writer = Writer::new(Start { disk, dir: dir.clone(), id, shard, epoch, lock, end, highest, at_once_bytes });
        let report = Report { new, clean: closed || new, torn, segments: count, bounds: chain.bounds() };
        let mut log = FileLog::new(setup, dir, id, epoch, chain, writer);
        log.chores.extend(abandoned.into_iter().map(Chore::Remove));
        log.begin()?;
        Ok((log, report))
    }

    fn new(setup: Setup, dir: PathBuf, id: LogId, epoch: u64, chain: Chain, writer: Writer) -> FileLog {
        FileLog {
            setup,
            dir,
            id,
            epoch,
            chain,
            writer: Some(Box::new(writer)),
            state: State::Idle,
            helper: None,
            spares: Vec::new(),
            laying_out: None,
            layout_failed: false,
            laid_out: 0,
            chores: Vec::new(),
            doing: None,
            chores_failed: false,
            failed: None,
            closed: false,
            cancelled: Arc::new(AtomicBool::new(false)),
        }
    }

    /// The segment of this open. A full disk leaves the log to be read: `make_room` says so until there is space.
    fn begin(&mut self) -> Result<(), OpenError> {
        let needed = self.needed(self.setup.options.batch_bytes_max);
        let capacity =
            (needed + SEGMENT_OVERHEAD_BYTES).max(self.setup.options.segment_bytes.min(caps::SEGMENT_BYTES_AT_ONCE));
        let begun = self.lay_out_here(capacity, Fill::Zeros).and_then(|laid| {
            let writer = self.writer.as_mut().expect("nothing was submitted");
            writer.spares.push(laid);
            writer.begin(needed)
        });
        match begun {
            Ok(()) => self.note_begun(),
            Err(error) if is_full(&error) => {}
            Err(error) => return Err(OpenError::Io { what: "begin a segment in", path: self.dir.clone(), error }),
        }
        Ok(())
    }

    fn note_begun(&mut self) {
        let writer = self.writer.as_mut().expect("the writer is here");
        for header in writer.begun.drain(..) {
            if header.before.segment != 0 {
                self.chores.push(Chore::Shorten { segment: header.before.segment, end: header.before.offset });
            }
            self.chain.push(header);
            self.layout_failed = false;
            self.chores_failed = false;
        }
    }

    fn lay_out_here(&mut self, capacity: u64, fill: Fill) -> io::Result<Laid> {
        let path = self.spare_path();
        lay_out(&*self.setup.disk, &path, capacity, fill, &self.cancelled)
    }

    fn spare_path(&mut self) -> PathBuf {
        self.laid_out += 1;
        self.dir.join(format!("{SPARE_PREFIX}{}-{}", self.epoch, self.laid_out))
    }

    /// Bytes of frames that batches of `bytes` in all become.
    fn needed(&self, bytes: usize) -> u64 {
        let frames = 1 + bytes / self.setup.options.batch_bytes_max;
        (bytes + frames * FRAME_HEADER_BYTES) as u64
    }

    fn has_room(&self, needed: u64) -> bool {
        let fits = |capacity: u64| capacity >= needed + SEGMENT_OVERHEAD_BYTES;
        let here = match (&self.writer, &self.state) {
            (Some(writer), _) => writer.room_left() >= needed || writer.spares.iter().any(|laid| fits(laid.capacity)),
            (None, State::Beside { room, spare }) => *room >= needed || fits(*spare),
            (None, State::Idle | State::Arrived(_)) => false,
        };
        here || self.spares.iter().any(|laid| fits(laid.capacity))
    }

    /// Takes what the crew has laid out.
    fn collect(&mut self) {
        let Some(laying_out) = &self.laying_out else { return };
        match laying_out.try_recv() {
            Ok(Ok(laid)) => self.spares.push(laid),
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => self.layout_failed = true,
            Err(TryRecvError::Empty) => return,
        }
        self.laying_out = None;
    }

    /// Spares that are too small for what comes next give their space back.
    fn drop_small_spares(&mut self, needed: u64) {
        let disk = &self.setup.disk;
        let mut keep = |laid: &mut Laid| {
            let keep = laid.capacity >= needed + SEGMENT_OVERHEAD_BYTES;
            if !keep {
                // Best effort: the next open removes it too.
                let _ = disk.remove(&laid.path);
            }
            keep
        };
        self.spares.retain_mut(&mut keep);
        if let Some(writer) = &mut self.writer {
            writer.spares.retain_mut(keep);
        }
    }

    fn arrive(&mut self, batch: Batch, written: Result<Written, String>) {
        let progress = match written {
            Ok(Written { at, end }) => {
                self.note_begun();
                self.chain.grow(batch.first, end);
                Progress::Durable { last: end.last, position: at, bytes: batch.bytes }
            }
            Err(why) => self.fail(why),
        };
        self.state = State::Arrived(progress);
    }

    fn fail(&mut self, why: String) -> Progress {
        self.failed = Some(why.clone());
        Progress::Failed(why)
    }

    fn send(&mut self, writer: Box<Writer>, batch: Batch) {
        let used = (FRAME_HEADER_BYTES + batch.bytes.len()) as u64;
        let mut room = writer.room_left();
        let mut spares: Vec<u64> = writer.spares.iter().map(|laid| laid.capacity).collect();
        if room >= used {
            room -= used;
        } else if let Some(index) = spares.iter().position(|capacity| *capacity >= used + SEGMENT_OVERHEAD_BYTES) {
            room = spares.remove(index) - SEGMENT_OVERHEAD_BYTES - used;
        } else {
            room = 0;
        }
        let spare = spares.into_iter().max().unwrap_or(0);
        let helper = self.helper.get_or_insert_with(|| start_helper(&*self.setup.crew, &self.setup.wake));
        match helper.jobs.send(Job { writer, batch }) {
            Ok(()) => self.state = State::Beside { room, spare },
            Err(_) => self.lose_helper(),
        }
    }

    fn come_back(&mut self, done: Done) {
        self.writer = Some(done.writer);
        self.arrive(done.batch, done.written);
    }

    /// Waits for what is on its way.
    fn settle(&mut self) {
        if let (State::Beside { .. }, Some(helper)) = (&self.state, &self.helper) {
            match helper.done.recv() {
                Ok(done) => self.come_back(done),
                Err(_) => self.lose_helper(),
            }
        }
    }

    fn lose_helper(&mut self) {
        let progress = self.fail("the log's thread is gone".to_owned());
        self.state = State::Arrived(progress);
    }

    fn lay_out_ahead(&mut self) {
        let spare = matches!(&self.state, State::Beside { spare, .. } if *spare > 0)
            || self.writer.as_ref().is_some_and(|writer| !writer.spares.is_empty())
            || !self.spares.is_empty();
        if spare || self.layout_failed || self.laying_out.is_some() {
            return;
        }
        let (report, laying_out) = sync_channel(1);
        let (disk, cancelled, path) = (Arc::clone(&self.setup.disk), Arc::clone(&self.cancelled), self.spare_path());
        let least = self.needed(self.setup.options.batch_bytes_max) + SEGMENT_OVERHEAD_BYTES;
        let capacity = self.setup.options.segment_bytes.max(least);
        self.laying_out = Some(laying_out);
        let work = move || {
            // Nobody waits for it any more when the log is gone.
            let _ = report.send(lay_out(&*disk, &path, capacity, Fill::Zeros, &cancelled));
        };
        self.setup.crew.start("log-layout", Box::new(work));
    }

    fn do_chores(&mut self) {
        if let Some((given, doing)) = &self.doing {
            let (done, failed) = match doing.try_recv() {
                Ok(done) => (done, done < *given),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => (0, true),
            };
            self.chores.drain(..done);
            self.chores_failed = failed;
            self.doing = None;
        }
        if self.chores.is_empty() || self.chores_failed {
            return;
        }
        let (report, doing) = sync_channel(1);
        let (disk, cancelled, dir) = (Arc::clone(&self.setup.disk), Arc::clone(&self.cancelled), self.dir.clone());
        let chores = self.chores[..self.chores.len().min(caps::CHORES_PER_JOB_MAX)].to_vec();
        self.doing = Some((chores.len(), doing));
        let work = move || {
            let _ = report.send(do_chores(&*disk, &dir, &chores, &cancelled));
        };
        self.setup.crew.start("log-chores", Box::new(work));
    }
}

impl Log for FileLog {
    fn id(&self) -> LogId {
        self.id
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn make_room(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let needed = self.needed(bytes);
        if self.has_room(needed) {
            return Ok(());
        }
        self.collect();
        if self.has_room(needed) {
            return Ok(());
        }
        // Zero-filling is behind, or failed: what the next batch needs is laid out here.
        self.drop_small_spares(needed);
        let least = needed + SEGMENT_OVERHEAD_BYTES;
        let usual = least.max(self.setup.options.segment_bytes.min(caps::SEGMENT_BYTES_AT_ONCE));
        let laid = self.lay_out_here(usual, Fill::Reserve).or_else(|error| {
            if is_full(&error) && usual > least { self.lay_out_here(least, Fill::Reserve) } else { Err(error) }
        });
        match laid {
            Ok(laid) => self.spares.push(laid),
            Err(error) if is_full(&error) => return Err(NoRoom { wanted: bytes, why: error.to_string() }),
            // Not for want of space: whoever writes finds out for itself, tries again, and fails with the reason.
            Err(_) => {}
        }
        Ok(())
    }

    fn submit(&mut self, batch: Batch, place: Place) {
        assert!(matches!(self.state, State::Idle), "one batch is outstanding at most");
        assert!(!self.closed, "the log is closed");
        assert!(batch.count >= 1 && batch.first == self.chain.end().last + 1, "LOG-2: sequences have no gap");
        assert_eq!(batch.epoch, self.epoch, "a batch is of this open");
        assert!(batch.bytes.len() <= self.setup.options.batch_bytes_max, "a batch is capped");
        if let Some(why) = &self.failed {
            self.state = State::Arrived(Progress::Failed(why.clone()));
            return;
        }
        // What is there may be needed at once, should this batch's write fail.
        self.collect();
        let mut writer = self.writer.take().expect("nothing is outstanding");
        writer.spares.append(&mut self.spares);
        match place {
            Place::Here => {
                let written = writer.commit(&batch);
                self.writer = Some(writer);
                self.arrive(batch, written);
            }
            Place::Beside => self.send(writer, batch),
        }
    }

    fn poll(&mut self) -> Progress {
        if let (State::Beside { .. }, Some(helper)) = (&self.state, &self.helper) {
            match helper.done.try_recv() {
                Ok(done) => self.come_back(done),
                Err(TryRecvError::Empty) => return Progress::Pending,
                Err(TryRecvError::Disconnected) => self.lose_helper(),
            }
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle | State::Beside { .. } => Progress::Idle,
            State::Arrived(progress) => progress,
        }
    }

    fn tend(&mut self) {
        self.collect();
        if self.failed.is_none() && !self.closed {
            self.lay_out_ahead();
            self.do_chores();
        }
    }

    fn read(&mut self, from: Position, bytes: &mut Vec<u8>) -> Result<Option<Frame>, ReadError> {
        self.chain.read(from, bytes)
    }

    fn find(&mut self, sequence: u64) -> Result<Position, ReadError> {
        self.chain.find(sequence)
    }

    fn trim(&mut self, position: Position) {
        let gone = self.chain.trim(position);
        self.chores_failed &= gone.is_empty();
        self.chores.extend(gone.into_iter().map(Chore::Remove));
    }

    fn bounds(&self) -> Bounds {
        self.chain.bounds()
    }

    fn batch_bytes_max(&self) -> usize {
        self.setup.options.batch_bytes_max
    }

    fn close(&mut self) -> Result<(), ReadError> {
        self.settle();
        if self.closed {
            return Ok(());
        }
        self.cancelled.store(true, Ordering::Relaxed);
        if let Some(why) = &self.failed {
            return Err(io::Error::other(why.clone()).into());
        }
        self.closed = true;
        let writer = self.writer.as_mut().expect("nothing is outstanding");
        writer.close().map_err(|why| ReadError::Io(io::Error::other(why)))
    }
}

impl Drop for FileLog {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // What is on its way holds the lock: whoever opens the log next must not find it taken.
        self.settle();
    }
}

impl fmt::Debug for FileLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLog").field("dir", &self.dir).field("id", &self.id).field("epoch", &self.epoch).finish()
    }
}

fn start_helper(crew: &dyn Crew, wake: &Arc<dyn Fn() + Send + Sync>) -> Helper {
    let (jobs, queue) = sync_channel::<Job>(1);
    let (report, done) = sync_channel(1);
    let wake = Arc::clone(wake);
    let work = move || {
        while let Ok(Job { mut writer, batch }) = queue.recv() {
            let written = writer.commit(&batch);
            if report.send(Done { writer, batch, written }).is_err() {
                break;
            }
            wake();
        }
    };
    crew.start("log-commit", Box::new(work));
    Helper { jobs, done }
}

/// The data directory, its name durable.
fn make_data_dir(disk: &dyn Disk, data: &Path) -> Result<(), OpenError> {
    disk.make_dir(data).map_err(io_error("make", data))?;
    let parent = match data.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    match disk.sync_dir(parent) {
        // A directory that was made for us in one that we may not read: its name is not ours to make durable.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other.map_err(io_error("sync", parent)),
    }
}

fn make_log_dir(disk: &dyn Disk, data: &Path, shard: u32) -> Result<PathBuf, OpenError> {
    let shard_dir = data.join(shard.to_string());
    let dir = shard_dir.join("log");
    disk.make_dir(&shard_dir).map_err(io_error("make", &shard_dir))?;
    disk.make_dir(&dir).map_err(io_error("make", &dir))?;
    for made in [data, &shard_dir] {
        disk.sync_dir(made).map_err(io_error("sync", made))?;
    }
    Ok(dir)
}
