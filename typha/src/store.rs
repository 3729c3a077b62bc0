//! The datastore's state as typha holds it: the single writer's side.
//!
//! One mechanism serves snapshots, deltas, resumption and slow clients: an ordered map by key, and an index by last
//! modification in which deleted keys keep a tombstone. "Everything since revision g, each key once, latest value" is a
//! range of the index. Readers work on a [`View`]; they and the writer never wait for each other.
//!
//! No I/O, no clock, and no meaning of keys and values: entries are bytes.

mod audit;
#[cfg(test)]
pub(crate) mod damage;
mod entry;
mod quarantine;
mod relist;
mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::OrdSet;
use model::{Update, Version};

pub use self::{
    audit::{Audit, Damage, End, Slice},
    entry::Entry,
    quarantine::Wanted,
    relist::{ListIsOlder, Relist},
    view::{Cursor, View},
};
use self::{quarantine::Lost, view::Place};

/// Tombstones may always take this much, however small the state: a small cluster that deletes half of itself should
/// not cost its clients a snapshot.
const TOMBSTONE_ALLOWANCE_BYTES: usize = 1 << 20;

/// What an entry takes beside its encoded bytes: its key, its places in the maps, and what holds it all. Tombstones are
/// short, and this is most of what they take; by their bytes alone they would come to four times the state's memory.
const ENTRY_BYTES: usize = 300;

/// Digests of this many past commits are kept, so that the digest in a client's position can be checked. At ten
/// commits per second it is more than six minutes; older positions are checked by the client itself.
const DIGEST_HISTORY: usize = 4096;

/// The state and its history. Cloning is cheap: the maps share their nodes.
#[derive(Clone)]
pub struct Store {
    /// What readers get. Changed by [`Store::apply`] and by a [`Relist`] only.
    view: View,
    /// Where the tombstones are in the index, so that the oldest can be dropped.
    tombstones: OrdSet<Place>,
    /// What the tombstones take in memory.
    tombstone_bytes: usize,
    /// See [`TOMBSTONE_ALLOWANCE_BYTES`].
    tombstone_allowance_bytes: usize,
    /// Keys whose entries were damaged and put away. Changed by [`Store::put_away`] and by writes.
    lost: Lost,
}

impl Store {
    /// Nothing, before any revision, of a datastore.
    pub fn new(datastore_id: u64, epoch: u64) -> Self {
        Self {
            view: View::empty(datastore_id, epoch),
            tombstones: OrdSet::new(),
            tombstone_bytes: 0,
            tombstone_allowance_bytes: TOMBSTONE_ALLOWANCE_BYTES,
            lost: Lost::default(),
        }
    }

    /// The same with another allowance for tombstones than the usual one.
    pub fn bounded(self, tombstone_allowance_bytes: usize) -> Self {
        Self { tombstone_allowance_bytes, ..self }
    }

    /// The present state, immutable.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The identity of the datastore.
    pub fn datastore_id(&self) -> u64 {
        self.view.datastore_id
    }

    /// Up to which revision the state is complete.
    pub fn revision(&self) -> Version {
        self.view.revision
    }

    /// Which line of history this is; see [`View::epoch`].
    pub fn epoch(&self) -> u64 {
        self.view.epoch
    }

    /// Applies the changes of a transaction. The caller publishes no view in between.
    ///
    /// A transaction that is not newer than the state breaks the sources' contract. Where it brings news, they are still
    /// taken, since there may be no other notice of them; but readers who are past that revision would miss them, so a
    /// new epoch sends them all a snapshot.
    pub fn apply(&mut self, revision: Version, updates: &[Update]) {
        let written_bytes = self.view.written_bytes;
        for update in updates {
            self.write(update);
        }
        if revision <= self.view.revision && written_bytes != self.view.written_bytes {
            tracing::error!(
                revision,
                current = self.view.revision,
                "the datastore's adapter delivered a change late; all clients get a snapshot"
            );
            self.view.epoch += 1;
            self.view.digests.clear();
        }
        self.commit(revision);
    }

