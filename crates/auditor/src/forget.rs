//! What the model forgets, and when: an id of a reservation `retention` after its end or last return, an id of a
//! movement `retention` after it was made, a lot without units `retention` after its last event or the last of a
//! reservation that took from it, never while one of those is open. To the millisecond: what last happened at `t` is
//! forgotten at `t + retention`, not before.
//!
//! What counts is the retention that holds when it is asked. One that is raised may bring back what was forgotten, or
//! may not (it may have left, or never been looked at): such a record is *doubtful* until an event of its own, and
//! either reading of it is by the book, for each command anew, as long as it is forgotten only once.
//!
//! What is forgotten stands apart, in `past`: a limit goes on counting it, an item's sums hold it, and time that goes
//! back to the last event (`recovered`) finds it again.

use crate::complaint::Complaint;
use crate::item::{Item, Lot, Movement};
use crate::ledger::{Ledger, names};
use crate::reservation::Reservation;
use std::collections::BTreeSet;
use sumun_wire::{Command, Name, State, Timestamp};

/// 30 days.
pub const RETENTION_MS_DEFAULT: u64 = 30 * 24 * 60 * 60 * 1_000;

/// Doubtful records that one command may name and be tried in every combination; of more, all or none.
const DOUBTS_TRIED_MAX: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention(pub(crate) u64);

impl Default for Retention {
    fn default() -> Retention {
        Retention(RETENTION_MS_DEFAULT)
    }
}

impl Retention {
    /// When what last happened at `last` is forgotten.
    pub(crate) fn end(self, last: Timestamp) -> Timestamp {
        Timestamp(last.0.saturating_add(self.0))
    }
    pub(crate) fn over(self, last: Timestamp, now: Timestamp) -> bool {
        self.end(last) <= now
    }
}

/// How much was forgotten so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    pub reservations: u64,
    pub movements: u64,
    pub lots: u64,
}

/// Something that can be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    Reservation(Name),
    Movement(Name, Name),
    Lot(Name, Name),
}

/// Sku and lot.
type LotName = (Name, Name);

impl Item {
    /// Lots without units that nothing open took from, and whose time is over.
    fn lots_to_forget(&self, sku: &Name, open: &BTreeSet<LotName>, keep: Retention, now: Timestamp) -> Vec<Name> {
        let idle = |(name, lot): &(&Name, &Lot)| lot.idle() && !open.contains(&(sku.clone(), (*name).clone()));
        let over = self.lots.iter().filter(|(_, lot)| keep.over(lot.last, now)).filter(idle);
        over.map(|(name, _)| name.clone()).collect()
    }

    fn forget_lot(&mut self, name: &Name) {
        self.past_lots.extend(self.lots.remove_entry(name));
    }

    fn revive(&mut self, keep: Retention, now: Timestamp, doubtful: bool) -> bool {
        let (lots, movements) = (&mut self.lots, &mut self.movements);
        let mut found = revive(&mut self.past_lots, |name, lot| {
            let back = !keep.over(lot.last, now) && !lots.contains_key(name);
            if back {
                lots.insert(name.clone(), Lot { doubtful: lot.doubtful || doubtful, ..lot.clone() });
            }
            back
        });
        found |= revive(&mut self.past_movements, |id, movement| {
            let back = !keep.over(movement.at, now) && !movements.contains_key(id);
            if back {
                let doubtful = movement.doubtful || doubtful;
                movements.insert(id.clone(), Movement { doubtful, ..movement.clone() });
            }
            back
        });
        found
    }
}

/// Takes out what `back` puts back, the newest first: of several with one name only the last can come back.
fn revive<T>(past: &mut Vec<(Name, T)>, mut back: impl FnMut(&Name, &T) -> bool) -> bool {
    let before = past.len();
    let mut stays: Vec<(Name, T)> =
        std::mem::take(past).into_iter().rev().filter(|(name, one)| !back(name, one)).collect();
    stays.reverse();
    *past = stays;
    past.len() < before
}

