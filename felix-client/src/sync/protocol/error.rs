//! What a server can say that its client must refuse.

use model::{Version, digest::Digest};
use thiserror::Error;

/// Why a stream was given up. What the client holds stays in force; it subscribes again, elsewhere where it can.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProtocolError {
    /// Entries or a checkpoint came before `Begin`.
    #[error(
        "the server sent data before it said whether this is a snapshot or a resume; it is no typha, or a broken one"
    )]
    BeforeBegin,
    /// `Begin` names no mode of ours.
    #[error("the server began in mode {0}, which this version does not know; upgrade this agent")]
    UnknownMode(i32),
    /// `Begin` resumes from where the client does not stand.
    #[error("the server resumed a position in datastore {datastore_id:x} that this client did not ask for")]
    UnaskedResume {
        /// The datastore that the server speaks of.
        datastore_id: u64,
    },
    /// The checkpoint lies before what the client has.
    #[error(
        "the server is at revision {offered}, behind revision {held} that is in force here; an agent never goes back. \
         If the datastore was restored from a backup, restart the agent"
    )]
    Older {
        /// What the client has.
        held: Version,
        /// What the server offered.
        offered: Version,
    },
    /// An entry is newer than the checkpoint that closes its cut.
    #[error("{key} came with revision {revision}, beyond its checkpoint at {checkpoint}; the server is broken")]
    EntryBeyondCheckpoint {
        /// The entry's key.
        key: String,
        /// The entry's revision.
        revision: Version,
        /// The checkpoint's revision.
        checkpoint: Version,
    },
    /// The digest does not have 16 bytes.
    #[error("the checkpoint's digest has {0} bytes instead of 16; the server is broken")]
    DigestLength(usize),
    /// The ranges of a repair do not have 32 bytes.
    #[error("the server named ranges in {0} bytes instead of 32; the server is broken")]
    RangesLength(usize),
    /// What the client would hold is not what the server holds.
    #[error(
        "digest mismatch at revision {revision}: the server has {told}, this client would have {computed}; \
         one of the two is damaged. What is in force stays, and the two are compared"
    )]
    DigestMismatch {
        /// The checkpoint's revision.
        revision: Version,
        /// The server's digest.
        told: Digest,
        /// The client's digest.
        computed: Digest,
    },
    /// Entries without end.
    #[error("the server sent more than {limit_bytes} bytes without a checkpoint")]
    NoCheckpoint {
        /// The bound.
        limit_bytes: usize,
    },
}

impl ProtocolError {
    /// Whether damage to a message may be behind it. What the server keeps of it for others is sent again and again, so
    /// that it has to hear of it.
    pub(super) fn may_be_damage(&self) -> bool {
        match self {
            Self::DigestMismatch { .. } | Self::EntryBeyondCheckpoint { .. } | Self::DigestLength(_) => true,
            Self::BeforeBegin
            | Self::UnknownMode(_)
            | Self::UnaskedResume { .. }
            | Self::Older { .. }
            | Self::RangesLength(_)
            | Self::NoCheckpoint { .. } => false,
        }
    }
}
