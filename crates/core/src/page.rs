//! Pages of open reservations: who holds this sku, what does this holder hold, what is open at all. From memory alone,
//! where every open reservation is; what is due is left out and not ended. A call does a bounded amount of work: a page
//! may come short, with a cursor to go on from.
//!
//! Lists by item and by holder are in the order of begins, and a cursor is the sequence of a begin. It also names a
//! reservation near by, from where its place is found at once; when that one has ended, the place is searched from the
//! list's beginning, and a cursor keeps how far that came. All open reservations have no list: they come in the order
//! of the index's hashes, and a cursor is an id. Either order outlives a restart, as long as the hash seed does; so
//! whatever is open throughout is told once.
//!
//! Cost: a step looks at one reservation. Of all, a sub-table's hashes are looked through for each page, many a step.

use crate::caps::{INDEX_TABLES, PAGE_HASHES_PER_LOOK};
use crate::event::NONE;
use crate::index::Index;
use crate::lists::Of;
use crate::reservation::Reservation;
use crate::state::State;
use alloc::vec::Vec;
use core::cmp::Ordering;
use sumun_wire::{Name, ReservationRecord, State as Status};

/// Whose reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListBy<'a> {
    All,
    Item(&'a str),
    Holder(&'a str),
    ItemAndHolder(&'a str, &'a str),
}

/// Where a page ended: the next one goes on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// Of a list by item or holder: sequence of a begin.
    Begin { after: u64, near: Near },
    /// Of all.
    Id(Name),
}

/// A reservation of the list at or before a cursor's place, to go on from: where it stood, and its begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    pub slot: u32,
    pub begun: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub records: Vec<ReservationRecord>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
    /// Reservations and allocations looked at.
    pub looked: u32,
}

/// What a page may still do.
struct Room {
    records: usize,
    work: u32,
    looked: u32,
}

impl Room {
    fn look(&mut self, at: usize) {
        self.looked = self.looked.saturating_add(at as u32);
    }
    const fn is_used(&self) -> bool {
        self.looked >= self.work
    }
}

impl State {
    /// Open reservations behind a cursor, at most `limit`, about as many as `work` looks allow; at least one look is
    /// made. Before timers and lists are set (`arm`) there are none. `None`: the cursor is of another kind of list.
    pub fn list_open(&self, now: u64, by: ListBy<'_>, after: Option<&Cursor>, limit: usize, work: u32) -> Option<Page> {
        let mut room = Room { records: limit.max(1), work: work.max(1), looked: 0 };
        let mut page = match (by, after) {
            (ListBy::All, None) => self.page_of_all(now, None, &mut room),
            (ListBy::All, Some(Cursor::Id(id))) => self.page_of_all(now, Some(id), &mut room),
            (ListBy::All, Some(Cursor::Begin { .. })) => return None,
            (ListBy::Item(_) | ListBy::Holder(_) | ListBy::ItemAndHolder(..), Some(Cursor::Id(_))) => return None,
            (ListBy::Item(_) | ListBy::Holder(_) | ListBy::ItemAndHolder(..), None) => {
                self.page_of(now, by, None, &mut room)
            }
            (ListBy::Item(_) | ListBy::Holder(_) | ListBy::ItemAndHolder(..), Some(Cursor::Begin { after, near })) => {
                self.page_of(now, by, Some((*after, *near)), &mut room)
            }
        };
        page.looked = room.looked;
        Some(page)
    }

    /// Which list to follow, and which item to keep to in it.
    fn followed(&self, by: ListBy<'_>) -> Option<(Of, u32)> {
        match by {
            ListBy::All => None,
            ListBy::Item(sku) => Some((Of::Item(self.slot_of_item(sku)?), NONE)),
            ListBy::Holder(holder) => Some((Of::Holder(self.slot_of_holder(holder)?), NONE)),
            // A holder's list is the shorter one, as a rule.
            ListBy::ItemAndHolder(sku, holder) => {
                Some((Of::Holder(self.slot_of_holder(holder)?), self.slot_of_item(sku)?))
            }
        }
    }

