//! What rules mean, shown by packets.

use model::intent::{
    DefaultAction, Icmp, PeerMatch, Protocol, RuleAction::*, RuleIntent, SetChange, SetKind, SetMember, TierIntent,
};

use crate::{
    intent::*,
    world::{
        OUTSIDE, World, assert_no_ping, assert_no_tcp, assert_no_udp, assert_ping, assert_tcp, assert_udp, tcp_listen,
    },
};

const A: [&str; 2] = ["10.65.0.1", "fd00:65::1"];
const B: [&str; 2] = ["10.65.0.2", "fd00:65::2"];

/// Pods a and b; policy `P` guards b's ingress.
fn guarded(ingress: Vec<RuleIntent>) -> World {
    guarded_with(ingress, merge([]))
}

fn guarded_with(ingress: Vec<RuleIntent>, more: model::intent::Delta) -> World {
    let mut world = World::new();
    world.add_pod("a", A[0], A[1]);
    world.add_pod("b", B[0], B[1]);
    let policy = with_policy("P", ingress, vec![]);
    world.apply(&merge([more, policy, workload("a", &A, &[], &[]), workload("b", &B, &[tier(&["P"])], &[])]));
    world
}

#[test]
fn allows_what_a_rule_allows_and_denies_the_rest() {
    let world = guarded(vec![tcp(Allow, 80)]);
    let (a, b) = (world.pod("a"), world.pod("b"));
    for address in B {
        let _listeners = [tcp_listen(b, address, 80), tcp_listen(b, address, 81)];
        assert_tcp(a, address, 80);
        assert_no_tcp(a, address, 81);
        assert_no_ping(a, address);
    }
    // The other direction is open: no tier applies and the profile allows.
    let _listener = tcp_listen(a, A[0], 81);
    assert_tcp(b, A[0], 81);
}

#[test]
fn the_first_matching_rule_decides() {
    let world = guarded(vec![tcp(Deny, 80), every(Log), every(Allow)]);
    let (a, b) = (world.pod("a"), world.pod("b"));
    let _listeners = [tcp_listen(b, B[0], 80), tcp_listen(b, B[0], 81)];
    assert_no_tcp(a, B[0], 80);
    assert_tcp(a, B[0], 81);
    assert!(world.nft_list().contains("log prefix \"calico-packet: \""));
}

#[test]
fn egress_is_policed_at_the_source_and_ingress_at_the_destination() {
    let mut world = guarded(vec![every(Allow)]);
    world.apply(&merge([with_policy("E", vec![], vec![tcp(Allow, 80)]), workload("a", &A, &[], &[tier(&["E"])])]));
    {
        let (a, b) = (world.pod("a"), world.pod("b"));
        let _listeners = [tcp_listen(b, B[0], 80), tcp_listen(b, B[0], 81)];
        let _outside = [tcp_listen(&world.outside, OUTSIDE, 80), tcp_listen(&world.outside, OUTSIDE, 81)];
        assert_tcp(a, B[0], 80);
        assert_no_tcp(a, B[0], 81);
        assert_tcp(a, OUTSIDE, 80);
        assert_no_tcp(a, OUTSIDE, 81);
    }
    // Egress lets it go, ingress does not let it in.
    world.apply(&with_policy("P", vec![tcp(Allow, 443)], vec![]));
    let (a, b) = (world.pod("a"), world.pod("b"));
    let _listener = tcp_listen(b, B[0], 80);
    assert_no_tcp(a, B[0], 80);
}

