//! When a connection wakes although nothing came: one timer, which is touched only when it is due or too late.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    task::coop::unconstrained,
    time::{Sleep, sleep_until},
};

/// How often in that time to look whether a peer that was asked for a sign of life takes anything.
const LOOKS: u32 = 4;

/// The time that matters to a connection.
pub(super) struct Clock {
    /// How long a silent peer is left alone before it is asked for a sign of life, and how long that may take.
    keepalive: Duration,
    /// When the first request must have begun; none once it has.
    first_request: Option<Instant>,
    /// The peer's last sign of life.
    heard: Instant,
    /// What became of asking it for one since.
    asked: Option<Asked>,
    /// When the present period of allowances began.
    period: Instant,
    /// When `sleep` wakes us.
    armed: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// A peer that was asked for a sign of life, and the way of the question to it.
struct Asked {
    /// The last time that the peer took any of what lies before the question.
    since: Instant,
    /// The least that it had not taken yet at any look.
    backlog: u32,
}

/// What it is time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// To begin a new period of allowances.
    Period,
    /// To ask the peer for a sign of life, and to begin a new period: it used nothing of this one.
    Ping,
    /// To give the peer up: it never asked for anything.
    Silent,
    /// To give the peer up: it gives no sign of life.
    Dead,
}

impl Clock {
    pub(super) fn new(first_request: Duration, keepalive: Duration, now: Instant) -> Self {
        let sleep = Box::pin(sleep_until(now.into()));
        // Armed in the past, so that the first look arms it in earnest.
        Self {
            keepalive,
            first_request: Some(now + first_request),
            heard: now,
            asked: None,
            period: now,
            armed: now,
            sleep,
        }
    }

    /// The peer is alive.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    /// A request began.
    pub(super) fn requested(&mut self) {
        self.first_request = None;
    }

    /// Whether anything may be due. Cheap, because a connection wakes often and this is seldom.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.armed
    }

    /// What is due, with so many bytes on their way to the peer. A question that has not reached it cannot be answered:
    /// as long as it takes what lies before, however slowly, it is alive. What comes after the question is no sign.
    pub(super) fn due(&mut self, now: Instant, backlog: u32) -> Due {
        if self.first_request.is_some_and(|until| now >= until) {
            return Due::Silent;
        }
        match &mut self.asked {
            Some(asked) if backlog < asked.backlog => *asked = Asked { since: now, backlog },
            Some(asked) if now >= asked.since + self.keepalive => return Due::Dead,
            None if now >= self.heard + self.keepalive => {
                (self.asked, self.period) = (Some(Asked { since: now, backlog }), now);
                return Due::Ping;
            }
            _ => {}
        }
        if now >= self.period + self.keepalive {
            self.period = now;
            return Due::Period;
        }
        Due::Nothing
    }

    /// Sees to it that we wake when something is due, here or elsewhere.
    pub(super) fn arm(&mut self, elsewhere: Option<Instant>, now: Instant, context: &mut Context<'_>) {
        let own = match &self.asked {
            Some(asked) => (asked.since + self.keepalive).min(now + self.keepalive / LOOKS),
            None => self.heard + self.keepalive,
        };
        let next = [self.first_request, elsewhere].into_iter().flatten().fold(own, Instant::min);
        if next < self.armed || self.is_due(now) {
            self.armed = next;
            self.sleep.as_mut().reset(next.into());
            // A task that did much in one go is told "not yet" by every timer, and this one is not asked again.
            if pin!(unconstrained(self.sleep.as_mut())).poll(context) == Poll::Ready(()) {
                context.waker().wake_by_ref();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPALIVE: Duration = Duration::from_secs(20);

    /// What is due every five seconds, with what is on its way to the peer then, until it is given up.
    #[tokio::main(flavor = "current_thread")]
    async fn given_up_after(backlogs: impl Iterator<Item = u32>) -> Option<Duration> {
        let start = Instant::now();
        let mut clock = Clock::new(Duration::MAX / 4, KEEPALIVE, start);
        clock.requested();
        let looks = (1..).map(|look| start + look * KEEPALIVE / LOOKS);
        let dead = looks.zip(backlogs).find(|(now, backlog)| clock.due(*now, *backlog) == Due::Dead);
        dead.map(|(at, _)| at - start)
    }

    #[test]
    fn a_peer_that_takes_what_was_sent_is_alive_however_slow_it_is() {
        assert_eq!(given_up_after((0..1000).rev().map(|left| left * 100)), None);
    }

    #[test]
    fn a_peer_that_takes_nothing_is_given_up_in_time() {
        assert_eq!(given_up_after([5000; 100].into_iter()), Some(2 * KEEPALIVE));
        assert_eq!(given_up_after([0; 100].into_iter()), Some(2 * KEEPALIVE));
    }

    #[test]
    fn what_is_sent_and_taken_after_the_question_is_no_sign_of_life() {
        let deltas = [0, 350, 700].into_iter().cycle().take(100);
        let found = given_up_after(deltas);
        assert!(found.is_some_and(|after| after <= 2 * KEEPALIVE + KEEPALIVE / 2), "{found:?}");
    }

    #[test]
    fn a_peer_that_has_it_all_must_answer() {
        let taken = [9000, 9000, 9000, 9000, 6000, 3000].into_iter().chain([0; 100]);
        assert_eq!(given_up_after(taken), Some(KEEPALIVE * 2 + KEEPALIVE * 3 / 4));
    }
}
