//! From the stored document to what agents compute with: Kubernetes' own kinds as Calico's kinds, all others as they are.

use bytes::Bytes;
use model::{Key, kubernetes};

/// The projection of a stored document; `None` where there is no such thing for agents (a pod on the host's network,
/// a finished one).
///
/// What cannot be projected is passed on as it is: agents cannot read it either, and fail closed on it, whereas a
/// policy that is missing would let packets through.
pub(super) fn project(key: &Key, stored: Bytes) -> Option<Bytes> {
    if !kubernetes::is_projected(key.kind()) {
        return Some(stored);
    }
    kubernetes::project(key, &stored).unwrap_or_else(|error| {
        tracing::warn!(%key, %error, "the stored document cannot be read; agents will fail closed on it");
        Some(stored)
    })
}
