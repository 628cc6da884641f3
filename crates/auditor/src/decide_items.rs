//! What the contract says of commands on items, and of reads. As `decide`: in the contract's order, reading only.

use crate::cell::Met;
use crate::decide::{Change, Verdict, What, invalid, refuse, short};
use crate::item::{Item, MovementContent};
use crate::ledger::Ledger;
use crate::reservation::Take;
use sumun_wire::limits::{LOTS_PER_ITEM_MAX, QUANTITY_MAX};
use sumun_wire::{
    Adjust, Answer, Code, Configure, HolderRecord, Kind, Name, Receive, Refusal, Settings, Short, Timestamp,
};

fn conflict() -> Refusal {
    Refusal::about(Code::Conflict, "contradicts what is there")
}

fn available(available: u64, replayed: bool) -> What {
    What::Answer(Answer::Available { available, replayed })
}

/// The gap by which the last thousandth of a window may be counted late, rounded up.
fn lateness_ms(window_ms: u64) -> u64 {
    window_ms.div_ceil(1000)
}

impl Ledger {
    pub(crate) fn configure(&self, c: &Configure<'_>) -> Verdict {
        let known = self.items.get(c.sku);
        let kind = c.kind.or(known.map(|item| item.kind)).unwrap_or_default();
        let settings = Settings {
            safety_stock: c.safety_stock,
            backorder_limit: c.backorder_limit,
            limit: c.limit,
            allocation: c.allocation,
            metadata: c.metadata.map(str::to_owned),
        };
        let kind_changes = known.is_some_and(|item| item.kind != kind);
        let points_with_stock = kind == Kind::Points && (c.safety_stock > 0 || c.backorder_limit > 0);
        let lots_with_backorder = known.is_some_and(|item| !item.lots.is_empty()) && c.backorder_limit > 0;
        if kind_changes || points_with_stock || lots_with_backorder {
            return refuse(conflict(), Met::Conflict);
        }
        if let Some(item) = known.filter(|item| !item.hidden && item.settings == settings) {
            return (available(item.available(self.now), false), Met::Unchanged);
        }
        if known.map_or(0, |item| item.sum(|pile| pile.received)) + c.backorder_limit > QUANTITY_MAX {
            return invalid("backorder_limit", Met::Cap);
        }
        let met = match known {
            None => Met::Created,
            Some(item) if item.hidden => Met::CreatedAgain,
            Some(_) => Met::Done,
        };
        (What::Do(Change::Configure { sku: Name::from(c.sku), kind, settings }), met)
    }

    pub(crate) fn remove(&self, sku: &str) -> Verdict {
        let Some(item) = self.visible(sku) else { return refuse(Refusal::missing(sku), Met::Unknown) };
        if item.on_hand() != 0 || item.reserved() != 0 {
            return refuse(conflict(), Met::Conflict);
        }
        (What::Do(Change::Remove { sku: Name::from(sku) }), Met::Done)
    }

    /// The answer to a movement's id that is known.
    fn moved_before(&self, sku: &str, movement: &str, content: &MovementContent) -> Option<Verdict> {
        let known = self.items.get(sku)?.movements.get(movement)?;
        if known.content == *content {
            return Some((available(known.answer, true), Met::ReplayedMovement));
        }
        Some(refuse(Refusal::bare(Code::IdConflict), Met::IdConflict))
    }

    pub(crate) fn receive(&self, c: &Receive<'_>, also: &mut Vec<Refusal>) -> Verdict {
        let content = MovementContent {
            received: true,
            amount: i64::try_from(c.quantity).expect("checked by the request's shape"),
            lot: c.lot.map(Name::from),
            expires_at: c.expires_at,
            location: c.location.map(Name::from),
            reason: None,
        };
        let movement = c.movement.expect("checked by the request's shape");
        if let Some(verdict) = self.moved_before(c.sku, movement, &content) {
            return verdict;
        }
        let known = self.items.get(c.sku);
        let none = Item::default();
        let item = known.unwrap_or(&none);
        if let Some(lot) = c.lot {
            let here = item.lots.get(lot);
            let other_expiry = here.is_some_and(|l| c.expires_at.is_some() && c.expires_at != l.expires_at);
            let other_place = here.is_some_and(|l| c.location.is_some() && c.location != l.location.as_deref());
            let backorder = !item.hidden && item.settings.backorder_limit > 0;
            let points = item.kind == Kind::Points;
            if other_expiry || other_place || backorder || points || item.loose.on_hand() < 0 {
                return refuse(conflict(), Met::Conflict);
            }
            if item.loose.free() < 0 {
                // Held, not yet captured, backorders: whether these are "units below 0" the contract does not say.
                also.push(conflict());
            }
            if here.is_none_or(|l| l.pile.on_hand() == 0) && too_many_lots(item) {
                return invalid("lot", Met::Cap);
            }
        }
        let backorder_limit = if item.hidden { 0 } else { item.settings.backorder_limit };
        if item.sum(|pile| pile.received) + c.quantity + backorder_limit > QUANTITY_MAX {
            return invalid("quantity", Met::Cap);
        }
        let met = match known {
            None => Met::Created,
            Some(item) if item.hidden => Met::CreatedAgain,
            Some(_) => Met::Done,
        };
        let (sku, movement) = (Name::from(c.sku), Name::from(movement));
        let create = self.visible(c.sku).is_none();
        (What::Do(Change::Receive { sku, movement, content, create }), met)
    }

