//! Commands whose answer was never given. Each may have happened or not; the log tells after a restart.
//!
//! `lost` keeps them in the order in which they were given to the shard. `recovered` takes the events that the log has
//! past the last one judged, and finds for each that is no end the command that explains it, in that order. What no
//! event explains did not happen, or made none.

use crate::compare::{check_events, kinds};
use crate::complaint::{Complaint, wrong};
use crate::decide::What;
use crate::ledger::{Ledger, count_ends};
use crate::owned::OwnedCommand;
use sumun_wire::{Command, Event, Timestamp};

impl Ledger {
    /// A command, or the commands of one EXEC, whose answers were never given. Nothing of it was shown to anybody.
    pub fn lost(&mut self, commands: &[Command<'_>]) {
        self.pending.push(commands.iter().map(OwnedCommand::from).collect());
    }

    /// After a restart: the log's events past the last one judged. Reads and refusals leave no trace in the log: time
    /// goes on from the last event judged, not from the last answer.
    pub fn recovered(&mut self, events: &[Event]) -> Result<(), Complaint> {
        let pending = std::mem::take(&mut self.pending);
        let mut pending = pending.iter();
        self.went_back(self.last_time);
        let mut rest = events;
        while let Some(event) = rest.first() {
            if count_ends(&rest[..1]) == 1 {
                self.judge_ends(event.time, &rest[..1])?;
                rest = &rest[1..];
                continue;
            }
            let found = pending.by_ref().find_map(|group| {
                let commands: Vec<Command<'_>> = group.iter().map(OwnedCommand::as_command).collect();
                self.find_reading(&commands, |reading| reading.explained(group, rest))
            });
            let Some((used, after)) = found else {
                let what = format!("no unanswered command explains {}: {:?}", kinds(&rest[..1]), event.data);
                return wrong("LOG-1", Some(event.sequence), what);
            };
            *self = after;
            rest = &rest[used..];
        }
        Ok(())
    }

    /// How many events at the front this command, or the whole EXEC, made, and the model after it.
    fn explained(&self, group: &[OwnedCommand], events: &[Event]) -> Option<(usize, Ledger)> {
        let mut after = self.clone();
        let mut used = 0;
        for command in group {
            let rest = &events[used..];
            let ends = count_ends(rest);
            // An EXEC has one time. A command of it without an event left must be one that makes none: else it was cut.
            let now = if used > 0 { after.now } else { rest.get(ends)?.time };
            let ends = rest[..ends].iter().take_while(|end| end.time == now).count();
            let own = &rest[ends..];
            let command = command.as_command();
            let mut next = after.clone();
            next.begin(now).ok()?;
            let mut refused = next.makes_none(now, &command);
            for end in &rest[..ends] {
                next.end(now, end).ok()?;
                refused |= next.makes_none(now, &command);
            }
            let made = match next.decide(now, &command, None).what {
                What::Answer(_) => None,
                What::Do(change) => next.apply(now, change).ok(),
            };
            match made.filter(|(made, _)| made.len() <= own.len() && check_events(made, &own[..made.len()]).is_ok()) {
                Some((made, _)) => {
                    next.check_touched(now).ok()?;
                    used += ends + made.len();
                    after = next;
                }
                // Before one of the ends that stand here, which a later command may have named, it made no event.
                None if refused => {}
                None => return None,
            }
        }
        (used > 0).then_some((used, after))
    }

    /// Whether this command, decided now, makes no event, or may make none.
    fn makes_none(&self, now: Timestamp, command: &Command<'_>) -> bool {
        matches!(self.decide(now, command, None).what, What::Answer(_)) || self.may_be_limited(now, command)
    }

    /// Whether a limit's window leaves open if this reserve is refused.
    fn may_be_limited(&self, now: Timestamp, command: &Command<'_>) -> bool {
        let Command::Reserve(c) = command else { return false };
        c.lines.iter().any(|line| {
            let limit = self.items.get(line.sku).and_then(|item| item.settings.limit);
            let used = limit.zip(c.holder).map(|(limit, holder)| self.used(now, line.sku, holder, limit.window_ms));
            used.is_some_and(|used| used.len() > 1)
        })
    }
}
