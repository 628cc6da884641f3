//! What a process takes while it runs: memory by samples and by the kernel's own peak, bytes written by thread, disk.

use super::caps::WATCH_MS;
use crate::crowd::Process;
use crate::support::clock;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Looks at a process again and again, until it is ended or dropped.
#[derive(Debug)]
pub(super) struct Watch {
    process: Process,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    anon: AtomicU64,
    over: AtomicBool,
}

/// In bytes, at most so much at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) rss: u64,
    pub(super) anon: u64,
}

impl Watch {
    pub(super) fn of(process: Process) -> Watch {
        let shared = Arc::new(Shared::default());
        let looking = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while !looking.over.load(Ordering::Acquire) {
                if let Ok(anon) = anonymous(process) {
                    looking.anon.fetch_max(anon, Ordering::AcqRel);
                }
                clock::sleep_ms(WATCH_MS);
            }
        });
        Watch { process, shared, thread: Some(thread) }
    }

    /// While the process is still there.
    pub(super) fn end(mut self) -> Result<Seen, String> {
        let anon = anonymous(self.process).map_err(|error| format!("the server is gone: {error}"))?;
        let rss = self.process.memory_peak().map_err(|error| format!("the server is gone: {error}"))?;
        self.stop();
        Ok(Seen { rss, anon: self.shared.anon.load(Ordering::Acquire).max(anon) })
    }

    fn stop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _nothing_to_tell = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Memory that is no file's, in bytes.
fn anonymous(process: Process) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.map(|kib| kib * 1_024).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Bytes that a thread has written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bytes {
    /// In calls, to sockets too.
    pub(super) asked: u64,
    /// To disks, once for each page that was dirtied. Of direct writes the kernel counts many times as many.
    pub(super) paged: u64,
}

/// What each kind of thread has written so far, by the thread's name without numbers.
pub(super) fn written_by_thread(process: Process) -> io::Result<BTreeMap<String, Bytes>> {
    let mut written: BTreeMap<String, Bytes> = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{}/task", process.0))? {
        let path = entry?.path();
        // A thread may end meanwhile.
        let (Ok(name), Ok(io)) = (fs::read_to_string(path.join("comm")), fs::read_to_string(path.join("io"))) else {
            continue;
        };
        let number = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok());
        let kind = name.trim_end().trim_end_matches(|c: char| c.is_ascii_digit() || c == '#').to_owned();
        let bytes = written.entry(kind).or_default();
        bytes.asked += number("wchar: ").unwrap_or_default();
        bytes.paged += number("write_bytes: ").unwrap_or_default();
    }
    Ok(written)
}

/// What a folder takes on the disk, in bytes. Files that go meanwhile count as nothing.
pub(super) fn disk_used(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let used = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => disk_used(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    };
    entries.flatten().map(used).sum()
}

/// Sees to it that the next read of these files comes from the disk: what is dirty is written, and the page cache is
/// dropped, the machine's where that is permitted, else these files' own.
pub(super) fn cool(folder: &Path) -> Result<&'static str, String> {
    // SAFETY: the call takes nothing and gives nothing.
    unsafe { libc::sync() };
    if fs::write("/proc/sys/vm/drop_caches", "3").is_ok() {
        return Ok("the machine's page cache was dropped");
    }
    drop_pages(folder).map_err(|error| format!("the page cache of {} stays: {error}", folder.display()))?;
    Ok("the page cache of the data's files was dropped")
}

fn drop_pages(folder: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.metadata()?.is_dir() {
            drop_pages(&entry.path())?;
        } else if entry.metadata()?.is_file() {
            let file = fs::File::open(entry.path())?;
            // SAFETY: the descriptor is open, and the advice changes nothing that the file holds.
            let refused = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
            if refused != 0 {
                return Err(io::Error::from_raw_os_error(refused));
            }
        }
    }
    Ok(())
}
