//! Many replicas and many clients: a replica that comes gets its share, one that goes gives its clients away, and no
//! client gets a snapshot for it, misses a write, or goes back in time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod lab;

use std::{
    collections::{BTreeMap, BTreeSet},
    future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use datastore_adapters::SourceEvent;
use felix_client::sync::{
    Client, Config, Disconnect, Discovery, Event, LightClient, LightEvent, Lookup, Mode, Resolve, in_order,
};
use lab::{Lab, PATIENCE, Replica};
use model::{Key, Kind, Update, Version};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{self, Instant},
};
use typha::Limits;

const LIGHT_CLIENTS: usize = 60;
const FULL_CLIENTS: usize = 3;
const CLIENTS: usize = LIGHT_CLIENTS + FULL_CLIENTS;

/// Long enough for all to move one after the other on a busy machine.
const DRAIN: Duration = Duration::from_secs(8);

/// Between two writes.
const PACE: Duration = Duration::from_millis(5);

/// A headless Service: its addresses are what the test says.
#[derive(Clone, Debug, Default)]
struct Service(Arc<Mutex<Vec<SocketAddr>>>);

impl Service {
    fn add(&self, replica: &Replica) {
        self.0.lock().unwrap().push(replica.server.address());
    }
}

impl Resolve for Service {
    fn resolve<'a>(&'a self, _: &'a str) -> Lookup<'a> {
        Box::pin(future::ready(Ok(self.0.lock().unwrap().clone())))
    }
}

/// What one client went through.
#[derive(Debug, Default)]
struct Story {
    /// The replicas that served it, in order.
    servers: Vec<String>,
    snapshots: usize,
    disconnects: usize,
    /// How far it is, after each checkpoint.
    revision: Version,
    /// Checkpoints that went back.
    back: usize,
    /// The revisions of all changes that came.
    seen: BTreeSet<Version>,
}

impl Story {
    fn connected(&mut self, server: &str, mode: Mode) {
        self.servers.push(server.to_owned());
        self.snapshots += usize::from(mode == Mode::Snapshot);
    }

    fn reached(&mut self, revision: Version) {
        self.back += usize::from(revision < self.revision);
        self.revision = revision;
    }
}

type Stories = Vec<Arc<Mutex<Story>>>;

fn node(number: usize) -> String {
    format!("node-{number:02}")
}

/// All clients, and what they went through.
struct Fleet {
    stories: Stories,
    _tasks: JoinSet<()>,
}

impl Fleet {
    fn start(config: Config) -> Self {
        let (config, mut tasks) = (Arc::new(config), JoinSet::new());
        let stories: Stories = (0..CLIENTS).map(|_| Arc::default()).collect();
        for (number, story) in stories.iter().enumerate() {
            if number < LIGHT_CLIENTS {
                let story = Arc::clone(story);
                let (client, _) =
                    LightClient::new(Arc::clone(&config), node(number), move |event| light(&story, &event));
                tasks.spawn(client.run());
            } else {
                let (client, _) = Client::new(Arc::clone(&config), node(number));
                let (sender, events) = mpsc::channel(4);
                tasks.spawn(client.run(sender));
                tasks.spawn(full(Arc::clone(story), events));
            }
        }
        Self { stories, _tasks: tasks }
    }

    /// Whether something holds for each client.
    fn all(&self, holds: impl Fn(&Story) -> bool) -> bool {
        self.stories.iter().all(|story| holds(&story.lock().unwrap()))
    }

    /// The replica that serves each client now.
    fn servers(&self) -> Vec<String> {
        self.stories.iter().map(|story| story.lock().unwrap().servers.last().cloned().unwrap_or_default()).collect()
    }

    /// Nothing was lost, nobody began anew or went back, and no stream ended before another took its place.
    fn check(&self, first: Version, last: Version) {
        for (number, story) in self.stories.iter().enumerate() {
            let story = story.lock().unwrap();
            let missed: Vec<_> = (first..=last).filter(|revision| !story.seen.contains(revision)).collect();
            let servers = &story.servers;
            assert!(missed.is_empty(), "{}: missed {missed:?} on its way over {servers:?}", node(number));
            assert_eq!((story.snapshots, story.disconnects, story.back), (1, 0, 0), "{}: {servers:?}", node(number));
        }
    }
}

fn light(story: &Mutex<Story>, event: &LightEvent<'_>) {
    let mut story = story.lock().unwrap();
    match event {
        LightEvent::Connected { server, mode } => story.connected(server, *mode),
        LightEvent::Entry { revision, .. } => _ = story.seen.insert(*revision),
        LightEvent::Checkpoint { revision, .. } => story.reached(*revision),
        LightEvent::Disconnected { .. } => story.disconnects += 1,
    }
}

