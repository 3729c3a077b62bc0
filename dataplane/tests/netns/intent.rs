//! Short words for intents.

use std::{collections::BTreeSet, sync::Arc};

use model::intent::{
    Attachment, DefaultAction, Delta, EndpointIntent, IpSet, NodeConfig, PeerMatch, PolicyIntent, PortRange, Protocol,
    RouteIntent, RuleAction, RuleIntent, SetChange, SetKind, SetMember, TierIntent,
};

pub(crate) fn every(action: RuleAction) -> RuleIntent {
    RuleIntent::every(action)
}

pub(crate) fn tcp(action: RuleAction, port: u16) -> RuleIntent {
    RuleIntent { protocol: Some(Protocol::TCP), destination: ports(&[(port, port)]), ..every(action) }
}

pub(crate) fn from_nets(action: RuleAction, nets: &[&str]) -> RuleIntent {
    let nets = nets.iter().map(|net| net.parse().unwrap()).collect();
    RuleIntent { source: PeerMatch { nets, ..PeerMatch::default() }, ..every(action) }
}

pub(crate) fn from_set(action: RuleAction, set: &str) -> RuleIntent {
    RuleIntent { source: PeerMatch { ip_sets: vec![set.into()], ..PeerMatch::default() }, ..every(action) }
}

pub(crate) fn ports(ranges: &[(u16, u16)]) -> PeerMatch {
    let ports = ranges.iter().map(|(first, last)| PortRange { first: *first, last: *last }).collect();
    PeerMatch { ports, ..PeerMatch::default() }
}

pub(crate) fn policy(ingress: Vec<RuleIntent>, egress: Vec<RuleIntent>) -> Arc<PolicyIntent> {
    Arc::new(PolicyIntent { ingress, egress })
}

pub(crate) fn net_set(members: &[&str]) -> SetChange {
    let members = members.iter().map(|member| SetMember::Net(member.parse().unwrap())).collect();
    SetChange::Replace(IpSet { kind: SetKind::Net, members })
}

pub(crate) fn tier(policies: &[&str]) -> TierIntent {
    let policies = policies.iter().map(|id| (*id).into()).collect();
    TierIntent { name: "default".into(), policies, default_action: DefaultAction::Deny }
}

/// A workload whose name is its interface's, without the prefix.
pub(crate) fn workload(name: &str, addresses: &[&str], ingress: &[TierIntent], egress: &[TierIntent]) -> Delta {
    let interface: Arc<str> = format!("cali{name}").into();
    let addresses: BTreeSet<std::net::IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let mut delta = Delta::default();
    for address in &addresses {
        delta.routes.insert((*address).into(), Some(RouteIntent::LocalWorkload { interface: interface.clone() }));
    }
    let endpoint = EndpointIntent {
        attachment: Attachment::Workload { interface, addresses },
        ingress: ingress.to_vec(),
        egress: egress.to_vec(),
        profiles: vec!["open".into()],
    };
    delta.endpoints.insert(format!("Pod/test/{name}").as_str().into(), Some(Arc::new(endpoint)));
    // Profile rules come into play where no tier applies.
    delta.profiles.insert("open".into(), Some(policy(vec![every(RuleAction::Allow)], vec![every(RuleAction::Allow)])));
    delta
}

pub(crate) fn merge(deltas: impl IntoIterator<Item = Delta>) -> Delta {
    let mut all = Delta::default();
    for delta in deltas {
        all.ip_sets.extend(delta.ip_sets);
        all.policies.extend(delta.policies);
        all.profiles.extend(delta.profiles);
        all.endpoints.extend(delta.endpoints);
        all.routes.extend(delta.routes);
        all.config = delta.config.or(all.config);
    }
    all
}

/// A change that is one policy.
pub(crate) fn with_policy(id: &str, ingress: Vec<RuleIntent>, egress: Vec<RuleIntent>) -> Delta {
    let mut delta = Delta::default();
    delta.policies.insert(id.into(), Some(policy(ingress, egress)));
    delta
}

/// A change that is the node's settings.
pub(crate) fn with_config(config: NodeConfig) -> Delta {
    Delta { config: Some(config), ..Delta::default() }
}

/// A change that is one set.
pub(crate) fn with_set(id: &str, change: SetChange) -> Delta {
    let mut delta = Delta::default();
    delta.ip_sets.insert(id.into(), change);
    delta
}
