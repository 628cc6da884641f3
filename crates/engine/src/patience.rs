//! How long commands wait for records that are being read. While the store answers they wait as long as it takes; when it
//! has told nothing for `READ_WAIT_MS` they are refused, and so is whoever comes after them, until it answers again.

use crate::caps::READ_WAIT_MS;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    /// Since when something has been waited for and nothing has come.
    since: Option<u64>,
    is_over: bool,
}

impl Patience {
    /// A command waits.
    pub(crate) fn wait(&mut self, now: u64) {
        self.since.get_or_insert(now);
    }
    /// The store has answered.
    pub(crate) fn answered(&mut self) {
        *self = Patience::default();
    }
    /// `true` once, when it has just come to an end: whoever waits asks again, and is refused.
    pub(crate) fn ends(&mut self, now: u64) -> bool {
        let ends = !self.is_over && self.since.is_some_and(|since| now >= since + READ_WAIT_MS);
        self.is_over |= ends;
        ends
    }
    pub(crate) const fn is_over(self) -> bool {
        self.is_over
    }
    /// When it will be.
    pub(crate) fn ends_at_ms(self) -> Option<u64> {
        self.since.filter(|_| !self.is_over).map(|since| since + READ_WAIT_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_nothing_came_for_long_and_is_back_with_the_first_answer() {
        let mut patience = Patience::default();
        assert!(!patience.ends(u64::MAX) && patience.ends_at_ms().is_none(), "nobody waits");
        patience.wait(1_000);
        patience.wait(1_500);
        assert_eq!(patience.ends_at_ms(), Some(1_000 + READ_WAIT_MS));
        assert!(!patience.ends(999 + READ_WAIT_MS));
        assert!(patience.ends(1_000 + READ_WAIT_MS) && patience.is_over());
        assert!(!patience.ends(9_000 + READ_WAIT_MS), "said once");
        patience.answered();
        assert!(!patience.is_over());
    }
}
