//! Looking through a segment's bytes: a window over the file, the check of one frame, the walk from frame to frame.
//! Memory is bounded by the window, whatever the bytes say; every step goes forward.
//! Never here: what a finding means; that is for `recover.rs`, `chain.rs` and `reader.rs`.

use crate::Position;
use crate::caps::{FRAME_BYTES_MAX, WINDOW_BYTES};
use crate::disk::{Disk, File, Open, PAGE_BYTES, Pages};
use crate::frame::{Expected, FRAME_HEADER_BYTES, FRAME_MAGIC, Flaw, Head, Kind};
use crate::segment::{BadHeader, End, FRAMES_BEGIN, HEADER_BYTES, Header};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file seen through a window, never past a limit.
#[derive(Debug)]
pub(crate) struct Source {
    file: Arc<dyn File>,
    limit: u64,
    pages: Pages,
    at: u64,
    filled: usize,
    read_bytes: u64,
}

impl Source {
    pub(crate) fn open(disk: &dyn Disk, path: &Path, how: Open) -> io::Result<Source> {
        Source::of(disk.open(path, how)?)
    }

    pub(crate) fn of(file: Arc<dyn File>) -> io::Result<Source> {
        let limit = file.length()?;
        Ok(Source { file, limit, pages: Pages::new(WINDOW_BYTES), at: 0, filled: 0, read_bytes: 0 })
    }

    /// What lies at or behind it is not read. It may only grow for a file whose bytes before it never change.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        let seen = usize::try_from(limit.saturating_sub(self.at)).unwrap_or(usize::MAX);
        self.filled = self.filled.min(seen);
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes asked of the file so far.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    pub(crate) fn forget(&mut self) {
        self.filled = 0;
    }

    /// The bytes at `offset`: at least `wanted` unless the limit comes first.
    fn window(&mut self, offset: u64, wanted: usize) -> io::Result<&[u8]> {
        debug_assert!(wanted <= WINDOW_BYTES - PAGE_BYTES, "a window holds what is asked of it");
        let end = offset.saturating_add(wanted as u64).min(self.limit);
        if offset < self.at || end > self.at + self.filled as u64 {
            self.fill(offset)?;
        }
        let from = usize::try_from(offset - self.at).unwrap_or(usize::MAX).min(self.filled);
        Ok(&self.pages[from..self.filled])
    }

    fn fill(&mut self, offset: u64) -> io::Result<()> {
        self.at = offset - offset % PAGE_BYTES as u64;
        self.filled = 0;
        let room = usize::try_from(self.limit.saturating_sub(self.at)).unwrap_or(usize::MAX).min(WINDOW_BYTES);
        // Whole pages, since reads past the cache know nothing else; what lies behind the limit is dropped.
        let asked = room.next_multiple_of(PAGE_BYTES);
        while self.filled < room {
            match self.file.read_at(&mut self.pages[self.filled..asked], self.at + self.filled as u64) {
                Ok(0) => break,
                Ok(read) => {
                    self.filled += read;
                    self.read_bytes += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.filled = 0;
                    return Err(error);
                }
            }
        }
        self.filled = self.filled.min(room);
        Ok(())
    }

    pub(crate) fn header(&mut self) -> io::Result<Result<Header, BadHeader>> {
        let bytes = self.window(0, HEADER_BYTES)?;
        Ok(match bytes.first_chunk() {
            Some(bytes) => Header::decode(bytes),
            None => Err(BadHeader::Invalid("it is shorter than a header")),
        })
    }

    pub(crate) fn head(&mut self, at: Position) -> io::Result<Result<Head, Flaw>> {
        let bytes = self.window(at.offset, FRAME_HEADER_BYTES)?;
        Ok(match bytes.first_chunk() {
            Some(bytes) => Head::decode(at, bytes),
            None => Err(Flaw::CutShort),
        })
    }

    /// Checks the frame at `at`, payload included, which goes `into` a buffer when one is given.
    pub(crate) fn frame(&mut self, at: Position, mut into: Option<&mut Vec<u8>>) -> io::Result<Result<Head, Flaw>> {
        let head = match self.head(at)? {
            Ok(head) => head,
            Err(flaw) => return Ok(Err(flaw)),
        };
        let end = at.offset.saturating_add(head.frame_bytes());
        if end > self.limit {
            return Ok(Err(Flaw::CutShort));
        }
        if head.length as usize > FRAME_BYTES_MAX {
            return Ok(Err(Flaw::TooLong));
        }
        // The limit may come from the next segment's header, and the file be shorter: what is not seen yet asks for no memory.
        if let Some(bytes) = into.as_deref_mut() {
            bytes.reserve((head.length as usize).min(WINDOW_BYTES));
        }
        let mut crc = head.payload_seed();
        let mut offset = at.offset + FRAME_HEADER_BYTES as u64;
        while offset < end {
            let left = usize::try_from(end - offset).unwrap_or(usize::MAX);
            let bytes = self.window(offset, left.min(WINDOW_BYTES / 2))?;
            let part = &bytes[..left.min(bytes.len())];
            if part.is_empty() {
                return Ok(Err(Flaw::CutShort));
            }
            crc = crc32c::crc32c_append(crc, part);
            if let Some(bytes) = into.as_deref_mut() {
                bytes.extend_from_slice(part);
            }
            offset += part.len() as u64;
        }
        Ok(if crc == head.crc { Ok(head) } else { Err(Flaw::Checksum) })
    }

