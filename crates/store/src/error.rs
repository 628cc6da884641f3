//! What can go wrong with a store, told apart by what to do: open it again, make room, or give it up.
//! Never here: doing it.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A call failed, or background work did. What was synced is there: drop the store and open it again. When it fails
    /// again and again, the disk below it is to be looked at.
    #[error("the store failed: {why}; what it has synced is kept, and it can be opened again")]
    Failed { why: String },
    /// As `Failed`, and space on the disk is what it takes.
    #[error("the store has no space left on its disk: {why}; it can be opened again when there is")]
    Full { why: String },
    /// Background work has not moved for long. As `Failed`.
    #[error("the store's background work is stuck: {why}; it can be opened again")]
    Stuck { why: String },
    /// It holds something else than was written. Opening again does not help.
    #[error(
        "the store in `{}` is damaged: {why}; its records are lost unless the log still holds all their events: keep a copy \
         of the directory, move it away, and rebuild the store from a snapshot and the log", dir.display()
    )]
    Damaged { dir: PathBuf, why: String },
    #[error(
        "the store in `{}` was written in format {found}, newer than {known}, the newest this version reads; use the version \
         that wrote it", dir.display()
    )]
    Newer { dir: PathBuf, found: u32, known: u32 },
    #[error("the store in `{}` is in use by another process: a server runs there, or a tool that looks at it", dir.display())]
    Locked { dir: PathBuf },
    /// A reader's store has been dropped.
    #[error("the store has been closed")]
    Closed,
}

impl StoreError {
    /// Whether the store may work once it is dropped and opened again.
    pub fn can_be_opened_again(&self) -> bool {
        match self {
            StoreError::Failed { .. } | StoreError::Full { .. } | StoreError::Stuck { .. } | StoreError::Closed => true,
            StoreError::Damaged { .. } | StoreError::Newer { .. } | StoreError::Locked { .. } => false,
        }
    }

    /// The same again, for whoever asks a store that has failed.
    pub(crate) fn again(&self) -> StoreError {
        match self {
            StoreError::Failed { why } => StoreError::Failed { why: why.clone() },
            StoreError::Full { why } => StoreError::Full { why: why.clone() },
            StoreError::Stuck { why } => StoreError::Stuck { why: why.clone() },
            StoreError::Damaged { dir, why } => StoreError::Damaged { dir: dir.clone(), why: why.clone() },
            StoreError::Newer { dir, found, known } => {
                StoreError::Newer { dir: dir.clone(), found: *found, known: *known }
            }
            StoreError::Locked { dir } => StoreError::Locked { dir: dir.clone() },
            StoreError::Closed => StoreError::Closed,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> StoreError {
        let why = error.to_string();
        // Everything else that a system call can say is about the call, not about what is stored.
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            StoreError::Full { why }
        } else {
            StoreError::Failed { why }
        }
    }
}
