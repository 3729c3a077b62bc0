//! Durations as people write and read them: `14d`, `36h`, `12 s`.

use std::{fmt, str::FromStr, time::Duration};

/// The units by their letter, the longest first, with their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span(pub(super) Duration);

impl Span {
    pub(super) fn from_ms(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = || {
            let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
            let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
            number.checked_mul(seconds)
        };
        let seconds = seconds().ok_or("it must be a whole number and a unit of d, h, m or s, such as 14d")?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Span {
    /// In the longest unit of which there are two, so that it is off by a third at most.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.as_secs();
        let (unit, seconds) = UNITS.into_iter().find(|(_, seconds)| whole >= 2 * seconds).unwrap_or(('s', 1));
        write!(f, "{} {unit}", whole / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        for (text, seconds) in [("14d", 14 * 86_400), ("36h", 36 * 3_600), ("5m", 300), ("0s", 0)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "d", "14", "1.5d", "-1d", "14 days", "99999999999999999999d", "18446744073709551615d"] {
            let error = text.parse::<Span>().expect_err(text);
            assert!(error.contains("such as 14d"), "{error}");
        }
    }

    #[test]
    fn people_read_it_in_one_unit() {
        for (seconds, text) in [(0, "0 s"), (119, "119 s"), (120, "2 m"), (7_200, "2 h"), (90 * 86_400, "90 d")] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
    }
}
