//! What clients received, counted: of one, of all of a run, of all shares of it.

use std::{ops::AddAssign, time::Duration};

use serde::{Deserialize, Serialize};

/// What all clients together received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Client-updates that arrived themselves.
    pub(crate) delivered: u64,
    /// Client-updates that never arrived, neither themselves nor conflated.
    pub(crate) lost: u64,
    /// Client-updates that arrived conflated into a later one of the same key.
    pub(crate) conflated: u64,
    /// Streams that ended before the run did, but for those that clients left.
    pub(crate) cut: u64,
    /// Streams that clients left in peace: asked to, referred to another replica, or because it was out of date.
    #[serde(default)]
    pub(crate) moved: u64,
    /// Times that typha had too much to send and told a client when to come back.
    #[serde(default)]
    pub(crate) put_off: u64,
    /// Times that a client came and got no stream, for any other reason.
    #[serde(default)]
    pub(crate) failed_attempts: u64,
    /// Streams that began where the client stood.
    pub(crate) resumes: u64,
    /// Streams that began from nothing, each client's first included.
    pub(crate) snapshots: u64,
    /// Those of clients that had everything already.
    #[serde(default)]
    pub(crate) snapshots_again: u64,
    /// The longest that a client had no stream, until it had everything again.
    #[serde(default, rename = "longest_gap_ms", with = "milliseconds")]
    pub(crate) longest_gap: Duration,
    /// How old the servers' view of the datastore ever was, as they told their clients.
    pub(crate) upstream_age_ms: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.conflated += other.conflated;
        self.cut += other.cut;
        self.moved += other.moved;
        self.put_off += other.put_off;
        self.failed_attempts += other.failed_attempts;
        self.resumes += other.resumes;
        self.snapshots += other.snapshots;
        self.snapshots_again += other.snapshots_again;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
        self.upstream_age_ms = self.upstream_age_ms.max(other.upstream_age_ms);
    }
}

/// A duration as the whole milliseconds in it.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_millis() as u64)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
