//! A history recorded and judged; one that stays undecided says nothing of the server, so that another takes its place,
//! a few times. A violation is never tried away.

use super::judge::{Verdict, judge_with};
use super::record::{Recipe, Recorded, record};
use super::search::Effort;
use crate::support::clock;

/// Histories of one trial that may stay undecided before the trial does.
pub const REPLACED_MAX: usize = 2;

#[derive(Debug)]
pub struct Trial {
    /// Of the history that the verdict is about.
    pub seed: u64,
    pub recorded: Recorded,
    pub verdict: Verdict,
    /// What stayed undecided before, with the seeds.
    pub replaced: Vec<(u64, Recorded)>,
    /// Histories that the first search left undecided, those that the second one decided among them.
    pub judged_again: usize,
    /// The longest that a judgement took.
    pub slowest_us: u64,
}

/// Records a history and judges it, then those of the next seeds while they stay undecided.
///
/// # Errors
/// As [`record`] and [`super::judge`].
pub fn trial(recipe: &Recipe) -> Result<Trial, String> {
    let (mut replaced, mut judged_again, mut slowest_us) = (Vec::new(), 0, 0);
    loop {
        let seed = recipe.seed + replaced.len() as u64;
        let of_seed = |error| format!("seed {seed}: {error}");
        let recorded = record(&Recipe { seed, ..*recipe }).map_err(of_seed)?;
        let begun_ns = clock::ticks_ns();
        let mut verdict = judge_with(&recorded.history, Effort::First).map_err(of_seed)?;
        if verdict == Verdict::Undecided {
            judged_again += 1;
            verdict = judge_with(&recorded.history, Effort::Again).map_err(of_seed)?;
        }
        slowest_us = slowest_us.max((clock::ticks_ns() - begun_ns) / 1_000);
        if verdict == Verdict::Undecided && replaced.len() < REPLACED_MAX {
            replaced.push((seed, recorded));
            continue;
        }
        return Ok(Trial { seed, recorded, verdict, replaced, judged_again, slowest_us });
    }
}
