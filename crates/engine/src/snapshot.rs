//! Snapshots: all records of a shard in one stream of bytes, for backup, restore, and to rebuild a store.
//!
//! ```text
//! header  magic `sumunsnp`, format u32 (1), shard u32, log id 16 bytes, then u64s: seed, saved, newest, time,
//!         generation, generation began; CRC32C u32 of all before
//! block   length u32 (of its bytes, not 0), records u32, CRC32C u32; then the bytes: records, each a place u8 (0: what
//!         stays and what is open, 1: what retention takes away), its length (varint), and itself (`codec::record`)
//! footer  length u32 (0), blocks u32, CRC32C u32; then u64s: items, lots, open and ended reservations, movements,
//!         usages; CRC32C u32 of these
//! ```
//! Numbers are little-endian. The CRC of a block or footer goes on from the one before it and covers what stands before
//! it and the bytes: so none is missing, and none stands elsewhere.
//!
//! All events up to `saved` stand in its records, none later than `newest`. With a log it restores to any sequence from
//! `newest` on, as far as that log goes, when the log begins at `saved + 1` or before. Of one key the last is the newest.
//!
//! A newer format is refused by name. Never here: files.

use std::io::{self, Read, Write};
use sumun_codec::{decode_record, encode_record};
use sumun_core::Record;
use sumun_log::LogId;
use sumun_wire::State as Status;

use crate::caps::{SNAPSHOT_BLOCK_BYTES, SNAPSHOT_BLOCK_BYTES_MAX};
use crate::keeper::About;

pub const FORMAT: u32 = 1;
const MAGIC: [u8; 8] = *b"sumunsnp";
const HEADER_BYTES: usize = 8 + 4 + 4 + 16 + 6 * 8 + 4;
const FOOTER_BYTES: usize = 6 * 8 + 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub shard: u32,
    pub about: About,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub items: u64,
    pub lots: u64,
    pub open: u64,
    pub ended: u64,
    pub movements: u64,
    pub usages: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("this is no snapshot of Sumun")]
    NoSnapshot,
    #[error(
        "the snapshot has format {found}, newer than {FORMAT}, the newest this version reads; use the version that wrote it"
    )]
    Newer { found: u32 },
    #[error("the snapshot is damaged at offset {offset}: {why}; use another one")]
    Damaged { offset: u64, why: String },
}

impl Counts {
    pub const fn sum(&self) -> u64 {
        self.items + self.lots + self.open + self.ended + self.movements + self.usages
    }
    fn count(&mut self, record: &Record<'_>) {
        let of = match record {
            Record::Item(_) => &mut self.items,
            Record::Lot(_) => &mut self.lots,
            Record::Reservation(r) if r.state == Status::Held => &mut self.open,
            Record::Reservation(_) => &mut self.ended,
            Record::Movement(_) => &mut self.movements,
            Record::Usage(_) => &mut self.usages,
        };
        *of += 1;
    }
    const fn numbers(&self) -> [u64; 6] {
        [self.items, self.lots, self.open, self.ended, self.movements, self.usages]
    }
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.shard.to_le_bytes());
        bytes.extend(self.about.log.0);
        let About { seed, saved, newest, time, generation: (number, began), .. } = self.about;
        let numbers = [seed, saved, newest, time, u64::from(number), began];
        numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn read(from: &mut impl Read) -> Result<(Header, u32), SnapshotError> {
        let mut bytes = [0; HEADER_BYTES];
        // Magic and format first: a newer format may have another length.
        let begin = MAGIC.len() + 4;
        fill(from, &mut bytes[..begin])?.then_some(()).ok_or(SnapshotError::NoSnapshot)?;
        if bytes[..MAGIC.len()] != MAGIC {
            return Err(SnapshotError::NoSnapshot);
        }
        let found = number32(&bytes[MAGIC.len()..]);
        if found > FORMAT {
            return Err(SnapshotError::Newer { found });
        }
        if !fill(from, &mut bytes[begin..])? {
            return Err(damaged(0, "it ends within its header"));
        }
        let (told, crc) = bytes.split_at(HEADER_BYTES - 4);
        let crc = number32(crc);
        if crc32c::crc32c(told) != crc || found == 0 {
            return Err(damaged(0, "the header's checksum is another"));
        }
        let numbers = &told[32..].as_chunks::<8>().0;
        let at = |place: usize| u64::from_le_bytes(numbers[place]);
        let log = LogId(told[16..32].try_into().expect("16 bytes"));
        let number = u32::try_from(at(4)).map_err(|_| damaged(0, "its generation has no such number"))?;
        let about = About { log, seed: at(0), saved: at(1), newest: at(2), time: at(3), generation: (number, at(5)) };
        Ok((Header { shard: number32(&told[12..]), about }, crc))
    }
}

