//! How many clients are a replica's share, and what becomes of those beyond it: they are referred to other replicas,
//! never refused by all.
//!
//! The choice itself is the client's (rendezvous hashing, own zone first); this only bounds what comes of it where zones
//! are uneven or replicas are lost. A replica asks nobody: the datastore tells how many nodes there are, and the client
//! how many replicas it sees. Clients that are here are never sent away for the sake of balance; see decision 0016.

mod nodes;
mod share;

use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use proto::sync::v1::SubscribeRequest;

use self::nodes::Nodes;
pub use self::share::Share;
use crate::{clients::Clients, session::Ending, store::View};

/// Decides who is served here.
#[derive(Default)]
pub(crate) struct Balance {
    nodes: Nodes,
    /// Clients that were referred to others.
    pub(crate) referrals: Counter,
}

impl Balance {
    /// Why a client is to try other replicas first; `None` where it is served. One that is on the list already only
    /// comes back.
    pub(crate) fn referral(
        &self,
        server: &str,
        request: &SubscribeRequest,
        clients: &Clients,
        view: &View,
        now: Instant,
    ) -> Option<Ending> {
        if request.servers <= 1 || clients.is_listed(&request.node) {
            return None;
        }
        let (share, clients) = (Share { nodes: self.nodes.count(view, now) }, clients.len());
        if share.admits(clients, request.servers, request.referred) {
            return None;
        }
        self.referrals.inc();
        let share = share.most(request.servers);
        // It knows no other replica; the client does.
        Some(Ending::Full { server: server.into(), clients, share, servers: Vec::new() })
    }
}
