//! How a command ends when it is not done: the exit codes of the contract, each with the words for it.

use crate::operator::{self, Level};
use std::process::ExitCode;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The answer is no: refused, not there, not clean. What was found has been printed already when the text is empty.
    #[error("{0}")]
    No(String),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl Failure {
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Failure::No(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Unreachable(_) => 3,
            Failure::Other(_) => 4,
        }
    }

    /// Says why on stderr, and gives the process its exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let text = self.to_string();
        if !text.is_empty() && operator::is_json() {
            operator::tell(Level::Error, "failed", &text, &[("code", &self.code())]);
        } else if !text.is_empty() {
            eprintln!("sumun: {text}");
        }
        ExitCode::from(self.code())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Other(error.into())
    }
}
