//! Times as the contract writes them: RFC 3339 in `Z` with milliseconds.

use crate::Timestamp;
use crate::limits::TIMESTAMP_MAX;
use core::fmt;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Timestamp {
    /// `2026-05-01T03:00:00.500Z`. What lies beyond the year 9999 is written as the last instant of it.
    pub fn rfc3339(self) -> [u8; 24] {
        let at = self.0.min(TIMESTAMP_MAX);
        let (days, ms) = (at / DAY_MS, at % DAY_MS);
        let (year, month, day) = date(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        put(&mut text[0..4], year);
        put(&mut text[5..7], month);
        put(&mut text[8..10], day);
        put(&mut text[11..13], ms / 3_600_000);
        put(&mut text[14..16], ms / 60_000 % 60);
        put(&mut text[17..19], ms / 1_000 % 60);
        put(&mut text[20..23], ms % 1_000);
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.rfc3339();
        f.pad(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar: years are counted from a first of
/// March, so that the leap day comes last.
pub fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn times_are_written_in_z_with_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_777_604_400_500, "2026-05-01T03:00:00.500Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (TIMESTAMP_MAX, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(ms).to_string(), text);
        }
    }
}
