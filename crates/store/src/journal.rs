//! A look at fjall's journals before it reads them. Its replay ends without a word at what it cannot read, which may
//! be in the middle, and some tables then hold chunks that others lack; a checksum that is wrong in a torn tail it
//! refuses.
//! So: journals must follow each other without a gap; one that is sealed must be valid to its end; the last one is cut
//! where its first invalid batch begins (what is cut is kept in `torn` beside `db`), unless what follows proves that a
//! synced chunk would be lost.
//! What is answered from a journal was on the device: each is synced and dropped from the page cache before it is
//! read, since a sync that failed once leaves pages in the cache that the next one takes for clean.
//! A journal may be sealed only when it is long, and most of it lies in sorted files by then. What does is cut off its front:
//! it is written anew without that, and takes the old one's name. fjall's replay takes 2 us a change, flushed or not.
//!
//! Format, as of fjall 3: a batch is `1, count u32, number u64`; a put or removal each `2, kind u8, compression u8,
//! table u64, key length u16, value length u32 twice, key, value`; then `3, xxh3 of these u64, "FJL" 3`. Numbers are
//! little-endian.
//! Space laid out ahead is zeros. Never here: what it means, but for the ledger's row.

use crate::StoreError;
use crate::caps::{CHUNK_BYTES_MAX, FRONT_BYTES_MIN, FRONT_PART, WINDOW_BYTES};
use crate::ledger::{Ledger, ROW};
use rustix::fs::Advice;
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

const HEAD_BYTES: usize = 13;
const ITEM_HEAD_BYTES: usize = 21;
const END_BYTES: usize = 13;
const TRAILER: [u8; 4] = *b"FJL\x03";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// Length of the journal that is written on.
    pub(crate) bytes: u64,
    pub(crate) cut_bytes: u64,
}

/// How many bytes fjall writes for a batch of so many changes with so many bytes of keys and values.
pub(crate) fn batch_bytes(changes: usize, bytes: usize) -> u64 {
    (HEAD_BYTES + changes * ITEM_HEAD_BYTES + bytes + END_BYTES) as u64
}

pub(crate) fn check(dir: &Path) -> Result<Checked, StoreError> {
    let journals = list(dir)?;
    let damaged = |why: String| StoreError::Damaged { dir: dir.to_owned(), why };
    let (mut last, mut walked) = (None, Vec::new());
    let mut checked = Checked::default();
    for (index, (number, path)) in journals.iter().enumerate() {
        if let Some((before, _)) = index.checked_sub(1).and_then(|before| journals.get(before))
            && before + 1 != *number
        {
            return Err(damaged(format!("its journal {} is missing", before + 1)));
        }
        let file = File::options().read(true).write(true).open(path)?;
        read_anew(&file)?;
        let mut walk = Walk { window: Window::new(&file)?, at: 0, last, ends: Vec::new() };
        walk.pass_valid()?;
        let sealed = index + 1 < journals.len();
        let rest = walk.rest_bytes()?;
        if rest > 0 && (sealed || walk.proves_loss()?) {
            let after = walk.last.map_or(0, |last| last.chunk);
            return Err(damaged(format!("journal {number} is unreadable at offset {}, after chunk {after}", walk.at)));
        }
        if rest > 0 {
            let at = walk.at;
            // Best effort, for people to look at: on a full disk there is no room for it.
            let _ = keep_aside(&file, at, &dir.with_file_name("torn"));
            file.set_len(at)?;
            file.sync_all()?;
        }
        last = walk.last;
        checked = Checked { bytes: walk.at, cut_bytes: rest };
        walked.push((walk.ends, walk.at));
    }
    let flushed = last.map_or(0, |last| last.flushed);
    for ((_, path), (ends, length)) in journals.iter().zip(walked) {
        let front = ends.iter().take_while(|(chunk, _)| *chunk <= flushed).last().map_or(0, |(_, end)| *end);
        checked.bytes = cut_front(path, front, length)?;
    }
    Ok(checked)
}

/// Cuts the front off, if it is worth the copy of the rest, and says how long the journal is then.
fn cut_front(path: &Path, front: u64, length: u64) -> Result<u64, StoreError> {
    if front < FRONT_BYTES_MIN.max((length - front) / FRONT_PART) {
        return Ok(length);
    }
    let Some(folder) = path.parent() else { return Ok(length) };
    let new = folder.with_file_name("journal.new");
    // The long journal serves as well, if there is no room for another.
    if copy_from(path, front, length - front, &new).is_err() {
        let _ = std::fs::remove_file(&new);
        return Ok(length);
    }
    std::fs::rename(&new, path)?;
    File::open(folder)?.sync_all()?;
    Ok(length - front)
}

fn copy_from(from: &Path, at: u64, length: u64, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    from.seek(SeekFrom::Start(at))?;
    let mut new = File::options().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let copied = io::copy(&mut from.take(length), &mut new)?;
    if copied < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    new.sync_all()
}

fn keep_aside(mut file: &File, at: u64, path: &Path) -> io::Result<u64> {
    let mut aside = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.seek(SeekFrom::Start(at))?;
    io::copy(&mut file, &mut aside)
}

fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".jnl"));
        if let Some(number) = name.and_then(|name| name.parse::<u64>().ok()) {
            journals.push((number, path));
        }
    }
    journals.sort();
    Ok(journals)
}

// What the page cache holds reaches the device, or is forgotten.
fn read_anew(file: &File) -> io::Result<()> {
    file.sync_all()?;
    Ok(rustix::fs::fadvise(file, 0, None, Advice::DontNeed)?)
}

