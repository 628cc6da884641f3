//! Questions from beside the sockets, on the loop's side: they take turns like one more connection, and their answers
//! wait for their step's proof like replies.

use crate::caps;
use crate::handover::{Handed, Handover, Progress, Reply, Report, Served, Shows, Wants};
use crate::ledger::{Handled, Ledger, ListBy, Readiness, Step};
use crate::lists;
use crate::reactor::Reactor;
use std::collections::VecDeque;
use sumun_wire::{Answer, Command, ItemRecord, ReservationRecord, Trace};

/// What became of a question in a turn.
#[derive(Debug)]
pub(crate) enum Next {
    Answer(Reply),
    Later,
    Reading,
}

#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) handover: Option<Handover>,
    /// What is to be decided, in order.
    queue: VecDeque<Handed>,
    /// Waits for records that are being read.
    reading: Vec<Handed>,
    /// It stands in the queue of those who get a turn.
    queued: bool,
    answered: Vec<Answered>,
    waiting: VecDeque<(Step, Vec<Answered>)>,
    spare: Vec<Vec<Answered>>,
    unproven_bytes: usize,
}

#[derive(Debug)]
struct Answered {
    handed: Handed,
    reply: Reply,
    bytes: usize,
}

impl Desk {
    /// Takes what was put in. `true`: it is to stand in the queue for a turn, and does not yet.
    pub(crate) fn is_wanting(&mut self) -> bool {
        let Some(handover) = &self.handover else {
            return false;
        };
        handover.take_into(&mut self.queue);
        self.has_work() && !std::mem::replace(&mut self.queued, true)
    }
    /// Whether something could be decided at once.
    pub(crate) fn has_work(&self) -> bool {
        !self.queue.is_empty() && self.unproven_bytes <= caps::HANDED_UNPROVEN_BYTES_MAX
    }

    pub(crate) fn close_step(&mut self, step: Step) {
        if !self.answered.is_empty() {
            let answered = std::mem::replace(&mut self.answered, self.spare.pop().unwrap_or_default());
            self.waiting.push_back((step, answered));
        }
    }

    pub(crate) fn release(&mut self, step: Step) {
        while let Some((first, _)) = self.waiting.front()
            && *first <= step
        {
            let Some((_, mut answered)) = self.waiting.pop_front() else {
                return;
            };
            for Answered { handed, reply, bytes } in answered.drain(..) {
                self.unproven_bytes -= bytes;
                let Handed { question, room, .. } = handed;
                question.answer(reply);
                drop(room);
            }
            self.spare.push(answered);
        }
    }

    /// What the waiting steps answered will never be known to be durable: nobody hears of it, nor of what was decided
    /// there and not yet answered; pages begin anew. How many are left without an answer.
    pub(crate) fn abandon(&mut self) -> u64 {
        self.unproven_bytes = 0;
        let mut lost: usize = self.waiting.drain(..).map(|(_, answered)| answered.len()).sum();
        let all = self.queue.drain(..).chain(self.reading.drain(..)).collect::<Vec<_>>();
        for mut handed in all {
            if let Progress::Decided(_) = handed.progress {
                lost += 1;
                continue;
            }
            handed.progress = Progress::Fresh;
            self.queue.push_back(handed);
        }
        lost as u64
    }

    /// Records have arrived: whoever waits asks again, before the others.
    pub(crate) fn arrived(&mut self) {
        self.reading.drain(..).rev().for_each(|handed| self.queue.push_front(handed));
    }

    pub(crate) fn begin_end(&self) {
        if let Some(handover) = &self.handover {
            handover.begin_end();
        }
    }
    pub(crate) fn is_through(&self) -> bool {
        self.handover.as_ref().is_none_or(Handover::is_through)
    }
    pub(crate) fn in_hand(&self) -> usize {
        self.handover.as_ref().map_or(0, Handover::in_hand)
    }
    /// The loop is over: nobody hears anything more.
    pub(crate) fn end(&mut self) {
        let handover = self.handover.take();
        *self = Desk::default();
        if let Some(handover) = handover {
            handover.end();
            self.handover = Some(handover);
        }
    }
}

impl Reactor {
    pub(crate) fn turn_of_handed<L: Ledger>(&mut self, ledger: &mut L) {
        self.desk.queued = false;
        let mut later = Vec::new();
        for _ in 0..caps::HANDED_PER_TURN {
            if ledger.is_full() || self.desk.unproven_bytes > caps::HANDED_UNPROVEN_BYTES_MAX {
                break;
            }
            let Some(mut handed) = self.desk.queue.pop_front() else {
                break;
            };
            let mut progress = std::mem::replace(&mut handed.progress, Progress::Fresh);
            handed.question.begins();
            let next = self.decide_handed(&handed, &mut progress, ledger);
            handed.progress = progress;
            match next {
                Next::Later => {
                    self.metrics.waits += 1;
                    later.push(handed);
                }
                Next::Reading => self.desk.reading.push(handed),
                Next::Answer(reply) => {
                    self.metrics.requests += 1;
                    handed.question.decided();
                    let bytes = handed.question.bytes() + kept(&reply);
                    self.desk.unproven_bytes += bytes;
                    self.desk.answered.push(Answered { handed, reply, bytes });
                }
            }
        }
        later.into_iter().rev().for_each(|handed| self.desk.queue.push_front(handed));
    }

