//! When to try again: full-jitter backoff. Pure; randomness comes in. Where to try is `course`'s business.

use std::time::Duration;

/// The first wait lies between nothing and this: long enough that a thousand agents that lost one replica do not reach
/// the next in the same instant, short against anything a person notices.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// No wait is longer: an agent is back this soon after typha is.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// Exponential backoff with full jitter. It never gives up, and starts over only after a stream that lasted: a replica that
/// serves and fails again at once is met with each client's handshake each time.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// Attempts that failed, and streams that did not last, since one that did.
    failures: u32,
}

impl Backoff {
    /// The wait before the next attempt; `random` lies in `0.0..1.0`.
    pub(super) fn next_delay(&mut self, random: f64) -> Duration {
        let ceiling = FIRST_DELAY.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(MAX_DELAY);
        self.failures = (self.failures + 1).min(u32::BITS - 1);
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    }

    /// A replica served for so long.
    pub(super) fn served(&mut self, time: Duration) {
        if time >= MAX_DELAY {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_bound_and_start_over_after_a_stream_that_lasted() {
        let mut backoff = Backoff::default();
        let ceilings: Vec<_> = (0..100).map(|_| backoff.next_delay(1.0)).collect();
        assert_eq!(ceilings[..3], [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]);
        assert!(ceilings.is_sorted());
        assert_eq!(ceilings[99], MAX_DELAY);
        assert_eq!(backoff.next_delay(0.0), Duration::ZERO);
        backoff.served(MAX_DELAY / 2);
        assert_eq!(backoff.next_delay(1.0), MAX_DELAY);
        backoff.served(MAX_DELAY);
        assert_eq!(backoff.next_delay(0.5), FIRST_DELAY / 2);
    }
}
