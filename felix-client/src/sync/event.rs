//! What a client tells its consumer.

use std::{fmt, sync::Arc, time::Duration};

use model::{Update, Version};
use telemetry::Journey;

use super::{Disconnect, choice::Choice};

/// How a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The whole state follows.
    Snapshot,
    /// Only what changed since the client's position follows.
    Resume,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Snapshot => "snapshot",
            Self::Resume => "resume",
        })
    }
}

/// A step in a client's life. `Updates` alone changes state; the others are for people.
#[derive(Debug)]
pub enum Event {
    /// A stream began. Where none ended before, it took the place of another without a gap.
    Connected {
        /// The replica's own name.
        server: Arc<str>,
        /// Where it was dialled, `host:port`.
        address: Arc<str>,
        /// What follows.
        mode: Mode,
        /// Which of the replicas it is, and why.
        choice: Arc<Choice>,
    },
    /// Everything up to a revision has come, verified.
    Updates(Updates),
    /// The server is alive but does not have the whole state itself yet; what is held stays in force.
    ServerNotInSync,
    /// The stream ended; what is held stays in force and another is tried.
    Disconnected {
        /// Why.
        reason: Disconnect,
        /// When the next attempt starts.
        retry_in: Duration,
    },
}

/// The way from one state of the datastore to a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updates {
    /// The datastore's revision that is reached.
    pub revision: Version,
    /// What differs from what was handed out before, each key once; after a snapshot too, deletions included. Empty
    /// where only the revision moved or the server showed that it is alive.
    pub updates: Vec<Update>,
    /// How old the server's own view of the datastore is.
    pub upstream_age: Duration,
    /// Whether a snapshot led here.
    pub snapshot: bool,
    /// Those of the changes' revisions that are traced.
    pub journeys: Vec<Journey>,
}

/// A checkpoint that was good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// Up to which revision the consumer has everything.
    pub(super) revision: Version,
    /// How old the replica's view of the datastore is.
    pub(super) upstream_age: Duration,
}
