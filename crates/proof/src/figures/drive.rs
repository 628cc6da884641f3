//! A load from one thread over several connections: a closed loop (so many commands out on each, the next one for each
//! reply), or an open loop (a fixed rate, latencies from the time that a command was meant for).
//!
//! What is refused for the moment (OVERLOADED, MISCONF) is counted and asked again, until it is done.

use super::caps::{
    CONNECTIONS, DEPTH, IN_FLIGHT_MAX, LOOK_NS, OPEN_CONNECTIONS, RETRY_NS, SILENCE_NS, TICK_NS, UNSENT_BYTES_MAX,
};
use super::line::{Line, wait};
use super::pace::{Heard, Outcome};
use crate::support::clock;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is said, and what the answers mean.
pub(super) trait Work {
    /// The number of the next command.
    fn next(&mut self, now_ns: u64) -> Next;
    /// A command as bytes; the same ones whenever it is asked again.
    fn write(&self, number: u64, out: &mut Vec<u8>);
    /// An answer that is no refusal for the moment. An error ends the load.
    fn answered(&mut self, number: u64, reply: &[u8]) -> Result<(), String>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Say(u64),
    /// Something may come later: after an answer, or after a while.
    Wait,
    /// Nothing will come any more.
    End,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Commands out on each connection.
    Closed { connections: usize, depth: usize },
    /// Commands a second.
    Open { rate: u64 },
}

/// The closed loop that loads most.
pub(super) const FULL: Pace = Pace::Closed { connections: CONNECTIONS, depth: DEPTH };

/// When a load ends, besides by having said all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Until<'a> {
    pub(super) nanos: Option<u64>,
    pub(super) stop: Option<&'a AtomicBool>,
    /// The server is about to be killed: connections that end, end the load.
    pub(super) killed: Option<&'a AtomicBool>,
}

/// Drives the load to its end, its last answers included.
pub(super) fn drive(
    address: SocketAddr,
    pace: Pace,
    until: Until<'_>,
    work: &mut impl Work,
) -> Result<Outcome, String> {
    let mut drive = Drive::new(address, pace, until)?;
    loop {
        let now = clock::ticks_ns();
        drive.issue(now, work);
        let mut flown = drive.lines.iter_mut().map(Line::flush);
        let sent = flown.try_for_each(|sent| sent.map_err(|why| why.to_string()));
        let heard = sent.and_then(|()| wait(&drive.lines, drive.patience(now)).map_err(|error| error.to_string()));
        match heard.and_then(|()| drive.hear(work)) {
            Ok(()) => {}
            Err(why) if drive.until.killed.is_some_and(|killed| killed.load(Ordering::Acquire)) => {
                drive.heard.broken = Some(why);
                break;
            }
            Err(why) => return Err(why),
        }
        if drive.ended && drive.out == 0 && drive.again.is_empty() {
            break;
        }
        let now = clock::ticks_ns();
        if drive.out > 0 && now > drive.last_heard + SILENCE_NS {
            return Err(format!("{} commands had no answer for {} s", drive.out, SILENCE_NS / 1_000_000_000));
        }
    }
    Ok(drive.heard.finish(clock::ticks_ns()))
}

/// A command that was refused for the moment.
struct Again {
    not_before: u64,
    number: u64,
    meant: u64,
}

struct Drive<'a> {
    lines: Vec<Line>,
    pace: Pace,
    until: Until<'a>,
    start: u64,
    arrivals: u64,
    turn: usize,
    out: usize,
    again: VecDeque<Again>,
    ended: bool,
    last_heard: u64,
    heard: Heard,
}

impl<'a> Drive<'a> {
    fn new(address: SocketAddr, pace: Pace, until: Until<'a>) -> Result<Drive<'a>, String> {
        let connections = match pace {
            Pace::Closed { connections, .. } => connections,
            Pace::Open { .. } => OPEN_CONNECTIONS,
        };
        let lines: Result<Vec<Line>, std::io::Error> = (0..connections).map(|_| Line::open(address)).collect();
        let start = clock::ticks_ns();
        Ok(Drive {
            lines: lines.map_err(|error| format!("cannot connect to {address}: {error}"))?,
            pace,
            until,
            start,
            arrivals: 0,
            turn: 0,
            out: 0,
            again: VecDeque::new(),
            ended: false,
            last_heard: start,
            heard: Heard::new(start),
        })
    }

    fn is_stopped(&self, now: u64) -> bool {
        let over = self.until.nanos.is_some_and(|nanos| now >= self.start + nanos);
        over || self.until.stop.is_some_and(|stop| stop.load(Ordering::Acquire))
    }

    fn issue(&mut self, now: u64, work: &mut impl Work) {
        if self.is_stopped(now) {
            // What was refused was not done, and nobody waits for it.
            self.ended = true;
            self.again.clear();
        }
        match self.pace {
            Pace::Closed { depth, .. } => {
                for line in 0..self.lines.len() {
                    while self.lines[line].out() < depth && self.say_next(line, now, now, work) {}
                }
            }
            Pace::Open { rate } => self.issue_due(rate, now, work),
        }
    }

    /// Arrivals that are due, over the connections in turn.
    fn issue_due(&mut self, rate: u64, now: u64, work: &mut impl Work) {
        while self.out < IN_FLIGHT_MAX {
            self.turn = (self.turn + 1) % self.lines.len();
            if self.lines[self.turn].unsent() > UNSENT_BYTES_MAX {
                return;
            }
            let refused_is_due = self.again.front().is_some_and(|again| again.not_before <= now);
            let meant = self.due(rate);
            if (meant > now || self.ended) && !refused_is_due {
                return;
            }
            if !self.say_next(self.turn, meant, now, work) {
                return;
            }
        }
    }

    /// When arrival `arrivals` is meant to come.
    fn due(&self, rate: u64) -> u64 {
        self.start + (u128::from(self.arrivals) * 1_000_000_000 / u128::from(rate)) as u64
    }

    /// Puts the next command on a line. False when there is none now.
    fn say_next(&mut self, line: usize, meant: u64, now: u64, work: &mut impl Work) -> bool {
        let refused = self.again.front().is_some_and(|again| again.not_before <= now);
        let (number, meant) = if let Some(again) = self.again.pop_front_if(|_| refused) {
            (again.number, again.meant)
        } else if self.ended {
            return false;
        } else {
            match work.next(now) {
                Next::Say(number) => {
                    self.arrivals += 1;
                    (number, meant)
                }
                Next::Wait => return false,
                Next::End => {
                    self.ended = true;
                    return false;
                }
            }
        };
        self.lines[line].say(number, meant, |out| work.write(number, out));
        self.out += 1;
        true
    }

    fn hear(&mut self, work: &mut impl Work) -> Result<(), String> {
        let Drive { lines, heard, again, out, last_heard, .. } = self;
        for line in lines.iter_mut() {
            line.hear(|number, meant, reply| {
                let now = clock::ticks_ns();
                *out -= 1;
                *last_heard = now;
                if heard.refused(reply) {
                    again.push_back(Again { not_before: now + RETRY_NS, number, meant });
                    return Ok(());
                }
                heard.answered(meant, now);
                work.answered(number, reply)
            })?;
        }
        Ok(())
    }

    fn patience(&self, now: u64) -> u64 {
        let mut until = now + LOOK_NS;
        if let Some(again) = self.again.front() {
            until = until.min(again.not_before);
        }
        if let Pace::Open { rate } = self.pace
            && !self.ended
        {
            until = until.min(self.due(rate).max(now + TICK_NS));
        }
        until.saturating_sub(now)
    }
}