#[test]
fn pass_leaves_the_tier_and_its_default_action_ends_it() {
    let mut world = guarded(vec![]);
    let first =
        |default_action| TierIntent { name: "first".into(), policies: vec!["Q".into(), "R".into()], default_action };
    let rules = merge([
        with_policy("Q", vec![tcp(Pass, 80), tcp(Deny, 81)], vec![tcp(Pass, 90)]),
        with_policy("R", vec![tcp(Deny, 80), tcp(Pass, 82)], vec![tcp(Deny, 90)]),
        with_policy("P", vec![tcp(Allow, 80), tcp(Allow, 82), tcp(Allow, 83)], vec![tcp(Allow, 90), tcp(Allow, 91)]),
    ]);
    world.apply(&merge([
        rules,
        workload("b", &B, &[first(DefaultAction::Deny), tier(&["P"])], &[first(DefaultAction::Deny), tier(&["P"])]),
    ]));
    {
        let (a, b) = (world.pod("a"), world.pod("b"));
        let _listeners = [80, 81, 82, 83].map(|port| tcp_listen(b, B[0], port));
        assert_tcp(a, B[0], 80);
        assert_no_tcp(a, B[0], 81);
        assert_tcp(a, B[0], 82);
        assert_no_tcp(a, B[0], 83);
        let _listeners = [90, 91].map(|port| tcp_listen(a, A[0], port));
        assert_tcp(b, A[0], 90);
        assert_no_tcp(b, A[0], 91);
    }
    world.apply(&workload(
        "b",
        &B,
        &[first(DefaultAction::Pass), tier(&["P"])],
        &[first(DefaultAction::Pass), tier(&["P"])],
    ));
    let (a, b) = (world.pod("a"), world.pod("b"));
    let _listeners = [81, 83].map(|port| tcp_listen(b, B[0], port));
    assert_no_tcp(a, B[0], 81);
    assert_tcp(a, B[0], 83);
    let _listener = tcp_listen(a, A[0], 91);
    assert_tcp(b, A[0], 91);
}

#[test]
fn passing_the_last_tier_asks_the_profiles_in_order() {
    let mut world = guarded(vec![every(Pass)]);
    let mut delta = workload("b", &B, &[tier(&["P"])], &[]);
    delta.profiles.insert("open".into(), Some(policy(vec![tcp(Pass, 80), tcp(Deny, 81)], vec![])));
    delta.profiles.insert("second".into(), Some(policy(vec![tcp(Allow, 80), tcp(Allow, 81)], vec![])));
    let endpoint = delta.endpoints.values_mut().next().unwrap().as_mut().unwrap();
    std::sync::Arc::make_mut(endpoint).profiles.push("second".into());
    // Pod a's egress needs a profile of its own now that the first is b's.
    let mut a = workload("a", &A, &[], &[tier(&["E"])]);
    a.profiles.clear();
    world.apply(&merge([with_policy("E", vec![], vec![every(Allow)]), a, delta]));
    let (a, b) = (world.pod("a"), world.pod("b"));
    let _listeners = [80, 81, 82].map(|port| tcp_listen(b, B[0], port));
    assert_tcp(a, B[0], 80);
    assert_no_tcp(a, B[0], 81);
    assert_no_tcp(a, B[0], 82);
}

#[test]
fn matches_port_ranges_of_both_sides() {
    let udp = |source: &[(u16, u16)], destination: &[(u16, u16)]| RuleIntent {
        protocol: Some(Protocol::UDP),
        source: ports(source),
        destination: ports(destination),
        ..every(Allow)
    };
    let world =
        guarded(vec![udp(&[(1000, 1009)], &[(53, 53), (100, 110), (111, 120)]), udp(&[], &[(65535, 65535), (0, 9)])]);
    let (a, b) = ((world.pod("a"), A[0]), (world.pod("b"), B[0]));
    assert_udp((a.0, a.1, 1000), (b.0, b.1, 53));
    assert_udp((a.0, a.1, 1009), (b.0, b.1, 120));
    assert_udp((a.0, a.1, 2000), (b.0, b.1, 65535));
    assert_udp((a.0, a.1, 2000), (b.0, b.1, 9));
    assert_no_udp((a.0, a.1, 1010), (b.0, b.1, 53));
    assert_no_udp((a.0, a.1, 1000), (b.0, b.1, 99));
    assert_no_udp((a.0, a.1, 1000), (b.0, b.1, 121));
    assert_no_udp((a.0, a.1, 2000), (b.0, b.1, 10));
}

#[test]
fn matches_nets_and_excluded_nets_of_each_ip_version() {
    let excluding = RuleIntent {
        source: PeerMatch { not_nets: vec!["10.65.0.1/32".parse().unwrap()], ..PeerMatch::default() },
        ..tcp(Allow, 81)
    };
    let mut both = tcp(Allow, 82);
    both.source.nets = ["10.65.0.0/31", "10.65.0.1/32", "10.0.0.0/12", "::/0"].map(|net| net.parse().unwrap()).into();
    let world = guarded(vec![
        RuleIntent {
            protocol: Some(Protocol::TCP),
            destination: ports(&[(80, 80)]),
            ..from_nets(Allow, &["10.65.0.0/16"])
        },
        excluding,
        both,
    ]);
    let (a, b) = (world.pod("a"), world.pod("b"));
    let _listeners = B.map(|address| [80, 81, 82].map(|port| tcp_listen(b, address, port)));
    assert_tcp(a, B[0], 80);
    assert_tcp(a, B[0], 82);
    assert_tcp(a, B[1], 82);
    assert_no_tcp(a, B[0], 81);
    // Rules that speak of IPv4 prefixes only say nothing about IPv6, the excluding one neither.
    assert_no_tcp(a, B[1], 80);
    assert_no_tcp(a, B[1], 81);
    // Another IPv4 source is not excluded.
    assert_tcp(&world.outside, B[0], 81);
    assert_no_tcp(&world.outside, B[0], 80);
}

