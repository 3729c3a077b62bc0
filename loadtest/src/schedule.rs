//! When things are to happen. The schedule is open-loop: a late action is late, and the next one is not moved.
//!
//! Latency counts from the intended time, so that a stalled server cannot hide behind a client that waits for it.

use std::time::Duration;

use tokio::time::Instant;

/// Intended times: groups of actions, evenly spaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// When the first action is to happen.
    start: Instant,
    /// Time between two groups.
    interval: Duration,
    /// Actions of a group, all intended for the same moment.
    burst: u64,
}

impl Schedule {
    /// `rate` actions a second from `start` on, `burst` of them at a time.
    pub(crate) fn new(start: Instant, rate: f64, burst: u32) -> Self {
        let burst = burst.max(1);
        Self { start, interval: Duration::from_secs_f64(f64::from(burst) / rate), burst: u64::from(burst) }
    }

    /// When action number `index` is to happen.
    pub(crate) fn intended(&self, index: u64) -> Instant {
        let group = index / self.burst;
        self.start + Duration::from_nanos((self.interval.as_nanos() as u64).saturating_mul(group))
    }

    /// How many actions are intended for now or earlier.
    pub(crate) fn due(&self, now: Instant) -> u64 {
        match now.checked_duration_since(self.start) {
            Some(elapsed) => (elapsed.as_nanos() / self.interval.as_nanos().max(1)) as u64 * self.burst + self.burst,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_keep_the_rate() {
        let start = Instant::now();
        let steady = Schedule::new(start, 10.0, 1);
        let bursts = Schedule::new(start, 10.0, 20);
        assert_eq!(steady.intended(3), start + Duration::from_millis(300));
        assert_eq!(bursts.intended(19), start);
        assert_eq!(bursts.intended(20), start + Duration::from_secs(2));
        assert_eq!(bursts.intended(100), steady.intended(100));
        assert_eq!((bursts.due(start), bursts.due(bursts.intended(20)), steady.due(steady.intended(7))), (20, 40, 8));
    }
}
