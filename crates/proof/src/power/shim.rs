//! The shim that a server runs over, told what to do through a shared page.

use crate::support::server::Setup;
use crate::support::shim::library;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const PAGE_BYTES: u64 = 4_096;

/// Words of the shared page, in the order of `struct control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Hold,
    Fail,
    Aim,
    Swallow,
    Seed,
    Held,
    Failed,
    Synced,
    Swallowed,
    Loaded,
}

/// What `Word::Fail` holds when every sync fails.
pub const EVERY: u32 = u32::MAX;

/// What `Word::Aim` holds when syncs of the log's segments alone are held, failed or swallowed; all are when it is 0.
pub const LOGS: u32 = 1;
/// As `LOGS`: those of the store, its files' and its folders'.
pub const STORE: u32 = 2;
/// All but the store's: the log's, and its folders'.
pub const OTHERS: u32 = 3;

/// A folder that the shim watches, and what it writes down beside it.
#[derive(Debug)]
pub struct Shim {
    /// Whatever is below is watched.
    pub disk: PathBuf,
    /// What the shim keeps.
    pub notes: PathBuf,
    control: File,
}

impl Shim {
    pub fn below(folder: &Path) -> io::Result<Shim> {
        let (disk, notes) = (folder.join("disk"), folder.join("power"));
        fs::create_dir_all(&disk)?;
        fs::create_dir_all(&notes)?;
        let control =
            File::options().read(true).write(true).create(true).truncate(false).open(notes.join("control"))?;
        control.set_len(PAGE_BYTES)?;
        let shim = Shim { disk, notes, control };
        shim.forget()?;
        Ok(shim)
    }

    /// A server over this shim, its data below the watched folder.
    pub fn setup(&self) -> Setup {
        let text = |path: &Path| path.to_str().expect("the target directory's path is UTF-8").to_owned();
        let environment = vec![
            ("LD_PRELOAD".to_owned(), text(&library("power"))),
            ("POWER_DATA".to_owned(), text(&self.disk)),
            ("POWER_DIR".to_owned(), text(&self.notes)),
        ];
        Setup { data: self.disk.join("data"), environment, ..Setup::default() }
    }

    /// Begins anew: all that is on the disk is durable, and nothing is held, failed or swallowed.
    pub fn forget(&self) -> io::Result<()> {
        for folder in ["device", "kept"] {
            let folder = self.notes.join(folder);
            if folder.exists() {
                fs::remove_dir_all(&folder)?;
            }
            fs::create_dir(&folder)?;
        }
        File::create(self.notes.join("names"))?;
        self.control.write_all_at(&[0; PAGE_BYTES as usize], 0)
    }

    pub fn set(&self, word: Word, value: u32) -> Result<(), String> {
        let done = self.control.write_all_at(&value.to_ne_bytes(), word as u64 * 4);
        done.map_err(|error| format!("cannot tell the shim: {error}"))
    }

    pub fn get(&self, word: Word) -> Result<u32, String> {
        let mut bytes = [0; 4];
        let done = self.control.read_exact_at(&mut bytes, word as u64 * 4);
        done.map(|()| u32::from_ne_bytes(bytes)).map_err(|error| format!("cannot ask the shim: {error}"))
    }
}
