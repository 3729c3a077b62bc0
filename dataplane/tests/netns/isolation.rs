//! What no policy needs to say: spoofed sources, unknown interfaces, the way to the host, and what is not ours.

use dataplane::Config;
use model::intent::{Delta, EndpointToHostAction, RuleAction::*, RuleIntent};

use crate::{
    intent::*,
    world::{
        NODE, OUTSIDE, World, assert_no_ping, assert_no_tcp, assert_no_udp, assert_ping, assert_tcp, assert_udp,
        tcp_listen,
    },
};

const A: [&str; 2] = ["10.65.0.1", "fd00:65::1"];
const B: [&str; 2] = ["10.65.0.2", "fd00:65::2"];

fn open_world(config: Config) -> World {
    let mut world = World::with(config);
    world.add_pod("a", A[0], A[1]);
    world.add_pod("b", B[0], B[1]);
    world.apply(&merge([workload("a", &A, &[], &[]), workload("b", &B, &[], &[])]));
    world
}

#[test]
fn a_workload_speaks_with_its_own_addresses_only() {
    let world = open_world(Config::default());
    let (a, b) = (world.pod("a"), world.pod("b"));
    a.ip("addr add 10.65.0.9/32 dev eth0");
    a.ip("addr add fd00:65::9/128 dev eth0 nodad");
    assert_udp((a, A[0], 1000), (b, B[0], 1000));
    assert_no_udp((a, "10.65.0.9", 1000), (b, B[0], 1000));
    assert_no_udp((a, "10.65.0.9", 1000), (&world.outside, OUTSIDE, 1000));
    assert_udp((a, A[1], 1000), (b, B[1], 1000));
    assert_no_udp((a, "fd00:65::9", 1000), (b, B[1], 1000));
}

#[test]
fn a_workload_does_not_speak_as_a_tunnel() {
    let world = open_world(Config::default());
    assert_udp((world.pod("a"), A[0], 1000), (&world.outside, OUTSIDE, 4790));
    assert_no_udp((world.pod("a"), A[0], 1000), (&world.outside, OUTSIDE, 4789));
}

#[test]
fn an_interface_that_no_endpoint_claims_is_silent_both_ways() {
    let mut world = open_world(Config { endpoint_to_host_action: EndpointToHostAction::Accept, ..Config::default() });
    world.add_pod("x", "10.65.0.7", "fd00:65::7");
    world.node.ip("route add 10.65.0.7/32 dev calix");
    let x = ("10.65.0.7", 1000);
    assert_no_udp((world.pod("x"), x.0, x.1), (&world.outside, OUTSIDE, 1000));
    assert_no_udp((world.pod("x"), x.0, x.1), (world.pod("a"), A[0], 1000));
    assert_no_udp((world.pod("x"), x.0, x.1), (&world.node, NODE, 1000));
    assert_no_udp((&world.outside, OUTSIDE, 1000), (world.pod("x"), x.0, x.1));
    assert_no_udp((world.pod("a"), A[0], 1000), (world.pod("x"), x.0, x.1));
    // Claimed, it speaks.
    world.apply(&workload("x", &["10.65.0.7"], &[], &[]));
    assert_udp((world.pod("x"), x.0, x.1), (world.pod("a"), A[0], 1000));
}

#[test]
fn an_endpoint_that_goes_takes_its_connections_along() {
    let mut world = open_world(Config::default());
    let (from, to) = ((OUTSIDE, 1000), (A[0], 1000));
    assert_udp((&world.outside, from.0, from.1), (world.pod("a"), to.0, to.1));
    assert_udp((world.pod("a"), to.0, to.1), (&world.outside, from.0, from.1));
    let mut gone = Delta::default();
    gone.endpoints.insert("Pod/test/a".into(), None);
    world.apply(&gone);
    assert_no_udp((&world.outside, from.0, from.1), (world.pod("a"), to.0, to.1));
    assert_no_udp((world.pod("a"), to.0, to.1), (&world.outside, from.0, from.1));
}