impl Ledger {
    /// What the system was told as its retention. An event of the log that says another replaces it.
    #[must_use]
    pub fn with_retention(mut self, retention_ms: u64) -> Ledger {
        self.set_retention(retention_ms);
        self
    }

    pub fn retention_ms(&self) -> u64 {
        self.retention.0
    }

    /// How much was forgotten: a simulation sees from it that its histories are long enough.
    pub fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    /// From now on this retention holds.
    pub fn set_retention(&mut self, retention_ms: u64) {
        let raised = retention_ms > self.retention.0;
        self.retention = Retention(retention_ms);
        self.forget_from = Timestamp(0);
        if raised && self.revive(self.now, true) {
            self.doubts = true;
        }
        self.forget(self.now);
    }

    /// Time went back to `now`: what was forgotten since is remembered.
    pub(crate) fn went_back(&mut self, now: Timestamp) {
        self.now = now;
        self.revive(now, false);
    }

    fn revive(&mut self, now: Timestamp, doubtful: bool) -> bool {
        let keep = self.retention;
        let mut found = false;
        for item in self.items.values_mut() {
            found |= item.revive(keep, now, doubtful);
        }
        let mut past = std::mem::take(&mut self.past);
        for at in (0..past.len()).rev() {
            if !keep.over(past[at].last, now) && !self.reservations.contains_key(&past[at].id) {
                let mut back = past.remove(at);
                back.doubtful |= doubtful;
                self.reservations.insert(back.id.clone(), back);
                found = true;
            }
        }
        self.past = past;
        self.forget_from = Timestamp(0);
        found
    }

    /// An event at `now` was written: nothing that it touched is forgotten earlier than this.
    pub(crate) fn stamped(&mut self, now: Timestamp) {
        self.forget_from = self.forget_from.min(self.retention.end(now));
    }

    pub(crate) fn forget(&mut self, now: Timestamp) {
        if now < self.forget_from {
            return;
        }
        let (keep, open) = (self.retention, self.open_lots());
        let mut next = Timestamp(u64::MAX);
        for (sku, item) in &mut self.items {
            for name in item.lots_to_forget(sku, &open, keep, now) {
                item.forget_lot(&name);
                self.forgotten.lots += 1;
            }
            let gone: Vec<_> = item.movements.extract_if(.., |_, movement| keep.over(movement.at, now)).collect();
            self.forgotten.movements += gone.len() as u64;
            item.past_movements.extend(gone);
            let lots = item.lots.values().filter(|lot| lot.idle()).map(|lot| lot.last);
            let left = lots.chain(item.movements.values().map(|movement| movement.at));
            next = left.map(|last| keep.end(last)).fold(next, Timestamp::min);
        }
        let over = |r: &Reservation| r.state != State::Held && keep.over(r.last, now);
        let gone: Vec<Reservation> = self.reservations.extract_if(.., |_, r| over(r)).map(|(_, r)| r).collect();
        self.forgotten.reservations += gone.len() as u64;
        self.past.extend(gone);
        let left = self.reservations.values().filter(|r| r.state != State::Held);
        self.forget_from = left.map(|r| keep.end(r.last)).fold(next, Timestamp::min);
    }

    /// Lots that open reservations took from.
    pub(crate) fn open_lots(&self) -> BTreeSet<LotName> {
        let open = self.reservations.values().filter(|r| r.state == State::Held);
        open.flat_map(Reservation::lots).collect()
    }

    /// The item as it is remembered at `now`.
    pub(crate) fn remembered(&self, sku: &str, now: Timestamp) -> Option<Item> {
        let mut item = self.visible(sku)?.clone();
        for lot in item.lots_to_forget(&Name::from(sku), &self.open_lots(), self.retention, now) {
            item.forget_lot(&lot);
        }
        Some(item)
    }

