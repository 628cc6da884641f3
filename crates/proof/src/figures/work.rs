//! The loads: one command for each of so many numbers, and reservations that pass through.

use super::drive::{Next, Work};
use super::spread::Spread;
use super::words::{capture, id, reserve};
use std::collections::VecDeque;

/// One command a number, each answered by a reply of one kind.
pub(super) struct Each<F> {
    next: u64,
    end: u64,
    /// First byte of a reply that is right.
    right: u8,
    write: F,
}

impl<F: Fn(u64, &mut Vec<u8>)> Each<F> {
    pub(super) fn of(numbers: std::ops::Range<u64>, right: u8, write: F) -> Each<F> {
        Each { next: numbers.start, end: numbers.end, right, write }
    }
}

impl<F: Fn(u64, &mut Vec<u8>)> Work for Each<F> {
    fn next(&mut self, _now_ns: u64) -> Next {
        if self.next == self.end {
            return Next::End;
        }
        self.next += 1;
        Next::Say(self.next - 1)
    }

    fn write(&self, number: u64, out: &mut Vec<u8>) {
        (self.write)(number, out);
    }

    fn answered(&mut self, number: u64, reply: &[u8]) -> Result<(), String> {
        if reply.first() == Some(&self.right) { Ok(()) } else { Err(unexpected(number, reply)) }
    }
}

pub(super) fn unexpected(number: u64, reply: &[u8]) -> String {
    format!("command {number} was answered {:?}", String::from_utf8_lossy(reply))
}

/// Reservations of one unit, each captured once it is held.
pub(super) struct Pass<'a> {
    pub(super) series: u8,
    pub(super) spread: Spread,
    pub(super) ttl_ms: u64,
    next: u64,
    end: u64,
    held: VecDeque<u64>,
    out: u64,
    /// Units captured of each item, as acknowledged.
    captured: &'a mut [u32],
    /// The last that were acknowledged, commands by their numbers, newest at the end.
    recent: VecDeque<u64>,
}

/// Acknowledged commands that a load remembers.
const RECENT_MAX: usize = 20_000;

impl<'a> Pass<'a> {
    pub(super) fn new(series: u8, spread: Spread, numbers: std::ops::Range<u64>, captured: &'a mut [u32]) -> Pass<'a> {
        Pass {
            series,
            spread,
            ttl_ms: 7 * 24 * 3_600_000,
            next: numbers.start,
            end: numbers.end,
            held: VecDeque::new(),
            out: 0,
            captured,
            recent: VecDeque::new(),
        }
    }

    pub(super) fn item(&self, n: u64) -> u64 {
        self.spread.item(u64::from(self.series) << 56, n)
    }

    /// Ids of what was acknowledged last, and the state that each has reached at least.
    pub(super) fn recent(&self) -> impl Iterator<Item = (u64, &'static str)> {
        self.recent.iter().map(|number| (number >> 1, if number & 1 == 1 { "captured" } else { "held" }))
    }
}

impl Work for Pass<'_> {
    fn next(&mut self, _now_ns: u64) -> Next {
        if let Some(n) = self.held.pop_front() {
            return Next::Say(n << 1 | 1);
        }
        if self.next == self.end {
            return if self.out == 0 { Next::End } else { Next::Wait };
        }
        self.next += 1;
        self.out += 1;
        Next::Say((self.next - 1) << 1)
    }

    fn write(&self, number: u64, out: &mut Vec<u8>) {
        let n = number >> 1;
        if number & 1 == 1 {
            capture(out, &id(self.series, n));
        } else {
            reserve(out, &id(self.series, n), self.ttl_ms, self.item(n));
        }
    }

    fn answered(&mut self, number: u64, reply: &[u8]) -> Result<(), String> {
        if reply.first() != Some(&b'*') {
            return Err(unexpected(number, reply));
        }
        let n = number >> 1;
        if number & 1 == 1 {
            self.out -= 1;
            let item = usize::try_from(self.item(n)).map_err(|error| error.to_string())?;
            self.captured[item] += 1;
        } else {
            self.held.push_back(n);
        }
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(number);
        Ok(())
    }
}
