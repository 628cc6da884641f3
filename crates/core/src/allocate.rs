//! Which units a reservation takes: of each sku, lines that name a lot first, then those that name a location, then the
//! rest, each in their order; lots in the item's order, units without lot last.
//! STOCK-1: no line takes what is not free, nor of a lot that ends before it is needed.
//!
//! Cost: one pass over the item's lots a line, each a look that steps count; an item without lots costs nothing.

use crate::draft::{Draft, Shift};
use crate::event::NONE;
use crate::state::Found;
use sumun_wire::{Line, Reserve};

/// The kinds of line, in the order in which they take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lot,
    Location,
    Any,
}

fn class(line: &Line<'_>) -> Class {
    match (line.lot, line.location) {
        (Some(_), _) => Class::Lot,
        (None, Some(_)) => Class::Location,
        (None, None) => Class::Any,
    }
}

/// Takes what the lines of one item can be given and says how much that was.
pub(crate) fn allocate(draft: &mut Draft<'_>, item: u32, sku: &str, command: &Reserve<'_>) -> u64 {
    let mut given = 0;
    for wanted in [Class::Lot, Class::Location, Class::Any] {
        for (number, line) in command.lines.iter().enumerate() {
            if line.sku == sku && class(line) == wanted {
                given += take(draft, item, number as u32, line, command);
            }
        }
    }
    given
}

fn take(draft: &mut Draft<'_>, item: u32, number: u32, line: &Line<'_>, command: &Reserve<'_>) -> u64 {
    let state = draft.state;
    let mut left = line.quantity;
    if let Some(lot) = line.lot {
        match state.find_lot(item, lot, draft.event.time) {
            Found::At(slot) => take_lot(draft, item, number, slot, line, command, &mut left),
            Found::Absent => {}
            Found::Unknown => unreachable!("named lots were asked for before"),
        }
        return line.quantity - left;
    }
    for slot in state.items[item].lots.iter().flat_map(|lots| &lots.fresh) {
        if left == 0 {
            break;
        }
        state.look(1);
        take_lot(draft, item, number, *slot, line, command, &mut left);
    }
    if left > 0 && line.location.is_none() {
        let loose = if state.items[item].has_lots(draft.event.time, state.retention_ms) {
            loose_free(draft, item)
        } else {
            left
        };
        let quantity = left.min(loose);
        if quantity > 0 {
            draft.shift(number, item, NONE, quantity as i64, shift(quantity, command.capture));
            left -= quantity;
        }
    }
    line.quantity - left
}

fn take_lot(
    draft: &mut Draft<'_>,
    item: u32,
    number: u32,
    slot: u32,
    line: &Line<'_>,
    command: &Reserve<'_>,
    left: &mut u64,
) {
    let lot = &draft.state.lots[slot];
    let lasts = lot.expires_at.is_none_or(|at| command.needed_until.is_none_or(|until| at > until.0));
    let there = line.location.is_none_or(|location| lot.location.as_deref() == Some(location));
    if lot.ended || lot.is_due(draft.event.time) || !lasts || !there {
        return;
    }
    let quantity = draft.lot_free(slot).min(*left);
    if quantity > 0 {
        draft.shift(number, item, slot, quantity as i64, shift(quantity, command.capture));
        *left -= quantity;
    }
}

fn loose_free(draft: &Draft<'_>, item: u32) -> u64 {
    match draft.event.items.iter().find(|entry| entry.hint == item) {
        Some(entry) => entry.figures.loose_free(),
        None => draft.state.items[item].figures.loose_free(),
    }
}

const fn shift(quantity: u64, capture: bool) -> Shift {
    if capture {
        Shift { on_hand: -(quantity as i64), reserved: 0 }
    } else {
        Shift { on_hand: 0, reserved: quantity as i64 }
    }
}
