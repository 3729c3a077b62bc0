//! One replica of typha as a client knows it: where it is dialled, and in which zone it is.

use std::sync::Arc;

/// A replica. Two with the same address are the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Where it is dialled, `host:port`.
    pub address: Arc<str>,
    /// Its zone, as `topology.kubernetes.io/zone` names it, where that is known.
    pub zone: Option<Arc<str>>,
    /// What it was found by: itself, or a DNS name that has its address.
    pub found_by: Arc<str>,
    /// Whether it is an address of the other IP family beside one that is preferred. On a dual-stack network it is most
    /// likely a replica that is known already, so it is used only where all others fail, and not counted.
    pub is_spare: bool,
}
