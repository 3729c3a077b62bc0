//! Who is connected, how far each one is, and what the nodes report to enforce.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use dashmap::{DashMap, mapref::entry::Entry};
use model::Version;
use serde::Serialize;

/// How many nodes that lag behind are named in a summary; the list of clients names them all.
const LAGGING_NAMED: usize = 10;

/// Everybody with a stream, by node. A node that connects twice is listed as its newest stream.
#[derive(Default)]
pub struct Clients {
    by_node: DashMap<Arc<str>, Arc<Client>>,
    next_id: AtomicU64,
    /// Bytes handed out to all clients ever.
    sent_bytes: AtomicU64,
    /// Messages handed out to all clients ever.
    sent_messages: AtomicU64,
}

/// What is known of one stream.
struct Client {
    /// Tells streams of the same node apart.
    id: u64,
    node: Arc<str>,
    address: SocketAddr,
    version: String,
    connected_at_unix_ms: u64,
    /// Up to which revision everything was handed out.
    position: AtomicU64,
    report: Mutex<Option<Report>>,
}

/// What a node says that its kernel enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The revision whose consequences are enforced.
    pub applied_revision: Version,
    /// When that was reached, by the node's clock.
    pub applied_at_unix_ms: u64,
    /// What could not be enforced.
    pub failures: Vec<Failure>,
}

/// Something that a node could not enforce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The resource's key, or the kernel object's name.
    pub object: String,
    /// Why, for people.
    pub reason: String,
}

/// One client, for people and their tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientStatus {
    /// The node that it serves.
    pub node: String,
    /// Where it connects from.
    pub address: SocketAddr,
    /// Its software.
    pub version: String,
    /// Since when it is connected.
    pub connected_at_unix_ms: u64,
    /// Up to which revision everything was handed out to it.
    pub position_revision: Version,
    /// The revision that it reports to enforce; `null` before its first report.
    pub applied_revision: Option<Version>,
    /// When it reached that, by its own clock.
    pub applied_at_unix_ms: Option<u64>,
    /// What it could not enforce.
    pub failures: Vec<Failure>,
}

/// "Revision R is enforced by so many of so many."
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acks {
    /// The revision of the last change.
    pub revision: Version,
    /// How many clients report to enforce it.
    pub applied: usize,
    /// How many clients there are.
    pub clients: usize,
    /// How many clients could not enforce something.
    pub failing: usize,
    /// Some of those that do not enforce it yet.
    pub lagging: Vec<String>,
}

impl Clients {
    /// Puts a client on the list for as long as the result lives.
    pub fn register(self: &Arc<Self>, node: &str, version: &str, address: SocketAddr) -> Registration {
        let client = Arc::new(Client {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            node: node.into(),
            address,
            version: version.to_owned(),
            connected_at_unix_ms: now_unix_ms(),
            position: AtomicU64::new(0),
            report: Mutex::new(None),
        });
        self.by_node.insert(Arc::clone(&client.node), Arc::clone(&client));
        Registration { clients: Arc::clone(self), client }
    }

    /// Takes what a node reports. Reports of nodes without a stream here count nowhere: they come from a client that
    /// has just moved to another replica, and will be told there.
    pub fn report(&self, node: &str, report: Report) {
        let Some(client) = self.by_node.get(node).map(|client| Arc::clone(&client)) else { return };
        *client.report() = Some(report);
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.by_node.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_node.is_empty()
    }

    /// Bytes and messages handed out to all clients ever.
    pub fn sent(&self) -> (u64, u64) {
        (self.sent_bytes.load(Ordering::Relaxed), self.sent_messages.load(Ordering::Relaxed))
    }

    /// Every client, ordered by node.
    pub fn list(&self) -> Vec<ClientStatus> {
        let mut list: Vec<_> = self.by_node.iter().map(|client| client.status()).collect();
        list.sort_by(|a, b| a.node.cmp(&b.node));
        list
    }

    /// How far a revision is enforced.
    pub fn acks(&self, revision: Version) -> Acks {
        let mut acks = Acks { revision, applied: 0, clients: 0, failing: 0, lagging: Vec::new() };
        for client in &self.by_node {
            let report = client.report();
            let applied = report.as_ref().map_or(0, |report| report.applied_revision);
            acks.clients += 1;
            acks.failing += usize::from(report.as_ref().is_some_and(|report| !report.failures.is_empty()));
            if applied >= revision {
                acks.applied += 1;
            } else if acks.lagging.len() < LAGGING_NAMED {
                acks.lagging.push(client.node.to_string());
            }
        }
        acks.lagging.sort();
        acks
    }
}

impl Client {
    fn report(&self) -> std::sync::MutexGuard<'_, Option<Report>> {
        // A report is replaced as a whole, so it is right whatever its writer was doing.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> ClientStatus {
        let report = self.report().clone();
        ClientStatus {
            node: self.node.to_string(),
            address: self.address,
            version: self.version.clone(),
            connected_at_unix_ms: self.connected_at_unix_ms,
            position_revision: self.position.load(Ordering::Relaxed),
            applied_revision: report.as_ref().map(|report| report.applied_revision),
            applied_at_unix_ms: report.as_ref().map(|report| report.applied_at_unix_ms),
            failures: report.map(|report| report.failures).unwrap_or_default(),
        }
    }
}

/// A client's place on the list; dropping it takes the client off.
pub struct Registration {
    clients: Arc<Clients>,
    client: Arc<Client>,
}

impl Registration {
    /// Something was handed out to the client, which is now at `position`.
    pub fn sent(&self, bytes: usize, position: Version) {
        self.clients.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.clients.sent_messages.fetch_add(1, Ordering::Relaxed);
        self.client.position.store(position, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // A newer stream of the same node may have taken the place.
        if let Entry::Occupied(entry) = self.clients.by_node.entry(Arc::clone(&self.client.node))
            && entry.get().id == self.client.id
        {
            entry.remove();
        }
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.client.node, self.client.address)
    }
}

fn now_unix_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as u64)
}
