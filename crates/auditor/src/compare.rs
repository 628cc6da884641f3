//! Whether what the system said is what the model says, with exactly the freedom that the contract leaves: texts of
//! errors, the order of an event's lines, an empty row of units without lot.

use crate::complaint::{Complaint, wrong};
use std::fmt::Write as _;
use sumun_wire::{Answer, Code, Event, EventData, EventLine, Facts, ItemRecord, Name, Refusal, Short, Verb};

pub(crate) fn same_answer(model: &Answer, given: &Answer) -> bool {
    match (model, given) {
        (Answer::Refused(model), Answer::Refused(given)) => same_refusal(model, given),
        (Answer::Item(Some(model)), Answer::Item(Some(given))) => without_empty_row(model) == without_empty_row(given),
        (model, given) => model == given,
    }
}

fn without_empty_row(record: &ItemRecord) -> ItemRecord {
    let mut record = record.clone();
    record.lots.retain(|row| row.lot.is_some() || row.on_hand != 0 || row.reserved != 0);
    record
}

pub(crate) fn same_refusal(model: &Refusal, given: &Refusal) -> bool {
    if model.code != given.code {
        return false;
    }
    match (&model.facts, &given.facts) {
        (Facts::Missing(model), Facts::Missing(given)) => distinct(model) == distinct(given),
        (Facts::Short(model_shorts), Facts::Short(given)) => {
            model_shorts.len() == given.len()
                && model_shorts.iter().zip(given).all(|(m, g)| same_short(model.code, m, g))
        }
        (Facts::Missing(_) | Facts::Short(_), _) => false,
        // Words for people.
        (Facts::None | Facts::Invalid(_) | Facts::About(_) | Facts::RetryAfterMs(_), _) => true,
    }
}

fn same_short(code: Code, model: &Short, given: &Short) -> bool {
    model.sku == given.sku
        && model.wanted == given.wanted
        && model.available == given.available
        && (code != Code::Insufficient || model.reserved == given.reserved)
        && (code != Code::Limit || model.holder == given.holder)
}

fn distinct(names: &[Name]) -> Vec<&Name> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// Lines in an order of their own: the contract says what they are, one a sku and lot, and not how they are ordered.
fn sorted(event: &Event) -> Event {
    let mut event = event.clone();
    let lines: &mut Vec<EventLine> = match &mut event.data {
        EventData::Log(_) => return event,
        EventData::Item(data) => &mut data.lines,
        EventData::Reservation(data) => &mut data.lines,
    };
    lines.sort_by(|a, b| (&a.sku, &a.lot, a.quantity).cmp(&(&b.sku, &b.lot, b.quantity)));
    event
}

pub(crate) fn check_event(model: &Event, given: &Event) -> Result<(), Complaint> {
    let (mut model, given) = (sorted(model), sorted(given));
    // Where in a trace it was asked says nothing of what happened.
    model.trace = given.trace;
    if let (EventData::Item(m), EventData::Item(g)) = (&mut model.data, &given.data)
        && m.verb == Verb::Removed
        && let ([m], [g]) = (m.lines.as_mut_slice(), g.lines.as_slice())
        && g.available == 0
    {
        // Of an item that is gone nothing is available, or what its settings came to: either is by the book.
        m.available = 0;
    }
    if model == given {
        return Ok(());
    }
    wrong("event", Some(given.sequence), format!("the contract demands\n  {model:?}\nbut the log has\n  {given:?}"))
}

pub(crate) fn check_events(model: &[Event], given: &[Event]) -> Result<(), Complaint> {
    for (model, given) in model.iter().zip(given) {
        check_event(model, given)?;
    }
    if model.len() == given.len() {
        return Ok(());
    }
    let at = given.last().map(|event| event.sequence);
    wrong("event", at, format!("{} events instead of {}: {}", given.len(), model.len(), kinds(given)))
}

pub(crate) fn kinds(events: &[Event]) -> String {
    events.iter().fold(String::new(), |mut text, event| {
        let _ = write!(text, "{}@{} ", event.kind(), event.sequence.0);
        text
    })
}
