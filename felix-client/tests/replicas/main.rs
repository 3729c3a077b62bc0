//! Many replicas and many clients: a replica that comes gets its share, one that goes gives its clients away, and no
//! client gets a snapshot for it, misses a write, or goes back in time.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod fleet;
#[path = "../lab/mod.rs"]
mod lab;
mod world;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use felix_client::sync::{Config, Disconnect, Discovery, Event, LightClient, in_order};
use fleet::{CLIENTS, Fleet, Story, light, node};
use lab::{Lab, PATIENCE};
use tokio::{task::JoinSet, time};
use world::{LateDns, Service, World};

fn config(lab: &Lab, service: &Service) -> Config {
    let discovery = Discovery::with_resolver(["typha:5473"], service.clone(), Duration::from_millis(100));
    Config { discovery: Arc::new(discovery), move_spread: Duration::from_millis(500), ..lab.config(&[]) }
}

/// Clients that a replica may admit before it counts them.
const SAME_MOMENT: usize = 2;

/// A quarter more than the mean.
fn bound(replicas: usize) -> usize {
    (CLIENTS * 5).div_ceil(replicas * 4)
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
    let before = fleet.loads();
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
    let is_full = || fleet.loads().get("d").is_some_and(|&load| load >= share);
    world.write_until("the new replica has its share", is_full).await;
    let moved_elsewhere = fleet.stories.iter().filter(|story| {
        let servers = story.lock().unwrap().servers.clone();
        servers.len() > 1 && servers != [servers[0].as_str(), "d"]
    });
    assert_eq!(moved_elsewhere.count(), 0, "nobody moves but to the new one");
    replicas.push(new);

    // One goes.
    let leaving = replicas.remove(0);
    let had = fleet.loads()["a"];
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
    let after = fleet.loads();
    assert_eq!(after.values().sum::<usize>(), CLIENTS);
    assert!(had > 0 && after.len() == 3, "{after:?}");
}

/// As on the host network, where the one that comes has the address of the one that goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_that_restarts_one_replica_after_the_other_ends_no_stream() {
    let mut world = World::new(CLIENTS);
    let mut replicas = [world.replica("a").await, world.replica("b").await];
    let proxies = [lab::Proxy::start(replicas[0].address()).await, lab::Proxy::start(replicas[1].address()).await];
    let servers = proxies.each_ref().map(|proxy| proxy.address.clone());
    let first = world.lab.revision + 1;
    let fleet = Fleet::start(Config { move_spread: Duration::from_millis(500), ..world.lab.config(&servers) });
    world.write_until("all clients are served", || fleet.all(|story| story.revision >= first)).await;

    for (number, name) in ["a", "b"].into_iter().enumerate() {
        // Everybody is at the other one, whichever was asked to leave before.
        let next = world.replica(&format!("new-{name}")).await;
        let old = std::mem::replace(&mut replicas[number], next);
        let mut drained = JoinSet::new();
        drained.spawn(async move { old.server.drain("an update").await });
        world.write_until("all have left", || !fleet.servers().iter().any(|server| server == name)).await;
        time::timeout(PATIENCE, drained.join_next()).await.expect("the drain ends").unwrap().unwrap();
        proxies[number].redirect(replicas[number].address()).await;
    }
    let last = world.lab.revision;
    world.write_until("all have everything", || fleet.all(|story| story.revision >= last)).await;
    fleet.check(first, last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_hangs_is_in_nobodys_way_when_another_one_goes() {
    let mut world = World::new(CLIENTS);
    let (leaving, other) = (world.replica("a").await, world.replica("b").await);
    // The kernel takes its connections, and nobody ever says a word.
    let hung = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let servers = [leaving.address(), hung.local_addr().unwrap().to_string(), other.address()];
    let fleet = Fleet::start(Config { move_spread: Duration::from_millis(500), ..world.lab.config(&servers) });
    let first = world.lab.revision + 1;
    world.write_until("all clients are served", || fleet.all(|story| story.revision >= first)).await;

    let mut drained = JoinSet::new();
    drained.spawn(async move { leaving.server.drain("an update").await });
    world.write_until("all have left", || !fleet.servers().iter().any(|server| server == "a")).await;
    let last = world.lab.revision;
    world.write_until("all have everything", || fleet.all(|story| story.revision >= last)).await;
    fleet.check(last, last);
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
    assert_eq!((story.snapshots, story.disconnects.len(), story.back), (1, 1, 0), "only the cut was felt");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowded_replica_refers_newcomers_to_others_and_everybody_is_served() {
    let mut world = World::new(CLIENTS);
    let (a, b, c) = (world.replica("a").await, world.replica("b").await, world.replica("c").await);
    // All nodes are in the zone of one replica.
    let servers = [format!("{}#a", a.server.address()), b.server.address().to_string(), c.server.address().to_string()];
    let config = Config { zone: Some("a".into()), ..world.lab.config(&servers) };
    let fleet = Fleet::start(config);
    let first = world.lab.revision + 1;
    world.write_until("all clients are served", || fleet.all(|story| story.revision >= first)).await;
    let loads = fleet.loads();
    // Who asks at the same moment may be counted late, by as many as connect at a time.
    assert!(loads["a"] >= bound(3) && loads["a"] <= bound(3) + SAME_MOMENT, "{loads:?}");
    assert_eq!(loads.values().sum::<usize>(), CLIENTS);
}
