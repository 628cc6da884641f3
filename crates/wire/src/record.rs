//! Records as they are shown: an item, a reservation, what a holder may still have. Field names are the contract's.

use crate::{Name, Sequence, Timestamp};
use alloc::string::String;
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    #[default]
    Stock,
    Points,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Allocation {
    /// Earliest expiry first.
    #[default]
    Fefo,
    /// Earliest first receipt first.
    Fifo,
}

/// What one holder may hold and have captured of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    pub quantity: u64,
    /// Captured quantities count while their reservation began within so many milliseconds; `None`: for ever.
    pub window_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    #[default]
    Held,
    Captured,
    PartiallyCaptured,
    Released,
    Expired,
}

/// How the last rest of a reservation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    Captured,
    Released,
    Expired,
}

/// The settings of an item: they bind new reservations only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    pub safety_stock: u64,
    pub backorder_limit: u64,
    pub limit: Option<Limit>,
    pub allocation: Allocation,
    /// JSON text as it was given.
    pub metadata: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemRecord {
    pub sku: Name,
    pub kind: Kind,
    /// Negative only by captured backorders.
    pub on_hand: i64,
    pub reserved: u64,
    /// Never shown below 0.
    pub available: u64,
    pub received: u64,
    pub removed: u64,
    pub returned: u64,
    pub captured: u64,
    /// on_hand of lots that have ended.
    pub expired: u64,
    pub settings: Settings,
    /// Lots with units in allocation order, ended ones first; for an item with lots, units without lot are a last row.
    pub lots: Vec<LotRow>,
    pub version: u64,
    pub sequence: Sequence,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LotRow {
    pub lot: Option<Name>,
    pub location: Option<Name>,
    /// Negative only for units without lot, by captured backorders.
    pub on_hand: i64,
    pub reserved: u64,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservationRecord {
    pub id: Name,
    pub state: State,
    pub ended: Option<Ended>,
    pub tombstone: bool,
    pub holder: Option<Name>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub needed_until: Option<Timestamp>,
    pub lines: Vec<ReservationLine>,
    pub version: u64,
    pub sequence: Sequence,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservationLine {
    pub sku: Name,
    pub quantity: u64,
    pub captured: u64,
    pub released: u64,
    pub expired: u64,
    pub returned: u64,
    /// What the line named.
    pub lot: Option<Name>,
    pub location: Option<Name>,
    /// What the line was given when it was reserved, in the order taken. Units without lot are a row whose lot is
    /// `None`; of an item without lots that is the one row.
    pub taken: Vec<Taken>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    pub lot: Option<Name>,
    pub quantity: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HolderRecord {
    pub held: u64,
    /// Captured less returned, within the limit's window as it is now.
    pub counted: u64,
    /// `None`: the item has no limit.
    pub left: Option<u64>,
    /// When the oldest counted quantity stops counting; `None`: nothing will by time alone.
    pub next_free_at: Option<Timestamp>,
}

impl Kind {
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Stock => "stock",
            Kind::Points => "points",
        }
    }
}

impl Allocation {
    pub const fn word(self) -> &'static str {
        match self {
            Allocation::Fefo => "fefo",
            Allocation::Fifo => "fifo",
        }
    }
}

impl State {
    pub const fn word(self) -> &'static str {
        match self {
            State::Held => "held",
            State::Captured => "captured",
            State::PartiallyCaptured => "partially_captured",
            State::Released => "released",
            State::Expired => "expired",
        }
    }
}

impl Ended {
    pub const fn word(self) -> &'static str {
        match self {
            Ended::Captured => "captured",
            Ended::Released => "released",
            Ended::Expired => "expired",
        }
    }
}
