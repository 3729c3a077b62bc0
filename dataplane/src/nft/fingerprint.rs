//! How a rule in the kernel is recognised: a digest of what it was made from, kept in its comment.
//!
//! The kernel never changes a rule in place, so a rule that carries a fingerprint is the rule that was written with it.

use std::fmt;

use sha2::{Digest, Sha256};

/// Precedes the digest in a rule's comment.
const PREFIX: &str = "cattail:";

/// A digest of a rule's expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// Of a rule that is not ours, or that somebody rewrote; equal to none that we would write.
    pub(crate) const FOREIGN: Self = Self(0);

    pub(super) fn of(expressions: &[u8]) -> Self {
        let digest = Sha256::digest(expressions);
        let head = digest.first_chunk().copied().unwrap_or_default();
        Self(u64::from_be_bytes(head).max(1))
    }

    /// From a rule's comment.
    pub(super) fn parse(comment: &str) -> Self {
        let digits = comment.strip_prefix(PREFIX);
        digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map_or(Self::FOREIGN, Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:016x}", self.0)
    }
}
