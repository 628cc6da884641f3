//! A directory out of an input that says all of it. What an input would have to guess can be asked for instead: checksums,
//! so that the fuzzer gets behind them to what they guard.
//!
//! Of each segment: number u8, seals u8, length u16 (little-endian), and as many bytes: the first 84 are the beginning of
//! its header, the others its frames. What lies between is zeros, since it is never read.

use crate::spec::{FRAMES, HEADER, header_crc, u32_at};
use crate::world::Files;
use sumun_log::Position;

/// Of the segment's header.
const SEAL_HEADER: u8 = 1;
/// Of the frames, one after the other as their lengths say.
const SEAL_FRAMES: u8 = 2;
/// The checksum of the one before in each frame.
const CHAIN_FRAMES: u8 = 4;
/// In the header, where the segment before ends: what the segment assembled before this one came to.
const CHAIN_SEGMENTS: u8 = 8;

const SEGMENTS_MAX: usize = 6;
const HEADER_GIVEN: usize = 84;

/// Where the segment assembled last ends: offset and checksum.
type Ended = (u64, u32);

pub(crate) fn files(mut input: &[u8]) -> Files {
    let mut files = Files::new();
    let mut ended = (0, 0);
    while let Some((&[number, seals, low, high], rest)) = input.split_first_chunk()
        && files.len() < SEGMENTS_MAX
    {
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        input = rest;
        let number = match number {
            0xff => u64::MAX,
            0xfe => u64::MAX - 1,
            small => u64::from(small).max(1),
        };
        let (segment, end) = segment(number, seals, bytes, ended);
        ended = end;
        files.insert(number, segment);
    }
    files
}

fn segment(number: u64, seals: u8, bytes: &[u8], before: Ended) -> (Vec<u8>, Ended) {
    let (header, frames) = bytes.split_at(bytes.len().min(HEADER_GIVEN));
    if header.len() < HEADER_GIVEN {
        return (header.to_vec(), before);
    }
    let mut segment = vec![0; FRAMES];
    segment[..HEADER_GIVEN].copy_from_slice(header);
    if seals & CHAIN_SEGMENTS != 0 {
        segment[64..72].copy_from_slice(&before.0.to_le_bytes());
        segment[80..84].copy_from_slice(&before.1.to_le_bytes());
    }
    if seals & SEAL_HEADER != 0 {
        let crc = crc32c::crc32c(&segment[..HEADER - 4]);
        segment[HEADER - 4..HEADER].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = u32_at(&segment, HEADER - 4);
    segment.extend_from_slice(frames);
    let end = seal(number, &mut segment, seals, crc);
    (segment, end)
}

/// Fills in what was asked for, from frame to frame; says where the last whole one ends.
fn seal(number: u64, segment: &mut [u8], seals: u8, crc: u32) -> Ended {
    let (mut offset, mut crc) = (FRAMES, crc);
    while let Some(bytes) = segment.get_mut(offset..)
        && bytes.len() >= 64
    {
        if seals & CHAIN_FRAMES != 0 {
            bytes[48..52].copy_from_slice(&crc.to_le_bytes());
        }
        let length = u32_at(bytes, 44) as usize;
        if seals & SEAL_FRAMES != 0 {
            let of_header = header_crc(Position { segment: number, offset: offset as u64 }, bytes);
            bytes[56..60].copy_from_slice(&of_header.to_le_bytes());
            let payload = bytes.get(64..64 + length).unwrap_or_default();
            let of_all = crc32c::crc32c_append(of_header, payload);
            bytes[60..64].copy_from_slice(&of_all.to_le_bytes());
        }
        if bytes.len() - 64 < length {
            break;
        }
        crc = u32_at(bytes, 60);
        offset += 64 + length;
    }
    (offset as u64, crc)
}
