//! A full disk under the log, the store or both: the server refuses with words, still reads, goes on by itself once there
//! is space, and has lost nothing that it acknowledged. The disk is one in memory, of a size that is changed meanwhile.

use super::drive::{FULL, Until, drive};
use super::report::Report;
use super::spread::Spread;
use super::stage::{Stage, connect};
use super::work::Pass;
use super::{Options, words};
use crate::support::{Connection, Server, Value, clock};
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const ITEMS: u64 = 1_000;
const SERIES: u8 = 32;
/// Until the disk is full: a million events that the store does not have are the most of it.
const FULL_MS: u64 = 240_000;
const RECOVERED_MS: u64 = 60_000;
/// How long it stays full, and how long the load goes on afterwards.
const STAYS_MS: u64 = 3_000;
const AFTER_MS: u64 = 2_000;
const WIDER: u64 = 8;

/// What has no space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Log,
    Store,
    Both,
}

impl Where {
    const fn word(self) -> &'static str {
        match self {
            Where::Log => "log",
            Where::Store => "store",
            Where::Both => "log and store",
        }
    }

    fn folder(self, data: &Path) -> PathBuf {
        match self {
            Where::Log => data.join("0/log"),
            Where::Store => data.join("0/store"),
            Where::Both => data.to_owned(),
        }
    }

    /// What the server says of it: a command that writes is refused for the want of space alone.
    fn is_felt(self, connection: &mut Connection, n: u64) -> Result<Option<String>, String> {
        let Some(words) = refusal(connection, n)? else { return Ok(None) };
        let of_log = words.starts_with("MISCONF");
        let of_store = trouble(connection)?.map(|why| format!("{words} ({why})"));
        Ok(match self {
            Where::Log => of_log.then_some(words),
            Where::Store => of_store,
            Where::Both if of_log => Some(words),
            Where::Both => of_store,
        })
    }

    const fn bytes(self) -> u64 {
        match self {
            Where::Log => 128 << 20,
            Where::Store => 96 << 20,
            Where::Both => 256 << 20,
        }
    }
}

pub(super) fn run(report: Report, options: &Options, place: Where) -> Result<Report, String> {
    let mut stage = Stage::new("full", options, &[]);
    stage.report = report;
    let disk = Disk::mount(&place.folder(&stage.setup.data), place.bytes())
        .map_err(|error| format!("no disk in memory can be mounted here: {error}"))?;
    let server = stage.start()?;
    stage.receive(&server, 0..ITEMS)?;
    let mut captured = vec![0; usize::try_from(ITEMS).map_err(|error| error.to_string())?];
    let mut work = Pass::new(SERIES, Spread::Uniform { first: 0, items: ITEMS }, 0..u64::MAX >> 8, &mut captured);
    let (stop, address) = (AtomicBool::new(false), server.resp);
    let outcome = std::thread::scope(|scope| {
        let (until, work) = (Until { stop: Some(&stop), ..Until::default() }, &mut work);
        let load = scope.spawn(move || drive(address, FULL, until, work));
        let seen = fill_and_free(&mut stage, &server, &disk, place);
        stop.store(true, Ordering::Release);
        let outcome = load.join().unwrap_or_else(|_| Err("the load panicked".to_owned()));
        seen.and(outcome)
    });
    let outcome = outcome.map_err(|why| format!("full disk under the {}: {why}", place.word()))?;
    let name = format!("full disk under the {}", place.word());
    stage.report.figure(&format!("{name}: commands done in all"), outcome.answers as f64, "");
    stage.report.note(format!("{name}: refused for the moment: {:?}", outcome.refusals));
    judge(&mut stage, &server, &captured)?;
    stage.stop_and_verify(server)?;
    drop(disk);
    Ok(stage.report)
}

