//! What a directory of segments holds: the chain by their headers, how far the last one goes, what was torn.
//! LOG-2: only the last segment has a tail that may be cut; anything else that is not as it should be is damage.
//! Never here: writing to a segment; the only thing written is a copy of what was torn.
//!
//! The ways out of damage stand at `ReadError::Damaged`, and in its words to the operator.

use crate::caps::{COUNT_MAX, SEGMENT_BYTES_MAX};
use crate::chain::{Segment, damaged};
use crate::disk::{Disk, Open, is_full, write_all};
use crate::frame::Flaw;
use crate::scan::{self, Rest, Source, Walk};
use crate::segment::{self, BadHeader, FORMAT, Header, SPARE_PREFIX, segment_name, segment_number};
use crate::{Bounds, LogId, Position, ReadError};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("`{}` is held by another process: a server runs there", path.display())]
    Locked { path: PathBuf },
    #[error("segment `{name}` is of format {format}, written by a newer version; this one reads up to format {known}")]
    NewerFormat { name: String, format: u32, known: u32 },
    #[error("`{}` holds log {found}, but {expected} belongs there", dir.display())]
    OtherLog { dir: PathBuf, found: LogId, expected: LogId },
    #[error("`{}` holds the log of shard {found}, not of {expected}", dir.display())]
    OtherShard { dir: PathBuf, found: u32, expected: u32 },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("cannot {what} `{}`: {error}", path.display())]
    Io { what: &'static str, path: PathBuf, error: io::Error },
}

/// What opening a log found.
#[derive(Clone, Debug)]
pub struct Report {
    /// There was no log.
    pub new: bool,
    /// The last writer closed the log.
    pub clean: bool,
    pub torn: Option<Torn>,
    pub segments: usize,
    pub bounds: Bounds,
}

/// The end of a frame that was on its way when the last writer died. It was never acknowledged.
#[derive(Clone, Debug)]
pub struct Torn {
    pub segment: u64,
    pub offset: u64,
    pub bytes: u64,
    pub why: String,
    /// Where the cut bytes were copied to; `None` when there was no space for a copy, or when nothing was cut (a reader).
    pub copy: Option<PathBuf>,
}

/// What stands in a directory.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) segments: VecDeque<Segment>,
    /// Segments begun and given up.
    pub(crate) abandoned: Vec<u64>,
    pub(crate) spares: Vec<String>,
    pub(crate) highest: u64,
    pub(crate) epoch: u64,
    pub(crate) closed: bool,
    pub(crate) torn: Option<Torn>,
}

impl Found {
    pub(crate) fn id(&self) -> Option<LogId> {
        self.segments.front().map(|segment| segment.header.id)
    }
}

/// Who else is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// This one holds the lock: the last segment is made durable before it is read.
    None,
    /// Nobody holds the lock, nor does this one: nothing is synced.
    Unknown,
    /// A server is appending.
    Writing,
}

/// Finds the chain of segments, and how far the last one goes.
pub(crate) fn look(disk: &dyn Disk, dir: &Path, shard: u32, others: Others) -> Result<Found, OpenError> {
    let mut found = Found::default();
    let mut numbers = Vec::new();
    if others == Others::None {
        // A name that a killed writer left in the cache alone must not be built upon.
        disk.sync_dir(dir).map_err(io_error("sync", dir))?;
    }
    for name in disk.list(dir).map_err(io_error("list", dir))? {
        if let Some(number) = segment_number(&name) {
            numbers.push(number);
        } else if name.starts_with(SPARE_PREFIX) {
            found.spares.push(name);
        }
    }
    let Some(highest) = numbers.iter().copied().max() else { return Ok(found) };
    found.highest = highest;
    let mut last = open_last(disk, &dir.join(segment_name(highest)), others)?;
    let mut headers = BTreeMap::new();
    for number in numbers {
        let header = if number == highest {
            last.header().map_err(ReadError::from)?
        } else {
            let path = dir.join(segment_name(number));
            Source::open(disk, &path, Open::Read)
                .and_then(|mut source| source.header())
                .map_err(io_error("read", &path))?
        };
        headers.insert(number, header);
    }
    let chain = link(dir, shard, &headers, &mut found)?;
    let header = *chain.back().expect("it holds the highest at least");
    let walk = match others {
        Others::Writing => scan::walk(&mut last, &header).map_err(ReadError::from)?,
        Others::None | Others::Unknown => tail(&mut last, &header, &mut found)?,
    };
    found.closed = walk.closed;
    found.epoch = chain.iter().map(|header| header.epoch).max().unwrap_or(0);
    let ends = chain.iter().skip(1).map(|next| next.before).chain([walk.end]);
    found.segments = chain
        .iter()
        .zip(ends)
        .map(|(header, end)| Segment { header: *header, end, told: false, marks: Vec::new() })
        .collect();
    found.segments.back_mut().expect("it holds the highest at least").marks = walk.marks;
    Ok(found)
}

