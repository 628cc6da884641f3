//! The audit after a crash: what clients were told against what the log has, and the log against the contract.
//!
//! Every event is led back to the command that asked for it and judged by the auditor's model with the answer that the
//! client got; every acknowledged command must have its event, once; every answer that made none must rest on an event
//! that is there. Then, with nobody else about, what is unknown is asked again, and each answer is judged.
//!
//! Never here: sockets other than for asking again, or how the server was ended.

mod answers;
pub(crate) mod key;
mod quiet;

use crate::load::Asked;
use crate::support::{Value, log};
use answers::{Told, rests_on, told};
use key::Key;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use sumun_auditor::{Ledger, OwnedCommand, Trail, Writes};
use sumun_wire::{Ended, Event, EventData, Name, Verb};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Commands that were sent, and those of them whose answer was read.
    pub asked: u64,
    pub answered: u64,
    /// Acknowledged commands that made an event of their own.
    pub acknowledged: u64,
    /// Commands without an answer that turned out to have happened.
    pub surfaced: u64,
    pub events: u64,
    /// EXECs that had happened, each whole.
    pub execs: u64,
    /// Commands asked again after a restart.
    pub again: u64,
}

impl Figures {
    pub fn add(&mut self, other: Figures) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.acknowledged += other.acknowledged;
        self.surfaced += other.surfaced;
        self.events += other.events;
        self.execs += other.execs;
        self.again += other.again;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} asked, {} answered, {} acknowledged events, {} surfaced of {} unknown, {} events, {} execs, {} asked again",
            self.asked,
            self.answered,
            self.acknowledged,
            self.surfaced,
            self.asked - self.answered,
            self.events,
            self.execs,
            self.again
        )
    }
}

/// All that is known of one data directory, from its first event on.
#[derive(Debug, Default)]
pub struct Audit {
    ledger: Ledger,
    trail: Trail,
    /// The event with sequence `n` is at `n − 1`.
    events: Vec<Event>,
    /// How reservations ended, and what the first event of a movement or of settings made available.
    ends: HashMap<Name, Ended>,
    firsts: HashMap<Key, u64>,
    refusals_may_be: bool,
    figures: Figures,
}

/// One command with its answer, if it is known.
#[derive(Debug)]
struct One<'a> {
    command: &'a OwnedCommand,
    told: Option<Told>,
    connection: u64,
    /// Which of the connection's requests it belonged to, and whether that was an EXEC.
    place: u64,
    exec: bool,
    /// The event that it made; and whether no other command without an answer could have made it as well.
    made: Option<u64>,
    sure: bool,
}

impl Audit {
    pub fn new() -> Audit {
        Audit::default()
    }

    /// From now on writes may be refused with MISCONF, or none.
    pub fn set_writes(&mut self, writes: Writes) {
        self.refusals_may_be = writes == Writes::MayFail;
        self.ledger.set_writes(writes);
    }

    pub fn last(&self) -> u64 {
        self.events.len() as u64
    }

    pub fn take_figures(&mut self) -> Figures {
        std::mem::take(&mut self.figures)
    }

    /// After a restart: all that was asked in the life before it. Gives what should be asked again.
    pub fn judge(&mut self, data: &Path, asked: &[Asked]) -> Result<Vec<OwnedCommand>, String> {
        let before = self.last();
        let events = log::read(data, before)?;
        let mut ones = ones(asked)?;
        self.figures.asked += ones.len() as u64;
        self.figures.answered += ones.iter().filter(|one| one.told.is_some()).count() as u64;
        self.figures.events += events.len() as u64;
        for event in &events {
            self.trail.feed(event).map_err(|complaint| format!("the events by themselves: {complaint}"))?;
        }
        self.lead_back(&events, &mut ones)?;
        self.remember(events);
        for one in &ones {
            self.answer_holds(one)?;
        }
        in_order(&ones)?;
        self.figures.execs += self.execs_are_whole(&ones)?;
        Ok(ones.iter().filter(|one| one.told.is_none()).map(|one| one.command.clone()).collect())
    }

