//! What a client that found a digest wrong makes the replica look at before it is served.

use model::digest::RangeSet;

use super::{Claim, Position};
use crate::store::View;

impl Claim {
    /// The ranges that may be wrong here; none where the client does not complain.
    ///
    /// Where the state that it holds differs, it is in those ranges. A client that has no such state, or whose state is
    /// ours although the digests disagreed, may have met anything.
    pub fn doubted(&self, position: Option<Position>, view: &View) -> Option<RangeSet> {
        if !self.compare {
            return None;
        }
        let has_state = position.is_some_and(|position| position.revision > 0);
        let differing = Some(view.ranges().differing(&self.ranges)).filter(|ranges| has_state && !ranges.is_empty());
        Some(differing.unwrap_or_else(RangeSet::all))
    }
}
