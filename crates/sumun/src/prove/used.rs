//! What holders captured, by when their reservations began: each begin for itself. The store has it in buckets, merged
//! as they age and whenever a server finds time, so that two stores of one log may differ in their buckets and both be
//! right.

use std::collections::{BTreeMap, HashMap};
use sumun_core::caps::USAGE_PRECISION;
use sumun_core::record::Usage;
use sumun_core::{Event, EventKind, Key};

#[derive(Debug, Default)]
pub(super) struct Used(HashMap<Key, BTreeMap<u64, u64>>);

impl Used {
    pub(super) fn note(&mut self, event: &Event) {
        let Some(holder) = event.holder() else { return };
        if !matches!(event.kind, EventKind::Captured | EventKind::Returned) {
            return;
        }
        for entry in &event.usages {
            let sku = event.name(event.items[entry.item as usize].sku);
            let begins = self.0.entry(Key::Usage(sku.into(), holder.into())).or_default();
            let quantity = begins.entry(event.reservation.created_at).or_default();
            let moved = event.moved(entry.item).unsigned_abs();
            // What was captured before the log begins may be returned after: then nothing rests on this.
            *quantity =
                if event.kind == EventKind::Captured { *quantity + moved } else { quantity.saturating_sub(moved) };
        }
    }

    /// Whether the buckets hold what was captured, no wider than they may be.
    pub(super) fn fits(&self, usage: &Usage<'_>, now: u64) -> bool {
        let nothing = BTreeMap::new();
        let begins = self.0.get(&Key::Usage(usage.sku.into(), usage.holder.into())).unwrap_or(&nothing);
        let mut last = None;
        let each = usage.buckets.iter().all(|bucket| {
            let behind = last.replace(bucket.to).is_none_or(|last| last < bucket.from);
            let narrow = (bucket.to - bucket.from) <= now.saturating_sub(bucket.to) / USAGE_PRECISION;
            let begun = begins.contains_key(&bucket.from) && begins.contains_key(&bucket.to);
            behind
                && narrow
                && begun
                && begins.range(bucket.from..=bucket.to).map(|(_, q)| *q).sum::<u64>() == bucket.quantity
        });
        each && sum(usage) == usage.captured
    }
}

/// What all buckets hold; whatever they say, it is a number.
pub(super) fn sum(usage: &Usage<'_>) -> u64 {
    usage.buckets.iter().fold(0, |sum, bucket| sum.saturating_add(bucket.quantity))
}
