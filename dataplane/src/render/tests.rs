//! Golden listings: what people would read in `nft list`, for one intent each.
//!
//! A golden file that should change is written anew by running the tests with `CATTAIL_BLESS=1`.

use std::{collections::BTreeMap, fs, net::IpAddr, path::PathBuf, sync::Arc};

use model::intent::{
    Attachment, DefaultAction, EndpointId, EndpointIntent, EndpointToHostAction, FailsafePort, Icmp, IpSet, NodeConfig,
    PeerMatch, PolicyIntent, PortRange, Protocol, RuleAction, RuleIntent, SetId, SetKind, SetMember, TierIntent,
};

use super::{Claims, Fragment, Known, Presence, base, dispatch, endpoint, ip_set, policy, profile};
use crate::{Config, ruleset::listing};

fn compare(name: &str, fragments: impl IntoIterator<Item = Fragment>) {
    let (mut sets, mut chains) = (BTreeMap::new(), BTreeMap::new());
    let mut failures = Vec::new();
    for fragment in fragments {
        sets.extend(fragment.sets);
        sets.extend(fragment.literals);
        chains.extend(fragment.chains);
        failures.extend(fragment.failures);
    }
    let mut text = listing(sets.iter(), chains.iter());
    text.extend(failures.iter().map(|failure| format!("# failure: {failure}\n")));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("nft");
    if std::env::var_os("CATTAIL_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; bless it with CATTAIL_BLESS=1 if it should", path.display());
}

fn rule(action: RuleAction) -> RuleIntent {
    RuleIntent::every(action)
}

fn ports(ranges: &[(u16, u16)]) -> Vec<PortRange> {
    ranges.iter().map(|(first, last)| PortRange { first: *first, last: *last }).collect()
}

fn nets(texts: &[&str]) -> Vec<ipnet::IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn known_set(id: &SetId) -> Option<Presence> {
    match &*id.0 {
        "s:missing" => None,
        "s:v4" => Some(Presence::of(&IpSet { kind: SetKind::Net, members: [net("10.0.0.0/8")].into() })),
        "s:empty" => Some(Presence::default()),
        _ => Some(Presence::BOTH),
    }
}

fn net(text: &str) -> SetMember {
    SetMember::Net(text.parse().unwrap())
}

fn compare_ingress(name: &str, rules: Vec<RuleIntent>) {
    let intent = PolicyIntent { ingress: rules, egress: vec![] };
    compare(name, [policy(&"NetworkPolicy/shop/web".into(), &intent, &Config::default(), &known_set)]);
}

#[test]
fn base_chains() {
    compare("base", [base(&Config::default())]);
}

#[test]
fn base_chains_that_let_workloads_reach_the_host() {
    let config = Config { endpoint_to_host_action: EndpointToHostAction::Accept, ..Config::default() };
    compare("base-accept", [base(&config)]);
}

#[test]
fn base_chains_for_workloads_by_two_prefixes() {
    let interface_prefixes = ["cali".to_owned(), "tap".to_owned()].into();
    compare("base-prefixes", [base(&Config::from(&NodeConfig { interface_prefixes, ..NodeConfig::default() }))]);
}

#[test]
fn failsafe_ports_by_prefix_of_the_other_end() {
    let port = |protocol, port, net: &str| FailsafePort { protocol, port, net: net.parse().ok() };
    let config = Config::from(&NodeConfig {
        failsafe_inbound: vec![
            port(Protocol::TCP, 22, "10.0.0.0/8"),
            port(Protocol::TCP, 22, "fd00::/8"),
            port(Protocol::TCP, 80, "10.0.0.0/8"),
            port(Protocol::UDP, 68, ""),
            port(Protocol::SCTP, 9, "0.0.0.0/0"),
        ],
        failsafe_outbound: Vec::new(),
        mark_mask: 0xff,
        ..NodeConfig::default()
    });
    let host =
        endpoint_with(Attachment::Host { interface: Some("eth0".into()), expected_addresses: [].into() }, vec![]);
    compare("failsafes", [endpoint(&"HostEndpoint/node".into(), &host, &config, &known())]);
}