async fn full(story: Arc<Mutex<Story>>, mut events: mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        let mut story = story.lock().unwrap();
        match event {
            Event::Connected { server, mode, .. } => story.connected(&server, mode),
            Event::Updates(updates) => {
                story.seen.extend(updates.updates.iter().map(|update| update.revision));
                story.reached(updates.revision);
            }
            Event::Disconnected { .. } => story.disconnects += 1,
            Event::ServerNotInSync => {}
        }
    }
}

/// A datastore that is written to all the time; each write makes a key of its own, so that none can stand for another.
struct World {
    lab: Lab,
    /// Where writes go. One that is gone takes none any more.
    sources: Vec<mpsc::Sender<SourceEvent>>,
}

impl World {
    /// A cluster of so many nodes.
    fn new(nodes: usize) -> Self {
        let mut lab = Lab::new();
        for number in 0..nodes {
            lab.revision += 1;
            lab.state.insert(Key::global(Kind::Node, node(number)), (Bytes::from_static(b"{}"), lab.revision));
        }
        Self { lab, sources: Vec::new() }
    }

    async fn replica(&mut self, name: &str) -> Replica {
        let replica = self.lab.replica_with(name, Limits { drain: DRAIN, ..Limits::default() }).await;
        self.sources.push(replica.source.clone());
        replica
    }

    async fn write(&mut self) {
        self.lab.revision += 1;
        let (revision, value) = (self.lab.revision, Bytes::from_static(b"{}"));
        let key = Key::global(Kind::Tier, format!("write-{revision}"));
        self.lab.state.insert(key.clone(), (value.clone(), revision));
        let updates = vec![Update { key, value: Some(value), revision }];
        for source in &self.sources {
            let _ = source.send(SourceEvent::Apply { revision, updates: updates.clone() }).await;
        }
    }

    /// Writes until something is so.
    async fn write_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "it did not happen: {what}");
            self.write().await;
            time::sleep(PACE).await;
        }
    }
}

fn config(lab: &Lab, service: &Service) -> Config {
    let discovery = Discovery::with_resolver(["typha:5473"], service.clone(), Duration::from_millis(100));
    Config { discovery: Arc::new(discovery), move_spread: Duration::from_millis(500), ..lab.config(&[]) }
}

/// A quarter more than the mean.
fn bound(replicas: usize) -> usize {
    (CLIENTS * 5).div_ceil(replicas * 4)
}

