//! Edits of logs that were written, so that it is known what may be found: a part of it from its beginning.
//!
//! Of each edit: what u8, segment u8, and two numbers u16 (little-endian), a place and whatever else the edit needs.

use crate::world::{self, Files, Found, Frames};
use std::sync::OnceLock;
use sumun_log::faulty::FaultyDisk;
use sumun_log::{FileLog, Log};

const SESSIONS: u64 = 3;
const EDITS_MAX: usize = 12;
const FRAMES: usize = 4096;

/// A log that was written.
#[derive(Debug)]
pub(crate) struct Original {
    pub(crate) files: Files,
    pub(crate) frames: Frames,
    /// Where the last frame begins in the last segment; what follows may have been on its way.
    last_frame: usize,
    /// Frames that stand before that.
    durable: usize,
}

impl Original {
    pub(crate) fn of(what: u8) -> &'static Original {
        let [open, closed] = written();
        if what & 1 == 0 { open } else { closed }
    }
}

/// The same log ending as after a kill, and with a closing frame. Made once.
pub(crate) fn written() -> &'static [Original; 2] {
    static WRITTEN: OnceLock<[Original; 2]> = OnceLock::new();
    WRITTEN.get_or_init(|| [write(false), write(true)])
}

fn write(close: bool) -> Original {
    let disk = FaultyDisk::new(7);
    for session in 0..SESSIONS {
        let (mut log, _) = FileLog::open(world::setup(&disk)).expect("nothing fails on this disk");
        for n in 0..4_usize {
            let text = format!("session {session} batch {n} {}", "m".repeat(40 * n));
            world::append(&mut log, 1 + n as u32, text.as_bytes());
        }
        log.tend();
        // The second session ends as by a kill: its segment has no closing frame.
        if session == 0 || (session == SESSIONS - 1 && close) {
            log.close().expect("nothing fails on this disk");
        }
    }
    let mut files = world::files(&disk, SESSIONS);
    // The next start would find zeros behind the end; an edit finds its way to the frames more easily without them.
    files.values_mut().for_each(|bytes| bytes.truncate(FRAMES + 1024));
    let (mut log, report) = FileLog::open(world::setup(&world::disk(&files))).expect("it was just written");
    let Found { at, frames, .. } = world::read_all(report.bounds.first_position, |at, bytes| log.read(at, bytes));
    assert_eq!(frames.len(), 4 * SESSIONS as usize, "all was written");
    let place = |offset: u64| usize::try_from(offset).expect("a file in memory");
    let (durable, last_frame) = if close {
        (frames.len(), place(report.bounds.end.offset) - 64)
    } else {
        (frames.len() - 1, place(at.last().expect("there are some").offset))
    };
    Original { files, frames, last_frame, durable }
}

#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) original: &'static Original,
    pub(crate) files: Files,
}

impl Edited {
    /// How many frames must be found: all that had been durable for sure, when no edit reached them.
    pub(crate) fn frames_spared(&self) -> Option<usize> {
        let spared = self.original.files.len() == self.files.len()
            && self.original.files.iter().all(|(number, original)| {
                let part = if *number == SESSIONS { ..self.original.last_frame } else { ..original.len() };
                self.files.get(number).is_some_and(|edited| edited.get(part) == Some(&original[part]))
            });
        spared.then_some(self.original.durable)
    }
}

pub(crate) fn edited(original: &'static Original, input: &[u8]) -> Edited {
    let mut files = original.files.clone();
    for edit in input.as_chunks::<6>().0.iter().take(EDITS_MAX) {
        let &[what, segment, a, b, c, d] = edit;
        let (place, extra) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let numbers: Vec<u64> = files.keys().copied().collect();
        if numbers.is_empty() {
            break;
        }
        let number = numbers[usize::from(segment) % numbers.len()];
        match what % 10 {
            0 => drop(files.remove(&number)),
            // Another name: the gap that is left, or a number beyond.
            1 => {
                let bytes = files.remove(&number).unwrap_or_default();
                files.insert(1 + u64::from(extra % 8), bytes);
            }
            other => {
                let source = files.get(&(1 + u64::from(extra % 3))).cloned().unwrap_or_default();
                edit_bytes(other, files.entry(number).or_default(), &source, place, extra);
            }
        }
    }
    Edited { original, files }
}

fn edit_bytes(what: u8, bytes: &mut Vec<u8>, source: &[u8], place: u16, extra: u16) {
    let Some(last) = bytes.len().checked_sub(1) else { return };
    // Only the header and what stands from 4096 on is ever read: places point there.
    let place = usize::from(place);
    let at = if place < 512 { place } else { FRAMES + (place - 512) % 2048 }.min(last);
    let end = (at + usize::from(extra >> 2) % 600).min(bytes.len());
    match what {
        2 => bytes[at] ^= 1 << (extra % 8),
        3 => bytes[at] = extra as u8,
        4 => bytes.truncate(at),
        5 => bytes[at..end].fill(0),
        6 => drop(bytes.drain(at..end)),
        // Bytes of another segment, or of another place of this one.
        7 | 8 => {
            let from = if what == 7 { at } else { FRAMES };
            let there = source.get(from..).unwrap_or_default();
            let length = there.len().min(end - at);
            bytes[at..at + length].copy_from_slice(&there[..length]);
        }
        _ => {
            // What stood here before is behind it once more, as in a file that is used again.
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
    }
}
