//! Commands: what a client asks for. Borrowed from the bytes it came in, so that a command costs no allocation.
//! Shapes alone: a `Command` may still break the limits of the contract; the core refuses it then.

use crate::{Allocation, Kind, Limit, Timestamp};
use smallvec::SmallVec;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    Configure(Configure<'a>),
    /// Hides an item (HTTP `DELETE`).
    Remove {
        sku: &'a str,
    },
    Receive(Receive<'a>),
    Adjust(Adjust<'a>),
    Reserve(Reserve<'a>),
    Capture(Part<'a>),
    Release(Part<'a>),
    Return(Part<'a>),
    Extend(Extend<'a>),
    Reservation {
        id: &'a str,
    },
    Item {
        sku: &'a str,
    },
    Holder {
        sku: &'a str,
        holder: &'a str,
    },
}

/// All settings at once: what is absent takes its default, but for `kind`, which stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configure<'a> {
    pub sku: &'a str,
    pub kind: Option<Kind>,
    pub safety_stock: u64,
    pub backorder_limit: u64,
    pub limit: Option<Limit>,
    pub allocation: Allocation,
    /// JSON text, at most 16 KiB. Whoever parses the request has checked that it is JSON.
    pub metadata: Option<&'a str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receive<'a> {
    pub sku: &'a str,
    pub quantity: u64,
    /// The movement's id. `None` is refused (INVALID); RESP's `*` is replaced by a fresh id before it gets here.
    pub movement: Option<&'a str>,
    pub lot: Option<&'a str>,
    pub expires_at: Option<Timestamp>,
    pub location: Option<&'a str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adjust<'a> {
    pub sku: &'a str,
    /// Signed; 0 is refused.
    pub delta: i64,
    pub reason: &'a str,
    pub movement: Option<&'a str>,
    pub lot: Option<&'a str>,
}

pub type Lines<'a> = SmallVec<[Line<'a>; 2]>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserve<'a> {
    pub reservation: &'a str,
    /// Milliseconds, 1 to 30 days. `None`, or 0, only together with `capture`.
    pub ttl_ms: Option<u64>,
    pub lines: Lines<'a>,
    pub holder: Option<&'a str>,
    pub needed_until: Option<Timestamp>,
    pub capture: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line<'a> {
    pub sku: &'a str,
    pub quantity: u64,
    pub lot: Option<&'a str>,
    pub location: Option<&'a str>,
}

pub type PartLines<'a> = SmallVec<[PartLine<'a>; 2]>;

/// A capture, release or return, of the whole (`lines` is `None`) or of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part<'a> {
    pub reservation: &'a str,
    pub id: Option<&'a str>,
    pub lines: Option<PartLines<'a>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartLine<'a> {
    pub sku: &'a str,
    pub quantity: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extend<'a> {
    pub reservation: &'a str,
    pub ttl_ms: u64,
}

impl Command<'_> {
    /// The command's only key: what decides its hash slot, and what the subject of its event is.
    pub fn key(&self) -> &str {
        match self {
            Command::Configure(c) => c.sku,
            Command::Remove { sku } | Command::Item { sku } | Command::Holder { sku, .. } => sku,
            Command::Receive(c) => c.sku,
            Command::Adjust(c) => c.sku,
            Command::Reserve(c) => c.reservation,
            Command::Capture(c) | Command::Release(c) | Command::Return(c) => c.reservation,
            Command::Extend(c) => c.reservation,
            Command::Reservation { id } => id,
        }
    }

    /// Lines that it has, as steps and transactions count them: one at least.
    pub fn line_count(&self) -> usize {
        let lines = match self {
            Command::Reserve(c) => c.lines.len(),
            Command::Capture(c) | Command::Release(c) | Command::Return(c) => c.lines.as_ref().map_or(1, |l| l.len()),
            Command::Configure(_)
            | Command::Remove { .. }
            | Command::Receive(_)
            | Command::Adjust(_)
            | Command::Extend(_)
            | Command::Reservation { .. }
            | Command::Item { .. }
            | Command::Holder { .. } => 1,
        };
        lines.max(1)
    }

    /// Whether this only reads: then nothing but due ends is ever written for it.
    pub fn is_read(&self) -> bool {
        match self {
            Command::Reservation { .. } | Command::Item { .. } | Command::Holder { .. } => true,
            Command::Configure(_)
            | Command::Remove { .. }
            | Command::Receive(_)
            | Command::Adjust(_)
            | Command::Reserve(_)
            | Command::Capture(_)
            | Command::Release(_)
            | Command::Return(_)
            | Command::Extend(_) => false,
        }
    }
}
