//! Who is connected, how far each one is, and what the nodes report to enforce.

mod history;
mod lag;
mod point;
mod report;
mod status;
mod streams;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use dashmap::{DashMap, mapref::entry::Entry};
use proto::sync::v1::begin::Mode;
use tokio::time::{MissedTickBehavior, interval};

use self::{
    history::History,
    streams::{Left, Streams},
};
pub use self::{
    lag::Lag,
    point::Point,
    report::{Failure, Report, Unreported},
    status::{Acks, ClientStatus, Totals},
};

/// How many nodes that lag behind are named in a summary, those that lag most; the list of clients names them all.
const LAGGING_NAMED: usize = 10;

/// Between two looks at what changed last. Lags are told in seconds.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Everybody with a stream, by node. A node that connects twice is listed as its newest stream that lives.
#[derive(Default)]
pub struct Clients {
    by_node: DashMap<Arc<str>, Streams>,
    next_id: AtomicU64,
    /// When what changed, as of the last look.
    history: Mutex<History>,
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
    connected_at: Instant,
    connected_at_unix_ms: u64,
    /// Up to which revision everything was handed out.
    position: AtomicU64,
    /// When something was handed out after which the client has not asked for more yet, in milliseconds since it
    /// connected, counted from 1; 0 where it waits for news.
    unread_since_ms: AtomicU64,
    /// The datastore that its state is of: by what it said when it subscribed, and then by what was handed out. 0 where
    /// that is not known.
    held_datastore_id: AtomicU64,
    /// The last one, and the datastore that it is about.
    report: Mutex<Option<(u64, Report)>>,
}

impl Clients {
    /// Puts a client on the list for as long as the result lives.
    pub fn register(self: &Arc<Self>, node: &str, version: &str, address: SocketAddr) -> Registration {
        let client = Arc::new(Client {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            node: node.into(),
            address,
            version: version.to_owned(),
            connected_at: Instant::now(),
            connected_at_unix_ms: now_unix_ms(),
            position: AtomicU64::new(0),
            unread_since_ms: AtomicU64::new(0),
            held_datastore_id: AtomicU64::new(0),
            report: Mutex::new(None),
        });
        match self.by_node.entry(Arc::clone(&client.node)) {
            Entry::Vacant(vacant) => drop(vacant.insert(Streams::of(Arc::clone(&client)))),
            Entry::Occupied(mut occupied) => occupied.get_mut().add(Arc::clone(&client)),
        }
        Registration { clients: Arc::clone(self), client }
    }

