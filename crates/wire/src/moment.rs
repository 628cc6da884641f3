//! Times as the contract writes them outside RESP: RFC 3339 with any offset and at most milliseconds in, `Z` with
//! milliseconds out.

use crate::Timestamp;
use crate::limits::TIMESTAMP_MAX;
use core::fmt;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Timestamp {
    /// `None`: it is no such time, or one before 1970.
    pub fn from_rfc3339(text: &str) -> Option<Timestamp> {
        rfc3339(text).map(Timestamp)
    }
    /// `2026-05-01T03:00:00.500Z`. What lies beyond the year 9999 is written as the last instant of it.
    pub fn rfc3339(self) -> [u8; 24] {
        let at = self.0.min(TIMESTAMP_MAX);
        let (days, ms) = (at / DAY_MS, at % DAY_MS);
        let (year, month, day) = date(days);
        let mut out = *b"0000-00-00T00:00:00.000Z";
        let parts = [(0, 4, year), (5, 2, month), (8, 2, day), (11, 2, ms / 3_600_000), (14, 2, ms / 60_000 % 60)];
        for (at, width, mut value) in parts.into_iter().chain([(17, 2, ms / 1_000 % 60), (20, 3, ms % 1_000)]) {
            for digit in out[at..at + width].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
        out
    }
}

/// RFC 3339 in `Z` with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(core::str::from_utf8(&self.rfc3339()).expect("digits and marks are ASCII"))
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar: years are counted from a first of
/// March, so that the leap day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    let shifted_year = if month <= 2 { year.checked_sub(1)? } else { year };
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let (era, of_era) = (shifted_year / 400, shifted_year % 400);
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
}

fn rfc3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let number = |range: core::ops::Range<usize>| -> Option<u64> {
        let digits = text.get(range)?;
        if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let is = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|b| allowed.contains(b));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let days = days_of(year, month, day)?;
    // A day that the calendar does not have comes back as another one.
    if date(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=3).contains(&digits) {
            return None;
        }
        ms = fraction[..digits].parse::<u64>().ok()? * [100, 10, 1][digits - 1];
        rest = &fraction[digits..];
    }
    let local = days * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000 + ms;
    if rest.eq_ignore_ascii_case("z") {
        return Some(local);
    }
    let offset = rest.as_bytes();
    if offset.len() != 6 || offset[3] != b':' {
        return None;
    }
    let digits = |at: usize| -> Option<u64> {
        let pair = rest.get(at..at + 2)?;
        if pair.bytes().all(|b| b.is_ascii_digit()) { pair.parse().ok() } else { None }
    };
    let (hours, minutes) = (digits(1)?, digits(4)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let shift = (hours * 60 + minutes) * 60_000;
    match offset[0] {
        b'+' => local.checked_sub(shift),
        b'-' => Some(local + shift),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn times_come_in_any_offset_and_leave_in_z() {
        let check = |text: &str, ms: u64| assert_eq!(Timestamp::from_rfc3339(text), Some(Timestamp(ms)), "{text}");
        check("1970-01-01T00:00:00Z", 0);
        check("2026-05-01T12:00:00.5+09:00", 1_777_604_400_500);
        check("2024-02-29T23:59:59.999-01:30", 1_709_256_599_999);
        assert_eq!(Timestamp(1_777_604_400_500).to_string(), "2026-05-01T03:00:00.500Z");
        assert_eq!(Timestamp(u64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        let bad =
            ["", "1777604400500", "2026-02-29T00:00:00Z", "2026-05-01", "2026-05-01T12:00:00", "é026-05-01T00:00:00Z"];
        for text in bad.into_iter().chain(["2026-05-01T12:00:00.1234Z", "2026-05-01T12:00:60Z", "1969-12-31T23:59:59Z"])
        {
            assert_eq!(Timestamp::from_rfc3339(text), None, "{text}");
        }
    }
}
