//! Who is connected, how far each one is, and what the nodes report to enforce.

mod report;
mod status;

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
use proto::sync::v1::begin::Mode;

pub use self::{
    report::{Failure, Report},
    status::{Acks, ClientStatus, Totals},
};

/// How many nodes that lag behind are named in a summary; the list of clients names them all.
const LAGGING_NAMED: usize = 10;

/// Everybody with a stream, by node. A node that connects twice is listed as its newest stream.
#[derive(Default)]
pub struct Clients {
    by_node: DashMap<Arc<str>, Arc<Client>>,
    next_id: AtomicU64,
    /// See [`Totals`].
    bytes: AtomicU64,
    /// See [`Totals`].
    messages: AtomicU64,
    /// See [`Totals`].
    snapshots: AtomicU64,
    /// See [`Totals`].
    resumes: AtomicU64,
    /// See [`Totals`].
    repairs: AtomicU64,
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

    /// Takes what a node reports; `false` where it has no stream here. Its client has just moved to another replica,
    /// or its stream is about to begin.
    #[must_use]
    pub fn report(&self, node: &str, report: Report) -> bool {
        let Some(client) = self.by_node.get(node).map(|client| Arc::clone(&client)) else { return false };
        *client.report() = Some(report);
        true
    }

    /// Whether a node has a stream here.
    pub fn is_listed(&self, node: &str) -> bool {
        self.by_node.contains_key(node)
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.by_node.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_node.is_empty()
    }

    /// What was handed out to all clients ever.
    pub fn totals(&self) -> Totals {
        Totals {
            bytes: self.bytes.load(Ordering::Relaxed),
            messages: self.messages.load(Ordering::Relaxed),
            snapshots: self.snapshots.load(Ordering::Relaxed),
            resumes: self.resumes.load(Ordering::Relaxed),
            repairs: self.repairs.load(Ordering::Relaxed),
        }
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
    /// The client was told what it gets.
    pub fn began(&self, mode: Mode, bytes: usize) {
        let (count, what) = match mode {
            Mode::Repair => (&self.clients.repairs, "gets the ranges in which its state differs"),
            Mode::Resume => (&self.clients.resumes, "gets what changed"),
            Mode::Snapshot | Mode::Unspecified => (&self.clients.snapshots, "gets a snapshot"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        tracing::info!(client = %self, "{what}");
        self.sent(bytes, 0);
    }

    /// Something was handed out to the client, which is now at `position`.
    pub fn sent(&self, bytes: usize, position: Version) {
        self.clients.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.clients.messages.fetch_add(1, Ordering::Relaxed);
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
