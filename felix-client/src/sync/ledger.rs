//! What the client holds, as far as it must know it: for each key the revision and the hash, never the value.
//!
//! About 100 bytes a key. It answers two questions: what would the digest be after these changes, and which of them
//! are news to the consumer. It knows nothing of streams or checkpoints.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use model::{
    Version,
    digest::{Digest, EntryHash},
};

/// One entry as it was last handed to the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    revision: Version,
    hash: EntryHash,
}

/// What a stream said about one key.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The revision that last modified or deleted the key.
    pub(super) revision: Version,
    /// The value and its hash; none for a deletion.
    pub(super) content: Option<(EntryHash, Bytes)>,
}

impl Change {
    fn record(&self) -> Option<Record> {
        self.content.as_ref().map(|(hash, _)| Record { revision: self.revision, hash: *hash })
    }
}

/// Changes of one cut, each key once.
pub(super) type Changes = BTreeMap<Box<str>, Change>;

/// A key whose state changed for the consumer: its revision, and its value where it exists.
pub(super) type News = (Box<str>, Version, Option<Bytes>);

/// The keys held and their digest.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Changed only by commits.
    records: HashMap<Box<str>, Record>,
    /// The digest of `records`, kept current by commits.
    digest: Digest,
}

impl Ledger {
    /// The digest of what is held.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest that would hold after `changes`.
    pub(super) fn digest_after(&self, changes: &Changes) -> Digest {
        let mut digest = self.digest;
        for (key, change) in changes {
            if let Some(held) = self.records.get(key) {
                digest.remove(held.hash);
            }
            if let Some((hash, _)) = &change.content {
                digest.add(*hash);
            }
        }
        digest
    }

    /// Takes changes in and tells which of them are news.
    pub(super) fn commit(&mut self, changes: Changes) -> Vec<News> {
        let digest = self.digest_after(&changes);
        let mut news = Vec::with_capacity(changes.len());
        for (key, change) in changes {
            if self.replace(&key, change.record()) {
                news.push((key, change.revision, change.content.map(|(_, value)| value)));
            }
        }
        self.digest = digest;
        news
    }

    /// Takes a complete state in: what it does not mention is gone, as of `revision`.
    pub(super) fn commit_snapshot(&mut self, snapshot: Changes, revision: Version) -> Vec<News> {
        let gone: Vec<Box<str>> = self.records.keys().filter(|key| !snapshot.contains_key(*key)).cloned().collect();
        for key in &gone {
            self.records.remove(key);
        }
        // Summed afresh, so that damage to the running digest ends here.
        let digest = digest_of(&snapshot);
        let mut news: Vec<News> = gone.into_iter().map(|key| (key, revision, None)).collect();
        news.extend(self.commit(snapshot));
        self.digest = digest;
        news
    }

    /// Sets or clears a record; false where it was so already.
    fn replace(&mut self, key: &str, record: Option<Record>) -> bool {
        match record {
            None => self.records.remove(key).is_some(),
            Some(record) => match self.records.get_mut(key) {
                Some(held) if *held == record => false,
                Some(held) => {
                    *held = record;
                    true
                }
                None => {
                    self.records.insert(key.into(), record);
                    true
                }
            },
        }
    }
}

/// The digest of a complete state.
pub(super) fn digest_of(snapshot: &Changes) -> Digest {
    let mut digest = Digest::default();
    for (hash, _) in snapshot.values().filter_map(|change| change.content.as_ref()) {
        digest.add(*hash);
    }
    digest
}

#[cfg(test)]
impl Ledger {
    /// Damages one record as a flipped bit in memory would: the record is another one, the running digest follows it.
    pub(super) fn damage(&mut self, key: &str) {
        let record = self.records.get_mut(key).expect("the key to damage is held");
        self.digest.remove(record.hash);
        record.hash = EntryHash::of("damage", 0, b"");
        self.digest.add(record.hash);
    }
}
