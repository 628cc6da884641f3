//! The run itself: open loop (a fixed rate, latencies from the time a request was meant for) or closed loop (so many
//! requests in flight, each followed by the next).

use super::peer::{Peer, PeerKind, Verdict};
use super::report::{Live, Report};
use super::workload::{Scenario, Workload};
use crate::caps::{DRAIN_NS, EVENTS_MAX, IN_FLIGHT_MAX};
use crate::clock::Clock;
use crate::failure::Failure;
use crate::load::{Handler, Latency, Line, Percentiles, Pool, Schedule, Throughput};
use mio::Events;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

const SECOND: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// Requests in flight on each connection.
    Closed { pipeline: u32 },
    /// Requests a second.
    Open { rate: u64 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    Nanos(u64),
    /// Measured requests, those of the warm-up not counted.
    Count(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    pub(crate) peer: PeerKind,
    pub(crate) workload: Workload,
    pub(crate) pace: Pace,
    pub(crate) goal: Goal,
    pub(crate) warm_up_ns: u64,
    pub(crate) connections: u32,
    pub(crate) refused: Refused,
}

/// What is done about a request that is refused for the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is counted, and the next one follows.
    Count,
    /// It is asked again after the time that the refusal says, and its latency goes on counting.
    AskAgain,
}

/// Prepares the items, drives the load, and says what came of it.
pub(crate) fn run(plan: &Plan, live: &mut Live) -> Result<Report, Failure> {
    let peer = Peer::prepare(plan.peer, plan.server, &plan.workload)?;
    let clock = Clock::start();
    let mut pool = Pool::new(plan.connections, clock, peer.scan())?;
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut load = Load::new(plan, peer);
    connect(&mut pool, &mut events, plan, &mut load)?;
    load.begin(&mut pool);
    let mut alone_since = None;
    loop {
        let now = pool.now();
        load.advance(now);
        load.ask_again(&mut pool, now);
        let held_back = !load.send_due(&mut pool, now);
        if load.ended.is_some_and(|ended| load.is_idle() || now > ended + DRAIN_NS) {
            break;
        }
        live.show(now, &mut load.second, || (pool.open(), load.in_flight));
        pool.turn(&mut events, load.wake_at(now, live.next(), held_back), &mut load)?;
        if pool.open() > 0 {
            alone_since = None;
        } else if now > *alone_since.get_or_insert(now) + DRAIN_NS {
            let waited = DRAIN_NS / SECOND;
            return Err(Failure::Unreachable(format!("{} is gone, and did not come back in {waited} s", plan.server)));
        }
    }
    Ok(load.report(plan, pool.now(), pool.losses()))
}

/// Opens all connections before anything is measured.
fn connect(pool: &mut Pool, events: &mut Events, plan: &Plan, load: &mut Load<'_>) -> Result<(), Failure> {
    pool.connect(plan.server);
    while pool.open() < pool.size() {
        if pool.now() > DRAIN_NS {
            let (open, size) = (pool.open(), pool.size());
            let text = format!(
                "only {open} of {size} connections to {} could be opened; see --max-clients and ulimit -n",
                plan.server
            );
            return Err(Failure::Unreachable(text));
        }
        let until = pool.now() + SECOND / 10;
        pool.turn(events, until, load)?;
    }
    Ok(())
}

/// What the last second brought, for the picture.
#[derive(Debug)]
pub(super) struct Second {
    pub(super) answers: u64,
    pub(super) refusals: u64,
    pub(super) latency: Latency,
}

struct Load<'a> {
    workload: &'a Workload,
    peer: Peer,
    pace: Pace,
    goal: Goal,
    schedule: Option<Schedule>,
    started: bool,
    measure_from: u64,
    ended: Option<u64>,
    next: u64,
    measured: u64,
    in_flight: usize,
    latency: Latency,
    throughput: Throughput,
    last_answer: u64,
    refusals: BTreeMap<Vec<u8>, u64>,
    lost: u64,
    second: Second,
    refused: Refused,
    /// Due, tag and time meant of what was refused for the moment, the first due first.
    again: BinaryHeap<Reverse<(u64, u64, u64)>>,
    asked_again: u64,
    minute: Latency,
    minutes: Vec<Percentiles>,
}

