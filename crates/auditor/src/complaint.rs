//! What the auditor says when something is wrong: which rule, where, what.

use std::fmt;
use sumun_wire::Sequence;

/// A breach of the contract. After one the model no longer knows what holds: begin anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// An invariant's id (`STOCK-2`), or what of the contract: `answer`, `event`, `ends`.
    pub rule: &'static str,
    pub sequence: Option<Sequence>,
    pub what: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sequence {
            Some(sequence) => write!(f, "{} at {}: {}", self.rule, sequence.0, self.what),
            None => write!(f, "{}: {}", self.rule, self.what),
        }
    }
}

impl std::error::Error for Complaint {}

pub(crate) fn wrong<T>(rule: &'static str, sequence: Option<Sequence>, what: String) -> Result<T, Complaint> {
    Err(Complaint { rule, sequence, what })
}
