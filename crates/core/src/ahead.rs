//! What ends by time will need, named before it is needed. Reads nothing itself, and decides nothing.
//!
//! While the state runs, all that open reservations need is in memory: it came with what began them, and stays. After a
//! start they themselves are, and nothing else.
//! Cost: a look at each open reservation's takes, once after a start.

use crate::record::Key;
use crate::state::{Found, State};
use alloc::vec::Vec;
use sumun_wire::State as Status;

impl State {
    /// Looks at reservations from slot `from` on, at `slots` of them at most, and adds the records that the open ones will
    /// need and memory lacks: an item's lots come with it. Returns where to go on; `None`: that was all.
    pub fn missing_of_open(&self, from: u32, slots: u32, missing: &mut Vec<Key>) -> Option<u32> {
        let end = self.reservations.end();
        let until = end.min(from.saturating_add(slots));
        for slot in from..until {
            let Some(r) = self.reservations.get(slot).filter(|r| r.state == Status::Held) else { continue };
            for take in r.all_takes() {
                if !self.items[take.item].known {
                    missing.push(self.item_key(take.item));
                }
                if !take.counted {
                    continue;
                }
                let holder = &self.holders[r.holder].name;
                if self.find_usage(take.item, holder) == Found::Unknown {
                    missing.push(Key::Usage(self.items[take.item].sku.clone(), holder.clone()));
                }
            }
        }
        (until < end).then_some(until)
    }
}
