//! A directory for a server that is only tried out: made new, removed at the end unless somebody should look into it.

use crate::clock;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    kept: bool,
}

impl Scratch {
    pub(crate) fn new(what: &str) -> io::Result<Scratch> {
        let name = format!("sumun-{what}-{}-{:08x}", std::process::id(), clock::run_id() >> 32);
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Scratch { path, kept: false })
    }

    /// One that was named and stays.
    pub(crate) fn given(path: &Path) -> io::Result<Scratch> {
        std::fs::create_dir_all(path)?;
        Ok(Scratch { path: path.canonicalize()?, kept: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.kept {
            // Nobody is left to tell when it cannot be removed, and the system clears its temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A file without a name, gone with whoever has it open.
pub(crate) fn nameless() -> io::Result<std::fs::File> {
    let scratch = Scratch::new("file")?;
    std::fs::File::options().read(true).write(true).create_new(true).open(scratch.path().join("file"))
}
