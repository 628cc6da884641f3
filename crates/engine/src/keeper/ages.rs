//! How long events have waited to be staged. A record that changes again while it waits is written once: a hot item a few
//! times a second, a reservation that ends soon after it began only as it ended. What waits is what a start replays.

use crate::caps::STORE_PAUSE_MS;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(crate) struct Ages {
    /// When the newest event was which, from the oldest mark on.
    marks: VecDeque<(u64, u64)>,
    aged: u64,
}

impl Ages {
    /// The newest event is `sequence` now; what is `after_ms` old has waited long enough.
    pub(crate) fn note(&mut self, sequence: u64, now: u64, after_ms: u64) {
        let (at, newest) = self.marks.back().copied().unwrap_or((0, self.aged));
        if sequence > newest && now >= at + STORE_PAUSE_MS {
            self.marks.push_back((now, sequence));
        }
        while let Some((at, sequence)) = self.marks.front().copied()
            && at + after_ms <= now
        {
            self.aged = sequence;
            self.marks.pop_front();
        }
    }
    /// Events up to here have waited long enough.
    pub(crate) const fn aged(&self) -> u64 {
        self.aged
    }
    /// When `note` will find something.
    pub(crate) fn next_at_ms(&self, sequence: u64, after_ms: u64) -> Option<u64> {
        let aged = self.marks.front().map(|(at, _)| at + after_ms);
        let newest = self.marks.back().map_or(self.aged, |(_, newest)| *newest);
        let marked = (sequence > newest).then(|| self.marks.back().map_or(0, |(at, _)| at + STORE_PAUSE_MS));
        aged.into_iter().chain(marked).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_waited_long_enough_is_told_and_nothing_newer() {
        let mut ages = Ages::default();
        assert_eq!(ages.next_at_ms(0, 500), None);
        assert_eq!(ages.next_at_ms(7, 500), Some(0));
        ages.note(7, 1_000, 500);
        ages.note(9, 1_010, 500);
        assert_eq!((ages.aged(), ages.next_at_ms(9, 500)), (0, Some(1_020)), "9 has no mark yet");
        ages.note(9, 1_020, 500);
        assert_eq!(ages.next_at_ms(9, 500), Some(1_500));
        ages.note(9, 1_499, 500);
        assert_eq!(ages.aged(), 0);
        ages.note(9, 1_500, 500);
        assert_eq!(ages.aged(), 7);
        ages.note(9, 1_520, 500);
        assert_eq!((ages.aged(), ages.next_at_ms(9, 500)), (9, None));
    }

    #[test]
    fn with_nothing_to_wait_for_all_is_told_at_once() {
        let mut ages = Ages::default();
        ages.note(7, 1_000, 0);
        assert_eq!(ages.aged(), 7);
    }
}
