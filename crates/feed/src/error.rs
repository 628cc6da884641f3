//! Why the feed cannot show what was asked for.

use crate::caps;
use sumun_codec::DecodeError;
use sumun_log::{OpenError, ReadError};

#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("sequence {wanted} is older than the log, which begins at {first}")]
    Trimmed { wanted: u64, first: u64 },
    #[error("sequence {wanted} is newer than the log, which ends at {last}")]
    Ahead { wanted: u64, last: u64 },
    #[error("{before} is no sequence of the history of `{sku}`")]
    NoSuchCursor { sku: String, before: u64 },
    #[error("more than {} followers at one time", caps::SUBSCRIBERS_MAX)]
    TooManySubscribers,
    #[error("the feed is closed")]
    Closed,
    #[error("event {sequence} cannot be read: {error}")]
    Undecodable { sequence: u64, error: DecodeError },
    /// LOG-2: the log's own checks passed, and yet it is not what it should be.
    #[error("where event {sequence} should be is {found}")]
    Misplaced { sequence: u64, found: String },
    #[error(transparent)]
    Log(OpenError),
}

impl From<ReadError> for FeedError {
    fn from(error: ReadError) -> FeedError {
        match error {
            ReadError::Trimmed { wanted, first } => FeedError::Trimmed { wanted, first },
            error @ (ReadError::Damaged { .. } | ReadError::NoSuchPosition(_) | ReadError::Io(_)) => {
                FeedError::Log(error.into())
            }
        }
    }
}

impl From<OpenError> for FeedError {
    fn from(error: OpenError) -> FeedError {
        match error {
            OpenError::Read(error) => error.into(),
            error @ (OpenError::Locked { .. }
            | OpenError::NewerFormat { .. }
            | OpenError::OtherLog { .. }
            | OpenError::OtherShard { .. }
            | OpenError::Io { .. }) => FeedError::Log(error),
        }
    }
}
