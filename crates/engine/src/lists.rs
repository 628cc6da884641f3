//! Pages of lists: open reservations, from memory; names of items, from the store, which has all of them and is a little
//! behind. A list of names notes the newest event, has the store hurry until it holds that, and then has a page of them
//! read; whoever asks waits for it alone, and no longer than `READ_WAIT_MS`.

use crate::caps::{LIST_LOOKS, READ_RETRY_MS, READ_WAIT_MS, SCANS_MAX};
use crate::engine::Engine;
use crate::keeper::{Keeper, What};
use std::fmt::Write as _;
use sumun_core::{Cursor, ListBy, Near, State};
use sumun_wire::{Name, Refusal, ReservationRecord};

/// What a list came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Listed<T> {
    Page(T),
    /// Ask again when `arrivals` has moved on.
    Reading,
    Refused(Refusal),
}

/// Open reservations; it may be short of what was asked for, with a cursor to go on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenPage {
    pub records: Vec<ReservationRecord>,
    /// Opaque; `None` on the last page.
    pub next: Option<String>,
}

/// Names of items in the order of their bytes, those that were removed among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skus {
    pub names: Vec<Name>,
    /// Whether there are names behind the last one.
    pub more: bool,
}

/// Whose names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkusOf {
    pub prefix: String,
    /// Names up to this one are left out.
    pub after: Option<String>,
    pub limit: usize,
}

/// Lists of names under way.
#[derive(Debug, Default)]
pub(crate) struct Scans {
    last: u64,
    open: Vec<Scan>,
}

#[derive(Debug)]
struct Scan {
    ticket: u64,
    of: SkusOf,
    /// The store has to hold everything up to here.
    sequence: u64,
    until_ms: u64,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Waits,
    Asked,
    Told(Skus),
    Late,
}

impl Scans {
    /// All that was asked is void: who has a ticket begins again.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }
    /// Whether one waits for the store to catch up.
    pub(crate) fn hurry(&self) -> bool {
        self.open.iter().any(|scan| scan.stage == Stage::Waits)
    }
    pub(crate) fn ends_at_ms(&self) -> Option<u64> {
        let runs = self.open.iter().filter(|scan| matches!(scan.stage, Stage::Waits | Stage::Asked));
        runs.map(|scan| scan.until_ms).min()
    }
    /// Asks for what the store can tell by now, and hears what it told. `true`: somebody need wait no longer.
    pub(crate) fn tend(&mut self, keeper: &mut Keeper, state: &State, now: u64) -> bool {
        let mut moved = false;
        while let Some((ticket, skus)) = keeper.told_skus() {
            if let Some(scan) = self.open.iter_mut().find(|scan| scan.ticket == ticket) {
                scan.stage = Stage::Told(skus);
                moved = true;
            }
        }
        for scan in &mut self.open {
            match scan.stage {
                Stage::Waits if keeper.holds(state, scan.sequence) => {
                    keeper.tell(What::Skus { ticket: scan.ticket, of: scan.of.clone() });
                    scan.stage = Stage::Asked;
                }
                Stage::Waits | Stage::Asked if now >= scan.until_ms => {
                    scan.stage = Stage::Late;
                    moved = true;
                }
                Stage::Waits | Stage::Asked | Stage::Told(_) | Stage::Late => {}
            }
        }
        moved
    }
}

impl Engine {
    /// A page of open reservations behind an opaque cursor. A step is bounded by what it looks at, here too.
    pub fn list_open(&mut self, by: ListBy<'_>, after: Option<&str>, limit: usize) -> Listed<OpenPage> {
        const CURSOR: Refusal = Refusal::invalid("after", "is no cursor of this list");
        let after = match after.map(|text| read_cursor(text).ok_or(CURSOR)).transpose() {
            Ok(after) => after,
            Err(refusal) => return Listed::Refused(refusal),
        };
        let now = self.shard.now();
        let Some(page) = self.shard.state().list_open(now, by, after.as_ref(), limit, LIST_LOOKS) else {
            return Listed::Refused(CURSOR);
        };
        self.shard.look(page.looked as usize);
        Listed::Page(OpenPage { records: page.records, next: page.next.as_ref().map(write_cursor) })
    }

    /// Names of items, all that the newest event knows of among them. `ticket` is the caller's, `None` at first.
    pub fn list_skus(&mut self, ticket: &mut Option<u64>, of: &SkusOf) -> Listed<Skus> {
        let overloaded = || Listed::Refused(Refusal::overloaded(READ_RETRY_MS));
        let at = self.scans.open.iter().position(|scan| Some(scan.ticket) == *ticket);
        let Some(at) = at else {
            if self.scans.open.len() >= SCANS_MAX {
                return overloaded();
            }
            self.scans.last += 1;
            *ticket = Some(self.scans.last);
            let until_ms = self.shard.now() + READ_WAIT_MS;
            let sequence = self.shard.state().sequence();
            self.scans.open.push(Scan {
                ticket: self.scans.last,
                of: of.clone(),
                sequence,
                until_ms,
                stage: Stage::Waits,
            });
            return Listed::Reading;
        };
        if matches!(self.scans.open[at].stage, Stage::Waits | Stage::Asked) {
            return Listed::Reading;
        }
        *ticket = None;
        match self.scans.open.swap_remove(at).stage {
            Stage::Told(skus) => Listed::Page(skus),
            Stage::Waits | Stage::Asked | Stage::Late => overloaded(),
        }
    }
}

fn write_cursor(cursor: &Cursor) -> String {
    match cursor {
        Cursor::Begin { after, near } => format!("b{after:x}.{:x}.{:x}", near.slot, near.begun),
        Cursor::Id(id) => {
            let mut text = String::from("i");
            id.bytes().for_each(|byte| write!(text, "{byte:02x}").expect("writing into memory cannot fail"));
            text
        }
    }
}

fn read_cursor(text: &str) -> Option<Cursor> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || b"bi.".contains(&byte)) {
        return None;
    }
    if let Some(places) = text.strip_prefix('b') {
        let mut parts = places.split('.');
        let (after, slot, begun) = (parts.next()?, parts.next()?, parts.next()?);
        let near = Near { slot: u32::from_str_radix(slot, 16).ok()?, begun: u64::from_str_radix(begun, 16).ok()? };
        let after = u64::from_str_radix(after, 16).ok()?;
        return parts.next().is_none().then_some(Cursor::Begin { after, near });
    }
    let (pairs, rest) = text.strip_prefix('i')?.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let id = pairs.iter().map(byte).collect::<Option<Vec<u8>>>().filter(|id| rest.is_empty() && !id.is_empty())?;
    Some(Cursor::Id(Name::from(String::from_utf8(id).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_nothing_else_is_one() {
        let begin = Cursor::Begin { after: 77, near: Near { slot: 3, begun: u64::MAX } };
        for cursor in [begin, Cursor::Id("수문 1".into())] {
            assert_eq!(read_cursor(&write_cursor(&cursor)), Some(cursor));
        }
        for text in ["", "b", "b1.2", "b1.2.3.4", "b1.2.g", "b+1.2.3", "i", "i1", "iff", "x1", "ié", "b1.1ffffffff.1"]
        {
            assert_eq!(read_cursor(text), None, "{text}");
        }
    }
}
