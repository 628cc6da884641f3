//! A shard: the state machine and the batch that its events gather in. Driven in steps: `begin`, then commands, then
//! whoever owns the log takes the batch. A plain object: no socket, no log, no clock.
//!
//! Cost: a reserve of one line is two look-ups, one insert, and about 80 bytes encoded.

use crate::caps::{
    EXEC_BYTES_MAX, FIRSTS_PER_COMMAND, READS_MAX, STEP_BYTES, STEP_COMMANDS, STEP_ENDS, STEP_LINES, STEP_LOOKS,
    STEP_MOVED, STEP_TIMERS,
};
use crate::keeper::Keeper;
use smallvec::SmallVec;
use sumun_codec::{DecodeError, decode, encode, next_event, peek};
use sumun_core::caps::FORESEEN;
use sumun_core::{Decision, Event, EventKind, Foreseen, Key, LogEntry, State};
use sumun_wire::{Answer, Command, Refusal, Subject, Trace};

#[derive(Debug)]
pub struct Shard {
    state: State,
    event: Event,
    missing: Vec<Key>,
    waits: Vec<Key>,
    batch: Vec<u8>,
    first: u64,
    count: u32,
    now: u64,
    work: Work,
}

/// What a step has done so far, beside the bytes of its batch: it is bounded in all of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    pub commands: u32,
    pub lines: u32,
    /// Events by time.
    pub ends: u32,
    /// Timer entries moved ahead of their time.
    pub timers: u32,
    /// Entries that tables moved in growing.
    pub moved: usize,
    /// Lots and allocations looked at in deciding, refusals and reads included.
    pub looked: usize,
}

/// What may be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Budget {
    Open,
    /// Memory is nearly used up: nothing begins, what is open may end.
    Overloaded,
    /// Memory is used up: nothing is written but ends.
    Full,
    /// The log cannot be written.
    ReadOnly,
}

#[derive(Debug)]
pub enum Decided {
    Answer(Answer),
    /// Too much comes before it for one step: decide it again in the next.
    Later,
    /// Records that are not in memory: `Shard::missing` says which. Install them, then decide again.
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecAborted {
    /// Its events are longer than the contract allows.
    TooLarge,
}

#[derive(Debug)]
pub enum ExecDone {
    Done,
    Later,
    Missing,
    Refused(Refusal),
    Aborted(ExecAborted),
}

impl Shard {
    pub fn new(seed: u64, retention_ms: u64) -> Shard {
        Shard {
            state: State::new(seed, retention_ms),
            waits: Vec::new(),
            event: Event::default(),
            missing: Vec::new(),
            batch: Vec::new(),
            first: 1,
            count: 0,
            now: 0,
            work: Work::default(),
        }
    }
    pub fn state(&self) -> &State {
        &self.state
    }
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }
    pub fn now(&self) -> u64 {
        self.now
    }
    /// What the step that is open, or was last, has done.
    pub const fn work(&self) -> &Work {
        &self.work
    }
    /// Records that the last command would have to see.
    pub fn missing(&mut self) -> &mut Vec<Key> {
        &mut self.missing
    }

    /// Begins a step. Time never goes backwards, and never behind what the log holds.
    pub fn begin(&mut self, now: u64) {
        self.now = self.now.max(now).max(self.state.time());
        self.work = Work::default();
        self.work.timers = self.state.advance(self.now, STEP_TIMERS);
    }

    /// So much was looked at beside deciding: the step is bounded in that too.
    pub(crate) const fn look(&mut self, at: usize) {
        self.work.looked += at;
    }

    /// Whether the step is full: whatever is left waits for the next.
    pub fn is_full(&self) -> bool {
        self.batch.len() >= STEP_BYTES
            || self.work.commands >= STEP_COMMANDS
            || self.work.lines >= STEP_LINES
            || self.work.moved >= STEP_MOVED
            || self.work.looked >= STEP_LOOKS
    }

