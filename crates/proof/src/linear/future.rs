//! What answers that are still to come rule out: counts only grow and an end stays, so that a state beyond what a later
//! look is known to have seen leads nowhere. Found when the state comes up, not when the look fails to fit.
//!
//! Never here: a guess. What is ruled out here fits no order, by the model alone.

use super::model::{Cell, Item, Ledger, Reservation, Until};
use super::names::{Ask, Fields, Said, Verb};
use super::search::Step;

/// Of one item or reservation.
#[derive(Debug, Default)]
struct Watched {
    looks: Vec<usize>,
    /// Those of them that come after all writes that certainly were.
    last: Vec<usize>,
    /// Such writes that are not taken yet.
    certain: u32,
}

#[derive(Debug)]
pub(super) struct Future {
    /// Items, then reservations.
    watched: Vec<Watched>,
    /// What each step certainly writes.
    writes: Vec<Vec<usize>>,
}

/// The cells that gain a version whatever the state: an answer that is no replay tells.
fn certain(step: &Step, skus: usize) -> Vec<usize> {
    let Said::Fields(fields) = &step.said else { return Vec::new() };
    if fields.replayed != Some(false) {
        return Vec::new();
    }
    let (id, lines) = match &step.ask {
        Ask::Reserve { id, lines, .. } => (*id, lines.as_slice()),
        Ask::Part { id, lines: Some(lines), .. } => (*id, lines.as_slice()),
        Ask::Part { id, lines: None, verb: Verb::Capture | Verb::Release | Verb::Return, .. } => (*id, &[][..]),
        Ask::Configure { .. }
        | Ask::Receive { .. }
        | Ask::Extend { .. }
        | Ask::Item { .. }
        | Ask::Reservation { .. } => return Vec::new(),
    };
    let mut cells: Vec<usize> = lines.iter().filter(|(_, quantity)| *quantity > 0).map(|(sku, _)| *sku).collect();
    cells.push(skus + id);
    cells.sort_unstable();
    cells.dedup();
    cells
}

impl Future {
    pub(super) fn new(steps: &[Step], ledger: &Ledger) -> Future {
        let (skus, reservations) = (ledger.skus, ledger.reservations);
        let mut watched: Vec<Watched> = std::iter::repeat_with(Watched::default).take(skus + reservations).collect();
        let writes: Vec<Vec<usize>> = steps.iter().map(|step| certain(step, skus)).collect();
        let mut written_us = vec![0; watched.len()];
        for (step, cells) in steps.iter().zip(&writes) {
            for cell in cells {
                watched[*cell].certain += 1;
                written_us[*cell] = step.answered_us.max(written_us[*cell]);
            }
        }
        for (at, step) in steps.iter().enumerate() {
            let cell = match &step.ask {
                Ask::Item { sku } => *sku,
                Ask::Reservation { id } => skus + id,
                Ask::Configure { .. }
                | Ask::Receive { .. }
                | Ask::Reserve { .. }
                | Ask::Part { .. }
                | Ask::Extend { .. } => continue,
            };
            watched[cell].looks.push(at);
            if step.sent_us > written_us[cell] {
                watched[cell].last.push(at);
            }
        }
        Future { watched, writes }
    }

    pub(super) fn take(&mut self, step: usize) {
        for cell in &self.writes[step] {
            self.watched[*cell].certain -= 1;
        }
    }

    pub(super) fn undo(&mut self, step: usize) {
        for cell in &self.writes[step] {
            self.watched[*cell].certain += 1;
        }
    }

    /// Whether all that is still to come may come after this cell.
    pub(super) fn allows(&self, at: usize, cell: &Cell, steps: &[Step], taken: &[bool]) -> bool {
        // Movements have no looks.
        let Some(watched) = self.watched.get(at) else { return true };
        let version = match cell {
            Cell::Item(item) => item.version,
            Cell::Reservation(known) => known.as_ref().map_or(0, |known| known.version),
            Cell::Movement(_) => return true,
        };
        let open = |look: &&usize| !taken[**look];
        let room = |look: usize| match &steps[look].said {
            Said::Fields(fields) => reaches(version + watched.certain, fields.version),
            Said::Null => version + watched.certain == 0,
            Said::Nothing | Said::Error(_) | Said::Integer(_) => true,
        };
        watched.last.iter().filter(open).all(|look| room(*look))
            && watched.looks.iter().filter(open).all(|look| match (cell, &steps[*look].said) {
                (Cell::Item(item), Said::Fields(fields)) => item_may_become(item, fields),
                (Cell::Reservation(Some(known)), Said::Fields(fields)) => may_become(known, fields),
                (_, Said::Null) => version == 0,
                (Cell::Item(_) | Cell::Reservation(_) | Cell::Movement(_), _) => true,
            })
    }
}

/// Not more than was said, or nothing was.
fn reaches<T: PartialOrd>(is: T, said: Option<T>) -> bool {
    said.is_none_or(|said| is <= said)
}

fn item_may_become(item: &Item, fields: &Fields) -> bool {
    // In the order of the names of figures; the first three go up and down.
    let [_, _, _, received, _, returned, captured] = fields.figures;
    reaches(item.version, fields.version)
        && reaches(i64::from(item.received), received)
        && reaches(i64::from(item.returned), returned)
        && reaches(i64::from(item.captured), captured)
}

fn may_become(known: &Reservation, fields: &Fields) -> bool {
    let lines = || {
        let mut lines: Vec<(usize, [u32; 5])> =
            known.lines.iter().map(|l| (l.sku, [l.quantity, l.captured, l.released, l.expired, l.returned])).collect();
        lines.sort_unstable();
        lines
    };
    let lines_may = |said: &Vec<(usize, [u32; 5])>| {
        let is = lines();
        let line_may = |(at, (sku, counts)): (usize, &(usize, [u32; 5]))| {
            let (of, said) = said[at];
            *sku == of && counts[0] == said[0] && counts.iter().zip(said).all(|(is, said)| *is <= said)
        };
        // Of two lines of one item it is not known which became which.
        is.windows(2).any(|pair| pair[0].0 == pair[1].0)
            || is.len() == said.len() && is.iter().enumerate().all(line_may)
    };
    let until_may = match (known.until, fields.expires_at) {
        (_, None) | (Until::Never, Some(None)) => true,
        (Until::At(at) | Until::NotBefore(at, _), Some(Some(said))) => at <= said,
        (Until::Never, Some(Some(_))) | (Until::At(_) | Until::NotBefore(..), Some(None)) => false,
    };
    reaches(known.version, fields.version)
        && known.ended.is_none_or(|ended| fields.ended.is_none_or(|said| said == Some(ended)))
        && fields.tombstone.is_none_or(|said| said == known.tombstone)
        && fields.holder.is_none_or(|said| said == known.holder)
        && until_may
        && fields.lines.as_ref().is_none_or(lines_may)
}
