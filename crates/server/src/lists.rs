//! Pages that take more than one step: so much a step, the rest when the others have had their turn.

use crate::caps;
use crate::handed::{Next, kept_of_item, kept_of_reservation};
use crate::handover::{Page, Progress, Reply};
use crate::ledger::{Handled, Ledger, ListBy, Listed, SkusOf};
use std::collections::VecDeque;
use sumun_wire::{Answer, Command, ItemRecord, Name, ReservationRecord};

#[derive(Debug, Default)]
pub(crate) struct OpenSoFar {
    records: Vec<ReservationRecord>,
    bytes: usize,
    after: Option<String>,
    steps: u32,
}

/// One look a step.
pub(crate) fn reservations<L: Ledger>(
    by: ListBy<'_>,
    after: Option<&str>,
    limit: usize,
    progress: &mut Progress,
    ledger: &mut L,
) -> Next {
    let mut so_far = match std::mem::replace(progress, Progress::Fresh) {
        Progress::Reservations(so_far) => so_far,
        Progress::Fresh | Progress::Decided(_) | Progress::Items(_) => OpenSoFar::default(),
    };
    let after = so_far.after.as_deref().or(after);
    let page = match ledger.list_open(by, after, limit - so_far.records.len()) {
        Listed::Page(page) => page,
        Listed::Refused(refusal) => return Next::Answer(Reply::Refused(refusal)),
        waits @ (Listed::Later | Listed::Reading) => {
            *progress = Progress::Reservations(so_far);
            return if waits == Listed::Later { Next::Later } else { Next::Reading };
        }
    };
    so_far.bytes += page.records.iter().map(kept_of_reservation).sum::<usize>();
    so_far.records.extend(page.records);
    so_far.after = page.next;
    so_far.steps += 1;
    let is_whole = so_far.after.is_none() || so_far.records.len() >= limit || so_far.bytes >= caps::PAGE_BYTES_MAX;
    if is_whole || so_far.steps >= caps::PAGE_STEPS_MAX {
        return Next::Answer(Reply::Reservations(Page { records: so_far.records, next: so_far.after }));
    }
    *progress = Progress::Reservations(so_far);
    Next::Later
}

/// Where the names of a page's items come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From<'a> {
    Store { prefix: &'a str, after: Option<&'a str> },
    Names(&'a [String]),
}

#[derive(Debug)]
pub(crate) struct ItemsSoFar {
    records: Vec<ItemRecord>,
    bytes: usize,
    /// The last name that the page has passed.
    after: Option<String>,
    ticket: Option<u64>,
    scans: u32,
    names: VecDeque<Name>,
    /// Whether there may be names behind these.
    more: bool,
    window: Vec<(Name, Seen)>,
}

#[derive(Debug)]
enum Seen {
    NotYet,
    Gone,
    Item(Box<ItemRecord>),
}

/// One window of items a step, all of them asked for at once.
pub(crate) fn items<L: Ledger>(from: From<'_>, limit: usize, progress: &mut Progress, ledger: &mut L) -> Next {
    let mut so_far = match std::mem::replace(progress, Progress::Fresh) {
        Progress::Items(so_far) => so_far,
        Progress::Fresh | Progress::Decided(_) | Progress::Reservations(_) => ItemsSoFar::begin(from),
    };
    let next = so_far.go_on(from, limit, ledger);
    if let Next::Later | Next::Reading = next {
        *progress = Progress::Items(so_far);
    }
    next
}

impl ItemsSoFar {
    fn begin(from: From<'_>) -> ItemsSoFar {
        let (names, more, after) = match from {
            From::Store { after, .. } => (VecDeque::new(), true, after.map(str::to_owned)),
            From::Names(names) => (names.iter().map(Name::from).collect(), false, None),
        };
        ItemsSoFar { records: Vec::new(), bytes: 0, after, ticket: None, scans: 0, names, more, window: Vec::new() }
    }

    fn go_on<L: Ledger>(&mut self, from: From<'_>, limit: usize, ledger: &mut L) -> Next {
        if self.window.is_empty() {
            if let Some(wait) = self.scan(from, limit, ledger) {
                return wait;
            }
            let most = self.names.len().min(caps::PAGE_WINDOW);
            self.window.extend(self.names.drain(..most).map(|name| (name, Seen::NotYet)));
        }
        if let Some(wait) = self.read(ledger) {
            return wait;
        }
        let mut window = std::mem::take(&mut self.window).into_iter();
        while let Some((name, seen)) = window.next() {
            self.after = Some(name.into());
            let Seen::Item(item) = seen else { continue };
            self.bytes += kept_of_item(&item);
            self.records.push(*item);
            if self.records.len() >= limit || self.bytes >= caps::PAGE_BYTES_MAX {
                let ends = window.len() == 0 && self.names.is_empty() && !self.more;
                return self.answer(ends);
            }
        }
        let ends = self.names.is_empty() && !self.more;
        if ends || self.scans >= caps::PAGE_SCANS_MAX {
            return self.answer(ends);
        }
        Next::Later
    }

    fn answer(&mut self, ends: bool) -> Next {
        let next = if ends { None } else { self.after.take() };
        Next::Answer(Reply::Items(Page { records: std::mem::take(&mut self.records), next }))
    }

    /// Gets names, when none are left. `Some`: they are not there yet, or will not be.
    fn scan<L: Ledger>(&mut self, from: From<'_>, limit: usize, ledger: &mut L) -> Option<Next> {
        let From::Store { prefix, .. } = from else { return None };
        if !self.names.is_empty() || !self.more {
            return None;
        }
        let limit = limit - self.records.len();
        let of = SkusOf { prefix: prefix.to_owned(), after: self.after.clone(), limit };
        match ledger.list_skus(&mut self.ticket, &of) {
            Listed::Later => Some(Next::Later),
            Listed::Reading => Some(Next::Reading),
            Listed::Refused(refusal) => Some(Next::Answer(Reply::Refused(refusal))),
            Listed::Page(skus) => {
                self.scans += 1;
                self.more = skus.more;
                self.names = skus.names.into();
                None
            }
        }
    }

    /// Reads what the window still lacks.
    fn read<L: Ledger>(&mut self, ledger: &mut L) -> Option<Next> {
        let mut waits = None;
        for (name, seen) in self.window.iter_mut().filter(|(_, seen)| matches!(seen, Seen::NotYet)) {
            if ledger.is_full() {
                return Some(Next::Later);
            }
            match ledger.handle(&Command::Item { sku: name }, None) {
                Handled::Later => return Some(Next::Later),
                Handled::Reading => waits = Some(Next::Reading),
                Handled::Answer(Answer::Item(Some(item))) => *seen = Seen::Item(item),
                Handled::Answer(Answer::Refused(refusal)) => return Some(Next::Answer(Reply::Refused(refusal))),
                Handled::Answer(
                    Answer::Item(None)
                    | Answer::Available { .. }
                    | Answer::Outcome(_)
                    | Answer::Reservation(_)
                    | Answer::Holder(_),
                ) => *seen = Seen::Gone,
            }
        }
        waits
    }
}
