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

/// The time that matters to a connection.
pub(super) struct Clock {
    /// How long a silent peer is left alone before it is asked for a sign of life, and how long that may take.
    keepalive: Duration,
    /// When the first request must have begun; none once it has.
    first_request: Option<Instant>,
    /// The peer's last sign of life.
    heard: Instant,
    /// When it was asked for one since.
    asked: Option<Instant>,
    /// When the present period of allowances began.
    period: Instant,
    /// When `sleep` wakes us.
    armed: Instant,
    sleep: Pin<Box<Sleep>>,
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

    /// What is due.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        if self.first_request.is_some_and(|until| now >= until) {
            return Due::Silent;
        }
        if self.asked.is_some_and(|asked| now >= asked + self.keepalive) {
            return Due::Dead;
        }
        if self.asked.is_none() && now >= self.heard + self.keepalive {
            (self.asked, self.period) = (Some(now), now);
            return Due::Ping;
        }
        if now >= self.period + self.keepalive {
            self.period = now;
            return Due::Period;
        }
        Due::Nothing
    }

    /// Sees to it that we wake when something is due, here or elsewhere.
    pub(super) fn arm(&mut self, elsewhere: Option<Instant>, now: Instant, context: &mut Context<'_>) {
        let own = self.asked.unwrap_or(self.heard) + self.keepalive;
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
