//! The search of Wing and Gong as Lowe made it fast: take an operation that nothing open had to precede, go on from the
//! state that it leads to, go back when nothing fits. What was taken and the state that it came to are remembered
//! together, so that no configuration is looked at twice.
//!
//! An operation that fits where it stands and changes nothing is taken at once, without an alternative: wherever else
//! it could stand, it can stand here. Nothing asks when a lost operation or an end by time came, so that each is taken
//! only right before something that would not be the same without it: one that could as well come later does (the order
//! in which all of them stand as late as they can is among those looked at, if there is any). And what an answer still
//! to come rules out is left at once (`future`).
//!
//! That leaves the order of writes, and there the sequences in the answers say what to try first. They decide nothing.

use super::future::Future;
use super::model::{Change, Ledger, Window};
use super::names::{Ask, Said};
use super::{CONFIGURATIONS_AGAIN_MAX, CONFIGURATIONS_MAX};
use siphasher::sip128::{Hasher128, SipHasher13};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// An operation of one part of a history.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) ask: Ask,
    pub(super) said: Said,
    pub(super) sent_us: u64,
    /// The greatest number when it was lost.
    pub(super) answered_us: u64,
    /// The one before on the same connection.
    pub(super) before: Option<usize>,
    /// Where the answer says that it stands; of a lost one, where it stands at the latest if its server did it.
    pub(super) hint: Option<u64>,
    /// Its place in the whole history.
    pub(super) place: usize,
}

#[derive(Debug)]
pub(super) enum Found {
    /// An order, as places in the whole history (ends left out).
    Order,
    /// None: how far the longest went, and what could not come next.
    None {
        taken: Vec<usize>,
        open: Vec<usize>,
    },
    TooMany,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Step(usize),
    /// Of a reservation, by time.
    End(usize),
}

/// What is tried first; where it ends does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// What was lost where it stands at the latest if its server did it.
    First,
    /// What was lost once nothing else fits, and many more configurations.
    Again,
}

impl Effort {
    fn configurations_max(self) -> usize {
        match self {
            Effort::First => CONFIGURATIONS_MAX,
            Effort::Again => CONFIGURATIONS_AGAIN_MAX,
        }
    }
}

/// One way to go on.
struct Choice {
    what: Taken,
    change: Change,
    /// Where it stands by the answers, as far as they say.
    hint: u64,
    /// Nobody said where it stands.
    loose: bool,
    rank: u8,
}

struct Frame {
    /// The best last.
    choices: Vec<Choice>,
    /// How the one that was taken is undone.
    done: Option<(Taken, Change)>,
}

/// Steps in the order sent.
pub(super) struct Search<'a> {
    steps: &'a [Step],
    ledger: Ledger,
    /// Where the answers say that ends stand, by reservation.
    ends: &'a HashMap<usize, u64>,
    effort: Effort,
    future: Future,
    taken: Vec<bool>,
    taken_hash: u128,
    /// Answered ones that are not taken.
    open: usize,
    /// Links through what is not taken; the last place is the head.
    next: Vec<usize>,
    previous: Vec<usize>,
    seen: HashSet<u128>,
}

fn hash_of(taken: Taken) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(1, 2);
    match taken {
        Taken::Step(step) => (0, step).hash(&mut hasher),
        Taken::End(id) => (1, id).hash(&mut hasher),
    }
    hasher.finish128().as_u128()
}

