//! Settings that change while packets flow.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dataplane::Config;
use model::intent::{
    Attachment, Delta, EndpointIntent, EndpointToHostAction, FailsafePort, NodeConfig, Protocol, RuleAction::*,
};

use crate::{
    intent::*,
    world::{NODE, OUTSIDE, World, assert_no_tcp, assert_no_udp, assert_tcp, assert_udp, tcp_listen},
};

const A: [&str; 2] = ["10.65.0.1", "fd00:65::1"];
const B: [&str; 2] = ["10.65.0.2", "fd00:65::2"];

fn world() -> World {
    let mut world = World::new();
    world.add_pod("a", A[0], A[1]);
    let delta =
        merge([with_policy("E", vec![], vec![every(Log), every(Allow)]), workload("a", &A, &[], &[tier(&["E"])])]);
    world.apply(&delta);
    world
}

fn to_host(action: EndpointToHostAction) -> Delta {
    with_config(NodeConfig { endpoint_to_host_action: action, ..NodeConfig::default() })
}

#[test]
fn the_way_to_the_host_opens_and_closes_at_run_time() {
    let mut world = world();
    let from = ("10.65.0.1", 1000);
    assert_no_udp((world.pod("a"), from.0, from.1), (&world.node, NODE, 1000));
    let applied = world.apply(&to_host(EndpointToHostAction::Accept));
    assert!(applied.rule_changes > 0);
    assert_udp((world.pod("a"), from.0, from.1), (&world.node, NODE, 1000));
    assert_eq!(world.apply(&to_host(EndpointToHostAction::Accept)).rule_changes, 0, "nothing is different");
    world.apply(&to_host(EndpointToHostAction::Drop));
    assert_no_udp((world.pod("a"), from.0, from.1), (&world.node, NODE, 1001));
    // A new agent that is told the same finds nothing to do.
    let before = world.nft_list();
    world.restart(Config::default());
    let policy = with_policy("E", vec![], vec![every(Log), every(Allow)]);
    let delta = merge([policy, workload("a", &A, &[], &[tier(&["E"])]), to_host(EndpointToHostAction::Drop)]);
    assert_eq!(world.apply(&delta).rule_changes, 0);
    assert_eq!(world.nft_list(), before);
}

#[test]
fn log_prefix_and_marks_change_in_the_rules_that_have_them() {
    let mut world = world();
    assert!(world.nft_list().contains(r#"log prefix "calico-packet: ""#));
    world.apply(&with_config(NodeConfig { log_prefix: "shop".to_owned(), mark_mask: 0x30, ..NodeConfig::default() }));
    let listing = world.nft_list();
    assert!(listing.contains(r#"log prefix "shop: ""#) && !listing.contains("calico-packet"), "{listing}");
    assert!(!listing.contains("0x00010000") && listing.contains("0x00000010"), "{listing}");
    assert_udp((world.pod("a"), A[0], 1000), (&world.outside, OUTSIDE, 1000));
}

#[test]
fn interfaces_become_workloads_with_their_prefix() {
    let mut world = World::new();
    world.add_pod("a", A[0], A[1]);
    world.add_pod("b", B[0], B[1]);
    world.apply(&workload("a", &A, &[], &[]));
    let prefixes = |prefixes: &[&str]| {
        let interface_prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
        with_config(NodeConfig { interface_prefixes, ..NodeConfig::default() })
    };
    // Nobody claims this one: as a workload's it is silent, as the host's own it is not.
    world.node.ip("route add 10.65.0.2/32 dev calib");
    world.node.ip("addr add 169.254.1.1/32 dev calib");
    assert_no_udp((world.pod("b"), B[0], 1000), (&world.node, NODE, 1000));
    world.apply(&prefixes(&["tap", "calia"]));
    assert_udp((world.pod("b"), B[0], 1000), (&world.node, NODE, 1000));
    assert_no_udp((world.pod("a"), A[0], 1000), (&world.node, NODE, 1000));
    assert_udp((world.pod("a"), A[0], 1000), (&world.outside, OUTSIDE, 1000));
    let refused = world.try_apply(&prefixes(&["tap"]));
    assert_eq!(refused.failures[0].reason, "interface calia must begin with tap and have at most 15 bytes");
    world.apply(&prefixes(&["cali"]));
    assert_udp((world.pod("a"), A[0], 1000), (&world.outside, OUTSIDE, 1000));
    assert_no_udp((world.pod("b"), B[0], 1000), (&world.node, NODE, 1001));
}

#[test]
fn failsafe_ports_open_and_close_for_whom_they_are() {
    let mut world = World::new();
    let attachment = Attachment::Host { interface: Some("eth0".into()), expected_addresses: [].into() };
    let tiers = vec![tier(&["None"])];
    let endpoint = EndpointIntent { attachment, ingress: tiers.clone(), egress: tiers, profiles: vec![] };
    let mut delta = with_policy("None", vec![], vec![]);
    delta.endpoints.insert("HostEndpoint/node".into(), Some(Arc::new(endpoint)));
    world.apply(&delta);
    let _listeners = [22, 81, 82].map(|port| tcp_listen(&world.node, NODE, port));
    assert_tcp(&world.outside, NODE, 22);
    assert_no_tcp(&world.outside, NODE, 81);
    let port = |port, net: &str| FailsafePort { protocol: Protocol::TCP, port, net: net.parse().ok() };
    let failsafe_inbound = vec![port(81, "192.0.2.0/24"), port(82, "198.51.100.0/24")];
    world.apply(&with_config(NodeConfig { failsafe_inbound, ..NodeConfig::default() }));
    assert_tcp(&world.outside, NODE, 81);
    assert_no_tcp(&world.outside, NODE, 82);
    assert_no_tcp(&world.outside, NODE, 22);
}

#[test]
fn the_kernel_is_read_back_as_often_as_is_set() {
    let mut world = world();
    let refresh_interval = Some(Duration::from_millis(20));
    world.apply(&with_config(NodeConfig { refresh_interval, ..NodeConfig::default() }));
    world.node.command("nft flush chain inet cattail forward");
    // An interface's event may come first, and leads to no reading. The default interval is longer than this patience.
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.settle().rule_changes == 0 {
        assert!(Instant::now() < deadline, "the kernel was not read back");
    }
}
