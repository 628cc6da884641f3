//! The store's records, by key, each with what the log has said of it so far.

use super::used::{self, Used};
use super::{Proven, no_findings};
use crate::failure::Failure;
use crate::findings::Findings;
use std::collections::HashMap;
use sumun_codec::{decode_record, encode_record};
use sumun_core::record::{Reservation, Usage};
use sumun_core::{Event, FIRST_GENERATION, Key, Record};
use sumun_engine::{About, Shelf};
use sumun_wire::State as Status;

#[derive(Debug)]
pub(super) struct Book {
    about: About,
    /// The log begins here.
    pub(super) first: u64,
    /// Copies of one key, the newest last.
    copies: HashMap<Key, Vec<Copy>>,
    /// What P covers and the store does not have, with the event that it should hold.
    missing: HashMap<Key, u64>,
    pub(super) used: Used,
    pub(super) findings: Findings,
    encoded: Vec<u8>,
}

#[derive(Debug)]
struct Copy {
    shelf: Shelf,
    sequence: u64,
    bytes: Box<[u8]>,
    proof: Proof,
}

/// What the log has said of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Nothing.
    None,
    Proven,
    /// As far as its own event tells.
    Partly,
    /// At this event, its own, the log makes something else of it.
    Wrong(u64),
    /// P covers this event, and the copy is older.
    Stale(u64),
}

impl Book {
    pub(super) fn new(about: About, first: u64) -> Book {
        Book {
            about,
            first,
            copies: HashMap::new(),
            missing: HashMap::new(),
            used: Used::default(),
            findings: Findings::default(),
            encoded: Vec::new(),
        }
    }

    pub(super) fn keep(&mut self, shelf: Shelf, record: &Record<'_>, bytes: &[u8]) {
        let (key, sequence) = (record.key(), record.sequence());
        if sequence > self.about.newest {
            let newest = self.about.newest;
            self.findings.add(|| format!("{key:?}: holds event {sequence}, and the store says none is after {newest}"));
        }
        let copies = self.copies.entry(key).or_default();
        copies.push(Copy { shelf, sequence, bytes: bytes.into(), proof: Proof::None });
        copies.sort_by_key(|copy| copy.sequence);
    }

    /// What is open, and lots with units, stand among generations only as what they were before.
    pub(super) fn check_places(&mut self) {
        for (key, copies) in self.copies.iter().filter(|(_, copies)| copies.len() > 1) {
            let newest =
                copies.iter().filter(|copy| matches!(copy.shelf, Shelf::Generation(_))).map(|copy| copy.sequence);
            let newest = newest.max().unwrap_or(0);
            for copy in copies.iter().filter(|copy| !matches!(copy.shelf, Shelf::Generation(_))) {
                if copy.sequence <= newest {
                    let (shelf, sequence) = (copy.shelf, copy.sequence);
                    self.findings.add(|| {
                        format!(
                            "{key:?}: still stands in {shelf:?} as of event {sequence}, ended since, by event {newest}"
                        )
                    });
                }
            }
        }
    }

    pub(super) fn newest_of(&self, key: &Key) -> Option<&[u8]> {
        self.copies.get(key).and_then(|copies| copies.last()).map(|copy| &*copy.bytes)
    }

    /// A record as the log makes it, right after an event that touched it.
    pub(super) fn see(&mut self, event: &Event, record: &Record<'_>) {
        let key = record.key();
        self.encoded.clear();
        encode_record(record, &mut self.encoded);
        let (encoded, used) = (&self.encoded, &self.used);
        let same = |bytes: &[u8]| match (record, decode_record(bytes)) {
            (Record::Usage(made), Ok(Record::Usage(kept))) => {
                let bare = |usage: &Usage<'_>| (usage.sequence, usage.held, usage.captured);
                bare(made) == bare(&kept) && used.fits(&kept, event.time)
            }
            (Record::Usage(_) | Record::Item(_) | Record::Lot(_) | Record::Reservation(_) | Record::Movement(_), _) => {
                bytes == encoded.as_slice()
            }
        };
        let ended_at = match record {
            Record::Item(_) | Record::Usage(_) => None,
            Record::Lot(lot) => (lot.on_hand == 0).then_some(lot.touched_at),
            Record::Reservation(r) => (r.state != Status::Held).then_some(r.touched_at),
            Record::Movement(movement) => Some(movement.made_at),
        };
        let made = Made { sequence: record.sequence(), ended_at, proof: Proof::Proven };
        judge((&self.about, self.first), &mut self.copies, &mut self.missing, event, key, &made, &same);
    }

