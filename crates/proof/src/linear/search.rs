//! The search of Wing and Gong as Lowe made it fast: take an operation that nothing open had to precede, go on from the
//! state that it leads to, go back when nothing fits. What was taken and the state that it came to are remembered
//! together, so that no configuration is looked at twice.
//!
//! An operation that fits where it stands and changes nothing is taken at once, without an alternative: wherever else
//! it could stand, it can stand here. That leaves the order of writes, and there the sequences in the answers say what
//! to try first. They decide nothing.

use super::CONFIGURATIONS_MAX;
use super::model::{Change, Ledger, Window};
use super::names::{Ask, Said};
use siphasher::sip128::{Hasher128, SipHasher13};
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

#[derive(Clone, Copy, Debug)]
enum Taken {
    Step(usize),
    End,
}

/// One way to go on.
struct Choice {
    what: Taken,
    change: Change,
    /// Where it stands by the answers, as far as they say.
    hint: u64,
    /// Nobody said where it stands.
    loose: bool,
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
    taken: Vec<bool>,
    taken_hash: u128,
    /// Answered ones that are not taken.
    open: usize,
    /// Links through what is not taken; the last place is the head.
    next: Vec<usize>,
    previous: Vec<usize>,
    seen: HashSet<u128>,
}

fn hash_of(step: usize) -> u128 {
    let mut hasher = SipHasher13::new_with_keys(1, 2);
    step.hash(&mut hasher);
    hasher.finish128().as_u128()
}

impl<'a> Search<'a> {
    pub(super) fn new(steps: &'a [Step], ledger: Ledger, ends: &'a HashMap<usize, u64>) -> Search<'a> {
        let count = steps.len();
        Search {
            steps,
            ledger,
            ends,
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
            if self.seen.len() > CONFIGURATIONS_MAX {
                return Found::TooMany;
            }
            if self.open < farthest {
                farthest = self.open;
                longest.clear();
                longest.extend(frames.iter().filter_map(|frame| match frame.done {
                    Some((Taken::Step(step), _)) => Some(step),
                    Some((Taken::End, _)) | None => None,
                }));
            }
            let choices = self.choices();
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
                if self.seen.insert(self.taken_hash ^ self.ledger.hash.rotate_left(1)) {
                    frame.done = Some(done);
                    break;
                }
                self.undo(done.0, done.1);
            }
        }
    }

    fn none(&self, longest: &[usize]) -> Found {
        let taken: HashSet<usize> = longest.iter().copied().collect();
        let left = || self.steps.iter().enumerate().filter(|(at, _)| !taken.contains(at));
        let first = left().map(|(_, step)| step.answered_us).min().unwrap_or(u64::MAX);
        let open = left().filter(|(_, step)| step.sent_us <= first).map(|(_, step)| step.place).collect();
        Found::None { taken: longest.iter().map(|at| self.steps[*at].place).collect(), open }
    }

    /// What may come next.
    fn choices(&self) -> Vec<Choice> {
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
        let latest_ms = first_us / 1_000;
        let mut choices = Vec::new();
        for at in candidates {
            let step = &self.steps[at];
            let answered_ms = step.answered_us / 1_000;
            let window = Window { sent_ms: step.sent_us / 1_000, answered_ms, latest_ms };
            let mut outcomes = self.ledger.outcomes(&step.ask, &step.said, window);
            let lost = matches!(step.said, Said::Nothing);
            if let ([only], false) = (outcomes.as_slice(), lost)
                && only.is_empty()
            {
                return vec![Choice { what: Taken::Step(at), change: Change::new(), hint: 0, loose: false }];
            }
            // An answered one of no known place that fits here is likely to stand here: its figures say so.
            let hint = step.hint.unwrap_or(0);
            let choice = |change| Choice { what: Taken::Step(at), change, hint, loose: lost };
            choices.extend(outcomes.drain(..).map(choice));
        }
        for (id, change) in self.ledger.ends(latest_ms) {
            let hint = self.ends.get(&id).copied().unwrap_or(u64::MAX);
            choices.push(Choice { what: Taken::End, change, hint, loose: true });
        }
        choices.sort_by_key(|choice| choice.hint);
        // Then what may stand anywhere, before those of a known place in another order than theirs.
        if let Some((_, others)) = choices.split_first_mut() {
            others.sort_by_key(|choice| !choice.loose);
        }
        choices.reverse();
        choices
    }

    fn take(&mut self, what: Taken, mut change: Change) -> (Taken, Change) {
        self.ledger.swap(&mut change);
        self.flip(what);
        if let Taken::Step(at) = what {
            let (next, previous) = (self.next[at], self.previous[at]);
            (self.next[previous], self.previous[next]) = (next, previous);
        }
        (what, change)
    }

    fn undo(&mut self, what: Taken, mut change: Change) {
        self.ledger.swap(&mut change);
        self.flip(what);
        if let Taken::Step(at) = what {
            let (next, previous) = (self.next[at], self.previous[at]);
            (self.next[previous], self.previous[next]) = (at, at);
        }
    }

    fn flip(&mut self, what: Taken) {
        let Taken::Step(at) = what else { return };
        self.taken_hash ^= hash_of(at);
        self.taken[at] = !self.taken[at];
        if self.steps[at].answered_us != u64::MAX {
            self.open = if self.taken[at] { self.open - 1 } else { self.open + 1 };
        }
    }
}
