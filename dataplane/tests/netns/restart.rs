//! The agent goes and comes; the rules stay.

use std::{
    fs::File,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use dataplane::Config;
use model::intent::{Delta, RuleAction::*};

use crate::{
    intent::*,
    world::{World, assert_no_tcp, assert_tcp, tcp_listen},
};

const A: [&str; 2] = ["10.65.0.1", "fd00:65::1"];
const B: [&str; 2] = ["10.65.0.2", "fd00:65::2"];

fn intent() -> Delta {
    let mut set_rule = from_set(Allow, "s:a");
    set_rule.protocol = Some(model::intent::Protocol::TCP);
    set_rule.destination = ports(&[(80, 89), (443, 443)]);
    merge([
        with_set("s:a", net_set(&["10.65.0.1/32", "10.65.0.8/29", "fd00:65::1/128"])),
        with_policy("P", vec![set_rule, from_nets(Allow, &["10.64.0.0/16", "10.70.0.0/16"])], vec![every(Allow)]),
        workload("a", &A, &[], &[]),
        workload("b", &B, &[tier(&["P"])], &[tier(&["P"])]),
    ])
}

fn world(config: Config) -> World {
    let mut world = World::with(config);
    world.add_pod("a", A[0], A[1]);
    world.add_pod("b", B[0], B[1]);
    let applied = world.apply(&intent());
    assert!(applied.rule_changes > 0 && applied.route_changes == 4, "{applied:?}");
    world
}

/// Opens connections one after the other until dropped.
struct Traffic {
    stop: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
    sender: Option<JoinHandle<Vec<String>>>,
}

impl Traffic {
    fn begin(world: &World) -> Self {
        let listener = tcp_listen(world.pod("b"), B[0], 80);
        // Neighbours that do not know each other yet lose the first packets.
        drop((assert_tcp(world.pod("a"), B[0], 80), listener.accept().unwrap()));
        let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let namespace = File::open(format!("/proc/self/task/{}/ns/net", world.pod("a").tid())).unwrap();
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&opened));
        let sender = std::thread::spawn(move || {
            nix::sched::setns(namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let mut failures = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let started = Instant::now();
                // A lost SYN is sent again after a second: within less, nothing hides a loss.
                match TcpStream::connect_timeout(&SocketAddr::from(([10, 65, 0, 2], 80)), Duration::from_millis(900)) {
                    Ok(_) => {
                        listener.accept().unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => failures.push(format!(
                        "after {} connections and {:?}: {error}",
                        count.load(Ordering::Relaxed),
                        started.elapsed()
                    )),
                }
            }
            failures
        });
        let traffic = Self { stop, opened, sender: Some(sender) };
        traffic.flow();
        traffic
    }

    /// Waits until some more connections were opened.
    fn flow(&self) {
        let target = self.opened.load(Ordering::Relaxed) + 20;
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.opened.load(Ordering::Relaxed) < target {
            assert!(Instant::now() < deadline, "no connections are opened");
            std::thread::yield_now();
        }
    }

    #[track_caller]
    fn end(mut self) {
        self.flow();
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.sender.take().unwrap().join().unwrap();
        assert!(failures.is_empty(), "of {} connections: {failures:?}", self.opened.load(Ordering::Relaxed));
    }
}

#[test]
fn a_restart_with_the_same_intent_changes_nothing_and_loses_no_packet() {
    let mut world = world(Config::default());
    let traffic = Traffic::begin(&world);
    for _ in 0..5 {
        world.restart(Config::default());
        let applied = world.apply(&intent());
        assert_eq!((applied.rule_changes, applied.route_changes), (0, 0), "{}", world.nft_list());
        traffic.flow();
    }
    traffic.end();
}

#[test]
fn changes_under_traffic_lose_no_packet() {
    let mut world = world(Config::default());
    let traffic = Traffic::begin(&world);
    for round in 0..20_u16 {
        world.apply(&with_policy("P", vec![tcp(Deny, 1000 + round), tcp(Allow, 80)], vec![every(Allow)]));
        traffic.flow();
        world.apply(&intent());
        traffic.flow();
    }
    traffic.end();
}