#[test]
fn actions_by_direction() {
    let rules: Vec<_> = [RuleAction::Log, RuleAction::Pass, RuleAction::Deny, RuleAction::Allow].map(rule).into();
    let intent = PolicyIntent { ingress: rules.clone(), egress: rules };
    let config = Config::default();
    let of_policy = policy(&"GlobalNetworkPolicy/all".into(), &intent, &config, &known_set);
    compare("actions", [of_policy, profile(&"kns.shop".into(), &intent, &config, &known_set)]);
}

#[test]
fn addresses() {
    let source = |peer: PeerMatch| RuleIntent { source: peer, ..rule(RuleAction::Allow) };
    compare_ingress(
        "addresses",
        vec![
            source(PeerMatch { nets: nets(&["10.0.0.0/8"]), ..PeerMatch::default() }),
            source(PeerMatch {
                nets: nets(&["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "fd00::/8"]),
                ..PeerMatch::default()
            }),
            source(PeerMatch {
                nets: nets(&["0.0.0.0/0"]),
                not_nets: nets(&["10.0.0.0/9", "10.200.0.1/32"]),
                ..PeerMatch::default()
            }),
            source(PeerMatch { not_nets: nets(&["0.0.0.0/0", "fd00::/64"]), ..PeerMatch::default() }),
            source(PeerMatch {
                ip_sets: vec!["s:a".into(), "s:b".into()],
                not_ip_sets: vec!["s:c".into()],
                ..PeerMatch::default()
            }),
            RuleIntent { ip_version: Some(6), ..rule(RuleAction::Deny) },
        ],
    );
}

#[test]
fn sets_without_members_of_a_version_are_not_asked() {
    let source = |ip_sets: &[&str], not_ip_sets: &[&str]| {
        let ids = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        let source = PeerMatch { ip_sets: ids(ip_sets), not_ip_sets: ids(not_ip_sets), ..PeerMatch::default() };
        RuleIntent { source, ..rule(RuleAction::Allow) }
    };
    let mut ports_only = RuleIntent { protocol: Some(Protocol::TCP), ..rule(RuleAction::Allow) };
    ports_only.destination.named_port_sets = vec!["s:empty".into()];
    let rules = vec![source(&["s:v4"], &[]), source(&["s:empty"], &[]), source(&[], &["s:v4", "s:empty"]), ports_only];
    compare_ingress("empty-sets", rules);
}

#[test]
fn ports_and_named_ports() {
    let tcp = |action, destination| RuleIntent { protocol: Some(Protocol::TCP), destination, ..rule(action) };
    let named = |names: &[&str]| names.iter().map(|name| (*name).into()).collect::<Vec<_>>();
    let both = PeerMatch { ports: ports(&[(80, 80)]), named_port_sets: named(&["n:http"]), ..PeerMatch::default() };
    compare_ingress(
        "ports",
        vec![
            tcp(RuleAction::Allow, PeerMatch { ports: ports(&[(80, 80)]), ..PeerMatch::default() }),
            tcp(RuleAction::Allow, PeerMatch { ports: ports(&[(8000, 8999)]), ..PeerMatch::default() }),
            tcp(
                RuleAction::Allow,
                PeerMatch { ports: ports(&[(443, 443), (80, 89), (85, 90), (91, 91)]), ..PeerMatch::default() },
            ),
            tcp(RuleAction::Allow, both.clone()),
            tcp(RuleAction::Log, both.clone()),
            RuleIntent { protocol: None, ..tcp(RuleAction::Deny, both) },
            tcp(
                RuleAction::Deny,
                PeerMatch {
                    not_ports: ports(&[(80, 80)]),
                    not_named_port_sets: named(&["n:http"]),
                    ..PeerMatch::default()
                },
            ),
            RuleIntent {
                protocol: None,
                ..tcp(RuleAction::Deny, PeerMatch { not_ports: ports(&[(1, 1023)]), ..PeerMatch::default() })
            },
        ],
    );
}

#[test]
fn protocols_and_messages() {
    let icmp = |icmp_type, code| Some(Icmp { icmp_type, code });
    let v4 = RuleIntent { protocol: Some(Protocol::ICMP), ..rule(RuleAction::Allow) };
    compare_ingress(
        "icmp",
        vec![
            RuleIntent { icmp: icmp(8, None), ..v4.clone() },
            RuleIntent { icmp: icmp(8, Some(0)), ip_version: Some(4), ..v4.clone() },
            RuleIntent { not_icmp: icmp(3, Some(4)), ..v4 },
            RuleIntent { not_icmp: icmp(128, None), ..rule(RuleAction::Deny) },
            RuleIntent { not_protocol: Some(Protocol::SCTP), ..rule(RuleAction::Deny) },
        ],
    );
}

#[test]
fn a_missing_set_closes_the_rest_of_the_chain() {
    let missing = PeerMatch { ip_sets: vec!["s:missing".into()], ..PeerMatch::default() };
    let rules = vec![
        RuleIntent { protocol: Some(Protocol::TCP), ..rule(RuleAction::Allow) },
        RuleIntent { source: missing, ..rule(RuleAction::Deny) },
        rule(RuleAction::Allow),
    ];
    compare_ingress("missing-set", rules);
}

#[test]
fn sets_of_both_kinds() {
    let nets = ["10.0.0.0/8", "10.1.2.3/32", "11.0.0.0/32", "11.0.0.1/32", "::/0", "fd00::1/128"].map(net);
    let port = |address: &str| SetMember::AddressPort(address.parse().unwrap(), Protocol::TCP, 8080);
    let ports = ["10.0.0.1", "fd00::1"].map(port);
    let nets = IpSet { kind: SetKind::Net, members: nets.into() };
    let ports = IpSet { kind: SetKind::AddressPort, members: ports.into() };
    compare("sets", [ip_set(&"s:nets".into(), &nets), ip_set(&"n:http".into(), &ports)]);
}

fn tier(name: &str, policies: &[&str], default_action: DefaultAction) -> TierIntent {
    let policies = policies.iter().map(|id| (*id).into()).collect();
    TierIntent { name: name.into(), policies, default_action }
}

fn endpoint_with(attachment: Attachment, tiers: Vec<TierIntent>) -> Arc<EndpointIntent> {
    let (ingress, egress) = (tiers.clone(), tiers);
    Arc::new(EndpointIntent { attachment, ingress, egress, profiles: vec!["kns.shop".into(), "ksa.shop.web".into()] })
}

fn known<'a>() -> Known<'a> {
    Known { policy: &|id| &*id.0 != "missing", profile: &|_| true }
}

#[test]
fn endpoints_and_the_ways_to_them() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let workload = Attachment::Workload {
        interface: "cali1".into(),
        addresses: [address("10.65.0.1"), address("fd00::1")].into(),
    };
    let host = Attachment::Host { interface: None, expected_addresses: [address("192.0.2.1")].into() };
    let tiers = vec![
        tier("security", &["S1", "S2"], DefaultAction::Pass),
        tier("default", &["D", "missing"], DefaultAction::Deny),
    ];
    let endpoints: BTreeMap<EndpointId, _> = [
        ("Pod/shop/web".into(), endpoint_with(workload, tiers)),
        ("HostEndpoint/node".into(), endpoint_with(host, vec![])),
        (
            "HostEndpoint/rest".into(),
            endpoint_with(Attachment::Host { interface: None, expected_addresses: [].into() }, vec![]),
        ),
    ]
    .into();
    let config = Config::default();
    let claims = Claims::settle(&endpoints, &config, |_| Some("eth0".into()));
    let of_endpoints = endpoints.iter().map(|(id, intent)| endpoint(id, intent, &config, &known()));
    compare("endpoints", of_endpoints.chain([dispatch(&endpoints, &claims, &config)]));
}

#[test]
fn without_host_endpoints_the_hosts_packets_are_left_alone() {
    let fragment = dispatch(&BTreeMap::new(), &Claims::default(), &Config::default());
    assert!(fragment.chains.values().all(|chain| chain.rules.is_empty()));
}

#[test]
fn interfaces_that_cannot_be_a_workloads_are_refused() {
    let workload = |interface: &str| {
        endpoint_with(Attachment::Workload { interface: interface.into(), addresses: [].into() }, vec![])
    };
    let endpoints =
        [("a".into(), workload("eth0")), ("b".into(), workload("cali567890123456")), ("c".into(), workload("cali1"))]
            .into();
    let claims = Claims::settle(&endpoints, &Config::default(), |_| None);
    let refused: Vec<_> = claims.failures.keys().map(ToString::to_string).collect();
    assert_eq!(refused, ["a", "b"]);
    assert_eq!(claims.workload_interfaces().map(|name| &**name).collect::<Vec<_>>(), ["cali1"]);
}