    /// Takes note that nothing of ours changed up to this revision.
    pub fn advance(&mut self, revision: Version) {
        self.view.revision = self.view.revision.max(revision);
    }

    /// Ends a transaction: the digest of the state at this revision is remembered, and history is kept within bounds.
    fn commit(&mut self, revision: Version) {
        self.advance(revision);
        // While entries are lost it is not the digest of what the datastore has.
        if self.is_whole() {
            self.view.digests.insert(self.view.revision, self.view.digest);
        }
        if self.view.digests.len() > DIGEST_HISTORY {
            let oldest = self.view.digests.get_min().map(|(revision, _)| *revision);
            oldest.and_then(|revision| self.view.digests.remove(&revision));
        }
        self.drop_oldest_tombstones();
    }

    /// Brings one key to what the update says, unless we know something newer.
    fn write(&mut self, update: &Update) {
        let key = update.key.to_string();
        let was_lost = self.lost.found(&update.key);
        let old = self.view.entries.get(key.as_str()).cloned();
        let is_old_news = old.as_ref().is_some_and(|old| old.revision() >= update.revision);
        // Of a lost key's former life readers may know; they must hear of its end.
        let was_absent = old.as_ref().map_or(!was_lost, |old| old.is_tombstone());
        if is_old_news || (was_absent && update.value.is_none()) {
            return;
        }
        let key = old.as_ref().map_or_else(|| Arc::from(key), |old| Arc::clone(old.key()));
        self.put(old.as_deref(), Entry::new(key, update.value.as_deref(), update.revision));
    }

    fn put(&mut self, old: Option<&Entry>, entry: Entry) {
        if let Some(old) = old {
            self.account_removal(old);
            self.view.index.remove(&Place::of(old));
        }
        let entry = Arc::new(entry);
        self.account_addition(&entry);
        self.place(entry);
    }

    /// Takes what is known of a key away, as if it had never been known.
    fn forget(&mut self, key: &str) {
        if let Some(entry) = self.view.entries.remove(key) {
            self.account_removal(&entry);
            self.view.index.remove(&Place::of(&entry));
        }
    }

    fn place(&mut self, entry: Arc<Entry>) {
        self.view.index.insert(Place::of(&entry), Arc::clone(&entry));
        self.view.entries.insert(Arc::clone(entry.key()), entry);
    }

    fn account_addition(&mut self, entry: &Entry) {
        self.view.written_bytes += entry.encoded().len() as u64;
        if entry.is_tombstone() {
            self.tombstone_bytes += memory_bytes(entry);
            self.tombstones.insert(Place::of(entry));
        } else {
            self.view.keys += 1;
            self.view.state_bytes += entry.encoded().len();
            self.view.digest.add(entry.hash());
            self.view.ranges.add(entry.range(), entry.hash());
        }
    }

    fn account_removal(&mut self, entry: &Entry) {
        if entry.is_tombstone() {
            self.tombstone_bytes -= memory_bytes(entry);
            self.tombstones.remove(&Place::of(entry));
        } else {
            self.view.keys -= 1;
            self.view.state_bytes -= entry.encoded().len();
            self.view.digest.remove(entry.hash());
            self.view.ranges.remove(entry.range(), entry.hash());
        }
    }

    /// Tombstones never take more than the state itself. Whoever is older than a dropped one needs a snapshot.
    fn drop_oldest_tombstones(&mut self) {
        let state_bytes = self.view.state_bytes + self.view.keys * ENTRY_BYTES;
        let bound = state_bytes.max(self.tombstone_allowance_bytes);
        while self.tombstone_bytes > bound {
            let Some(place) = self.tombstones.get_min().cloned() else { return };
            self.tombstones.remove(&place);
            self.view.floor = self.view.floor.max(place.revision());
            if let Some(entry) = self.view.index.remove(&place) {
                self.tombstone_bytes -= memory_bytes(&entry);
                self.view.entries.remove(entry.key());
            }
        }
    }
}

fn memory_bytes(entry: &Entry) -> usize {
    entry.encoded().len() + ENTRY_BYTES
}
