//! Segments: the files that a log is made of. This is the specification of format 1, byte by byte.
//!
//! # Directory
//!
//! `<data>/lock` is locked by whoever writes, before a byte is read. `<data>/<shard>/log` (mode 0700) holds
//!
//! | name | what |
//! |---|---|
//! | `000000000001.log` | segment 1: its number in decimal, at least 12 digits |
//! | `spare-…` | space laid out for a segment to come; means nothing, removed at the next open |
//! | `torn-000000000001-4096` | a copy of bytes that were cut: segment and offset where they stood; never read |
//!
//! Numbers grow, with gaps; 0 is none. A segment gets its name only after its header is durable, so that a named segment
//! without a valid header is damage.
//!
//! # Segment
//!
//! All integers are little-endian and unsigned; all checksums are CRC32C (Castagnoli). A header of 512 bytes, one sector:
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `ff fe` and `SUMLOG` |
//! | 8 | 4 | format, 1. Magic, format and the checksum stand where they stand in every format |
//! | 12 | 4 | shard |
//! | 16 | 16 | log id |
//! | 32 | 8 | number of this segment |
//! | 40 | 8 | epoch: which open of the log wrote it, from 1 |
//! | 48 | 8 | first sequence: of the first event that it will hold, from 1 |
//! | 56 | 8 | number of the segment before, 0 for none |
//! | 64 | 8 | where that one ends: offset |
//! | 72 | 8 | … sequence of the last event up to there, 0 for none |
//! | 80 | 4 | … checksum of the last frame there, or of its header when it has no frame; 0 for none |
//! | 84 | 424 | zeros |
//! | 508 | 4 | checksum of bytes 0 to 508 |
//!
//! Bytes 512 to 4096 are never read. Frames stand from 4096 on, one after the other without gaps. A segment ends where the
//! header of the next one says; what stands behind that is never read, and may be cut off. The last segment ends at its closing
//! frame, or else where the first invalid frame is. No byte needs to be zero there: files may be recycled.
//!
//! A segment whose number is larger than that of a segment but which no later one names as the one before was begun and given
//! up before anything was appended to it. It means nothing.
//!
//! # Frame
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `ff fe` and `SF` |
//! | 4 | 1 | kind: 1 data, 2 closing (a clean stop; no events, no payload; nothing follows it in its segment) |
//! | 5 | 3 | zeros |
//! | 8 | 16 | log id |
//! | 24 | 8 | epoch |
//! | 32 | 8 | sequence of the first event; of a closing frame: of the next |
//! | 40 | 4 | events in it, at least 1; 0 in a closing frame |
//! | 44 | 4 | bytes of payload, at most 64 MiB |
//! | 48 | 4 | checksum of the frame before (at 60 there); of the segment's header (at 508 there) for the first |
//! | 52 | 4 | shard |
//! | 56 | 4 | checksum of: segment number (8 bytes), offset of the frame (8 bytes), bytes 0 to 56 |
//! | 60 | 4 | checksum of: segment number, offset, bytes 0 to 56, payload |
//! | 64 | | payload |
//!
//! A frame is written only after the sync of the one before. So an invalid frame behind which a later valid header stands had
//! been durable: damage. Otherwise it was on its way when the writer died: a torn tail, cut. Assumed of the disk: a sector of
//! 512 bytes is written whole or not at all, and a rewritten one never loses what it held before.

use crate::LogId;
use crate::frame::{u32_at, u64_at};

pub const FORMAT: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 512;
pub(crate) const FRAMES_BEGIN: u64 = 4096;
const MAGIC: [u8; 8] = *b"\xff\xfeSUMLOG";
const SUFFIX: &str = ".log";

/// Where a segment ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// 0: there is no segment.
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// Sequence of the last event up to here.
    pub(crate) last: u64,
    pub(crate) crc: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) shard: u32,
    pub(crate) id: LogId,
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    pub(crate) first: u64,
    pub(crate) before: End,
    /// Its own checksum; 0 until encoded.
    pub(crate) crc: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    Invalid(&'static str),
    Newer(u32),
}

impl Header {
    pub(crate) fn encode(&mut self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.shard.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.id.0);
        bytes[32..40].copy_from_slice(&self.number.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.first.to_le_bytes());
        bytes[56..64].copy_from_slice(&self.before.segment.to_le_bytes());
        bytes[64..72].copy_from_slice(&self.before.offset.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.before.last.to_le_bytes());
        bytes[80..84].copy_from_slice(&self.before.crc.to_le_bytes());
        self.crc = crc32c::crc32c(&bytes[..508]);
        bytes[508..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Header, BadHeader> {
        if bytes[..8] != MAGIC {
            return Err(BadHeader::Invalid("its header is not that of a segment"));
        }
        let crc = crc32c::crc32c(&bytes[..508]);
        if u32_at(bytes, 508) != crc {
            return Err(BadHeader::Invalid("the checksum of its header does not match"));
        }
        match u32_at(bytes, 8) {
            FORMAT => {}
            0 => return Err(BadHeader::Invalid("its header names no format")),
            newer => return Err(BadHeader::Newer(newer)),
        }
        let before = End {
            segment: u64_at(bytes, 56),
            offset: u64_at(bytes, 64),
            last: u64_at(bytes, 72),
            crc: u32_at(bytes, 80),
        };
        Ok(Header {
            shard: u32_at(bytes, 12),
            id: LogId(bytes[16..32].try_into().expect("16 bytes")),
            number: u64_at(bytes, 32),
            epoch: u64_at(bytes, 40),
            first: u64_at(bytes, 48),
            before,
            crc,
        })
    }

    /// Where the segment ends while it holds nothing.
    pub(crate) fn empty_end(&self) -> End {
        End { segment: self.number, offset: FRAMES_BEGIN, last: self.first.saturating_sub(1), crc: self.crc }
    }
}

pub fn segment_name(number: u64) -> String {
    format!("{number:012}{SUFFIX}")
}

/// The number in a segment's name; `None` for any other name.
pub fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (number != 0 && segment_name(number) == name).then_some(number)
}

pub(crate) const SPARE_PREFIX: &str = "spare-";

pub(crate) fn torn_name(segment: u64, offset: u64) -> String {
    format!("torn-{segment:012}-{offset}")
}
