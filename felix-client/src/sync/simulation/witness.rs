//! Sees everything that happens in a run: holds every state that a client hands on against the datastore's, counts, and
//! digests the whole trace, so that two runs of a seed can be compared.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher as _},
    time::Duration,
};

use bytes::Bytes;
use model::{Key, Version};

use super::{datastore::Datastore, hits::Hits, point::Point, tally::Tally};

/// Keys with their values and the revisions that wrote them.
pub(super) type State = BTreeMap<Key, (Bytes, Version)>;

#[derive(Default)]
pub(super) struct Witness {
    pub(super) hits: Hits,
    /// Entries of clients' states that were compared with the datastore's.
    pub(super) compared: u64,
    /// What became of planted damage.
    pub(super) damage: Tally,
    /// Of every event, every message that was read and every state that was handed on, in their order.
    trace: DefaultHasher,
}

impl Witness {
    pub(super) fn hit(&mut self, point: Point) {
        self.hits.hit(point);
    }

    /// Puts something into the trace.
    pub(super) fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.trace);
    }

    /// The digest of the trace so far. The same in every run of one build.
    pub(super) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// A client hands on a state that it says to be a datastore's, by its identity, at a revision.
    pub(super) fn judge(&mut self, client: usize, at: (u64, Version), age: Duration, state: &State, of: &Datastore) {
        let (truth, digest) = of.at(at);
        for (key, entry) in truth {
            assert_eq!(state.get(key), Some(entry), "client {client}: {key} at {at:?}");
        }
        let invented = state.keys().find(|key| !truth.contains_key(key));
        assert_eq!(invented, None, "client {client}: a key that the datastore did not have at {at:?}");
        self.compared += truth.len() as u64;
        self.hit(Point::StateHandedOn);
        self.note((client, at, age, digest.to_bytes()));
    }
}
