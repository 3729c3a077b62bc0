//! Host endpoints: policy for the node itself.

use std::{collections::BTreeSet, sync::Arc};

use model::intent::{Attachment, Delta, EndpointIntent, RuleAction::*};

use crate::{
    intent::*,
    world::{NODE, OUTSIDE, World, assert_no_ping, assert_no_tcp, assert_ping, assert_tcp, tcp_listen},
};

const A: [&str; 2] = ["10.65.0.1", "fd00:65::1"];

fn host(id: &str, interface: Option<&str>, expected: &[&str], policies: &[&str]) -> Delta {
    let expected_addresses: BTreeSet<_> = expected.iter().map(|address| address.parse().unwrap()).collect();
    let endpoint = EndpointIntent {
        attachment: Attachment::Host { interface: interface.map(Arc::from), expected_addresses },
        ingress: vec![tier(policies)],
        egress: vec![tier(policies)],
        profiles: vec![],
    };
    let mut delta = Delta::default();
    delta.endpoints.insert(id.into(), Some(Arc::new(endpoint)));
    delta
}

fn check(interface: Option<&str>, expected: &[&str]) {
    let mut world = World::new();
    world.add_pod("a", A[0], A[1]);
    let rules = with_policy("H", vec![tcp(Allow, 80)], vec![tcp(Allow, 90)]);
    world.apply(&merge([workload("a", &A, &[], &[]), rules, host("HostEndpoint/node", interface, expected, &["H"])]));
    let _listeners = [80, 81, 22].map(|port| tcp_listen(&world.node, NODE, port));
    assert_tcp(&world.outside, NODE, 80);
    assert_no_tcp(&world.outside, NODE, 81);
    // Nobody locks himself out.
    assert_tcp(&world.outside, NODE, 22);
    assert_no_ping(&world.outside, NODE);
    let _outside = [90, 91, 6443].map(|port| tcp_listen(&world.outside, OUTSIDE, port));
    assert_tcp(&world.node, OUTSIDE, 90);
    assert_no_tcp(&world.node, OUTSIDE, 91);
    assert_tcp(&world.node, OUTSIDE, 6443);
    // What is forwarded, what the host says to itself and to its workloads is not the host endpoint's.
    assert_ping(world.pod("a"), OUTSIDE);
    assert_tcp(&world.node, NODE, 81);
    assert_ping(&world.node, A[0]);
}

#[test]
fn a_named_interface_is_policed() {
    check(Some("eth0"), &[]);
}

#[test]
fn an_interface_is_found_by_an_expected_address() {
    check(None, &["198.51.100.1", NODE]);
}

#[test]
fn every_interface_is_policed_but_workloads_and_loopback() {
    check(None, &[]);
}

#[test]
fn a_named_interface_comes_before_every_interface() {
    let mut world = World::new();
    let rules =
        merge([with_policy("H", vec![tcp(Allow, 80)], vec![every(Allow)]), with_policy("None", vec![], vec![])]);
    let hosts =
        merge([host("HostEndpoint/all", None, &[], &["None"]), host("HostEndpoint/eth0", Some("eth0"), &[], &["H"])]);
    world.apply(&merge([rules, hosts]));
    let _listeners = [80, 81].map(|port| tcp_listen(&world.node, NODE, port));
    assert_tcp(&world.outside, NODE, 80);
    assert_no_tcp(&world.outside, NODE, 81);
}
