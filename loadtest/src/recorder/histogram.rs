//! How often each latency was found: exact enough to be added to others, and small enough to be kept in a report.

use std::{collections::BTreeMap, ops::AddAssign, time::Duration};

use hdrhistogram::Histogram as Hdr;
use serde::{Deserialize, Serialize};

use super::Percentiles;

/// Latencies up to here are told apart; longer ones count as this long. Ten minutes, longer than any run's drain.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Three significant digits: an error of 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Latencies. In JSON, microseconds and how often each was found; all histograms round in the same way, so that those
/// of several processes are added without loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<u64, u64>", into = "BTreeMap<u64, u64>")]
pub(crate) struct Histogram(Hdr<u64>);

impl Default for Histogram {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "constant bounds of which the second is above twice the first")]
        Self(Hdr::new_with_bounds(1, LATENCY_US_MAX, SIGNIFICANT_DIGITS).expect("the bounds are good"))
    }
}

impl Histogram {
    /// Adds a latency, so many times.
    pub(crate) fn record(&mut self, latency: Duration, times: u64) {
        self.0.saturating_record_n(latency.as_micros() as u64, times);
    }

    /// Forgets all.
    pub(super) fn reset(&mut self) {
        self.0.reset();
    }

    /// What people look at.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let ms = |us: u64| us as f64 / 1000.0;
        Percentiles {
            p50: ms(self.0.value_at_quantile(0.50)),
            p90: ms(self.0.value_at_quantile(0.90)),
            p99: ms(self.0.value_at_quantile(0.99)),
            p999: ms(self.0.value_at_quantile(0.999)),
            max: ms(self.0.max()),
            count: self.0.len(),
        }
    }
}

impl AddAssign<&Self> for Histogram {
    fn add_assign(&mut self, other: &Self) {
        self.0 += &other.0;
    }
}

impl From<Histogram> for BTreeMap<u64, u64> {
    fn from(histogram: Histogram) -> Self {
        histogram.0.iter_recorded().map(|found| (found.value_iterated_to(), found.count_at_value())).collect()
    }
}

impl From<BTreeMap<u64, u64>> for Histogram {
    fn from(counts: BTreeMap<u64, u64>) -> Self {
        let mut histogram = Self::default();
        for (us, count) in counts {
            histogram.0.saturating_record_n(us, count);
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies_us: impl Iterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        latencies_us.for_each(|us| histogram.record(Duration::from_micros(us), 1));
        histogram
    }

    #[test]
    fn what_two_reports_hold_adds_up_to_what_one_process_would_have_found() {
        let json = |histogram: &Histogram| serde_json::to_string(histogram).unwrap();
        let mut merged: Histogram = serde_json::from_str(&json(&of((1..9000).map(|n| n * 37)))).unwrap();
        merged += &serde_json::from_str(&json(&of((1..500).map(|n| n * 100_003)))).unwrap();
        let whole = of((1..9000).map(|n| n * 37).chain((1..500).map(|n| n * 100_003)));
        assert_eq!(json(&merged), json(&whole));
        assert_eq!(merged.percentiles(), whole.percentiles());
    }
}
