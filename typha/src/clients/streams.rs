//! The streams of one node. One is the rule; two there are while a client moves within a replica that it knows by two
//! addresses, while the connection of a node that died is not found dead yet, and where two nodes have one name.

use std::{net::SocketAddr, sync::Arc};

use super::Client;

/// The streams of one node that live.
pub(super) struct Streams {
    /// The one that the node is listed as.
    pub(super) newest: Arc<Client>,
    /// The others, the oldest first.
    older: Vec<Arc<Client>>,
}

/// Who is left when a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Somebody,
    Nobody,
}

impl Streams {
    pub(super) fn of(client: Arc<Client>) -> Self {
        Self { newest: client, older: Vec::new() }
    }

    pub(super) fn add(&mut self, client: Arc<Client>) {
        self.older.push(std::mem::replace(&mut self.newest, client));
    }

    /// The newest one over the connection from an address. Two connections that live have two addresses.
    pub(super) fn over(&self, address: SocketAddr) -> Option<&Arc<Client>> {
        let mut newest_first = std::iter::once(&self.newest).chain(self.older.iter().rev());
        newest_first.find(|client| client.address == address)
    }

    /// A stream has ended. Where it was the newest, the node is listed as the one before it again.
    pub(super) fn remove(&mut self, id: u64) -> Left {
        if self.newest.id != id {
            self.older.retain(|client| client.id != id);
            return Left::Somebody;
        }
        let Some(before) = self.older.pop() else { return Left::Nobody };
        self.newest = before;
        Left::Somebody
    }
}
