//! The model of commands: what each must answer and write, given all that came before.
//! After each step it checks STOCK-1, STOCK-2, RSV-1, RSV-2 and LIMIT-1 on what was touched. IDEM-1 is what `decide`
//! demands of ids. What is forgotten, and when, stands in `forget`.
//!
//! Where the contract leaves freedom (when ends that nobody named are written; the last thousandth of a window), the
//! system's choice is followed. After a complaint the model is void.

use crate::cell::{Asked, Cell, Met};
use crate::compare::{check_event, check_events, kinds, same_answer, same_refusal};
use crate::complaint::{Complaint, wrong};
use crate::decide::{Decision, What, asked};
use crate::forget::{Forgotten, Retention};
use crate::item::Item;
use crate::owned::OwnedCommand;
use crate::request;
use crate::reservation::{Reservation, Take};
use std::collections::{BTreeMap, BTreeSet};
use sumun_wire::{
    Answer, Code, Command, Event, EventData, Facts, HolderRecord, ItemRecord, LogEvent, Name, Refusal,
    ReservationRecord, Sequence, State, Timestamp, Verb,
};

/// Whether the log can be written, as far as whoever drives the system knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// MISCONF is wrong.
    #[default]
    Work,
    /// What needs an event may be refused with MISCONF; reads may show what is due as it last stood.
    MayFail,
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(crate) now: Timestamp,
    pub(crate) last: Option<Sequence>,
    /// The time of that event.
    pub(crate) last_time: Timestamp,
    pub(crate) items: BTreeMap<Name, Item>,
    pub(crate) reservations: BTreeMap<Name, Reservation>,
    pub(crate) retention: Retention,
    /// Reservations that were forgotten, in the order in which they were.
    pub(crate) past: Vec<Reservation>,
    /// Nothing is forgotten before this.
    pub(crate) forget_from: Timestamp,
    /// Something may be doubtful.
    pub(crate) doubts: bool,
    pub(crate) forgotten: Forgotten,
    pub(crate) pending: Vec<Vec<OwnedCommand>>,
    pub(crate) touched_items: BTreeSet<Name>,
    pub(crate) touched_reservations: BTreeSet<Name>,
    writes: Writes,
    cells: Vec<Cell>,
}

impl Ledger {
    pub fn new() -> Ledger {
        Ledger::default()
    }

    pub fn set_writes(&mut self, writes: Writes) {
        self.writes = writes;
    }

    pub(crate) fn may_fail(&self) -> bool {
        self.writes == Writes::MayFail
    }

    /// The last event that was judged.
    pub fn last_sequence(&self) -> Option<Sequence> {
        self.last
    }

    /// The cell of the verb table that the last judged command was.
    pub fn cell(&self) -> Option<Cell> {
        self.cells.last().copied()
    }

    /// The cells of the commands judged last: one, or those of an EXEC.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// What the system must show of an item, everything due having ended.
    pub fn item(&self, sku: &str, now: Timestamp) -> Option<ItemRecord> {
        self.remembered(sku, now).map(|item| item.record(sku, |lot| lot.due(now)))
    }

    /// As it was remembered at the last time that was judged.
    pub fn reservation(&self, id: &str) -> Option<ReservationRecord> {
        self.reservations.get(id).map(Reservation::record)
    }

    pub fn holder(&self, sku: &str, holder: &str, now: Timestamp) -> Option<HolderRecord> {
        match self.read_holder(now, sku, holder, None).0 {
            What::Answer(Answer::Holder(record)) => Some(record),
            What::Answer(_) | What::Do(_) => None,
        }
    }

    /// Ids of the reservations whose end is due and not written.
    pub fn due(&self, now: Timestamp) -> Vec<Name> {
        self.reservations.values().filter(|r| r.due(now)).map(|r| r.id.clone()).collect()
    }

