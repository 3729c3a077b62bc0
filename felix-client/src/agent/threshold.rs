//! Whether the first state may be enforced. Pure: ages and times come in.
//!
//! What an agent that has just started finds in its kernel is what its former life enforced last. An old state would take
//! that back in time, until the client has found a replica whose view of the datastore is fresh; so it waits a little.

use std::time::Duration;

use tokio::time::Instant;

/// Where no view is fresh, the best that there is is enforced after this. The client has asked its replicas by then, and
/// one that hangs for as long as it takes to be given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// What the first state has to pass.
#[derive(Debug)]
pub(super) struct Threshold {
    /// A view of this age is old.
    age_limit: Duration,
    patience: Duration,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has come yet.
    Empty,
    /// What came is old.
    OldUntil(Instant),
    /// Passed once, it is never shut again: later states are later.
    Passed,
}

impl Threshold {
    pub(super) fn new(age_limit: Duration, patience: Duration) -> Self {
        Self { age_limit, patience, stage: Stage::Empty }
    }

    /// A state came, from a view of this age.
    pub(super) fn told(&mut self, age: Duration, now: Instant) {
        match self.stage {
            _ if age < self.age_limit => self.stage = Stage::Passed,
            Stage::Empty => {
                let (age_ms, patience_ms) = (age.as_millis() as u64, self.patience.as_millis() as u64);
                tracing::warn!(
                    age_ms,
                    patience_ms,
                    "the first state is old; waiting for a fresh one before it is enforced"
                );
                self.stage = Stage::OldUntil(now + self.patience);
            }
            Stage::OldUntil(_) | Stage::Passed => {}
        }
    }

    /// Whether what came may be enforced.
    pub(super) fn is_passed(&self) -> bool {
        self.stage == Stage::Passed
    }

    /// When it may be, however old it is.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        if let Stage::OldUntil(at) = self.stage { Some(at) } else { None }
    }

    /// It is time.
    pub(super) fn open(&mut self) {
        self.stage = Stage::Passed;
    }
}
