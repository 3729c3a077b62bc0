//! Replicas of typha that read one datastore in memory, a client whose events a test reads, and a relay to cut.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "every test file uses its own part, and panics")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use datastore_adapters::SourceEvent;
use felix_client::sync::{Client, Config, Event, Mode, Reporter, Updates};
use model::{Key, Kind, Update, Version};
use pki::{
    Peers,
    development::{Authority, Request},
};
use tokio::{sync::mpsc, task::JoinSet, time};
use typha::{MemorySource, Server};

/// Far more than any step takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A datastore that several replicas read, and the certificates of all.
pub(crate) struct Lab {
    pub(crate) authority: Authority,
    pub(crate) folder: tempfile::TempDir,
    /// What the datastore holds.
    pub(crate) state: BTreeMap<Key, (Bytes, Version)>,
    pub(crate) revision: Version,
}

/// A replica with the end where its source is fed.
pub(crate) struct Replica {
    pub(crate) server: Server,
    pub(crate) source: mpsc::Sender<SourceEvent>,
}

impl Replica {
    pub(crate) fn address(&self) -> String {
        self.server.address().to_string()
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("test CA").unwrap();
        Self { authority, folder: tempfile::tempdir().unwrap(), state: BTreeMap::new(), revision: 0 }
    }

    /// A replica that has read the datastore.
    pub(crate) async fn replica(&self, name: &str) -> Replica {
        self.replica_with(name, typha::Limits { drain: Duration::from_millis(300), ..typha::Limits::default() }).await
    }

    pub(crate) async fn replica_with(&self, name: &str, limits: typha::Limits) -> Replica {
        let (source, memory) = MemorySource::new(1000);
        self.replica_of(name, limits, source, memory).await
    }

    /// A replica, and the end where it asks for keys that it lost.
    pub(crate) async fn replica_that_asks(&self, name: &str) -> (Replica, mpsc::Receiver<Vec<Key>>) {
        let (source, questions, memory) = MemorySource::with_questions(1000);
        (self.replica_of(name, typha::Limits::default(), source, memory).await, questions)
    }

    async fn replica_of(
        &self,
        name: &str,
        limits: typha::Limits,
        source: mpsc::Sender<SourceEvent>,
        memory: MemorySource,
    ) -> Replica {
        let config = typha::Config {
            name: name.to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: Some("127.0.0.1:0".parse().unwrap()),
            admin_peers: Vec::new(),
            files: self.files("typha"),
            peers: Peers::common_name("felix"),
            limits,
        };
        let server = Server::start(config, memory).await.unwrap();
        source.send(SourceEvent::Init { datastore_id: 7 }).await.unwrap();
        let items = self.state.iter().map(|(key, (value, revision))| Update {
            key: key.clone(),
            value: Some(value.clone()),
            revision: *revision,
        });
        source.send(SourceEvent::InitItems(items.collect())).await.unwrap();
        source.send(SourceEvent::InitDone { revision: self.revision }).await.unwrap();
        Replica { server, source }
    }

    pub(crate) fn files(&self, name: &str) -> pki::Files {
        self.authority.write(self.folder.path(), name, &Request::named(name)).unwrap()
    }

    pub(crate) fn config(&self, servers: &[String]) -> Config {
        let tls = pki::load_client(&self.files("felix"), &Peers::common_name("typha")).unwrap();
        Config::new(servers.iter().map(String::as_str), Arc::new(tls))
    }

    /// Writes one transaction and tells the replicas that are not cut off.
    pub(crate) async fn write(&mut self, changes: &[(&str, Option<&str>)], replicas: &[&Replica]) {
        self.revision += 1;
        let revision = self.revision;
        let updates: Vec<Update> = changes
            .iter()
            .map(|(name, value)| Update {
                key: Key::global(Kind::Tier, *name),
                value: value.map(|value| Bytes::from(value.to_owned())),
                revision,
            })
            .collect();
        for update in &updates {
            match &update.value {
                Some(value) => self.state.insert(update.key.clone(), (value.clone(), revision)),
                None => self.state.remove(&update.key),
            };
        }
        for replica in replicas {
            replica.source.send(SourceEvent::Apply { revision, updates: updates.clone() }).await.unwrap();
        }
    }

    /// Many keys at once.
    pub(crate) async fn fill(&mut self, keys: usize) {
        for name in 0..keys {
            self.write(&[(&format!("tier-{name:05}"), Some("{}"))], &[]).await;
        }
    }
}

/// A client whose events a test reads, and the state they add up to.
pub(crate) struct Running {
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) reporter: Reporter,
    pub(crate) state: BTreeMap<Key, (Bytes, Version)>,
    pub(crate) revision: Version,
    _task: JoinSet<()>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let (client, reporter) = Client::new(Arc::new(config), "node-1");
        let (sender, events) = mpsc::channel(4);
        let mut task = JoinSet::new();
        task.spawn(client.run(sender));
        Self { events, reporter, state: BTreeMap::new(), revision: 0, _task: task }
    }

    pub(crate) async fn next(&mut self) -> Event {
        time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("the client lives")
    }

    /// Reads until a revision is reached; returns how streams began on the way, and how many updates came.
    pub(crate) async fn reach(&mut self, revision: Version) -> (Vec<Mode>, usize) {
        let (mut modes, mut count) = (Vec::new(), 0);
        while self.revision < revision {
            match self.next().await {
                Event::Connected { mode, .. } => modes.push(mode),
                Event::Updates(updates) => {
                    count += updates.updates.len();
                    self.take(updates);
                }
                Event::ServerNotInSync | Event::Disconnected { .. } => {}
            }
        }
        (modes, count)
    }

    pub(crate) fn take(&mut self, updates: Updates) {
        assert!(updates.revision >= self.revision, "back in time");
        self.revision = updates.revision;
        for update in updates.updates {
            match update.value {
                Some(value) => self.state.insert(update.key, (value, update.revision)),
                None => self.state.remove(&update.key),
            };
        }
    }
}

/// A TCP relay whose connections a test can cut.
pub(crate) struct Proxy {
    pub(crate) address: String,
    orders: mpsc::Sender<String>,
    target: String,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(target: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (orders, received) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(relay(listener, target.clone(), received));
        Self { address, orders, target, _task: task }
    }

    /// Breaks all connections; new ones go to the same target.
    pub(crate) async fn cut(&self) {
        self.redirect(self.target.clone()).await;
    }

    /// Breaks all connections; new ones go elsewhere.
    pub(crate) async fn redirect(&self, target: String) {
        self.orders.send(target).await.unwrap();
    }
}

async fn relay(listener: tokio::net::TcpListener, mut target: String, mut orders: mpsc::Receiver<String>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { return };
                connections.shutdown().await;
                target = order;
            }
            accepted = listener.accept() => {
                let (mut client, _) = accepted.unwrap();
                let target = target.clone();
                connections.spawn(async move {
                    let Ok(mut server) = tokio::net::TcpStream::connect(target).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        }
    }
}
