//! What the client holds, as far as it must know it: for each key the revision and the hash, never the value.
//!
//! About 100 bytes a key. It answers two questions: what would the digest be after these changes, and which of them
//! are news to the consumer. It knows nothing of streams or checkpoints.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use model::{
    Version,
    digest::{Digest, EntryHash, RangeSet, Ranges, range_of},
};

/// One entry as it was last handed to the consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    revision: Version,
    hash: EntryHash,
    /// The range that the key belongs to; kept because hashing the key again costs more than this byte.
    range: u8,
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
    fn record(&self, key: &str) -> Option<Record> {
        self.content.as_ref().map(|(hash, _)| Record { revision: self.revision, hash: *hash, range: range_of(key) })
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

    /// The digests of the ranges of what is held, summed afresh.
    pub(super) fn ranges(&self) -> Ranges {
        let mut ranges = Ranges::default();
        for record in self.records.values() {
            ranges.add(record.range, record.hash);
        }
        ranges
    }

    /// Sums the digest afresh, so that damage to the running one ends here.
    pub(super) fn sum_afresh(&mut self) {
        self.digest = self.ranges().total();
    }

    /// The digest that would hold after everything in some ranges was replaced by `changes`, summed afresh.
    pub(super) fn digest_after_repair(&self, changes: &Changes, ranges: RangeSet) -> Digest {
        let mut digest = Digest::default();
        let kept = |record: &&Record| !ranges.contains(record.range);
        for record in self.records.values().filter(kept) {
            digest.add(record.hash);
        }
        for (key, change) in changes {
            if let Some(held) = self.records.get(key).filter(kept) {
                digest.remove(held.hash);
            }
            if let Some((hash, _)) = &change.content {
                digest.add(*hash);
            }
        }
        digest
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
            if self.replace(&key, change.record(&key)) {
                news.push((key, change.revision, change.content.map(|(_, value)| value)));
            }
        }
        self.digest = digest;
        news
    }

    /// Takes a complete state in: what it does not mention is gone, as of `revision`.
    pub(super) fn commit_snapshot(&mut self, snapshot: Changes, revision: Version) -> Vec<News> {
        // Summed afresh, so that damage to the running digest ends here.
        let digest = digest_of(&snapshot);
        let news = self.sweep_and_commit(snapshot, revision, |_| true);
        self.digest = digest;
        news
    }

    /// Takes the complete state of some ranges in, and changes of others: what it does not mention of those ranges is
    /// gone, as of `revision`.
    pub(super) fn commit_repair(&mut self, changes: Changes, ranges: RangeSet, revision: Version) -> Vec<News> {
        let digest = self.digest_after_repair(&changes, ranges);
        let news = self.sweep_and_commit(changes, revision, |record| ranges.contains(record.range));
        self.digest = digest;
        news
    }

    fn sweep_and_commit(
        &mut self,
        changes: Changes,
        revision: Version,
        is_swept: impl Fn(&Record) -> bool,
    ) -> Vec<News> {
        let unmentioned = self.records.iter().filter(|(key, held)| is_swept(held) && !changes.contains_key(*key));
        let gone: Vec<Box<str>> = unmentioned.map(|(key, _)| key.clone()).collect();
        for key in &gone {
            self.records.remove(key);
        }
        let mut news: Vec<News> = gone.into_iter().map(|key| (key, revision, None)).collect();
        news.extend(self.commit(changes));
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
        assert!(self.records.contains_key(key), "the key to damage is held");
        self.damage_if_held(key);
    }

    pub(super) fn damage_if_held(&mut self, key: &str) {
        let Some(record) = self.records.get_mut(key) else { return };
        self.digest.remove(record.hash);
        record.hash = EntryHash::of("damage", 0, b"");
        self.digest.add(record.hash);
    }

    pub(super) fn holds(&self, key: &str) -> bool {
        self.records.contains_key(key)
    }

    /// Damages one record alone.
    pub(super) fn damage_silently(&mut self, key: &str) {
        let record = self.records.get_mut(key).expect("the key to damage is held");
        record.hash = EntryHash::of("damage", 0, b"");
    }

    /// Damages the running digest alone.
    pub(super) fn damage_digest(&mut self) {
        self.digest.add(EntryHash::of("damage", 0, b""));
    }
}
