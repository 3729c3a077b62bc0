//! The contract of everything that feeds typha.

use std::future::Future;

use model::{Key, Update, Version};
use tokio::sync::mpsc;

/// The most keys that one question may name.
pub const REREAD_KEYS_MAX: usize = 100;

/// A datastore as a stream of events that never ends by itself.
pub trait Source: Send + 'static {
    /// Sends events until the receiver is dropped. Retries for ever with backoff and jitter; what goes wrong is told
    /// by [`SourceEvent::Unavailable`] and in the log. Cancel by dropping the future.
    ///
    /// `questions` are keys that the reader lost: they are read again and told by [`SourceEvent::Reread`]. An empty
    /// question asks for a complete list. A question that meets an outage is not answered; the reader asks again.
    fn run(
        self,
        events: mpsc::Sender<SourceEvent>,
        questions: mpsc::Receiver<Vec<Key>>,
    ) -> impl Future<Output = ()> + Send;
}

/// What a source tells its reader.
///
/// `Init`, any number of `InitItems`, `InitDone`, then `Apply` and `Progress`. After a gap that cannot be closed
/// (compaction) it all starts again with `Init`; nothing is to be cleared before `InitDone`, when whatever was not
/// listed since `Init` is gone (mark and sweep).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// A complete list starts.
    Init {
        /// The identity of the datastore (etcd: cluster id). Revisions of different datastores cannot be compared.
        datastore_id: u64,
    },
    /// Part of the list; every value is present.
    InitItems(Vec<Update>),
    /// The list is complete as of this revision.
    InitDone {
        /// The revision of the list.
        revision: Version,
    },
    /// All changes of one transaction (one revision), deletions included; atomic. A change that concerns no key of
    /// ours is not sent. Never older than what was sent before.
    Apply {
        /// The transaction's revision.
        revision: Version,
        /// Its changes, each key once.
        updates: Vec<Update>,
    },
    /// What the reader asked for, each key once; a key without a value does not exist. It is as of a revision that is not
    /// newer than what was sent: what changed since was sent before this.
    Reread {
        /// The revision of the answer.
        revision: Version,
        /// The keys with the revisions that last modified them; a key that does not exist with the answer's.
        items: Vec<Update>,
    },
    /// The datastore is alive and everything up to this revision has been sent.
    Progress {
        /// The datastore's revision.
        revision: Version,
    },
    /// The datastore does not answer; what was sent stays true as of then. Repeated with each failed attempt.
    Unavailable {
        /// What failed and what to look at, for people.
        reason: String,
    },
}