    /// Items some lots of which were due at `now` and have not ended.
    pub fn lots_due(&self, now: Timestamp) -> Vec<Name> {
        let due = self.items.iter().filter(|(_, item)| !item.due_lots(now).is_empty());
        due.map(|(sku, _)| sku.clone()).collect()
    }

    /// Judges one command: the shard's time, what the system answered, and the events that it wrote for it, the ends
    /// that come before included.
    pub fn judge(
        &mut self,
        now: Timestamp,
        command: &Command<'_>,
        answer: &Answer,
        events: &[Event],
    ) -> Result<(), Complaint> {
        self.begin(now)?;
        let one = std::slice::from_ref(command);
        self.by_any_reading(one, |ledger| ledger.judge_one(now, command, answer, events))
    }

    fn judge_one(
        &mut self,
        now: Timestamp,
        command: &Command<'_>,
        answer: &Answer,
        events: &[Event],
    ) -> Result<(), Complaint> {
        if self.refused_before_anything(now, command, answer, events)? {
            return Ok(());
        }
        let ends = count_ends(events);
        for end in &events[..ends] {
            self.end(now, end)?;
        }
        self.named_has_ended(now, command)?;
        let decision = self.decide(now, command, Some(answer));
        let used = self.conclude(now, command, decision, answer, &events[ends..])?;
        if ends + used < events.len() {
            let extra = kinds(&events[ends + used..]);
            return wrong("event", self.last, format!("{command:?} wrote more than it may: {extra}"));
        }
        self.check_touched(now)
    }

