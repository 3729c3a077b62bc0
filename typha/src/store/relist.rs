//! A complete list on its way into a store: mark while it comes, sweep when it is complete.

use std::{collections::HashSet, sync::Arc};

use model::{Update, Version};

use super::{Damage, Entry, Store};

/// A list that is being received. The store it started from is not touched until [`Relist::finish`]: what was true stays
/// in force, and a list that breaks off is dropped with what it brought.
pub struct Relist {
    store: Store,
    /// What readers know already: an older list would take them back.
    at_least: Version,
    /// The keys that were listed.
    marked: HashSet<Arc<str>>,
    /// Whether entries were put away since the list began.
    has_lost: bool,
    /// Whether a key was listed as it was before a change that was known.
    took_back: bool,
}

impl Relist {
    /// Starts over `store`, or beside it where the list is of another datastore.
    pub fn start(store: &Store, datastore_id: u64) -> Self {
        let mut relist = Self::start_beside(store, datastore_id);
        if store.datastore_id() == datastore_id {
            relist.store = store.clone();
        }
        relist
    }

    /// Starts beside `store` even where the list is of the same datastore: what is known of it cannot be believed.
    pub fn start_beside(store: &Store, datastore_id: u64) -> Self {
        let is_same = store.datastore_id() == datastore_id;
        Self {
            store: Store::new(datastore_id, store.epoch() + 1).bounded(store.tombstone_allowance_bytes),
            at_least: if is_same { store.revision() } else { 0 },
            marked: HashSet::new(),
            has_lost: false,
            took_back: false,
        }
    }

    /// Takes a part of the list. A key whose listed revision is known keeps its place in the index.
    pub fn items(&mut self, items: &[Update]) {
        for item in items {
            self.store.write(item);
            if item.value.is_some() {
                self.mark(item);
            }
        }
    }

    fn mark(&mut self, item: &Update) {
        let key = item.key.to_string();
        let known = self.store.view.entries.get(key.as_str()).cloned();
        if known.as_ref().is_some_and(|known| known.revision() > item.revision) {
            self.take_back(&key, item);
        }
        self.marked.insert(known.map_or_else(|| key.into(), |known| Arc::clone(known.key())));
    }

    /// A backup was restored and its revision raised above what it had reached: its keys keep their old revisions, and
    /// the changes after it that are known here never happened.
    fn take_back(&mut self, key: &str, item: &Update) {
        self.took_back = true;
        self.store.forget(key);
        self.store.write(item);
    }

    /// Damage was found in the state that the list started from.
    pub fn put_away(&mut self, damaged: &[Damage]) {
        self.has_lost = true;
        self.store.put_away(damaged);
    }

    /// The list is complete as of `revision`: what was not listed does not exist. The result is the store to go on
    /// with.
    pub fn finish(mut self, revision: Version) -> Result<Store, ListIsOlder> {
        if revision < self.at_least {
            return Err(ListIsOlder { revision, current: self.at_least });
        }
        self.sweep(revision);
        // What a list brought before its store lost something, only another list can bring again.
        let is_list_needed = self.has_lost && self.store.is_list_needed();
        if self.took_back {
            tracing::warn!(revision, "the datastore was restored from a backup; all clients get a snapshot");
            self.store.view.epoch += 1;
        }
        let Self { store, marked, .. } = &mut self;
        store.bury_lost(revision, is_list_needed, |key| marked.contains(key));
        // What happened between the last commit and the list is known only by its result: digests in between are not.
        self.store.view.digests.clear();
        self.store.commit(revision);
        Ok(self.store)
    }

    fn sweep(&mut self, revision: Version) {
        let entries = self.store.view.entries.clone();
        for (key, entry) in &entries {
            if !entry.is_tombstone() && !self.marked.contains(key) {
                self.store.put(Some(entry), Entry::new(Arc::clone(key), None, revision));
            }
        }
    }
}

/// A list that would take readers back in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the datastore listed its state as of revision {revision}, but revision {current} was known already; \
     if it was restored from a backup, restart typha and its clients"
)]
pub struct ListIsOlder {
    /// The list's revision.
    pub revision: Version,
    /// Ours.
    pub current: Version,
}
