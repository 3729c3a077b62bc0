//! Verdicts of small intents, one rule of the specification each.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use model::intent::{Icmp, IpSet, PeerMatch, PortRange, Protocol, SetKind, SetMember};

use super::*;

const POD: &str = "10.0.0.1";
const PEER: &str = "10.0.0.2";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tcp(source: &str, destination: &str, port: u16) -> Packet {
    Packet {
        source: address(source),
        destination: address(destination),
        protocol: Protocol::TCP,
        transport: Transport::Ports { source: 40_000, destination: port },
    }
}

fn ping(source: &str, destination: &str, code: u8) -> Packet {
    Packet {
        protocol: Protocol::ICMP,
        transport: Transport::Icmp { icmp_type: 8, code },
        ..tcp(source, destination, 0)
    }
}

fn tier(name: &str, policies: &[&str], default_action: DefaultAction) -> TierIntent {
    TierIntent { name: name.into(), policies: policies.iter().map(|id| (*id).into()).collect(), default_action }
}

fn ingress(rules: &[RuleIntent]) -> Arc<PolicyIntent> {
    Arc::new(PolicyIntent { ingress: rules.to_vec(), egress: Vec::new() })
}

/// One workload `pod` whose ingress meets these tiers, policies and profiles.
fn node(
    tiers: Vec<TierIntent>,
    policies: &[(&str, Vec<RuleIntent>)],
    profiles: &[(&str, Vec<RuleIntent>)],
) -> NodeIntent {
    let endpoint = EndpointIntent {
        attachment: Attachment::Workload { interface: "cali0".into(), addresses: BTreeSet::from([address(POD)]) },
        ingress: tiers,
        egress: Vec::new(),
        profiles: profiles.iter().map(|(id, _)| (*id).into()).collect(),
    };
    NodeIntent {
        policies: policies.iter().map(|(id, rules)| ((*id).into(), ingress(rules))).collect(),
        profiles: profiles.iter().map(|(id, rules)| ((*id).into(), ingress(rules))).collect(),
        endpoints: BTreeMap::from([("pod".into(), Arc::new(endpoint))]),
        ..NodeIntent::default()
    }
}

fn to_pod(node: &NodeIntent, packet: &Packet) -> String {
    evaluate(node, &"pod".into(), Direction::Ingress, packet).to_string()
}

#[test]
fn pass_leaves_the_tier_and_a_tier_that_passes_by_default_decides_nothing() {
    use DefaultAction::{Deny, Pass};
    let node = node(
        vec![
            tier("first", &["passes", "denies"], Deny),
            tier("second", &["silent"], Pass),
            tier("third", &["allows"], Deny),
        ],
        &[
            ("passes", vec![RuleIntent::every(RuleAction::Log), RuleIntent::every(RuleAction::Pass)]),
            ("denies", vec![RuleIntent::every(RuleAction::Deny)]),
            ("silent", vec![]),
            ("allows", vec![RuleIntent { protocol: Some(Protocol::TCP), ..RuleIntent::every(RuleAction::Allow) }]),
        ],
        &[],
    );
    assert_eq!(to_pod(&node, &tcp(PEER, POD, 80)), "allowed by rule 0 of allows in tier third");
    assert_eq!(to_pod(&node, &ping(PEER, POD, 0)), "denied by the end of tier third");
}

#[test]
fn profiles_are_asked_in_order_and_pass_ends_one_profile_only() {
    let node = node(
        vec![tier("only", &["passes"], DefaultAction::Deny)],
        &[("passes", vec![RuleIntent::every(RuleAction::Pass)])],
        &[
            ("one", vec![RuleIntent::every(RuleAction::Pass), RuleIntent::every(RuleAction::Deny)]),
            ("two", vec![RuleIntent { protocol: Some(Protocol::TCP), ..RuleIntent::every(RuleAction::Allow) }]),
        ],
    );
    assert_eq!(to_pod(&node, &tcp(PEER, POD, 80)), "allowed by rule 0 of profile two");
    assert_eq!(to_pod(&node, &ping(PEER, POD, 0)), "denied by default: no tier and no profile decided");
}

#[test]
fn what_is_missing_denies() {
    let allows_all = vec![("allows", vec![RuleIntent::every(RuleAction::Allow)])];
    let mut node = node(vec![tier("only", &["gone", "allows"], DefaultAction::Pass)], &allows_all, &[]);
    let packet = tcp(PEER, POD, 80);
    assert_eq!(to_pod(&node, &packet), "denied by default: policy gone is missing");
    let mut rule = RuleIntent::every(RuleAction::Deny);
    rule.source.ip_sets = vec!["s:gone".into()];
    node.policies.insert("gone".into(), ingress(&[rule]));
    assert_eq!(to_pod(&node, &packet), "denied by default: set s:gone is missing");
    let verdict = evaluate(&node, &"other".into(), Direction::Ingress, &packet);
    assert_eq!(verdict, Verdict { allowed: false, reason: Reason::UnknownEndpoint });
}