    pub(crate) fn adjust(&self, now: Timestamp, c: &Adjust<'_>) -> Verdict {
        let content = MovementContent {
            received: false,
            amount: c.delta,
            lot: c.lot.map(Name::from),
            expires_at: None,
            location: None,
            reason: Some(Name::from(c.reason)),
        };
        let movement = c.movement.expect("checked by the request's shape");
        if let Some(verdict) = self.moved_before(c.sku, movement, &content) {
            return verdict;
        }
        let Some(item) = self.visible(c.sku) else { return refuse(Refusal::missing(c.sku), Met::Unknown) };
        if let Some(lot) = c.lot.filter(|lot| !item.lots.contains_key(*lot)) {
            return refuse(Refusal::missing(lot), Met::Unknown);
        }
        let lot = c.lot.map(Name::from);
        let moves = if c.delta > 0 {
            let grows = lot.as_ref().is_some_and(|lot| item.lots[lot].pile.on_hand() == 0);
            let received = item.sum(|pile| pile.received) + c.delta.unsigned_abs();
            if received + item.settings.backorder_limit > QUANTITY_MAX || (grows && too_many_lots(item)) {
                return invalid("delta", Met::Cap);
            }
            vec![(lot, c.delta)]
        } else {
            match removals(item, now, lot, c.delta.unsigned_abs()) {
                Ok(moves) => moves,
                Err(available) => {
                    let (wanted, reserved) = (c.delta.unsigned_abs(), item.reserved());
                    let shorts = vec![Short { sku: Name::from(c.sku), wanted, available, reserved, holder: None }];
                    return refuse(short(Code::Insufficient, shorts), Met::Insufficient);
                }
            }
        };
        let change = Change::Adjust { sku: Name::from(c.sku), movement: Name::from(movement), content, moves };
        (What::Do(change), Met::Done)
    }

    pub(crate) fn read_reservation(&self, id: &str) -> Verdict {
        let known = self.reservations.get(id);
        let met = known.map_or(Met::Null, |known| Met::Shown(known.stand()));
        (What::Answer(Answer::Reservation(known.map(|known| Box::new(known.record())))), met)
    }

    pub(crate) fn read_item(&self, now: Timestamp, sku: &str, hint: Option<&Answer>) -> Verdict {
        let Some(item) = self.visible(sku) else { return (What::Answer(Answer::Item(None)), Met::Null) };
        let strict = Answer::Item(Some(Box::new(item.record(sku, |lot| lot.due(now)))));
        // Where ends cannot be written, an item may be shown as it last stood.
        let stood = Answer::Item(Some(Box::new(item.record(sku, |lot| lot.ended))));
        let answer = if self.may_fail() && hint == Some(&stood) { stood } else { strict };
        (What::Answer(answer), Met::ShownItem)
    }

    pub(crate) fn read_holder(&self, now: Timestamp, sku: &str, holder: &str, hint: Option<&Answer>) -> Verdict {
        let Some(item) = self.visible(sku) else { return refuse(Refusal::missing(sku), Met::Unknown) };
        let limit = item.settings.limit;
        let window_ms = limit.and_then(|limit| limit.window_ms);
        let mut possible = Vec::new();
        for used in self.used(now, sku, holder, window_ms) {
            let left = limit.map(|limit| limit.quantity.saturating_sub(used.held + used.counted));
            let free_at = used.oldest.zip(window_ms).map(|(begin, window)| Timestamp(begin.0 + window));
            possible.push(HolderRecord { held: used.held, counted: used.counted, left, next_free_at: free_at });
        }
        // Of what began before an item had a limit the contract does not say whether it shows as held.
        let of_holder = self.reservations.values().filter(|r| r.holder.as_deref() == Some(holder));
        let all_held: u64 = of_holder.map(|r| r.sum_of(sku, Take::held)).sum();
        let fits = |given: &HolderRecord, one: &HolderRecord| {
            let held = given.held == one.held || given.held == all_held;
            let same = held && given.left == one.left && given.counted == one.counted;
            let late = lateness_ms(window_ms.unwrap_or(0));
            let soon = match (given.next_free_at, one.next_free_at) {
                (None, None) => true,
                (Some(given), Some(one)) => (one.0..=one.0 + late).contains(&given.0),
                (Some(_), None) | (None, Some(_)) => false,
            };
            same && soon
        };
        let answer = match hint {
            Some(Answer::Holder(given)) if possible.iter().any(|one| fits(given, one)) => *given,
            _ => *possible.last().expect("used is never empty"),
        };
        (What::Answer(Answer::Holder(answer)), Met::ShownItem)
    }
}

fn too_many_lots(item: &Item) -> bool {
    item.lots.values().filter(|lot| lot.pile.on_hand() > 0).count() >= LOTS_PER_ITEM_MAX
}

/// Where a negative adjustment takes from: the lot named, or lots that have ended first, then in allocation order.
/// `Err` has what there is.
fn removals(item: &Item, now: Timestamp, lot: Option<Name>, wanted: u64) -> Result<Vec<(Option<Name>, i64)>, u64> {
    let order: Vec<Option<Name>> = match lot {
        Some(lot) => vec![Some(lot)],
        None => {
            let mut order: Vec<Option<Name>> = item.lots_in_order().into_iter().map(Some).collect();
            order.sort_by_key(|lot| lot.as_ref().is_some_and(|lot| !item.lots[lot].due(now)));
            order.push(None);
            order
        }
    };
    let free = |lot: &Option<Name>| item.pile(lot.as_ref()).free().max(0);
    let there = order.iter().map(free).sum::<i128>().min(item.free().max(0));
    if there < i128::from(wanted) {
        return Err(u64::try_from(there).expect("not below 0"));
    }
    let mut rest = i128::from(wanted);
    let mut moves = Vec::new();
    for lot in order {
        let quantity = free(&lot).min(rest);
        rest -= quantity;
        if quantity > 0 {
            moves.push((lot, -i64::try_from(quantity).expect("at most what was wanted")));
        }
    }
    Ok(moves)
}
