//! The sequences in the answers against time: whatever is written after an answer was given stands behind all that the
//! answer rests on.

use super::history::History;

/// The first operation that stands before what had been answered when it was sent.
pub(super) fn contradiction(history: &History) -> Option<String> {
    let mut sent: Vec<(u64, u64, usize)> = Vec::new();
    let mut answered: Vec<(u64, u64)> = Vec::new();
    for (place, operation) in history.operations.iter().enumerate() {
        let Some((at, value)) = &operation.answered else { continue };
        let Some(sequence) = value.number("sequence").and_then(|number| u64::try_from(number).ok()) else { continue };
        answered.push((*at, sequence));
        // A replay and a read rest on what was there before.
        let writes = value.number("replayed") == Some(0) && !operation.command.starts_with("EXTEND");
        if writes {
            sent.push((operation.sent_us, sequence, place));
        }
    }
    sent.sort_unstable();
    answered.sort_unstable();
    let (mut next, mut newest) = (0, 0);
    for (at, sequence, place) in sent {
        while let Some((_, known)) = answered.get(next).filter(|(answered, _)| *answered < at) {
            newest = newest.max(*known);
            next += 1;
        }
        if sequence <= newest {
            let operation = &history.operations[place];
            return Some(format!("sequence {newest} had been answered before this was sent:\n  {operation}"));
        }
    }
    None
}
