//! Laying out space for segments to come, and letting go of old ones: work that the crew does beside the log.
//! Segments leave oldest first, each durably before the next, so that a gap is never anything but damage.
//! Never here: headers, frames.

use crate::caps::ZERO_BYTES;
use crate::disk::{Disk, File, Open, write_all};
use crate::segment::segment_name;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file with space for a segment, under a name of no meaning.
#[derive(Debug)]
pub(crate) struct Laid {
    pub(crate) file: Arc<dyn File>,
    pub(crate) path: PathBuf,
    pub(crate) capacity: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Written with zeros and synced: a commit then changes nothing but its own bytes.
    Zeros,
    /// Only reserved: quick to have, slower to write.
    Reserve,
}

pub(crate) fn lay_out(
    disk: &dyn Disk,
    path: &Path,
    capacity: u64,
    fill: Fill,
    cancelled: &AtomicBool,
) -> io::Result<Laid> {
    let file = disk.open(path, Open::Create)?;
    let laid = file.allocate(capacity).and_then(|()| match fill {
        Fill::Zeros => zero(&*file, capacity, cancelled),
        Fill::Reserve => Ok(()),
    });
    match laid {
        Ok(()) => Ok(Laid { file, path: path.to_owned(), capacity }),
        Err(error) => {
            // Best effort: the next open removes it too.
            let _ = disk.remove(path);
            Err(error)
        }
    }
}

fn zero(file: &dyn File, capacity: u64, cancelled: &AtomicBool) -> io::Result<()> {
    let zeros = vec![0; usize::try_from(capacity).unwrap_or(usize::MAX).min(ZERO_BYTES)];
    let mut at = 0;
    while at < capacity {
        if cancelled.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let part = usize::try_from(capacity - at).unwrap_or(usize::MAX).min(zeros.len());
        write_all(file, &mut [IoSlice::new(&zeros[..part])], at)?;
        file.sync()?;
        at += part as u64;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Chore {
    Remove(u64),
    /// Gives back the space behind the end of a segment that is no longer the last.
    Shorten {
        segment: u64,
        end: u64,
    },
}

/// Does the chores in order, up to the first that fails; says how many are done.
pub(crate) fn do_chores(disk: &dyn Disk, dir: &Path, chores: &[Chore], cancelled: &AtomicBool) -> usize {
    for (done, chore) in chores.iter().enumerate() {
        if cancelled.load(Ordering::Relaxed) || do_chore(disk, dir, *chore).is_err() {
            return done;
        }
    }
    chores.len()
}

fn do_chore(disk: &dyn Disk, dir: &Path, chore: Chore) -> io::Result<()> {
    let done = match chore {
        Chore::Remove(segment) => {
            match disk.remove(&dir.join(segment_name(segment))) {
                // Its name may be gone from memory alone: an earlier attempt may have failed after the removal.
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => disk.sync_dir(dir),
            }
        }
        Chore::Shorten { segment, end } => {
            disk.open(&dir.join(segment_name(segment)), Open::Write).and_then(|file| shorten(&*file, end))
        }
    };
    done.or_else(unless_gone)
}

fn shorten(file: &dyn File, end: u64) -> io::Result<()> {
    if file.length()? > end { file.set_length(end) } else { Ok(()) }
}

fn unless_gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