#[test]
fn a_base_chain_that_somebody_moved_is_put_back_under_traffic() {
    let mut world = world(Config { resync_interval: Some(Duration::from_millis(20)), ..Config::default() });
    let traffic = Traffic::begin(&world);
    for _ in 0..20 {
        // A base chain whose hook differs is removed and made again, in one transaction.
        let hook = "{ type filter hook output priority 5; }";
        world.node.command(&format!("nft delete chain inet cattail output ; add chain inet cattail output {hook}"));
        assert!(world.settle().rule_changes > 0);
    }
    traffic.end();
}

#[test]
fn nothing_is_written_before_in_sync() {
    let mut world = world(Config::default());
    let before = (world.nft_list(), world.node.ip("route"));
    world.restart(Config::default());
    world.dataplane.update(&workload("a", &A, &[], &[]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let applied = runtime.block_on(world.dataplane.apply()).unwrap();
    assert_eq!(applied, dataplane::Applied::default());
    assert_eq!((world.nft_list(), world.node.ip("route")), before);
}

#[test]
fn after_in_sync_a_restart_sweeps_what_is_no_longer_wanted() {
    let mut world = world(Config::default());
    world.restart(Config::default());
    world.apply(&workload("a", &A, &[], &[]));
    let listing = world.nft_list();
    for gone in ["policy P", "set s:a", "Pod/test/b", "calib", "10.70.0.0", "443"] {
        assert!(!listing.contains(gone), "{gone} is still in {listing}");
    }
    let routes = world.node.ip("route show proto 202");
    assert_eq!(routes.lines().count(), 1, "{routes}");
}

#[test]
fn a_small_change_writes_what_changed_and_nothing_else() {
    let mut world = world(Config::default());
    assert_eq!(world.apply(&intent()).rule_changes, 0);
    // One chain is emptied and gets one rule; the interned set of its old rule goes.
    let applied = world.apply(&with_policy("P", vec![tcp(Allow, 80)], vec![every(Allow)]));
    assert_eq!(applied.rule_changes, 4, "{applied:?}");
}

#[test]
fn drift_is_found_and_undone() {
    let mut world = world(Config { resync_interval: Some(Duration::from_millis(50)), ..Config::default() });
    let before = world.nft_list();
    for (name, vandalism) in [
        ("rule", "flush chain inet cattail forward"),
        ("foreign rule", "insert rule inet cattail to-workload accept"),
        ("foreign chain", "add chain inet cattail intruder"),
        ("foreign set", "add set inet cattail intruder { type ipv4_addr; }"),
        ("elements", "flush map inet cattail d-from-workload"),
        ("element", "add element inet cattail i4-workload-sources { \"calia\" . 10.65.0.77 }"),
        ("table", "delete table inet cattail"),
        (
            "shape of a set",
            "delete table inet cattail ; add table inet cattail ; add set inet cattail d-to-workload { type ipv4_addr; }",
        ),
        (
            "hook",
            "delete chain inet cattail output ; add chain inet cattail output { type filter hook output priority 5; }",
        ),
    ] {
        world.node.command(&format!("nft {vandalism}"));
        assert_ne!(world.nft_list_if_any(), before, "{name} must have been changed");
        let applied = world.settle();
        assert!(applied.rule_changes > 0, "{name} was not noticed");
        let (now, then) = (sorted(&world.nft_list()), sorted(&before));
        let differing: Vec<_> = now.iter().zip(&then).filter(|(now, then)| now != then).take(3).collect();
        assert!(now.len() == then.len() && differing.is_empty(), "{name}: {differing:?}");
    }
    world.node.ip("route del 10.65.0.2");
    world.node.ip("route add blackhole 10.97.0.0/24 proto 202 metric 1024");
    assert_eq!(world.settle().route_changes, 2);
    let _listener = tcp_listen(world.pod("b"), B[0], 80);
    assert_tcp(world.pod("a"), B[0], 80);
    assert_no_tcp(world.pod("a"), B[0], 90);
}

/// A listing whose chains may come in any order.
fn sorted(listing: &str) -> Vec<String> {
    let mut blocks: Vec<_> = listing.split("\n\n").map(|block| block.trim_matches(['}', '\n', '\t'])).collect();
    blocks.sort_unstable();
    blocks.join("\n").lines().filter(|line| !line.contains("comment \"managed")).map(str::to_owned).collect()
}
