//! Kubernetes NetworkPolicy as a v3 NetworkPolicy in tier `default`.
//!
//! Every rule of a Kubernetes policy allows, so one that cannot be read is left out: less is allowed, never more.

use ipnet::IpNet;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    label_selector::LabelSelector,
    policy_port::{self, NetworkPolicyPort},
};
use crate::{
    Key,
    resource::{
        Action, EntityRule, Metadata, Object, PolicySpec, PolicyType, Port, ProtocolName, Rule, null_as_default,
        parse_net,
    },
};

const TIER: &str = "default";
/// Leaves room for Calico policies on both sides.
const ORDER: f64 = 1000.0;

#[derive(Debug, Deserialize)]
pub(super) struct NetworkPolicy {
    spec: NetworkPolicySpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkPolicySpec {
    #[serde(default, deserialize_with = "null_as_default")]
    pod_selector: LabelSelector,
    /// Kept as they are, so that one that cannot be read does not take the others with it.
    #[serde(default, deserialize_with = "null_as_default")]
    ingress: Vec<Value>,
    #[serde(default, deserialize_with = "null_as_default")]
    egress: Vec<Value>,
    #[serde(default, deserialize_with = "null_as_default")]
    policy_types: Vec<PolicyType>,
}

/// A rule of either direction; peers and ports are read when the rule is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkPolicyRule {
    #[serde(alias = "to", deserialize_with = "null_as_default")]
    from: Vec<Value>,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<NetworkPolicyPort>,
}

/// Who a rule speaks of: pods by labels, or addresses.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NetworkPolicyPeer {
    pod_selector: Option<LabelSelector>,
    namespace_selector: Option<LabelSelector>,
    ip_block: Option<IpBlock>,
}

#[derive(Debug, Deserialize)]
struct IpBlock {
    cidr: String,
    #[serde(default, deserialize_with = "null_as_default")]
    except: Vec<String>,
}

/// An error where it cannot be said which pods the policy isolates; everything else is narrowed instead.
pub(super) fn to_policy(key: &Key, policy: &NetworkPolicy) -> Result<Object<PolicySpec>, String> {
    let spec = &policy.spec;
    let selector = spec.pod_selector.of_pods().map_err(|reason| format!("spec.podSelector.{reason}"))?;
    let metadata = Metadata {
        name: key.name().to_owned(),
        namespace: key.namespace().unwrap_or_default().to_owned(),
        ..Metadata::default()
    };
    let spec = PolicySpec {
        tier: TIER.to_owned(),
        order: Some(ORDER),
        selector,
        types: spec.types(),
        ingress: spec.ingress.iter().flat_map(|rule| rules(rule, PolicyType::Ingress)).collect(),
        egress: spec.egress.iter().flat_map(|rule| rules(rule, PolicyType::Egress)).collect(),
        ..PolicySpec::default()
    };
    Ok(Object { metadata, spec })
}

impl NetworkPolicySpec {
    /// With the API server's defaulting.
    fn types(&self) -> Vec<PolicyType> {
        match (self.policy_types.is_empty(), self.egress.is_empty()) {
            (false, _) => self.policy_types.clone(),
            (true, true) => vec![PolicyType::Ingress],
            (true, false) => vec![PolicyType::Ingress, PolicyType::Egress],
        }
    }
}

/// One rule becomes one per protocol and peer; none where its ports cannot be read.
fn rules(rule: &Value, direction: PolicyType) -> Vec<Rule> {
    let Ok(rule) = read::<NetworkPolicyRule>(rule) else {
        return Vec::new();
    };
    let Ok(ports) = policy_port::group(&rule.ports) else {
        return Vec::new();
    };
    let peers = peers(&rule.from);
    let pairs = ports.iter().flat_map(|(protocol, ports)| peers.iter().map(move |peer| (*protocol, ports, peer)));
    pairs.map(|(protocol, ports, peer)| allow(direction, protocol, ports, peer)).collect()
}

fn allow(direction: PolicyType, protocol: Option<ProtocolName>, ports: &[Port], peer: &EntityRule) -> Rule {
    let mut rule = Rule { protocol, ..Rule::new(Action::Allow) };
    match direction {
        PolicyType::Ingress => rule.source = peer.clone(),
        PolicyType::Egress => rule.destination = peer.clone(),
    }
    rule.destination.ports = ports.to_vec();
    rule
}

/// No peers at all stand for anyone; peers that cannot be read stand for nobody.
fn peers(peers: &[Value]) -> Vec<EntityRule> {
    if peers.is_empty() {
        return vec![EntityRule::default()];
    }
    peers.iter().filter_map(|peer| read::<NetworkPolicyPeer>(peer).ok()?.to_entity().ok()).collect()
}

impl NetworkPolicyPeer {
    fn to_entity(&self) -> Result<EntityRule, String> {
        match (&self.pod_selector, &self.namespace_selector, &self.ip_block) {
            (None, None, Some(block)) => block.to_entity(),
            (None, None, None) => Err("a peer needs podSelector, namespaceSelector or ipBlock".to_owned()),
            (_, _, Some(_)) => Err("a peer has either ipBlock or selectors".to_owned()),
            (pods, namespaces, None) => Ok(EntityRule {
                selector: Some(pods.as_ref().unwrap_or(&LabelSelector::default()).of_pods()?),
                // Absent means the policy's own namespace, empty means every namespace.
                namespace_selector: namespaces.as_ref().map(LabelSelector::of_namespaces).transpose()?,
                ..EntityRule::default()
            }),
        }
    }
}

impl IpBlock {
    /// An exception that cannot be read makes the whole block unreadable: without it, more would be allowed.
    fn to_entity(&self) -> Result<EntityRule, String> {
        let net = parse_cidr(&self.cidr)?;
        let not_nets: Vec<IpNet> = self.except.iter().map(|text| parse_cidr(text)).collect::<Result<_, _>>()?;
        let same_family = |other: &IpNet| other.addr().is_ipv4() == net.addr().is_ipv4();
        if !not_nets.iter().all(same_family) {
            return Err(format!("except holds prefixes of another address family than {net}"));
        }
        Ok(EntityRule { nets: vec![net], not_nets, ..EntityRule::default() })
    }
}

fn parse_cidr(text: &str) -> Result<IpNet, String> {
    if text.contains('/') { parse_net(text) } else { Err(format!("{text:?} is not a CIDR")) }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}
