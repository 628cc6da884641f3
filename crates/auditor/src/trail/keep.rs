//! What retention means for a log by its events alone: which lots are forgotten, what may begin anew, and what a limit
//! counts of reservations whose id was used again.

use super::life::Life;
use super::seen::{Keep, Seen};
use super::{LotTrack, Trail};
use crate::complaint::{Complaint, wrong};
use sumun_wire::{Event, ItemEvent, Name, Sequence, Timestamp, Verb};

impl Trail {
    /// Another retention holds from `now` on. What was forgotten under the old one may begin anew, whatever comes.
    pub(super) fn retain(&mut self, now: Timestamp, retention_ms: u64) {
        let old = std::mem::replace(&mut self.retention, Keep::For(retention_ms));
        if old == self.retention {
            return;
        }
        let free = |seen: &mut Seen| seen.free |= old.forgotten(*seen, now);
        let mut idle = Vec::new();
        for (sku, item) in &mut self.items {
            item.movements.values_mut().for_each(free);
            let lots = item.lots.iter().filter(|(lot, track)| lot.is_some() && track.on_hand == 0);
            idle.extend(lots.map(|(lot, _)| (sku.clone(), lot.clone())));
        }
        idle.retain(|(sku, lot)| !self.is_open(sku, lot));
        for (sku, lot) in idle {
            let lot = self.items.get_mut(&sku).and_then(|item| item.lots.get_mut(&lot));
            free(&mut lot.expect("it was found there").seen);
        }
        self.lives.values_mut().filter(|life| !life.open()).for_each(|life| free(&mut life.seen));
    }

    /// An open reservation took from this lot.
    fn is_open(&self, sku: &Name, lot: &Option<Name>) -> bool {
        let key = (sku.clone(), lot.clone());
        self.lives.values().any(|life| life.open() && life.parts.contains_key(&key))
    }

    /// Every event of a reservation is one of all the lots that it took from.
    pub(super) fn stamp_lots(&mut self, now: Timestamp, life: &Life) {
        for (sku, lot) in life.parts.keys().filter(|(_, lot)| lot.is_some()) {
            let lot = self.items.get_mut(sku).and_then(|item| item.lots.get_mut(lot));
            lot.into_iter().for_each(|lot| lot.seen = Seen::at(now));
        }
    }

    /// A receipt into a lot that may be forgotten begins it anew. Nothing else can touch one that surely is.
    pub(super) fn lots_begin_anew(&mut self, event: &Event, data: &ItemEvent) -> Result<(), Complaint> {
        let from_first = self.first == Some(Sequence(1));
        for line in data.lines.iter().filter(|line| line.lot.is_some()) {
            let track = self.items.get(&line.sku).and_then(|item| item.lots.get(&line.lot));
            let Some(seen) = track.filter(|lot| lot.on_hand == 0).map(|lot| lot.seen) else { continue };
            if self.is_open(&line.sku, &line.lot) {
                continue;
            }
            if data.verb == Verb::Adjusted && from_first && self.retention.forgotten(seen, event.time) {
                let what = format!("lot {:?} of `{}` was touched after it was forgotten", line.lot, line.sku);
                return wrong("event", Some(event.sequence), what);
            }
            if data.verb == Verb::Received && self.retention.may_begin(seen, event.time) {
                self.items.get_mut(&line.sku).and_then(|item| item.lots.remove(&line.lot));
            }
        }
        Ok(())
    }

    /// An item of which a lot is remembered has no backorder limit.
    pub(super) fn lots_or_backorders(&self, event: &Event, data: &ItemEvent) -> Result<(), Complaint> {
        let track = &self.items[&data.sku];
        if track.settings.as_ref().is_none_or(|settings| settings.backorder_limit == 0) {
            return Ok(());
        }
        let remembered = |(lot, track): &(&Option<Name>, &LotTrack)| {
            let idle = lot.is_none() || (track.on_hand == 0 && self.retention.may_begin(track.seen, event.time));
            !idle || (lot.is_some() && self.is_open(&data.sku, lot))
        };
        match track.lots.iter().find(remembered) {
            None => Ok(()),
            Some((lot, _)) => {
                let what = format!("`{}` has a backorder limit, and lot {lot:?}", data.sku);
                wrong("event", Some(event.sequence), what)
            }
        }
    }

    /// A reservation's id is about to begin anew: what was captured of it still counts.
    pub(super) fn keep_count(&mut self, life: &Life) {
        let Some(holder) = &life.holder else { return };
        for sku in life.counted.iter().filter(|sku| life.captured(sku) > 0) {
            let past = self.past.entry((sku.clone(), holder.clone())).or_default();
            past.push((life.created_at, life.captured(sku)));
        }
    }
}
