//! A change to one resource, as every room from the datastore to the agent sees it.

use bytes::Bytes;

use crate::Key;

/// A datastore's revision: totally ordered, shared by all readers of one datastore. 0 is before everything.
pub type Version = u64;

/// The state of one key at one revision. Existence comes from `value`, never from a history of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// What changed.
    pub key: Key,
    /// The resource's v3 projection as JSON; `None` where the resource does not exist.
    pub value: Option<Bytes>,
    /// The revision that last modified the key. For a deletion: the revision of the deletion.
    pub revision: Version,
}
