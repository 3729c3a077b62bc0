//! Why the server ends a stream by itself.

use std::sync::Arc;

use model::Version;

/// Why the server ends a stream. All of them mean "try another replica".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// This replica has not read the datastore yet.
    #[error("{server} has not read the datastore yet: {complaint}")]
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
    /// The server drains.
    #[error("{server} is going away: {reason}")]
    Draining {
        /// The replica.
        server: Arc<str>,
        /// Why.
        reason: String,
    },
}
