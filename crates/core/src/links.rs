//! Intrusive doubly linked lists through a slab's values: constant time, no memory of their own.

use crate::event::NONE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    pub(crate) previous: u32,
    pub(crate) next: u32,
}

impl Default for Links {
    fn default() -> Links {
        Links { previous: NONE, next: NONE }
    }
}
