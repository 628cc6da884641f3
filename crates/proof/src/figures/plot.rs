//! Figures as SVG pictures of our own: lines over time, or bars in groups, on a grid; nothing that moves.

use std::fmt::Write;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 300.0;
/// Room for the axes' words.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 40.0;
const COLOURS: [&str; 4] = ["#2a6f97", "#c8553d", "#588157", "#6d597a"];
/// Lines of the grid in one direction, at most one more than this.
const GRID: f64 = 5.0;

/// One line of a picture.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// A picture with its axes beginning at 0.
pub(super) fn svg(title: &str, below: &str, series: &[Series]) -> String {
    let points = || series.iter().flat_map(|one| one.points.iter().copied());
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max).max(1e-9);
    let (x_most, x_step) = axis(most(&mut points().map(|(x, _)| x)));
    let (y_most, y_step) = axis(most(&mut points().map(|(_, y)| y)));
    let x_at = |x: f64| LEFT + x / x_most * (WIDTH - LEFT - RIGHT);
    let y_at = |y: f64| HEIGHT - BOTTOM - y / y_most * (HEIGHT - TOP - BOTTOM);
    let mut out = begin(title);
    let mut add = |line: String| {
        // Writing into memory cannot fail.
        let _ = writeln!(out, "{line}");
    };
    steps(y_most, y_step).for_each(|(value, text)| add(level(y_at(value), &text)));
    for (value, text) in steps(x_most, x_step) {
        let (x, y) = (x_at(value), HEIGHT - BOTTOM + 18.0);
        add(format!("<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>"));
    }
    add(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{below}</text>", WIDTH - RIGHT, HEIGHT - 6.0));
    for (place, (one, colour)) in series.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let points: Vec<String> = one.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", x_at(x), y_at(y))).collect();
        let points = points.join(" ");
        add(format!("<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"));
        let x = LEFT + 8.0 + 90.0 * place as f64;
        add(format!("<text x=\"{x}\" y=\"{}\" fill=\"{colour}\">{}</text>", TOP - 6.0, one.name));
    }
    out + "</svg>\n"
}

/// Values of one name beside each other: least, middle and greatest.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    /// By the place of their series; `None` where there is nothing.
    pub(super) bars: Vec<Option<(f64, f64, f64)>>,
}

/// What every picture begins with.
fn begin(title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{title}</text>\n"
    )
}

/// A line across the picture, and what it stands for.
fn level(y: f64, text: &str) -> String {
    let (right, words, below) = (WIDTH - RIGHT, LEFT - 8.0, y + 4.0);
    format!(
        "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>\n\
         <text x=\"{words}\" y=\"{below:.1}\" text-anchor=\"end\">{text}</text>"
    )
}

/// A picture of bars in groups, each bar with a line from its least to its greatest value. Of two series and more, or of
/// one whose name says what a bar is.
pub(super) fn bars(title: &str, series: &[&str], groups: &[Group]) -> String {
    let all = groups.iter().flat_map(|group| group.bars.iter().flatten());
    let (most, step) = axis(all.fold(1e-9, |most, bar| f64::max(most, bar.2)));
    let y_at = |y: f64| HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM);
    let mut out = begin(title);
    let mut add = |line: String| {
        // Writing into memory cannot fail.
        let _ = writeln!(out, "{line}");
    };
    steps(most, step).for_each(|(value, text)| add(level(y_at(value), &text)));
    let room = (WIDTH - LEFT - RIGHT) / groups.len().max(1) as f64;
    let width = (room * 0.8 / series.len().max(1) as f64).min(60.0);
    for (place, group) in groups.iter().enumerate() {
        let middle = LEFT + (place as f64 + 0.5) * room;
        let foot = HEIGHT - BOTTOM + 18.0;
        add(format!("<text x=\"{middle:.1}\" y=\"{foot}\" text-anchor=\"middle\">{}</text>", group.name));
        for (at, bar) in group.bars.iter().enumerate() {
            let Some((least, median, greatest)) = *bar else { continue };
            let x = middle + (at as f64 - series.len() as f64 / 2.0) * width;
            let (y, line, colour) = (y_at(median), x + width / 2.0, COLOURS[at % COLOURS.len()]);
            let (inner, height) = (width * 0.9, HEIGHT - BOTTOM - y);
            add(format!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{inner:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
            ));
            let (top, low) = (y_at(greatest), y_at(least));
            add(format!("<path d=\"M{line:.1} {top:.1}V{low:.1}\" stroke=\"black\"/>"));
        }
    }
    for (at, name) in series.iter().enumerate() {
        let (x, colour) = (LEFT + 8.0 + 110.0 * at as f64, COLOURS[at % COLOURS.len()]);
        add(format!("<text x=\"{x}\" y=\"{}\" fill=\"{colour}\">{name}</text>", TOP - 6.0));
    }
    out + "</svg>\n"
}

/// The end of an axis that holds `most`, and the width of its steps: 1, 2 or 5 times a power of ten.
fn axis(most: f64) -> (f64, f64) {
    let rough = most / GRID;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    ((most / step).ceil() * step, step)
}

fn steps(most: f64, step: f64) -> impl Iterator<Item = (f64, String)> {
    let count = (most / step).round() as u32;
    let decimals = if step < 1.0 { (-step.log10()).ceil() as usize } else { 0 };
    (0..=count).map(move |k| (f64::from(k) * step, format!("{:.decimals$}", f64::from(k) * step)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_on_a_round_number_that_holds_all() {
        let check = |most: f64, end: f64, step: f64| {
            let (found_end, found_step) = axis(most);
            assert!(
                (found_end - end).abs() < 1e-9 && (found_step - step).abs() < 1e-9,
                "{most}: {found_end} {found_step}"
            );
        };
        check(600.0, 600.0, 200.0);
        check(100.0, 100.0, 20.0);
        check(1.3, 1.5, 0.5);
        check(0.9, 1.0, 0.2);
        check(10_001.0, 15_000.0, 5_000.0);
    }

    #[test]
    fn the_highest_point_stands_at_the_top_and_nought_at_the_foot() {
        let points = vec![(0.0, 0.0), (100.0, 100.0)];
        let picture = svg("memory", "seconds", &[Series { name: "rss".to_owned(), points }]);
        assert!(picture.contains("points=\"70.0,260.0 780.0,40.0\""), "{picture}");
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert_eq!(picture.matches("<text").count(), 1 + 6 + 6 + 1 + 1);
    }
    #[test]
    fn a_bar_stands_on_the_foot_and_its_line_ends_where_its_values_do() {
        let groups = [Group { name: "64".to_owned(), bars: vec![Some((50.0, 80.0, 100.0)), None] }];
        let picture = bars("rate", &["ours", "theirs"], &groups);
        // 220 of height hold 100: 80 of them are 176.
        assert!(picture.contains("y=\"84.0\" width=\"54.0\" height=\"176.0\""), "{picture}");
        assert!(picture.contains("40.0V150.0"), "{picture}");
        assert_eq!(picture.matches("<rect").count(), 1 + 1);
        assert_eq!(picture.matches("<text").count(), 1 + 6 + 1 + 2);
    }
}
