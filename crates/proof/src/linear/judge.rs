//! The judgement of a history: in parts that name nothing in common, each of them searched for itself. That is exact:
//! a whole is linearizable if and only if its parts are, as operations that overlap on one connection are kept in one.

use super::history::{History, Operation};
use super::model::{HOLDERS_MAX, Ledger};
use super::names::{Ask, Book, Said, State};
use super::order;
use super::search::{Effort, Found, Search, Step};
use std::collections::HashMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Linearizable,
    /// Why not: how far an order goes, and what fits nowhere.
    Violation(String),
    /// More configurations than anybody wants to wait for: neither the one nor the other, and no pass. A wrong history
    /// with many ends that nobody saw may come out so.
    Undecided,
}

/// Operations shown of the longest order, and of what could not come next.
const SHOWN_MAX: usize = 12;

/// Judges a history that began with an empty ledger: what one search leaves undecided another one looks at, in another
/// order and for longer.
///
/// # Errors
/// Where the history holds what is no command or answer of these proofs.
pub fn judge(history: &History) -> Result<Verdict, String> {
    match judge_with(history, Effort::First)? {
        Verdict::Undecided => judge_with(history, Effort::Again),
        verdict @ (Verdict::Linearizable | Verdict::Violation(_)) => Ok(verdict),
    }
}

/// By one search.
pub(super) fn judge_with(history: &History, effort: Effort) -> Result<Verdict, String> {
    if let Some(why) = order::contradiction(history) {
        return Ok(Verdict::Violation(why));
    }
    let lost = places_of_lost(history);
    for part in parts(history) {
        match judge_part(history, &part, &lost, effort)? {
            Found::Order => {}
            Found::TooMany => return Ok(Verdict::Undecided),
            Found::None { taken, open } => return Ok(Verdict::Violation(words(history, &taken, &open))),
        }
    }
    Ok(Verdict::Linearizable)
}

fn words(history: &History, taken: &[usize], open: &[usize]) -> String {
    let show = |places: &[usize]| -> String {
        places.iter().map(|place| format!("  {}\n", history.operations[*place])).collect()
    };
    let last = &taken[taken.len().saturating_sub(SHOWN_MAX)..];
    let open = &open[..open.len().min(SHOWN_MAX)];
    format!(
        "an order of {} operations is as far as it goes, at its end\n{}and none of these can come next:\n{}",
        taken.len(),
        show(last),
        show(open)
    )
}

/// Groups that grow together.
struct Groups(Vec<usize>);

impl Groups {
    fn root(&mut self, mut of: usize) -> usize {
        while self.0[of] != of {
            self.0[of] = self.0[self.0[of]];
            of = self.0[of];
        }
        of
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one] = other;
    }
}

/// The skus and the reservation that a command names.
fn named(operation: &Operation) -> Vec<String> {
    let words: Vec<&str> = operation.command.split_whitespace().collect();
    let (Some(verb), Some(name)) = (words.first(), words.get(1)) else { return Vec::new() };
    let (kind, lines) = match *verb {
        "CONFIGURE" | "RECEIVE" | "ITEM" => ("sku", None),
        "RESERVE" => ("reservation", words.get(3..)),
        _ => ("reservation", words.get(2..)),
    };
    let mut all = vec![format!("{kind} {name}")];
    if let Some((count, lines)) = lines.and_then(<[&str]>::split_first) {
        let count = count.parse::<usize>().unwrap_or_default();
        all.extend(lines.chunks_exact(2).take(count).map(|pair| format!("sku {}", pair[0])));
    }
    all
}

/// Places of operations that have to be judged together, each group in the order sent.
fn parts(history: &History) -> Vec<Vec<usize>> {
    let count = history.operations.len();
    let mut groups = Groups((0..count).collect());
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (place, operation) in history.operations.iter().enumerate() {
        for name in named(operation) {
            let there = *first.entry(name).or_insert(place);
            groups.join(place, there);
        }
        if let Some(before) = last.insert(&operation.connection, place) {
            let answered = history.operations[before].answered.as_ref().map_or(u64::MAX, |(at, _)| *at);
            if operation.sent_us < answered {
                groups.join(place, before);
            }
        }
    }
    let mut parts: HashMap<usize, Vec<usize>> = HashMap::new();
    for place in 0..count {
        parts.entry(groups.root(place)).or_default().push(place);
    }
    let mut parts: Vec<Vec<usize>> = parts.into_values().collect();
    parts.sort_unstable();
    parts
}

fn judge_part(history: &History, part: &[usize], lost: &HashMap<usize, u64>, effort: Effort) -> Result<Found, String> {
    let mut book = Book::default();
    let (mut steps, mut ends) = (Vec::with_capacity(part.len()), HashMap::new());
    let mut on_connection: HashMap<&str, usize> = HashMap::new();
    // Those of one connection stay in their order, since a sort keeps what is equal.
    let mut part = part.to_vec();
    part.sort_by_key(|place| history.operations[*place].sent_us);
    for place in part {
        let operation = &history.operations[place];
        let strange = || format!("not of these histories: {operation}");
        let ask = book.ask(&operation.command).ok_or_else(strange)?;
        let said = match &operation.answered {
            Some((_, value)) => book.said(value).ok_or_else(strange)?,
            None => Said::Nothing,
        };
        if let (Ask::Reservation { id }, Said::Fields(fields)) = (&ask, &said)
            && fields.ended == Some(Some(State::Expired))
            && let Some(sequence) = fields.sequence
        {
            let end = ends.entry(*id).or_insert(sequence);
            *end = sequence.min(*end);
        }
        // A look that was lost tells nothing and changes nothing.
        if matches!((&ask, &said), (Ask::Item { .. } | Ask::Reservation { .. }, Said::Nothing)) {
            continue;
        }
        steps.push(Step {
            hint: hint(&said).or_else(|| lost.get(&place).copied()),
            ask,
            said,
            sent_us: operation.sent_us,
            answered_us: operation.answered.as_ref().map_or(u64::MAX, |(at, _)| *at),
            before: on_connection.insert(&operation.connection, steps.len()),
            place,
        });
    }
    if book.holders.len() > HOLDERS_MAX {
        return Err(format!("more than {HOLDERS_MAX} holders in one part of a history"));
    }
    let ledger = Ledger::new(book.skus.len(), book.reservations.len(), book.movements.len());
    Ok(Search::new(&steps, ledger, &ends, effort).run())
}

/// A write stands at its sequence, what rests on one right behind it.
fn hint(said: &Said) -> Option<u64> {
    let Said::Fields(fields) = said else { return None };
    fields.sequence
}

/// The newest sequence that was answered before anybody came back to a server after an answer was lost: what that
/// server did unheard, it did before. A hint, not a bound: it may have been later for all that the search knows.
fn places_of_lost(history: &History) -> HashMap<usize, u64> {
    let mut begins: HashMap<&str, u64> = HashMap::new();
    for operation in &history.operations {
        begins.entry(&operation.connection).or_insert(operation.sent_us);
    }
    let place = |lost: &Operation| {
        let back = begins.values().filter(|begin| **begin > lost.sent_us).min().copied().unwrap_or(u64::MAX);
        let answers = history.operations.iter().filter_map(|operation| operation.answered.as_ref());
        let before = answers.filter(|(at, _)| *at < back);
        before.filter_map(|(_, value)| u64::try_from(value.number("sequence")?).ok()).max().unwrap_or(0)
    };
    let lost = history.operations.iter().enumerate().filter(|(_, operation)| operation.answered.is_none());
    lost.map(|(at, operation)| (at, place(operation))).collect()
}
