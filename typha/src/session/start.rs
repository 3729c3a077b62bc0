//! Where a client's stream begins: which positions can be served, and how.

use model::Version;

use super::Position;
use crate::store::View;

/// How to serve a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// From nothing.
    Snapshot,
    /// From this revision on.
    Resume(Version),
    /// Not yet: the client has seen a revision that we have not.
    Ahead(Version),
}

/// Judges a client's position.
///
/// What was deleted before this replica first listed the datastore it cannot know. A client from before that is resumed
/// all the same: it compares digests at the first checkpoint, and comes back for a snapshot where something is missing.
/// Most often nothing is, and a replica that has just started sends its clients next to nothing.
pub(super) fn start(view: &View, position: Option<Position>) -> Start {
    let Some(position) = position.filter(|position| position.revision > 0) else { return Start::Snapshot };
    if position.datastore_id != view.datastore_id() || position.revision < view.floor() {
        return Start::Snapshot;
    }
    let is_ahead = position.revision > view.revision();
    match view.digest_at(position.revision) {
        // Equal digests, equal states: revisions that changed nothing of ours take nobody back in time.
        Some(digest) if digest == position.digest => Start::Resume(position.revision),
        Some(_) if is_ahead => Start::Ahead(position.revision),
        Some(_) => Start::Snapshot,
        None => Start::Resume(position.revision),
    }
}
