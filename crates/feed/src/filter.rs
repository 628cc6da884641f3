//! Which events somebody wants.

use sumun_wire::Subject;

/// What is absent or empty asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these types.
    pub types: Vec<String>,
    /// This sku, or this reservation.
    pub subject: Option<String>,
    pub shard: Option<u32>,
}

impl Filter {
    pub fn is_all(&self) -> bool {
        self.types.is_empty() && self.subject.is_none()
    }

    pub(crate) fn is_of(&self, shard: u32) -> bool {
        self.shard.is_none_or(|wanted| wanted == shard)
    }

    pub(crate) fn takes(&self, kind: &str, subject: Option<&str>) -> bool {
        self.takes_type(kind) && self.subject.as_deref().is_none_or(|wanted| subject == Some(wanted))
    }

    pub(crate) fn takes_type(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind)
    }
}

pub(crate) fn name(subject: Subject<'_>) -> Option<&str> {
    match subject {
        Subject::Log => None,
        Subject::Sku(name) | Subject::Reservation(name) => Some(name),
    }
}
