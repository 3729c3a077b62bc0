//! Identities of traces and spans that every process derives by itself, so that nothing of them crosses the wire.
//!
//! A trace is a revision of a datastore. The one span that others are children of, a replica's `publish`, has an
//! identity that an agent can derive from the replica's name.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Changing this changes every identity: processes of different versions would no longer meet in one trace.
const SCHEME: &[u8] = b"cattail trace 1\0";

/// The trace of one revision of one datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A span whose identity can be derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SpanId([u8; 8]);

impl TraceId {
    /// The trace of a revision.
    pub fn of(datastore_id: u64, revision: u64) -> Self {
        let hash = Sha256::new_with_prefix(SCHEME).chain_update(datastore_id.to_be_bytes());
        let hash = hash.chain_update(revision.to_be_bytes()).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self(id)
    }

    /// A number that decides whether the trace is sampled, as OpenTelemetry's `traceidratio` takes it: 63 bits.
    pub(crate) fn lot(self) -> u64 {
        u128::from_be_bytes(self.0) as u64 >> 1
    }

    /// The span in which a replica publishes the revision.
    pub(crate) fn publish_span(self, replica: &str) -> SpanId {
        let hash = Sha256::new_with_prefix(SCHEME).chain_update(self.0).chain_update(replica.as_bytes()).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        SpanId(id)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden: another version that derives others would split every trace.
    #[test]
    fn identities_never_change() {
        let trace = TraceId::of(7, 42);
        assert_eq!(trace.to_string(), "d19be828a81722325e6cb68a86f982e6");
        assert_eq!(trace.publish_span("typha-a").to_string(), "67998860a462ca19");
        assert_ne!(trace, TraceId::of(7, 43));
        assert_ne!(trace, TraceId::of(8, 42));
        assert_ne!(trace.publish_span("typha-a"), trace.publish_span("typha-b"));
    }
}
