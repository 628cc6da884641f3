//! What was said against what the model would say. What was lost agrees with anything, and so does a field that was
//! not said.

use super::CLOCKS_APART_MS_MAX;
use super::model::{Draft, Until, Window};
use super::names::{Fields, Said};

pub(super) fn refused(said: &Said, word: &str, facts: &str) -> bool {
    let Said::Error(text) = said else { return matches!(said, Said::Nothing) };
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    first == word && (facts.is_empty() || rest == facts || rest == "*")
}

pub(super) fn number(said: &Said, number: i64) -> bool {
    match said {
        Said::Nothing => true,
        Said::Integer(said) => *said == number,
        Said::Error(_) | Said::Null | Said::Fields(_) => false,
    }
}

fn same<T: PartialEq>(said: &Option<T>, is: &T) -> bool {
    said.as_ref().is_none_or(|said| said == is)
}

impl Draft<'_> {
    pub(super) fn read_item(&self, sku: usize, said: &Said) -> bool {
        let item = self.item(sku);
        match said {
            Said::Nothing => true,
            Said::Null => item.version == 0,
            Said::Error(_) | Said::Integer(_) => false,
            Said::Fields(fields) => {
                let is = [
                    item.on_hand(),
                    i64::from(item.reserved),
                    item.available(),
                    i64::from(item.received),
                    0,
                    i64::from(item.returned),
                    i64::from(item.captured),
                ];
                item.version > 0
                    && same(&fields.version, &item.version)
                    && fields.figures.iter().zip(is).all(|(said, is)| same(said, &is))
            }
        }
    }

    /// The answer of a movement: RESP gives the first answer's figure, HTTP the item as it is.
    pub(super) fn moved(&self, sku: usize, said: &Said, available: i64, replayed: bool) -> bool {
        match said {
            Said::Fields(fields) => same(&fields.replayed, &replayed) && self.read_item(sku, said),
            Said::Nothing | Said::Integer(_) | Said::Error(_) | Said::Null => number(said, available),
        }
    }

    pub(super) fn read_reservation(&mut self, id: usize, said: &Said, window: Window) -> bool {
        match (said, self.known(id)) {
            (Said::Nothing, _) | (Said::Null, None) => true,
            (Said::Fields(fields), Some(known)) => {
                let mut lines: Vec<(usize, [u32; 5])> = known
                    .lines
                    .iter()
                    .map(|l| (l.sku, [l.quantity, l.captured, l.released, l.expired, l.returned]))
                    .collect();
                lines.sort_unstable();
                same(&fields.ended, &known.ended)
                    && same(&fields.tombstone, &known.tombstone)
                    && same(&fields.holder, &known.holder)
                    && same(&fields.version, &known.version)
                    && same(&fields.lines, &lines)
                    && self.shows(id, fields, window)
            }
            (Said::Null, Some(_)) | (Said::Fields(_), None) | (Said::Error(_) | Said::Integer(_), _) => false,
        }
    }

    /// The answer of a verb that found or left a record.
    pub(super) fn outcome(&mut self, id: usize, said: &Said, window: Window, replayed: bool) -> bool {
        match said {
            Said::Nothing => true,
            Said::Fields(fields) => {
                let tombstone = self.known(id).is_some_and(|known| known.tombstone);
                // HTTP answers with the whole record.
                let is_record = fields.lines.is_some();
                same(&fields.replayed, &replayed)
                    && same(&fields.tombstone, &tombstone)
                    && (!is_record || self.read_reservation(id, said, window))
                    && self.shows(id, fields, window)
            }
            Said::Error(_) | Said::Integer(_) | Said::Null => false,
        }
    }

    /// State and end; an end that was not known is known from then on.
    fn shows(&mut self, id: usize, fields: &Fields, window: Window) -> bool {
        let Some(known) = self.known(id) else { return false };
        if !same(&fields.state, &known.state) {
            return false;
        }
        match (fields.expires_at, known.until) {
            (None, _) => true,
            (Some(None), Until::Never) => true,
            (Some(Some(said)), Until::At(at)) => said == at,
            (Some(Some(said)), Until::NotBefore(at, ttl_ms)) => {
                let latest = window.answered_ms.saturating_add(ttl_ms).saturating_add(CLOCKS_APART_MS_MAX);
                let fits = (at..=latest).contains(&said);
                if fits {
                    self.known_mut(id).as_mut().expect("it was just seen").until = Until::At(said);
                }
                fits
            }
            (Some(None), Until::At(_) | Until::NotBefore(..)) | (Some(Some(_)), Until::Never) => false,
        }
    }
}

/// When what begins now, or is extended now, ends. `None`: it cannot end when the answer says.
pub(super) fn begin(capture: bool, ttl_ms: u64, said: &Said, window: Window) -> Option<Until> {
    if capture {
        return Some(Until::Never);
    }
    let earliest = (window.sent_ms + ttl_ms).saturating_sub(CLOCKS_APART_MS_MAX);
    let latest = window.answered_ms.saturating_add(ttl_ms).saturating_add(CLOCKS_APART_MS_MAX);
    let Said::Fields(fields) = said else { return Some(Until::NotBefore(earliest, ttl_ms)) };
    match fields.expires_at {
        Some(Some(at)) => (earliest..=latest).contains(&at).then_some(Until::At(at)),
        Some(None) => None,
        None => Some(Until::NotBefore(earliest, ttl_ms)),
    }
}

/// The facts of LIMIT, INSUFFICIENT and EXCEEDS end with what was wanted and what could have been had.
pub(super) fn refused_short(said: &Said, word: &str, (wanted, left): (u32, i64)) -> bool {
    let Said::Error(text) = said else { return matches!(said, Said::Nothing) };
    let mut words = text.split(' ');
    if words.next() != Some(word) {
        return false;
    }
    let last: Vec<&str> = words.rev().take(3).collect();
    match last[..] {
        [had, _, asked] => had.parse() == Ok(left) && asked.parse() == Ok(wanted),
        _ => text.ends_with(" *"),
    }
}