#[test]
fn a_workload_sends_from_its_own_addresses_only() {
    let node = node(vec![], &[], &[]);
    let verdict = evaluate(&node, &"pod".into(), Direction::Egress, &tcp(PEER, POD, 80));
    assert_eq!(verdict.reason, Reason::SpoofedSource);
    let verdict = evaluate(&node, &"pod".into(), Direction::Egress, &tcp(POD, PEER, 80));
    assert_eq!(verdict.reason, Reason::NothingDecided);
}

fn rule_with_source(source: PeerMatch) -> RuleIntent {
    RuleIntent { source, ..RuleIntent::every(RuleAction::Allow) }
}

fn rule_with_destination(destination: PeerMatch) -> RuleIntent {
    RuleIntent { destination, ..RuleIntent::every(RuleAction::Allow) }
}

fn does_match(rule: &RuleIntent, packet: &Packet) -> bool {
    let member = SetMember::AddressPort(address(POD), Protocol::TCP, 8080);
    let web = IpSet { kind: SetKind::AddressPort, members: BTreeSet::from([member]) };
    let peers = IpSet { kind: SetKind::Net, members: BTreeSet::from([SetMember::Net("10.0.0.0/30".parse().unwrap())]) };
    let sets = BTreeMap::from([("n:web".into(), web), ("s:peers".into(), peers)]);
    matches(rule, packet, &sets).is_ok_and(|matched| matched)
}

#[test]
fn ports_are_numbers_or_names_and_never_both() {
    let ports = PeerMatch {
        ports: vec![PortRange { first: 80, last: 81 }],
        named_port_sets: vec!["n:web".into()],
        ..PeerMatch::default()
    };
    let rule = rule_with_destination(ports);
    for (port, wanted) in [(79, false), (80, true), (81, true), (82, false), (8080, true)] {
        assert_eq!(does_match(&rule, &tcp(PEER, POD, port)), wanted, "port {port}");
    }
    assert!(!does_match(&rule, &tcp(POD, PEER, 8080)), "another address has not that port");
    let mut udp = tcp(PEER, POD, 8080);
    udp.protocol = Protocol::UDP;
    assert!(!does_match(&rule, &udp), "the name stands for a TCP port");
    assert!(!does_match(&rule, &ping(PEER, POD, 0)), "a message without ports has none of these");
}

#[test]
fn sets_and_prefixes_restrict_and_exclude() {
    let in_set = PeerMatch { ip_sets: vec!["s:peers".into()], ..PeerMatch::default() };
    let not_in_set = PeerMatch { not_ip_sets: vec!["s:peers".into()], ..PeerMatch::default() };
    for (source, member) in [("10.0.0.3", true), ("10.0.0.4", false)] {
        assert_eq!(does_match(&rule_with_source(in_set.clone()), &tcp(source, POD, 80)), member);
        assert_eq!(does_match(&rule_with_source(not_in_set.clone()), &tcp(source, POD, 80)), !member);
    }
    let except = PeerMatch {
        nets: vec!["10.0.0.0/8".parse().unwrap()],
        not_nets: vec!["10.9.0.0/16".parse().unwrap()],
        ..PeerMatch::default()
    };
    for (source, wanted) in [("10.8.0.1", true), ("10.9.0.1", false), ("11.0.0.1", false)] {
        assert_eq!(does_match(&rule_with_source(except.clone()), &tcp(source, POD, 80)), wanted, "{source}");
    }
}

#[test]
fn excluded_prefixes_speak_about_their_own_ip_version() {
    let rule = rule_with_source(PeerMatch { not_nets: vec!["10.9.0.0/16".parse().unwrap()], ..PeerMatch::default() });
    assert!(does_match(&rule, &tcp("10.8.0.1", POD, 80)));
    assert!(!does_match(&rule, &tcp("fd00::1", "fd00::2", 80)));
}

#[test]
fn an_excluded_icmp_message_is_type_and_code_together() {
    let echo_code_1 = Icmp { icmp_type: 8, code: Some(1) };
    let not = RuleIntent { not_icmp: Some(echo_code_1), ..RuleIntent::every(RuleAction::Allow) };
    let only = RuleIntent { icmp: Some(echo_code_1), ..RuleIntent::every(RuleAction::Allow) };
    for (code, is_message) in [(0, false), (1, true)] {
        assert_eq!(does_match(&not, &ping(PEER, POD, code)), !is_message);
        assert_eq!(does_match(&only, &ping(PEER, POD, code)), is_message);
    }
}
