//! The client with the real typha over mutual TLS: snapshots, cuts, resumption here and on a second replica.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use datastore_adapters::SourceEvent;
use felix_client::sync::{Client, Config, Event, LightClient, LightEvent, Mode, Report, Reporter, Updates};
use model::{Key, Kind, Update, Version};
use pki::{
    Peers,
    development::{Authority, Request},
};
use tokio::{sync::mpsc, task::JoinSet, time};
use typha::{MemorySource, Server};

/// Far more than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A datastore that several replicas read, and the certificates of all.
struct Lab {
    authority: Authority,
    folder: tempfile::TempDir,
    /// What the datastore holds.
    state: BTreeMap<Key, (Bytes, Version)>,
    revision: Version,
}

/// A replica with the end where its source is fed.
struct Replica {
    server: Server,
    source: mpsc::Sender<SourceEvent>,
}

impl Replica {
    fn address(&self) -> String {
        self.server.address().to_string()
    }
}

impl Lab {
    fn new() -> Self {
        let authority = Authority::new("test CA").unwrap();
        Self { authority, folder: tempfile::tempdir().unwrap(), state: BTreeMap::new(), revision: 0 }
    }

    /// A replica that has read the datastore.
    async fn replica(&self, name: &str) -> Replica {
        let config = typha::Config {
            name: name.to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            admin_listen: None,
            files: self.files("typha"),
            peers: Peers::common_name("felix"),
            limits: typha::Limits { drain: Duration::from_millis(300), ..typha::Limits::default() },
        };
        let (source, memory) = MemorySource::new(1000);
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

    fn files(&self, name: &str) -> pki::Files {
        self.authority.write(self.folder.path(), name, &Request::named(name)).unwrap()
    }

    fn config(&self, servers: &[String]) -> Config {
        let tls = pki::load_client(&self.files("felix"), &Peers::common_name("typha")).unwrap();
        Config::new(servers.iter().map(String::as_str), Arc::new(tls))
    }

    /// Writes one transaction and tells the replicas that are not cut off.
    async fn write(&mut self, changes: &[(&str, Option<&str>)], replicas: &[&Replica]) {
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
    async fn fill(&mut self, keys: usize) {
        for name in 0..keys {
            self.write(&[(&format!("tier-{name:05}"), Some("{}"))], &[]).await;
        }
    }
}

/// A client whose events a test reads, and the state they add up to.
struct Running {
    events: mpsc::Receiver<Event>,
    reporter: Reporter,
    state: BTreeMap<Key, (Bytes, Version)>,
    revision: Version,
    _task: JoinSet<()>,
}

impl Running {
    fn start(config: Config) -> Self {
        let (client, reporter) = Client::new(Arc::new(config), "node-1");
        let (sender, events) = mpsc::channel(4);
        let mut task = JoinSet::new();
        task.spawn(client.run(sender));
        Self { events, reporter, state: BTreeMap::new(), revision: 0, _task: task }
    }

    async fn next(&mut self) -> Event {
        time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("the client lives")
    }

    /// Reads until a revision is reached; returns how streams began on the way, and how many updates came.
    async fn reach(&mut self, revision: Version) -> (Vec<Mode>, usize) {
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

    fn take(&mut self, updates: Updates) {
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

#[tokio::test]
async fn a_snapshot_then_changes() {
    let mut lab = Lab::new();
    lab.fill(3000).await;
    let typha = lab.replica("typha-a").await;
    let mut client = Running::start(lab.config(&[typha.address()]));
    assert_eq!(client.reach(3000).await, (vec![Mode::Snapshot], 3000));
    assert_eq!(client.state, lab.state);

    lab.write(&[("tier-00001", None), ("new", Some("{}"))], &[&typha]).await;
    assert_eq!(client.reach(3001).await, (vec![], 2));
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn a_cut_costs_only_what_changed_meanwhile() {
    let mut lab = Lab::new();
    lab.fill(2000).await;
    let typha = lab.replica("typha-a").await;
    let proxy = Proxy::start(typha.address()).await;
    let mut client = Running::start(lab.config(std::slice::from_ref(&proxy.address)));
    client.reach(2000).await;

    proxy.cut().await;
    lab.write(&[("tier-00007", Some("{\"a\": 1}"))], &[&typha]).await;
    lab.write(&[("tier-00008", None)], &[&typha]).await;
    assert_eq!(client.reach(2002).await, (vec![Mode::Resume], 2));
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn a_second_replica_resumes_what_the_first_began() {
    let mut lab = Lab::new();
    lab.fill(2000).await;
    let (first, second) = (lab.replica("typha-a").await, lab.replica("typha-b").await);
    let servers = [first.address(), second.address()];
    let mut client = Running::start(lab.config(&servers));
    client.reach(2000).await;

    lab.write(&[("tier-00007", None), ("new", Some("{}"))], &[&first, &second]).await;
    client.reach(2001).await;
    // Whichever of the two serves it drains; the other has to take over without a snapshot.
    let (leaving, staying) = if first.server.clients().len() == 1 { (first, second) } else { (second, first) };
    lab.write(&[("after", Some("{}"))], &[&staying]).await;
    leaving.server.drain("test").await;
    assert_eq!(client.reach(2002).await, (vec![Mode::Resume], 1));
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn a_replica_that_just_started_takes_its_clients_back() {
    let mut lab = Lab::new();
    lab.fill(500).await;
    let old = lab.replica("typha-a").await;
    let proxy = Proxy::start(old.address()).await;
    let mut client = Running::start(lab.config(std::slice::from_ref(&proxy.address)));
    client.reach(500).await;
    lab.write(&[("late", Some("{}"))], &[]).await;
    let new = lab.replica("typha-a").await;
    proxy.redirect(new.address()).await;
    let (modes, _) = client.reach(501).await;
    assert_eq!(modes.len(), 1);
    assert_eq!(client.state, lab.state);
}

#[tokio::test]
async fn reports_reach_typhas_list_of_clients() {
    let mut lab = Lab::new();
    lab.fill(10).await;
    let typha = lab.replica("typha-a").await;
    let mut client = Running::start(lab.config(&[typha.address()]));
    client.reach(10).await;
    client.reporter.report(Report {
        applied_revision: 10,
        applied_at: std::time::SystemTime::now(),
        failures: Vec::new(),
    });
    let deadline = time::Instant::now() + PATIENCE;
    while typha.server.clients().list().first().and_then(|client| client.applied_revision) != Some(10) {
        assert!(time::Instant::now() < deadline, "the report did not arrive");
        time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn light_clients_count_what_comes() {
    let mut lab = Lab::new();
    lab.fill(100).await;
    let typha = lab.replica("typha-a").await;
    let config = Arc::new(lab.config(&[typha.address()]));
    let (sender, mut counts) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let sender = sender.clone();
        let mut entries = 0;
        let (client, _) = LightClient::new(Arc::clone(&config), format!("node-{number}"), move |event| match event {
            LightEvent::Entry { .. } => entries += 1,
            LightEvent::Checkpoint { revision, in_sync: true, .. } => _ = sender.send((revision, entries)),
            _ => {}
        });
        tasks.spawn(client.run());
    }
    for _ in 0..20 {
        assert_eq!(time::timeout(PATIENCE, counts.recv()).await.unwrap(), Some((100, 100)));
    }
}

#[tokio::test]
async fn a_light_client_takes_more_than_its_window_and_resumes() {
    let mut lab = Lab::new();
    // Four windows of 16 MiB.
    let value: &'static str = "x".repeat(1 << 20).leak();
    for number in 0..64 {
        lab.write(&[(&format!("tier-{number}"), Some(value))], &[]).await;
    }
    let typha = lab.replica("typha-a").await;
    let proxy = Proxy::start(typha.address()).await;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let config = Arc::new(lab.config(std::slice::from_ref(&proxy.address)));
    let (client, _reporter) = LightClient::new(config, "node-1", move |event| match event {
        LightEvent::Connected { mode, .. } => _ = sender.send(format!("{mode}")),
        LightEvent::Checkpoint { revision, .. } => _ = sender.send(format!("revision {revision}")),
        _ => {}
    });
    let mut task = JoinSet::new();
    task.spawn(client.run());
    let mut hear = async || time::timeout(PATIENCE, heard.recv()).await.expect("in time").expect("the client lives");
    assert_eq!((hear().await, hear().await), ("snapshot".to_owned(), "revision 64".to_owned()));
    proxy.cut().await;
    lab.write(&[("late", Some("{}"))], &[&typha]).await;
    assert_eq!((hear().await, hear().await), ("resume".to_owned(), "revision 65".to_owned()));
}

/// A TCP relay whose connections a test can cut.
struct Proxy {
    address: String,
    orders: mpsc::Sender<String>,
    target: String,
    _task: JoinSet<()>,
}

impl Proxy {
    async fn start(target: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (orders, received) = mpsc::channel(1);
        let mut task = JoinSet::new();
        task.spawn(relay(listener, target.clone(), received));
        Self { address, orders, target, _task: task }
    }

    /// Breaks all connections; new ones go to the same target.
    async fn cut(&self) {
        self.redirect(self.target.clone()).await;
    }

    /// Breaks all connections; new ones go elsewhere.
    async fn redirect(&self, target: String) {
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
                    let mut server = tokio::net::TcpStream::connect(target).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        }
    }
}
