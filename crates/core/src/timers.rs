//! When open reservations end: two rings of buckets, lists through the reservations themselves.
//!
//! The coarse ring has a bucket a second, for longer than any ttl. The second ahead is fed, some entries at a time,
//! into the fine ring, which has a bucket a millisecond, and from there to the list of what is due. Nothing is sorted.
//! Cost: 4 ns to set or clear; each entry moves twice; 8 bytes an entry and 32 MiB of address space for the heads, of
//! which the pages in use are touched.

use crate::caps::{TIMER_MILLIS, TIMER_SECONDS};
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
    coarse_set: Vec<u64>,
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
            coarse_set: vec![0; TIMER_SECONDS as usize / 64],
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

    /// A reservation whose time has come, if there is one. It stays until it is cleared.
    pub(crate) const fn due(&self) -> Option<u32> {
        self.due.checked_sub(1)
    }

    /// Goes on to `now`: what is due stands in the due list then, as far as `work` entries may be moved. Called in every
    /// step, whether or not anything can be written: the rings never fall behind.
    pub(crate) fn advance(&mut self, now: u64, work: &mut u32, all: &mut Slab<Reservation>) {
        if self.len == 0 {
            return;
        }
        loop {
            while let Some(at) = self.first_fine(self.fed.min(now + 1)) {
                self.cursor = at;
                if !self.drain(Place::Fine, at, work, all) {
                    return;
                }
            }
            self.cursor = self.cursor.max(self.fed.min(now + 1));
            // The fine ring has room for a second more, and it is time for it.
            if self.fed > now + 1_000 || self.fed + 1_000 > self.cursor + TIMER_MILLIS {
                return;
            }
            // A second that is fed in part is fed to its end: what was moved already stands before the cursor may pass.
            let half_fed = self.first_fine(self.fed + 1_000).is_some();
            let next = if half_fed { self.fed } else { self.next_second(now + 1_000) };
            if next > self.fed && next > self.cursor {
                self.cursor = next.min(now + 1);
            }
            self.fed = next;
            if self.fed > now + 1_000 || self.fed + 1_000 > self.cursor + TIMER_MILLIS {
                return;
            }
            if !self.drain(Place::Coarse, self.fed, work, all) {
                return;
            }
            self.fed += 1_000;
        }
    }

    /// Moves the entries of one bucket to where they belong now. `false` when there was not work enough for all.
    fn drain(&mut self, place: Place, at: u64, work: &mut u32, all: &mut Slab<Reservation>) -> bool {
        while let Some(slot) = self.head(place, at).checked_sub(1) {
            if *work == 0 {
                return false;
            }
            *work -= 1;
            self.unlink(slot, all);
            let ends = all[slot].expires_at;
            let to = if place == Place::Coarse && ends >= self.cursor { Place::Fine } else { Place::Due };
            self.link(slot, to, all);
        }
        true
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

    /// The beginning of the first second from `fed` on that has entries, or of the one after `until`.
    fn next_second(&self, until: u64) -> u64 {
        let (mut second, last) = (self.fed / 1_000, until / 1_000);
        while second <= last {
            let bit = (second % TIMER_SECONDS) as usize;
            let word = self.coarse_set[bit / 64] >> (bit % 64);
            if word != 0 {
                return (second + u64::from(word.trailing_zeros())).min(last + 1) * 1_000;
            }
            second += 64 - (bit % 64) as u64;
        }
        (last + 1) * 1_000
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
            all[next].places_mut().timer.set_previous(slot);
        }
        let reservation = &mut all[slot];
        reservation.places_mut().timer = Links::new(NONE, next);
        reservation.timer = place;
        let (set, bit) = match place {
            Place::Fine => (&mut self.fine_set[..], (at % TIMER_MILLIS) as usize),
            Place::Coarse => (&mut self.coarse_set[..], (at / 1_000 % TIMER_SECONDS) as usize),
            Place::Due | Place::Unset => return,
        };
        set[bit / 64] |= 1 << (bit % 64);
    }

    fn unlink(&mut self, slot: u32, all: &mut Slab<Reservation>) {
        let reservation = &mut all[slot];
        let (place, at) = (reservation.timer, reservation.expires_at);
        reservation.timer = Place::Unset;
        let links = core::mem::replace(&mut reservation.places_mut().timer, Links::UNSET);
        let (previous, next) = (links.previous(), links.next());
        if next != NONE {
            all[next].places_mut().timer.set_previous(previous);
        }
        if previous != NONE {
            all[previous].places_mut().timer.set_next(next);
            return;
        }
        let head = self.head(place, at);
        *head = if next == NONE { 0 } else { next + 1 };
        if *head != 0 {
            return;
        }
        let (set, bit) = match place {
            Place::Fine => (&mut self.fine_set[..], (at % TIMER_MILLIS) as usize),
            Place::Coarse => (&mut self.coarse_set[..], (at / 1_000 % TIMER_SECONDS) as usize),
            Place::Due | Place::Unset => return,
        };
        set[bit / 64] &= !(1 << (bit % 64));
    }
}