/// Waits until it is full, looks at what it does then, gives it space and waits until it goes on.
fn fill_and_free(stage: &mut Stage<'_>, server: &Server, disk: &Disk, place: Where) -> Result<(), String> {
    let name = format!("full disk under the {}", place.word());
    let mut connection = connect(server)?;
    let mut tries = 0;
    let words = clock::eventually(FULL_MS, || {
        tries += 1;
        clock::sleep_ms(100);
        place.is_felt(&mut connection, tries).transpose()
    });
    let words = words.ok_or_else(|| {
        let free = disk.free().map_or_else(|error| error.to_string(), |free| format!("{free} bytes are free"));
        format!("it was not felt in {FULL_MS} ms; {free}")
    })??;
    stage.report.note(format!("{name}: {words}"));
    clock::sleep_ms(STAYS_MS);
    let read = connection.say("ITEM s00000000").map_err(|error| error.to_string())?;
    stage.report.must(read.number("captured").is_some(), || format!("{name}: a read was answered {read}"));
    disk.resize(place.bytes() * WIDER).map_err(|error| error.to_string())?;
    let began = clock::ticks_ns();
    let goes_on = clock::eventually(RECOVERED_MS, || {
        tries += 1;
        match refusal(&mut connection, tries) {
            Ok(None) => Some(Ok(())),
            Ok(Some(_)) => None,
            Err(why) => Some(Err(why)),
        }
    });
    let took_ms = (clock::ticks_ns() - began) as f64 / 1e6;
    goes_on.ok_or_else(|| format!("it does not go on {RECOVERED_MS} ms after there was space"))??;
    stage.report.figure(&format!("{name}: goes on after there is space"), took_ms, "ms");
    clock::sleep_ms(AFTER_MS);
    Ok(())
}

/// How a command that writes is refused, if it is. An error: it has no answer, in the time that a connection waits.
fn refusal(connection: &mut Connection, n: u64) -> Result<Option<String>, String> {
    let answer = connection.say(&format!("CONFIGURE probe SAFETY {n}"));
    let answer = answer.map_err(|error| format!("a command that writes is neither done nor refused: {error}"))?;
    Ok(answer.error().map(str::to_owned))
}

/// Why the store does not work, as the server says.
fn trouble(connection: &mut Connection) -> Result<Option<String>, String> {
    let info = connection.say("INFO everything").map_err(|error| error.to_string())?;
    let mut lines = info.text().unwrap_or_default().lines();
    let why = lines.find_map(|line| line.strip_prefix("store_trouble:")).map(|why| why.trim().to_owned());
    Ok(why.filter(|why| !why.is_empty()))
}

/// Whether items have what was acknowledged.
fn judge(stage: &mut Stage<'_>, server: &Server, captured: &[u32]) -> Result<(), String> {
    let (mut connection, mut wrong) = (connect(server)?, Vec::new());
    for (item, wanted) in (0..ITEMS).zip(captured) {
        let command = format!("ITEM {}", words::text(&words::sku(item)));
        let found: Value = connection.say(&command).map_err(|error| error.to_string())?;
        if found.number("captured") != Some(i64::from(*wanted)) {
            wrong.push(format!("{wanted} were captured: {found}"));
        }
    }
    let count = wrong.len();
    stage.report.must(count == 0, || format!("{count} items differ from what was acknowledged: {:?}", wrong.pop()));
    Ok(())
}

/// A disk in memory at a folder. It goes when it is dropped.
struct Disk(CString);

impl Disk {
    fn mount(folder: &Path, bytes: u64) -> io::Result<Disk> {
        std::fs::create_dir_all(folder)?;
        let disk = Disk(CString::new(folder.as_os_str().as_bytes())?);
        disk.set(bytes, 0)?;
        Ok(disk)
    }

    fn resize(&self, bytes: u64) -> io::Result<()> {
        self.set(bytes, libc::MS_REMOUNT)
    }

    fn set(&self, bytes: u64, flags: libc::c_ulong) -> io::Result<()> {
        let size = CString::new(format!("size={bytes},mode=0700"))?;
        // SAFETY: all pointers are to strings of our own that end with 0 and live through the call.
        let failed =
            unsafe { libc::mount(c"none".as_ptr(), self.0.as_ptr(), c"tmpfs".as_ptr(), flags, size.as_ptr().cast()) };
        if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Bytes that are free.
    fn free(&self) -> io::Result<u64> {
        // SAFETY: a structure of numbers alone may be all zero.
        let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the pointers are to a string that ends with 0 and to a structure of our own.
        let failed = unsafe { libc::statvfs(self.0.as_ptr(), &raw mut found) };
        if failed == 0 { Ok(found.f_bavail * found.f_frsize) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // SAFETY: the pointer is to a string of our own that ends with 0. Detached: what is open there ends later.
        let _not_mounted = unsafe { libc::umount2(self.0.as_ptr(), libc::MNT_DETACH) };
    }
}
