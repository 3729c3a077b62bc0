//! What the store keeps under a key, and how it changes. No history here; that is [`super::state`].

use std::sync::Arc;

use bytes::Bytes;
use model::Version;

/// All records at one revision. Cloning shares everything.
pub(super) type Records = imbl::OrdMap<Bytes, Arc<Record>>;

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The revision at which the key came into being.
    pub create_revision: Version,
    /// The revision of this value.
    pub mod_revision: Version,
    /// How many values the key has had since it came into being, this one included.
    pub version: u64,
    /// The lease that the key is bound to; 0 for none.
    pub lease: i64,
    /// The value.
    pub value: Bytes,
}

/// One key's change in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The key.
    pub key: Bytes,
    /// What is there now; `None` for a deletion.
    pub record: Option<Arc<Record>>,
    /// What was there before, where that is still known.
    pub previous: Option<Arc<Record>>,
}

impl Change {
    /// What it costs to remember, roughly.
    pub(super) fn weight(&self) -> usize {
        let of = |record: &Option<Arc<Record>>| record.as_ref().map_or(0, |record| record.value.len());
        self.key.len() + of(&self.record) + of(&self.previous)
    }
}
