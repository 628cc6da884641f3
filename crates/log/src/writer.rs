//! The writer: appends frames, each synced before the next, and begins segments. It moves between the caller's thread and
//! the log's own, and is never in two places.
//! A failed write or sync ends a segment: its pages are never trusted again, and the same frame is written to a new one.
//! A frame is written with zeros up to the end of its page: what was laid out long ago is no longer in the page cache, and
//! a page that is written in part would be read first, while whoever waits for the commit waits for that too.
//! Never here: reading, laying out ahead of time, threads.

use crate::disk::{Disk, File, Held, PAGE_BYTES, write_all};
use crate::frame::{FRAME_HEADER_BYTES, Head, Kind};
use crate::layout::{Fill, Laid, lay_out};
use crate::segment::{End, FRAMES_BEGIN, Header, segment_name};
use crate::{Batch, LogId, Position};
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a segment needs besides its frames: its header's page, and its closing frame.
pub(crate) const SEGMENT_OVERHEAD_BYTES: u64 = FRAMES_BEGIN + FRAME_HEADER_BYTES as u64;

static ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

#[derive(Debug)]
struct Active {
    file: Arc<dyn File>,
    capacity: u64,
}

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) id: LogId,
    pub(crate) shard: u32,
    pub(crate) epoch: u64,
    /// Held for as long as anything may be written.
    #[expect(dead_code, reason = "dropping it gives the lock back")]
    pub(crate) lock: Arc<dyn Held>,
    /// Space laid out.
    pub(crate) spares: Vec<Laid>,
    /// Headers of segments begun that the log has not heard of.
    pub(crate) begun: Vec<Header>,
    pub(crate) end: End,
    pub(crate) highest: u64,
    pub(crate) at_once_bytes: u64,
    active: Option<Active>,
    laid_out: u64,
}

/// What a writer begins with.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) id: LogId,
    pub(crate) shard: u32,
    pub(crate) epoch: u64,
    pub(crate) lock: Arc<dyn Held>,
    pub(crate) end: End,
    pub(crate) highest: u64,
    pub(crate) at_once_bytes: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) at: Position,
    pub(crate) end: End,
}

impl Writer {
    pub(crate) fn new(start: Start) -> Writer {
        let Start { disk, dir, id, shard, epoch, lock, end, highest, at_once_bytes } = start;
        Writer {
            disk,
            dir,
            id,
            shard,
            epoch,
            lock,
            spares: Vec::new(),
            begun: Vec::new(),
            end,
            highest,
            at_once_bytes,
            active: None,
            laid_out: 0,
        }
    }

    /// Makes a batch durable, or says why that was possible nowhere.
    pub(crate) fn commit(&mut self, batch: &Batch) -> Result<Written, String> {
        self.twice(Kind::Data, batch.first, batch.count, &batch.bytes)
    }

    pub(crate) fn close(&mut self) -> Result<(), String> {
        if self.active.is_none() {
            // Nothing was written since the open for want of space; the last segment stays the last.
            return Ok(());
        }
        self.twice(Kind::Closing, self.end.last + 1, 0, &[]).map(|_| ())
    }

    fn twice(&mut self, kind: Kind, first: u64, count: u32, payload: &[u8]) -> Result<Written, String> {
        let error = match self.append(kind, first, count, payload) {
            Ok(written) => return Ok(written),
            Err(error) => error,
        };
        // What the failed attempt left behind is never read: the next segment's header ends this one before it.
        self.active = None;
        self.append(kind, first, count, payload).map_err(|again| {
            self.active = None;
            format!("{error}; and again, in a new segment: {again}")
        })
    }

    fn append(&mut self, kind: Kind, first: u64, count: u32, payload: &[u8]) -> io::Result<Written> {
        let bytes = (FRAME_HEADER_BYTES + payload.len()) as u64;
        let kept = match kind {
            Kind::Data => FRAME_HEADER_BYTES as u64,
            Kind::Closing => 0,
        };
        let wanted = self.end.offset + bytes + kept;
        if self.active.as_ref().is_none_or(|active| active.capacity < wanted) {
            self.begin(bytes)?;
        }
        let active = self.active.as_ref().expect("it has room");
        let at = Position { segment: self.end.segment, offset: self.end.offset };
        let mut head = Head::new(kind, self.id, self.shard, self.epoch);
        head.first = first;
        head.count = count;
        head.length = u32::try_from(payload.len()).expect("a batch is capped");
        head.before = self.end.crc;
        let header = head.encode(at, payload);
        let rest = rest_of_page(at.offset + bytes, active.capacity);
        let mut parts = [IoSlice::new(&header), IoSlice::new(payload), IoSlice::new(&ZEROS[..rest])];
        write_all(&*active.file, &mut parts, at.offset)?;
        active.file.sync()?;
        self.end = crate::scan::after(&self.end, &head);
        Ok(Written { at, end: self.end })
    }

    /// Bytes of frames that fit into the segment in use, its closing frame aside.
    pub(crate) fn room_left(&self) -> u64 {
        let capacity = self.active.as_ref().map_or(0, |active| active.capacity);
        capacity.saturating_sub(self.end.offset).saturating_sub(FRAME_HEADER_BYTES as u64)
    }

    /// Begins a segment with room for `bytes` of frames.
    pub(crate) fn begin(&mut self, bytes: u64) -> io::Result<()> {
        self.active = None;
        let laid = self.take_spare(bytes)?;
        let number = self.highest + 1;
        let mut header = Header {
            shard: self.shard,
            id: self.id,
            number,
            epoch: self.epoch,
            first: self.end.last + 1,
            before: self.end,
            crc: 0,
        };
        if let Err(error) = self.name(&laid, &mut header) {
            // Best effort: the next open removes it too.
            let _ = self.disk.remove(&laid.path);
            return Err(error);
        }
        self.active = Some(Active { file: laid.file, capacity: laid.capacity });
        self.end = header.empty_end();
        self.begun.push(header);
        Ok(())
    }

    /// Makes space laid out a segment: its header is durable before its name is, and its name before anything is appended.
    fn name(&mut self, laid: &Laid, header: &mut Header) -> io::Result<()> {
        let encoded = header.encode();
        write_all(&*laid.file, &mut [IoSlice::new(&encoded)], 0)?;
        laid.file.sync()?;
        // From here on the number is used, whatever comes of it: a name may be durable although making it so failed.
        self.highest = header.number;
        self.disk.rename(&laid.path, &self.dir.join(segment_name(header.number)))?;
        self.disk.sync_dir(&self.dir)
    }

    fn take_spare(&mut self, bytes: u64) -> io::Result<Laid> {
        let capacity = bytes + SEGMENT_OVERHEAD_BYTES;
        if let Some(index) = self.spares.iter().position(|laid| laid.capacity >= capacity) {
            return Ok(self.spares.remove(index));
        }
        let name = |serial: u64| format!("{}{}-at-once-{serial}", crate::segment::SPARE_PREFIX, self.epoch);
        self.laid_out += 1;
        let path = self.dir.join(name(self.laid_out));
        lay_out(&*self.disk, &path, capacity.max(self.at_once_bytes), Fill::Reserve, &AtomicBool::new(false))
    }
}

/// From `offset` to the end of its page, or of the segment.
fn rest_of_page(offset: u64, capacity: u64) -> usize {
    let end = offset.next_multiple_of(PAGE_BYTES as u64).min(capacity);
    usize::try_from(end - offset).expect("less than a page")
}
