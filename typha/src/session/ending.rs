//! Why the server ends a stream by itself, and what it tells the client then.

use std::{sync::Arc, time::Duration};

use model::Version;
use proto::sync::v1::{GoAway, go_away::Kind};

/// Why the server ends a stream. All of them mean "try another replica".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// This replica has not read the datastore yet, or lost some of it.
    #[error("{server} does not have the datastore's whole state: {complaint}")]
    NotInSync {
        /// The replica.
        server: Arc<str>,
        /// What keeps it.
        complaint: String,
    },
    /// The client has seen more than this replica.
    #[error("{server} is at revision {revision} and the client at {position}; it would take the client back in time")]
    Behind {
        /// The replica.
        server: Arc<str>,
        /// Where it stands.
        revision: Version,
        /// Where the client stands.
        position: Version,
    },
    /// The client wants nothing but to resume.
    #[error("{server} cannot resume from revision {position}, only begin anew")]
    NoResume {
        /// The replica.
        server: Arc<str>,
        /// Where the client stands.
        position: Version,
    },
    /// The server drains.
    #[error("{server} is going away: {reason}")]
    Draining {
        /// The replica.
        server: Arc<str>,
        /// Why.
        reason: String,
    },
    /// Too many clients need what is costly to send.
    #[error(
        "{server} is sending snapshots to as many clients as it can, and {waiting} wait; come back in {retry_after:?}"
    )]
    Busy {
        /// The replica.
        server: Arc<str>,
        /// How many clients wait at it.
        waiting: usize,
        /// When the client may come back.
        retry_after: Duration,
    },
    /// The server has its share of clients.
    #[error("{server} has {clients} clients and its share is {share}")]
    Full {
        /// The replica.
        server: Arc<str>,
        /// How many clients it has.
        clients: usize,
        /// How many it should have.
        share: usize,
        /// Where to go instead, the best first; anywhere else where there is none.
        servers: Vec<String>,
    },
}

impl Ending {
    /// The stream's last message.
    pub(super) fn last_words(&self) -> GoAway {
        let (kind, retry_after, servers) = match self {
            Self::NotInSync { .. } => (Kind::NotReady, Duration::ZERO, &[][..]),
            Self::Behind { .. } => (Kind::Behind, Duration::ZERO, &[][..]),
            Self::NoResume { .. } => (Kind::NoResume, Duration::ZERO, &[][..]),
            Self::Draining { .. } => (Kind::Draining, Duration::ZERO, &[][..]),
            Self::Busy { retry_after, .. } => (Kind::Busy, *retry_after, &[][..]),
            Self::Full { servers, .. } => (Kind::Full, Duration::ZERO, &servers[..]),
        };
        let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
        let (reason, servers) = (self.to_string(), servers.to_vec());
        GoAway { reason, within_ms: 0, kind: kind.into(), retry_after_ms, servers }
    }
}
