//! What became of peers that were turned away: counted all, logged some.
//!
//! A peer that fails for ever must not fill the disk, and a flood must not hide that it is one. How many were not logged
//! is told before the next one that is; of a flood that nobody follows only the counters tell.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::{counter::Counter, family::Family};

use crate::metrics::Reason;

/// Per [`PERIOD`], this many are logged: enough to see what is wrong with a peer or two.
const LOGGED: u32 = 10;
/// See [`LOGGED`].
const PERIOD: Duration = Duration::from_secs(10);

/// Why a peer was turned away that came when all places were taken.
pub(super) const NO_ROOM: &str = "too many connections";

/// The log of peers that were turned away.
pub(crate) struct Rejections {
    counts: Family<Reason, Counter>,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    logged: u32,
    suppressed: u64,
}

impl Rejections {
    pub(crate) fn new(counts: Family<Reason, Counter>) -> Self {
        // An alert asks for its increase, and Prometheus sees none in a counter that begins with the first one.
        drop(counts.get_or_create(&Reason { reason: NO_ROOM }));
        Self { counts, state: Mutex::new(State { began: Instant::now(), logged: 0, suppressed: 0 }) }
    }

    /// Counts a peer that is turned away, and logs it if not too many were.
    pub(crate) fn reject(&self, kind: &'static str, address: SocketAddr, reason: &str) {
        self.counts.get_or_create(&Reason { reason: kind }).inc();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(suppressed) = state.admit(Instant::now()) else { return };
        if suppressed > 0 {
            tracing::warn!(suppressed, "more peers were turned away than are logged");
        }
        tracing::warn!(%address, kind, "turned away: {reason}");
    }
}

impl State {
    /// Whether to log now; if so, how many were not logged since the last one that was.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.began) >= PERIOD {
            (self.began, self.logged) = (now, 0);
        }
        if self.logged >= LOGGED {
            self.suppressed += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_with_the_next_that_is_logged() {
        let start = Instant::now();
        let mut state = State { began: start, logged: 0, suppressed: 0 };
        let logged = (0..1000).filter(|_| state.admit(start).is_some()).count();
        assert_eq!(logged, LOGGED as usize);
        assert_eq!(state.admit(start + PERIOD), Some(990));
        assert_eq!(state.admit(start + PERIOD), Some(0));
    }
}
