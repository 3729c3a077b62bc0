//! What a client asks for.

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// What it needs.
    pub need: Need,
    /// How much that is, encoded.
    pub bytes: u64,
    /// How many times in a row it was told to come back later.
    pub put_off: u32,
}

/// What a client needs. The order is that in which clients are served: changes are news to who enforces a past state, a
/// repair brings a client that enforces something wrong to rights, and both are smaller than a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Much that changed since it was here.
    Resume,
    /// Some ranges of the state.
    Repair,
    /// The whole state.
    Snapshot,
}
