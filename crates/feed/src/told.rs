//! What the shard told last: which part of its log is kept and durable. Written by one thread without ever waiting, read by
//! any whole: a reader that meets the writer looks again.

use std::sync::atomic::{AtomicU64, Ordering, fence};
use sumun_log::{Bounds, Position};

#[derive(Debug)]
pub(crate) struct Told {
    /// Odd while it is written.
    version: AtomicU64,
    words: [AtomicU64; 6],
}

impl Told {
    pub(crate) fn new(bounds: &Bounds) -> Told {
        let told = Told { version: AtomicU64::new(0), words: Default::default() };
        told.write(bounds);
        told
    }

    /// By one thread at a time: whoever tells holds it mutably.
    pub(crate) fn write(&self, bounds: &Bounds) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in self.words.iter().zip(words(bounds)) {
            word.store(value, Ordering::Relaxed);
        }
        self.version.store(version + 2, Ordering::Release);
    }

    pub(crate) fn read(&self) -> Bounds {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let [first, first_segment, first_offset, last, segment, offset] =
                std::array::from_fn(|at| self.words[at].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                return Bounds {
                    first,
                    first_position: Position { segment: first_segment, offset: first_offset },
                    last,
                    end: Position { segment, offset },
                    bytes: 0,
                };
            }
            // The writer may have lost its core in the middle.
            std::thread::yield_now();
        }
    }

    pub(crate) fn last(&self) -> u64 {
        self.words[3].load(Ordering::Relaxed)
    }
}

fn words(bounds: &Bounds) -> [u64; 6] {
    let Bounds { first, first_position, last, end, bytes: _ } = bounds;
    [*first, first_position.segment, first_position.offset, *last, end.segment, end.offset]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn bounds(n: u64) -> Bounds {
        let position = Position { segment: n, offset: n };
        Bounds { first: n, first_position: position, last: n, end: position, bytes: 0 }
    }

    #[test]
    fn what_was_told_is_read_whole_however_often_it_is_told() {
        let told = Arc::new(Told::new(&bounds(0)));
        let reader = {
            let told = Arc::clone(&told);
            std::thread::spawn(move || {
                let mut seen = 0;
                while seen < 200_000 {
                    let found = told.read();
                    assert_eq!(found, bounds(found.last));
                    assert!(found.last >= seen);
                    seen = found.last;
                }
            })
        };
        for n in 1..=200_000 {
            told.write(&bounds(n));
        }
        reader.join().unwrap();
    }
}
