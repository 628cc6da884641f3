//! The segments of a log, oldest first, as their headers chain them; reading and finding in them, up to the end that is known.
//! LOG-2: a frame that does not follow the one before is damage, with its place, never skipped.
//! Never here: writing, locks, what lies behind the end.

use crate::disk::{Disk, File, Open};
use crate::frame::{Flaw, Kind};
use crate::scan::{self, Source};
use crate::segment::{End, FRAMES_BEGIN, Header, segment_name};
use crate::{Bounds, Frame, Position, ReadError};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) end: End,
    /// The end was told and not read: the checksum of the last frame is not known.
    pub(crate) told: bool,
    /// Sequence and offset of a frame a stride, as far as it has been written or read.
    pub(crate) marks: Vec<(u64, u64)>,
}

#[derive(Debug)]
pub(crate) struct Chain {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: VecDeque<Segment>,
    bytes: u64,
    /// Files of the oldest segments: whoever else trims the log takes their names, not what is in them.
    held: Vec<Arc<dyn File>>,
    /// The file that was read last.
    open: Option<(u64, Source)>,
    /// Where the last read ended: the next one there can be checked against it.
    followed: Option<End>,
    /// Bytes read from files that are no longer open.
    read_bytes: u64,
}

impl Chain {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, segments: VecDeque<Segment>) -> Chain {
        let bytes = segments.iter().map(|segment| segment.end.offset).sum();
        Chain { disk, dir, segments, bytes, held: Vec::new(), open: None, followed: None, read_bytes: 0 }
    }

    /// Keeps the oldest segments readable whatever becomes of their names, so many or as many as may be open at once.
    pub(crate) fn hold(&mut self, most: usize) -> io::Result<()> {
        for segment in self.segments.iter().take(most) {
            match self.disk.open(&self.dir.join(segment_name(segment.header.number)), Open::Read) {
                Ok(file) => self.held.push(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    pub(crate) fn end(&self) -> End {
        self.segments.back().map_or_else(End::default, |segment| segment.end)
    }

    /// Bytes asked of files so far, those of headers aside.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes + self.open.as_ref().map_or(0, |(_, source)| source.read_bytes())
    }

    pub(crate) fn oldest(&self) -> Option<&Header> {
        self.segments.front().map(|segment| &segment.header)
    }

    /// Puts other segments in place of all that it knew.
    pub(crate) fn replace(&mut self, segments: VecDeque<Segment>) {
        self.bytes = segments.iter().map(|segment| segment.end.offset).sum();
        self.segments = segments;
        self.followed = None;
        self.close();
    }

    /// The last segment ends, or goes on, as the header of the next one says, or as whoever writes it tells.
    pub(crate) fn end_at(&mut self, end: End, told: bool) {
        let last = self.segments.back_mut().expect("a segment ends where it is said to");
        self.bytes += end.offset - last.end.offset;
        last.end = end;
        last.told = told;
    }

    fn close(&mut self) {
        self.read_bytes = self.read_bytes();
        self.open = None;
    }

    pub(crate) fn push(&mut self, header: Header) {
        let end = header.empty_end();
        self.bytes += end.offset;
        self.segments.push_back(Segment { header, end, told: false, marks: Vec::new() });
    }

    /// The last segment has grown by a frame, whose first event is `first`.
    pub(crate) fn grow(&mut self, first: u64, end: End) {
        let segment = self.segments.back_mut().expect("a frame was written to it");
        assert_eq!(segment.header.number, end.segment, "only the last segment grows");
        scan::mark(&mut segment.marks, first, segment.end.offset);
        self.bytes += end.offset - segment.end.offset;
        segment.end = end;
    }

    /// Lets go of the segments before `position`, but never of the last; gives the numbers that must go, oldest first: those
    /// of segments given up in between too, since nothing older than a missing segment may be there.
    pub(crate) fn trim(&mut self, position: Position) -> Vec<u64> {
        let mut gone = Vec::new();
        while self.segments.len() > 1 && self.segments[0].header.number < position.segment {
            let segment = self.segments.pop_front().expect("there is more than one");
            self.bytes -= segment.end.offset;
            let header = segment.header;
            gone.extend(header.before.segment + 1..=header.number);
        }
        gone
    }

    pub(crate) fn bounds(&self) -> Bounds {
        let end = self.end();
        let first = self.segments.front().map_or(1, |segment| segment.header.first);
        let first_position =
            self.segments.front().map_or_else(Position::default, |segment| begin(segment.header.number));
        Bounds {
            first,
            first_position,
            last: end.last,
            end: Position { segment: end.segment, offset: end.offset },
            bytes: self.bytes,
        }
    }

    pub(crate) fn read(&mut self, from: Position, bytes: &mut Vec<u8>) -> Result<Option<Frame>, ReadError> {
        bytes.clear();
        let mut at = from;
        loop {
            let Some(index) = self.settle(&mut at)? else { return Ok(None) };
            bytes.clear();
            self.point_at(index)?;
            let before = self.known_before(index, at);
            let segment = &mut self.segments[index];
            let (_, source) = self.open.as_mut().expect("it was just opened");
            let found = match source.frame(at, Some(bytes)) {
                Ok(found) => found,
                Err(error) => {
                    self.close();
                    return Err(error.into());
                }
            };
            let after = before.map_or(segment.header.first.saturating_sub(1), |end| end.last);
            let checked = found.and_then(|head| {
                scan::belongs(&head, &segment.header, before.as_ref())?;
                let end = scan::after(&End { offset: at.offset, ..segment.end }, &head);
                let fits = if end.offset == segment.end.offset {
                    end.last == segment.end.last && (segment.told || end.crc == segment.end.crc)
                } else {
                    end.last <= segment.end.last
                };
                if fits { Ok((head, end)) } else { Err(Flaw::Foreign("end")) }
            });
            let (head, end) = match checked {
                Ok(found) => found,
                Err(flaw) => {
                    // What was read may have been wrong on its way: the next attempt reads anew.
                    source.forget();
                    return Err(damaged(at, after, &flaw));
                }
            };
            scan::mark(&mut segment.marks, head.first, at.offset);
            self.followed = Some(end);
            let next = Position { segment: at.segment, offset: end.offset };
            match head.kind {
                Kind::Data => return Ok(Some(Frame { first: head.first, count: head.count, epoch: head.epoch, next })),
                Kind::Closing => at = next,
            }
        }
    }

    pub(crate) fn find(&mut self, sequence: u64) -> Result<Position, ReadError> {
        let bounds = self.bounds();
        if sequence < bounds.first {
            return Err(ReadError::Trimmed { wanted: sequence, first: bounds.first });
        }
        if sequence > bounds.last {
            return Ok(bounds.end);
        }
        let index = self.segments.partition_point(|segment| segment.end.last < sequence);
        let segment = &self.segments[index];
        let mark = segment.marks.partition_point(|(first, _)| *first <= sequence);
        let offset = if mark == 0 { FRAMES_BEGIN } else { segment.marks[mark - 1].1 };
        self.point_at(index)?;
        let segment = &mut self.segments[index];
        let (_, source) = self.open.as_mut().expect("it was just opened");
        let mut at = Position { segment: segment.header.number, offset };
        let mut after = segment.header.first.saturating_sub(1);
        while at.offset < segment.end.offset {
            let head = source.head(at)?.and_then(|head| scan::belongs(&head, &segment.header, None).map(|()| head));
            let head = head.map_err(|flaw| damaged(at, after, &flaw))?;
            scan::mark(&mut segment.marks, head.first, at.offset);
            if sequence < head.next() {
                return Ok(at);
            }
            after = head.next() - 1;
            at.offset = at.offset.saturating_add(head.frame_bytes());
        }
        Err(damaged(at, after, &Flaw::Foreign("sequence")))
    }

    /// Brings a position to where the next frame begins, and says in which segment; `None` at the end.
    fn settle(&self, at: &mut Position) -> Result<Option<usize>, ReadError> {
        let Some(oldest) = self.segments.front() else { return Ok(None) };
        if *at == Position::default() {
            *at = begin(oldest.header.number);
        }
        if at.segment < oldest.header.number {
            let first = oldest.header.first;
            return Err(ReadError::Trimmed { wanted: first.saturating_sub(1), first });
        }
        let mut index = self.segments.partition_point(|segment| segment.header.number < at.segment);
        let Some(segment) = self.segments.get(index).filter(|segment| segment.header.number == at.segment) else {
            return Err(ReadError::NoSuchPosition(*at));
        };
        if at.offset < FRAMES_BEGIN || at.offset > segment.end.offset {
            return Err(ReadError::NoSuchPosition(*at));
        }
        while at.offset == self.segments[index].end.offset {
            index += 1;
            let Some(next) = self.segments.get(index) else { return Ok(None) };
            *at = begin(next.header.number);
        }
        Ok(Some(index))
    }

    fn known_before(&self, index: usize, at: Position) -> Option<End> {
        if at.offset == FRAMES_BEGIN {
            return Some(self.segments[index].header.empty_end());
        }
        self.followed.filter(|end| end.segment == at.segment && end.offset == at.offset)
    }

    fn point_at(&mut self, index: usize) -> Result<(), ReadError> {
        let number = self.segments[index].header.number;
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            self.close();
            let segment = &self.segments[index];
            let path = || self.dir.join(segment_name(number));
            let mut source = match self.held.get(index) {
                Some(file) => Source::of(Arc::clone(file))?,
                None => Source::open(&*self.disk, &path(), Open::Read)?,
            };
            // The header is read again with the frames, and must be what the chain was made from.
            match source.header()? {
                Ok(header) if header == segment.header => {}
                Ok(_) | Err(_) => {
                    let at = Position { segment: number, offset: 0 };
                    return Err(damaged(at, segment.header.before.last, &Flaw::Foreign("header")));
                }
            }
            self.open = Some((number, source));
        }
        let end = self.segments[index].end.offset;
        let (_, source) = self.open.as_mut().expect("it was just set");
        source.set_limit(end);
        Ok(())
    }
}

pub(crate) fn begin(segment: u64) -> Position {
    Position { segment, offset: FRAMES_BEGIN }
}

pub(crate) fn damaged(at: Position, after: u64, flaw: &Flaw) -> ReadError {
    ReadError::Damaged { segment: at.segment, offset: at.offset, after, why: flaw.to_string() }
}
