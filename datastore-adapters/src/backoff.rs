//! How long to wait before trying again: exponential, with jitter, so that a fleet does not return in step.

use std::time::Duration;

/// Short enough that a restarted datastore is found again within a blink.
const FIRST: Duration = Duration::from_millis(50);
/// Long enough that a datastore in trouble is left in peace, short enough that nobody waits for us.
const LONGEST: Duration = Duration::from_secs(5);

/// The next delay.
#[derive(Debug)]
pub(crate) struct Backoff {
    /// The upper bound of the next delay; doubles with each failure.
    bound: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { bound: FIRST }
    }

    /// Something worked: the next failure starts from the beginning.
    pub(crate) fn reset(&mut self) {
        self.bound = FIRST;
    }

    /// Between half the bound and the bound.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let delay = self.bound.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.bound = (self.bound * 2).min(LONGEST);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_up_to_the_bound_and_starts_again_after_success() {
        let mut backoff = Backoff::new();
        assert!(backoff.next_delay() <= FIRST);
        for _ in 0..20 {
            backoff.next_delay();
        }
        let delay = backoff.next_delay();
        assert!(delay >= LONGEST / 2 && delay <= LONGEST, "{delay:?}");
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
    }
}
