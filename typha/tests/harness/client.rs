//! A client that keeps state and position the way an agent does, and counts what it was sent.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use model::digest::{Digest, EntryHash};
use proto::sync::v1::{
    Batch, Begin, Checkpoint, Entry, GoAway, Position, SubscribeRequest, begin::Mode, sync_client::SyncClient,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{
    Status, Streaming,
    transport::{Channel, Endpoint},
};

use super::within;

/// Connects a generated client to a server.
pub async fn connect(address: SocketAddr, tls: Arc<rustls::ClientConfig>) -> anyhow::Result<SyncClient<Channel>> {
    connect_with(address, tls, |endpoint| endpoint).await
}

pub async fn connect_with(
    address: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
    settings: impl FnOnce(Endpoint) -> Endpoint,
) -> anyhow::Result<SyncClient<Channel>> {
    let connector = TlsConnector::from(tls);
    let dial = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = "typha".try_into().map_err(std::io::Error::other)?;
            anyhow::Ok(TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    let endpoint = settings(Endpoint::from_static("http://typha"));
    Ok(SyncClient::new(within(endpoint.connect_with_connector(dial)).await??))
}

/// A client's state.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub entries: BTreeMap<String, (Bytes, u64)>,
    pub position: Option<Position>,
}

/// A stream, the state that it leads to, and what was seen of it.
pub struct Client {
    stream: Streaming<Batch>,
    pub state: State,
    pub begun: Option<Begin>,
    pub go_away: Option<GoAway>,
    /// Entries received on this stream.
    pub received: usize,
    /// Whether what comes until the checkpoint is everything there is.
    is_snapshot: bool,
    /// What came since the last checkpoint; not acted on before the next.
    pending: Vec<Entry>,
}

impl Client {
    /// Subscribes from where `state` stands.
    pub async fn subscribe(sync: &mut SyncClient<Channel>, node: &str, state: State) -> anyhow::Result<Self> {
        let position = state.position.clone();
        let (node, version) = (node.to_owned(), "test".to_owned());
        let request = SubscribeRequest { node, version, position, ..SubscribeRequest::default() };
        let stream = within(sync.subscribe(request)).await??.into_inner();
        Ok(Self { stream, state, begun: None, go_away: None, received: 0, is_snapshot: false, pending: Vec::new() })
    }

    /// Reads to the next checkpoint.
    pub async fn checkpoint(&mut self) -> anyhow::Result<Checkpoint> {
        loop {
            let batch = self.message().await?.context("the stream ended")?;
            if let Some(checkpoint) = self.take(batch)? {
                return Ok(checkpoint);
            }
        }
    }

    /// Reads to the checkpoint of a revision or a later one.
    pub async fn reach(&mut self, revision: u64) -> anyhow::Result<Checkpoint> {
        loop {
            let checkpoint = self.checkpoint().await?;
            if checkpoint.revision >= revision {
                return Ok(checkpoint);
            }
        }
    }

    /// Reads until the server asks to go.
    pub async fn told_to_go(&mut self) -> anyhow::Result<GoAway> {
        loop {
            if let Some(go_away) = self.go_away.take() {
                return Ok(go_away);
            }
            let batch = self.message().await?.context("the stream ended")?;
            self.take(batch)?;
        }
    }

    pub async fn message(&mut self) -> anyhow::Result<Option<Batch>, Status> {
        within(self.stream.message()).await.map_err(|error| Status::deadline_exceeded(error.to_string()))?
    }

    pub fn mode(&self) -> Option<Mode> {
        self.begun.as_ref().map(Begin::mode)
    }

    fn take(&mut self, batch: Batch) -> anyhow::Result<Option<Checkpoint>> {
        if let Some(begin) = batch.begin {
            self.is_snapshot = begin.mode() == Mode::Snapshot;
            self.pending.clear();
            self.begun = Some(begin);
        }
        self.go_away = batch.go_away.or(self.go_away.take());
        self.received += batch.entries.len();
        self.pending.extend(batch.entries);
        batch.checkpoint.map(|checkpoint| self.conclude(checkpoint)).transpose()
    }

    fn conclude(&mut self, checkpoint: Checkpoint) -> anyhow::Result<Checkpoint> {
        if std::mem::take(&mut self.is_snapshot) {
            self.state.entries.clear();
        }
        for entry in self.pending.drain(..) {
            match entry.value {
                // Copied: it would keep the whole message alive.
                Some(value) => self.state.entries.insert(entry.key, (Bytes::copy_from_slice(&value), entry.revision)),
                None => self.state.entries.remove(&entry.key),
            };
        }
        let mut digest = Digest::default();
        for (key, (value, revision)) in &self.state.entries {
            digest.add(EntryHash::of(key, *revision, value));
        }
        anyhow::ensure!(digest.to_bytes() == *checkpoint.digest, "digests differ at revision {}", checkpoint.revision);
        let before = self.state.position.as_ref().map_or(0, |position| position.revision);
        anyhow::ensure!(checkpoint.revision >= before, "went back from {before} to {}", checkpoint.revision);
        let begun = self.begun.as_ref().context("no Begin came before the checkpoint")?;
        self.state.position = Some(Position {
            datastore_id: begun.datastore_id,
            revision: checkpoint.revision,
            digest: checkpoint.digest.clone(),
            ..Position::default()
        });
        Ok(checkpoint)
    }
}
