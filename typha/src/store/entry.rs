//! One key's latest state, encoded once for all clients.

use std::sync::Arc;

use bytes::Bytes;
use model::{
    Version,
    digest::{EntryHash, range_of},
};
use prost::Message as _;
use proto::sync::v1 as wire;

/// One key's latest state: a value, or a tombstone.
#[derive(Debug)]
pub struct Entry {
    /// The key's text form, shared with the maps.
    key: Arc<str>,
    /// The datastore's revision that last modified (or deleted) the key.
    revision: Version,
    /// The entry's share of the state's digest. Meaningless for a tombstone.
    hash: EntryHash,
    /// The range that the key belongs to.
    range: u8,
    /// Whether the key does not exist.
    is_tombstone: bool,
    /// The bytes of one element of `Batch.entries`, tag and length included: repeated fields concatenate, so a batch
    /// is made by putting these one after the other.
    encoded: Box<[u8]>,
}

impl Entry {
    /// Encodes a key's state; without a value it is a tombstone.
    pub fn new(key: Arc<str>, value: Option<&[u8]>, revision: Version) -> Self {
        let hash = EntryHash::of(&key, revision, value.unwrap_or_default());
        let element = wire::Entry { key: key.to_string(), value: value.map(Bytes::copy_from_slice), revision };
        let encoded = wire::Batch { entries: vec![element], ..wire::Batch::default() }.encode_to_vec();
        let range = range_of(&key);
        Self { key, revision, hash, range, is_tombstone: value.is_none(), encoded: encoded.into() }
    }

    /// The key's text form.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The datastore's revision that last modified (or deleted) the key.
    pub fn revision(&self) -> Version {
        self.revision
    }

    /// The entry's share of the state's digest.
    pub fn hash(&self) -> EntryHash {
        self.hash
    }

    /// The range that the key belongs to.
    pub fn range(&self) -> u8 {
        self.range
    }

    /// Whether the key does not exist.
    pub fn is_tombstone(&self) -> bool {
        self.is_tombstone
    }

    /// The bytes of one element of `Batch.entries`.
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}
