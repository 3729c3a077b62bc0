//! How many nodes the cluster has: the Node resources in the datastore, counted now and then.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use model::Kind;

use crate::store::View;

/// A count holds for this long. Counting 5,000 nodes takes a millisecond, and a storm would ask a thousand times.
const HOLDS: Duration = Duration::from_secs(5);

/// The last count.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    counted: Mutex<Option<(Instant, usize)>>,
}

impl Nodes {
    pub(super) fn count(&self, view: &View, now: Instant) -> usize {
        // A poisoned count is still a count.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match *counted {
            Some((at, count)) if now.saturating_duration_since(at) < HOLDS => count,
            _ => {
                let count = view.count(Kind::Node.as_str());
                *counted = Some((now, count));
                count
            }
        }
    }
}