    /// Writes ends that are due: at most so many, and as many as the step may. Returns how many; records they miss are in
    /// `missing`.
    pub fn end_due(&mut self, most: u32) -> u32 {
        let before = self.work.ends;
        self.missing.clear();
        while self.work.ends - before < most && self.work.ends < STEP_ENDS && !self.is_full() {
            self.missing.clear();
            let due = self.state.end_due(self.now, &mut self.event, &mut self.missing);
            self.work.looked += self.state.take_looked();
            if !due {
                break;
            }
            self.write();
            self.work.ends += 1;
        }
        self.work.ends - before
    }

    /// When ends are next due.
    pub fn next_end(&self) -> Option<u64> {
        self.state.next_end(self.now)
    }

    /// Decides one command and applies what came of it.
    pub fn handle(&mut self, command: &Command<'_>, budget: Budget) -> Decided {
        self.handle_traced(command, None, budget)
    }

    /// The event that the command makes carries the trace. What comes before it does not: ends are time's doing, and an
    /// item that a receipt makes stands even if nobody asks for the receipt again.
    pub fn handle_traced(&mut self, command: &Command<'_>, trace: Option<&Trace>, budget: Budget) -> Decided {
        self.work.commands += 1;
        self.work.lines += command.line_count() as u32;
        for _ in 0..FIRSTS_PER_COMMAND {
            self.missing.clear();
            let decision = self.state.decide(self.now, command, &mut self.event, &mut self.missing);
            self.work.looked += self.state.take_looked();
            let own = match decision {
                Decision::Answer(answer) => return Decided::Answer(answer),
                Decision::Missing => return Decided::Missing,
                Decision::Event(answer) => Some(answer),
                Decision::First => None,
            };
            if let Some(refusal) = refused(budget, command) {
                let stands = self.state.as_it_stands(self.now, command);
                return Decided::Answer(stands.unwrap_or(Answer::Refused(refusal)));
            }
            if own.is_some() && trace.is_some() {
                self.event.trace = trace.copied();
            }
            self.write();
            if let Some(answer) = own {
                return Decided::Answer(answer);
            }
            if self.batch.len() >= STEP_BYTES && self.state.undo_is_off() {
                return Decided::Later;
            }
        }
        Decided::Later
    }