    fn page_of(&self, now: u64, by: ListBy<'_>, after: Option<(u64, Near)>, room: &mut Room) -> Page {
        let mut page = Page::default();
        let Some((of, item)) = self.followed(by) else { return page };
        let mut at = self.list(of).first;
        if let Some((after, near)) = after {
            if self.is_near(near, of) && near.begun <= after {
                at = near.slot;
            }
            let mut passed = near;
            while at != NONE && self.reservations[at].begun() <= after {
                if room.is_used() {
                    page.next = Some(Cursor::Begin { after, near: passed });
                    return page;
                }
                room.look(1);
                passed = Near { slot: at, begun: self.reservations[at].begun() };
                at = self.reservations[at].links(of).next();
            }
        }
        while at != NONE {
            let r = &self.reservations[at];
            let next = r.links(of).next();
            room.look(1);
            if !r.is_due(now) && (item == NONE || (0..r.lines()).any(|line| r.line(line).0 == item)) {
                self.tell(r, &mut page, room);
            }
            if next != NONE && (page.records.len() == room.records || room.is_used()) {
                let begun = r.begun();
                page.next = Some(Cursor::Begin { after: begun, near: Near { slot: at, begun } });
                return page;
            }
            at = next;
        }
        page
    }
    /// Whether a reservation stands where it stood, in this list.
    fn is_near(&self, near: Near, of: Of) -> bool {
        let same = |r: &&Reservation| r.state == Status::Held && r.begun() == near.begun;
        self.reservations.get(near.slot).filter(same).is_some_and(|r| match of {
            Of::Item(item) => (0..r.lines()).any(|line| r.line(line).0 == item),
            Of::Holder(holder) => r.holder == holder,
        })
    }
    fn tell(&self, r: &Reservation, page: &mut Page, room: &mut Room) {
        room.look(r.takes());
        page.records.push(self.shown(r));
    }

    fn page_of_all(&self, now: u64, after: Option<&Name>, room: &mut Room) -> Page {
        let mut page = Page::default();
        if !self.armed {
            return page;
        }
        let from = after.map(|id| (Index::place(self.hashing.name(id)), id.as_str()));
        let first = from.map_or(0, |((table, _), _)| table);
        for table in first..INDEX_TABLES {
            let behind = from.filter(|((of, _), _)| *of == table).map(|((_, short), id)| (short, id));
            let (slots, is_whole) = self.slots_behind(table, behind, room);
            let ends = |at: usize| at + 1 == slots.len() && is_whole && table + 1 == INDEX_TABLES;
            for (at, slot) in slots.iter().enumerate() {
                let r = &self.reservations[*slot];
                room.look(1);
                if r.state == Status::Held && !r.is_due(now) {
                    self.tell(r, &mut page, room);
                }
                if (page.records.len() == room.records || room.is_used()) && !ends(at) {
                    page.next = Some(Cursor::Id(r.id.clone()));
                    return page;
                }
            }
        }
        page
    }
    /// Slots of a sub-table in the order of hashes, behind a hash and an id, as many as there is work for; and whether
    /// these are all.
    fn slots_behind(&self, table: usize, behind: Option<(u32, &str)>, room: &mut Room) -> (Vec<u32>, bool) {
        let id = |slot: u32| self.reservations[slot].id.as_str();
        // Ids are looked at where hashes are the same, and nowhere else.
        let is_behind = |entry: &(u32, u32)| match behind {
            None => true,
            Some((short, after)) => match entry.0.cmp(&short) {
                Ordering::Less => false,
                Ordering::Equal => id(entry.1) > after,
                Ordering::Greater => true,
            },
        };
        let order = |a: &(u32, u32), b: &(u32, u32)| a.0.cmp(&b.0).then_with(|| id(a.1).cmp(id(b.1)));
        let entries = self.reservation_index.entries(table);
        room.look(entries.len() / PAGE_HASHES_PER_LOOK);
        let mut entries: Vec<(u32, u32)> = entries.filter(is_behind).collect();
        let most = room.work.saturating_sub(room.looked).max(1) as usize;
        let is_whole = entries.len() <= most;
        if !is_whole {
            entries.select_nth_unstable_by(most - 1, order);
            entries.truncate(most);
        }
        entries.sort_unstable_by(order);
        (entries.into_iter().map(|(_, slot)| slot).collect(), is_whole)
    }
}
