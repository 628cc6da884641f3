//! Filling the filters after a start, a page at a time: commands' reads stand in the same queue.
//!
//! That of items and usages comes before the log's tail is replayed, which looks usages up in it. Those of generations grow
//! with history: they are filled while commands are served already. Until then every id may have been seen, and costs
//! a read.

use super::{Keeper, What};
use std::collections::VecDeque;
use sumun_core::State;

#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// Still to be filled, with where to go on in the first of them. `None` is that of items and usages.
    rest: VecDeque<Option<u32>>,
    from: Option<Vec<u8>>,
    is_asked: bool,
}

impl Filters {
    /// The newest generation's is the last: it grows, and costs least to look up.
    pub(crate) fn begin(&mut self, generations: &[u32]) {
        *self = Filters {
            rest: [None].into_iter().chain(generations.iter().copied().map(Some)).collect(),
            ..Filters::default()
        };
    }
}

impl Keeper {
    /// Whether the filter of items and usages knows all that the store holds.
    pub(crate) fn knows_items(&self) -> bool {
        self.filters.rest.front() != Some(&None)
    }

    /// Asks for the next page, unless one is on its way. Before a start is done, for none of a generation's.
    pub(crate) fn fill_filters(&mut self, generations_too: bool) {
        if self.filters.is_asked {
            return;
        }
        let Some(generation) = self.filters.rest.front().copied().filter(|of| of.is_none() || generations_too) else {
            return;
        };
        self.filters.is_asked = true;
        let from = self.filters.from.take();
        self.tell(What::Filter { generation, from });
    }

    /// A page has come.
    pub(crate) fn hear_hashes(
        &mut self,
        state: &mut State,
        generation: Option<u32>,
        hashes: &[u64],
        next: Option<Vec<u8>>,
    ) {
        self.filters.is_asked = false;
        state.fill_filter(generation, hashes);
        if next.is_none() {
            state.filter_is_filled(generation);
            self.filters.rest.pop_front();
        }
        self.filters.from = next;
        self.fill_filters(false);
    }
}
