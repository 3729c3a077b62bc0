//! What a client says when it subscribes.

use model::{
    Version,
    digest::{Digest, Ranges},
};

/// What a client says when it subscribes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Where it stands, if anywhere.
    pub position: Option<Position>,
    /// What else it says of its state.
    pub claim: Option<Claim>,
    /// How many times in a row it was told to come back later.
    pub put_off: u32,
    /// Whether it wants a stream only if that resumes.
    pub resume_only: bool,
}

/// Where a client says that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The datastore it is about.
    pub datastore_id: u64,
    /// Up to which revision the client has everything.
    pub revision: Version,
    /// The digest of the client's state.
    pub digest: Digest,
}

/// What a client says of its state beside its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The digests of its ranges.
    pub ranges: Ranges,
    /// Whether it found that its state or a server's is wrong.
    pub compare: bool,
}
