//! A client that is being served: where it is in the index, and what it needs next.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use model::{
    Version,
    digest::{Digest, RangeSet},
};

use crate::{
    batch::{Batches, Encoding, Wanted},
    feed::Published,
    store::{Cursor, View},
};

/// Ages in checkpoints are rounded down to this, so that sessions can share batches. Whoever acts on the age does so
/// after many seconds.
const AGE_STEP_MS: u64 = 1000;

/// A client's place in the index.
pub(super) struct Stream {
    /// The line of history that the client follows.
    epoch: u64,
    /// What was sent.
    cursor: Cursor,
    /// When the client began to look: what was deleted by then, it never saw.
    tombstones_after: Version,
    /// While the client gets a repair: what it needs whole as of `tombstones_after`.
    ranges: Option<RangeSet>,
    /// While the client gets a snapshot: the revision at which it will be whole.
    snapshot: Option<Version>,
    /// Whether it ever had everything since it began.
    has_caught_up: bool,
    /// For a client that was ahead of the replica when it came: the state that both had. What the client's revision leads
    /// to is not known here while the replica, on its way there, has another one.
    agreed: Option<Digest>,
    /// The beat of the last checkpoint.
    told_at_beat: Option<u64>,
}

/// What a stream needs next.
pub(super) enum Next {
    /// This message.
    Batch(Bytes),
    /// The client's place in history is gone.
    StartOver,
    /// It has everything, and was told so lately.
    Nothing,
}

impl Stream {
    /// Up to which revision everything was handed out; 0 before a snapshot or a repair is whole.
    pub(super) fn position(&self) -> Version {
        if self.snapshot.is_none() && self.ranges.is_none() { self.cursor.complete_to() } else { 0 }
    }

    /// Whether what it needed when it began is not under way any more.
    pub(super) fn has_caught_up(&self) -> bool {
        self.has_caught_up
    }

    pub(super) fn resume(view: &View, revision: Version) -> Self {
        let agreed = (revision > view.revision()).then(|| view.digest());
        Self { cursor: Cursor::after(revision), agreed, ..Self::starting(view, revision) }
    }

    /// Everything in these ranges; of the others the client has what the view has.
    pub(super) fn repair(view: &View, ranges: RangeSet) -> Self {
        Self { ranges: Some(ranges), ..Self::starting(view, view.revision()) }
    }

    pub(super) fn snapshot(view: &View) -> Self {
        Self { snapshot: Some(view.revision()), ..Self::starting(view, view.revision()) }
    }

    /// With everything before it.
    fn starting(view: &View, tombstones_after: Version) -> Self {
        Self {
            epoch: view.epoch(),
            cursor: Cursor::after(0),
            tombstones_after,
            ranges: None,
            snapshot: None,
            has_caught_up: false,
            agreed: None,
            told_at_beat: None,
        }
    }

    pub(super) fn next(&mut self, latest: &Published, batches: &Batches, encoding: Encoding, now: Instant) -> Next {
        let view = &latest.view;
        if self.epoch != view.epoch() || self.tombstones_after.max(self.cursor.complete_to()) < view.floor() {
            return Next::StartOver;
        }
        let is_ahead = self.cursor.complete_to() > view.revision();
        if is_ahead && self.agreed.is_some_and(|agreed| agreed != view.digest()) {
            return Next::Nothing;
        }
        let target = self.target(view, batches);
        let is_told = self.told_at_beat.is_some_and(|beat| latest.beat <= beat);
        if is_told && self.cursor.covers(target.revision()) {
            return Next::Nothing;
        }
        // A shared snapshot may be a little old. The client is told where it is only when it has the rest too: it may
        // have seen that already, before it lost its state.
        let is_latest = target.revision() == view.revision();
        let wanted = Wanted {
            cursor: self.cursor.clone(),
            tombstones_after: self.tombstones_after,
            ranges: self.ranges,
            checkpoint_age_ms: is_latest.then(|| upstream_age_ms(latest, now)),
            encoding,
        };
        let batch = batches.next(&target, &wanted);
        self.cursor = batch.next;
        if self.cursor.covers(target.revision()) {
            self.tombstones_after = self.cursor.complete_to();
            (self.snapshot, self.ranges, self.has_caught_up) = (None, None, true);
            self.told_at_beat = is_latest.then_some(latest.beat);
        }
        Next::Batch(batch.bytes)
    }

    /// The view that the next batch leads to. For a snapshot it is the one that others are getting too. Where that was
    /// replaced meanwhile, the client goes on in the newer one: what it has that changed since is further down there.
    fn target(&mut self, latest: &Arc<View>, batches: &Batches) -> Arc<View> {
        if self.snapshot.is_none() {
            return Arc::clone(latest);
        }
        let view = batches.snapshot(latest);
        self.snapshot = Some(view.revision());
        view
    }
}

fn upstream_age_ms(latest: &Published, now: Instant) -> u64 {
    let age_ms = latest.upstream_age(now).map_or(u64::MAX, |age| age.as_millis() as u64);
    age_ms / AGE_STEP_MS * AGE_STEP_MS
}
