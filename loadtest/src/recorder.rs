//! Latencies of all clients, in histograms: of the whole run, and since one last looked.

mod histogram;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

pub(crate) use self::histogram::Histogram;

/// Histograms that clients share by number, so that two threads seldom meet at one lock.
const SHARDS: usize = 8;

/// Takes latencies from many clients at once.
#[derive(Default)]
pub(crate) struct Recorder {
    /// What came since the last look.
    shards: [Mutex<Histogram>; SHARDS],
    /// What came before it.
    earlier: Mutex<Histogram>,
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
    /// Records the latency of client number `client` for so many updates.
    pub(crate) fn record(&self, client: usize, latency: Duration, updates: u64) {
        locked(&self.shards[client % SHARDS]).record(latency, updates);
    }

    /// What was recorded since the last call of this.
    pub(crate) fn interval(&self) -> Percentiles {
        let mut all = Histogram::default();
        for shard in &self.shards {
            let mut shard = locked(shard);
            all += &*shard;
            shard.reset();
        }
        *locked(&self.earlier) += &all;
        all.percentiles()
    }

    /// What was recorded so far.
    pub(crate) fn histogram(&self) -> Histogram {
        let mut all = locked(&self.earlier).clone();
        for shard in &self.shards {
            all += &*locked(shard);
        }
        all
    }
}

fn locked(histogram: &Mutex<Histogram>) -> MutexGuard<'_, Histogram> {
    histogram.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_of_one_second_shows_as_one_second() {
        let recorder = Recorder::default();
        for client in 0..1000 {
            let latency = if client % 50 == 0 { Duration::from_secs(1) } else { Duration::from_millis(5) };
            recorder.record(client, latency, 1);
        }
        let percentiles = recorder.histogram().percentiles();
        assert!((percentiles.p50 - 5.0).abs() < 0.1, "{percentiles:?}");
        assert!((percentiles.p99 - 1000.0).abs() < 2.0, "{percentiles:?}");
    }

    #[test]
    fn looking_forgets_nothing() {
        let recorder = Recorder::default();
        recorder.record(0, Duration::from_millis(1), 1);
        assert_eq!(recorder.interval().count, 1);
        recorder.record(1, Duration::from_millis(9), 2);
        let interval = recorder.interval();
        assert_eq!((interval.count, interval.p50), (2, interval.max));
        assert_eq!(recorder.interval().count, 0);
        assert_eq!(recorder.histogram().percentiles().count, 3);
    }
}
