//! The one loop that has the kernel: intents in, kernel programmed, typha told. It alone decides when to program.
//!
//! Nothing is programmed before the first intent, which is the whole state. What fails is tried again with backoff, what
//! drifts is put right, and the end of the loop leaves the kernel as it is.

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use felix_client::{
    agent::Intent,
    sync::{Failure, Report},
};
use model::{Version, intent::Delta};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

/// The first retry after a failure: most failures are an interface that is about to appear.
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// Retries grow no rarer than this.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What programs the kernel.
pub(crate) trait Kernel: Send {
    /// Takes a change of what is wanted in; programs nothing.
    fn take(&mut self, delta: &Delta);

    /// Makes the kernel what is wanted. A failure of one object does not keep the others from being programmed.
    fn apply(&mut self) -> impl Future<Output = Outcome> + Send;

    /// Waits until another [`Self::apply`] may have something to do: interfaces changed, or it is time to look for
    /// drift. Cancel safe.
    fn disturbed(&mut self) -> impl Future<Output = ()> + Send;
}

/// What came of programming the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What could not be programmed; the rest is.
    pub(crate) failures: Vec<Failure>,
    /// Nothing could be programmed, and why.
    pub(crate) broken: Option<String>,
}

/// What is enforced, for people and probes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Enforced {
    /// The revision that the kernel enforces; none before the first.
    pub(crate) revision: Option<Version>,
    /// When that was reached.
    pub(crate) applied_at: Option<SystemTime>,
    /// How long the kernel took the last time.
    pub(crate) took: Duration,
    /// What is not enforced.
    pub(crate) failures: Vec<Failure>,
}

/// The loop and what it owns.
pub(crate) struct Enforcement<K, R> {
    kernel: K,
    /// The revision that the kernel is to enforce; none before the first intent.
    wanted: Option<Version>,
    /// Resources that are not enforced as they were written; no retry mends them.
    rejected: Vec<Failure>,
    /// When to try again what failed.
    retry_at: Option<Instant>,
    /// Attempts that failed in a row.
    attempts: u32,
    /// Tells typha.
    report: R,
    /// Tells people.
    enforced: watch::Sender<Enforced>,
}

impl<K: Kernel, R: FnMut(Report) + Send> Enforcement<K, R> {
    /// Tells typha by `report` and people by `enforced`.
    pub(crate) fn new(kernel: K, report: R, enforced: watch::Sender<Enforced>) -> Self {
        Self { kernel, wanted: None, rejected: Vec::new(), retry_at: None, attempts: 0, report, enforced }
    }

    /// Lives until the agent's intents end, or until cancelled between two turns by `stop`. The kernel is never left in
    /// the middle of a change.
    pub(crate) async fn run(mut self, mut intents: impl Intents, mut stop: impl Future<Output = ()> + Unpin) -> Ended {
        loop {
            let started = self.wanted.is_some();
            let retry_at = self.retry_at;
            tokio::select! {
                biased;
                () = &mut stop => return Ended::Stopped,
                intent = intents.next() => match intent {
                    None => return Ended::AgentGone,
                    Some(intent) => self.take(&intent),
                },
                () = self.kernel.disturbed(), if started => {}
                // Never polled without a time to wait for.
                () = time::sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {}
            }
            self.apply().await;
        }
    }

    fn take(&mut self, intent: &Intent) {
        self.kernel.take(&intent.delta);
        self.wanted = Some(intent.revision);
        let rejected = intent.rejected.iter();
        self.rejected =
            rejected.map(|each| Failure { object: each.key.to_string(), reason: each.reason.to_string() }).collect();
    }

    async fn apply(&mut self) {
        let Some(revision) = self.wanted else { return };
        let started = Instant::now();
        let outcome = self.kernel.apply().await;
        let took = started.elapsed();
        self.schedule_retry(&outcome);
        let before = self.enforced.borrow().clone();
        let now = after(&before, revision, took, outcome);
        tell_people(&before, &now);
        if let (Some(applied_revision), Some(applied_at)) = (now.revision, now.applied_at) {
            let failures = now.failures.iter().chain(&self.rejected).cloned().collect();
            (self.report)(Report { applied_revision, applied_at, failures });
        }
        self.enforced.send_replace(now);
    }

    fn schedule_retry(&mut self, outcome: &Outcome) {
        if outcome.failures.is_empty() && outcome.broken.is_none() {
            self.attempts = 0;
            self.retry_at = None;
            return;
        }
        let delay = FIRST_RETRY.saturating_mul(1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX)).min(LAST_RETRY);
        self.attempts = (self.attempts + 1).min(u32::BITS - 1);
        self.retry_at = Some(Instant::now() + delay);
    }
}

/// Where intents come from.
pub(crate) trait Intents: Send {
    /// The next one; `None` where there will be none any more. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Option<Intent>> + Send;
}

impl Intents for felix_client::agent::Agent {
    fn next(&mut self) -> impl Future<Output = Option<Intent>> + Send {
        felix_client::agent::Agent::next(self)
    }
}

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to.
    Stopped,
    /// The agent broke down.
    AgentGone,
}

/// The kernel enforces a revision only once an apply came through; what fails in it is told beside it.
fn after(before: &Enforced, revision: Version, took: Duration, outcome: Outcome) -> Enforced {
    let (revision, applied_at) = match outcome.broken {
        None if before.revision != Some(revision) => (Some(revision), Some(SystemTime::now())),
        _ => (before.revision, before.applied_at),
    };
    let failures = match outcome.broken {
        Some(reason) => vec![Failure { object: "kernel".to_owned(), reason }],
        None => outcome.failures,
    };
    Enforced { revision, applied_at, took, failures }
}

/// Each failure is said once, and its end too.
fn tell_people(before: &Enforced, now: &Enforced) {
    for failure in now.failures.iter().filter(|failure| !before.failures.contains(failure)) {
        tracing::warn!(object = failure.object, reason = failure.reason, "cannot enforce; will be tried again");
    }
    for failure in before.failures.iter().filter(|old| !now.failures.iter().any(|new| new.object == old.object)) {
        tracing::info!(object = failure.object, "enforced again");
    }
    if now.revision != before.revision {
        let (revision, took_ms) = (now.revision, now.took.as_micros() as f64 / 1000.0);
        if before.revision.is_none() {
            tracing::info!(revision, took_ms, "the kernel enforces the whole state");
        } else {
            tracing::debug!(revision, took_ms, "the kernel enforces a later revision");
        }
    }
}
