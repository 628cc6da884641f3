//! Replies on their way out of one connection: bytes, and marks that say up to where they may leave when which step
//! is proven (LOG-1: nothing beyond the last proven mark is ever handed to a socket).

use crate::ledger::Step;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    sent: usize,
    /// In order; each step at most once.
    marks: VecDeque<(Step, usize)>,
    /// Up to here all is proven.
    proven: usize,
}

impl Output {
    /// Where replies are written.
    pub(crate) const fn replies(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes that are still here.
    pub(crate) const fn unsent(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.unsent() == 0
    }

    /// Whether something waits for a proof.
    pub(crate) fn is_unproven(&self) -> bool {
        self.proven < self.bytes.len()
    }

    pub(crate) fn kept(&self) -> usize {
        self.bytes.capacity() + self.marks.capacity() * size_of::<(Step, usize)>()
    }

    /// What was written since the last mark rests on `step`.
    pub(crate) fn mark(&mut self, step: Step) {
        let end = self.bytes.len();
        match self.marks.back_mut() {
            Some((last, last_end)) if *last == step => *last_end = end,
            Some(_) | None => self.marks.push_back((step, end)),
        }
    }

    /// All steps up to `step` are proven.
    pub(crate) fn prove(&mut self, step: Step) {
        while let Some(&(first, end)) = self.marks.front()
            && first <= step
        {
            self.proven = end;
            self.marks.pop_front();
        }
    }

    /// What may leave now.
    pub(crate) fn sendable(&self) -> &[u8] {
        &self.bytes[self.sent..self.proven]
    }

    /// So many of `sendable` have left.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.sent += bytes;
        assert!(self.sent <= self.proven, "LOG-1: only proven replies leave");
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            (self.sent, self.proven) = (0, 0);
            self.marks.clear();
        } else if self.sent > self.bytes.len() / 2 {
            // What remains is less than what has gone: each byte is moved once at most, on average.
            self.bytes.drain(..self.sent);
            self.marks.iter_mut().for_each(|(_, end)| *end -= self.sent);
            self.proven -= self.sent;
            self.sent = 0;
        }
    }

    /// Takes a buffer to write into, so that an idle connection need not keep one.
    pub(crate) fn lend(&mut self, spare: impl FnOnce() -> Option<Vec<u8>>) {
        if self.bytes.capacity() == 0
            && let Some(buffer) = spare()
        {
            self.bytes = buffer;
        }
    }

    /// Gives the buffer back when nothing is in it.
    pub(crate) fn rest(&mut self) -> Option<Vec<u8>> {
        if !self.bytes.is_empty() || self.bytes.capacity() == 0 {
            return None;
        }
        self.marks = VecDeque::new();
        Some(std::mem::take(&mut self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(output: &mut Output, text: &str, step: u64) {
        output.replies().extend(text.bytes());
        output.mark(Step(step));
    }

    #[test]
    fn only_what_is_proven_may_leave_and_in_order() {
        let mut output = Output::default();
        write(&mut output, "aaaa", 1);
        write(&mut output, "bbbb", 2);
        write(&mut output, "cc", 2);
        write(&mut output, "dddd", 3);
        assert_eq!(output.sendable(), b"");
        output.prove(Step(1));
        assert_eq!(output.sendable(), b"aaaa");
        output.advance(3);
        output.prove(Step(2));
        assert_eq!(output.sendable(), b"abbbbcc");
        output.advance(6);
        assert_eq!((output.sendable(), output.unsent(), output.is_unproven()), (&b"c"[..], 5, true));
        output.prove(Step(9));
        assert_eq!(output.sendable(), b"cdddd");
        output.advance(5);
        assert!(output.is_empty() && !output.is_unproven());
        assert!(output.rest().is_some() && output.kept() == 0);
    }

    #[test]
    #[should_panic(expected = "LOG-1")]
    fn what_is_not_proven_cannot_be_reported_as_sent() {
        let mut output = Output::default();
        write(&mut output, "a", 1);
        output.advance(1);
    }
}