/// Writes a snapshot.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    block: Vec<u8>,
    record: Vec<u8>,
    in_block: u32,
    blocks: u32,
    crc: u32,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    pub fn new(mut out: W, header: &Header) -> io::Result<Writer<W>> {
        let bytes = header.encode();
        out.write_all(&bytes)?;
        let crc = number32(&bytes[HEADER_BYTES - 4..]);
        let (block, record) = (Vec::with_capacity(SNAPSHOT_BLOCK_BYTES), Vec::new());
        Ok(Writer { out, block, record, in_block: 0, blocks: 0, crc, counts: Counts::default() })
    }

    /// `turning`: it stands among what retention takes away. Of one key the newest comes last.
    pub fn put(&mut self, record: &Record<'_>, turning: bool) -> io::Result<()> {
        self.record.clear();
        encode_record(record, &mut self.record);
        self.counts.count(record);
        self.block.push(u8::from(turning));
        let mut length = self.record.len();
        while length >= 0x80 {
            self.block.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.block.push(length as u8);
        self.block.extend_from_slice(&self.record);
        self.in_block += 1;
        if self.block.len() >= SNAPSHOT_BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        assert!(self.block.len() <= SNAPSHOT_BLOCK_BYTES_MAX, "a record is far shorter than a block may be");
        self.frame(self.block.len() as u32, self.in_block)?;
        self.out.write_all(&self.block)?;
        self.block.clear();
        self.in_block = 0;
        self.blocks += 1;
        Ok(())
    }

    fn frame(&mut self, length: u32, count: u32) -> io::Result<()> {
        self.crc = chain(self.crc, length, count, &self.block);
        for number in [length, count, self.crc] {
            self.out.write_all(&number.to_le_bytes())?;
        }
        Ok(())
    }

    /// Writes what is left, and the footer.
    pub fn finish(mut self) -> io::Result<(W, Counts)> {
        self.flush()?;
        self.frame(0, self.blocks)?;
        let footer: Vec<u8> = self.counts.numbers().iter().flat_map(|number| number.to_le_bytes()).collect();
        self.out.write_all(&footer)?;
        self.out.write_all(&crc32c::crc32c_append(self.crc, &footer).to_le_bytes())?;
        self.out.flush()?;
        Ok((self.out, self.counts))
    }
}

/// Reads a snapshot. Nothing of it is to be trusted before all has been read.
#[derive(Debug)]
pub struct Snapshot<R> {
    from: R,
    header: Header,
    crc: u32,
    offset: u64,
}

