//! When open reservations end: two rings of buckets, lists through the reservations themselves.
//!
//! The coarse ring has a bucket a second, for longer than any ttl. The second ahead is fed, some entries at a time,
//! into the fine ring, which has a bucket a millisecond. Nothing cascades and nothing is sorted.
//! Cost: 4 ns to set or clear; each entry moves once; 8 bytes an entry and 16 MiB of address space for the heads, of
//! which the pages in use are touched.

use crate::caps::{TIMER_MILLIS, TIMER_SCAN_MAX, TIMER_SECONDS};
use crate::event::NONE;
use crate::links::Links;
use crate::reservation::Reservation;
use crate::slab::Slab;
use alloc::vec;
use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Unset,
    Coarse,
    Fine,
    /// Its time has passed.
    Due,
}

#[derive(Debug)]
pub(crate) struct Timers {
    /// Heads are slots plus one: an untouched page of zeros is a page of empty buckets.
    coarse: Vec<u32>,
    fine: Vec<u32>,
    fine_set: [u64; TIMER_MILLIS as usize / 64],
    due: u32,
    /// No fine bucket before this millisecond has entries.
    cursor: u64,
    /// Where the next second to feed begins: all that ends before stands in the fine ring or is due.
    fed: u64,
    len: usize,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            coarse: vec![0; TIMER_SECONDS as usize],
            fine: vec![0; TIMER_MILLIS as usize],
            fine_set: [0; TIMER_MILLIS as usize / 64],
            due: 0,
            cursor: 0,
            fed: 0,
            len: 0,
        }
    }

    pub(crate) fn set(&mut self, slot: u32, now: u64, all: &mut Slab<Reservation>) {
        if self.len == 0 && self.fed < now {
            self.cursor = now;
            self.fed = now / 1_000 * 1_000;
        }
        self.len += 1;
        let at = all[slot].expires_at;
        let place = self.place(at);
        self.link(slot, place, all);
    }

    const fn place(&self, at: u64) -> Place {
        if at >= self.fed {
            assert!(at - self.fed < (TIMER_SECONDS - 1) * 1_000, "a ttl is shorter than the coarse ring");
            Place::Coarse
        } else if at >= self.cursor {
            Place::Fine
        } else {
            Place::Due
        }
    }

    pub(crate) fn clear(&mut self, slot: u32, all: &mut Slab<Reservation>) {
        if all[slot].timer != Place::Unset {
            self.unlink(slot, all);
            self.len -= 1;
        }
    }

    /// A reservation whose time has come, if there is one. It stays until it is cleared. `work` is how many entries
    /// may be moved on the way, and is told down.
    pub(crate) fn due(&mut self, now: u64, work: &mut u32, all: &mut Slab<Reservation>) -> Option<u32> {
        self.feed(now, work, all);
        if self.due != 0 {
            return Some(self.due - 1);
        }
        while let Some(at) = self.first_fine(self.fed.min(now + 1)) {
            self.cursor = at;
            let head = self.fine[(at % TIMER_MILLIS) as usize];
            if head != 0 {
                return Some(head - 1);
            }
        }
        self.cursor = self.cursor.max(self.fed.min(now + 1));
        None
    }

    /// The next millisecond at which something may be due, for whoever waits: never later than it is, at most a
    /// second ahead.
    pub(crate) fn next(&self, now: u64) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        if self.due != 0 || self.fed <= now {
            return Some(now);
        }
        Some(self.first_fine(self.fed).unwrap_or(self.fed).min(now + 1_000))
    }

    fn feed(&mut self, now: u64, work: &mut u32, all: &mut Slab<Reservation>) {
        if self.len == 0 {
            return;
        }
        let mut scanned = 0;
        while self.fed <= now + 1_000 && scanned < TIMER_SCAN_MAX {
            // The ring of milliseconds has room for what is fed only when what is behind the cursor is gone.
            if self.fed + 1_000 > self.cursor + TIMER_MILLIS {
                match self.first_fine(self.fed.min(now + 1)) {
                    Some(_) => return,
                    None => self.cursor = self.cursor.max(self.fed.min(now + 1)),
                }
                if self.fed + 1_000 > self.cursor + TIMER_MILLIS {
                    return;
                }
            }
            let bucket = (self.fed / 1_000 % TIMER_SECONDS) as usize;
            while self.coarse[bucket] != 0 {
                if *work == 0 {
                    return;
                }
                *work -= 1;
                let slot = self.coarse[bucket] - 1;
                self.unlink(slot, all);
                let at = all[slot].expires_at;
                let place = if at >= self.cursor { Place::Fine } else { Place::Due };
                self.link(slot, place, all);
            }
            self.fed += 1_000;
            scanned += 1;
        }
    }

    /// The first millisecond before `end` whose bucket has entries.
    fn first_fine(&self, end: u64) -> Option<u64> {
        let mut at = self.cursor;
        while at < end {
            let bit = (at % TIMER_MILLIS) as usize;
            let word = self.fine_set[bit / 64] >> (bit % 64);
            if word != 0 {
                let found = at + u64::from(word.trailing_zeros());
                return (found < end).then_some(found);
            }
            at += 64 - (bit % 64) as u64;
        }
        None
    }

    fn head(&mut self, place: Place, at: u64) -> &mut u32 {
        match place {
            Place::Coarse => &mut self.coarse[(at / 1_000 % TIMER_SECONDS) as usize],
            Place::Fine => &mut self.fine[(at % TIMER_MILLIS) as usize],
            Place::Due => &mut self.due,
            Place::Unset => unreachable!("what is not set stands in no list"),
        }
    }

    fn link(&mut self, slot: u32, place: Place, all: &mut Slab<Reservation>) {
        let at = all[slot].expires_at;
        let head = self.head(place, at);
        let next = if *head == 0 { NONE } else { *head - 1 };
        *head = slot + 1;
        if next != NONE {
            all[next].links.previous = slot;
        }
        let reservation = &mut all[slot];
        reservation.links = Links { previous: NONE, next };
        reservation.timer = place;
        if place == Place::Fine {
            let bit = (at % TIMER_MILLIS) as usize;
            self.fine_set[bit / 64] |= 1 << (bit % 64);
        }
    }

    fn unlink(&mut self, slot: u32, all: &mut Slab<Reservation>) {
        let reservation = &mut all[slot];
        let (links, place, at) = (reservation.links, reservation.timer, reservation.expires_at);
        reservation.links = Links::default();
        reservation.timer = Place::Unset;
        if links.next != NONE {
            all[links.next].links.previous = links.previous;
        }
        if links.previous != NONE {
            all[links.previous].links.next = links.next;
            return;
        }
        let head = self.head(place, at);
        *head = if links.next == NONE { 0 } else { links.next + 1 };
        if *head == 0 && place == Place::Fine {
            let bit = (at % TIMER_MILLIS) as usize;
            self.fine_set[bit / 64] &= !(1 << (bit % 64));
        }
    }
}
