//! The disk as the log sees it: a seam, so that a faulty one can stand in its place (`faulty.rs`); `real.rs` is the real one.
//! Never here: what the bytes mean, retries, policy.

use std::fmt;
use std::io::{self, IoSlice};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    Read,
    /// For reading what the device holds, not what the page cache does. Offsets, lengths and buffers are whole `Pages`.
    ReadPastCache,
    Write,
    /// A new file, mode 0600; one that exists already is an error.
    Create,
}

pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes a directory, mode 0700. One that exists already is fine.
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Atomic; what stood under `to` is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names of the files in a directory, in no order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Locks a file, which is made if need be, until what is returned is dropped. `None`: somebody else holds it.
    fn lock(&self, path: &Path) -> io::Result<Option<Arc<dyn Held>>>;
    /// Whether somebody holds the lock; takes nothing and makes nothing.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;
}

/// A lock, held until dropped.
pub trait Held: fmt::Debug + Send + Sync {}

pub trait File: fmt::Debug + Send + Sync {
    /// Writes the parts one after the other; like the system call it may write less than asked.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;
    /// May read less than asked; 0 is the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Reserves space for the first `bytes` of the file and makes it at least that long. What is new reads as zeros.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    fn set_length(&self, bytes: u64) -> io::Result<()>;
    fn length(&self) -> io::Result<u64>;
    /// Makes contents and length durable, as `fdatasync`.
    fn sync(&self) -> io::Result<()>;
}

/// Writes all of the parts, however short the single writes are.
pub fn write_all(file: &dyn File, mut parts: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_at(parts, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut parts, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error says that there is no space, or that a quota is used up.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

pub const PAGE_BYTES: usize = 4096;

#[repr(C, align(4096))]
#[derive(Clone)]
struct Page([u8; PAGE_BYTES]);

/// A buffer aligned for reads past the page cache.
pub struct Pages(Vec<Page>);

impl Pages {
    pub fn new(bytes: usize) -> Pages {
        Pages(vec![Page([0; PAGE_BYTES]); bytes.div_ceil(PAGE_BYTES)])
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: a page is an array of bytes without padding, and pages lie one after the other.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * PAGE_BYTES) }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * PAGE_BYTES) }
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({})", self.0.len())
    }
}
