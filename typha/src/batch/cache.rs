//! What was made, for as long as others may want it.

use std::collections::{HashMap, VecDeque};

use model::{Version, digest::RangeSet};

use super::{Batch, Wanted};
use crate::store::{Cursor, View};

/// What keeping a batch takes beside its bytes, so that many small ones count too.
pub(super) const BATCH_OVERHEAD_BYTES: usize = 512;

/// Beats (of 5 s) for which a batch is kept. Who shares a batch comes within seconds; afterwards it would be memory that
/// an idle replica holds for nobody.
const KEPT_BEATS: usize = 12;

/// Batches by what they lead from and to; the oldest go first.
pub(super) struct Cache {
    /// What may be kept.
    limit_bytes: usize,
    pub(super) made: HashMap<Range, Batch>,
    /// The keys of `made`, oldest first.
    pub(super) order: VecDeque<Range>,
    /// What `made` takes.
    pub(super) bytes: usize,
    /// How many were ever kept.
    kept: u64,
    /// How many that were at recent beats, oldest first.
    kept_at_beats: VecDeque<u64>,
}

/// What tells one batch from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Range {
    epoch: u64,
    edition: u64,
    from: Cursor,
    tombstones_after: Version,
    ranges: Option<RangeSet>,
    to: Version,
    end: End,
}

/// How a batch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    /// More entries follow on the way to the same view. Only the last batch depends on what a session wants there.
    More,
    /// There, with a checkpoint of this age if there is one.
    Last(Option<u64>),
}

impl Cache {
    pub(super) fn bounded(limit_bytes: usize) -> Self {
        let (made, order, kept_at_beats) = (HashMap::new(), VecDeque::new(), VecDeque::new());
        Self { limit_bytes, made, order, bytes: 0, kept: 0, kept_at_beats }
    }

    /// What was made already, or else is made now.
    pub(super) fn get_or_make(&mut self, view: &View, wanted: &Wanted, make: impl FnOnce() -> Batch) -> Batch {
        self.get(view, wanted).unwrap_or_else(|| {
            let batch = make();
            let is_last = batch.next.covers(view.revision());
            let end = if is_last { End::Last(wanted.checkpoint_age_ms) } else { End::More };
            self.keep(Range::of(view, wanted, end), &batch);
            batch
        })
    }

    /// What was made already.
    pub(super) fn get(&self, view: &View, wanted: &Wanted) -> Option<Batch> {
        let made = |end| self.made.get(&Range::of(view, wanted, end)).cloned();
        made(End::Last(wanted.checkpoint_age_ms)).or_else(|| made(End::More))
    }

    fn keep(&mut self, range: Range, batch: &Batch) {
        self.bytes += size(batch);
        self.kept += 1;
        self.order.push_back(range.clone());
        self.made.insert(range, batch.clone());
        while self.bytes > self.limit_bytes && self.drop_oldest() {}
    }

    /// Time has passed: lets go of what was made long ago.
    pub(super) fn beat(&mut self) {
        self.kept_at_beats.push_back(self.kept);
        if self.kept_at_beats.len() <= KEPT_BEATS {
            return;
        }
        let old = self.kept_at_beats.pop_front().unwrap_or_default();
        while self.kept - (self.order.len() as u64) < old && self.drop_oldest() {}
        self.made.shrink_to_fit();
        self.order.shrink_to_fit();
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.order.pop_front() else { return false };
        self.bytes -= self.made.remove(&oldest).as_ref().map_or(0, size);
        true
    }
}

impl Range {
    fn of(view: &View, wanted: &Wanted, end: End) -> Self {
        Self {
            epoch: view.epoch(),
            edition: view.edition(),
            from: wanted.cursor.clone(),
            tombstones_after: wanted.tombstones_after,
            ranges: wanted.ranges,
            to: view.revision(),
            end,
        }
    }
}

pub(super) fn size(batch: &Batch) -> usize {
    batch.bytes.len() + BATCH_OVERHEAD_BYTES
}
