//! What a run came to, and what many did.

use std::time::Duration;

use super::{hits::Hits, tally::Tally};

/// Equal for equal seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The digest of everything that happened; of many runs that of none.
    pub(super) trace: u64,
    pub(super) hits: Hits,
    /// Entries of clients' states that were compared with the datastore's.
    pub(super) compared: u64,
    pub(super) damage: Tally,
    /// How much time passed in the simulation.
    pub(super) simulated: Duration,
    /// How long it took after the last fault until everybody was in sync, at most.
    pub(super) in_sync_after: Duration,
}

impl Outcome {
    pub(super) fn add(&mut self, other: &Self) {
        self.trace = 0;
        self.hits.add(&other.hits);
        self.compared += other.compared;
        self.damage.add(&other.damage);
        self.simulated += other.simulated;
        self.in_sync_after = self.in_sync_after.max(other.in_sync_after);
    }
}