fn loads(fleet: &Fleet) -> BTreeMap<String, usize> {
    let mut loads = BTreeMap::new();
    for server in fleet.servers() {
        *loads.entry(server).or_default() += 1;
    }
    loads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_comes_gets_its_share_and_one_that_goes_gives_it_away_without_a_snapshot_or_a_gap() {
    let (mut world, service) = (World::new(CLIENTS), Service::default());
    let mut replicas = Vec::new();
    for name in ["a", "b", "c"] {
        let replica = world.replica(name).await;
        service.add(&replica);
        replicas.push(replica);
    }
    let first = world.lab.revision + 1;
    let fleet = Fleet::start(config(&world.lab, &service));
    world.write_until("all clients are served", || fleet.all(|story| story.revision >= first)).await;
    let before = loads(&fleet);
    assert!(before.values().all(|&load| load <= bound(3)), "{before:?}");

    // A fourth comes.
    let new = world.replica("d").await;
    service.add(&new);
    let address = new.server.address().to_string();
    let known = Discovery::new(service.0.lock().unwrap().iter().map(ToString::to_string)).found().replicas;
    let prefers_new = |number: &usize| *in_order(&node(*number), None, &known)[0].address == *address;
    let willing = (0..CLIENTS).filter(prefers_new).count();
    let share = willing.min(bound(4));
    assert!(share > 0, "of {CLIENTS} nodes, some prefer the new one");
    let is_full = || new.server.clients().len() >= share && loads(&fleet).get("d") == Some(&share);
    world.write_until("the new replica has its share", is_full).await;
    let moved_elsewhere = fleet.stories.iter().filter(|story| {
        let servers = story.lock().unwrap().servers.clone();
        servers.len() > 1 && servers != [servers[0].as_str(), "d"]
    });
    assert_eq!(moved_elsewhere.count(), 0, "nobody moves but to the new one");
    replicas.push(new);

    // One goes.
    let leaving = replicas.remove(0);
    let had = loads(&fleet)["a"];
    let mut drained = JoinSet::new();
    drained.spawn(async move { leaving.server.drain("an update").await });
    let has_left = || !fleet.servers().iter().any(|server| server == "a");
    world.write_until("all have left", has_left).await;
    time::timeout(PATIENCE, drained.join_next()).await.expect("the drain ends when all have left").unwrap().unwrap();
    let last = world.lab.revision;
    world.write_until("all have everything", || fleet.all(|story| story.revision >= last)).await;

    fleet.check(first, last);
    let snapshots: u64 = replicas.iter().map(|replica| replica.server.clients().totals().snapshots).sum();
    assert_eq!(snapshots as usize + before["a"], CLIENTS, "one each, at the very start");
    let after = loads(&fleet);
    assert_eq!(after.values().sum::<usize>(), CLIENTS);
    assert!(had > 0 && after.len() == 3, "{after:?}");
}

#[tokio::test]
async fn the_own_zone_is_preferred_and_another_one_stands_in() {
    let mut world = World::new(1);
    let (a, b) = (world.replica("a").await, world.replica("b").await);
    let servers = [format!("{}#a", a.server.address()), format!("{}#b", b.server.address())];
    for zone in ["a", "b"] {
        let config = Config { zone: Some(zone.into()), ..world.lab.config(&servers) };
        let story = serve_one(&mut world, config).await;
        assert_eq!(story.lock().unwrap().servers, [zone]);
    }
    drop(b);
    let config = Config { zone: Some("b".into()), ..world.lab.config(&servers) };
    let story = serve_one(&mut world, config).await;
    assert_eq!(story.lock().unwrap().servers, ["a"]);
}

async fn serve_one(world: &mut World, config: Config) -> Arc<Mutex<Story>> {
    let (story, mut tasks) = (Arc::<Mutex<Story>>::default(), JoinSet::new());
    let heard = Arc::clone(&story);
    let (client, _) = LightClient::new(Arc::new(config), node(0), move |event| light(&heard, &event));
    tasks.spawn(client.run());
    let next = world.lab.revision + 1;
    world.write_until("it is served", || story.lock().unwrap().revision >= next).await;
    story
}

#[tokio::test]
async fn a_replica_that_comes_back_is_gone_back_to() {
    let mut world = World::new(1);
    let (a, b) = (world.replica("a").await, world.replica("b").await);
    let (proxy_a, proxy_b) = (lab::Proxy::start(a.address()).await, lab::Proxy::start(b.address()).await);
    let servers = [proxy_a.address.clone(), proxy_b.address.clone()];
    let config = Config { move_spread: Duration::from_millis(10), ..world.lab.config(&servers) };
    let (story, mut tasks) = (Arc::<Mutex<Story>>::default(), JoinSet::new());
    let heard = Arc::clone(&story);
    let (client, _) = LightClient::new(Arc::new(config), node(0), move |event| light(&heard, &event));
    tasks.spawn(client.run());
    world.write_until("it is served", || story.lock().unwrap().revision > 0).await;
    let home = story.lock().unwrap().servers[0].clone();
    let proxy = if home == "a" { proxy_a } else { proxy_b };
    proxy.cut().await;
    // To the other one at once, and home again when home is no longer avoided.
    world.write_until("it is home again", || story.lock().unwrap().servers.len() >= 3).await;
    let story = story.lock().unwrap();
    assert_eq!((&story.servers[2], story.servers[1] != home), (&home, true));
    assert_eq!((story.snapshots, story.disconnects, story.back), (1, 1, 0), "only the cut was felt");
}

/// Fails until it is told an address.
#[derive(Clone, Debug, Default)]
struct LateDns(Service);

impl Resolve for LateDns {
    fn resolve<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        let is_empty = self.0.0.lock().unwrap().is_empty();
        if is_empty {
            Box::pin(future::ready(Err(std::io::Error::other("no such host"))))
        } else {
            self.0.resolve(name)
        }
    }
}

#[tokio::test]
async fn a_name_that_is_not_found_is_named_and_waited_for() {
    let (mut world, dns) = (World::new(1), LateDns::default());
    let discovery = Discovery::with_resolver(["typha:5473"], dns.clone(), Duration::from_millis(100));
    let config = Config { discovery: Arc::new(discovery), ..world.lab.config(&[]) };
    let mut client = lab::Running::start(config);
    let Event::Disconnected { reason, .. } = client.next().await else { panic!("it is not connected") };
    let text = reason.to_string();
    assert!(matches!(reason, Disconnect::NoReplica { .. }) && text.contains("typha:5473: no such host"), "{text}");

    let replica = world.replica("a").await;
    dns.0.add(&replica);
    world.write().await;
    client.reach(world.lab.revision).await;
    assert_eq!(client.state, world.lab.state);
}
