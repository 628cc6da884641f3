//! What may stand in a name: 1–128 bytes of UTF-8 without white space, control, format or unassigned characters, and
//! neither `.` nor `..`. Compared byte by byte, so no normalisation.

use crate::limits::NAME_BYTES_MAX;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Why `text` cannot be a name, or `None` when it can.
pub fn flaw(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("must not be empty");
    }
    if text.len() > NAME_BYTES_MAX {
        return Some("must not be longer than 128 bytes");
    }
    // Printable ASCII is every second byte of real traffic: it needs no table.
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return (text == "." || text == "..").then_some("must not be `.` or `..`");
    }
    if text.chars().all(allowed) {
        None
    } else {
        Some("must not hold white space, control, format or unassigned characters")
    }
}

fn allowed(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::Unassigned
                | GeneralCategory::Surrogate
                | GeneralCategory::SpaceSeparator
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

#[cfg(test)]
mod tests {
    use super::flaw;

    #[test]
    fn names_are_printable_and_bounded() {
        for good in ["a", "run:1", "…", "수문", "a.b", "...", &"x".repeat(128), "é", "\u{1F600}", "{tag}x", "*"] {
            assert_eq!(flaw(good), None, "{good:?}");
        }
        let bad = [
            "",
            ".",
            "..",
            "a b",
            "\t",
            "a\u{a0}b",
            "\u{200b}",
            "\u{ad}",
            "\u{e000}\u{378}",
            "\u{2028}",
            "\u{3000}",
            "\0",
        ];
        for bad in bad {
            assert!(flaw(bad).is_some(), "{bad:?}");
        }
        assert!(flaw(&"é".repeat(65)).is_some());
    }
}
