//! Sets of addresses, large ones, and what happens where the kernel refuses something.

use std::collections::BTreeSet;

use dataplane::Object;
use model::intent::{IpSet, Protocol, RuleAction::*, SetChange, SetKind, SetMember};

use crate::{
    intent::*,
    world::{World, assert_no_tcp, assert_tcp, tcp_listen},
};

const A: [&str; 2] = ["10.65.0.1", "fd00:65::1"];
const B: [&str; 2] = ["10.65.0.2", "fd00:65::2"];

fn world() -> World {
    let mut world = World::new();
    world.add_pod("a", A[0], A[1]);
    world.add_pod("b", B[0], B[1]);
    world
}

fn guarded_by_set(members: SetChange) -> World {
    let mut world = world();
    world.apply(&merge([
        with_set("s:peers", members),
        with_policy("P", vec![from_set(Allow, "s:peers")], vec![]),
        workload("a", &A, &[], &[]),
        workload("b", &B, &[tier(&["P"])], &[]),
    ]));
    world
}

fn update(added: &[&str], removed: &[&str]) -> SetChange {
    let members = |list: &[&str]| list.iter().map(|net| SetMember::Net(net.parse().unwrap())).collect();
    SetChange::Update { added: members(added), removed: members(removed) }
}

#[test]
fn members_come_and_go_one_by_one() {
    let mut world = guarded_by_set(net_set(&["10.65.0.0/32", "10.65.0.2/31", "fd00:65::/128"]));
    let listeners = B.map(|address| tcp_listen(world.pod("b"), address, 80));
    for address in B {
        assert_no_tcp(world.pod("a"), address, 80);
    }
    // Between two that touch it on either side.
    let applied = world.apply(&with_set("s:peers", update(&["10.65.0.1/32"], &[])));
    assert_eq!(applied.rule_changes, 1);
    assert_tcp(world.pod("a"), B[0], 80);
    assert_no_tcp(world.pod("a"), B[1], 80);
    world.apply(&with_set("s:peers", update(&["fd00:65::1/128"], &["10.65.0.1/32"])));
    assert_no_tcp(world.pod("a"), B[0], 80);
    assert_tcp(world.pod("a"), B[1], 80);
    // A wider member takes in narrower ones, in one transaction.
    world.apply(&with_set("s:peers", update(&["10.65.0.0/16", "::/0"], &["10.65.0.0/32"])));
    for address in B {
        assert_tcp(world.pod("a"), address, 80);
    }
    world.apply(&with_set("s:peers", update(&["0.0.0.0/0"], &["10.65.0.0/16", "10.65.0.2/31", "::/0"])));
    // The narrower one that the wider one had covered is still a member.
    for address in B {
        assert_tcp(world.pod("a"), address, 80);
    }
    world.apply(&with_set("s:peers", update(&[], &["fd00:65::1/128"])));
    assert_tcp(world.pod("a"), B[0], 80);
    assert_no_tcp(world.pod("a"), B[1], 80);
    assert_eq!(world.nft_list().matches("0.0.0.0/0").count(), 1);
    drop(listeners);
}

#[test]
fn ten_thousand_members_and_one_more() {
    let address = |number: u32| format!("10.{}.{}.{}/32", 100 + (number >> 16), number >> 8 & 255, number & 255);
    let many: Vec<_> = (0..10_000).map(|number| address(number * 2)).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let mut world = guarded_by_set(net_set(&many));
    let _listener = tcp_listen(world.pod("b"), B[0], 80);
    assert_no_tcp(world.pod("a"), B[0], 80);
    let started = std::time::Instant::now();
    let applied = world.apply(&with_set("s:peers", update(&["10.65.0.1/32"], &[])));
    println!("one element more of 10,000: {:?}", started.elapsed());
    assert_eq!(applied.rule_changes, 1, "one element is one message");
    assert_tcp(world.pod("a"), B[0], 80);
    // Read back, it is what it was.
    world.restart(dataplane::Config::default());
    let mut members = many.clone();
    members.push("10.65.0.1/32");
    let applied = world.apply(&merge([
        with_set("s:peers", net_set(&members)),
        with_policy("P", vec![from_set(Allow, "s:peers")], vec![]),
        workload("a", &A, &[], &[]),
        workload("b", &B, &[tier(&["P"])], &[]),
    ]));
    assert_eq!(applied.rule_changes, 0);
}

