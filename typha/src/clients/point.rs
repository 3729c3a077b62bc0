//! A revision, and the datastore that it is of.

use model::Version;

use crate::store::View;

/// A point in a datastore's history. Revisions of different datastores cannot be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// The datastore.
    pub datastore_id: u64,
    /// The revision.
    pub revision: Version,
}

impl Point {
    /// Up to where a view is complete.
    pub fn latest(view: &View) -> Self {
        Self { datastore_id: view.datastore_id(), revision: view.revision() }
    }

    /// The revision, if it is one of this datastore.
    pub(super) fn revision_in(self, datastore_id: u64) -> Option<Version> {
        (self.datastore_id == datastore_id).then_some(self.revision)
    }

    /// Where a view's last change was.
    pub fn last_change(view: &View) -> Self {
        Self { datastore_id: view.datastore_id(), revision: view.last_change() }
    }
}