fn open_last(disk: &dyn Disk, path: &Path, others: Others) -> Result<Source, OpenError> {
    if others == Others::None {
        // Nothing undurable is shown after a restart either: what a killed server left in the page cache is synced; and
        // what a failed sync left there, marked clean, is seen for what it is by reading the device.
        let file = disk.open(path, Open::Write).map_err(io_error("open", path))?;
        file.sync().map_err(io_error("sync", path))?;
    }
    let how = match others {
        Others::None | Others::Unknown => Open::ReadPastCache,
        Others::Writing => Open::Read,
    };
    Source::open(disk, path, how).map_err(io_error("open", path))
}

/// Follows the headers from the last segment back; what they do not name was given up.
fn link(
    dir: &Path,
    shard: u32,
    headers: &BTreeMap<u64, Result<Header, BadHeader>>,
    found: &mut Found,
) -> Result<VecDeque<Header>, OpenError> {
    let mut chain: VecDeque<Header> = VecDeque::new();
    let mut wanted = found.highest;
    loop {
        let Some(header) = headers.get(&wanted) else {
            // Segments leave in order, oldest first: one that is older than a missing one cannot be there.
            if let Some(older) = headers.keys().next().filter(|older| **older < wanted) {
                let at = Position { segment: wanted, offset: 0 };
                let why = format!("the segment is missing, while the older `{}` is there", segment_name(*older));
                let after = chain.front().map_or(0, |header| header.before.last);
                return Err(ReadError::Damaged { segment: at.segment, offset: at.offset, after, why }.into());
            }
            break;
        };
        let after = chain.front().map_or(0, |next| next.before.last);
        let header = check_header(dir, shard, wanted, header, after)?;
        if let Some(next) = chain.front() {
            follows(&header, next)?;
        }
        chain.push_front(header);
        wanted = header.before.segment;
        if wanted == 0 {
            break;
        }
    }
    found.abandoned =
        headers.keys().copied().filter(|number| chain.iter().all(|kept| kept.number != *number)).collect();
    Ok(chain)
}

pub(crate) fn check_header(
    dir: &Path,
    shard: u32,
    number: u64,
    header: &Result<Header, BadHeader>,
    after: u64,
) -> Result<Header, OpenError> {
    let damage = |why: &str| ReadError::Damaged { segment: number, offset: 0, after, why: why.to_owned() };
    match header {
        Err(BadHeader::Newer(format)) => {
            Err(OpenError::NewerFormat { name: segment_name(number), format: *format, known: FORMAT })
        }
        Err(BadHeader::Invalid(why)) => Err(damage(why).into()),
        Ok(header) if header.number != number => Err(damage("its header is that of another segment").into()),
        Ok(header) if header.shard != shard => {
            Err(OpenError::OtherShard { dir: dir.to_owned(), found: header.shard, expected: shard })
        }
        Ok(header) => {
            let before = header.before;
            let sound = header.first >= 1
                && header.first < u64::MAX
                && header.first - 1 == before.last
                && before.segment < number
                && (1..=COUNT_MAX).contains(&header.epoch)
                && number <= COUNT_MAX
                && before.offset <= SEGMENT_BYTES_MAX
                && (before.segment == 0) == (before.offset == 0);
            if sound { Ok(*header) } else { Err(damage("its header contradicts itself").into()) }
        }
    }
}

