//! Intrusive doubly linked lists through a slab's values: constant time, no memory of their own.

use crate::event::NONE;
use core::fmt;
use core::num::NonZeroU32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    previous: Link,
    next: Link,
}

/// A slot or `NONE`, one up: a link is never 0, so that an enum around links needs no room for its tag.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Link(NonZeroU32);

impl Link {
    const fn to(slot: u32) -> Link {
        match NonZeroU32::new(slot.wrapping_add(1)) {
            Some(up) => Link(up),
            None => Link(NonZeroU32::MAX),
        }
    }
    const fn slot(self) -> u32 {
        if self.0.get() == u32::MAX { NONE } else { self.0.get() - 1 }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slot().fmt(f)
    }
}

impl Links {
    pub(crate) const UNSET: Links = Links::new(NONE, NONE);

    pub(crate) const fn new(previous: u32, next: u32) -> Links {
        Links { previous: Link::to(previous), next: Link::to(next) }
    }
    pub(crate) const fn previous(&self) -> u32 {
        self.previous.slot()
    }
    pub(crate) const fn next(&self) -> u32 {
        self.next.slot()
    }
    pub(crate) const fn set_previous(&mut self, slot: u32) {
        self.previous = Link::to(slot);
    }
    pub(crate) const fn set_next(&mut self, slot: u32) {
        self.next = Link::to(slot);
    }
}

/// Where a list begins and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl List {
    pub(crate) const EMPTY: List = List { first: NONE, last: NONE };
}