impl<'a> Load<'a> {
    fn new(plan: &'a Plan, peer: Peer) -> Load<'a> {
        Load {
            workload: &plan.workload,
            peer,
            pace: plan.pace,
            goal: plan.goal,
            schedule: None,
            started: false,
            measure_from: plan.warm_up_ns,
            ended: None,
            next: 0,
            measured: 0,
            in_flight: 0,
            latency: Latency::new(),
            throughput: Throughput::new(0),
            last_answer: 0,
            refusals: BTreeMap::new(),
            lost: 0,
            second: Second { answers: 0, refusals: 0, latency: Latency::new() },
            refused: plan.refused,
            again: BinaryHeap::new(),
            asked_again: 0,
            minute: Latency::new(),
            minutes: Vec::new(),
        }
    }

    fn begin(&mut self, pool: &mut Pool) {
        let now = pool.now();
        self.started = true;
        self.measure_from += now;
        self.throughput = Throughput::new(self.measure_from);
        match self.pace {
            Pace::Open { rate } => self.schedule = Some(Schedule::new(now, rate)),
            Pace::Closed { pipeline } => {
                for _ in 0..pool.size() * pipeline as usize {
                    let Some(mut line) = pool.line() else { return };
                    self.issue(&mut line, now, now);
                }
            }
        }
    }

    /// Ends the sending when the goal is reached.
    fn advance(&mut self, now: u64) {
        let reached = match self.goal {
            Goal::Nanos(nanos) => now >= self.measure_from + nanos,
            Goal::Count(count) => self.measured >= count,
        };
        if reached && self.ended.is_none() {
            self.ended = Some(now);
            if let Goal::Nanos(_) = self.goal {
                // They were not done, and nobody waits for them any more.
                self.again.clear();
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.again.is_empty()
    }

    /// Sends what was refused for the moment once its time has come.
    fn ask_again(&mut self, pool: &mut Pool, now: u64) {
        while let Some(&Reverse((due, tag, meant))) = self.again.peek()
            && due <= now
            && let Some(mut line) = pool.line()
        {
            self.again.pop();
            self.in_flight += 1;
            self.write(&mut line, tag, meant);
        }
    }

    fn write(&self, line: &mut Line<'_>, tag: u64, meant: u64) {
        let (peer, workload, n) = (&self.peer, self.workload, tag >> 1);
        if tag & 1 == 0 {
            line.send(tag, meant, |out| peer.write_reserve(out, workload, n));
        } else {
            line.send(tag, meant, |out| peer.write_capture(out, workload, n));
        }
    }

    /// Sends what is due. False when something due had to be held back.
    fn send_due(&mut self, pool: &mut Pool, now: u64) -> bool {
        let Some(mut schedule) = self.schedule else { return true };
        let mut all = true;
        while self.ended.is_none() && schedule.due() <= now {
            let line = if self.in_flight < IN_FLIGHT_MAX { pool.line() } else { None };
            let (Some(mut line), Some(due)) = (line, schedule.take(now)) else {
                all = false;
                break;
            };
            self.issue(&mut line, due, now);
            self.advance(now);
        }
        self.schedule = Some(schedule);
        all
    }

    fn wake_at(&self, now: u64, picture: u64, held_back: bool) -> u64 {
        let goal = match (self.ended, self.goal) {
            (Some(ended), _) => ended + DRAIN_NS + 1,
            (None, Goal::Nanos(nanos)) => self.measure_from + nanos,
            (None, Goal::Count(_)) => now + SECOND / 10,
        };
        let arrival = match (self.schedule, held_back) {
            (Some(_), true) => now + SECOND / 1_000,
            (Some(schedule), false) if self.ended.is_none() => schedule.due(),
            (Some(_) | None, _) => u64::MAX,
        };
        let again = self.again.peek().map_or(u64::MAX, |Reverse((due, ..))| *due);
        goal.min(picture).min(arrival).min(again)
    }

    fn issue(&mut self, line: &mut Line<'_>, meant: u64, now: u64) {
        let n = self.next;
        self.next += 1;
        self.count_issued(meant);
        self.write(line, n << 1, meant);
        self.advance(now);
    }

    fn count_issued(&mut self, meant: u64) {
        self.in_flight += 1;
        self.measured += u64::from(meant >= self.measure_from);
    }

    /// The next one of a closed loop.
    fn next_of_closed(&mut self, line: &mut Line<'_>, now: u64) {
        self.advance(now);
        if self.ended.is_none() && matches!(self.pace, Pace::Closed { .. }) {
            self.issue(line, now, now);
        }
    }

    fn report(&self, plan: &Plan, now: u64, losses: u64) -> Report {
        let end = match plan.goal {
            Goal::Nanos(nanos) => self.measure_from + nanos,
            Goal::Count(_) => self.last_answer.max(self.measure_from + 1),
        };
        let mut minutes = self.minutes.clone();
        minutes.push(self.minute.percentiles());
        let refusals = self.refusals.iter().map(|(code, n)| (String::from_utf8_lossy(code).into_owned(), *n)).collect();
        Report::new(plan, end.min(now) - self.measure_from, &self.latency, &self.throughput, end)
            .with_failures(refusals, self.lost, self.in_flight as u64, losses)
            .with_minutes(self.asked_again, &minutes)
    }

    /// Counts an answer that is measured.
    fn count(&mut self, verdict: Verdict<'_>, waited: u64, now: u64) {
        while now >= self.measure_from + (self.minutes.len() as u64 + 1) * 60 * SECOND {
            self.minutes.push(self.minute.percentiles());
            self.minute.clear();
        }
        self.minute.record(waited);
        self.latency.record(waited);
        self.throughput.record(now);
        self.last_answer = now;
        if let Verdict::Refused(code) = verdict {
            match self.refusals.get_mut(code) {
                Some(count) => *count += 1,
                None => drop(self.refusals.insert(code.to_vec(), 1)),
            }
        }
    }
}

impl Handler for Load<'_> {
    fn opened(&mut self, line: &mut Line<'_>, now: u64) {
        let Pace::Closed { pipeline } = self.pace else { return };
        for _ in 0..if self.started { pipeline } else { 0 } {
            self.next_of_closed(line, now);
        }
    }

    fn reply(&mut self, line: &mut Line<'_>, tag: u64, meant: u64, reply: &[u8], now: u64) {
        self.in_flight -= 1;
        let verdict = self.peer.verdict(reply);
        let waited = now.saturating_sub(meant);
        self.second.answers += 1;
        self.second.latency.record(waited);
        if let Verdict::Refused(_) = verdict {
            self.second.refusals += 1;
            if self.refused == Refused::AskAgain
                && let Some(after) = self.peer.retry_after_ns(reply)
            {
                self.asked_again += 1;
                self.again.push(Reverse((now + after, tag, meant)));
                return;
            }
        }
        if meant >= self.measure_from {
            self.count(verdict, waited, now);
        }
        let reserved = tag & 1 == 0;
        if reserved && verdict == Verdict::Done && self.workload.scenario == Scenario::FullLife {
            self.count_issued(now);
            self.write(line, tag | 1, now);
        } else {
            self.next_of_closed(line, now);
        }
    }

    fn lost(&mut self, _tag: u64, meant: u64, _now: u64) {
        self.in_flight -= 1;
        self.lost += u64::from(meant >= self.measure_from);
    }
}
