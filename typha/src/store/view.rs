//! An immutable state, as readers see it.

use std::{ops::Bound, sync::Arc};

use imbl::OrdMap;
use model::{
    Version,
    digest::{Digest, RangeSet, Ranges},
};

use super::Entry;

/// The state at one revision. Cloning takes constant time, and what two views have in common exists once.
#[derive(Clone)]
pub struct View {
    /// The identity of the datastore.
    pub(super) datastore_id: u64,
    /// Counts the lines of history; see [`View::epoch`].
    pub(super) epoch: u64,
    /// Counts what was made anew of the same state; see [`View::edition`].
    pub(super) edition: u64,
    /// Up to where the state is complete.
    pub(super) revision: Version,
    /// Of all entries that are not tombstones.
    pub(super) digest: Digest,
    /// The digests of its ranges.
    pub(super) ranges: Ranges,
    /// The newest revision of which a tombstone was dropped.
    pub(super) floor: Version,
    /// Latest entries by key, tombstones included.
    pub(super) entries: OrdMap<Arc<str>, Arc<Entry>>,
    /// The same entries by last modification.
    pub(super) index: OrdMap<Place, Arc<Entry>>,
    /// The digests after recent commits.
    pub(super) digests: OrdMap<Version, Digest>,
    /// How many keys exist.
    pub(super) keys: usize,
    /// What the entries of existing keys take.
    pub(super) state_bytes: usize,
    /// What all entries ever written took: the difference of two views bounds what they do not share.
    pub(super) written_bytes: u64,
}

/// An entry's place in the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    revision: Version,
    key: Arc<str>,
}

/// A reader's place in the index: what comes before it is done with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    revision: Version,
    /// `None`: all entries of the revision are done with. Otherwise those up to this key are.
    key: Option<Arc<str>>,
}

impl View {
    pub(super) fn empty(datastore_id: u64, epoch: u64) -> Self {
        Self {
            datastore_id,
            epoch,
            edition: 0,
            revision: 0,
            digest: Digest::default(),
            ranges: Ranges::default(),
            floor: 0,
            entries: OrdMap::new(),
            index: OrdMap::new(),
            digests: OrdMap::new(),
            keys: 0,
            state_bytes: 0,
            written_bytes: 0,
        }
    }

    /// The identity of the datastore.
    pub fn datastore_id(&self) -> u64 {
        self.datastore_id
    }

    /// Counts the lines of history within this process: another one starts with another datastore, and where entries
    /// had to be written behind readers' backs. A reader carries nothing over from one to the next.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Counts the times that entries may have become other bytes without a change, since something was damaged. Readers
    /// go on, but what was made of another edition's bytes is not to be used.
    pub fn edition(&self) -> u64 {
        self.edition
    }

    /// Up to which revision the state is complete.
    pub fn revision(&self) -> Version {
        self.revision
    }

    /// The revision of the newest change, deletions included.
    pub fn last_change(&self) -> Version {
        self.index.get_max().map_or(0, |(place, _)| place.revision)
    }

    /// The digest of the state.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digests of the state's ranges.
    pub fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Deletions up to this revision may be forgotten: positions before it need a snapshot.
    pub fn floor(&self) -> Version {
        self.floor
    }

    /// How many keys exist.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// How many keys of a kind exist. Looks at each of them.
    pub fn count(&self, kind: &str) -> usize {
        let first: Arc<str> = format!("{kind}/").into();
        // The byte after the slash.
        let after: Arc<str> = format!("{kind}0").into();
        self.entries.range(first..after).filter(|(_, entry)| !entry.is_tombstone()).count()
    }

    /// What the encoded entries of existing keys take.
    pub fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    /// What all entries ever written took, up to this view.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// The digest of the state as of a revision, where that is still known.
    pub fn digest_at(&self, revision: Version) -> Option<Digest> {
        if revision >= self.revision {
            return Some(self.digest);
        }
        self.digests.get_prev(&revision).map(|(_, digest)| *digest)
    }

    /// The latest entry of a key, tombstones included.
    pub fn get(&self, key: &str) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// Every entry after the cursor in order of modification: each key once, in its latest state. Tombstones up to
    /// `tombstones_after` are left out; a reader that began at that revision never saw what they bury. Where `ranges` is
    /// given, so are entries up to that revision in other ranges: the reader has them.
    pub fn since(
        &self,
        cursor: &Cursor,
        tombstones_after: Version,
        ranges: Option<RangeSet>,
    ) -> impl Iterator<Item = &Arc<Entry>> {
        let is_lacking =
            move |entry: &Entry| !entry.is_tombstone() && ranges.is_none_or(|ranges| ranges.contains(entry.range()));
        self.index
            .range((cursor.lower_bound(), Bound::Unbounded))
            .map(|(_, entry)| entry)
            .filter(move |entry| entry.revision() > tombstones_after || is_lacking(entry))
    }
}

impl Place {
    pub(super) fn of(entry: &Entry) -> Self {
        Self { revision: entry.revision(), key: Arc::clone(entry.key()) }
    }

    pub(super) fn revision(&self) -> Version {
        self.revision
    }
}

impl Cursor {
    /// After everything up to a revision; 0 is before everything.
    pub fn after(revision: Version) -> Self {
        Self { revision, key: None }
    }

    /// After one entry.
    pub fn past(entry: &Entry) -> Self {
        Self { revision: entry.revision(), key: Some(Arc::clone(entry.key())) }
    }

    /// The newest revision that is done with entirely.
    pub fn complete_to(&self) -> Version {
        if self.key.is_none() { self.revision } else { self.revision.saturating_sub(1) }
    }

    /// Whether everything up to a revision is done with.
    pub fn covers(&self, revision: Version) -> bool {
        self.complete_to() >= revision
    }

    fn lower_bound(&self) -> Bound<Place> {
        match &self.key {
            Some(key) => Bound::Excluded(Place { revision: self.revision, key: Arc::clone(key) }),
            // No key is empty, so this place is before every entry of the next revision.
            None => Bound::Included(Place { revision: self.revision.saturating_add(1), key: "".into() }),
        }
    }
}
