//! Times that several processes of a run understand: the wall clock, read once, and the monotonic clock from there on.
//!
//! A step of the wall clock during a run changes nothing. Processes on several machines agree as well as their clocks do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    read_at: Instant,
    since_unix: Duration,
}

impl Clock {
    /// Reads both.
    pub(crate) fn now() -> Self {
        let since_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { read_at: Instant::now(), since_unix }
    }

    /// A moment, as time since the Unix epoch.
    pub(crate) fn since_unix(&self, at: Instant) -> Duration {
        let later = at.saturating_duration_since(self.read_at);
        (self.since_unix + later).saturating_sub(self.read_at.saturating_duration_since(at))
    }

    /// The moment at a time since the Unix epoch; now, where that is before this process can tell.
    pub(crate) fn instant(&self, since_unix: Duration) -> Instant {
        let earlier = self.since_unix.saturating_sub(since_unix);
        let later = since_unix.saturating_sub(self.since_unix);
        self.read_at.checked_sub(earlier).unwrap_or(self.read_at) + later
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_and_found_again() {
        let clock = Clock::now();
        for at in [clock.read_at + Duration::from_millis(1500), clock.read_at - Duration::from_millis(200)] {
            assert_eq!(clock.instant(clock.since_unix(at)), at);
        }
    }
}