    /// At the end: the whole log is, event by event, what was seen of it life by life.
    pub fn finish(&self, data: &Path) -> Result<(), String> {
        let events = log::read(data, 0)?;
        if let Some(changed) = self.events.iter().zip(&events).find(|(seen, now)| seen != now) {
            return Err(format!("an event has changed: it was\n  {:?}\nand is\n  {:?}", changed.0, changed.1));
        }
        if events.len() < self.events.len() {
            return Err(format!("{} events were seen and {} are left", self.events.len(), events.len()));
        }
        self.ledger.check_all().map_err(|complaint| complaint.to_string())?;
        self.trail.finish().map_err(|complaint| format!("the log by itself: {complaint}")).map(drop)
    }

    fn remember(&mut self, events: Vec<Event>) {
        for event in &events {
            if let EventData::Reservation(data) = &event.data
                && let Some(ended) = data.ended
            {
                self.ends.insert(data.reservation.clone(), ended);
            }
            if let (EventData::Item(_), Some(key), Some(line)) =
                (&event.data, Key::of_event(event), event.lines().last())
            {
                self.firsts.entry(key).or_insert(line.available);
            }
        }
        self.events.extend(events);
    }

    /// Finds each event's command and has the model judge it.
    fn lead_back(&mut self, events: &[Event], ones: &mut [One<'_>]) -> Result<(), String> {
        let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
        for (number, one) in ones.iter().enumerate() {
            if let Some(key) = Key::of_command(one.command) {
                by_key.entry(key).or_default().push(number);
            }
        }
        let mut rest = events;
        while let Some(first) = rest.first() {
            // An item that a receipt made comes with it.
            let made = matches!(&first.data, EventData::Item(data)
                if data.verb == Verb::Configured && data.settings.as_ref().is_some_and(|s| s.metadata.is_none()));
            let (group, behind) = rest.split_at(if made { 2.min(rest.len()) } else { 1 });
            rest = behind;
            let own = &group[group.len() - 1];
            let Some(key) = Key::of_event(own) else {
                self.ledger.judge_ends(own.time, group).map_err(|complaint| complaint.to_string())?;
                continue;
            };
            let sequence = own.sequence.0;
            let asked = by_key.get(&key).map(Vec::as_slice).unwrap_or_default();
            let maker = maker(sequence, asked, ones).ok_or_else(|| {
                format!("nobody asked for event {sequence}, or all who did were told otherwise: {own:?}")
            })?;
            ones[maker].made = Some(sequence);
            ones[maker].sure =
                ones[maker].told.is_some() || asked.iter().filter(|asker| ones[**asker].told.is_none()).count() == 1;
            let command = ones[maker].command.as_command();
            match &ones[maker].told {
                Some(told) => {
                    let answer = told.answer(Some(own)).ok_or_else(|| format!("{command:?} was answered {told:?}"))?;
                    self.figures.acknowledged += 1;
                    self.ledger.judge(own.time, &command, &answer, group)
                }
                None => {
                    self.figures.surfaced += 1;
                    self.ledger.lost(&[command]);
                    self.ledger.recovered(group)
                }
            }
            .map_err(|complaint| complaint.to_string())?;
        }
        Ok(())
    }

    /// What a client was told is in the log.
    fn answer_holds(&self, one: &One<'_>) -> Result<(), String> {
        let Some(told) = &one.told else { return Ok(()) };
        let lost = |why: String| Err(format!("{why}: {} was answered {told}", one.command));
        match (one.made, told) {
            (Some(_), _) => Ok(()),
            // Told by a movement's own event: the answer of one that was asked again is the first.
            (None, Told::Available(available)) => {
                match Key::of_command(one.command).and_then(|key| self.firsts.get(&key)) {
                    Some(first) if first == available => Ok(()),
                    Some(first) => lost(format!("its event says {first} available")),
                    None => lost("ACKNOWLEDGED AND NOT IN THE LOG".to_owned()),
                }
            }
            (None, Told::Outcome { replayed, sequence, .. }) => {
                if !replayed && !matches!(one.command, OwnedCommand::Extend { .. }) {
                    return lost(match self.event(*sequence) {
                        Some(event) => {
                            format!("ACKNOWLEDGED AND NOT IN THE LOG, which has another at {sequence}, {event:?}")
                        }
                        None => format!("ACKNOWLEDGED AND NOT IN THE LOG, which ends at {}", self.last()),
                    });
                }
                rests_on(self.event(*sequence), one.command, told).or_else(lost)
            }
            (None, Told::Item(_) | Told::Reservation(_)) => {
                let event = told.sequence().and_then(|sequence| self.event(sequence));
                rests_on(event, one.command, told).or_else(lost)
            }
            (None, Told::Refused(text)) => self.refusal_holds(one.command, text).or_else(lost),
        }
    }

    fn event(&self, sequence: u64) -> Option<&Event> {
        self.events.get(usize::try_from(sequence.checked_sub(1)?).ok()?)
    }

    /// A refusal that names an end rests on that end. Others are the model's to judge, when nobody else asks.
    fn refusal_holds(&self, command: &OwnedCommand, text: &str) -> Result<(), String> {
        match text.split(' ').next().unwrap_or_default() {
            "INSUFFICIENT" | "LIMIT" | "EXCEEDS" | "NOTFOUND" => Ok(()),
            "MISCONF" | "OVERLOADED" | "LOADING" | "EXECABORT" if self.refusals_may_be => Ok(()),
            word @ ("RELEASED" | "EXPIRED" | "CAPTURED") => {
                match key::reservation(command).and_then(|id| self.ends.get(id)) {
                    Some(ended) if ended.word().eq_ignore_ascii_case(word) => Ok(()),
                    other => Err(format!("it ended {other:?} by the log")),
                }
            }
            _ => Err("no refusal that it can get".to_owned()),
        }
    }

    /// All or none of an EXEC, with nothing between but ends.
    fn execs_are_whole(&self, ones: &[One<'_>]) -> Result<u64, String> {
        let mut whole = 0;
        for exec in ones.chunk_by(|a, b| (a.connection, a.place) == (b.connection, b.place)).filter(|e| e[0].exec) {
            let sure = || exec.iter().filter(|one| one.sure).filter_map(|one| one.made);
            let (Some(first), Some(last)) = (sure().min(), sure().max()) else { continue };
            whole += 1;
            // Its first and its last are receipts that cannot be refused, and that nobody else asks for.
            if let Some(cut) = [exec.first(), exec.last()].into_iter().flatten().find(|one| one.made.is_none()) {
                return Err(format!("an EXEC was cut: {first} to {last} are of it, and {} is not there", cut.command));
            }
            // Whoever else asked for the same, and was told nothing, may have been taken for the maker of what is its own.
            let own: HashSet<Key> = exec.iter().filter_map(|one| Key::of_command(one.command)).collect();
            for sequence in first..=last {
                let event = self.event(sequence).ok_or("an event between two is not there")?;
                if Key::of_event(event).is_some_and(|key| !own.contains(&key)) {
                    return Err(format!("event {sequence} stands inside an EXEC from {first} to {last}: {event:?}"));
                }
            }
        }
        Ok(whole)
    }
}

/// The commands one by one, each with what it was told.
fn ones(asked: &[Asked]) -> Result<Vec<One<'_>>, String> {
    let mut ones = Vec::new();
    for Asked { connection, place, commands, exec, answers, .. } in asked {
        for (number, command) in commands.iter().enumerate() {
            let answer: Option<&Value> = answers.as_ref().map(|answers| &answers[number]);
            let told = answer.map(|answer| told(command, answer)).transpose()?;
            ones.push(One {
                command,
                told,
                connection: *connection,
                place: *place,
                exec: *exec,
                made: None,
                sure: false,
            });
        }
    }
    Ok(ones)
}

/// Of all that asked for what this event did: the one that was told so, or the first that was told nothing.
fn maker(sequence: u64, asked: &[usize], ones: &[One<'_>]) -> Option<usize> {
    let told_so = |one: &One<'_>| match &one.told {
        Some(Told::Outcome { sequence: of, replayed, .. }) => !replayed && *of == sequence,
        Some(Told::Available(_)) => true,
        Some(Told::Item(_) | Told::Reservation(_) | Told::Refused(_)) | None => false,
    };
    let free = || asked.iter().copied().filter(|number| ones[*number].made.is_none());
    free().find(|number| told_so(&ones[*number])).or_else(|| free().find(|number| ones[*number].told.is_none()))
}

/// On one connection things happen in the order in which they were asked for.
fn in_order(ones: &[One<'_>]) -> Result<(), String> {
    let mut last: Option<&One<'_>> = None;
    for one in ones.iter().filter(|one| one.made.is_some() && one.sure) {
        if let Some(last) = last
            && last.connection == one.connection
            && last.made >= one.made
        {
            return Err(format!(
                "on one connection {} made {:?} and {}, asked later, {:?}",
                last.command, last.made, one.command, one.made
            ));
        }
        last = Some(one);
    }
    Ok(())
}