#[test]
fn matches_icmp_by_type_and_code() {
    let echo = |code, action| RuleIntent {
        protocol: Some(Protocol::ICMP),
        icmp: Some(Icmp { icmp_type: 8, code }),
        ip_version: Some(4),
        ..every(action)
    };
    let mut world = guarded(vec![echo(Some(0), Allow)]);
    assert_ping(world.pod("a"), B[0]);
    assert_no_ping(world.pod("a"), B[1]);
    world.apply(&with_policy("P", vec![echo(Some(1), Allow)], vec![]));
    assert_no_ping(world.pod("a"), B[0]);
    let not_echo = |code| RuleIntent { icmp: None, not_icmp: Some(Icmp { icmp_type: 8, code }), ..echo(None, Allow) };
    world.apply(&with_policy("P", vec![not_echo(Some(1))], vec![]));
    assert_ping(world.pod("a"), B[0]);
    world.apply(&with_policy("P", vec![not_echo(Some(0))], vec![]));
    assert_no_ping(world.pod("a"), B[0]);
    let v6 = RuleIntent {
        protocol: Some(Protocol::ICMPV6),
        icmp: Some(Icmp { icmp_type: 128, code: None }),
        ..every(Allow)
    };
    world.apply(&with_policy("P", vec![v6], vec![]));
    assert_ping(world.pod("a"), B[1]);
    assert_no_ping(world.pod("a"), B[0]);
}

#[test]
fn matches_everything_but_a_protocol() {
    let world = guarded(vec![RuleIntent { not_protocol: Some(Protocol::TCP), ..every(Allow) }]);
    let _listener = tcp_listen(world.pod("b"), B[0], 80);
    assert_ping(world.pod("a"), B[0]);
    assert_no_tcp(world.pod("a"), B[0], 80);
}

#[test]
fn matches_named_ports_beside_literal_ones_and_excludes_both() {
    let set = |port| model::intent::IpSet {
        kind: SetKind::AddressPort,
        members: B.map(|address| SetMember::AddressPort(address.parse().unwrap(), Protocol::TCP, port)).into(),
    };
    let sets =
        merge([with_set("n:http", SetChange::Replace(set(8080))), with_set("n:admin", SetChange::Replace(set(9090)))]);
    let mut allow = tcp(Allow, 80);
    allow.destination.named_port_sets = vec!["n:http".into()];
    let mut others = RuleIntent { protocol: Some(Protocol::TCP), ..every(Allow) };
    others.destination.not_ports = ports(&[(0, 9000)]).ports;
    others.destination.not_named_port_sets = vec!["n:admin".into()];
    let world = guarded_with(vec![allow, others], sets);
    let (a, b) = (world.pod("a"), world.pod("b"));
    for address in B {
        let _listeners = [80, 81, 8080, 9090, 9091].map(|port| tcp_listen(b, address, port));
        assert_tcp(a, address, 80);
        assert_tcp(a, address, 8080);
        assert_tcp(a, address, 9091);
        assert_no_tcp(a, address, 81);
        assert_no_tcp(a, address, 9090);
    }
}

#[test]
fn an_established_connection_outlives_a_policy_change() {
    use std::io::{Read as _, Write as _};
    let mut world = guarded(vec![tcp(Allow, 80)]);
    let listener = tcp_listen(world.pod("b"), B[0], 80);
    let mut client = assert_tcp(world.pod("a"), B[0], 80);
    let (mut server, _) = listener.accept().unwrap();
    world.apply(&with_policy("P", vec![], vec![]));
    assert_no_tcp(world.pod("a"), B[0], 80);
    client.write_all(b"still here").unwrap();
    let mut heard = [0; 10];
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still here");
}
