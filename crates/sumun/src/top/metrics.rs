//! Metrics as the server tells them: OpenMetrics text, as far as ours goes: names, labels, numbers.
//! Never here: what they mean.

use std::collections::BTreeMap;

/// One scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metrics {
    /// By name, then by labels as they are written.
    values: BTreeMap<String, BTreeMap<String, f64>>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is no metric")]
pub(crate) struct Malformed(usize);

impl Metrics {
    pub(crate) fn parse(text: &str) -> Result<Metrics, Malformed> {
        let mut metrics = Metrics::default();
        for (at, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, labels, value) = sample(line).ok_or(Malformed(at + 1))?;
            metrics.values.entry(name.to_owned()).or_default().insert(labels.to_owned(), value);
        }
        Ok(metrics)
    }

    /// Of a metric without labels.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name)?.get("").copied()
    }

    /// Of a metric with one label: its value and the metric's.
    pub(crate) fn by_label(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        let rows = self.values.get(name).into_iter().flatten();
        rows.filter_map(|(labels, value)| Some((label(labels)?, *value)))
    }

    /// Of a histogram: upper bounds, ascending, and how many lie below each.
    pub(crate) fn buckets(&self, name: &str) -> Vec<(f64, f64)> {
        let name = format!("{name}_bucket");
        let bound = |text: &str| if text == "+Inf" { Some(f64::INFINITY) } else { text.parse().ok() };
        let mut buckets: Vec<(f64, f64)> =
            self.by_label(&name).filter_map(|(le, count)| Some((bound(le)?, count))).collect();
        buckets.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        buckets
    }

    /// All of them, one a line.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let rows = self.values.iter().flat_map(|(name, rows)| rows.iter().map(move |row| (name, row)));
        rows.filter(|(name, _)| !name.ends_with("_bucket")).map(|(name, (labels, value))| {
            if labels.is_empty() { format!("{name} {value}") } else { format!("{name}{{{labels}}} {value}") }
        })
    }
}

fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let (head, value) = match line.find('{') {
        Some(open) => {
            let close = open + line[open..].rfind('}')?;
            ((&line[..open], &line[open + 1..close]), line[close + 1..].trim_start())
        }
        None => {
            let (name, value) = line.split_once(' ')?;
            ((name, ""), value)
        }
    };
    // A time may stand behind it.
    let value = value.split(' ').next()?;
    if head.0.is_empty() {
        return None;
    }
    Some((head.0, head.1, value.parse().ok()?))
}

/// `name="value"`, the only label.
fn label(labels: &str) -> Option<&str> {
    let (_, quoted) = labels.split_once('=')?;
    quoted.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_histograms_are_read() {
        let text = "# HELP a Something.\n# TYPE a counter\na_total 5\nb{code=\"x\"} 1\nb{code=\"y\"} 2.5\n\
                    h_bucket{le=\"0.001\"} 3\nh_bucket{le=\"1e-6\"} 1\nh_bucket{le=\"+Inf\"} 4\nh_sum 0.1\n# EOF\n";
        let metrics = Metrics::parse(text).expect("metrics");
        assert_eq!(metrics.value("a_total"), Some(5.0));
        assert_eq!(metrics.value("nosuch"), None);
        assert_eq!(metrics.by_label("b").collect::<Vec<_>>(), [("x", 1.0), ("y", 2.5)]);
        assert_eq!(metrics.buckets("h"), [(1e-6, 1.0), (1e-3, 3.0), (f64::INFINITY, 4.0)]);
        assert_eq!(Metrics::parse("a 1\nwhat\n"), Err(Malformed(2)));
        assert_eq!(Metrics::parse("a{b=\"c\" 1"), Err(Malformed(1)));
    }
}
