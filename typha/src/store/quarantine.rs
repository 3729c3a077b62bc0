//! Damaged entries are put away at once: nobody shall get them, and what the datastore says of their keys next is news.

use std::{collections::BTreeSet, sync::Arc};

use imbl::OrdSet;
use model::{Key, Update, Version};

use super::{Damage, Entry, Store, View};

/// What was put away and is not known again.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    keys: BTreeSet<Key>,
    /// An entry was lost of which not even the key could be read: only a complete list tells what it was.
    is_list_needed: bool,
}

/// What is to be read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These keys.
    Keys(Vec<Key>),
    /// A complete list.
    List,
}

impl Lost {
    /// Something is said about a key; whether it was a lost one.
    pub(super) fn found(&mut self, key: &Key) -> bool {
        !self.keys.is_empty() && self.keys.remove(key)
    }

    /// A complete list has come; which of the lost keys were not in it.
    pub(super) fn listed(&mut self, is_list_needed: bool, marked: impl Fn(&Key) -> bool) -> BTreeSet<Key> {
        self.is_list_needed = is_list_needed;
        // What was lost after it was listed is to be read again all the same.
        let (again, gone) = std::mem::take(&mut self.keys).into_iter().partition(marked);
        self.keys = again;
        gone
    }
}

impl Store {
    /// Puts damaged entries away, and makes the maps and sums anew from those that are whole. Until the lost keys are
    /// known again, the state must not be served.
    pub fn put_away(&mut self, damaged: &[Damage]) {
        for damage in damaged {
            self.lost.is_list_needed |= damage.candidates.is_empty();
            self.lost.keys.extend(damage.candidates.iter().cloned());
        }
        let away: BTreeSet<&str> = damaged.iter().map(|damage| &*damage.key).collect();
        let all = std::mem::take(&mut self.view.entries);
        let whole: Vec<Arc<Entry>> =
            all.iter().filter(|(key, _)| !away.contains(&***key)).map(|(_, entry)| Arc::clone(entry)).collect();
        self.rebuild(whole);
        self.renew();
    }

    /// From now on nothing counts that was made of this state's bytes before.
    pub fn renew(&mut self) {
        self.view.edition += 1;
    }

    /// A state that took the place of another is not mistaken for it.
    pub fn renew_after(&mut self, edition: u64) {
        self.view.edition = self.view.edition.max(edition);
    }

    /// Whether the state is whole: nothing that was put away is unknown.
    pub fn is_whole(&self) -> bool {
        self.lost.keys.is_empty() && !self.lost.is_list_needed
    }

    /// How many keys are to be known again.
    pub fn lost_keys(&self) -> usize {
        self.lost.keys.len() + usize::from(self.lost.is_list_needed)
    }

    /// What to read again, at most so many keys at once; none where the state is whole.
    pub fn wanted(&self, keys_max: usize) -> Option<Wanted> {
        match &self.lost {
            lost if lost.is_list_needed => Some(Wanted::List),
            lost if lost.keys.is_empty() => None,
            lost => Some(Wanted::Keys(lost.keys.iter().take(keys_max).cloned().collect())),
        }
    }

    /// Takes in what was read again: keys as they were at some revision. What is known to be newer stays.
    pub fn restore(&mut self, items: &[Update]) {
        for item in items {
            self.write(item);
        }
    }

    /// What is lost and was not in a complete list does not exist.
    pub(super) fn bury_lost(&mut self, revision: Version, is_list_needed: bool, is_marked: impl Fn(&str) -> bool) {
        for key in self.lost.listed(is_list_needed, |key| is_marked(&key.to_string())) {
            let key = key.to_string();
            if !self.view.entries.contains_key(key.as_str()) {
                self.put(None, Entry::new(key.into(), None, revision));
            }
        }
    }

    /// Whether only a complete list tells what was lost.
    pub(super) fn is_list_needed(&self) -> bool {
        self.lost.is_list_needed
    }

    fn rebuild(&mut self, entries: Vec<Arc<Entry>>) {
        let emptied = View::empty(self.view.datastore_id, self.view.epoch);
        let former = std::mem::replace(&mut self.view, emptied);
        (self.tombstones, self.tombstone_bytes) = (OrdSet::new(), 0);
        for entry in entries {
            self.account_addition(&entry);
            self.place(entry);
        }
        // Digests of the past are forgotten: they may be as wrong as what was found.
        self.view.revision = former.revision;
        self.view.floor = former.floor;
        self.view.edition = former.edition;
        self.view.written_bytes = former.written_bytes;
    }
}