pub(crate) fn follows(header: &Header, next: &Header) -> Result<(), ReadError> {
    let end = next.before;
    let empty = header.empty_end();
    let fits = header.id == next.id
        && header.epoch <= next.epoch
        && end.last >= empty.last
        && if end.offset <= empty.offset { end == empty } else { true };
    if fits {
        return Ok(());
    }
    let why = format!("its header does not fit that of `{}` after it", segment_name(next.number));
    Err(ReadError::Damaged { segment: header.number, offset: 0, after: header.before.last, why })
}

/// Finds the end of the last segment, and tells a torn tail from damage.
fn tail(source: &mut Source, header: &Header, found: &mut Found) -> Result<Walk, ReadError> {
    let walk = scan::walk(source, header)?;
    let Some(flaw) = walk.flaw else { return Ok(walk) };
    let rest = behind(source, header, &walk, flaw)??;
    let offset = walk.end.offset;
    if rest.written > offset {
        let (bytes, why) = (rest.written - offset, flaw.to_string());
        found.torn = Some(Torn { segment: header.number, offset, bytes, why, copy: None });
    }
    Ok(walk)
}

/// What stands behind the end of a walk that a flaw stopped. It is damage when the frame there is whole but does not belong,
/// or has a later one behind it.
pub(crate) fn behind(
    source: &mut Source,
    header: &Header,
    walk: &Walk,
    flaw: Flaw,
) -> io::Result<Result<Rest, ReadError>> {
    let at = Position { segment: header.number, offset: walk.end.offset };
    match flaw {
        Flaw::Foreign(_) | Flaw::Kind(_) | Flaw::TooLong => Ok(Err(damaged(at, walk.end.last, &flaw))),
        Flaw::NoFrame | Flaw::Header | Flaw::Checksum | Flaw::CutShort => {
            let rest = source.rest(header.number, at.offset)?;
            let Some(later) = rest.valid else { return Ok(Ok(rest)) };
            let why = format!("{flaw}, though it had been durable: a later one stands at offset {later}");
            let Position { segment, offset } = at;
            Ok(Err(ReadError::Damaged { segment, offset, after: walk.end.last, why }))
        }
    }
}

/// Copies what is cut to a file of its own, durably. A full disk is no reason not to start: the bytes stay where they are
/// until their segment goes.
pub(crate) fn keep_torn(disk: &dyn Disk, dir: &Path, torn: &mut Torn) -> Result<(), OpenError> {
    let copy = dir.join(segment::torn_name(torn.segment, torn.offset));
    match copy_torn(disk, dir, &copy, torn) {
        Ok(()) => torn.copy = Some(copy),
        Err(error) if is_full(&error) => {
            // Half a copy is worth less than its space.
            let _ = disk.remove(&copy);
        }
        Err(error) => return Err(OpenError::Io { what: "write", path: copy, error }),
    }
    Ok(())
}

fn copy_torn(disk: &dyn Disk, dir: &Path, copy: &Path, torn: &Torn) -> io::Result<()> {
    match disk.remove(copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut source = Source::open(disk, &dir.join(segment_name(torn.segment)), Open::ReadPastCache)?;
    let file = disk.open(copy, Open::Create)?;
    let mut bytes = Vec::new();
    let mut at = torn.offset;
    while at < torn.offset + torn.bytes {
        source.copy(at, torn.offset + torn.bytes, &mut bytes)?;
        if bytes.is_empty() {
            break;
        }
        write_all(&*file, &mut [IoSlice::new(&bytes)], at - torn.offset)?;
        at += bytes.len() as u64;
    }
    file.sync()?;
    disk.sync_dir(dir)
}

pub(crate) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |error| OpenError::Io { what, path, error }
}