impl<'a> Search<'a> {
    pub(super) fn new(steps: &'a [Step], ledger: Ledger, ends: &'a HashMap<usize, u64>, effort: Effort) -> Search<'a> {
        let count = steps.len();
        let future = Future::new(steps, &ledger);
        Search {
            steps,
            ledger,
            ends,
            effort,
            future,
            taken: vec![false; count],
            taken_hash: 0,
            open: steps.iter().filter(|step| step.answered_us != u64::MAX).count(),
            next: (1..=count).chain([0]).collect(),
            previous: std::iter::once(count).chain(0..count).collect(),
            seen: HashSet::new(),
        }
    }

    pub(super) fn run(mut self) -> Found {
        let mut frames: Vec<Frame> = Vec::new();
        let (mut farthest, mut longest) = (usize::MAX, Vec::new());
        loop {
            if self.open == 0 {
                return Found::Order;
            }
            if self.seen.len() > self.effort.configurations_max() {
                return Found::TooMany;
            }
            if self.open < farthest {
                farthest = self.open;
                longest.clear();
                longest.extend(frames.iter().filter_map(|frame| match frame.done {
                    Some((Taken::Step(step), _)) => Some(step),
                    Some((Taken::End(_), _)) | None => None,
                }));
            }
            let late = frames.last().and_then(|frame| frame.done.as_ref()).filter(|(what, _)| self.is_late(*what));
            let choices = self.choices(late.cloned());
            frames.push(Frame { choices, done: None });
            loop {
                let Some(frame) = frames.last_mut() else { return self.none(&longest) };
                if let Some((what, change)) = frame.done.take() {
                    self.undo(what, change);
                }
                let Some(Choice { what, change, .. }) = frame.choices.pop() else {
                    frames.pop();
                    continue;
                };
                let done = self.take(what, change);
                if self.is_new(&done) {
                    frame.done = Some(done);
                    break;
                }
                self.undo(done.0, done.1);
            }
        }
    }

    /// Whether it may as well come later, for all that its time says.
    fn is_late(&self, what: Taken) -> bool {
        match what {
            Taken::Step(step) => matches!(self.steps[step].said, Said::Nothing),
            Taken::End(_) => true,
        }
    }

    /// Whether it leads to what may go on and was not there before.
    fn is_new(&mut self, (what, change): &(Taken, Change)) -> bool {
        let allowed = |at: &usize| self.future.allows(*at, self.ledger.cell(*at), self.steps, &self.taken);
        if !change.iter().all(|(at, _)| allowed(at)) {
            return false;
        }
        // What may follow on something late depends on what that was.
        let late = if self.is_late(*what) { hash_of(*what).rotate_left(2) } else { 0 };
        self.seen.insert(self.taken_hash ^ self.ledger.hash.rotate_left(1) ^ late)
    }

    fn none(&self, longest: &[usize]) -> Found {
        let taken: HashSet<usize> = longest.iter().copied().collect();
        let left = || self.steps.iter().enumerate().filter(|(at, _)| !taken.contains(at));
        let first = left().map(|(_, step)| step.answered_us).min().unwrap_or(u64::MAX);
        let open = left().filter(|(_, step)| step.sent_us <= first).map(|(_, step)| step.place).collect();
        Found::None { taken: longest.iter().map(|at| self.steps[*at].place).collect(), open }
    }

    /// What could be next by time alone, and the time by which it must be.
    fn candidates(&self) -> (Vec<usize>, u64) {
        let (mut at, mut first_us) = (self.next[self.steps.len()], u64::MAX);
        let mut candidates = Vec::new();
        while at != self.steps.len() && self.steps[at].sent_us <= first_us {
            let step = &self.steps[at];
            first_us = first_us.min(step.answered_us);
            if step.before.is_none_or(|before| self.taken[before]) {
                candidates.push(at);
            }
            at = self.next[at];
        }
        (candidates, first_us / 1_000)
    }

    fn outcomes(&self, at: usize, latest_ms: u64) -> SmallVec<[Change; 2]> {
        let step = &self.steps[at];
        let window = Window { sent_ms: step.sent_us / 1_000, answered_ms: step.answered_us / 1_000, latest_ms };
        self.ledger.outcomes(&step.ask, &step.said, window)
    }

    /// What may come next. `late`: what was last, if it is late, and how it is undone.
    fn choices(&mut self, late: Option<(Taken, Change)>) -> Vec<Choice> {
        let (candidates, latest_ms) = self.candidates();
        let mut choices = Vec::new();
        let mut blocked: Option<(u64, usize)> = None;
        for at in candidates {
            let step = &self.steps[at];
            let mut outcomes = self.outcomes(at, latest_ms);
            let lost = matches!(step.said, Said::Nothing);
            if let ([only], false) = (outcomes.as_slice(), lost)
                && only.is_empty()
            {
                return vec![Choice { what: Taken::Step(at), change: Change::new(), hint: 0, loose: false, rank: 0 }];
            }
            if let (true, Some(hint)) = (outcomes.is_empty(), step.hint)
                && blocked.is_none_or(|(first, _)| hint < first)
            {
                blocked = Some((hint, at));
            }
            // An answered one of no known place that fits here is likely to stand here: its figures say so.
            let hint = step.hint.unwrap_or(0);
            let choice = |change| Choice { what: Taken::Step(at), change, hint, loose: lost, rank: 2 };
            choices.extend(outcomes.drain(..).map(choice));
        }
        for (id, change) in self.ledger.ends(latest_ms) {
            let hint = self.ends.get(&id).copied().unwrap_or(u64::MAX);
            choices.push(Choice { what: Taken::End(id), change, hint, loose: true, rank: 2 });
        }
        if let Some((what, before)) = late {
            choices.retain(|choice| self.is_late(choice.what) || !self.commute(what, &before, choice, latest_ms));
        }
        self.sort(&mut choices, blocked, latest_ms);
        choices
    }

    /// The best last.
    fn sort(&mut self, choices: &mut [Choice], blocked: Option<(u64, usize)>, latest_ms: u64) {
        let again = self.effort == Effort::Again;
        choices.sort_by_key(|choice| (again && choice.loose, choice.hint));
        // The best, then what may stand anywhere, then those of a known place in another order than theirs.
        if let Some((best, others)) = choices.split_first_mut() {
            best.rank = 1;
            for choice in others {
                choice.rank = if choice.loose != again { 2 } else { 3 };
            }
        }
        // Before all, what lets in the one that would stand here.
        let first = choices.iter().filter(|choice| !choice.loose).map(|choice| choice.hint).min().unwrap_or(u64::MAX);
        if let Some((_, blocked)) = blocked.filter(|(hint, _)| *hint <= first) {
            for choice in choices.iter_mut().filter(|choice| choice.loose) {
                self.ledger.swap(&mut choice.change);
                let lets_in = !self.outcomes(blocked, latest_ms).is_empty();
                self.ledger.swap(&mut choice.change);
                choice.rank = if lets_in { 0 } else { choice.rank };
            }
        }
        choices.sort_by_key(|choice| choice.rank);
        choices.reverse();
    }

    /// Whether the same comes out when what was last stands behind the choice instead.
    fn commute(&mut self, late: Taken, before: &Change, choice: &Choice, latest_ms: u64) -> bool {
        let Taken::Step(at) = choice.what else { return false };
        if self.steps[at].before.is_some_and(|before| late == Taken::Step(before)) {
            return false;
        }
        let mut change = choice.change.clone();
        self.ledger.swap(&mut change);
        let both = self.ledger.hash;
        self.ledger.swap(&mut change);
        let mut without = before.clone();
        self.ledger.swap(&mut without);
        let mut same = false;
        for mut first in self.outcomes(at, latest_ms) {
            self.ledger.swap(&mut first);
            let seconds = match late {
                Taken::Step(late) => self.outcomes(late, latest_ms),
                Taken::End(id) => self.ledger.end(id, latest_ms).into_iter().collect(),
            };
            for mut second in seconds {
                self.ledger.swap(&mut second);
                same |= self.ledger.hash == both;
                self.ledger.swap(&mut second);
            }
            self.ledger.swap(&mut first);
        }
        self.ledger.swap(&mut without);
        same
    }

    fn take(&mut self, what: Taken, mut change: Change) -> (Taken, Change) {
        self.ledger.swap(&mut change);
        if let Taken::Step(at) = what {
            self.flip(at);
            self.future.take(at);
            let (next, previous) = (self.next[at], self.previous[at]);
            (self.next[previous], self.previous[next]) = (next, previous);
        }
        (what, change)
    }

    fn undo(&mut self, what: Taken, mut change: Change) {
        self.ledger.swap(&mut change);
        if let Taken::Step(at) = what {
            self.flip(at);
            self.future.undo(at);
            let (next, previous) = (self.next[at], self.previous[at]);
            (self.next[previous], self.previous[next]) = (at, at);
        }
    }

    fn flip(&mut self, at: usize) {
        self.taken_hash ^= hash_of(Taken::Step(at));
        self.taken[at] = !self.taken[at];
        if self.steps[at].answered_us != u64::MAX {
            self.open = if self.taken[at] { self.open - 1 } else { self.open + 1 };
        }
    }
}