impl<R: Read> Snapshot<R> {
    pub fn open(mut from: R) -> Result<Snapshot<R>, SnapshotError> {
        let (header, crc) = Header::read(&mut from)?;
        Ok(Snapshot { from, header, crc, offset: HEADER_BYTES as u64 })
    }

    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Gives each record and whether it stands among what retention takes away; checks all of the snapshot.
    pub fn each<E: From<SnapshotError>>(
        mut self,
        visit: &mut dyn FnMut(&Record<'_>, bool) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let (mut counts, mut blocks, mut bytes) = (Counts::default(), 0_u32, Vec::new());
        while let Some(count) = self.block(blocks, &mut bytes)? {
            let mut rest = bytes.as_slice();
            for _ in 0..count {
                let (turning, record) = record(&mut rest).map_err(|why| damaged(self.offset, why))?;
                counts.count(&record);
                visit(&record, turning)?;
            }
            if !rest.is_empty() {
                return Err(damaged(self.offset, "a block holds more than it says").into());
            }
            self.offset += (BLOCK_HEAD_BYTES + bytes.len()) as u64;
            blocks += 1;
        }
        self.footer(&counts)?;
        Ok(counts)
    }

    /// How many records the next block holds, `None` at the footer.
    fn block(&mut self, blocks: u32, bytes: &mut Vec<u8>) -> Result<Option<u32>, SnapshotError> {
        let mut head = [0; BLOCK_HEAD_BYTES];
        if !fill(&mut self.from, &mut head)? {
            return Err(damaged(self.offset, "it ends without its footer"));
        }
        let [length, count, crc] = [0, 4, 8].map(|at| number32(&head[at..]));
        if length as usize > SNAPSHOT_BLOCK_BYTES_MAX {
            return Err(damaged(self.offset, "a block is longer than any"));
        }
        bytes.resize(length as usize, 0);
        if !fill(&mut self.from, bytes)? {
            return Err(damaged(self.offset, "it ends within a block"));
        }
        self.crc = chain(self.crc, length, count, bytes);
        if self.crc != crc {
            return Err(damaged(self.offset, "a block's checksum is another"));
        }
        match length {
            0 if count == blocks => Ok(None),
            0 => Err(damaged(self.offset, format!("it says {count} blocks and has {blocks}"))),
            _ => Ok(Some(count)),
        }
    }

    fn footer(&mut self, counts: &Counts) -> Result<(), SnapshotError> {
        let mut bytes = [0; FOOTER_BYTES];
        if !fill(&mut self.from, &mut bytes)? {
            return Err(damaged(self.offset, "it ends within its footer"));
        }
        let (told, crc) = bytes.split_at(FOOTER_BYTES - 4);
        if crc32c::crc32c_append(self.crc, told) != number32(crc) {
            return Err(damaged(self.offset, "the footer's checksum is another"));
        }
        let numbers = counts.numbers();
        if told.as_chunks::<8>().0.iter().zip(numbers).any(|(told, found)| u64::from_le_bytes(*told) != found) {
            return Err(damaged(self.offset, "the footer counts other records"));
        }
        if fill(&mut self.from, &mut [0])? {
            return Err(damaged(self.offset, "bytes stand behind its footer"));
        }
        Ok(())
    }
}

const BLOCK_HEAD_BYTES: usize = 12;

fn chain(before: u32, length: u32, count: u32, bytes: &[u8]) -> u32 {
    let crc = crc32c::crc32c_append(before, &length.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &count.to_le_bytes()), bytes)
}

fn record<'a>(rest: &mut &'a [u8]) -> Result<(bool, Record<'a>), String> {
    let mut byte = || {
        let (first, behind) = rest.split_first().ok_or("a record is cut")?;
        *rest = behind;
        Ok::<u8, String>(*first)
    };
    let turning = match byte()? {
        0 => false,
        1 => true,
        other => return Err(format!("a record stands at a place {other}")),
    };
    let mut length = 0_usize;
    for shift in (0..28).step_by(7) {
        let low = byte()?;
        length |= usize::from(low & 0x7f) << shift;
        if low & 0x80 == 0 {
            let (bytes, behind) = rest.split_at_checked(length).ok_or("a record is cut")?;
            *rest = behind;
            return decode_record(bytes).map(|record| (turning, record)).map_err(|error| error.to_string());
        }
    }
    Err("a record is longer than any".to_owned())
}

fn damaged(offset: u64, why: impl Into<String>) -> SnapshotError {
    SnapshotError::Damaged { offset, why: why.into() }
}

fn number32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(*bytes.first_chunk().expect("whoever asks has looked at the length"))
}

/// `false` when it ends before.
fn fill(from: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match from.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
