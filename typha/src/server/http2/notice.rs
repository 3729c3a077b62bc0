//! A notice to all connections: leave.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{Notify, futures::OwnedNotified};

/// Given once. To look at it costs a load, so that connections can do so whenever they wake.
#[derive(Debug, Default)]
pub(crate) struct Notice {
    is_given: AtomicBool,
    given: Arc<Notify>,
}

impl Notice {
    /// Wakes whoever waits.
    pub(crate) fn give(&self) {
        self.is_given.store(true, Ordering::Release);
        self.given.notify_waiters();
    }

    pub(super) fn is_given(&self) -> bool {
        self.is_given.load(Ordering::Acquire)
    }

    /// Completes when it is given after this call.
    pub(super) fn waited_for(&self) -> OwnedNotified {
        Arc::clone(&self.given).notified_owned()
    }
}
