//! Frames, as the specification in `crates/log/src/segment.rs` has them, and nothing of the code that reads them.

use crate::world::Files;
use sumun_log::Position;

pub(crate) const HEADER: usize = 512;
pub(crate) const FRAMES: usize = 4096;

#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) payload: &'a [u8],
}

/// The whole frame of data at a place, or why there is none.
pub(crate) fn frame(files: &Files, at: Position) -> Result<Frame<'_>, &'static str> {
    let segment = files.get(&at.segment).ok_or("no segment")?;
    if segment.len() < FRAMES || at.offset < FRAMES as u64 {
        return Err("no place for frames");
    }
    let header = &segment[..HEADER];
    let bytes = usize::try_from(at.offset).ok().and_then(|offset| segment.get(offset..)).ok_or("outside")?;
    let head = bytes.get(..64).ok_or("short")?;
    let payload = bytes.get(64..64 + u32_at(head, 44) as usize).ok_or("short payload")?;
    let sound = [
        (head[..4] == *b"\xff\xfeSF", "magic"),
        (head[4] == 1, "kind"),
        (head[8..24] == header[16..32], "log id"),
        (head[24..32] == header[40..48], "epoch"),
        (head[52..56] == header[12..16], "shard"),
        (u32_at(head, 56) == header_crc(at, head), "checksum of its header"),
        (u32_at(head, 60) == crc32c::crc32c_append(header_crc(at, head), payload), "checksum"),
        (u32_at(header, 508) == crc32c::crc32c(&header[..508]), "checksum of the segment's header"),
    ];
    match sound.iter().find(|(holds, _)| !holds) {
        Some((_, what)) => Err(what),
        None => Ok(Frame { first: u64_at(head, 32), count: u32_at(head, 40), payload }),
    }
}

/// The checksum of segment number, offset and bytes 0 to 56.
pub(crate) fn header_crc(at: Position, head: &[u8]) -> u32 {
    let place = [at.segment.to_le_bytes(), at.offset.to_le_bytes()].concat();
    crc32c::crc32c_append(crc32c::crc32c(&place), &head[..56])
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}