    /// Decides commands with nothing in between; all of it stands, or nothing does.
    pub fn exec(&mut self, commands: &[Command<'_>], budget: Budget, answers: &mut Vec<Answer>) -> ExecDone {
        let (len, count) = (self.batch.len(), self.count);
        answers.clear();
        self.state.begin_undo();
        let mut stopped = None;
        for (at, command) in commands.iter().enumerate() {
            match self.handle(command, budget) {
                Decided::Answer(Answer::Refused(refusal)) if refusal.code.retryable() => {
                    stopped = Some(ExecDone::Refused(refusal));
                }
                Decided::Answer(answer) => answers.push(answer),
                Decided::Later => stopped = Some(ExecDone::Later),
                Decided::Missing => {
                    self.miss_ahead(&commands[at + 1..]);
                    stopped = Some(ExecDone::Missing);
                }
            }
            if self.batch.len() - len > EXEC_BYTES_MAX {
                stopped = Some(ExecDone::Aborted(ExecAborted::TooLarge));
            }
            if stopped.is_some() {
                break;
            }
        }
        let Some(stopped) = stopped else {
            self.state.keep();
            return ExecDone::Done;
        };
        self.state.roll_back();
        self.batch.truncate(len);
        self.count = count;
        answers.clear();
        stopped
    }

    /// Adds what the commands behind one that waits miss too, as far as can be seen before it is decided: so that a
    /// transaction is tried twice, and not as often as it names records that are not in memory.
    fn miss_ahead(&mut self, behind: &[Command<'_>]) {
        for command in behind {
            if self.missing.len() >= READS_MAX {
                break;
            }
            // Nothing is written: what it comes to is not asked.
            let _ = self.state.decide(self.now, command, &mut self.event, &mut self.missing);
            self.work.looked += self.state.take_looked();
        }
    }

    /// Writes an event of the log itself.
    pub fn write_log(&mut self, kind: EventKind, entry: LogEntry) {
        self.event.clear(self.state.sequence() + 1, self.now, kind);
        self.event.log = entry;
        self.write();
    }

    fn write(&mut self) {
        if self.batch.is_empty() {
            self.first = self.event.sequence;
        }
        encode(&self.event, &mut self.batch);
        self.state.apply(&self.event);
        self.work.moved += self.state.take_moved();
        self.count += 1;
    }

    /// Events that wait to be committed: first sequence, how many. `None` when there are none.
    pub fn pending(&self) -> Option<(u64, u32)> {
        (self.count > 0).then_some((self.first, self.count))
    }
    pub fn pending_bytes(&self) -> usize {
        self.batch.len()
    }
    /// The events that wait, as they will stand in their frame.
    pub fn batch(&self) -> &[u8] {
        &self.batch
    }
    /// Gives the batch away for an empty buffer.
    pub fn take_batch(&mut self, empty: Vec<u8>) -> Vec<u8> {
        debug_assert!(empty.is_empty(), "a batch begins empty");
        self.count = 0;
        std::mem::replace(&mut self.batch, empty)
    }

    /// Applies the events of one frame that the log held, but for those that all records hold already. What waits for a
    /// record to be read is given to the keeper. Returns how many there were.
    pub(crate) fn replay(&mut self, first: u64, mut bytes: &[u8], keeper: &mut Keeper) -> Result<u32, DecodeError> {
        let mut count = 0;
        loop {
            if (count as usize).is_multiple_of(FORESEEN) {
                self.foresee(bytes);
            }
            let Some(event) = next_event(&mut bytes)? else { break };
            let sequence = first + u64::from(count);
            count += 1;
            if sequence <= self.state.sequence() {
                continue;
            }
            decode(event, sequence, &mut self.event)?;
            self.state.replay(&self.event, &mut self.waits);
            self.waits.drain(..).for_each(|key| keeper.wait_for(key, sequence, event));
        }
        self.now = self.now.max(self.state.time());
        self.state.take_moved();
        Ok(count)
    }

    /// Looks at what the next events are about; what cannot be read is found when it is its turn.
    fn foresee(&self, mut bytes: &[u8]) {
        let mut names = SmallVec::<[Foreseen<'_>; FORESEEN]>::new();
        while names.len() < FORESEEN
            && let Ok(Some(event)) = next_event(&mut bytes)
            && let Ok((_, subject)) = peek(event)
        {
            match subject {
                Subject::Reservation(id) => names.push(Foreseen::Reservation(id.as_bytes())),
                Subject::Sku(sku) => names.push(Foreseen::Item(sku.as_bytes())),
                Subject::Log => {}
            }
        }
        self.state.foresee(&names);
    }
}

/// Whether a command that has something to write is refused.
fn refused(budget: Budget, command: &Command<'_>) -> Option<Refusal> {
    let begins = match command {
        Command::Configure(_) | Command::Receive(_) | Command::Adjust(_) | Command::Reserve(_) => true,
        Command::Remove { .. }
        | Command::Capture(_)
        | Command::Release(_)
        | Command::Return(_)
        | Command::Extend(_)
        | Command::Reservation { .. }
        | Command::Item { .. }
        | Command::Holder { .. } => false,
    };
    let overloaded = || Some(Refusal::overloaded(crate::caps::RETRY_AFTER_MS));
    match budget {
        Budget::Open => None,
        Budget::Overloaded if begins => overloaded(),
        Budget::Overloaded => None,
        Budget::Full if command.is_read() => None,
        Budget::Full => overloaded(),
        Budget::ReadOnly => Some(Refusal::bare(sumun_wire::Code::ReadOnly)),
    }
}
