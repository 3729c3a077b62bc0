//! Events of a datastore, in few words.

use bytes::Bytes;
use datastore_adapters::SourceEvent;
use model::{Key, Kind, Update};

pub const DATASTORE: u64 = 7;

pub fn key(name: &str) -> Key {
    Key::global(Kind::GlobalNetworkSet, name)
}

pub fn put(name: &str, revision: u64, value: impl Into<Bytes>) -> Update {
    Update { key: key(name), value: Some(value.into()), revision }
}

pub fn delete(name: &str, revision: u64) -> Update {
    Update { key: key(name), value: None, revision }
}

/// A whole list.
pub fn list(revision: u64, items: Vec<Update>) -> [SourceEvent; 3] {
    [SourceEvent::Init { datastore_id: DATASTORE }, SourceEvent::InitItems(items), SourceEvent::InitDone { revision }]
}

/// A transaction.
pub fn apply(updates: Vec<Update>) -> SourceEvent {
    let revision = updates.first().map_or(0, |update| update.revision);
    SourceEvent::Apply { revision, updates }
}
