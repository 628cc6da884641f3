//! What was found wrong: all of it counted, the first of it spelt out.

use crate::caps::FINDINGS_SHOWN_MAX;

#[derive(Debug, Default)]
pub(crate) struct Findings {
    shown: Vec<String>,
    count: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: impl FnOnce() -> String) {
        self.count += 1;
        if self.shown.len() < FINDINGS_SHOWN_MAX {
            self.shown.push(finding());
        }
    }
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }
    /// Each on a line of its own, indented, and how many there are besides.
    pub(crate) fn text(&self) -> String {
        let more = self.count - self.shown.len() as u64;
        let rest = (more > 0).then(|| format!("and {more} more"));
        let lines: Vec<String> = self.shown.iter().chain(&rest).map(|line| format!("  {line}")).collect();
        lines.join("\n")
    }
}
