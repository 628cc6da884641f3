//! Cells of the contract's verb table: what was asked, and what it met. A simulation counts those that it reached.

use std::fmt;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    Configure,
    Remove,
    Receive,
    Adjust,
    Reserve,
    ReserveCapture,
    Capture,
    CapturePart,
    Release,
    ReleasePart,
    Extend,
    Return,
    ReturnPart,
    Reservation,
    Item,
    Holder,
}

/// How a reservation stands: its state, and how its last rest went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stand {
    Held,
    Captured,
    PartlyReleased,
    PartlyExpired,
    Released,
    Expired,
    Tombstone,
}

/// What it met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Met {
    /// It did what it says.
    Done,
    /// A part that took the last rest.
    DoneLast,
    /// Nothing to change: no event.
    Unchanged,
    /// It made the item, or the tombstone.
    Created,
    /// It made a removed item again.
    CreatedAgain,
    /// Its own id (of a movement, a capture, a release, a return) with the same content.
    ReplayedMovement,
    ReplayedId(Stand),
    /// The state that it asks for was reached before.
    Replayed(Stand),
    /// The state's error.
    Late(Stand),
    IdConflict,
    Conflict,
    Unknown,
    /// A sku of its own that was removed.
    Hidden,
    Invalid,
    NoHolder,
    Limit,
    Insufficient,
    Exceeds,
    /// A sku that is not in the reservation.
    ExceedsForeign,
    /// A figure or number that would pass its cap.
    Cap,
    /// MISCONF or OVERLOADED.
    Blocked,
    Shown(Stand),
    ShownItem,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub asked: Asked,
    pub met: Met,
}

use Met::*;
use Stand::*;

const STANDS: [Stand; 7] = [Held, Captured, PartlyReleased, PartlyExpired, Released, Expired, Tombstone];

impl Cell {
    /// Every cell that commands can reach while the log can be written, but for the caps in numbers (1,025 lots,
    /// 1,025 parts), which need a script of their own.
    pub fn all() -> Vec<Cell> {
        let mut all = Vec::new();
        let mut add = |asked, mets: &[Met]| all.extend(mets.iter().map(|met| Cell { asked, met: *met }));
        add(Asked::Configure, &[Created, CreatedAgain, Done, Unchanged, Conflict, Invalid, Cap]);
        add(Asked::Remove, &[Done, Conflict, Unknown, Invalid]);
        add(Asked::Receive, &[Created, CreatedAgain, Done, ReplayedMovement, IdConflict, Conflict, Invalid, Cap]);
        add(Asked::Adjust, &[Done, ReplayedMovement, IdConflict, Unknown, Insufficient, Invalid, Cap]);
        for asked in [Asked::Reserve, Asked::ReserveCapture] {
            add(asked, &[Done, IdConflict, Unknown, NoHolder, Limit, Insufficient, Cap, Invalid, Replayed(Captured)]);
            add(asked, &[Late(Tombstone)]);
        }
        add(Asked::Reserve, &[Replayed(Held), Late(PartlyReleased), Late(PartlyExpired)]);
        add(Asked::Reserve, &[Late(Released), Late(Expired)]);
        let late = [Late(PartlyReleased), Late(PartlyExpired), Late(Released), Late(Expired), Late(Tombstone)];
        add(Asked::Capture, &[Done, Replayed(Captured), ReplayedId(Captured), IdConflict, Unknown, Invalid]);
        add(Asked::Capture, &late);
        add(Asked::CapturePart, &[Done, DoneLast, Exceeds, ExceedsForeign, IdConflict, Unknown, Invalid, Hidden]);
        add(Asked::CapturePart, &[ReplayedId(Held), ReplayedId(Captured), Late(Captured)]);
        add(Asked::CapturePart, &[ReplayedId(PartlyReleased), ReplayedId(PartlyExpired)]);
        add(Asked::CapturePart, &late);
        add(Asked::Release, &[Done, Created, IdConflict, Invalid, Late(Captured)]);
        add(Asked::Release, &[Replayed(PartlyReleased), Replayed(PartlyExpired), Replayed(Released)]);
        add(Asked::Release, &[Replayed(Expired), Replayed(Tombstone)]);
        add(Asked::Release, &[ReplayedId(Released), ReplayedId(PartlyReleased), ReplayedId(Tombstone)]);
        add(Asked::ReleasePart, &[Done, DoneLast, Exceeds, ExceedsForeign, IdConflict, Unknown, Invalid, Hidden]);
        add(Asked::ReleasePart, &late);
        add(Asked::ReleasePart, &[Late(Captured), ReplayedId(Held), ReplayedId(Captured), ReplayedId(PartlyReleased)]);
        add(Asked::ReleasePart, &[ReplayedId(PartlyExpired), ReplayedId(Released), ReplayedId(Expired)]);
        add(Asked::Extend, &[Done, Unchanged, Unknown, Invalid, Late(Captured)]);
        add(Asked::Extend, &late);
        let gone = [Late(Released), Late(Expired), Late(Tombstone)];
        let kept = [Held, Captured, PartlyReleased, PartlyExpired].map(ReplayedId);
        for asked in [Asked::Return, Asked::ReturnPart] {
            add(asked, &[Done, Exceeds, IdConflict, Unknown, Invalid, Hidden]);
            add(asked, &gone);
            add(asked, &kept);
        }
        add(Asked::ReturnPart, &[ExceedsForeign]);
        add(Asked::Reservation, &STANDS.map(Shown));
        add(Asked::Reservation, &[Null, Invalid]);
        add(Asked::Item, &[ShownItem, Null, Invalid]);
        add(Asked::Holder, &[ShownItem, Unknown, Invalid]);
        all
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} × {:?}", self.asked, self.met)
    }
}
