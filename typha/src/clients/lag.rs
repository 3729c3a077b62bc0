//! How far a client is behind, and whether that is because it does not read or because it has not reported.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{Client, Point, history::History};

/// A client that has not asked for more for this long after something was handed out to it does not read. It is far
/// more than a slow line needs for a message, and clients that read ask at once.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// How far a client is behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// The node that it serves.
    pub node: Arc<str>,
    /// How many revisions lie between what it reports to enforce and the last change; `null` before its first report.
    pub behind_revisions: Option<u64>,
    /// For how long it has lacked a change, as far as this replica knows; 0 where it lacks none.
    pub behind_ms: u64,
    /// For how long it has not read what was sent; `null` where it reads, and has perhaps only not reported yet.
    pub stalled_ms: Option<u64>,
}

impl Client {
    pub(super) fn lag(&self, last_change: Point, history: &History, now: Instant) -> Lag {
        let applied = self.report(last_change.datastore_id, |report| report.applied_revision);
        Lag {
            node: Arc::clone(&self.node),
            behind_revisions: applied.map(|applied| last_change.revision.saturating_sub(applied)),
            behind_ms: self.behind(last_change, history, now).map_or(0, |behind| behind.as_millis() as u64),
            stalled_ms: self.stalled(now).map(|stalled| stalled.as_millis() as u64),
        }
    }

    /// For how long it has lacked a change; none where it enforces the last one. A client that has never reported is new
    /// here, or the datastore is, whatever it enforces.
    pub(super) fn behind(&self, last_change: Point, history: &History, now: Instant) -> Option<Duration> {
        let applied = self.report(last_change.datastore_id, |report| report.applied_revision);
        if applied.unwrap_or_default() >= last_change.revision {
            return None;
        }
        let new_since =
            history.replaced_at().map_or(self.connected_at, |replaced_at| replaced_at.max(self.connected_at));
        let since = applied.map_or(Some(new_since), |applied| history.followed_at(applied));
        Some(since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)))
    }

    /// For how long it has not read; none where it does.
    pub(super) fn stalled(&self, now: Instant) -> Option<Duration> {
        let since_ms = self.unread_since_ms.load(Ordering::Relaxed).checked_sub(1)?;
        let since = self.connected_at + Duration::from_millis(since_ms);
        Some(now.saturating_duration_since(since)).filter(|stalled| *stalled >= STALLED_AFTER)
    }
}
