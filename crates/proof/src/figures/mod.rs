//! What the store promises in figures, measured on the released binary over real sockets: memory, restart, storms, disk.
//!
//! Speeds are said beside what is wanted of them and fail nothing; what must hold (nothing lost or done twice, memory
//! within its bound, a clean `verify`) does. Never here: the server's own parts.

mod caps;
mod disk;
mod drive;
mod full;
mod life;
mod line;
mod open;
mod outgrow;
mod pace;
mod plot;
mod report;
mod restart;
mod soak;
mod spread;
mod stage;
mod storm;
pub mod versus;
mod watch;
mod words;
mod work;

pub use report::{Figure, Report, Wanted};

use crate::support::binary;
use std::path::PathBuf;

/// Which figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Outgrow,
    Restart,
    Soak,
    Disk,
    Storm,
    Open,
    Followers,
}

impl What {
    pub const fn word(self) -> &'static str {
        match self {
            What::Outgrow => "outgrow",
            What::Restart => "restart",
            What::Soak => "soak",
            What::Disk => "disk",
            What::Storm => "storm",
            What::Open => "open",
            What::Followers => "followers",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Of the size that is stated: all counts are multiplied by it.
    pub scale: f64,
    /// Whether the data is verified at the end.
    pub verify: bool,
    /// Whether the data is left behind.
    pub keep: bool,
    /// Of the soak: how long, and commands a second.
    pub minutes: f64,
    pub rate: u64,
    /// Of those servers that forget while they are measured.
    pub retention_s: u64,
}

/// Measures. The report is written to `target/figures` too; its `failures` say what does not hold.
pub fn run(what: What, options: &Options) -> Result<Report, String> {
    if !(options.scale > 0.0 && options.scale <= 1.0) {
        return Err(format!("a scale is above 0 and at most 1, not {}", options.scale));
    }
    if cfg!(debug_assertions) {
        return Err("figures of a debug build are not figures".to_owned());
    }
    let report = match what {
        What::Outgrow => outgrow::run(options),
        What::Restart => restart::run(options),
        What::Soak => soak::run(options),
        What::Disk => disk::run(options),
        What::Storm => storm::run(options),
        What::Open => open::run(options),
        What::Followers => versus::followers::run(options),
    }?;
    let path = report_path(what);
    report.write(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(report)
}

/// Where the report is kept.
pub fn report_path(what: What) -> PathBuf {
    target().join("figures").join(format!("{}.json", what.word()))
}

/// The target directory of this build.
fn target() -> PathBuf {
    let profile = binary::folder();
    profile.parent().expect("a profile's folder lies in a target directory").to_path_buf()
}
