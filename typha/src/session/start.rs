//! Where a client's stream begins: which positions can be served, and how.

use model::{
    Version,
    digest::{RANGES, RangeSet},
};

use super::{Claim, Subscription};
use crate::{
    admission::{Demand, Need},
    store::{Cursor, View},
};

/// Where more ranges than this differ the client gets a snapshot: that is made once for all who need one.
const REPAIRED_RANGES: usize = RANGES / 2;

/// Who lacks no more than a message is not worth a place in line.
const SMALL_BYTES: u64 = 128 << 10;

/// So far it is counted what a client lacks that resumes: no share is larger. It is some thousands of entries, to look
/// at which is far less work than to send them.
const COUNTED_BYTES: u64 = 1 << 20;

/// How to serve a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// From nothing.
    Snapshot,
    /// From this revision on.
    Resume(Version),
    /// These ranges whole, and whatever changes from now on.
    Repair(RangeSet),
    /// Not yet: the client has seen a revision that we have not.
    Ahead(Version),
}

impl Start {
    /// What the client has to be admitted for; `None` where it needs little.
    pub(super) fn demand(self, view: &View, put_off: u32) -> Option<Demand> {
        let state_bytes = view.state_bytes() as u64;
        let (need, bytes) = match self {
            Self::Snapshot => return Some(Demand { need: Need::Snapshot, bytes: state_bytes, put_off }),
            // Keys are spread evenly over the ranges.
            Self::Repair(ranges) => (Need::Repair, state_bytes * ranges.len() as u64 / RANGES as u64),
            Self::Resume(revision) => (Need::Resume, lacking_bytes(view, revision)),
            Self::Ahead(_) => return None,
        };
        (bytes > SMALL_BYTES).then_some(Demand { need, bytes, put_off })
    }
}

/// How much changed since a revision, as far as it is counted. Looked at entry by entry: how much was written since then
/// is not known of a replica that has just started, where clients lack next to nothing.
fn lacking_bytes(view: &View, revision: Version) -> u64 {
    let mut bytes = 0;
    for entry in view.since(&Cursor::after(revision), revision, None) {
        bytes += entry.encoded().len() as u64;
        if bytes >= COUNTED_BYTES {
            break;
        }
    }
    bytes
}

/// Judges a client's position.
///
/// What was deleted before this replica first listed the datastore it cannot know. A client from before that is resumed
/// all the same: it compares digests at the first checkpoint, and comes back for a repair where something is missing.
/// Most often nothing is, and a replica that has just started sends its clients next to nothing.
pub(super) fn start(view: &View, subscription: &Subscription) -> Start {
    let claim = subscription.claim.as_ref();
    let Some(position) = subscription.position.filter(|position| position.revision > 0) else { return Start::Snapshot };
    if position.datastore_id != view.datastore_id() {
        return Start::Snapshot;
    }
    if position.revision < view.floor() {
        return repair(view, claim);
    }
    let is_ahead = position.revision > view.revision();
    match view.digest_at(position.revision) {
        // Equal digests, equal states: revisions that changed nothing of ours take nobody back in time.
        Some(digest) if digest == position.digest => Start::Resume(position.revision),
        Some(_) if is_ahead => Start::Ahead(position.revision),
        Some(_) => repair(view, claim),
        None if claim.is_some_and(|claim| claim.compare) => repair(view, claim),
        None => Start::Resume(position.revision),
    }
}

/// Where history is no way from the client's state to ours, comparing them may be.
fn repair(view: &View, claim: Option<&Claim>) -> Start {
    let differing = claim.map(|claim| view.ranges().differing(&claim.ranges));
    differing.filter(|ranges| ranges.len() <= REPAIRED_RANGES).map_or(Start::Snapshot, Start::Repair)
}
