//! A log whose commits take their time, so that steps overlap with them: what is submitted is written some polls later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sumun_auditor::generate::Random;
use sumun_log::{Batch, Bounds, FileLog, Frame, Log, LogId, NoRoom, Place, Position, Progress, ReadError};

#[derive(Debug)]
pub(crate) struct Delayed {
    inner: FileLog,
    held: Option<Batch>,
    random: Random,
    /// So many of a hundred polls let a held batch go; 100 is at once.
    pub(crate) percent: Arc<AtomicU64>,
}

impl Delayed {
    pub(crate) fn new(inner: FileLog, seed: u64, percent: Arc<AtomicU64>) -> Delayed {
        Delayed { inner, held: None, random: Random::new(seed), percent }
    }
}

impl Log for Delayed {
    fn id(&self) -> LogId {
        self.inner.id()
    }
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }
    fn make_room(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.inner.make_room(bytes)
    }
    fn submit(&mut self, batch: Batch, _place: Place) {
        self.held = Some(batch);
    }
    fn poll(&mut self) -> Progress {
        if self.random.below(100) >= self.percent.load(Ordering::Relaxed) {
            return if self.held.is_some() { Progress::Pending } else { self.inner.poll() };
        }
        if let Some(batch) = self.held.take() {
            self.inner.submit(batch, Place::Here);
        }
        self.inner.poll()
    }
    fn tend(&mut self) {
        self.inner.tend();
    }
    fn read(&mut self, from: Position, bytes: &mut Vec<u8>) -> Result<Option<Frame>, ReadError> {
        self.inner.read(from, bytes)
    }
    fn find(&mut self, sequence: u64) -> Result<Position, ReadError> {
        self.inner.find(sequence)
    }
    fn trim(&mut self, position: Position) {
        self.inner.trim(position);
    }
    fn bounds(&self) -> Bounds {
        self.inner.bounds()
    }
    fn batch_bytes_max(&self) -> usize {
        self.inner.batch_bytes_max()
    }
    fn close(&mut self) -> Result<(), ReadError> {
        self.inner.close()
    }
}