    /// Takes what a node reports over a connection from an address, when the datastore is at `latest`.
    ///
    /// It is about the datastore that the node's state is of: one that was replaced may be enforced until a snapshot of
    /// the next one has come.
    ///
    /// # Errors
    ///
    /// Where the report does not count; see [`Unreported`].
    pub fn report(&self, node: &str, from: SocketAddr, report: Report, latest: Point) -> Result<(), Unreported> {
        let streams = self.by_node.get(node).ok_or_else(|| Unreported::NoStream { node: node.to_owned() })?;
        let client = streams.over(from).map(Arc::clone);
        drop(streams);
        let client = client.ok_or_else(|| Unreported::NotItsConnection { node: node.to_owned(), from })?;
        let datastore_id = match client.held_datastore_id.load(Ordering::Relaxed) {
            0 => latest.datastore_id,
            held => held,
        };
        let (applied, latest) = (report.applied_revision, latest.revision_in(datastore_id));
        // Who came ahead by revisions that changed nothing was told so here.
        let told = client.position.load(Ordering::Relaxed);
        if let Some(latest) = latest.filter(|latest| applied > told.max(*latest)) {
            return Err(Unreported::Ahead { node: node.to_owned(), applied, latest });
        }
        *client.last_report() = Some((datastore_id, report));
        Ok(())
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

    /// Every client, ordered by node, when the last change is this one.
    pub fn list(&self, last_change: Point, now: Instant) -> Vec<ClientStatus> {
        let history = self.noted(last_change, now);
        let mut list: Vec<_> =
            self.by_node.iter().map(|streams| streams.newest.status(last_change, &history, now)).collect();
        list.sort_by(|a, b| a.lag.node.cmp(&b.lag.node));
        list
    }

    /// How far the last change is enforced.
    pub fn acks(&self, last_change: Point, now: Instant) -> Acks {
        let history = self.noted(last_change, now);
        let Point { datastore_id, revision } = last_change;
        let mut acks = Acks { revision, applied: 0, clients: 0, failing: 0, stalled: 0, lagging: Vec::new() };
        let mut lagging: Vec<(Duration, Arc<Client>)> = Vec::new();
        for streams in &self.by_node {
            let client = &streams.newest;
            acks.clients += 1;
            acks.failing +=
                usize::from(client.report(datastore_id, |report| !report.failures.is_empty()) == Some(true));
            acks.stalled += usize::from(client.stalled(now).is_some());
            match client.behind(last_change, &history, now) {
                Some(behind) => lagging.push((behind, Arc::clone(client))),
                None => acks.applied += 1,
            }
        }
        lagging.sort_by(|(a_behind, a), (b_behind, b)| b_behind.cmp(a_behind).then_with(|| a.node.cmp(&b.node)));
        acks.lagging =
            lagging.iter().take(LAGGING_NAMED).map(|(_, client)| client.lag(last_change, &history, now)).collect();
        acks
    }

    /// Notes for ever what `last_change` says.
    pub(crate) async fn keep_noting(self: Arc<Self>, last_change: impl Fn() -> Point) {
        let mut looks = interval(NOTE_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            drop(self.noted(last_change(), Instant::now()));
        }
    }

    fn noted(&self, last_change: Point, now: Instant) -> MutexGuard<'_, History> {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.note(last_change, now);
        history
    }
}

impl Client {
    /// Of what it reported last, if that is about this datastore.
    fn report<T>(&self, datastore_id: u64, read: impl FnOnce(&Report) -> T) -> Option<T> {
        self.last_report().as_ref().filter(|(about, _)| *about == datastore_id).map(|(_, report)| read(report))
    }

    fn last_report(&self) -> MutexGuard<'_, Option<(u64, Report)>> {
        // A report is replaced as a whole, so it is right whatever its writer was doing.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self, last_change: Point, history: &History, now: Instant) -> ClientStatus {
        let report = self.report(last_change.datastore_id, Report::clone);
        ClientStatus {
            lag: self.lag(last_change, history, now),
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
    /// The client said of which datastore its state is.
    pub fn holds(&self, datastore_id: u64) {
        self.client.held_datastore_id.store(datastore_id, Ordering::Relaxed);
    }

    /// The client was told what it gets.
    pub fn began(&self, mode: Mode, bytes: usize, now: Instant) {
        let (count, what) = match mode {
            Mode::Repair => (&self.clients.repairs, "gets the ranges in which its state differs"),
            Mode::Resume => (&self.clients.resumes, "gets what changed"),
            Mode::Snapshot | Mode::Unspecified => (&self.clients.snapshots, "gets a snapshot"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        tracing::info!(client = %self, "{what}");
        self.sent(bytes, Point::default(), now);
    }

    /// Something was handed out to the client, which is now at `position`; at revision 0 where it is between two.
    pub fn sent(&self, bytes: usize, position: Point, now: Instant) {
        self.clients.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.clients.messages.fetch_add(1, Ordering::Relaxed);
        self.client.position.store(position.revision, Ordering::Relaxed);
        if position.revision > 0 {
            self.holds(position.datastore_id);
        }
        let since_ms = now.saturating_duration_since(self.client.connected_at).as_millis() as u64 + 1;
        self.client.unread_since_ms.store(since_ms, Ordering::Relaxed);
    }

    /// The client could take more, and there is nothing for it at present.
    pub fn took_all(&self) {
        self.client.unread_since_ms.store(0, Ordering::Relaxed);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Entry::Occupied(mut entry) = self.clients.by_node.entry(Arc::clone(&self.client.node))
            && entry.get_mut().remove(self.client.id) == Left::Nobody
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
