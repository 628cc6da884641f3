//! Items: settings, receipts, adjustments, removal. What changes on_hand other than captures and returns has an id of
//! its own, kept with its answer (IDEM-1).

use super::{Deciding, Decision, Outcome, refuse};
use crate::EventKind;
use crate::draft::{Draft, Shift};
use crate::event::{ItemEntry, LotEntry, Move, NONE, SettingsEntry};
use crate::item::Item;
use crate::names::Digest;
use crate::record::Key;
use smallvec::SmallVec;
use sumun_wire::limits::{LOTS_PER_ITEM_MAX, QUANTITY_MAX};
use sumun_wire::{Adjust, Answer, Code, Configure, Facts, Kind, Receive, Refusal, Short};

impl Deciding<'_> {
    /// An item that exists, or its refusal.
    fn existing(&mut self, sku: &str) -> Result<u32, Decision> {
        match self.item(sku)? {
            Some(slot) if self.state.items[slot].exists() => Ok(slot),
            Some(_) | None => refuse(Refusal::missing(sku)),
        }
    }

    pub(super) fn configure(&mut self, c: &Configure<'_>) -> Outcome {
        let state = self.state;
        let slot = self.item(c.sku)?;
        let item = slot.map(|slot| &state.items[slot]);
        let kind = c.kind.or(item.map(|item| item.kind)).unwrap_or_default();
        if item.is_some_and(|item| item.figures.version > 0 && item.kind != kind) {
            return refuse(Refusal::about(Code::Conflict, "the kind of an item never changes"));
        }
        if kind == Kind::Points && (c.safety_stock > 0 || c.backorder_limit > 0) {
            return refuse(Refusal::about(Code::Conflict, "points have no safety stock and no backorders"));
        }
        if c.backorder_limit > 0 && item.is_some_and(|item| item.has_lots(self.now, state.retention_ms)) {
            return refuse(Refusal::about(Code::Conflict, "an item with lots has no backorder limit"));
        }
        if item.map_or(0, |item| item.figures.received) + c.backorder_limit > QUANTITY_MAX {
            return refuse(Refusal::invalid("backorder_limit", "received and backorder limit would pass 2^53-1"));
        }
        if let Some(slot) = slot {
            self.end_lots(slot)?;
            if same_settings(&state.items[slot], c) {
                return Ok(available(state.items[slot].available()));
            }
        }
        let counts = c.limit.is_some() || item.is_some_and(|item| item.counts);
        self.settings_event(c, slot, kind, counts);
        Ok(Decision::Event(self.answer()))
    }

    fn settings_event(&mut self, c: &Configure<'_>, slot: Option<u32>, kind: Kind, counts: bool) {
        self.begin(EventKind::Configured);
        let metadata = self.event.add_optional(c.metadata);
        self.event.settings = SettingsEntry {
            kind,
            safety_stock: c.safety_stock,
            backorder_limit: c.backorder_limit,
            limit: c.limit,
            allocation: c.allocation,
            metadata,
            counts,
        };
        self.item_entry(c.sku, slot, kind);
        self.event.moves.push(Move { line: 0, item: 0, lot: NONE, quantity: 0 });
        Draft::new(self.state, self.event).seal();
    }

    /// The one item of the event, touched.
    fn item_entry(&mut self, sku: &str, slot: Option<u32>, kind: Kind) {
        match slot {
            Some(slot) => {
                Draft::new(self.state, self.event).item(slot);
            }
            None => {
                let sku = self.event.add(sku);
                self.event.items.push(ItemEntry {
                    sku,
                    hint: NONE,
                    touched: true,
                    counted: false,
                    kind,
                    figures: Default::default(),
                });
            }
        }
        self.event.items[0].touched = true;
        self.event.items[0].kind = kind;
    }

    /// The answer of an event about one item: what is available after it.
    fn answer(&self) -> Answer {
        Answer::Available { available: self.event.items[0].figures.available, replayed: false }
    }

    pub(super) fn remove(&mut self, sku: &str) -> Outcome {
        let slot = self.existing(sku)?;
        self.end_lots(slot)?;
        let item = &self.state.items[slot];
        if item.figures.on_hand != 0 || item.figures.reserved != 0 {
            return refuse(Refusal::about(Code::Conflict, "only an item with on_hand and reserved 0 can be removed"));
        }
        self.begin(EventKind::Removed);
        self.item_entry(sku, Some(slot), item.kind);
        self.event.moves.push(Move { line: 0, item: 0, lot: NONE, quantity: 0 });
        Draft::new(self.state, self.event).seal();
        Ok(Decision::Event(Answer::Available { available: 0, replayed: false }))
    }

    /// The answer to a movement's id that was used before.
    fn replay_movement(&mut self, slot: Option<u32>, id: Option<&str>, digest: u128) -> Result<(), Decision> {
        let (Some(slot), Some(id)) = (slot, id) else { return Ok(()) };
        let Some(movement) = self.movement(slot, id)? else { return Ok(()) };
        let movement = &self.state.movements[movement];
        if movement.digest != digest {
            return refuse(Refusal::bare(Code::IdConflict));
        }
        Err(Decision::Answer(Answer::Available { available: movement.answer, replayed: true }))
    }

    pub(super) fn receive(&mut self, c: &Receive<'_>) -> Outcome {
        let state = self.state;
        let digest = Digest::new(2).number(c.quantity).text(c.lot).number(c.expires_at.map_or(u64::MAX, |at| at.0));
        let digest = digest.text(c.location).finish();
        let slot = self.item(c.sku)?;
        self.replay_movement(slot, c.movement, digest)?;
        let lot = match (slot, c.lot) {
            (Some(slot), Some(lot)) => self.lot(slot, lot)?,
            (Some(_) | None, _) => None,
        };
        let exists = slot.is_some_and(|slot| state.items[slot].exists());
        if exists && let Some(slot) = slot {
            self.end_lots(slot)?;
        }
        self.check_receipt(c, slot, lot, exists)?;
        let Some(slot) = slot.filter(|_| exists) else {
            // A stock item with default settings comes first; one that was removed goes on as the kind it was.
            let item = slot.map(|slot| &state.items[slot]);
            let (kind, counts) = item.map_or((Kind::Stock, false), |item| (item.kind, item.counts));
            self.settings_event(&Configure { sku: c.sku, ..Configure::default() }, slot, kind, counts);
            return Ok(Decision::First);
        };
        self.begin(EventKind::Received);
        self.item_entry(c.sku, Some(slot), state.items[slot].kind);
        self.movement_entry(c.movement, digest);
        let to = match c.lot {
            Some(id) => self.lot_entry(lot, id, c),
            None => NONE,
        };
        self.event.moves.push(Move { line: 0, item: 0, lot: to, quantity: c.quantity as i64 });
        self.event.items[0].figures.received += c.quantity;
        let mut draft = Draft::new(state, self.event);
        draft.add(0, to, Shift { on_hand: c.quantity as i64, reserved: 0 });
        draft.seal();
        Ok(Decision::Event(self.answer()))
    }

    fn movement_entry(&mut self, id: Option<&str>, digest: u128) {
        self.event.part.id = self.event.add_optional(id);
        self.event.part.digest = digest;
    }

    fn lot_entry(&mut self, lot: Option<u32>, id: &str, c: &Receive<'_>) -> u32 {
        if let Some(slot) = lot.filter(|slot| self.state.lots[*slot].exists()) {
            return Draft::new(self.state, self.event).lot(slot);
        }
        let id = self.event.add(id);
        let location = self.event.add_optional(c.location);
        let expires_at = c.expires_at.map(|at| at.0);
        self.event.lots.push(LotEntry {
            item: 0,
            lot: id,
            hint: NONE,
            on_hand: 0,
            reserved: 0,
            expires_at,
            location,
            first: self.event.sequence,
            ended: expires_at.is_some_and(|at| at <= self.now),
        });
        self.event.lots.len() as u32 - 1
    }

    /// Everything that may refuse a receipt, of an item as it is or as it would be created: so that a refused receipt
    /// creates nothing.
    fn check_receipt(
        &self,
        c: &Receive<'_>,
        slot: Option<u32>,
        lot: Option<u32>,
        exists: bool,
    ) -> Result<(), Decision> {
        let conflict = |what| refuse(Refusal::about(Code::Conflict, what));
        let item = slot.map(|slot| &self.state.items[slot]);
        let backorder_limit = item.filter(|_| exists).map_or(0, |item| item.backorder_limit);
        if c.lot.is_some() {
            if item.is_some_and(|item| item.kind == Kind::Points) {
                return conflict("points have no lots");
            }
            if backorder_limit > 0 {
                return conflict("an item with a backorder limit has no lots");
            }
            if item.is_some_and(|item| item.figures.loose_on_hand() < 0) {
                return conflict("units without lot are below 0");
            }
        }
        let known = lot.map(|slot| &self.state.lots[slot]).filter(|lot| lot.exists());
        if let Some(lot) = known {
            if c.expires_at.is_some_and(|at| lot.expires_at != Some(at.0)) {
                return conflict("the lot has another expiry");
            }
            if c.location.is_some_and(|at| lot.location.as_deref() != Some(at)) {
                return conflict("the lot has another location");
            }
        }
        if item.map_or(0, |item| item.figures.received) + c.quantity + backorder_limit > QUANTITY_MAX {
            return refuse(Refusal::invalid("quantity", "what the item has received would pass 2^53-1"));
        }
        if c.lot.is_some() && known.is_none_or(|lot| lot.on_hand == 0) && item.is_some_and(lots_full) {
            return refuse(Refusal::invalid("lot", "the item has 1024 lots with units"));
        }
        Ok(())
    }

    pub(super) fn adjust(&mut self, c: &Adjust<'_>) -> Outcome {
        let state = self.state;
        let digest = Digest::new(3).number(c.delta as u64).text(c.lot).text(Some(c.reason)).finish();
        let slot = self.item(c.sku)?;
        self.replay_movement(slot, c.movement, digest)?;
        let slot = self.existing(c.sku)?;
        let lot = match c.lot {
            None => NONE,
            Some(id) => match self.lot(slot, id)?.filter(|slot| state.lots[*slot].exists()) {
                Some(lot) => lot,
                None => return refuse(Refusal::missing(id)),
            },
        };
        self.end_lots(slot)?;
        self.begin(EventKind::Adjusted);
        self.item_entry(c.sku, Some(slot), state.items[slot].kind);
        self.movement_entry(c.movement, digest);
        self.event.reason = self.event.add(c.reason);
        if c.delta > 0 {
            self.add_units(c, slot, lot)?
        } else {
            self.take_units(c, slot, lot)?
        }
        Draft::new(state, self.event).seal();
        Ok(Decision::Event(self.answer()))
    }

    fn add_units(&mut self, c: &Adjust<'_>, slot: u32, lot: u32) -> Result<(), Decision> {
        let state = self.state;
        let item = &state.items[slot];
        let quantity = c.delta.unsigned_abs();
        if item.figures.received + quantity + item.backorder_limit > QUANTITY_MAX {
            return refuse(Refusal::invalid("delta", "what the item has received would pass 2^53-1"));
        }
        if lot != NONE && state.lots[lot].on_hand == 0 && lots_full(item) {
            return refuse(Refusal::invalid("lot", "the item has 1024 lots with units"));
        }
        self.event.items[0].figures.received += quantity;
        Draft::new(state, self.event).shift(0, slot, lot, c.delta, Shift { on_hand: c.delta, reserved: 0 });
        Ok(())
    }

    /// Free units alone can be taken away: of the lot named, else in allocation order, what has ended first.
    fn take_units(&mut self, c: &Adjust<'_>, slot: u32, lot: u32) -> Result<(), Decision> {
        let state = self.state;
        let item = &state.items[slot];
        let wanted = c.delta.unsigned_abs();
        let free = (item.figures.on_hand - item.figures.reserved as i64).max(0) as u64;
        let free = if lot == NONE { free } else { free.min(state.lots[lot].free()) };
        if wanted > free {
            let short =
                Short { sku: c.sku.into(), wanted, available: free, reserved: item.figures.reserved, holder: None };
            return refuse(Refusal { code: Code::Insufficient, facts: Facts::Short(SmallVec::from_iter([short])) });
        }
        self.event.items[0].figures.removed += wanted;
        let mut draft = Draft::new(state, self.event);
        let mut left = wanted;
        let mut take = |lot: u32, free: u64| {
            let quantity = left.min(free) as i64;
            if quantity > 0 {
                draft.shift(0, slot, lot, -quantity, Shift { on_hand: -quantity, reserved: 0 });
                left -= quantity as u64;
            }
        };
        if lot != NONE {
            take(lot, wanted);
        } else {
            for lot in item.lots.iter().flat_map(|lots| lots.ended.iter().chain(&lots.fresh)) {
                take(*lot, state.lots[*lot].free());
            }
            take(NONE, wanted);
        }
        Ok(())
    }

    pub(super) fn read_item(&mut self, sku: &str) -> Outcome {
        if let Some(slot) = self.item(sku)? {
            self.end_lots(slot)?;
        }
        Ok(Decision::Answer(self.state.show_item(sku, self.now)))
    }

    pub(super) fn read_reservation(&mut self, id: &str) -> Outcome {
        let state = self.state;
        if let Some(slot) = self.see(state.find_reservation(id, self.now), || Key::Reservation(id.into()))? {
            self.end_reservation(slot)?;
        }
        Ok(Decision::Answer(state.show_reservation(id, self.now)))
    }

    pub(super) fn read_holder(&mut self, sku: &str, holder: &str) -> Outcome {
        let slot = self.existing(sku)?;
        self.usage(slot, holder)?;
        Ok(Decision::Answer(self.state.show_holder(self.now, sku, holder)))
    }
}

fn available(available: u64) -> Decision {
    Decision::Answer(Answer::Available { available, replayed: false })
}

fn lots_full(item: &Item) -> bool {
    item.lots_with_units() >= LOTS_PER_ITEM_MAX
}

fn same_settings(item: &Item, c: &Configure<'_>) -> bool {
    item.exists()
        && item.safety_stock == c.safety_stock
        && item.backorder_limit == c.backorder_limit
        && item.limit == c.limit
        && item.allocation == c.allocation
        && item.metadata.as_deref() == c.metadata
}