struct Walk<'a> {
    window: Window<'a>,
    at: u64,
    last: Option<Written>,
    /// Where the batch of each chunk ends: 16 bytes for each, of a journal of some 64 MB.
    ends: Vec<(u64, u64)>,
}

/// What the ledger's row said last.
#[derive(Clone, Copy, Debug)]
struct Written {
    chunk: u64,
    flushed: u64,
}

struct Batch {
    next: u64,
    ledger: Option<Ledger>,
}

impl Walk<'_> {
    fn pass_valid(&mut self) -> io::Result<()> {
        while let Some(batch) = self.window.batch(self.at)? {
            self.at = batch.next;
            if let Some(Ledger { chunk, flushed, .. }) = batch.ledger {
                self.last = Some(Written { chunk, flushed });
                self.ends.push((chunk, batch.next));
            }
        }
        Ok(())
    }

    /// How long that is what follows, without the zeros at its end.
    fn rest_bytes(&mut self) -> io::Result<u64> {
        let (mut at, mut end) = (self.at, self.at);
        while let Some(data) = next_data(self.window.file, at)? {
            let Some(bytes) = self.window.some(data)? else { break };
            if let Some(index) = bytes.iter().rposition(|byte| *byte != 0) {
                end = data + index as u64 + 1;
            }
            at = data + bytes.len() as u64;
        }
        Ok(end - self.at)
    }

    /// Whether a whole batch follows that was written when a chunk that is missing here had been synced.
    fn proves_loss(&mut self) -> io::Result<bool> {
        let mut first_missing = self.last.map(|last| last.chunk + 1);
        let mut at = self.at;
        while let Some(found) = self.window.find_trailer(at)? {
            at = found;
            while let Some(batch) = self.window.batch(at)? {
                at = batch.next;
                let Some(ledger) = batch.ledger else { continue };
                let missing = *first_missing.get_or_insert(ledger.chunk.saturating_sub(1));
                if ledger.synced >= missing && ledger.chunk > missing {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// Where the next bytes lie that were written: what was laid out ahead is a hole, which need not be read.
fn next_data(file: &File, at: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => Ok(Some(data)),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

struct Window<'a> {
    file: &'a File,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    fn new(file: &File) -> io::Result<Window<'_>> {
        Ok(Window { file, length: file.metadata()?.len(), start: 0, bytes: Vec::new() })
    }

    /// `length` bytes from `at`; `None` where the file ends before.
    fn get(&mut self, at: u64, length: usize) -> io::Result<Option<&[u8]>> {
        if at + length as u64 > self.length {
            return Ok(None);
        }
        let held = at >= self.start && at + length as u64 <= self.start + self.bytes.len() as u64;
        if !held {
            let rest = usize::try_from(self.length - at).unwrap_or(usize::MAX);
            self.bytes.resize(length.max(WINDOW_BYTES).min(rest), 0);
            self.start = at;
            self.file.read_exact_at(&mut self.bytes, at)?;
        }
        let from = usize::try_from(at - self.start).expect("within the window");
        Ok(Some(&self.bytes[from..from + length]))
    }

    /// Some bytes from `at`; `None` at the end of the file.
    fn some(&mut self, at: u64) -> io::Result<Option<&[u8]>> {
        let rest = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        if rest == 0 { Ok(None) } else { self.get(at, rest.min(WINDOW_BYTES)) }
    }

    /// Where the next trailer from `at` on ends.
    fn find_trailer(&mut self, mut at: u64) -> io::Result<Option<u64>> {
        while let Some(bytes) = self.some(at)? {
            let length = bytes.len();
            if let Some(index) = bytes.windows(TRAILER.len()).position(|window| window == TRAILER) {
                return Ok(Some(at + (index + TRAILER.len()) as u64));
            }
            if length < TRAILER.len() {
                break;
            }
            at += (length - TRAILER.len() + 1) as u64;
        }
        Ok(None)
    }

    /// The batch at `at`, if there is a valid one.
    fn batch(&mut self, mut at: u64) -> io::Result<Option<Batch>> {
        let Some(head) = self.get(at, HEAD_BYTES)? else { return Ok(None) };
        if head[0] != 1 {
            return Ok(None);
        }
        let count = u32::from_le_bytes(array(&head[1..]));
        at += HEAD_BYTES as u64;
        let mut hash = Xxh3::new();
        let mut ledger = None;
        for _ in 0..count {
            let Some(head) = self.get(at, ITEM_HEAD_BYTES)? else { return Ok(None) };
            let key_bytes = usize::from(u16::from_le_bytes(array(&head[11..])));
            let value_bytes = u32::from_le_bytes(array(&head[17..])) as usize;
            if head[0] != 2 || head[2] != 0 || value_bytes > CHUNK_BYTES_MAX {
                return Ok(None);
            }
            let length = ITEM_HEAD_BYTES + key_bytes + value_bytes;
            let Some(item) = self.get(at, length)? else { return Ok(None) };
            hash.update(item);
            let (key, value) = item[ITEM_HEAD_BYTES..].split_at(key_bytes);
            if key == ROW {
                ledger = Ledger::decode(value).ok();
            }
            at += length as u64;
        }
        let Some(end) = self.get(at, END_BYTES)? else { return Ok(None) };
        let valid = end[0] == 3 && u64::from_le_bytes(array(&end[1..])) == hash.digest() && end[9..] == TRAILER;
        Ok(valid.then_some(Batch { next: at + END_BYTES as u64, ledger }))
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("lengths were checked")
}
