//! What was measured, round by round, as it is kept in JSON; and what it comes to beside what is wanted.

use super::caps::ROUNDS_MIN;
use super::rows::{Claim, Metric, Plan};
use crate::figures::Wanted;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// All rows, each as it was measured last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub machine: BTreeMap<String, String>,
    pub rows: BTreeMap<String, Measurement>,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// When it began, as Unix time.
    pub at_s: u64,
    /// 1: the size that is stated.
    pub scale: f64,
    pub quick: bool,
    pub rounds: Vec<Round>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Part of the machine that others had before it.
    pub others_before: f64,
    /// Why it does not count.
    pub void: Option<String>,
    /// In the order in which they ran.
    pub lanes: Vec<Lane>,
}

/// What came of one peer under one load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    pub name: String,
    pub generator: String,
    /// Done in a second: commands, or lines where lines are what counts.
    pub rate: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub max_us: f64,
    pub done: u64,
    /// Answered with a refusal or an error, and refused for the moment and asked again.
    pub refused: u64,
    pub asked_again: u64,
    /// Reservations made, and of these ended, as the server counts them.
    pub reserved: u64,
    pub ended: u64,
    /// Records that the store took, and how far it was behind the log, in events.
    pub stored: u64,
    pub lag_before: u64,
    pub lag_after: u64,
    /// Part of the machine that others had meanwhile.
    pub others: f64,
    /// Figures of one row alone.
    pub more: BTreeMap<String, f64>,
    /// Answers' p99 in each minute, in microseconds.
    pub minutes_p99_us: Vec<f64>,
}

impl Results {
    /// None of an earlier run, when there is none or it was another machine's.
    pub fn read(path: &Path, machine: BTreeMap<String, String>) -> Result<Results, String> {
        let fresh = Results { machine, rows: BTreeMap::new() };
        if !path.exists() {
            return Ok(fresh);
        }
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let read: Results = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(if read.machine == fresh.machine { read } else { fresh })
    }

    pub fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        super::write(path, &(text + "\n"))
    }
}

impl Measurement {
    /// Rounds that count. In quick mode all do that measured something.
    pub fn valid(&self) -> impl Iterator<Item = &Round> {
        self.rounds.iter().filter(|round| round.void.is_none() || self.quick)
    }

    /// Median of what a lane showed.
    pub(super) fn median(&self, lane: &str, pick: impl Fn(&Lane) -> f64) -> Option<f64> {
        spread(self.valid().filter_map(|round| Some(pick(round.lane(lane)?)))).map(|spread| spread.median)
    }
}

impl Round {
    pub(super) fn lane(&self, name: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.name == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
    pub(super) count: usize,
}

pub(super) fn spread(values: impl Iterator<Item = f64>) -> Option<Spread> {
    let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (&min, &max) = (sorted.first()?, sorted.last()?);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    Some(Spread { min, median, max, count: sorted.len() })
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Met,
    NotMet,
    /// Nothing is wanted of it.
    Stated,
    /// Too few rounds count, or the run was a quick one.
    NotJudged,
    NotRun,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    pub(super) spread: Option<Spread>,
    pub(super) verdict: Verdict,
}

/// Holds a claim against what was measured: the median of the rounds decides.
pub(super) fn judge(plan: &Plan, claim: &Claim, measured: Option<&Measurement>) -> Judged {
    let Some(measured) = measured else { return Judged { spread: None, verdict: Verdict::NotRun } };
    let values = measured.valid().filter_map(|round| value(claim, round));
    let Some(found) = spread(values) else { return Judged { spread: None, verdict: Verdict::NotJudged } };
    let enough = found.count >= if plan.once { 1 } else { ROUNDS_MIN };
    let verdict = if measured.quick || measured.scale < 1.0 || !enough {
        Verdict::NotJudged
    } else {
        match claim.must {
            None => Verdict::Stated,
            Some(Wanted::AtLeast(least)) if found.median >= least => Verdict::Met,
            Some(Wanted::AtMost(most)) if found.median <= most => Verdict::Met,
            Some(Wanted::AtLeast(_) | Wanted::AtMost(_)) => Verdict::NotMet,
        }
    };
    Judged { spread: Some(found), verdict }
}

fn value(claim: &Claim, round: &Round) -> Option<f64> {
    let of = claim.metric.of(round.lane(claim.lane)?)?;
    match claim.over {
        None => Some(of),
        Some((lane, metric)) => Some(of / metric.of(round.lane(lane)?)?),
    }
}

impl Metric {
    fn of(self, lane: &Lane) -> Option<f64> {
        match self {
            Metric::Rate => Some(lane.rate),
            Metric::P50 => Some(lane.p50_us),
            Metric::P99 => Some(lane.p99_us),
            Metric::Refused => Some(lane.asked_again as f64),
            Metric::More(name) => lane.more.get(name).copied(),
            // The last one is a rest of a minute, if it is anything.
            Metric::WorstMinute => lane.minutes_p99_us.iter().copied().reduce(f64::max),
            Metric::FirstMinute => lane.minutes_p99_us.first().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::versus::rows::plans;

    fn measured(rates: &[(f64, f64)]) -> Measurement {
        let lane = |name: &str, rate| Lane { name: name.to_owned(), rate, ..Lane::default() };
        let rounds = rates.iter().map(|&(ours, theirs)| {
            let lanes = vec![lane("sumun", ours), lane("none", theirs)];
            Round { lanes, ..Round::default() }
        });
        Measurement { scale: 1.0, rounds: rounds.collect(), ..Measurement::default() }
    }

    #[test]
    fn the_median_of_paired_ratios_decides() {
        let plan = plans().into_iter().find(|plan| plan.row.word() == "callers-1024").expect("a row");
        let claim = &plan.claims[0];
        let even = [(2.0, 1.0), (1.9, 1.0), (1.7, 1.0), (30.0, 10.0), (1.0, 1.0)];
        let found = judge(&plan, claim, Some(&measured(&even)));
        assert_eq!(found.spread, Some(Spread { min: 1.0, median: 1.9, max: 3.0, count: 5 }));
        assert_eq!(found.verdict, Verdict::Met);
        let low = [(1.7, 1.0); 5];
        assert_eq!(judge(&plan, claim, Some(&measured(&low))).verdict, Verdict::NotMet);
        assert_eq!(judge(&plan, claim, Some(&measured(&low[..4]))).verdict, Verdict::NotJudged);
        assert_eq!(judge(&plan, claim, None).verdict, Verdict::NotRun);
    }

    #[test]
    fn a_void_round_counts_for_nothing() {
        let plan = plans().into_iter().find(|plan| plan.row.word() == "callers-1024").expect("a row");
        let mut found = measured(&[(2.0, 1.0); 6]);
        found.rounds[0] = Round { void: Some("busy".to_owned()), ..measured(&[(9.0, 1.0)]).rounds.remove(0) };
        let judged = judge(&plan, &plan.claims[0], Some(&found));
        assert_eq!(judged.spread, Some(Spread { min: 2.0, median: 2.0, max: 2.0, count: 5 }));
        found.quick = true;
        assert_eq!(judge(&plan, &plan.claims[0], Some(&found)).verdict, Verdict::NotJudged);
    }
}
