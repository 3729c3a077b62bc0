//! What a node says that its kernel enforces.

use std::net::SocketAddr;

use model::Version;
use serde::Serialize;

/// What a node says that its kernel enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The revision whose consequences are enforced.
    pub applied_revision: Version,
    /// When that was reached, by the node's clock.
    pub applied_at_unix_ms: u64,
    /// What could not be enforced.
    pub failures: Vec<Failure>,
}

/// Something that a node could not enforce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The resource's key, or the kernel object's name.
    pub object: String,
    /// Why, for people.
    pub reason: String,
}

/// Why a report does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreported {
    /// The client has just moved to another replica, or its stream is about to begin.
    #[error("node {node} has no stream at this replica")]
    NoStream {
        /// The node.
        node: String,
    },
    /// Nobody tells what other nodes enforce.
    #[error("node {node} has its stream on another connection than this one from {from}")]
    NotItsConnection {
        /// The node.
        node: String,
        /// Where the report came from.
        from: SocketAddr,
    },
    /// The client has seen more than this replica has by now.
    #[error("node {node} reports revision {applied}, and this replica is at {latest}")]
    Ahead {
        /// The node.
        node: String,
        /// What it reports.
        applied: Version,
        /// Where the replica stands.
        latest: Version,
    },
}
