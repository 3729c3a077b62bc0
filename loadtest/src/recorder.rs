//! Latencies of all clients, in a histogram.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Histograms that clients share by number, so that two threads seldom meet at one lock.
const SHARDS: usize = 16;
/// Latencies up to here are told apart; longer ones count as this long. Ten minutes, longer than any run's drain.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Three significant digits: an error of 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Takes latencies from many clients at once.
pub(crate) struct Recorder {
    shards: Vec<Mutex<Histogram<u64>>>,
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
    /// All.
    pub(crate) max: f64,
}

impl Recorder {
    /// An empty recorder.
    pub(crate) fn new() -> Result<Self> {
        let shard = || Ok(Mutex::new(Histogram::new_with_bounds(1, LATENCY_US_MAX, SIGNIFICANT_DIGITS)?));
        Ok(Self { shards: (0..SHARDS).map(|_| shard()).collect::<Result<_>>()? })
    }

    /// Records one latency of client number `client`.
    pub(crate) fn record(&self, client: usize, latency: Duration) {
        let mut shard = self.shards[client % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        shard.saturating_record(latency.as_micros() as u64);
    }

    /// What was recorded so far.
    pub(crate) fn percentiles(&self) -> Percentiles {
        let mut all = Histogram::<u64>::new(SIGNIFICANT_DIGITS).unwrap_or_else(|_| unreachable!("3 digits are valid"));
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all += &*shard;
        }
        let ms = |us: u64| us as f64 / 1000.0;
        Percentiles {
            p50: ms(all.value_at_quantile(0.50)),
            p90: ms(all.value_at_quantile(0.90)),
            p99: ms(all.value_at_quantile(0.99)),
            max: ms(all.max()),
        }
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
}