    /// Judges by each reading of what is doubtful, the one that remembers most first, and keeps the first that fits.
    pub(crate) fn by_any_reading(
        &mut self,
        commands: &[Command<'_>],
        judge: impl Fn(&mut Ledger) -> Result<(), Complaint>,
    ) -> Result<(), Complaint> {
        let doubts = self.doubts_of(commands);
        if doubts.is_empty() {
            return judge(self);
        }
        let mut first = None;
        let fits = self.readings(&doubts).find_map(|mut reading| match judge(&mut reading) {
            Ok(()) => Some(reading),
            Err(complaint) => {
                first.get_or_insert(complaint);
                None
            }
        });
        match (fits, first) {
            (Some(reading), _) => *self = reading,
            (None, Some(complaint)) => return Err(complaint),
            (None, None) => unreachable!("there is a reading that remembers everything"),
        }
        Ok(())
    }

    /// As `by_any_reading`, for whoever looks for a model that explains something.
    pub(crate) fn find_reading<T>(&self, commands: &[Command<'_>], find: impl Fn(&Ledger) -> Option<T>) -> Option<T> {
        let doubts = self.doubts_of(commands);
        if doubts.is_empty() { find(self) } else { self.readings(&doubts).find_map(|reading| find(&reading)) }
    }

    fn readings(&self, doubts: &[Thing]) -> impl Iterator<Item = Ledger> {
        let masks: Vec<u64> = match doubts.len() {
            0..=DOUBTS_TRIED_MAX => (0..1 << doubts.len()).collect(),
            _ => vec![0, u64::MAX],
        };
        masks.into_iter().map(move |mask| {
            let mut reading = self.clone();
            let gone = doubts.iter().enumerate().filter(|(bit, _)| mask >> bit.min(&63) & 1 == 1);
            gone.for_each(|(_, thing)| reading.forget_thing(thing));
            reading
        })
    }

    fn doubts_of(&self, commands: &[Command<'_>]) -> Vec<Thing> {
        let mut doubts = Vec::new();
        for command in commands.iter().filter(|_| self.doubts) {
            let (id, mut skus) = names(command);
            if let Some(known) = id.and_then(|id| self.reservations.get(id)) {
                doubts.extend(known.doubtful.then(|| Thing::Reservation(known.id.clone())));
                skus.extend(known.lines.iter().map(|line| line.sku.clone()));
            }
            let movement = match command {
                Command::Receive(c) => c.movement,
                Command::Adjust(c) => c.movement,
                Command::Configure(_)
                | Command::Remove { .. }
                | Command::Reserve(_)
                | Command::Capture(_)
                | Command::Release(_)
                | Command::Return(_)
                | Command::Extend(_)
                | Command::Reservation { .. }
                | Command::Item { .. }
                | Command::Holder { .. } => None,
            };
            for sku in skus {
                let Some(item) = self.items.get(&sku) else { continue };
                let moved = movement.and_then(|id| item.movements.get_key_value(id));
                let moved = moved.filter(|(_, movement)| movement.doubtful);
                doubts.extend(moved.map(|(id, _)| Thing::Movement(sku.clone(), id.clone())));
                let lots = item.lots.iter().filter(|(_, lot)| lot.doubtful);
                doubts.extend(lots.map(|(name, _)| Thing::Lot(sku.clone(), name.clone())));
            }
        }
        doubts.dedup();
        doubts
    }

    /// Something doubtful is gone. With a lot go the doubtful reservations that took from it: it outlives them.
    fn forget_thing(&mut self, thing: &Thing) {
        match thing {
            Thing::Reservation(id) => self.past.extend(self.reservations.remove(id)),
            Thing::Movement(sku, id) => {
                let item = self.items.get_mut(sku).expect("it was found there");
                item.past_movements.extend(item.movements.remove_entry(id));
            }
            Thing::Lot(sku, lot) => {
                let taken = |r: &Reservation| r.doubtful && r.lots().any(|one| one == (sku.clone(), lot.clone()));
                let gone = self.reservations.extract_if(.., |_, r| taken(r)).map(|(_, r)| r);
                self.past.extend(gone);
                self.items.get_mut(sku).expect("it was found there").forget_lot(lot);
            }
        }
    }
}
