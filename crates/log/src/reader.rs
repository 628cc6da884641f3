//! Reading a log that is not ours to write: a stopped server's, or a running one's. Takes no lock, writes nothing, cuts nothing.
//! Beside a running server a frame is known durable when the server says so, or when a later one follows it.
//! What the server trims meanwhile stays readable, since its files are held open (the oldest `READER_HELD_MAX`).
//! Never here: following a log that grows (`follower.rs`); a reader sees the log as it was when it was opened.

use crate::chain::Chain;
use crate::disk::{Disk, Open};
use crate::recover::{self, Found, OpenError, Others, Torn, io_error};
use crate::scan::{self, Source};
use crate::segment::{End, segment_name};
use crate::{Bounds, Frame, LogId, Position, ReadError, caps};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Up to where a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderEnd {
    /// The durable end that a running server gave.
    Given(Position),
    /// As far as is known without asking: the last frame with a later one behind it while a server runs, else all that a
    /// start would find.
    Known,
}

#[derive(Debug)]
pub struct Reader {
    id: LogId,
    epoch: u64,
    chain: Chain,
    clean: bool,
    running: bool,
    torn: Option<Torn>,
}

impl Reader {
    /// `None`: there is no log yet.
    pub fn open(disk: &Arc<dyn Disk>, data: &Path, shard: u32, end: ReaderEnd) -> Result<Option<Reader>, OpenError> {
        let lock = data.join("lock");
        let dir = data.join(shard.to_string()).join("log");
        for attempt in 1.. {
            let running = disk.is_locked(&lock).map_err(io_error("look at", &lock))?;
            match look(&**disk, &dir, shard, running, end) {
                // A segment left while it was looked for: the server trims.
                Err(OpenError::Io { error, .. } | OpenError::Read(ReadError::Io(error)))
                    if running && error.kind() == io::ErrorKind::NotFound && attempt < caps::READER_ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
                Ok(found) => {
                    let Some(id) = found.id() else { return Ok(None) };
                    let Found { segments, closed, torn, epoch, .. } = found;
                    let mut chain = Chain::new(Arc::clone(disk), dir.clone(), segments);
                    match if running { chain.hold(caps::READER_HELD_MAX) } else { Ok(()) } {
                        // It left since it was looked at.
                        Err(_) if attempt < caps::READER_ATTEMPTS_MAX => continue,
                        Err(error) => return Err(ReadError::from(error).into()),
                        Ok(()) => {}
                    }
                    return Ok(Some(Reader { id, epoch, chain, clean: closed, running, torn }));
                }
            }
        }
        unreachable!("the last attempt returns");
    }

    pub fn id(&self) -> LogId {
        self.id
    }

    /// The epoch of the newest segment.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a server held the lock.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether the log ends with a closing frame.
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// What a start would cut.
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }

    pub fn bounds(&self) -> Bounds {
        self.chain.bounds()
    }

    /// As `Log::read`.
    pub fn read(&mut self, from: Position, bytes: &mut Vec<u8>) -> Result<Option<Frame>, ReadError> {
        self.chain.read(from, bytes)
    }

    /// As `Log::find`.
    pub fn find(&mut self, sequence: u64) -> Result<Position, ReadError> {
        self.chain.find(sequence)
    }
}

fn look(disk: &dyn Disk, dir: &Path, shard: u32, running: bool, end: ReaderEnd) -> Result<Found, OpenError> {
    let mut found = match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
        Err(error) => return Err(OpenError::Io { what: "list", path: dir.to_owned(), error }),
        Ok(_) => recover::look(disk, dir, shard, if running { Others::Writing } else { Others::Unknown })?,
    };
    match end {
        ReaderEnd::Given(position) => end_at(disk, dir, &mut found, position)?,
        ReaderEnd::Known if running => end_before_last(disk, dir, &mut found)?,
        ReaderEnd::Known => {}
    }
    Ok(found)
}

/// Ends the log at a place that is known to be durable: all before it must be there.
fn end_at(disk: &dyn Disk, dir: &Path, found: &mut Found, position: Position) -> Result<(), OpenError> {
    if position == Position::default() {
        found.segments.clear();
        return Ok(());
    }
    found.segments.retain(|segment| segment.header.number <= position.segment);
    let Some(last) = found.segments.back_mut().filter(|last| last.header.number == position.segment) else {
        return Err(ReadError::NoSuchPosition(position).into());
    };
    let mut source =
        Source::open(disk, &dir.join(segment_name(position.segment)), Open::Read).map_err(ReadError::from)?;
    source.set_limit(position.offset);
    let walk = scan::walk(&mut source, &last.header).map_err(ReadError::from)?;
    if walk.end.offset != position.offset {
        let at = Position { segment: position.segment, offset: walk.end.offset };
        let flaw = walk.flaw.unwrap_or(crate::frame::Flaw::CutShort);
        return Err(crate::chain::damaged(at, walk.end.last, &flaw).into());
    }
    last.end = walk.end;
    found.closed = walk.closed;
    Ok(())
}

/// Ends the log before its last frame, which may still be on its way.
fn end_before_last(disk: &dyn Disk, dir: &Path, found: &mut Found) -> Result<(), OpenError> {
    let Some(last) = found.segments.back_mut() else { return Ok(()) };
    last.end = known_durable(disk, dir, &last.header)?;
    found.closed = false;
    Ok(())
}

fn known_durable(disk: &dyn Disk, dir: &Path, header: &crate::segment::Header) -> Result<End, OpenError> {
    let mut source = Source::open(disk, &dir.join(segment_name(header.number)), Open::Read).map_err(ReadError::from)?;
    let mut walk = scan::walk(&mut source, header).map_err(ReadError::from)?;
    for _ in 0..caps::READER_ATTEMPTS_MAX {
        let (Some(flaw), stopped) = (walk.flaw, walk.end) else { break };
        source.forget();
        let behind = recover::behind(&mut source, header, &walk, flaw).map_err(ReadError::from)?;
        let Err(damage) = behind else { break };
        // A later frame may have come while this one was looked at: what is still wrong now was wrong all the time.
        source.forget();
        scan::resume(&mut source, header, &mut walk).map_err(ReadError::from)?;
        if walk.end == stopped {
            return Err(damage.into());
        }
    }
    Ok(walk.end_before)
}
