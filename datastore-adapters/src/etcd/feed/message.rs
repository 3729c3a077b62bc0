//! What goes into the [`Feed`](super::Feed) and what comes out of it, apart from events.

use bytes::Bytes;
use model::{Key, Version};

/// A key as etcd reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::etcd) struct Change {
    /// The path.
    pub path: Vec<u8>,
    /// The stored bytes; `None` for a deletion.
    pub value: Option<Bytes>,
    /// The revision that last modified it.
    pub revision: Version,
    /// Whether this put made the key.
    pub created: bool,
}

/// A message of the watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::etcd) struct WatchMessage {
    /// The cluster id of the header.
    pub datastore_id: u64,
    /// The revision of the header.
    pub revision: Version,
    /// The watch is created; there are no events in this message.
    pub created: bool,
    /// The watch is over.
    pub canceled: Option<Canceled>,
    /// Changes in the order of their revisions; those of one revision are never spread over messages.
    pub changes: Vec<Change>,
}

/// Why etcd ended a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::etcd) enum Canceled {
    /// The events asked for are gone.
    Compacted,
    /// What etcd says.
    Other(String),
}

/// What to do to get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::etcd) enum Plan {
    /// List everything, at one revision.
    List,
    /// Watch from this revision on.
    Watch(Version),
}

/// A read of the datastore's revision to make, as proof of life. It runs beside the watch, which may overtake it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::etcd) struct Probe {
    /// What the watch had delivered when the read was asked for.
    pub since: Version,
}

/// A comparison to make: the keys of ours modified after a revision, and the number of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::etcd) struct Audit {
    /// What the watch delivered.
    pub since: Version,
}

/// What a comparison found, all at one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::etcd) struct Audited {
    /// The revision of the comparison.
    pub revision: Version,
    /// Keys of ours modified after the audit's revision.
    pub modified: u64,
    /// All keys of ours.
    pub keys: u64,
}

/// Keys to read again, all at one revision: where the watch stands, so that the answer is not ahead of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::etcd) struct Reread {
    /// The revision.
    pub at: Version,
    /// The keys.
    pub keys: Vec<Key>,
}

/// Why this connection is of no more use. The next one follows [`super::Feed::plan`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::etcd) enum Broken {
    /// History is gone; a new list closes the gap.
    #[error("the changes since revision {0} were compacted away; listing again")]
    Compacted(Version),
    /// It is another datastore than before, or it was set back.
    #[error("the datastore is not the one it was (it was restored or replaced); listing again")]
    Replaced,
    /// The reader lost what it had.
    #[error("the reader lost entries and does not know which; listing again")]
    Lost,
    /// The watch withheld changes.
    #[error("the watch stayed silent about changes after revision {0}; starting it again")]
    Silent(Version),
    /// etcd ended the watch.
    #[error("etcd ended the watch: {0}")]
    Canceled(String),
}
