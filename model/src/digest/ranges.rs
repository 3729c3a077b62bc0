//! Digests of parts of a set, so that two holders of it can find where they differ without sending all of it.
//!
//! A key's range is the first byte of its hash: ranges are of like size whatever the keys look like.

use sha2::{Digest as _, Sha256};

use super::{Digest, EntryHash};

/// How many ranges there are. Their digests take 4 KiB, and one damaged entry costs a 256th of the state.
pub const RANGES: usize = 256;

const DIGEST_BYTES: usize = 16;

/// The range that a key belongs to.
pub fn range_of(key: &str) -> u8 {
    Sha256::digest(key)[0]
}

/// The digest of every range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges(Box<[Digest; RANGES]>);

impl Ranges {
    /// Accounts for an entry that enters a range.
    pub fn add(&mut self, range: u8, entry: EntryHash) {
        self.0[usize::from(range)].add(entry);
    }

    /// Accounts for an entry that leaves a range.
    pub fn remove(&mut self, range: u8, entry: EntryHash) {
        self.0[usize::from(range)].remove(entry);
    }

    /// The digest of the whole set.
    pub fn total(&self) -> Digest {
        self.0.iter().fold(Digest::default(), |total, digest| Digest(total.0.wrapping_add(digest.0)))
    }

    /// Where the two differ.
    pub fn differing(&self, other: &Self) -> RangeSet {
        (0..=u8::MAX).filter(|range| self.0[usize::from(*range)] != other.0[usize::from(*range)]).collect()
    }

    /// The wire form, 4096 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|digest| digest.to_bytes()).collect()
    }

    /// Reads the wire form; `None` where it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut ranges = Self::default();
        let digests = bytes.chunks_exact(DIGEST_BYTES);
        if bytes.len() != RANGES * DIGEST_BYTES {
            return None;
        }
        for (range, digest) in ranges.0.iter_mut().zip(digests) {
            *range = Digest::from_bytes(digest)?;
        }
        Some(ranges)
    }
}

impl Default for Ranges {
    fn default() -> Self {
        Self(Box::new([Digest::default(); RANGES]))
    }
}

/// Some of the ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RangeSet([u8; RANGES / 8]);

impl RangeSet {
    /// All of them.
    pub fn all() -> Self {
        Self([u8::MAX; RANGES / 8])
    }

    /// Those that are in one of the two.
    pub fn union(self, other: Self) -> Self {
        Self(std::array::from_fn(|byte| self.0[byte] | other.0[byte]))
    }

    /// Whether a range is one of them.
    pub fn contains(&self, range: u8) -> bool {
        self.0[usize::from(range / 8)] & (1 << (range % 8)) != 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The wire form: 32 bytes, the lowest bit of the first for range 0.
    pub fn to_bytes(self) -> [u8; RANGES / 8] {
        self.0
    }

    /// Reads the wire form; `None` where it has another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl FromIterator<u8> for RangeSet {
    fn from_iter<I: IntoIterator<Item = u8>>(ranges: I) -> Self {
        let mut set = Self::default();
        for range in ranges {
            set.0[usize::from(range / 8)] |= 1 << (range % 8);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_that_differs_shows_in_its_range_alone() {
        let (mut one, mut other) = (Ranges::default(), Ranges::default());
        for key in (0..1000).map(|number| format!("Tier/{number}")) {
            let hash = EntryHash::of(&key, 1, b"{}");
            one.add(range_of(&key), hash);
            other.add(range_of(&key), if key == "Tier/7" { EntryHash::of(&key, 1, b"[]") } else { hash });
        }
        let differing = one.differing(&other);
        assert_eq!((differing.len(), differing.contains(range_of("Tier/7"))), (1, true));
        assert_ne!(one.total(), other.total());
        assert!(one.differing(&one.clone()).is_empty());
    }

    #[test]
    fn wire_forms_are_read_back() {
        let mut ranges = Ranges::default();
        ranges.add(255, EntryHash::of("Tier/a", 1, b"{}"));
        assert_eq!(Ranges::from_bytes(&ranges.to_bytes()), Some(ranges.clone()));
        assert_eq!(Ranges::from_bytes(&ranges.to_bytes()[1..]), None);
        ranges.remove(255, EntryHash::of("Tier/a", 1, b"{}"));
        assert_eq!(ranges, Ranges::default());
        let set: RangeSet = [0, 7, 8, 255].into_iter().collect();
        assert_eq!(RangeSet::from_bytes(&set.to_bytes()), Some(set));
        assert_eq!(set.len(), 4);
        assert_eq!(set.union([1, 7].into_iter().collect()).len(), 5);
        assert_eq!((RangeSet::all().len(), set.union(RangeSet::all())), (RANGES, RangeSet::all()));
        assert_eq!(RangeSet::from_bytes(&[0; 31]), None);
    }
}
