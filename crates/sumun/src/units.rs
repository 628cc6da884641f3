//! Durations, sizes and times as people write them: `90s`, `500ms`, `7d`, `512MiB`, `2026-05-01T12:00:00Z`.

use serde::Deserialize;
use std::fmt;
use std::str::FromStr;
use sumun_wire::Timestamp;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const DURATION_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 60 * 60_000), ("d", DAY_MS)];
const SIZE_UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    #[error("a duration is a whole number and one of ms, s, m, h, d: `90s`, `500ms`, `7d`")]
    Duration,
    #[error("a size is a whole number and one of B, KiB, MiB, GiB, TiB: `512MiB`")]
    Size,
    #[error("a part is a number from 0 to 1: `0.01`")]
    Ratio,
    #[error("that is more than can be counted")]
    TooLarge,
    #[error("a time is Unix milliseconds, or RFC 3339 with at most milliseconds: `2026-05-01T12:00:00Z`")]
    Time,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Millis(pub(crate) u64);

/// Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Bytes(pub(crate) u64);

/// A part of a whole, from 0 to 1, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio(pub(crate) u32);

/// Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) u64);

fn measured(text: &str, units: &[(&str, u64)], flaw: UnitError) -> Result<u64, UnitError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let Some((_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(flaw);
    };
    if number.is_empty() {
        return Err(flaw);
    }
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(*scale)).ok_or(UnitError::TooLarge)
}

fn written(n: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (unit, scale) = units.iter().rev().find(|(_, scale)| n.is_multiple_of(*scale)).unwrap_or(&units[0]);
    if n == 0 { write!(f, "0{}", units[0].0) } else { write!(f, "{}{unit}", n / scale) }
}

impl FromStr for Ratio {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Ratio, UnitError> {
        let ratio = text.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or(UnitError::Ratio)?;
        Ok(Ratio((ratio * 1e6).round() as u32))
    }
}

impl Ratio {
    pub(crate) fn part(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl FromStr for Millis {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Millis, UnitError> {
        measured(text, &DURATION_UNITS, UnitError::Duration).map(Millis)
    }
}

impl FromStr for Bytes {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Bytes, UnitError> {
        measured(text, &SIZE_UNITS, UnitError::Size).map(Bytes)
    }
}

impl TryFrom<String> for Millis {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Millis, UnitError> {
        text.parse()
    }
}

impl TryFrom<String> for Bytes {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Bytes, UnitError> {
        text.parse()
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(self.0, &DURATION_UNITS, f)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        written(self.0, &SIZE_UNITS, f)
    }
}

/// RFC 3339 in `Z` with milliseconds, as the contract's JSON has it.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Timestamp(self.0).fmt(f)
    }
}

impl FromStr for Moment {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<Moment, UnitError> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map(Moment).map_err(|_| UnitError::TooLarge);
        }
        Timestamp::from_rfc3339(text).map(|Timestamp(ms)| Moment(ms)).ok_or(UnitError::Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let good =
            [("90s", 90_000), ("500ms", 500), ("7d", 604_800_000), ("15m", 900_000), ("2h", 7_200_000), ("0s", 0)];
        for (text, ms) in good {
            assert_eq!(text.parse(), Ok(Millis(ms)), "{text}");
        }
        for text in ["", "90", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1h30m", "1w", "1sec", "９s"] {
            assert_eq!(text.parse::<Millis>(), Err(UnitError::Duration), "{text}");
        }
        assert_eq!("99999999999999999999s".parse::<Millis>(), Err(UnitError::TooLarge));
        assert_eq!("18446744073709551615s".parse::<Millis>(), Err(UnitError::TooLarge));
    }

    #[test]
    fn sizes_are_a_number_and_a_unit() {
        let good = [("512MiB", 512 << 20), ("1GiB", 1 << 30), ("64KiB", 64 << 10), ("1B", 1), ("2TiB", 2 << 40)];
        for (text, bytes) in good {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["512", "512MB", "512mib", "MiB", "1.5GiB", "-1B"] {
            assert_eq!(text.parse::<Bytes>(), Err(UnitError::Size), "{text}");
        }
    }

    #[test]
    fn units_are_written_as_they_are_read() {
        for text in ["90s", "500ms", "7d", "25h", "512MiB"] {
            let back =
                text.parse::<Millis>().map(|m| m.to_string()).or_else(|_| text.parse::<Bytes>().map(|b| b.to_string()));
            assert_eq!(back.as_deref(), Ok(text));
        }
    }

    #[test]
    fn times_come_in_any_offset_and_leave_in_z() {
        let check = |text: &str, ms: u64| assert_eq!(text.parse(), Ok(Moment(ms)), "{text}");
        check("1970-01-01T00:00:00Z", 0);
        check("2026-05-01T12:00:00.5+09:00", 1_777_604_400_500);
        check("2024-02-29T23:59:59.999-01:30", 1_709_256_599_999);
        check("1777604400500", 1_777_604_400_500);
        assert_eq!(Moment(1_777_604_400_500).to_string(), "2026-05-01T03:00:00.500Z");
        assert_eq!(Moment(1_709_256_599_999).to_string(), "2024-03-01T01:29:59.999Z");
        assert_eq!(Moment(253_402_300_799_999).to_string(), "9999-12-31T23:59:59.999Z");
        let bad =
            ["", "tomorrow", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-05-01", "2026-05-01T24:00:00Z"];
        for text in
            bad.into_iter().chain(["2026-05-01T12:00:00", "2026-05-01T12:00:00.1234Z", "2026-05-01T12:00:00+9:00"])
        {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        for day in 0..150_000 {
            let ms = day * DAY_MS + day % DAY_MS;
            assert_eq!(Moment(ms).to_string().parse(), Ok(Moment(ms)));
        }
    }
}
