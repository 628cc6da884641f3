//! The real disk: Linux system calls, as thin as they can be.
//! Never here: retries other than of interrupted calls, policy.

use crate::disk::{Disk, File, Held, Open};
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(fs::File);

#[derive(Debug)]
struct RealLock {
    #[expect(dead_code, reason = "closing it gives the lock back")]
    file: fs::File,
}

impl Held for RealLock {}

impl Disk for RealDisk {
    fn make_dir(&self, path: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if path.is_dir() {
                    Ok(())
                } else {
                    Err(io::ErrorKind::NotADirectory.into())
                }
            }
            other => other,
        }
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let file = match how {
            Open::Read => fs::File::open(path)?,
            Open::ReadPastCache => open_past_cache(path)?,
            Open::Write => fs::File::options().read(true).write(true).open(path)?,
            Open::Create => fs::File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?,
        };
        Ok(Arc::new(RealFile(file)))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Arc<dyn Held>>> {
        let file = fs::File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let wanted = whole_file(libc::F_WRLCK);
        // SAFETY: the descriptor is open and `wanted` outlives the call.
        match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const wanted) } {
            0 => Ok(Some(Arc::new(RealLock { file }))),
            _ => match io::Error::last_os_error() {
                error if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(None),
                error => Err(error),
            },
        }
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let file = match fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        let mut found = whole_file(libc::F_WRLCK);
        // SAFETY: the descriptor is open and `found` outlives the call.
        match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut found) } {
            0 => Ok(i32::from(found.l_type) != libc::F_UNLCK),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

// Locks of an open file description, not of a process: a second open within one process is refused too.
fn whole_file(kind: i32) -> libc::flock {
    let kind = i16::try_from(kind).expect("lock kinds are 0 to 2");
    let from = i16::try_from(libc::SEEK_SET).expect("it is 0");
    libc::flock { l_type: kind, l_whence: from, l_start: 0, l_len: 0, l_pid: 0 }
}

fn open_past_cache(path: &Path) -> io::Result<fs::File> {
    match fs::File::options().read(true).custom_flags(libc::O_DIRECT).open(path) {
        // A file system without O_DIRECT: what the cache holds is written and then dropped from it.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            let file = fs::File::open(path)?;
            file.sync_data()?;
            // SAFETY: the descriptor is open; the call takes no pointers.
            match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) } {
                0 => Ok(file),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
        other => other,
    }
}

impl File for RealFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let count = i32::try_from(parts.len()).expect("a frame has a few parts");
        let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: an IoSlice has the layout of an iovec, and the slices outlive the call.
        let written = unsafe { libc::pwritev(self.0.as_raw_fd(), parts.as_ptr().cast(), count, offset) };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let length = i64::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
        loop {
            // SAFETY: the descriptor is open; the call takes no pointers.
            if unsafe { libc::fallocate(self.0.as_raw_fd(), 0, 0, length) } == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EOPNOTSUPP) => return self.fill(bytes),
                Some(_) | None => return Err(error),
            }
        }
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl RealFile {
    // Where the file system cannot reserve, writing is the only promise of space.
    fn fill(&self, bytes: u64) -> io::Result<()> {
        let mut at = self.length()?;
        while at < bytes {
            let part = ZEROS.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
            self.0.write_all_at(&ZEROS[..part], at)?;
            at += part as u64;
        }
        Ok(())
    }
}
