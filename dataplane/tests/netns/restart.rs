//! The agent goes and comes; the rules stay.

use std::{
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
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

/// Opens connections one after the other until told to stop; returns how many were opened and how many failed.
fn connect_continually(
    world: &World,
    to: SocketAddr,
    stop: Arc<AtomicBool>,
) -> std::sync::mpsc::Receiver<(usize, usize)> {
    let (report, reported) = std::sync::mpsc::channel();
    let namespace_file = format!("/proc/self/task/{}/ns/net", world.pod("a").tid());
    std::thread::spawn(move || {
        let file = std::fs::File::open(namespace_file).unwrap();
        nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let (mut opened, mut failed) = (0, 0);
        while !stop.load(Ordering::Relaxed) {
            // A lost SYN is sent again after a second: within half of one, nothing hides a loss.
            match TcpStream::connect_timeout(&to, Duration::from_millis(500)) {
                Ok(_) => opened += 1,
                Err(_) => failed += 1,
            }
        }
        let _ = report.send((opened, failed));
    });
    reported
}

#[test]
fn a_restart_with_the_same_intent_changes_nothing_and_loses_no_packet() {
    let mut world = world(Config::default());
    let listener = tcp_listen(world.pod("b"), B[0], 80);
    let accepted = std::thread::spawn(move || {
        listener.incoming().map_while(Result::ok).take_while(|stream| stream.peer_addr().is_ok()).count()
    });
    let stop = Arc::new(AtomicBool::new(false));
    let reported = connect_continually(&world, "10.65.0.2:80".parse().unwrap(), Arc::clone(&stop));
    for _ in 0..5 {
        world.restart(Config::default());
        let applied = world.apply(&intent());
        assert_eq!((applied.rule_changes, applied.route_changes), (0, 0), "{}", world.nft_list());
    }
    stop.store(true, Ordering::Relaxed);
    let (opened, failed) = reported.recv().unwrap();
    assert!(opened > 10, "only {opened} connections were tried");
    assert_eq!(failed, 0, "of {opened} connections");
    drop(accepted);
}

#[test]
fn changes_and_rebuilds_under_traffic_lose_no_packet() {
    let mut world = world(Config::default());
    let listener = tcp_listen(world.pod("b"), B[0], 80);
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).count());
    let stop = Arc::new(AtomicBool::new(false));
    let reported = connect_continually(&world, "10.65.0.2:80".parse().unwrap(), Arc::clone(&stop));
    for round in 0..20_u16 {
        world.apply(&with_policy("P", vec![tcp(Deny, 1000 + round), tcp(Allow, 80)], vec![every(Allow)]));
        world.apply(&intent());
    }
    stop.store(true, Ordering::Relaxed);
    let (opened, failed) = reported.recv().unwrap();
    assert_eq!(failed, 0, "of {opened} connections");
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
    let mut world = world(Config { resync_interval: Duration::from_millis(50), ..Config::default() });
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
            "hook",
            "delete chain inet cattail output ; add chain inet cattail output { type filter hook output priority 5; }",
        ),
    ] {
        world.node.command(&format!("nft {vandalism}"));
        assert_ne!(world.nft_list_if_any(), before, "{name} must have been changed");
        let applied = world.settle();
        assert!(applied.rule_changes > 0, "{name} was not noticed");
        assert_eq!(sorted(&world.nft_list()), sorted(&before), "{name}");
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
    let mut blocks: Vec<_> = listing.split("\n\n").map(|block| block.trim().to_owned()).collect();
    blocks.sort_unstable();
    blocks.join("\n").lines().filter(|line| !line.contains("comment \"managed")).map(str::to_owned).collect()
}
