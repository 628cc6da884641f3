//! Items and their lots, as the contract describes them. Nothing that can be computed is kept: on_hand is always
//! received − removed + returned − captured (STOCK-2 by construction, so that an event that says otherwise differs).
//!
//! Never here: decisions, reservations.

use std::collections::BTreeMap;
use sumun_wire::{Allocation, ItemRecord, Kind, LotRow, Name, Sequence, Settings, Timestamp};

/// Units of one lot, or an item's units without lot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pile {
    pub(crate) received: u64,
    pub(crate) removed: u64,
    pub(crate) returned: u64,
    pub(crate) captured: u64,
    pub(crate) reserved: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Lot {
    pub(crate) pile: Pile,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) location: Option<Name>,
    /// The event of its first receipt: "first received" is the log's order.
    pub(crate) first: Sequence,
    /// Its end was written, or it was given units after its end.
    pub(crate) ended: bool,
    /// The time of its last event, or of the last of a reservation that took from it.
    pub(crate) last: Timestamp,
    /// A retention that was raised may have brought it back.
    pub(crate) doubtful: bool,
}

/// What a movement said, for replays: verb (received or adjusted), amount, lot, expiry, location, reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MovementContent {
    pub(crate) received: bool,
    pub(crate) amount: i64,
    pub(crate) lot: Option<Name>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) location: Option<Name>,
    pub(crate) reason: Option<Name>,
}

#[derive(Clone, Debug)]
pub(crate) struct Movement {
    pub(crate) content: MovementContent,
    pub(crate) answer: u64,
    /// When it was made.
    pub(crate) at: Timestamp,
    pub(crate) doubtful: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) settings: Settings,
    /// Removed, and not created again.
    pub(crate) hidden: bool,
    /// It has or had a limit: new reservations count.
    pub(crate) counting: bool,
    pub(crate) version: u64,
    pub(crate) sequence: Option<Sequence>,
    pub(crate) loose: Pile,
    pub(crate) lots: BTreeMap<Name, Lot>,
    pub(crate) movements: BTreeMap<Name, Movement>,
    /// Lots and movements that were forgotten. Such a lot has no units, and its sums stay the item's.
    pub(crate) past_lots: Vec<(Name, Lot)>,
    pub(crate) past_movements: Vec<(Name, Movement)>,
}

impl Pile {
    pub(crate) fn on_hand(&self) -> i64 {
        let [received, removed, returned, captured] =
            [self.received, self.removed, self.returned, self.captured].map(i128::from);
        i64::try_from(received - removed + returned - captured).expect("every figure is at most 2^53 − 1")
    }
    /// What nobody holds; below 0 where backorders are held or captured.
    pub(crate) fn free(&self) -> i128 {
        i128::from(self.on_hand()) - i128::from(self.reserved)
    }
}

impl Lot {
    pub(crate) fn due(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Without units.
    pub(crate) fn idle(&self) -> bool {
        self.pile.on_hand() == 0
    }
}

impl Item {
    pub(crate) fn pile(&self, lot: Option<&Name>) -> &Pile {
        match lot {
            Some(lot) => &self.lots.get(lot).expect("a lot that units were taken from is remembered").pile,
            None => &self.loose,
        }
    }

    pub(crate) fn pile_mut(&mut self, lot: Option<&Name>) -> &mut Pile {
        match lot {
            Some(lot) => &mut self.lots.get_mut(lot).expect("a lot that units were taken from is remembered").pile,
            None => &mut self.loose,
        }
    }

    /// The item's figure as the sum over its lots, those forgotten too, and its units without lot.
    pub(crate) fn sum(&self, figure: impl Fn(&Pile) -> u64) -> u64 {
        let lots = self.lots.values().chain(self.past_lots.iter().map(|(_, lot)| lot));
        figure(&self.loose) + lots.map(|lot| figure(&lot.pile)).sum::<u64>()
    }

    pub(crate) fn on_hand(&self) -> i64 {
        self.loose.on_hand() + self.lots.values().map(|lot| lot.pile.on_hand()).sum::<i64>()
    }

    pub(crate) fn reserved(&self) -> u64 {
        self.sum(|pile| pile.reserved)
    }

    /// What nobody holds of all units, those of lots that have ended included.
    pub(crate) fn free(&self) -> i128 {
        i128::from(self.on_hand()) - i128::from(self.reserved())
    }

    /// Never shown below 0; counts only what stands in lots that have not expired.
    pub(crate) fn available(&self, now: Timestamp) -> u64 {
        self.available_without(|lot| lot.due(now))
    }

    fn available_without(&self, gone: impl Fn(&Lot) -> bool) -> u64 {
        let live: i128 = self.lots.values().filter(|lot| !gone(lot)).map(|lot| lot.pile.free()).sum();
        let safety = i128::from(self.settings.safety_stock);
        let backorder = i128::from(self.settings.backorder_limit);
        let available = self.loose.free() + live - safety + backorder;
        u64::try_from(available.max(0)).expect("every figure is at most 2^53 − 1")
    }

    /// Lots that are due and whose end has not been written, though there are units in them.
    pub(crate) fn due_lots(&self, now: Timestamp) -> Vec<Name> {
        let due = self.lots.iter().filter(|(_, lot)| lot.due(now) && !lot.ended && lot.pile.on_hand() > 0);
        due.map(|(name, _)| name.clone()).collect()
    }

    /// All lots in allocation order. Units without lot come after them.
    pub(crate) fn lots_in_order(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.lots.keys().cloned().collect();
        names.sort_by_key(|name| {
            let lot = &self.lots[name];
            let expiry = match self.settings.allocation {
                Allocation::Fefo => lot.expires_at.unwrap_or(Timestamp(u64::MAX)),
                Allocation::Fifo => Timestamp(0),
            };
            (expiry, lot.first, name.clone())
        });
        names
    }

    /// As it is shown at `now`, where `gone` says which lots have ended.
    pub(crate) fn record(&self, sku: &str, gone: impl Fn(&Lot) -> bool) -> ItemRecord {
        let mut order = self.lots_in_order();
        order.sort_by_key(|name| !gone(&self.lots[name]));
        let mut lots: Vec<LotRow> = Vec::new();
        for name in order {
            let lot = &self.lots[&name];
            if lot.pile.on_hand() != 0 {
                lots.push(LotRow {
                    lot: Some(name),
                    location: lot.location.clone(),
                    on_hand: lot.pile.on_hand(),
                    reserved: lot.pile.reserved,
                    expires_at: lot.expires_at,
                });
            }
        }
        if !self.lots.is_empty() && (self.loose.on_hand() != 0 || self.loose.reserved != 0) {
            let (on_hand, reserved) = (self.loose.on_hand(), self.loose.reserved);
            lots.push(LotRow { lot: None, location: None, on_hand, reserved, expires_at: None });
        }
        let expired: i64 = self.lots.values().filter(|lot| gone(lot)).map(|lot| lot.pile.on_hand()).sum();
        ItemRecord {
            sku: Name::from(sku),
            kind: self.kind,
            on_hand: self.on_hand(),
            reserved: self.reserved(),
            available: self.available_without(gone),
            received: self.sum(|pile| pile.received),
            removed: self.sum(|pile| pile.removed),
            returned: self.sum(|pile| pile.returned),
            captured: self.sum(|pile| pile.captured),
            expired: u64::try_from(expired).expect("no lot is below 0"),
            settings: self.settings.clone(),
            lots,
            version: self.version,
            sequence: self.sequence.unwrap_or_default(),
        }
    }
}
