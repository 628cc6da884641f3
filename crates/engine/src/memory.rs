//! How much of its memory the shard has used, and what follows from it.

use crate::caps::{EVICT_TENTHS, MEMORY_TENTHS};
use crate::keeper::Pressure;
use crate::shard::Budget;

pub(crate) const fn pressure(bytes: usize, memory: usize) -> Pressure {
    if bytes >= memory / 10 * MEMORY_TENTHS {
        Pressure::High
    } else if bytes >= memory / 10 * EVICT_TENTHS {
        Pressure::Some
    } else {
        Pressure::None
    }
}

pub(crate) const fn memory_budget(bytes: usize, memory: usize) -> Budget {
    if bytes >= memory {
        Budget::Full
    } else if bytes >= memory / 10 * MEMORY_TENTHS {
        Budget::Overloaded
    } else {
        Budget::Open
    }
}