#[test]
fn of_two_endpoints_with_one_interface_the_first_has_it() {
    let mut world = World::new();
    world.add_pod("a", A[0], A[1]);
    let mut delta = workload("a", &A, &[], &[]);
    let endpoint = delta.endpoints.values().next().unwrap().clone();
    delta.endpoints.insert("Pod/test/z".into(), endpoint);
    let applied = world.try_apply(&delta);
    let failure = &applied.failures[0];
    assert_eq!(failure.object.to_string(), "endpoint Pod/test/z");
    assert_eq!(failure.reason, "interface calia belongs to Pod/test/a already");
    assert_udp((world.pod("a"), A[0], 1000), (&world.outside, OUTSIDE, 1000));
}

#[test]
fn packets_to_the_host_meet_egress_policy_and_then_the_configured_action() {
    let egress = || {
        let udp = |action, port| RuleIntent {
            protocol: Some(model::intent::Protocol::UDP),
            destination: ports(&[(port, port)]),
            ..every(action)
        };
        merge([with_policy("E", vec![], vec![udp(Allow, 1000)]), workload("a", &A, &[], &[tier(&["E"])])])
    };
    let mut dropping = open_world(Config::default());
    dropping.apply(&egress());
    assert_no_udp((dropping.pod("a"), A[0], 1000), (&dropping.node, NODE, 1000));
    let mut accepting =
        open_world(Config { endpoint_to_host_action: EndpointToHostAction::Accept, ..Config::default() });
    accepting.apply(&egress());
    assert_udp((accepting.pod("a"), A[0], 1000), (&accepting.node, NODE, 1000));
    assert_no_udp((accepting.pod("a"), A[0], 1000), (&accepting.node, NODE, 1001));
}

#[test]
fn the_host_reaches_its_workloads_whatever_policy_says() {
    let mut world = open_world(Config::default());
    world.apply(&merge([with_policy("P", vec![], vec![]), workload("b", &B, &[tier(&["P"])], &[tier(&["P"])])]));
    let _listener = tcp_listen(world.pod("b"), B[0], 80);
    assert_tcp(&world.node, B[0], 80);
    assert_ping(&world.node, B[1]);
    assert_no_tcp(world.pod("a"), B[0], 80);
    assert_no_tcp(&world.outside, B[0], 80);
    assert_no_ping(world.pod("b"), NODE);
}

#[test]
fn nothing_that_is_not_ours_is_touched() {
    let mut world = World::new();
    world.add_pod("a", A[0], A[1]);
    world.node.command("nft add table inet other");
    world.node.command("nft add chain inet other tw-1");
    world.node.command("nft add table ip cattail");
    world.node.command("nft add set ip cattail s4-1 { type ipv4_addr; }");
    world.node.ip("route add 10.99.0.0/24 via 192.0.2.2 proto static");
    world.node.ip("route add 10.65.0.1/32 dev calia proto 80");
    world.node.ip("route add blackhole 10.98.0.0/24 proto 80 metric 1024");
    let foreign = |world: &World| {
        let tables = world.node.command("nft list table inet other") + &world.node.command("nft list table ip cattail");
        let routes: Vec<_> =
            world.node.ip("route").lines().filter(|line| !line.contains("proto 202")).map(str::to_owned).collect();
        (tables, routes)
    };
    let before = foreign(&world);
    world.apply(&workload("a", &A, &[], &[]));
    assert_eq!(foreign(&world), before);
    world.restart(Config::default());
    // Everything of ours goes.
    world.apply(&Delta::default());
    assert_eq!(foreign(&world), before);
    assert!(!world.nft_list().contains("Pod/test/a"));
    assert_eq!(world.node.ip("route show proto 202"), "");
}

#[test]
fn a_sender_is_needed_for_the_above_to_mean_anything() {
    // Without a dataplane, what the tests above want silenced does pass.
    let mut world = World::new();
    world.add_pod("x", "10.65.0.7", "fd00:65::7");
    world.node.ip("route add 10.65.0.7/32 dev calix");
    world.node.command("sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.calix.proxy_arp=1");
    assert_udp((world.pod("x"), "10.65.0.7", 1000), (&world.outside, OUTSIDE, 1000));
}
