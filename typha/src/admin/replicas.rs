//! The other replicas, as their own admin API tells of them: what the page shows beside this one.
//!
//! They are asked when somebody looks, all at once and for everybody who looks together.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, ensure};
use axum::{Json, extract::State};
use futures_util::future::join_all;
use http::{Request, StatusCode, header::HOST};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpStream, lookup_host},
    sync::Mutex,
    time::timeout,
};

/// A replica that takes longer is told as silent: whoever looks wants to know within three seconds.
const LIMIT: Duration = Duration::from_secs(1);
/// Answers are shown to all who ask within this.
const FRESH: Duration = Duration::from_millis(500);
/// A `/status` with thousands of nodes takes some kilobytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

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
        let found = join_all(self.peers.iter().map(|peer| addresses(peer))).await;
        let mut seen: Vec<Replica> = found.iter().filter_map(|found| found.as_ref().err().cloned()).collect();
        let addresses: BTreeSet<SocketAddr> = found.into_iter().flatten().flatten().collect();
        seen.extend(join_all(addresses.into_iter().map(Replica::ask)).await);
        let seen = Arc::new(seen);
        *latest = Some((Instant::now(), Arc::clone(&seen)));
        seen
    }
}

/// All addresses of a peer.
async fn addresses(peer: &str) -> Result<Vec<SocketAddr>, Replica> {
    let silent = |reason: String| Replica { address: peer.to_owned(), status: None, silence: Some(reason) };
    match timeout(LIMIT, lookup_host(peer)).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(silent(format!("the name is not found: {error}"))),
        Err(_) => Err(silent(format!("the name is not found within {} s", LIMIT.as_secs()))),
    }
}

impl Replica {
    async fn ask(address: SocketAddr) -> Self {
        let (status, silence) = match timeout(LIMIT, status(address)).await {
            Ok(Ok(status)) => (Some(status), None),
            Ok(Err(error)) => (None, Some(format!("{error:#}"))),
            Err(_) => (None, Some(format!("no answer within {} s", LIMIT.as_secs()))),
        };
        Self { address: address.to_string(), status, silence }
    }
}

async fn status(address: SocketAddr) -> anyhow::Result<Summary> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asking = async {
        let request = Request::get("/status").header(HOST, address.to_string()).body(Empty::<Bytes>::new())?;
        let response = requests.send_request(request).await?;
        let code = response.status();
        ensure!(code == StatusCode::OK, "/status answers {code}; is that typha's admin API?");
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow!("/status breaks off: {error}"))?.to_bytes();
        serde_json::from_slice(&body).context("/status is not what typha answers")
    };
    tokio::select! {
        status = asking => status,
        ended = connection => Err(ended.err().map_or_else(|| anyhow!("it hung up"), anyhow::Error::from)),
    }
}

/// `/replicas`: what each replica says, or why it says nothing. Empty where none is configured.
pub(super) async fn replicas(State(replicas): State<Arc<Replicas>>) -> Json<Vec<Replica>> {
    Json(replicas.look().await.to_vec())
}