#[test]
fn excluded_sets_and_several_sets_are_all_asked() {
    let mut world = guarded_by_set(net_set(&["10.65.0.0/16"]));
    let mut rule = from_set(Allow, "s:peers");
    rule.source.ip_sets.push("s:second".into());
    rule.source.not_ip_sets.push("s:excluded".into());
    let rules = with_policy("P", vec![rule], vec![]);
    world.apply(&merge([
        rules,
        with_set("s:second", net_set(&["10.65.0.1/32"])),
        with_set("s:excluded", net_set(&[])),
    ]));
    let _listener = tcp_listen(world.pod("b"), B[0], 80);
    assert_tcp(world.pod("a"), B[0], 80);
    world.apply(&with_set("s:excluded", update(&["10.65.0.0/24"], &[])));
    assert_no_tcp(world.pod("a"), B[0], 80);
    world.apply(&merge([with_set("s:excluded", net_set(&[])), with_set("s:second", net_set(&[]))]));
    assert_no_tcp(world.pod("a"), B[0], 80);
}

/// The set is one of ports; a rule that takes it for addresses names what does not exist in the kernel.
fn ports_set() -> SetChange {
    let members = BTreeSet::from([SetMember::AddressPort(B[0].parse().unwrap(), Protocol::TCP, 80)]);
    SetChange::Replace(IpSet { kind: SetKind::AddressPort, members })
}

#[test]
fn one_refused_rule_closes_its_policy_and_nothing_else() {
    let mut world = world();
    let intent = merge([
        with_set("n:ports", ports_set()),
        with_policy("Bad", vec![every(Allow), from_set(Deny, "n:ports")], vec![]),
        with_policy("Good", vec![tcp(Allow, 80)], vec![every(Allow)]),
        workload("a", &A, &[tier(&["Bad", "Good"])], &[]),
        workload("b", &B, &[tier(&["Good"])], &[tier(&["Good"])]),
    ]);
    let applied = world.try_apply(&intent);
    assert_eq!(applied.failures.len(), 1, "{:?}", applied.failures);
    assert_eq!(applied.failures[0].object, Object::Policy("Bad".into()));
    assert!(applied.failures[0].reason.contains("No such file"), "{}", applied.failures[0].reason);
    let listeners = [tcp_listen(world.pod("a"), A[0], 80), tcp_listen(world.pod("b"), B[0], 80)];
    assert_no_tcp(world.pod("b"), A[0], 80);
    assert_tcp(world.pod("a"), B[0], 80);
    // It is reported until it is mended, and does not stand in the way of other changes.
    let applied = world.try_apply(&with_policy("Good", vec![tcp(Deny, 81), tcp(Allow, 80)], vec![every(Allow)]));
    assert_eq!(applied.failures.len(), 1);
    assert!(applied.rule_changes > 0);
    // A restart comes to the same and leaves it closed.
    world.try_apply(&intent);
    world.restart(dataplane::Config::default());
    let applied = world.try_apply(&intent);
    assert_eq!((applied.failures.len(), applied.rule_changes), (1, 0));
    assert_no_tcp(world.pod("b"), A[0], 80);
    let applied = world.apply(&with_policy("Bad", vec![tcp(Allow, 80)], vec![]));
    assert!(applied.rule_changes > 0);
    assert_tcp(world.pod("b"), A[0], 80);
    drop(listeners);
}

#[test]
fn what_refers_to_what_is_missing_is_closed_until_it_comes() {
    let mut world = world();
    let applied = world.try_apply(&merge([
        with_policy("P", vec![tcp(Allow, 80), from_set(Deny, "s:missing"), every(Allow)], vec![]),
        workload("a", &A, &[], &[]),
        workload("b", &B, &[tier(&["P"])], &[tier(&["Missing"])]),
    ]));
    let objects: Vec<_> = applied.failures.iter().map(|failure| failure.object.to_string()).collect();
    assert_eq!(objects, ["policy P", "endpoint Pod/test/b"]);
    let listeners = [80, 81].map(|port| tcp_listen(world.pod("b"), B[0], port));
    let outward = tcp_listen(world.pod("a"), A[0], 80);
    assert_tcp(world.pod("a"), B[0], 80);
    assert_no_tcp(world.pod("a"), B[0], 81);
    assert_no_tcp(world.pod("b"), A[0], 80);
    world.apply(&merge([with_set("s:missing", net_set(&[])), with_policy("Missing", vec![], vec![every(Allow)])]));
    assert_tcp(world.pod("a"), B[0], 81);
    assert_tcp(world.pod("b"), A[0], 80);
    drop((listeners, outward));
}
