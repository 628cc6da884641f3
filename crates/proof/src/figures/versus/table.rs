//! The results as Markdown, and as pictures: what stands between the markers of the documentation is all made here.

use super::results::{Judged, Lane, Measurement, Results, Verdict, judge, spread};
use super::rows::{Claim, Load, Peer, Plan, Row};
use crate::figures::Wanted;
use crate::figures::plot::{Group, Series, bars, svg};
use crate::figures::report::number;
use std::fmt::Write;

pub(super) const BEGIN: &str = "<!-- versus: begin -->";
pub(super) const END: &str = "<!-- versus: end -->";

/// Puts a text between the markers of a document.
pub(super) fn splice(document: &str, text: &str) -> Result<String, String> {
    let (before, rest) = document.split_once(BEGIN).ok_or_else(|| format!("there is no {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| format!("there is no {END:?}"))?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim()))
}

/// All tables.
pub(super) fn markdown(results: &Results, plans: &[Plan]) -> String {
    let mut out = String::new();
    // Writing into memory cannot fail.
    let _ = write_all(results, plans, &mut out);
    out
}

fn write_all(results: &Results, plans: &[Plan], out: &mut String) -> std::fmt::Result {
    let machine: Vec<String> = results.machine.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    writeln!(out, "{}.\n", machine.join("; "))?;
    writeln!(out, "| load | figure | min / median / max | rounds | wanted | aim | as wanted |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for plan in plans {
        let measured = results.rows.get(plan.row.word());
        for (place, claim) in plan.claims.iter().enumerate() {
            let load = if place == 0 { plan.load } else { "" };
            writeln!(out, "| {load} {}", row(claim, judge(plan, claim, measured)))?;
        }
    }
    writeln!(out, "\nWhat stood behind it, medians of the rounds that count:\n")?;
    writeln!(
        out,
        "| load | server | rate | p50 / p99 µs | done | refused / asked again | reserved / ended | stored | events behind, before / after | others' CPU |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|---|")?;
    for plan in plans.iter().filter(|plan| plan.row != Row::Memory) {
        if let Some(measured) = results.rows.get(plan.row.word()) {
            lanes(plan, measured, out)?;
        }
    }
    let ahead: Vec<String> = plans.iter().flat_map(|plan| ahead(plan, results)).collect();
    if !ahead.is_empty() {
        writeln!(out, "\nWhere a peer is ahead:\n")?;
        ahead.iter().try_for_each(|line| writeln!(out, "- {line}"))?;
    }
    for plan in plans {
        if let Some(measured) = results.rows.get(plan.row.word()) {
            remarks(plan, measured, out)?;
        }
    }
    Ok(())
}

/// Each figure in which the median of a peer is better than Sumun's under the same load, whether or not it is claimed.
fn ahead(plan: &Plan, results: &Results) -> Vec<String> {
    let Some(measured) = results.rows.get(plan.row.word()) else { return Vec::new() };
    let mut found = Vec::new();
    for peer in plan.lanes.iter().filter(|lane| !lane.peer.is_sumun()) {
        let Some(ours) =
            plan.lanes.iter().find(|lane| lane.peer.is_sumun() && lane.load == peer.load && lane.disk == peer.disk)
        else {
            continue;
        };
        // Higher is better of a rate alone.
        let picks: [fn(&Lane) -> f64; 3] = [|lane| lane.rate, |lane| lane.p50_us, |lane| lane.p99_us];
        let words = [("rate", "/s", 1.0), ("p50", "µs", -1.0), ("p99", "µs", -1.0)];
        for ((name, unit, sign), pick) in words.into_iter().zip(picks) {
            if let (Some(theirs), Some(mine)) = (measured.median(peer.name, pick), measured.median(ours.name, pick))
                && theirs * sign > mine * sign
            {
                let (theirs, mine) = (number_short(theirs), number_short(mine));
                found.push(format!("{}: {name} of {} is {theirs} {unit}, Sumun's {mine}", plan.load, peer.name));
            }
        }
    }
    found
}

fn row(claim: &Claim, judged: Judged) -> String {
    let text = |value: f64| format!("{} {}", number(value), claim.unit).trim_end().to_owned();
    let (values, rounds) = judged.spread.map_or_else(
        || ("not run yet".to_owned(), String::new()),
        |found| {
            let values = [found.min, found.median, found.max].map(number).join(" / ");
            (format!("{values} {}", claim.unit).trim_end().to_owned(), found.count.to_string())
        },
    );
    let wanted = match claim.must {
        None => String::new(),
        Some(Wanted::AtLeast(least)) => format!("≥ {}", text(least)),
        Some(Wanted::AtMost(most)) => format!("≤ {}", text(most)),
    };
    let verdict = match judged.verdict {
        Verdict::Met => "yes",
        Verdict::NotMet => "**no**",
        Verdict::Stated => "stated",
        Verdict::NotJudged => "not judged",
        Verdict::NotRun => "",
    };
    let aim = claim.aim.map(text).unwrap_or_default();
    format!("| {} | {values} | {rounds} | {wanted} | {aim} | {verdict} |", claim.says)
}

fn lanes(plan: &Plan, measured: &Measurement, out: &mut String) -> std::fmt::Result {
    for (place, lane) in plan.lanes.iter().enumerate() {
        let of = |pick: fn(&Lane) -> f64| measured.median(lane.name, pick).map_or_else(|| "–".to_owned(), number_short);
        let load = if place == 0 { plan.load } else { "" };
        let pair = |first: fn(&Lane) -> f64, second: fn(&Lane) -> f64| format!("{} / {}", of(first), of(second));
        let (mut said, mut made, mut stored) = ("–".to_owned(), "–".to_owned(), "– | –".to_owned());
        if !matches!(lane.load, Load::Sync) && lane.peer != Peer::Echo {
            said = pair(|lane| lane.refused as f64, |lane| lane.asked_again as f64);
            made = pair(|lane| lane.reserved as f64, |lane| lane.ended as f64);
            if lane.peer.is_sumun() {
                let lag = pair(|lane| lane.lag_before as f64, |lane| lane.lag_after as f64);
                stored = format!("{} | {lag}", of(|lane| lane.stored as f64));
            }
        }
        let (rate, p50, p99) = (of(|lane| lane.rate), of(|lane| lane.p50_us), of(|lane| lane.p99_us));
        let (done, others) = (of(|lane| lane.done as f64), of(|lane| lane.others * 100.0));
        writeln!(
            out,
            "| {load} | {} | {rate} | {p50} / {p99} | {done} | {said} | {made} | {stored} | {others} % |",
            lane.name
        )?;
    }
    Ok(())
}

/// Rounds that do not count, and runs that are not the whole.
fn remarks(plan: &Plan, measured: &Measurement, out: &mut String) -> std::fmt::Result {
    let void: Vec<&String> = measured.rounds.iter().filter_map(|round| round.void.as_ref()).collect();
    if let Some(why) = void.first() {
        writeln!(out, "\n{}: {} of {} rounds void ({why}).", plan.load, void.len(), measured.rounds.len())?;
    }
    if measured.quick || measured.scale < 1.0 {
        writeln!(out, "\n{}: a quick or scaled run, which is not judged.", plan.load)?;
    }
    Ok(())
}

/// Without decimals where there are digits enough.
fn number_short(value: f64) -> String {
    let text = number(value);
    match text.split_once('.') {
        Some((whole, _)) if value >= 100.0 || value.fract() == 0.0 => whole.to_owned(),
        Some(_) | None => text,
    }
}

/// Pictures by the names of their files, of what there is.
pub(super) fn pictures(results: &Results) -> Vec<(&'static str, String)> {
    let mut pictures = Vec::new();
    let peers = [("Sumun", "sumun"), ("Redis, none", "none"), ("Redis, always", "always")];
    let names = peers.map(|(name, _)| name);
    let callers = [("64 callers", Row::Callers64), ("256", Row::Callers256), ("1,024", Row::Callers1024)];
    let deep = [("16 × 64 pipelined", Row::Burst)];
    let groups = |rows: &[(&str, Row)], pick: fn(&Lane) -> f64| {
        let group = |(name, row): &(&str, Row)| {
            let measured = results.rows.get(row.word())?;
            Some(Group { name: (*name).to_owned(), bars: peers.map(|(_, lane)| bar(measured, lane, pick)).to_vec() })
        };
        rows.iter().filter_map(group).collect::<Vec<_>>()
    };
    for (file, title, rows, pick) in [
        ("callers-rate", "commands a second, one at a time", &callers[..], (|lane| lane.rate) as fn(&Lane) -> f64),
        ("callers-p99", "p99, ms, one at a time", &callers[..], |lane| lane.p99_us / 1_000.0),
        ("burst-rate", "commands a second, bursts of a million", &deep[..], |lane| lane.rate),
    ] {
        let groups = groups(rows, pick);
        if !groups.is_empty() {
            pictures.push((file, bars(title, &names, &groups)));
        }
    }
    pictures.extend(kinds(results));
    pictures.extend(minutes(results));
    pictures
}

fn bar(measured: &Measurement, lane: &str, pick: fn(&Lane) -> f64) -> Option<(f64, f64, f64)> {
    let found = spread(measured.valid().filter_map(|round| Some(pick(round.lane(lane)?))))?;
    Some((found.min, found.median, found.max))
}

/// Each kind of command and of spread beside what it is held against.
fn kinds(results: &Results) -> Option<(&'static str, String)> {
    let loads = [(Row::Kinds64, Row::KindsBurst), (Row::Spread64, Row::SpreadBurst)];
    let plans = super::rows::plans();
    let mut groups = Vec::new();
    for (few, deep) in loads {
        let plan = plans.iter().find(|plan| plan.row == few)?;
        for (place, claim) in plan.claims.iter().enumerate() {
            let of = |row: Row| {
                let plan = plans.iter().find(|plan| plan.row == row)?;
                let found = judge(plan, plan.claims.get(place)?, results.rows.get(row.word())).spread?;
                Some((found.min, found.median, found.max))
            };
            groups.push(Group { name: claim.lane.to_owned(), bars: vec![of(few), of(deep)] });
        }
    }
    let some = groups.iter().any(|group| group.bars.iter().any(Option::is_some));
    some.then(|| ("kinds", bars("rate, of the plain reserve over uniform items", &["64 callers", "16 × 64"], &groups)))
}

/// The p99 of each minute of the paced run.
fn minutes(results: &Results) -> Option<(&'static str, String)> {
    let round = results.rows.get(Row::TenMinutesPaced.word())?.valid().next()?;
    let minutes = &round.lane("sumun")?.minutes_p99_us;
    let points = minutes.iter().enumerate().map(|(minute, us)| (minute as f64 + 1.0, us / 1_000.0)).collect();
    let series = [Series { name: "p99".to_owned(), points }];
    (minutes.len() > 1).then(|| ("minutes-p99", svg("p99 of each minute at 60,000 a second, ms", "minute", &series)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::versus::results::Round;
    use crate::figures::versus::rows::plans;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let document = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = splice(&document, "new\n").expect("it has both");
        assert_eq!(new, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(splice(&new, "new").expect("it has both"), new);
        assert!(splice("a", "new").is_err());
    }

    #[test]
    fn every_claim_has_a_line_whether_or_not_it_was_measured() {
        let plans = plans();
        let claims: usize = plans.iter().map(|plan| plan.claims.len()).sum();
        let mut results = Results::default();
        let text = markdown(&results, &plans);
        assert_eq!(text.matches("not run yet").count(), claims, "{text}");
        assert!(pictures(&results).is_empty());
        let lane = |name: &str, rate| Lane { name: name.to_owned(), rate, ..Lane::default() };
        let round = Round { lanes: vec![lane("sumun", 4_000.0), lane("none", 2_000.0)], ..Round::default() };
        let rounds = vec![round; 5];
        let measured = Measurement { scale: 1.0, rounds, ..Measurement::default() };
        results.rows.insert("callers-1024".to_owned(), measured);
        let text = markdown(&results, &plans);
        let line = "| 1,024 callers | rate, of none's | 2.00 / 2.00 / 2.00 × | 5 | ≥ 1.80 × | 2.00 × | yes |";
        assert!(text.contains(line), "{text}");
        assert_eq!(text.matches("not run yet").count(), claims - 1);
        assert_eq!(pictures(&results).len(), 2);
        assert!(!text.contains("ahead"), "{text}");
    }

    #[test]
    fn where_a_peer_is_ahead_is_said() {
        let lane = |name: &str, rate, p50_us| Lane { name: name.to_owned(), rate, p50_us, ..Lane::default() };
        let lanes = vec![lane("sumun", 2_000.0, 10.0), lane("none", 4_000.0, 20.0), lane("always", 1_000.0, 5.0)];
        let rounds = vec![Round { lanes, ..Round::default() }];
        let measured = Measurement { scale: 1.0, rounds, ..Measurement::default() };
        let results = Results { rows: [("callers-1024".to_owned(), measured)].into(), ..Results::default() };
        let text = markdown(&results, &plans());
        assert!(text.contains("- 1,024 callers: rate of none is 4,000 /s, Sumun's 2,000\n"), "{text}");
        assert!(text.contains("- 1,024 callers: p50 of always is 5 µs, Sumun's 10\n"), "{text}");
        assert_eq!(text.matches("\n- ").count(), 2, "{text}");
    }
}
