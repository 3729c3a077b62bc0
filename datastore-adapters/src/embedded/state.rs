//! The store's state with its recent history: an immutable view that costs nothing to take. Nothing is written here.

use std::sync::Arc;

use bytes::Bytes;
use imbl::OrdMap;
use model::Version;

use super::{
    RequestError,
    record::{Change, Records},
};

/// The revision of an empty store, as in etcd: the first write makes revision 2.
pub(super) const FIRST_REVISION: Version = 1;

/// Everything at one revision, and what that revision changed.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    /// The revision.
    pub revision: Version,
    /// Everything as of the revision.
    pub records: Records,
    /// What the revision changed, each key once.
    pub changes: Vec<Change>,
}

/// The state. Every revision from the compacted one to the current one can be read and watched.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// One commit per revision, without gaps; never empty.
    history: OrdMap<Version, Arc<Commit>>,
    /// The newest commit, which is also the last of the history.
    current: Arc<Commit>,
    /// Revisions before this one are gone; 0 where none is.
    compacted: Version,
    /// What the changes in the history weigh.
    weight: usize,
}

impl State {
    /// A state whose history starts at this commit.
    pub(super) fn new(base: Commit, compacted: Version) -> Self {
        let base = Arc::new(base);
        let weight = base.weight();
        Self { history: OrdMap::unit(base.revision, Arc::clone(&base)), current: base, compacted, weight }
    }

    pub(super) fn revision(&self) -> Version {
        self.current.revision
    }

    pub(super) fn compacted(&self) -> Version {
        self.compacted
    }

    /// The newest commit.
    pub(super) fn current(&self) -> &Commit {
        &self.current
    }

    /// Everything now.
    pub(super) fn records(&self) -> &Records {
        &self.current.records
    }

    /// Everything at a revision; 0 is now.
    pub(super) fn records_at(&self, revision: Version) -> Result<&Records, RequestError> {
        if revision == 0 {
            return Ok(self.records());
        }
        if revision > self.revision() {
            return Err(RequestError::FutureRevision);
        }
        self.history.get(&revision).map(|commit| &commit.records).ok_or(RequestError::Compacted)
    }

    /// The commits from a revision on.
    pub(super) fn commits_from(&self, revision: Version) -> impl Iterator<Item = &Arc<Commit>> {
        self.history.range(revision..).map(|(_, commit)| commit)
    }

    /// Revisions and bytes of the history.
    pub(super) fn history_size(&self) -> (usize, usize) {
        (self.history.len(), self.weight)
    }

    /// The state after one more commit.
    pub(super) fn push(&mut self, commit: Commit) {
        let commit = Arc::new(commit);
        self.weight += commit.weight();
        self.history.insert(commit.revision, Arc::clone(&commit));
        self.current = commit;
    }

    /// Forgets what was before the revision.
    pub(super) fn compact(&mut self, revision: Version) -> Result<(), RequestError> {
        if revision <= self.compacted {
            return Err(RequestError::Compacted);
        }
        if revision > self.revision() {
            return Err(RequestError::FutureRevision);
        }
        let (_, at, after) = self.history.split_lookup(&revision);
        self.history = after;
        if let Some(at) = at {
            self.history.insert(revision, at);
        }
        self.weight = self.history.values().map(|commit| commit.weight()).sum();
        self.compacted = revision;
        Ok(())
    }
}

impl Commit {
    fn weight(&self) -> usize {
        self.changes.iter().map(Change::weight).sum()
    }

    /// The commit that follows with these changes.
    pub(super) fn next(&self, changes: Vec<Change>) -> Self {
        let mut records = self.records.clone();
        for change in &changes {
            set(&mut records, change);
        }
        Self { revision: self.revision + 1, records, changes }
    }
}

/// Makes a change in a set of records.
pub(super) fn set(records: &mut Records, change: &Change) {
    match &change.record {
        Some(record) => records.insert(Bytes::clone(&change.key), Arc::clone(record)),
        None => records.remove(&change.key),
    };
}