    /// A record that began before the log does: what an event tells of it.
    pub(super) fn see_in_part(&mut self, event: &Event, key: &Key) {
        let ended = event.reservation.state != Status::Held && matches!(key, Key::Reservation(_));
        let made = Made { sequence: event.sequence, ended_at: ended.then_some(event.time), proof: Proof::Partly };
        let same = |bytes: &[u8]| match decode_record(bytes) {
            Ok(Record::Reservation(r)) => tells(event, &r),
            Ok(Record::Usage(usage)) => tells_of_usage(event, &usage),
            Ok(Record::Item(_) | Record::Lot(_) | Record::Movement(_)) | Err(_) => false,
        };
        judge((&self.about, self.first), &mut self.copies, &mut self.missing, event, key.clone(), &made, &same);
    }

    pub(super) fn finish(mut self) -> Result<Proven, Failure> {
        let mut proven = Proven { saved: self.about.saved, newest: self.about.newest, ..Proven::default() };
        let mut copies: Vec<(&Key, &Copy)> =
            self.copies.iter().flat_map(|(key, copies)| copies.iter().map(move |copy| (key, copy))).collect();
        copies.sort_by(|a, b| (a.1.sequence, a.0).cmp(&(b.1.sequence, b.0)));
        for (key, copy) in copies {
            proven.records += 1;
            match copy.proof {
                Proof::Proven => proven.proven += 1,
                Proof::Partly => proven.partly += 1,
                Proof::None if copy.sequence < self.first => proven.unkept += 1,
                Proof::None => {
                    self.findings.add(|| format!("{key:?}: says that event {} made it, which did not", copy.sequence));
                }
                Proof::Wrong(at) => self.findings.add(|| format!("{key:?}: is not what event {at} made of it")),
                Proof::Stale(at) => {
                    self.findings.add(|| {
                        format!("{key:?}: stands as of event {}, and event {at} is missing in it", copy.sequence)
                    });
                }
            }
        }
        let mut missing: Vec<_> = self.missing.iter().map(|(key, at)| (at, key)).collect();
        missing.sort();
        for (at, key) in missing {
            self.findings.add(|| format!("{key:?}: is missing; event {at} made it"));
        }
        no_findings(&self.findings)?;
        Ok(proven)
    }
}

/// What an event made of a record.
struct Made {
    sequence: u64,
    /// When it ended, if it is what retention takes away.
    ended_at: Option<u64>,
    /// What a copy is that is the same.
    proof: Proof,
}

fn judge(
    (about, first): (&About, u64),
    copies: &mut HashMap<Key, Vec<Copy>>,
    missing: &mut HashMap<Key, u64>,
    event: &Event,
    key: Key,
    made: &Made,
    same: &dyn Fn(&[u8]) -> bool,
) {
    let covered = event.sequence <= about.saved;
    let Some(copies) = copies.get_mut(&key) else {
        let (oldest, began) = about.generation;
        let forgotten = oldest > FIRST_GENERATION && made.ended_at.is_some_and(|at| at <= began);
        if forgotten {
            missing.remove(&key);
        } else if covered {
            missing.insert(key, event.sequence);
        }
        return;
    };
    for copy in copies.iter_mut().filter(|copy| copy.sequence == made.sequence) {
        // An item is stamped by events that are not its own: those behind P may be in it or not.
        let right = same(&copy.bytes);
        if right {
            copy.proof = if copy.sequence < first { Proof::None } else { made.proof };
        } else if covered || copy.proof == Proof::None {
            copy.proof = Proof::Wrong(event.sequence);
        }
    }
    if let Some(newest) = copies.last_mut()
        && newest.sequence < made.sequence
        && covered
    {
        newest.proof = Proof::Stale(event.sequence);
    }
}

/// Whether a reservation is what its own event tells, which did not begin it.
fn tells(event: &Event, r: &Reservation<'_>) -> bool {
    let told = &event.reservation;
    let part = !event.part.id.is_some()
        || r.parts.last().is_some_and(|part| {
            part.id == event.name(event.part.id)
                && part.digest == event.part.digest
                && part.partial == event.part.partial
        });
    let lines = r.lines.iter().enumerate().all(|(at, line)| {
        let takes = r.takes.iter().filter(|take| take.line as usize == at);
        takes.fold(0_u64, |sum, take| sum.saturating_add(take.quantity)) == line.quantity
    });
    let takes = r
        .takes
        .iter()
        .all(|take| take.captured.saturating_add(take.released) <= take.quantity && take.returned <= take.captured);
    (r.version, r.state, r.ended) == (told.version, told.state, told.ended)
        && (r.created_at, r.expires_at) == (told.created_at, told.expires_at)
        && (r.state == Status::Held || r.touched_at == event.time)
        && r.holder == event.holder()
        && part
        && lines
        && takes
}

fn tells_of_usage(event: &Event, usage: &Usage<'_>) -> bool {
    let entry = event.usages.iter().find(|entry| event.name(event.items[entry.item as usize].sku) == usage.sku);
    entry.is_some_and(|entry| (usage.held, usage.captured) == (entry.held, entry.captured))
        && used::sum(usage) == usage.captured
}
