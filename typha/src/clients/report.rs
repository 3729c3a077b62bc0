//! What a node says that its kernel enforces.

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
