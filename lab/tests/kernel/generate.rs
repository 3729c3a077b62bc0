//! Made-up intents for the pods of the world, such as calc could have made.

mod rule;

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;
use model::intent::{
    Attachment, DefaultAction, EndpointIntent, IpSet, NodeIntent, PolicyIntent, Protocol, RuleAction, RuleIntent,
    SetId, SetKind, SetMember, TierIntent,
};
use proptest::{collection::vec, prelude::*, sample::subsequence};

use crate::world::{PODS, addresses, endpoint_id, interface};

/// Prefixes that cover no other of them; together all pods.
const NETS: [&str; 6] = ["10.65.0.1/32", "10.65.0.2/31", "10.65.0.4/32", "fd65::1/128", "fd65::2/127", "fd65::4/128"];
const NET_SETS: [&str; 3] = ["s:0", "s:1", "s:2"];
const PORT_SETS: [&str; 2] = ["n:0", "n:1"];
const POLICIES: [&str; 5] = ["p0", "p1", "p2", "p3", "p4"];
const PROFILES: [&str; 2] = ["q0", "q1"];

/// An intent with all sets, policies, profiles and endpoints; what is in them differs.
pub(crate) fn intent() -> impl Strategy<Value = NodeIntent> {
    let sets = (vec(net_set(), NET_SETS.len()), vec(port_set(), PORT_SETS.len()));
    let rules = (vec(policy(0.2), POLICIES.len()), vec(policy(0.9), PROFILES.len()));
    let profiles = subsequence(&PROFILES[..], 1..=PROFILES.len()).prop_shuffle();
    let endpoints = vec((tiers(), tiers(), profiles), PODS);
    (sets, rules, endpoints).prop_map(|((net_sets, port_sets), (policies, profiles), endpoints)| NodeIntent {
        ip_sets: ids::<SetId>(&NET_SETS).zip(net_sets).chain(ids(&PORT_SETS).zip(port_sets)).collect(),
        policies: ids(&POLICIES).zip(policies).collect(),
        profiles: ids(&PROFILES).zip(profiles).collect(),
        endpoints: (1..=PODS)
            .zip(endpoints)
            .map(|(pod, (ingress, egress, profiles))| {
                let profiles = profiles.into_iter().map(Into::into).collect();
                let attachment = attachment(pod);
                (endpoint_id(pod), Arc::new(EndpointIntent { attachment, ingress, egress, profiles }))
            })
            .collect(),
        ..NodeIntent::default()
    })
}

/// An intent that lets everything through.
pub(crate) fn open() -> NodeIntent {
    let every = || vec![RuleIntent::every(RuleAction::Allow)];
    let endpoint = |pod| EndpointIntent {
        attachment: attachment(pod),
        ingress: Vec::new(),
        egress: Vec::new(),
        profiles: vec![PROFILES[0].into()],
    };
    NodeIntent {
        profiles: [(PROFILES[0].into(), Arc::new(PolicyIntent { ingress: every(), egress: every() }))].into(),
        endpoints: (1..=PODS).map(|pod| (endpoint_id(pod), Arc::new(endpoint(pod)))).collect(),
        ..NodeIntent::default()
    }
}

fn ids<T: From<&'static str>>(names: &'static [&'static str]) -> impl Iterator<Item = T> {
    names.iter().map(|name| T::from(name))
}

fn attachment(pod: usize) -> Attachment {
    Attachment::Workload { interface: interface(pod).into(), addresses: addresses(pod).into() }
}

fn nets() -> Vec<IpNet> {
    NETS.iter().map(|net| net.parse().expect("a prefix")).collect()
}

fn net_set() -> impl Strategy<Value = IpSet> {
    subsequence(nets(), 0..=NETS.len())
        .prop_map(|nets| IpSet { kind: SetKind::Net, members: nets.into_iter().map(SetMember::Net).collect() })
}

fn port_set() -> impl Strategy<Value = IpSet> {
    let ports = [(Protocol::TCP, 80), (Protocol::TCP, 81), (Protocol::UDP, 53)];
    let members: Vec<SetMember> = (1..=PODS)
        .flat_map(addresses)
        .flat_map(|address| ports.map(|(protocol, port)| SetMember::AddressPort(address, protocol, port)))
        .collect();
    let count = members.len();
    subsequence(members, 0..=count)
        .prop_map(|members| IpSet { kind: SetKind::AddressPort, members: members.into_iter().collect::<BTreeSet<_>>() })
}

/// A few rules, and in the end, with this probability, one that allows all: what is denied everywhere proves little.
fn policy(open_end: f64) -> impl Strategy<Value = Arc<PolicyIntent>> {
    let rules = move || {
        (vec(rule::rule(), 0..4), prop::bool::weighted(open_end)).prop_map(|(mut rules, is_open)| {
            rules.extend(is_open.then(|| RuleIntent::every(RuleAction::Allow)));
            rules
        })
    };
    (rules(), rules()).prop_map(|(ingress, egress)| Arc::new(PolicyIntent { ingress, egress }))
}

fn tiers() -> impl Strategy<Value = Vec<TierIntent>> {
    let default_action = prop_oneof![1 => Just(DefaultAction::Deny), 3 => Just(DefaultAction::Pass)];
    let tier = (subsequence(&POLICIES[..], 1..3).prop_shuffle(), default_action);
    vec(tier, 0..3).prop_map(|tiers| {
        let numbered = tiers.into_iter().enumerate();
        let tier = |(index, (policies, default_action)): (usize, (Vec<&str>, DefaultAction))| TierIntent {
            name: format!("t{index}").into(),
            policies: policies.into_iter().map(Into::into).collect(),
            default_action,
        };
        numbered.map(tier).collect()
    })
}