    /// Judges an EXEC: its commands one after the other at one time, with nothing between them but ends.
    pub fn judge_exec(
        &mut self,
        now: Timestamp,
        commands: &[Command<'_>],
        answers: &[Answer],
        events: &[Event],
    ) -> Result<(), Complaint> {
        self.begin(now)?;
        if commands.len() != answers.len() {
            return wrong("answer", self.last, format!("{} answers to {} commands", answers.len(), commands.len()));
        }
        self.by_any_reading(commands, |ledger| ledger.judge_all(now, commands, answers, events))
    }

    fn judge_all(
        &mut self,
        now: Timestamp,
        commands: &[Command<'_>],
        answers: &[Answer],
        events: &[Event],
    ) -> Result<(), Complaint> {
        if answers.iter().any(blocked) {
            return self.refused_whole(now, commands, answers, events);
        }
        let mut rest = events;
        for (command, answer) in commands.iter().zip(answers) {
            rest = &rest[self.judge_next(now, command, answer, rest)?..];
        }
        // Ends that a command named, though its answer did not need them.
        let ends = count_ends(rest);
        for end in &rest[..ends] {
            self.end(now, end)?;
        }
        rest = &rest[ends..];
        if !rest.is_empty() {
            return wrong("event", self.last, format!("an EXEC wrote more than it may: {}", kinds(rest)));
        }
        self.check_touched(now)
    }

    /// One command of an EXEC. Ends may stand before any of them: no more are taken than its answer needs, so that the
    /// later ones are left the choice.
    fn judge_next(
        &mut self,
        now: Timestamp,
        command: &Command<'_>,
        answer: &Answer,
        events: &[Event],
    ) -> Result<usize, Complaint> {
        let ends = count_ends(events);
        for (taken, end) in events[..ends].iter().enumerate() {
            let decision = self.decide(now, command, Some(answer));
            let fits = match &decision.what {
                What::Answer(model) => fits(model, answer, decision.cell.met) && self.ready(now, command, answer),
                What::Do(_) => false,
            };
            if fits {
                self.cells.push(decision.cell);
                return Ok(taken);
            }
            self.end(now, end)?;
        }
        self.named_has_ended(now, command)?;
        let decision = self.decide(now, command, Some(answer));
        Ok(ends + self.conclude(now, command, decision, answer, &events[ends..])?)
    }

    fn ready(&self, now: Timestamp, command: &Command<'_>, answer: &Answer) -> bool {
        self.named_has_ended(now, command).is_ok() && self.shown_lots_have_ended(now, command, answer).is_ok()
    }

    /// Events that time alone made: ends and the log's own.
    pub fn judge_ends(&mut self, now: Timestamp, events: &[Event]) -> Result<(), Complaint> {
        self.begin(now)?;
        for event in events {
            self.end(now, event)?;
        }
        self.check_touched(now)
    }

    /// What a perfect system would answer and write: the model as its own reference.
    pub fn perform(&mut self, now: Timestamp, command: &Command<'_>) -> Result<(Answer, Vec<Event>), Complaint> {
        self.begin(now)?;
        let mut events = Vec::new();
        if request::flaw(command).is_none() {
            self.write_named_ends(now, command, &mut events)?;
        }
        let decision = self.decide(now, command, None);
        self.cells.push(decision.cell);
        let answer = match decision.what {
            What::Answer(answer) => answer,
            What::Do(change) => {
                let (made, answer) = self.apply(now, change)?;
                events.extend(made);
                answer
            }
        };
        self.check_touched(now)?;
        Ok((answer, events))
    }

    /// All ends that are due, as a perfect system would write them.
    pub fn perform_ends(&mut self, now: Timestamp) -> Result<Vec<Event>, Complaint> {
        self.begin(now)?;
        let mut events = Vec::new();
        let skus: BTreeSet<Name> = self.items.keys().cloned().collect();
        self.write_lot_ends(now, skus, &mut events);
        for id in self.due(now) {
            events.push(self.expire(now, &id)?);
        }
        self.check_touched(now)?;
        Ok(events)
    }

    fn write_named_ends(
        &mut self,
        now: Timestamp,
        command: &Command<'_>,
        events: &mut Vec<Event>,
    ) -> Result<(), Complaint> {
        let (named, mut skus) = names(command);
        let known = named.and_then(|id| self.reservations.get(id));
        skus.extend(known.iter().flat_map(|r| r.lines.iter().map(|line| line.sku.clone())));
        let due = known.filter(|r| r.due(now)).map(|r| r.id.clone());
        self.write_lot_ends(now, skus, events);
        if let Some(id) = due {
            events.push(self.expire(now, &id)?);
        }
        Ok(())
    }

    fn write_lot_ends(&mut self, now: Timestamp, skus: BTreeSet<Name>, events: &mut Vec<Event>) {
        for sku in skus {
            let due = self.items.get(&sku).map(|item| item.due_lots(now)).unwrap_or_default();
            if !due.is_empty() {
                events.push(self.expire_lots(now, &sku, &due));
            }
        }
    }

    pub(crate) fn begin(&mut self, now: Timestamp) -> Result<(), Complaint> {
        self.cells.clear();
        if now < self.now {
            return wrong("time", self.last, format!("time went back from {} to {}", self.now.0, now.0));
        }
        self.now = now;
        self.forget(now);
        Ok(())
    }

    /// One event that no command asks for by name.
    pub(crate) fn end(&mut self, now: Timestamp, event: &Event) -> Result<(), Complaint> {
        let no = |what: String| wrong("ends", Some(event.sequence), what);
        if event.sequence != self.next() {
            return wrong("LOG-2", Some(event.sequence), format!("{} is the next sequence", self.next().0));
        }
        if event.time != now {
            return wrong("time", Some(event.sequence), format!("its time is not the shard's, {}", now.0));
        }
        match &event.data {
            EventData::Log(LogEvent::Opened { retention_ms, .. } | LogEvent::Time { retention_ms, .. }) => {
                (self.last, self.last_time) = (Some(event.sequence), now);
                self.set_retention(*retention_ms);
                Ok(())
            }
            EventData::Item(data) if data.verb == Verb::LotExpired => {
                let Some(item) = self.items.get(&data.sku) else { return no(format!("no item `{}`", data.sku)) };
                let named: Vec<Name> = data.lines.iter().filter_map(|line| line.lot.clone()).collect();
                let may = |name: &Name| item.lots.get(name).is_some_and(|lot| lot.due(now) && !lot.ended);
                if named.is_empty() || !named.iter().all(may) {
                    return no(format!("of `{}` a lot ended that was not due, or had ended", data.sku));
                }
                if let Some(left) = item.due_lots(now).into_iter().find(|lot| !named.contains(lot)) {
                    return no(format!("lot `{left}` of `{}` was due too", data.sku));
                }
                let model = self.expire_lots(now, &data.sku, &named);
                check_event(&model, event)
            }
            EventData::Reservation(data) if data.verb == Verb::Expired => {
                if !self.reservations.get(&data.reservation).is_some_and(|r| r.due(now)) {
                    return no(format!("reservation `{}` is not due", data.reservation));
                }
                let model = self.expire(now, &data.reservation)?;
                check_event(&model, event)
            }
            EventData::Item(_) | EventData::Reservation(_) => no(format!("{} is no end", event.kind())),
        }
    }

    /// Answer and own events against what was decided. Gives the number of events that were the command's own.
    fn conclude(
        &mut self,
        now: Timestamp,
        command: &Command<'_>,
        decision: Decision,
        answer: &Answer,
        events: &[Event],
    ) -> Result<usize, Complaint> {
        self.cells.push(decision.cell);
        if let Answer::Refused(refused) = answer
            && decision.also.iter().any(|also| same_refusal(also, refused))
        {
            return Ok(0);
        }
        let (model, made) = match decision.what {
            What::Answer(model) => (model, 0),
            What::Do(change) => {
                let (made, model) = self.apply(now, change)?;
                check_events(&made, &events[..made.len().min(events.len())])?;
                (model, made.len())
            }
        };
        if !fits(&model, answer, decision.cell.met) {
            let what = format!("{command:?}\n  must answer {model:?}\n  and answered {answer:?}");
            return wrong("answer", self.last, what);
        }
        self.shown_lots_have_ended(now, command, answer)?;
        Ok(made)
    }

    /// A command sees the end of the reservation that it names.
    fn named_has_ended(&self, now: Timestamp, command: &Command<'_>) -> Result<(), Complaint> {
        let reads_as_it_stood = command.is_read() && self.may_fail();
        if request::flaw(command).is_some() || reads_as_it_stood {
            return Ok(());
        }
        match names(command).0.and_then(|id| self.reservations.get(id)).filter(|known| known.due(now)) {
            Some(due) => wrong("ends", self.last, format!("`{}` is named, was due, and has not ended", due.id)),
            None => Ok(()),
        }
    }

    /// Before an answer that shows what an item has, its due lots have ended.
    fn shown_lots_have_ended(&self, now: Timestamp, c: &Command<'_>, answer: &Answer) -> Result<(), Complaint> {
        let shown: Vec<Name> = match answer {
            Answer::Item(Some(item)) if !self.may_fail() => vec![item.sku.clone()],
            Answer::Refused(Refusal { code: Code::Insufficient, facts: Facts::Short(shorts) }) => {
                shorts.iter().map(|short| short.sku.clone()).collect()
            }
            Answer::Available { replayed: false, .. } => names(c).1.into_iter().collect(),
            Answer::Available { .. }
            | Answer::Outcome(_)
            | Answer::Item(_)
            | Answer::Reservation(_)
            | Answer::Holder(_)
            | Answer::Refused(_) => Vec::new(),
        };
        self.lots_have_ended(now, shown.iter())
    }

    /// MISCONF and OVERLOADED: only for what would need an event, its own or an end, and then with none.
    fn refused_before_anything(
        &mut self,
        now: Timestamp,
        command: &Command<'_>,
        answer: &Answer,
        events: &[Event],
    ) -> Result<bool, Complaint> {
        if !blocked(answer) {
            return Ok(false);
        }
        self.may_be_blocked(answer)?;
        if !events.is_empty() {
            return wrong("answer", self.last, format!("{command:?} was refused, and wrote {}", kinds(events)));
        }
        if !self.needs_event(now, command) {
            return wrong("answer", self.last, format!("{command:?} needs no event, and was refused: {answer:?}"));
        }
        self.cells.push(Cell { asked: asked(command), met: Met::Blocked });
        Ok(true)
    }

    fn may_be_blocked(&self, answer: &Answer) -> Result<(), Complaint> {
        let readonly = matches!(answer, Answer::Refused(Refusal { code: Code::ReadOnly, .. }));
        if readonly && !self.may_fail() {
            return wrong("answer", self.last, "MISCONF though the log can be written".to_owned());
        }
        Ok(())
    }

    fn needs_event(&self, now: Timestamp, command: &Command<'_>) -> bool {
        if command.is_read() || request::flaw(command).is_some() {
            return false;
        }
        let (reservation, skus) = names(command);
        let due = reservation.and_then(|id| self.reservations.get(id)).is_some_and(|known| known.due(now));
        let lots = self.lots_have_ended(now, skus.iter()).is_err();
        due || lots || matches!(self.decide(now, command, None).what, What::Do(_))
    }

    /// An EXEC is refused whole: if one of its commands, the first that would, needs an event.
    fn refused_whole(
        &mut self,
        now: Timestamp,
        commands: &[Command<'_>],
        answers: &[Answer],
        events: &[Event],
    ) -> Result<(), Complaint> {
        for (command, answer) in commands.iter().zip(answers) {
            let invalid = request::flaw(command).is_some()
                && matches!(answer, Answer::Refused(Refusal { code: Code::Invalid, .. }));
            if !blocked(answer) && !invalid {
                return wrong("answer", self.last, format!("of an EXEC that was refused {command:?} got {answer:?}"));
            }
            if blocked(answer) {
                self.may_be_blocked(answer)?;
            }
            self.cells.push(Cell { asked: asked(command), met: Met::Blocked });
        }
        if !events.is_empty() || !commands.iter().any(|command| self.needs_event(now, command)) {
            return wrong("answer", self.last, format!("an EXEC was refused: it wrote {}", kinds(events)));
        }
        Ok(())
    }

    /// STOCK-1, RSV-1, RSV-2 and LIMIT-1 on what the last step touched; sums are taken anew from the open lines.
    pub(crate) fn check_touched(&mut self, now: Timestamp) -> Result<(), Complaint> {
        for sku in std::mem::take(&mut self.touched_items) {
            self.check_item(&sku)?;
        }
        for id in std::mem::take(&mut self.touched_reservations) {
            self.check_reservation(&id)?;
        }
        if let [Cell { asked: Asked::Reserve | Asked::ReserveCapture, met: Met::Done }] = self.cells[..] {
            self.check_limits(now)?;
        }
        Ok(())
    }

    /// As after each step, on everything.
    pub fn check_all(&self) -> Result<(), Complaint> {
        self.items.keys().try_for_each(|sku| self.check_item(sku))?;
        self.reservations.keys().try_for_each(|id| self.check_reservation(id))
    }

    fn check_item(&self, sku: &Name) -> Result<(), Complaint> {
        let Some(item) = self.items.get(sku) else { return Ok(()) };
        let mut open: BTreeMap<Option<&Name>, u64> = BTreeMap::new();
        for reservation in self.reservations.values().filter(|r| r.state == State::Held) {
            for line in reservation.lines.iter().filter(|line| line.sku == *sku) {
                line.takes.iter().for_each(|take| *open.entry(take.lot.as_ref()).or_default() += take.held());
            }
        }
        let piles = item.lots.iter().map(|(name, lot)| (Some(name), &lot.pile)).chain([(None, &item.loose)]);
        for (lot, pile) in piles {
            let lines = open.get(&lot).copied().unwrap_or(0);
            if pile.reserved != lines {
                return wrong(
                    "STOCK-1",
                    self.last,
                    format!("`{sku}` {lot:?}: {} reserved, {lines} held", pile.reserved),
                );
            }
            if lot.is_some() && pile.free() < 0 {
                return wrong("STOCK-1", self.last, format!("`{sku}` {lot:?}: more is reserved than there is"));
            }
        }
        Ok(())
    }

    fn check_reservation(&self, id: &Name) -> Result<(), Complaint> {
        let Some(known) = self.reservations.get(id) else { return Ok(()) };
        for line in &known.lines {
            if line.quantity != line.sum(|take| take.quantity) {
                return wrong("RSV-2", self.last, format!("a line of `{id}` was not given all it wants"));
            }
            if line.takes.iter().any(|take| take.returned > take.captured) {
                return wrong("RSV-1", self.last, format!("more of `{id}` was returned than captured"));
            }
        }
        let open = known.sum(Take::held) > 0;
        if open != (known.state == State::Held) || open != known.ended.is_none() {
            return wrong("RSV-1", self.last, format!("`{id}` is {} with {} held", known.state.word(), open));
        }
        Ok(())
    }

    fn check_limits(&self, now: Timestamp) -> Result<(), Complaint> {
        let newest = self.reservations.values().max_by_key(|known| known.sequence);
        let Some((new, holder)) = newest.and_then(|new| Some((new, new.holder.as_ref()?))) else { return Ok(()) };
        for line in &new.lines {
            let Some(limit) = self.items[&line.sku].settings.limit else { continue };
            let used = self.used(now, &line.sku, holder, limit.window_ms);
            if used.iter().all(|used| used.held + used.counted > limit.quantity) {
                return wrong("LIMIT-1", self.last, format!("`{holder}` has more of `{}` than its limit", line.sku));
            }
        }
        Ok(())
    }
}

/// Whether the answer is the model's. Settings put again unchanged are no replay of an id: the mark may stand or not.
fn fits(model: &Answer, given: &Answer, met: Met) -> bool {
    match (model, given) {
        (Answer::Available { available: model, .. }, Answer::Available { available: given, .. })
            if met == Met::Unchanged =>
        {
            model == given
        }
        (model, given) => same_answer(model, given),
    }
}

fn blocked(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(Refusal { code: Code::ReadOnly | Code::Overloaded, .. }))
}

/// How many events at the front are of time's making.
pub(crate) fn count_ends(events: &[Event]) -> usize {
    let end = |event: &&Event| match &event.data {
        EventData::Log(_) => true,
        EventData::Item(data) => data.verb == Verb::LotExpired,
        EventData::Reservation(data) => data.verb == Verb::Expired,
    };
    events.iter().take_while(end).count()
}

/// The reservation and the skus that a command names.
pub(crate) fn names<'a>(command: &Command<'a>) -> (Option<&'a str>, BTreeSet<Name>) {
    match command {
        Command::Configure(c) => (None, BTreeSet::from([Name::from(c.sku)])),
        Command::Remove { sku } | Command::Item { sku } | Command::Holder { sku, .. } => {
            (None, BTreeSet::from([Name::from(*sku)]))
        }
        Command::Receive(c) => (None, BTreeSet::from([Name::from(c.sku)])),
        Command::Adjust(c) => (None, BTreeSet::from([Name::from(c.sku)])),
        Command::Reserve(c) => (Some(c.reservation), c.lines.iter().map(|line| Name::from(line.sku)).collect()),
        Command::Capture(c) | Command::Release(c) | Command::Return(c) => {
            let named = c.lines.iter().flatten().map(|line| Name::from(line.sku)).collect();
            (Some(c.reservation), named)
        }
        Command::Extend(c) => (Some(c.reservation), BTreeSet::new()),
        Command::Reservation { id } => (Some(id), BTreeSet::new()),
    }
}
