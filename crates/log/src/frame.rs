//! A frame: one batch with a header of 64 bytes in front. The format is specified in `segment.rs`.
//! Never here: files, segments, what a batch means.

use crate::{LogId, Position};
use std::fmt;

pub(crate) const FRAME_HEADER_BYTES: usize = 64;
/// No UTF-8 text holds these bytes, so none that a client sends can be taken for a frame.
pub(crate) const FRAME_MAGIC: [u8; 4] = [0xff, 0xfe, b'S', b'F'];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    /// Written last at a clean stop.
    Closing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) id: LogId,
    pub(crate) shard: u32,
    pub(crate) epoch: u64,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) length: u32,
    pub(crate) before: u32,
    /// Its own checksum; 0 until encoded.
    pub(crate) crc: u32,
    header_crc: u32,
}

/// What is wrong with bytes that should be a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    NoFrame,
    Header,
    Kind(u8),
    Checksum,
    CutShort,
    TooLong,
    /// A whole frame, but not the one that belongs there.
    Foreign(&'static str),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::NoFrame => f.write_str("no frame begins there"),
            Flaw::Header => f.write_str("the checksum of a frame's header does not match"),
            Flaw::Kind(kind) => write!(f, "a frame is of unknown kind {kind}"),
            Flaw::Checksum => f.write_str("the checksum of a frame does not match"),
            Flaw::CutShort => f.write_str("the file ends within a frame"),
            Flaw::TooLong => f.write_str("a frame is longer than any may be"),
            Flaw::Foreign(what) => write!(f, "a frame has another {what} than the one before calls for"),
        }
    }
}

/// What the frame at a place must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) next: u64,
    pub(crate) crc: u32,
}

impl Head {
    pub(crate) fn new(kind: Kind, id: LogId, shard: u32, epoch: u64) -> Head {
        Head { kind, id, shard, epoch, first: 0, count: 0, length: 0, before: 0, crc: 0, header_crc: 0 }
    }

    /// The header's bytes for a frame at `at`; notes its checksum.
    pub(crate) fn encode(&mut self, at: Position, payload: &[u8]) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        bytes[4] = match self.kind {
            Kind::Data => 1,
            Kind::Closing => 2,
        };
        bytes[8..24].copy_from_slice(&self.id.0);
        bytes[24..32].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.first.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.count.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.length.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.before.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.shard.to_le_bytes());
        self.header_crc = header_crc(at, &bytes);
        bytes[56..60].copy_from_slice(&self.header_crc.to_le_bytes());
        self.crc = crc32c::crc32c_append(self.payload_seed(), payload);
        bytes[60..64].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// Reads a header that stands at `at`; the payload is not looked at.
    pub(crate) fn decode(at: Position, bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<Head, Flaw> {
        if bytes[..4] != FRAME_MAGIC {
            return Err(Flaw::NoFrame);
        }
        let header_crc = header_crc(at, bytes);
        if u32_at(bytes, 56) != header_crc {
            return Err(Flaw::Header);
        }
        let kind = match bytes[4] {
            1 => Kind::Data,
            2 => Kind::Closing,
            other => return Err(Flaw::Kind(other)),
        };
        Ok(Head {
            kind,
            id: LogId(bytes[8..24].try_into().expect("16 bytes")),
            epoch: u64_at(bytes, 24),
            first: u64_at(bytes, 32),
            count: u32_at(bytes, 40),
            length: u32_at(bytes, 44),
            before: u32_at(bytes, 48),
            shard: u32_at(bytes, 52),
            crc: u32_at(bytes, 60),
            header_crc,
        })
    }

    /// What the checksum of the payload goes on from: that of the header. Not of the header with its checksum behind it,
    /// which is the same for all headers.
    pub(crate) fn payload_seed(&self) -> u32 {
        self.header_crc
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.length)
    }

    /// Sequence after the last event in it. A frame that could not be counted on from ends where it begins.
    pub(crate) fn next(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    pub(crate) fn follows(&self, expected: Expected) -> Result<(), Flaw> {
        if self.first != expected.next {
            return Err(Flaw::Foreign("sequence"));
        }
        if self.before != expected.crc {
            return Err(Flaw::Foreign("checksum of the frame before"));
        }
        Ok(())
    }
}

// The place is part of the checksum: a frame that was written elsewhere, or earlier in a recycled file, is none.
fn header_crc(at: Position, bytes: &[u8; FRAME_HEADER_BYTES]) -> u32 {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&at.segment.to_le_bytes());
    place[8..].copy_from_slice(&at.offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), &bytes[..56])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}
