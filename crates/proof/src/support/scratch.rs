//! A folder of one proof's own, on the disk that the build is on. It goes with the proof, unless that has failed.

use super::binary;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("proof-{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let target = binary::folder();
        let path = target.parent().expect("a profile's folder lies in a target directory").join("tmp").join(name);
        // A pid comes back one day, and what a failed proof left behind must not be found by another.
        if path.exists() {
            fs::remove_dir_all(&path).expect("the folder of an earlier proof can be removed");
        }
        fs::create_dir_all(&path).expect("the target directory is writable");
        Scratch { path, keep: false }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it behind for whoever looks into a failure.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep && !std::thread::panicking() {
            let _left_behind = fs::remove_dir_all(&self.path);
        }
    }
}
