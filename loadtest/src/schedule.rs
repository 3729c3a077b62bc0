//! When things are to happen. The schedule is open-loop: a late action is late, and the next one is not moved.
//!
//! Latency counts from the intended time, so that a stalled server cannot hide behind a client that waits for it.

use std::time::Duration;

use tokio::time::Instant;

/// Evenly spaced intended times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// When the first action is to happen.
    pub(crate) start: Instant,
    /// Time between two actions.
    pub(crate) interval: Duration,
}

impl Schedule {
    /// `rate` actions a second from `start` on.
    pub(crate) fn new(start: Instant, rate: f64) -> Self {
        Self { start, interval: Duration::from_secs_f64(1.0 / rate) }
    }

    /// When action number `index` is to happen.
    pub(crate) fn intended(&self, index: u64) -> Instant {
        self.start + Duration::from_nanos((self.interval.as_nanos() as u64).saturating_mul(index))
    }
}
