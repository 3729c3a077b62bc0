//! Objectives: `p99<=100ms`, and whether a report meets them.

use std::{fmt, str::FromStr};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::{Report, compare::METRICS};

/// What a run is to meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objective {
    /// As it was written.
    text: String,
    metric: String,
    is_upper: bool,
    bound: f64,
}

/// Whether it was met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// The objective as it was written.
    pub(crate) objective: String,
    /// What was found, in the metric's unit; absent where the run has no such figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actual: Option<f64>,
    /// Whether it was met; what was not found is not.
    pub(crate) is_met: bool,
}

impl FromStr for Objective {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (metric, is_upper, bound) = match (text.split_once("<="), text.split_once(">=")) {
            (Some((metric, bound)), None) => (metric, true, bound),
            (None, Some((metric, bound))) => (metric, false, bound),
            _ => bail!("{text:?} is no objective; write for example p99<=100ms or lost<=0"),
        };
        let metric = metric.trim().to_owned();
        let Some(known) = METRICS.iter().find(|known| known.name == metric) else {
            let known: Vec<&str> = METRICS.iter().map(|known| known.name).collect();
            bail!("there is no metric {metric:?}; there is: {}", known.join(", "));
        };
        let bound = quantity(bound.trim(), known.unit)?;
        Ok(Self { text: text.to_owned(), metric, is_upper, bound })
    }
}

/// A number in the metric's unit; seconds are understood where it is milliseconds.
fn quantity(text: &str, unit: &str) -> Result<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.trim().parse().with_context(|| format!("{text:?} is no number"))?;
    match text[digits.len()..].trim() {
        "" => Ok(number),
        given if given.eq_ignore_ascii_case(unit) => Ok(number),
        "s" if unit == "ms" => Ok(number * 1000.0),
        given => bail!("the unit {given:?} does not fit; it is {unit:?}"),
    }
}

impl Objective {
    /// Holds it against a report.
    pub(crate) fn judge(&self, report: &Report) -> Verdict {
        let actual = METRICS.iter().find(|known| known.name == self.metric).and_then(|known| (known.read)(report));
        let is_met =
            actual.is_some_and(|actual| if self.is_upper { actual <= self.bound } else { actual >= self.bound });
        Verdict { objective: self.text.clone(), actual, is_met }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.is_met { "met" } else { "MISSED" };
        match self.actual {
            Some(actual) => write!(f, "objective {}: {verdict} ({actual:.2})", self.objective),
            None => write!(f, "objective {}: {verdict} (this run has no such figure)", self.objective),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read_with_their_units() {
        let bound = |text: &str| text.parse::<Objective>().unwrap().bound;
        assert_eq!((bound("p99<=100ms"), bound("p99 <= 0.1s"), bound("lost<=0")), (100.0, 100.0, 0.0));
        assert!(!"delivered>=5".parse::<Objective>().unwrap().is_upper);
        let refused = |text: &str| text.parse::<Objective>().unwrap_err().to_string();
        assert!(refused("p98<=1ms").contains("p50"), "the known ones are named");
        assert!(refused("p99<1ms").contains("p99<=100ms"));
        assert!(refused("p99<=1KB").contains("\"ms\""));
    }
}
