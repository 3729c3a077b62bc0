//! What the brain hands to the dataplane.

use std::{fmt, sync::Arc};

use model::{Key, Version, intent::Delta};

/// A way from one complete state to a later one. There is none before the agent has a complete, verified state; the
/// first one leads there from nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// What changes on this node; may be empty.
    pub delta: Delta,
    /// The datastore's revision that this node is at once it is applied.
    pub revision: Version,
    /// All resources that are not enforced as they were written, as of this revision.
    pub rejected: Arc<[Rejected]>,
}

/// A resource that cannot be enforced as it was written; it fails closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which.
    pub key: Key,
    /// Why, for people.
    pub reason: Arc<str>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}
