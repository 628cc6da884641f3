//! Whatever one field of whatever event is changed to: the judge of answers complains, and the judge of events does
//! wherever an event by itself, or the ones before it, can tell.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::collections::BTreeMap;
use sumun_auditor::generate::{Generator, Random};
use sumun_auditor::{Ledger, OwnedCommand, Trail};
use sumun_wire::{Ended, Event, EventData, EventLine, Kind, Name, Sequence, State, Timestamp, Verb};

/// A name of what was changed, if this event has it.
fn change(event: &mut Event, random: &mut Random) -> Option<&'static str> {
    let which = random.below(26);
    let nth = random.next();
    match which {
        0 => event.sequence.0 += 1,
        1 => event.time.0 += 1,
        2..16 => {
            let lines: &mut Vec<EventLine> = match &mut event.data {
                EventData::Log(_) => return None,
                EventData::Item(data) => &mut data.lines,
                EventData::Reservation(data) => &mut data.lines,
            };
            if lines.is_empty() {
                return None;
            }
            let nth = usize::try_from(nth % lines.len() as u64).unwrap();
            return change_line(&mut lines[nth], which);
        }
        16 | 17 => match &mut event.data {
            EventData::Item(data) if which == 16 && data.kind == Kind::Stock => data.kind = Kind::Points,
            EventData::Item(data) if which == 17 => data.sku = Name::from("other"),
            EventData::Log(_) | EventData::Item(_) | EventData::Reservation(_) => return None,
        },
        _ => {
            let EventData::Reservation(data) = &mut event.data else { return None };
            match which {
                18 => data.version += 1,
                19 => data.state = if data.state == State::Held { State::Released } else { State::Held },
                20 => data.ended = if data.ended.is_none() { Some(Ended::Captured) } else { None },
                21 => data.tombstone = !data.tombstone,
                22 => data.complete = !data.complete,
                23 => data.created_at.0 += 1,
                24 => data.holder = Some(Name::from("nobody else")),
                _ => data.expires_at = data.expires_at.map_or(Some(Timestamp(7)), |at| Some(Timestamp(at.0 - 1))),
            }
        }
    }
    Some(match which {
        0 => "sequence",
        1 => "time",
        16 => "kind",
        17 => "sku",
        18 => "version of a reservation",
        19 => "state",
        20 => "ended",
        21 => "tombstone",
        22 => "complete",
        23 => "created_at",
        24 => "holder",
        _ => "expires_at",
    })
}

fn change_line(line: &mut EventLine, which: u64) -> Option<&'static str> {
    Some(match which {
        2 => {
            line.quantity += 1;
            "quantity"
        }
        3 => {
            line.version += 1;
            "version"
        }
        4 => {
            line.previous = line.previous.map_or(Some(Sequence(1)), |at| at.0.checked_sub(1).map(Sequence));
            "previous"
        }
        5 => {
            line.on_hand += 1;
            "on_hand"
        }
        6 => {
            line.reserved += 1;
            "reserved"
        }
        7 => {
            line.available += 1;
            "available"
        }
        8 => {
            line.received += 1;
            "received"
        }
        9 => {
            line.removed += 1;
            "removed"
        }
        10 => {
            (line.returned, line.captured) = (line.returned + 1, line.captured + 1);
            "returned and captured"
        }
        11 => {
            line.sku = Name::from("other");
            "line's sku"
        }
        12 => {
            line.lot_figures.as_mut()?.on_hand += 1;
            "lot's on_hand"
        }
        13 => {
            line.lot_figures.as_mut()?.reserved += 1;
            "lot's reserved"
        }
        14 => {
            let lot = line.lot_figures.as_mut()?;
            lot.expires_at = lot.expires_at.map_or(Some(Timestamp(1)), |at| Some(Timestamp(at.0 + 1)));
            "lot's expiry"
        }
        _ => {
            line.lot_figures.as_mut()?.location = Some(Name::from("elsewhere"));
            "lot's location"
        }
    })
}

/// Whether nothing before the event, nor the event itself, could tell: what a record begins with is what it says.
fn only_the_command_tells(what: &str, event: &Event) -> bool {
    let begins = match &event.data {
        EventData::Log(_) => false,
        EventData::Item(data) => data.verb == Verb::Received,
        EventData::Reservation(data) => data.version == 1 || data.verb == Verb::Extended,
    };
    match what {
        // A log may begin anywhere.
        "sequence" => event.sequence == Sequence(1),
        "kind" => last_version(event) == 1,
        // It shows when the next event comes.
        "time" => true,
        "holder" | "expires_at" | "lot's expiry" | "lot's location" => begins,
        _ => false,
    }
}

fn last_version(event: &Event) -> u64 {
    event.lines().last().map_or(0, |line| line.version)
}

#[test]
fn any_changed_field_of_any_event_is_caught() {
    let mut judged: BTreeMap<&str, u32> = BTreeMap::new();
    let mut trailed: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 500..506 {
        let (mut system, mut trail) = (Ledger::new(), Trail::new());
        let mut generator = Generator::new(seed);
        let mut random = Random::new(seed);
        let mut now = Timestamp(1_000_000);
        for _ in 0..500 {
            let step = generator.step(&system);
            now.0 += step.advance_ms;
            for command in step.commands.iter().map(OwnedCommand::as_command) {
                let before = system.clone();
                let (answer, events) = system.perform(now, &command).unwrap();
                if let Some(last) = events.last() {
                    let mut changed = last.clone();
                    if let Some(what) = change(&mut changed, &mut random).filter(|_| changed != *last) {
                        let mut wrong = events.clone();
                        *wrong.last_mut().unwrap() = changed;
                        let caught = before.clone().judge(now, &command, &answer, &wrong).is_err();
                        let pardoned = what == "available" && last.kind() == "item.removed";
                        assert!(caught || pardoned, "seed {seed}: {what} of {last:?}");
                        *judged.entry(what).or_default() += 1;
                        if !only_the_command_tells(what, last) {
                            let mut trail = trail.clone();
                            let caught =
                                wrong.iter().any(|event| trail.feed(event).is_err()) || trail.finish().is_err();
                            assert!(caught, "seed {seed}: the trail passes {what} of {last:?}");
                            *trailed.entry(what).or_default() += 1;
                        }
                    }
                }
                events.iter().for_each(|event| trail.feed(event).unwrap());
            }
        }
    }
    assert_eq!(judged.len(), 26, "{judged:?}");
    assert_eq!(trailed.len(), 25, "{trailed:?}");
    assert!(judged.values().all(|count| *count > 2), "{judged:?}");
}
