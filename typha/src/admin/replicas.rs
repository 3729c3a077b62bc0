//! The other replicas, as their own admin API tells of them: what the page shows beside this one.
//!
//! They are asked when somebody looks, all at once and for everybody who looks together.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use telemetry::admin::{Bounds, Silence, addresses, ask};
use tokio::sync::Mutex;

/// A replica that takes longer is told as silent: whoever looks wants to know within three seconds. A `/status` with
/// thousands of nodes takes some kilobytes.
const BOUNDS: Bounds = Bounds { within: Duration::from_secs(1), bytes: 1 << 20 };
/// Answers are shown to all who ask within this.
const FRESH: Duration = Duration::from_millis(500);

/// Where the replicas are asked, and what they said last.
pub(super) struct Replicas {
    /// `HOST:PORT` each; a name may have many addresses.
    peers: Vec<String>,
    latest: Mutex<Option<(Instant, Arc<Vec<Replica>>)>>,
}

/// What is known of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Replica {
    /// Where it was asked; the name, where that is not found.
    address: String,
    /// What it says of itself.
    status: Option<Summary>,
    /// Why it says nothing.
    silence: Option<String>,
}

/// The part of a replica's `/status` that is worth comparing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Summary {
    name: String,
    datastore_id: String,
    revision: u64,
    digest: String,
    keys: u64,
    upstream_age_ms: Option<u64>,
    obstacles: Vec<String>,
    acks: Acks,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Acks {
    clients: u64,
    applied: u64,
}

impl Replicas {
    pub(super) fn new(peers: Vec<String>) -> Self {
        Self { peers, latest: Mutex::new(None) }
    }

    /// What all replicas say, in the order of their addresses.
    async fn look(&self) -> Arc<Vec<Replica>> {
        // Held while they are asked: who comes meanwhile gets the same answer.
        let mut latest = self.latest.lock().await;
        if let Some((_, seen)) = latest.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Arc::clone(seen);
        }
        let found = join_all(self.peers.iter().map(|peer| found(peer))).await;
        let mut seen: Vec<Replica> = found.iter().filter_map(|found| found.as_ref().err().cloned()).collect();
        let addresses: BTreeSet<SocketAddr> = found.into_iter().flatten().flatten().collect();
        seen.extend(join_all(addresses.into_iter().map(Replica::ask)).await);
        let seen = Arc::new(seen);
        *latest = Some((Instant::now(), Arc::clone(&seen)));
        seen
    }
}

/// All addresses of a peer.
async fn found(peer: &str) -> Result<Vec<SocketAddr>, Replica> {
    let silent = |silence: Silence| Replica::new(peer.to_owned(), Err(silence));
    addresses(peer, BOUNDS.within).await.map_err(silent)
}

impl Replica {
    async fn ask(address: SocketAddr) -> Self {
        let address = address.to_string();
        let said = ask(&address, "/status", BOUNDS).await;
        Self::new(address, said)
    }

    fn new(address: String, said: Result<Summary, Silence>) -> Self {
        let (status, silence) = match said {
            Ok(status) => (Some(status), None),
            Err(silence) => (None, Some(silence.to_string())),
        };
        Self { address, status, silence }
    }
}

/// `/replicas`: what each replica says, or why it says nothing. Empty where none is configured.
pub(super) async fn replicas(State(replicas): State<Arc<Replicas>>) -> Json<Vec<Replica>> {
    Json(replicas.look().await.to_vec())
}