    fn decide_handed<L: Ledger>(&mut self, handed: &Handed, progress: &mut Progress, ledger: &mut L) -> Next {
        let wants = handed.question.wants();
        if let Wants::Report = wants {
            return Next::Answer(Reply::Report(Box::new(self.report(ledger))));
        }
        if let Readiness::Loading { done_permille } = ledger.readiness() {
            return Next::Answer(Reply::Loading { done_permille });
        }
        match wants {
            Wants::Decide { command, shows } => {
                self.command_handed(&command, handed.question.trace(), shows, progress, ledger)
            }
            Wants::Reservations { sku, holder, after, limit } => {
                let by = match (sku, holder) {
                    (None, None) => ListBy::All,
                    (Some(sku), None) => ListBy::Item(sku),
                    (None, Some(holder)) => ListBy::Holder(holder),
                    (Some(sku), Some(holder)) => ListBy::ItemAndHolder(sku, holder),
                };
                lists::reservations(by, after, limit, progress, ledger)
            }
            Wants::Items { prefix, after, limit } => {
                lists::items(lists::From::Store { prefix, after }, limit, progress, ledger)
            }
            Wants::TheseItems { skus, limit } => lists::items(lists::From::Names(skus), limit, progress, ledger),
            Wants::Report => unreachable!("answered above"),
        }
    }

    fn command_handed<L: Ledger>(
        &mut self,
        command: &Command<'_>,
        trace: Option<&Trace>,
        shows: Shows,
        progress: &mut Progress,
        ledger: &mut L,
    ) -> Next {
        let answer = match std::mem::replace(progress, Progress::Fresh) {
            Progress::Decided(answer) => answer,
            Progress::Fresh | Progress::Reservations(_) | Progress::Items(_) => match ledger.handle(command, trace) {
                Handled::Later => return Next::Later,
                Handled::Reading => return Next::Reading,
                Handled::Answer(answer) => {
                    self.metrics.observe_answer(command, &answer);
                    answer
                }
            },
        };
        let show = match shows {
            Shows::Nothing => None,
            Shows::Item => Some(Command::Item { sku: command.key() }),
            Shows::Reservation => Some(Command::Reservation { id: command.key() }),
        };
        if let Answer::Refused(_) = &answer {
            return Next::Answer(Reply::Answer(answer, None));
        }
        let Some(show) = show else {
            return Next::Answer(Reply::Answer(answer, None));
        };
        match ledger.handle(&show, None) {
            Handled::Answer(shown) => Next::Answer(Reply::Answer(answer, Some(shown))),
            Handled::Later => {
                *progress = Progress::Decided(answer);
                Next::Later
            }
            Handled::Reading => {
                *progress = Progress::Decided(answer);
                Next::Reading
            }
        }
    }

    fn report<L: Ledger>(&self, ledger: &L) -> Report {
        Report {
            now_ms: ledger.now_ms(),
            readiness: ledger.readiness(),
            figures: ledger.figures(),
            resp: Served::of(&self.metrics, self.clients.len()),
            handed: self.desk.in_hand(),
        }
    }
}

/// What a reply keeps in memory, about.
fn kept(reply: &Reply) -> usize {
    match reply {
        Reply::Answer(_, shown) => shown.as_ref().map_or(0, kept_of_answer),
        Reply::Reservations(page) => page.records.iter().map(kept_of_reservation).sum(),
        Reply::Items(page) => page.records.iter().map(kept_of_item).sum(),
        Reply::Refused(_) | Reply::Loading { .. } => 0,
        Reply::Report(_) => 4_096,
    }
}

fn kept_of_answer(answer: &Answer) -> usize {
    match answer {
        Answer::Item(Some(item)) => kept_of_item(item),
        Answer::Reservation(Some(reservation)) => kept_of_reservation(reservation),
        Answer::Item(None)
        | Answer::Reservation(None)
        | Answer::Available { .. }
        | Answer::Outcome(_)
        | Answer::Holder(_)
        | Answer::Refused(_) => 0,
    }
}

pub(crate) fn kept_of_item(item: &ItemRecord) -> usize {
    let metadata = item.settings.metadata.as_ref().map_or(0, String::len);
    size_of::<ItemRecord>() + metadata + item.lots.len() * 2 * size_of::<sumun_wire::LotRow>()
}

pub(crate) fn kept_of_reservation(reservation: &ReservationRecord) -> usize {
    let taken: usize = reservation.lines.iter().map(|line| line.taken.len()).sum();
    let lines = reservation.lines.len() * size_of::<sumun_wire::ReservationLine>();
    size_of::<ReservationRecord>() + lines + taken * 2 * size_of::<sumun_wire::Taken>()
}