    /// Where a valid frame header stands behind `from`, if one does, and behind which offset only zeros are.
    pub(crate) fn rest(&mut self, segment: u64, from: u64) -> io::Result<Rest> {
        let mut rest = Rest { valid: None, written: from };
        let mut offset = from;
        while offset < self.limit {
            let bytes = self.window(offset, WINDOW_BYTES / 2)?;
            if bytes.is_empty() {
                break;
            }
            if let Some(last) = last_written(bytes) {
                rest.written = offset + last as u64 + 1;
            }
            let bytes_written = usize::try_from(rest.written.saturating_sub(offset)).unwrap_or(usize::MAX);
            for (index, _) in bytes.iter().enumerate().take(bytes_written).filter(|(_, byte)| **byte == FRAME_MAGIC[0])
            {
                let at = Position { segment, offset: offset + index as u64 };
                if at.offset > from
                    && let Some(header) = bytes[index..].first_chunk()
                    && Head::decode(at, header).is_ok()
                {
                    rest.valid = Some(at.offset);
                    return Ok(rest);
                }
            }
            // The last few bytes are looked at again with what follows them.
            let step =
                if bytes.len() > FRAME_HEADER_BYTES { bytes.len() - FRAME_HEADER_BYTES + 1 } else { bytes.len() };
            offset += step as u64;
        }
        Ok(rest)
    }

    /// Reads what is there of `from..to` into `bytes`, which is cleared; at most half a window.
    pub(crate) fn copy(&mut self, from: u64, to: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let wanted = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX).min(WINDOW_BYTES / 2);
        let found = self.window(from, wanted)?;
        bytes.clear();
        bytes.extend_from_slice(&found[..wanted.min(found.len())]);
        Ok(())
    }
}

/// Index of the last byte that is not zero. Most of what is looked at is zeros: they are passed a page at a time.
fn last_written(bytes: &[u8]) -> Option<usize> {
    let pages = bytes.chunks(PAGE_BYTES).enumerate().rev();
    let mut written = pages.filter(|(_, page)| page.iter().fold(0, |all, byte| all | byte) != 0);
    let (page, found) = written.next()?;
    Some(page * PAGE_BYTES + found.iter().rposition(|byte| *byte != 0)?)
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest {
    pub(crate) valid: Option<u64>,
    pub(crate) written: u64,
}

/// A segment's header, without a window.
pub(crate) fn header_of(file: &dyn File) -> io::Result<Result<Header, BadHeader>> {
    let mut bytes = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => return Ok(Err(BadHeader::Invalid("it is shorter than a header"))),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Header::decode(&bytes))
}

/// How far the frames of a segment go.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) end: End,
    /// The end without the last frame.
    pub(crate) end_before: End,
    pub(crate) closed: bool,
    /// What stands at the end instead of a frame; `None` at the limit and behind a closing frame.
    pub(crate) flaw: Option<Flaw>,
    /// Where each megabyte begins: sequence and offset.
    pub(crate) marks: Vec<(u64, u64)>,
}

/// Goes from frame to frame, from the beginning of a segment to its limit or to what is not its next frame.
pub(crate) fn walk(source: &mut Source, header: &Header) -> io::Result<Walk> {
    let end = header.empty_end();
    let mut walk = Walk { end, end_before: end, closed: false, flaw: None, marks: Vec::new() };
    resume(source, header, &mut walk)?;
    Ok(walk)
}

/// Goes on from where a walk ended.
pub(crate) fn resume(source: &mut Source, header: &Header, walk: &mut Walk) -> io::Result<()> {
    walk.flaw = None;
    while !walk.closed && walk.end.offset < source.limit() {
        let at = Position { segment: header.number, offset: walk.end.offset };
        let head = match source.frame(at, None)?.and_then(|head| belongs(&head, header, Some(&walk.end)).map(|()| head))
        {
            Ok(head) => head,
            Err(flaw) => {
                walk.flaw = Some(flaw);
                break;
            }
        };
        mark(&mut walk.marks, head.first, at.offset);
        walk.end_before = walk.end;
        walk.closed = head.kind == Kind::Closing;
        walk.end = after(&walk.end, &head);
    }
    Ok(())
}

pub(crate) fn after(end: &End, head: &Head) -> End {
    End { segment: end.segment, offset: end.offset + head.frame_bytes(), last: head.next() - 1, crc: head.crc }
}

/// Whether a valid frame is one of this segment, and the next one where that is known.
pub(crate) fn belongs(head: &Head, header: &Header, before: Option<&End>) -> Result<(), Flaw> {
    if head.id != header.id {
        return Err(Flaw::Foreign("log id"));
    }
    if head.shard != header.shard {
        return Err(Flaw::Foreign("shard"));
    }
    if head.epoch != header.epoch {
        return Err(Flaw::Foreign("epoch"));
    }
    let counted = match head.kind {
        Kind::Data => head.count >= 1 && head.first >= 1 && head.first.checked_add(u64::from(head.count)).is_some(),
        Kind::Closing => head.count == 0 && head.length == 0 && head.first >= 1,
    };
    if !counted {
        return Err(Flaw::Foreign("number of events"));
    }
    match before {
        Some(end) => head.follows(Expected { next: end.last + 1, crc: end.crc }),
        None => Ok(()),
    }
}

/// Notes where a frame stands, once a stride.
pub(crate) fn mark(marks: &mut Vec<(u64, u64)>, first: u64, offset: u64) {
    let due = marks.last().map_or(FRAMES_BEGIN, |(_, last)| last + crate::caps::INDEX_STRIDE_BYTES);
    if offset >= due {
        marks.push((first, offset));
    }
}
