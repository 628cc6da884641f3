//! What one holder holds and has captured of one item, for its limit.
//! LIMIT-1: no reserve brings held plus captured in the window above the limit; decided from here.
//!
//! Captured quantities stand in buckets by when their reservation began, each no wider than a thousandth of its age,
//! merged as they age: so a window that is changed later still counts right, and a heavy holder costs a bounded table.

use crate::caps::{USAGE_BUCKETS_MERGE, USAGE_PRECISION};
use crate::record;
use alloc::vec::Vec;
use core::cell::Cell;

#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) item: u32,
    pub(crate) holder: u32,
    pub(crate) sequence: u64,
    pub(crate) held: u64,
    /// Captured less returned, over its life.
    pub(crate) captured: u64,
    pub(crate) filed: bool,
    pub(crate) unsaved: bool,
    /// Looked at since the hand passed.
    pub(crate) used: Cell<bool>,
    buckets: Vec<Bucket>,
    merge_at: usize,
}

/// Captured quantities of reservations that began from `from` to `to`, both included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    pub from: u64,
    pub to: u64,
    pub quantity: u64,
}

impl Usage {
    pub(crate) const fn new(item: u32, holder: u32) -> Usage {
        Usage {
            item,
            holder,
            sequence: 0,
            held: 0,
            captured: 0,
            filed: false,
            unsaved: false,
            used: Cell::new(true),
            buckets: Vec::new(),
            merge_at: USAGE_BUCKETS_MERGE,
        }
    }
    pub(crate) fn from_record(item: u32, holder: u32, r: &record::Usage<'_>) -> Usage {
        let mut usage = Usage::new(item, holder);
        usage.sequence = r.sequence;
        usage.held = r.held;
        usage.captured = r.captured;
        usage.filed = true;
        usage.buckets.extend_from_slice(&r.buckets);
        usage.merge_at = USAGE_BUCKETS_MERGE.max(usage.buckets.len() * 2);
        usage
    }
    pub(crate) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }
    /// Captured quantities that count at `now`: what began less than a window ago, in whole buckets.
    pub(crate) fn counted(&self, now: u64, window_ms: Option<u64>) -> u64 {
        let Some(window) = window_ms else { return self.captured };
        self.buckets.iter().rev().take_while(|b| b.to.saturating_add(window) > now).map(|b| b.quantity).sum()
    }
    /// When the oldest counted quantity stops counting.
    pub(crate) fn next_free_at(&self, now: u64, window_ms: Option<u64>) -> Option<u64> {
        let window = window_ms?;
        let oldest = self.buckets.iter().find(|b| b.quantity > 0 && b.to.saturating_add(window) > now)?;
        Some(oldest.to.saturating_add(window))
    }
    pub(crate) fn capture(&mut self, began: u64, quantity: u64, now: u64) {
        self.captured += quantity;
        let at = self.buckets.partition_point(|b| b.to < began);
        match self.buckets.get_mut(at) {
            Some(bucket) if bucket.from <= began => bucket.quantity += quantity,
            Some(_) | None => self.buckets.insert(at, Bucket { from: began, to: began, quantity }),
        }
        if self.buckets.len() >= self.merge_at {
            self.merge(now);
        }
    }
    pub(crate) fn give_back(&mut self, began: u64, quantity: u64) {
        self.captured -= quantity;
        let at = self.buckets.partition_point(|b| b.to < began);
        let bucket = self.buckets.get_mut(at).filter(|b| b.from <= began && b.quantity >= quantity);
        bucket.expect("LIMIT-1: what is returned was counted when it was captured").quantity -= quantity;
    }
    fn merge(&mut self, now: u64) {
        self.buckets.dedup_by(|later, earlier| {
            let age = now.saturating_sub(later.to);
            let near = later.to - earlier.from <= age / USAGE_PRECISION;
            if near {
                earlier.to = later.to;
                earlier.quantity += later.quantity;
            }
            near
        });
        self.buckets.retain(|bucket| bucket.quantity > 0);
        self.merge_at = USAGE_BUCKETS_MERGE.max(self.buckets.len() * 2);
    }
    pub(crate) const fn heap_bytes(&self) -> usize {
        self.buckets.len() * size_of::<Bucket>()
    }
}

#[cfg(test)]
mod tests {
    use super::Usage;

    #[test]
    fn a_window_counts_what_began_within_it_and_never_ends_early() {
        let mut usage = Usage::new(0, 0);
        let window = 10_000;
        let begins: alloc::vec::Vec<u64> = (0..5_000u64).map(|i| 1_000_000 + i * 7).collect();
        for begin in &begins {
            usage.capture(*begin, 1, *begin + 3);
        }
        for now in (1_035_010..1_060_000u64).step_by(333) {
            let exact = begins.iter().filter(|b| **b + window > now).count() as u64;
            let late = begins.iter().filter(|b| **b + window + window / 1_000 > now).count() as u64;
            let counted = usage.counted(now, Some(window));
            assert!((exact..=late).contains(&counted), "at {now}: {exact} <= {counted} <= {late}");
        }
        assert_eq!(usage.counted(9_999_999, None), 5_000);
        for begin in &begins {
            usage.give_back(*begin, 1);
        }
        assert_eq!(usage.captured, 0);
    }
}
