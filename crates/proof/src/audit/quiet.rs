//! Asking again, one command after the other with nobody else about: each answer is judged by the model.

use super::Audit;
use super::answers::{Told, rests_on, told};
use super::key::Key;
use crate::support::{Server, log};
use sumun_auditor::OwnedCommand;
use sumun_wire::{Answer, Code, Event};

/// One command asked again: what it was told, and where the log ended then.
#[derive(Debug)]
struct Again {
    command: OwnedCommand,
    told: Told,
    end: u64,
}

impl Audit {
    /// Asks each of these, and judges.
    pub fn ask_again(&mut self, server: &Server, commands: Vec<OwnedCommand>) -> Result<(), String> {
        let mut socket = server.connect().map_err(|error| format!("cannot connect: {error}"))?;
        let mut asked = Vec::new();
        for command in commands {
            let answer = socket.say(&command.to_string()).map_err(|error| format!("{command} asked again: {error}"))?;
            let told = told(&command, &answer)?;
            let end = log::durable_end(server.data()).map_err(|error| format!("no durable end: {error}"))?;
            let (end, _) = end.ok_or("the server is gone")?;
            asked.push(Again { command, told, end });
        }
        self.figures.again += asked.len() as u64;
        let before = self.last();
        let mut events = log::read(server.data(), before)?;
        // What came after the last answer belongs to the life that follows.
        let end = asked.last().map_or(before, |again| again.end);
        events.truncate(usize::try_from(end.saturating_sub(before)).expect("it was read"));
        self.figures.events += events.len() as u64;
        for event in &events {
            self.trail.feed(event).map_err(|complaint| format!("the events by themselves: {complaint}"))?;
        }
        let mut rest = events.as_slice();
        self.remember(events.clone());
        for again in &asked {
            let own = rest.iter().take_while(|event| event.sequence.0 <= again.end).count();
            let (own, behind) = rest.split_at(own);
            rest = behind;
            self.judge_again(again, own)
                .map_err(|why| format!("{} asked again was answered {}: {why}", again.command, again.told))?;
        }
        Ok(())
    }

    /// One command with the events of its time: its own, if it made one, and ends before and after.
    fn judge_again(&mut self, again: &Again, events: &[Event]) -> Result<(), String> {
        let texts = |complaint: sumun_auditor::Complaint| complaint.to_string();
        let is_end = |event: &Event| Key::of_event(event).is_none() && !matches!(event.kind(), "item.configured");
        let Some(first) = events.iter().position(|event| !is_end(event)) else { return self.made_none(again, events) };
        let own = events.iter().rposition(|event| !is_end(event)).unwrap_or(first);
        let now = events[own].time;
        // Ends of an earlier millisecond were written before it.
        let earlier = events[..first].iter().take_while(|event| event.time < now).count();
        for end in &events[..earlier] {
            self.ledger.judge_ends(end.time, std::slice::from_ref(end)).map_err(texts)?;
        }
        let command = again.command.as_command();
        let answer = again.told.answer(Some(&events[own])).ok_or("it made an event")?;
        self.ledger.judge(now, &command, &answer, &events[earlier..=own]).map_err(texts)?;
        for end in &events[own + 1..] {
            self.ledger.judge_ends(end.time, std::slice::from_ref(end)).map_err(texts)?;
        }
        Ok(())
    }

    /// An answer without an event of its own. Which of the ends stood before it nobody knows: one place must fit.
    fn made_none(&mut self, again: &Again, ends: &[Event]) -> Result<(), String> {
        let mut why = self.fits(again).err();
        for end in ends {
            self.ledger.judge_ends(end.time, std::slice::from_ref(end)).map_err(|complaint| complaint.to_string())?;
            if why.is_some() {
                why = self.fits(again).err();
            }
        }
        why.map_or(Ok(()), Err)
    }

    fn fits(&self, again: &Again) -> Result<(), String> {
        let mut ledger = self.ledger.clone();
        let command = again.command.as_command();
        let now = self.events.last().map(|event| event.time).unwrap_or_default();
        let now = ledger.last_sequence().and_then(|sequence| self.event(sequence.0)).map_or(now, |event| event.time);
        if command.is_read() {
            let event = again.told.sequence().and_then(|sequence| self.event(sequence));
            return rests_on(event, &again.command, &again.told);
        }
        let event = again.told.sequence().and_then(|sequence| self.event(sequence));
        let answer = match &again.told {
            Told::Available(_) => again.told.answer(None),
            Told::Outcome { .. } | Told::Refused(_) => again.told.answer(event),
            Told::Item(_) | Told::Reservation(_) => None,
        };
        if let Some(answer) = answer {
            return ledger.judge(now, &command, &answer, &[]).map_err(|complaint| complaint.to_string());
        }
        // A refusal with facts, of which RESP shows the first: it reads as the model's own does.
        let (model, _) = ledger.perform(now, &command).map_err(|complaint| complaint.to_string())?;
        match (&model, &again.told) {
            (Answer::Refused(refusal), Told::Refused(text)) if refusal.to_string() == *text => Ok(()),
            (Answer::Refused(refusal), Told::Refused(text))
                if refusal.code == Code::NotFound && text.starts_with(Code::NotFound.word()) =>
            {
                Ok(())
            }
            (model, _) => Err(format!("it must be answered {model:?}")),
        }
    }
}
