//! Latencies of all clients, in histograms: of the whole run, and since one last looked.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Histograms that clients share by number, so that two threads seldom meet at one lock.
const SHARDS: usize = 8;
/// Latencies up to here are told apart; longer ones count as this long. Ten minutes, longer than any run's drain.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Three significant digits: an error of 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Takes latencies from many clients at once.
pub(crate) struct Recorder {
    /// What came since the last look.
    shards: Vec<Mutex<Histogram<u64>>>,
    /// What came before it.
    earlier: Mutex<Histogram<u64>>,
}

/// Latency percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    /// Half of the updates arrived within this.
    pub(crate) p50: f64,
    /// Nine of ten.
    pub(crate) p90: f64,
    /// Ninety-nine of a hundred.
    pub(crate) p99: f64,
    /// Nine hundred and ninety-nine of a thousand.
    #[serde(default)]
    pub(crate) p999: f64,
    /// All.
    pub(crate) max: f64,
    /// How many latencies these are of.
    #[serde(default)]
    pub(crate) count: u64,
}

impl Recorder {
    /// An empty recorder.
    pub(crate) fn new() -> Result<Self> {
        let histogram = || Ok(Mutex::new(Histogram::new_with_bounds(1, LATENCY_US_MAX, SIGNIFICANT_DIGITS)?));
        Ok(Self { shards: (0..SHARDS).map(|_| histogram()).collect::<Result<_>>()?, earlier: histogram()? })
    }

    /// Records one latency of client number `client`.
    pub(crate) fn record(&self, client: usize, latency: Duration) {
        locked(&self.shards[client % SHARDS]).saturating_record(latency.as_micros() as u64);
    }

    /// What was recorded since the last call of this.
    pub(crate) fn interval(&self) -> Percentiles {
        let mut all = locked(&self.earlier).clone();
        all.reset();
        for shard in &self.shards {
            let mut shard = locked(shard);
            all += &*shard;
            shard.reset();
        }
        *locked(&self.earlier) += &all;
        read(&all)
    }

    /// What was recorded so far.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let mut all = locked(&self.earlier).clone();
        for shard in &self.shards {
            all += &*locked(shard);
        }
        read(&all)
    }
}

fn locked(histogram: &Mutex<Histogram<u64>>) -> MutexGuard<'_, Histogram<u64>> {
    histogram.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(histogram: &Histogram<u64>) -> Percentiles {
    let ms = |us: u64| us as f64 / 1000.0;
    Percentiles {
        p50: ms(histogram.value_at_quantile(0.50)),
        p90: ms(histogram.value_at_quantile(0.90)),
        p99: ms(histogram.value_at_quantile(0.99)),
        p999: ms(histogram.value_at_quantile(0.999)),
        max: ms(histogram.max()),
        count: histogram.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_of_one_second_shows_as_one_second() {
        let recorder = Recorder::new().unwrap();
        for client in 0..1000 {
            let latency = if client % 50 == 0 { Duration::from_secs(1) } else { Duration::from_millis(5) };
            recorder.record(client, latency);
        }
        let percentiles = recorder.percentiles();
        assert!((percentiles.p50 - 5.0).abs() < 0.1, "{percentiles:?}");
        assert!((percentiles.p99 - 1000.0).abs() < 2.0, "{percentiles:?}");
    }

    #[test]
    fn looking_forgets_nothing() {
        let recorder = Recorder::new().unwrap();
        recorder.record(0, Duration::from_millis(1));
        assert_eq!(recorder.interval().count, 1);
        recorder.record(1, Duration::from_millis(9));
        let interval = recorder.interval();
        assert_eq!((interval.count, interval.p50), (1, interval.max));
        assert_eq!(recorder.interval().count, 0);
        assert_eq!(recorder.percentiles().count, 2);
    }
}
