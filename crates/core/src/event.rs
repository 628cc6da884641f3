//! One event, as decided and as read back: everything that each record it touches needs. A plain struct whose vectors
//! are used again and again, so that deciding allocates nothing once it is warm.
//!
//! Names stand in one text and are told by spans. A *hint* is the slot that the decision found a record in: it spares
//! the live path a look-up; what was read back from the log has none.

use alloc::string::String;
use alloc::vec::Vec;
use sumun_wire::{Allocation, Ended, Kind as ItemKind, Limit, State, Trace};

/// No slot, no entry.
pub const NONE: u32 = u32::MAX;

/// A name in the event's text. Names are never empty: a span of no length is an absent name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub const fn is_some(self) -> bool {
        self.len > 0
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    LogOpened,
    LogTime,
    Configured,
    Removed,
    Received,
    Adjusted,
    LotExpired,
    Held,
    Captured,
    Released,
    Expired,
    Extended,
    Returned,
}

impl Kind {
    /// Whether a command makes it: what time makes, and what the log says of itself, has no trace.
    pub const fn is_of_command(self) -> bool {
        !matches!(self, Kind::LogOpened | Kind::LogTime | Kind::LotExpired | Kind::Expired)
    }
    pub const fn is_reservation(self) -> bool {
        matches!(self, Kind::Held | Kind::Captured | Kind::Released | Kind::Expired | Kind::Extended | Kind::Returned)
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    pub sequence: u64,
    /// Shard time, Unix milliseconds.
    pub time: u64,
    pub kind: Kind,
    /// Of whoever asked, passed on: nothing is decided by it and nothing applied.
    pub trace: Option<Trace>,
    pub text: String,
    pub log: LogEntry,
    pub reservation: ReservationEntry,
    /// Items that are touched, or named by a lot that is.
    pub items: Vec<ItemEntry>,
    /// Lots that are touched, or stamped: ends, returns and extends name all that the reservation took.
    pub lots: Vec<LotEntry>,
    /// What is moved, in order; of version 1 of a reservation this is its whole allocation.
    pub moves: Vec<Move>,
    /// What lines named, of version 1 of a reservation.
    pub named: Vec<Named>,
    pub usages: Vec<UsageEntry>,
    /// The id of a capture, release or return; the movement's, of a receipt or adjustment.
    pub part: PartEntry,
    /// Of an adjustment.
    pub reason: Span,
    pub settings: SettingsEntry,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogEntry {
    pub shard: u32,
    pub epoch: u64,
    pub retention_ms: u64,
    pub log_retention_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReservationEntry {
    pub id: Span,
    pub hint: u32,
    pub version: u32,
    pub state: State,
    pub ended: Option<Ended>,
    pub tombstone: bool,
    /// Reserved with capture.
    pub capture: bool,
    pub created_at: u64,
    pub expires_at: Option<u64>,
    pub needed_until: Option<u64>,
    pub holder: Span,
}

impl Default for ReservationEntry {
    fn default() -> ReservationEntry {
        ReservationEntry {
            id: Span::default(),
            hint: NONE,
            version: 0,
            state: State::Held,
            ended: None,
            tombstone: false,
            capture: false,
            created_at: 0,
            expires_at: None,
            needed_until: None,
            holder: Span::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemEntry {
    pub sku: Span,
    pub hint: u32,
    /// Whether the item's figures changed: then it has a new version.
    pub touched: bool,
    /// Whether what is moved counts against a limit.
    pub counted: bool,
    pub kind: ItemKind,
    pub figures: Figures,
}

/// An item as it stands after the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    pub version: u64,
    /// Sequence of the item's event before this one; 0 when this is its first.
    pub previous: u64,
    pub on_hand: i64,
    pub reserved: u64,
    pub available: u64,
    pub received: u64,
    pub removed: u64,
    pub returned: u64,
    pub captured: u64,
    pub lots: LotSums,
}

/// What of an item's figures stands in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LotSums {
    pub on_hand: u64,
    pub reserved: u64,
    /// The part of `on_hand` and `reserved` that stands in lots that have ended.
    pub ended_on_hand: u64,
    pub ended_reserved: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LotEntry {
    /// Place in `items`.
    pub item: u32,
    pub lot: Span,
    pub hint: u32,
    pub on_hand: u64,
    pub reserved: u64,
    pub expires_at: Option<u64>,
    pub location: Span,
    /// Sequence of its first receipt, which orders `fifo`.
    pub first: u64,
    pub ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Line of the reservation, from 0.
    pub line: u32,
    /// Place in `items`.
    pub item: u32,
    /// Place in `lots`, or `NONE` for units without lot.
    pub lot: u32,
    /// Signed for adjustments alone.
    pub quantity: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    pub line: u32,
    pub lot: Span,
    pub location: Span,
}

/// What the reservation's holder has of one item after the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageEntry {
    /// Place in `items`.
    pub item: u32,
    pub hint: u32,
    pub held: u64,
    /// Captured less returned, over its life.
    pub captured: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartEntry {
    pub id: Span,
    /// Tells a replay from a conflict.
    pub digest: u128,
    /// Of a part, not of the whole.
    pub partial: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsEntry {
    pub kind: ItemKind,
    pub safety_stock: u64,
    pub backorder_limit: u64,
    pub limit: Option<Limit>,
    pub allocation: Allocation,
    pub metadata: Span,
    /// Whether the item counts for limits from here on: it has, or once had, one.
    pub counts: bool,
}

impl Event {
    pub fn clear(&mut self, sequence: u64, time: u64, kind: Kind) {
        self.sequence = sequence;
        self.time = time;
        self.kind = kind;
        self.trace = None;
        self.text.clear();
        self.log = LogEntry::default();
        self.reservation = ReservationEntry::default();
        self.items.clear();
        self.lots.clear();
        self.moves.clear();
        self.named.clear();
        self.usages.clear();
        self.part = PartEntry::default();
        self.reason = Span::default();
        self.settings = SettingsEntry::default();
    }
    pub fn add(&mut self, name: &str) -> Span {
        let start = self.text.len() as u32;
        self.text.push_str(name);
        Span { start, len: name.len() as u32 }
    }
    pub fn add_optional(&mut self, name: Option<&str>) -> Span {
        name.map_or(Span::default(), |name| self.add(name))
    }
    pub fn name(&self, span: Span) -> &str {
        &self.text[span.start as usize..(span.start + span.len) as usize]
    }
    pub fn optional(&self, span: Span) -> Option<&str> {
        span.is_some().then(|| self.name(span))
    }
    pub fn holder(&self) -> Option<&str> {
        self.optional(self.reservation.holder)
    }
    /// What is moved of one item.
    pub fn moved(&self, item: u32) -> i64 {
        self.moves.iter().filter(|m| m.item == item).map(|m| m.quantity).sum()
    }
}
