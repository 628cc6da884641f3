//! A picture that is drawn over itself in the terminal: plain lines, moved back over by ANSI codes.

use std::io::{self, Write};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[derive(Debug, Default)]
pub(crate) struct Picture {
    height: usize,
}

impl Picture {
    /// Draws the lines over those drawn before. Lines too long for the terminal are cut by it.
    pub(crate) fn draw(&mut self, out: &mut impl Write, lines: &[String]) -> io::Result<()> {
        let mut text = String::new();
        if self.height > 0 {
            text.push_str(&format!("\x1b[{}A", self.height));
        }
        text.push_str("\x1b[?7l");
        for line in lines {
            text.push_str("\x1b[2K");
            text.push_str(line);
            text.push('\n');
        }
        text.push_str("\x1b[?7h\x1b[0J");
        self.height = lines.len();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// The last `width` values as bars, scaled to the largest of them.
pub(crate) fn sparkline(values: &[u64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let most = shown.iter().copied().max().unwrap_or(0).max(1);
    let bar = |&value: &u64| match value {
        0 => ' ',
        value => BARS[usize::try_from((value * 8).div_ceil(most) - 1).expect("eight bars")],
    };
    shown.iter().map(bar).collect()
}

/// A bar of `width` cells, filled by what `part` is of `whole`.
pub(crate) fn gauge(part: u64, whole: u64, width: usize) -> String {
    let filled = usize::try_from(part.min(whole) * width as u64 / whole.max(1)).unwrap_or(width);
    format!("{}{}", "█".repeat(filled), "░".repeat(width - filled))
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Nanoseconds in the unit that reads best.
pub(crate) fn short_time(nanos: u64) -> String {
    match nanos {
        0..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..10_000_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        _ => format!("{:.1} s", nanos as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_is_scaled_to_its_largest_value() {
        assert_eq!(sparkline(&[0, 1, 4, 8], 9), " ▁▄█");
        assert_eq!(sparkline(&[100, 1, 2], 2), "▄█");
        assert_eq!(sparkline(&[], 5), "");
        assert_eq!(sparkline(&[0, 0], 5), "  ");
    }

    #[test]
    fn a_gauge_fills_from_the_left() {
        assert_eq!(gauge(1, 4, 8), "██░░░░░░");
        assert_eq!(gauge(9, 4, 4), "████");
        assert_eq!(gauge(0, 0, 2), "░░");
    }

    #[test]
    fn numbers_are_grouped() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(n), text);
        }
        assert_eq!(short_time(417_900), "417 µs");
        assert_eq!(short_time(1_050_000), "1.1 ms");
    }

    #[test]
    fn a_picture_goes_back_over_what_it_drew() {
        let mut out = Vec::new();
        let mut picture = Picture::default();
        picture.draw(&mut out, &["a".to_owned(), "b".to_owned()]).expect("a vector takes all");
        assert!(!String::from_utf8_lossy(&out).contains("\x1b[2A"));
        picture.draw(&mut out, &["c".to_owned()]).expect("a vector takes all");
        assert!(String::from_utf8_lossy(&out).contains("\x1b[2A\x1b[?7l\x1b[2Kc\n"));
    }
}
