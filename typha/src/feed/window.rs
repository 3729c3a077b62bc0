//! When to publish what came: at once while it is quiet, in batches while it is not.

use std::time::{Duration, Instant};

/// The longest that a change waits for others. Batches of 20 ms cost 1,000 clients one core at most, whatever the rate
/// of writes, and people do not notice 20 ms.
const LONGEST: Duration = Duration::from_millis(20);
/// The first step from publishing at once.
const SHORTEST: Duration = Duration::from_millis(1);

/// The batching window: zero while changes are rare, doubling while they keep coming.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// When the last batch was published.
    last: Option<Instant>,
    /// How long after it the next may be published.
    length: Duration,
}

impl Window {
    /// When a change that comes at `now` shall be published.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + self.length))
    }

    /// A batch is published at `now`.
    pub(crate) fn published(&mut self, now: Instant) {
        let is_burst = self.last.is_some_and(|last| now.saturating_duration_since(last) <= LONGEST + SHORTEST);
        self.length = if is_burst { (self.length * 2).clamp(SHORTEST, LONGEST) } else { Duration::ZERO };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes changes that come every `interval`; how many batches that makes, and the longest wait.
    fn run(interval: Duration, changes: u32) -> (u32, Duration) {
        let start = Instant::now();
        let (mut window, mut batches, mut longest) = (Window::default(), 0, Duration::ZERO);
        let mut pending: Option<(Instant, Instant)> = None;
        for change in 0..changes {
            let now = start + interval * change;
            if let Some((came, due)) = pending.filter(|(_, due)| *due <= now) {
                window.published(due);
                (batches, longest, pending) = (batches + 1, longest.max(due - came), None);
            }
            pending = pending.or_else(|| Some((now, window.due(now))));
        }
        (batches, longest)
    }

    #[test]
    fn rare_changes_do_not_wait() {
        assert_eq!(run(Duration::from_millis(50), 100), (99, Duration::ZERO));
    }

    #[test]
    fn frequent_changes_share_batches_and_wait_no_longer_than_the_window() {
        let (batches, longest) = run(Duration::from_millis(1), 1000);
        assert!((45..=70).contains(&batches), "{batches} batches in a second");
        assert!(longest <= LONGEST, "{longest:?}");
    }

    #[test]
    fn the_window_closes_when_it_is_quiet_again() {
        let mut window = Window::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            now = window.due(now + SHORTEST);
            window.published(now);
        }
        assert_eq!(window.length, LONGEST);
        now += Duration::from_secs(1);
        assert_eq!(window.due(now), now);
        window.published(now);
        assert_eq!(window.length, Duration::ZERO);
    }
}
