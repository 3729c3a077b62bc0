//! A digest of a set of entries that is cheap to keep current: it does not depend on order, and one entry is added or
//! taken out in constant time.
//!
//! It guards against defects and damage, not against an adversary who chooses entries; peers are authenticated by TLS.

mod ranges;

use std::fmt;

use sha2::{Digest as _, Sha256};

pub use self::ranges::{RANGES, RangeSet, Ranges, range_of};
use crate::Version;

/// The sum, modulo 2^128, of the hashes of all entries in a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// Accounts for an entry that enters the set.
    pub fn add(&mut self, entry: EntryHash) {
        self.0 = self.0.wrapping_add(entry.0);
    }

    /// Accounts for an entry that leaves the set.
    pub fn remove(&mut self, entry: EntryHash) {
        self.0 = self.0.wrapping_sub(entry.0);
    }

    /// The wire form, 16 bytes big-endian.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads the wire form; `None` where it does not have 16 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(u128::from_be_bytes(bytes)))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One entry's share of a [`Digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHash(u128);

impl EntryHash {
    /// Hashes a key's text form, its revision and its value. Lengths are hashed too, so that no two entries can be
    /// cut differently into the same bytes.
    pub fn of(key: &str, revision: Version, value: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update((key.len() as u64).to_be_bytes());
        hasher.update(key);
        hasher.update(revision.to_be_bytes());
        hasher.update(value);
        let hash = hasher.finalize();
        let mut head = [0; 16];
        head.copy_from_slice(&hash[..16]);
        Self(u128::from_be_bytes(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_removal_undoes() {
        let (a, b) = (EntryHash::of("Tier/a", 1, b"{}"), EntryHash::of("Tier/b", 2, b"{}"));
        let mut forth = Digest::default();
        forth.add(a);
        forth.add(b);
        let mut back = Digest::default();
        back.add(b);
        back.add(a);
        assert_eq!(forth, back);
        back.remove(a);
        back.remove(b);
        assert_eq!(back, Digest::default());
        assert_eq!(Digest::from_bytes(&forth.to_bytes()), Some(forth));
    }

    #[test]
    fn every_part_counts() {
        let base = EntryHash::of("Tier/a", 1, b"{}");
        assert_ne!(base, EntryHash::of("Tier/b", 1, b"{}"));
        assert_ne!(base, EntryHash::of("Tier/a", 2, b"{}"));
        assert_ne!(base, EntryHash::of("Tier/a", 1, b"{ }"));
    }
}
