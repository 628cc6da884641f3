//! What a measurement found: figures beside what is wanted of them, and what must hold. A figure that is not as wanted is
//! said; what must hold and does not makes the run fail.

use serde::Serialize;
use std::fmt::Write;
use std::path::Path;

#[derive(Debug, Serialize)]
pub struct Report {
    pub what: String,
    /// 1: the size that is stated.
    pub scale: f64,
    pub figures: Vec<Figure>,
    pub notes: Vec<String>,
    /// What must hold and does not.
    pub failures: Vec<String>,
    #[serde(skip)]
    quiet: bool,
}

#[derive(Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    pub wanted: Option<Wanted>,
    /// Whether it is as wanted.
    pub met: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    AtMost(f64),
    AtLeast(f64),
}

impl Wanted {
    fn is_met(self, value: f64) -> bool {
        match self {
            Wanted::AtMost(most) => value <= most,
            Wanted::AtLeast(least) => value >= least,
        }
    }
}

impl Report {
    pub fn new(what: &str, scale: f64) -> Report {
        let (figures, notes, failures) = (Vec::new(), Vec::new(), Vec::new());
        Report { what: what.to_owned(), scale, figures, notes, failures, quiet: cfg!(test) }
    }

    pub fn figure(&mut self, name: &str, value: f64, unit: &'static str) {
        self.add(Figure { name: name.to_owned(), value, unit, wanted: None, met: None });
    }

    pub fn wanted(&mut self, name: &str, value: f64, unit: &'static str, wanted: Wanted) {
        let met = Some(wanted.is_met(value));
        self.add(Figure { name: name.to_owned(), value, unit, wanted: Some(wanted), met });
    }

    fn add(&mut self, figure: Figure) {
        self.say(&figure.line());
        self.figures.push(figure);
    }

    pub fn note(&mut self, text: String) {
        self.say(&text);
        self.notes.push(text);
    }

    pub fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            let what = what();
            self.say(&format!("FAILED: {what}"));
            self.failures.push(what);
        }
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            println!("{line}");
        }
    }

    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        text.push('\n');
        std::fs::write(path, text)
    }
}

impl Figure {
    fn line(&self) -> String {
        let mut line = format!("{:<58} {:>14} {}", self.name, number(self.value), self.unit);
        if let (Some(wanted), Some(met)) = (self.wanted, self.met) {
            let (word, bound) = match wanted {
                Wanted::AtMost(most) => ("at most", most),
                Wanted::AtLeast(least) => ("at least", least),
            };
            let verdict = if met { "as wanted" } else { "NOT as wanted" };
            // Writing into memory cannot fail.
            let _ = write!(line, "   {verdict}: {word} {}", number(bound));
        }
        line
    }
}

/// With thousands apart, and as many decimals as tell something.
pub(super) fn number(value: f64) -> String {
    let decimals = if value.abs() < 10.0 { 2 } else { usize::from(value.abs() < 1_000.0) };
    let plain = format!("{value:.decimals$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut text = sign.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_figure_is_said_and_fails_nothing() {
        let mut report = Report::new("outgrow", 1.0);
        report.wanted("rate", 0.5, "of it", Wanted::AtLeast(0.8));
        assert_eq!(report.figures[0].met, Some(false));
        assert!(report.figures[0].line().ends_with("NOT as wanted: at least 0.80"));
        assert!(report.failures.is_empty());
        report.must(true, || unreachable!("it holds"));
        report.must(false, || "one is lost".to_owned());
        assert_eq!(report.failures, ["one is lost"]);
    }

    #[test]
    fn numbers_are_written_for_people() {
        let check = |value: f64, text: &str| assert_eq!(number(value), text);
        check(1_234_567.8, "1,234,568");
        check(-12_345.0, "-12,345");
        check(999.96, "1,000.0");
        check(12.34, "12.3");
        check(0.804, "0.80");
    }
}
