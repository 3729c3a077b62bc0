//! Where the writer publishes the state and sessions find it.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, futures::OwnedNotified};

use super::Integrity;
use crate::{session::Drain, store::View};

/// The state as of one moment.
#[derive(Clone)]
pub struct Published {
    /// All entries.
    pub view: Arc<View>,
    /// Whether the view is the datastore's whole state as of its revision.
    pub in_sync: bool,
    /// When the view last proved to be the datastore's; a list that has not ended proves nothing.
    pub proof_of_life: Option<Instant>,
    /// Why the source's list is refused, or else what the source last complained about, until the next proof of life.
    pub complaint: Option<Arc<str>>,
    /// What audits of the state in memory found.
    pub integrity: Integrity,
    /// How many lists of the datastore's whole state ever began.
    pub lists: u64,
    /// Counts the writer's regular beats, which go on whether there is news or not.
    pub beat: u64,
}

impl Published {
    /// How long ago the datastore last proved to be alive; `None` where it never did.
    pub fn upstream_age(&self, now: Instant) -> Option<Duration> {
        self.proof_of_life.map(|proof| now.saturating_duration_since(proof))
    }
}

/// One writer replaces the state; any number of readers load it and learn that there is a newer one.
pub struct Board {
    shown: Arc<Shown>,
    /// Who is told of changes here. Boards that show the same tell different readers.
    changed: Arc<Notify>,
}

/// What boards show.
struct Shown {
    current: ArcSwap<Published>,
    /// Set once, when the server begins to drain.
    drain: OnceLock<Drain>,
}

impl Board {
    /// A board that shows this.
    pub fn new(state: Published) -> Self {
        let shown = Shown { current: ArcSwap::from_pointee(state), drain: OnceLock::new() };
        Self { shown: Arc::new(shown), changed: Arc::default() }
    }

    /// A board that shows the same, and learns of changes by [`Self::pass_on`]. Waking a thousand readers on another
    /// thread costs each of them a lock and a system call; waking one of them that wakes the rest does not.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { shown: Arc::clone(&self.shown), changed: Arc::default() }
    }

    /// Tells this board's readers whatever another one tells its own, for ever.
    pub async fn pass_on(&self, from: &Self) {
        let mut changed = from.changed();
        loop {
            changed.await;
            // What changes from here on is told next time; what changed before is seen by those who are woken now.
            changed = from.changed();
            self.changed.notify_waiters();
        }
    }

    /// The latest state.
    pub fn load(&self) -> Arc<Published> {
        self.shown.current.load_full()
    }

    /// The latest state, for a look that is over at once: without counting one more reader, which all cores would.
    pub(crate) fn look(&self) -> impl Deref<Target = Arc<Published>> {
        self.shown.current.load()
    }

    /// Whether and how the server drains.
    pub fn draining(&self) -> Option<&Drain> {
        self.shown.drain.get()
    }

    /// Completes at the first change after this call. To miss none, call this before looking.
    pub fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.changed).notified_owned()
    }

    /// Replaces the state and wakes all readers.
    pub fn publish(&self, state: Published) {
        self.shown.current.store(Arc::new(state));
        self.changed.notify_waiters();
    }

    /// Says how fresh the state is and what its source complains of, and wakes nobody: streams tell their clients with the
    /// next beat.
    pub(super) fn refresh(&self, state: Published) {
        let view = Arc::clone(&self.look().view);
        self.shown.current.store(Arc::new(Published { view, ..state }));
    }

    /// Tells all readers that the server drains. Only the first call counts.
    pub fn drain(&self, drain: Drain) {
        // The first call has said it already.
        let _ = self.shown.drain.set(drain);
        self.changed.notify_waiters();
    }
}
