//! When things were seen last, and whether they are forgotten by now.

use sumun_wire::Timestamp;

/// The last event of a reservation, a movement or a lot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) last: Timestamp,
    /// It was forgotten under a retention that held before.
    pub(crate) free: bool,
}

/// The retention that holds, where it is known: a log that begins in the middle may not have said it yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keep {
    #[default]
    Unknown,
    For(u64),
}

impl Seen {
    pub(crate) fn at(last: Timestamp) -> Seen {
        Seen { last, free: false }
    }
}

impl Keep {
    /// Surely, of something that has come to its end.
    pub(crate) fn forgotten(self, seen: Seen, now: Timestamp) -> bool {
        match self {
            Keep::Unknown => false,
            Keep::For(ms) => seen.last.0.saturating_add(ms) <= now.0,
        }
    }

    /// Whether its name may be used as if it had never been.
    pub(crate) fn may_begin(self, seen: Seen, now: Timestamp) -> bool {
        self == Keep::Unknown || seen.free || self.forgotten(seen, now)
    }
}
