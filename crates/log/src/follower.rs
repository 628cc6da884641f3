//! Reading a log while it is written, by whoever hears from its writer how far it is durable: it reads up to there, never
//! further, and goes on when it is told more. Takes no lock, writes nothing, cuts nothing.
//! LOG-1: nothing behind the durable end is read, not even to look. LOG-2: the same checks as any other reading.
//! Never here: finding out by itself what is durable (`reader.rs` can), threads, waiting.
//!
//! Cost: a header of 512 bytes for each segment that is new to it; no memory but marks and one window, whatever the log's size.

use crate::chain::{Chain, Segment};
use crate::disk::{Disk, Open};
use crate::recover::{OpenError, check_header, follows, io_error};
use crate::scan;
use crate::segment::{End, Header, segment_name};
use crate::{Bounds, Frame, LogId, Position, ReadError};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug)]
pub struct Follower {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    shard: u32,
    id: LogId,
    chain: Chain,
}

/// What a segment's name led to.
enum Found {
    Header(Header),
    /// It was trimmed.
    Gone,
}

impl Follower {
    /// Reads nothing yet.
    pub fn new(disk: Arc<dyn Disk>, data: &Path, shard: u32, id: LogId) -> Follower {
        let dir = data.join(shard.to_string()).join("log");
        let chain = Chain::new(Arc::clone(&disk), dir.clone(), VecDeque::new());
        Follower { disk, dir, shard, id, chain }
    }

    /// Hears from the writer which part of its log is kept and durable: `first_position`, `last` and `end` are looked at. What
    /// is older than what it heard before changes nothing.
    pub fn follow(&mut self, bounds: &Bounds) -> Result<(), OpenError> {
        let Bounds { first_position: first, last, end, .. } = *bounds;
        let known = self.chain.end();
        let told = End { segment: end.segment, offset: end.offset, last, crc: 0 };
        let is_stale = (end.segment, end.offset) < (known.segment, known.offset);
        // A log that is opened again has what it had let go of and not yet removed.
        let is_back = self.chain.oldest().is_some_and(|oldest| first.segment < oldest.number) && !is_stale;
        if is_back {
            self.chain.replace(VecDeque::new());
        }
        if end.segment > self.chain.end().segment {
            self.find_segments(first, told)?;
        } else if end.segment == known.segment && end.offset > known.offset {
            self.chain.end_at(told, true);
        }
        self.chain.trim(first);
        Ok(())
    }

    /// As `Log::read`.
    pub fn read(&mut self, from: Position, bytes: &mut Vec<u8>) -> Result<Option<Frame>, ReadError> {
        match self.chain.read(from, bytes) {
            Err(ReadError::Io(error)) => Err(self.trimmed_or(error, None)),
            other => other,
        }
    }

    /// As `Log::find`. Cost: it looks at the headers of at most a megabyte of frames, or of the whole segment when it was not
    /// looked through yet.
    pub fn find(&mut self, sequence: u64) -> Result<Position, ReadError> {
        match self.chain.find(sequence) {
            Err(ReadError::Io(error)) => Err(self.trimmed_or(error, Some(sequence))),
            other => other,
        }
    }

    pub fn bounds(&self) -> Bounds {
        self.chain.bounds()
    }

    /// Bytes that were asked of the disk so far: what reading has cost.
    pub fn read_bytes(&self) -> u64 {
        self.chain.read_bytes()
    }

    /// Follows the headers from the segment that is written now back to one that is known, or to the oldest kept.
    fn find_segments(&mut self, first: Position, told: End) -> Result<(), OpenError> {
        let known = self.chain.end();
        let mut new: VecDeque<Header> = VecDeque::new();
        let mut wanted = told.segment;
        while wanted != 0 && wanted >= first.segment && wanted != known.segment {
            let after = new.front().map_or(told.last, |next| next.before.last);
            let Found::Header(header) = self.header(wanted, after)? else { break };
            if header.id != self.id {
                return Err(OpenError::OtherLog { dir: self.dir.clone(), found: header.id, expected: self.id });
            }
            if let Some(next) = new.front() {
                follows(&header, next)?;
            }
            wanted = header.before.segment;
            new.push_front(header);
        }
        let Some(newest) = new.back() else {
            return Err(ReadError::NoSuchPosition(Position { segment: told.segment, offset: told.offset }).into());
        };
        let empty = newest.empty_end();
        if told.offset < empty.offset || told.last < empty.last {
            return Err(ReadError::NoSuchPosition(Position { segment: told.segment, offset: told.offset }).into());
        }
        if wanted == known.segment && wanted != 0 {
            self.go_on(&new)?;
        } else {
            let ends = new.iter().skip(1).map(|next| next.before).chain([empty]);
            let segment =
                |(header, end): (&Header, End)| Segment { header: *header, end, told: false, marks: Vec::new() };
            self.chain.replace(new.iter().zip(ends).map(segment).collect());
        }
        self.chain.end_at(told, true);
        Ok(())
    }

    /// The segment that was written until now has ended, and these came after it.
    fn go_on(&mut self, new: &VecDeque<Header>) -> Result<(), OpenError> {
        let known = self.chain.end();
        let before = new.front().expect("there is a new one").before;
        if before.offset < known.offset || before.last < known.last {
            let why = "it ends before what was durable in it, as the next one says".to_owned();
            let (segment, offset) = (known.segment, before.offset);
            return Err(ReadError::Damaged { segment, offset, after: before.last, why }.into());
        }
        self.chain.end_at(before, false);
        for (index, header) in new.iter().enumerate() {
            self.chain.push(*header);
            if let Some(next) = new.get(index + 1) {
                self.chain.end_at(next.before, false);
            }
        }
        Ok(())
    }

    fn header(&self, number: u64, after: u64) -> Result<Found, OpenError> {
        let path = self.dir.join(segment_name(number));
        let file = match self.disk.open(&path, Open::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Gone),
            other => other.map_err(io_error("open", &path))?,
        };
        let header = scan::header_of(&*file).map_err(io_error("read", &path))?;
        check_header(&self.dir, self.shard, number, &header, after).map(Found::Header)
    }

    /// Segments leave oldest first: one that is not there any more was trimmed, and all before it.
    fn trimmed_or(&mut self, error: io::Error, wanted: Option<u64>) -> ReadError {
        if error.kind() != io::ErrorKind::NotFound {
            return error.into();
        }
        let mut gone = false;
        while let Some(oldest) = self.chain.oldest()
            && oldest.number < self.chain.end().segment
            && matches!(self.header(oldest.number, 0), Ok(Found::Gone))
        {
            self.chain.trim(Position { segment: oldest.number + 1, offset: 0 });
            gone = true;
        }
        if !gone {
            return error.into();
        }
        let first = self.chain.bounds().first;
        ReadError::Trimmed { wanted: wanted.unwrap_or(first.saturating_sub(1)), first }
    }
}
