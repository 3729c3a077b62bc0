//! How many clients are a replica's share, and what becomes of those beyond it: they are referred to other replicas,
//! never refused by all.
//!
//! The choice itself is the client's (rendezvous hashing, own zone first); this only bounds what comes of it where zones
//! are uneven or replicas are lost. A replica asks nobody: the datastore tells how many nodes there are, and the client
//! how many replicas it sees. Clients that are here are never sent away for the sake of balance; see decision 0016.

mod nodes;
mod share;

use std::time::Instant;

use proto::sync::v1::SubscribeRequest;

use self::nodes::Nodes;
pub use self::share::Share;
use crate::{clients::Clients, store::View};

/// Decides who is served here.
#[derive(Default)]
pub(crate) struct Balance {
    nodes: Nodes,
}

/// A client is to try other replicas first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// How many clients there are here.
    pub(crate) clients: usize,
    /// How many there should be.
    pub(crate) share: usize,
}

impl Balance {
    /// Whether a client is served here. One that is on the list already only comes back.
    pub(crate) fn admit(
        &self,
        request: &SubscribeRequest,
        clients: &Clients,
        view: &View,
        now: Instant,
    ) -> Result<(), Full> {
        if request.servers <= 1 || clients.is_listed(&request.node) {
            return Ok(());
        }
        let (share, clients) = (Share { nodes: self.nodes.count(view, now) }, clients.len());
        if share.admits(clients, request.servers, request.referred) {
            return Ok(());
        }
        Err(Full { clients, share: share.most(request.servers) })
    }
}
