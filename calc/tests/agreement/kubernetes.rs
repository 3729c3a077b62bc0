//! Kubernetes NetworkPolicy decided the slow way, on the objects that users write.
//!
//! Written from Kubernetes' API documentation: no tiers, no profiles, no projection and no Calico selector here.

mod policy;

use std::{collections::BTreeMap, net::IpAddr};

use calc::verdict::{Direction, Packet};
use model::{Key, Kind};
use serde_json::{Value, json};

use crate::{history::Known, packets::Workload};

/// Every object there is, as its author wrote it.
pub(crate) type Cluster = BTreeMap<Key, Value>;

/// Reads what exists: the last good version, or, of a policy that has none, that it is broken.
pub(crate) fn read(known: &BTreeMap<Key, Known>) -> Cluster {
    let read = |known: &Known| known.good.clone().unwrap_or_else(|| json!({ "broken": true }));
    known.iter().map(|(key, known)| (key.clone(), read(known))).collect()
}

/// Whether the packet may reach (`Ingress`) or leave (`Egress`) the pod.
///
/// A pod that no policy of its namespace selects for that direction is not isolated. That is an allow only where the
/// namespace exists: what is known of half a cluster must not open anything.
pub(crate) fn allows(cluster: &Cluster, pod: &Key, direction: Direction, packet: &Packet) -> bool {
    let Some(pod) = Pod::of(cluster, pod) else { return false };
    if direction == Direction::Egress && !pod.addresses.contains(&packet.source) {
        return false;
    }
    let policies = || {
        let policies = cluster.iter().filter(|(key, _)| key.kind() == Kind::KubernetesNetworkPolicy);
        policies.filter(|(key, _)| key.namespace() == Some(pod.namespace)).map(|(_, policy)| policy)
    };
    // Nobody knows which pods of its namespace a broken policy isolates, nor what it allows.
    if policies().any(|policy| policy["broken"] == true) {
        return false;
    }
    let selecting: Vec<&Value> = policies()
        .map(|policy| &policy["spec"])
        .filter(|spec| policy::isolates(spec, direction) && policy::selects(&spec["podSelector"], &pod.labels()))
        .collect();
    if selecting.is_empty() {
        return cluster.contains_key(&Key::global(Kind::Namespace, pod.namespace));
    }
    selecting.iter().any(|spec| policy::allows(cluster, pod.namespace, spec, direction, packet))
}

/// Every pod that policy can isolate, with its node and addresses.
pub(crate) fn workloads(cluster: &Cluster) -> Vec<Workload> {
    let workload = |key: &Key| {
        let pod = Pod::of(cluster, key)?;
        let node = pod.object["spec"]["nodeName"].as_str()?.to_owned();
        Some(Workload { key: key.clone(), node, addresses: pod.addresses })
    };
    cluster.keys().filter_map(workload).collect()
}

/// A pod that has a network of its own, and addresses in it.
pub(crate) struct Pod<'a> {
    pub namespace: &'a str,
    pub addresses: Vec<IpAddr>,
    object: &'a Value,
}

impl<'a> Pod<'a> {
    /// Reads a pod; finished ones have given their addresses back, host-networked ones have none of their own.
    pub(crate) fn of(cluster: &'a Cluster, key: &'a Key) -> Option<Self> {
        let object = cluster.get(key).filter(|_| key.kind() == Kind::Pod)?;
        let is_finished = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        if is_finished || object["spec"]["hostNetwork"] == true {
            return None;
        }
        let ips = object["status"]["podIPs"].as_array()?;
        let addresses = ips.iter().filter_map(|ip| ip["ip"].as_str()?.parse().ok()).collect();
        Some(Self { namespace: key.namespace()?, addresses, object })
    }

    /// Every such pod.
    pub(crate) fn all(cluster: &'a Cluster) -> impl Iterator<Item = Self> {
        cluster.keys().filter_map(|key| Self::of(cluster, key))
    }

    /// Its labels.
    pub(crate) fn labels(&self) -> BTreeMap<&'a str, &'a str> {
        labels(self.object)
    }

    /// Whether one of its containers declares the port by this name.
    pub(crate) fn declares(&self, name: &str, protocol: &str, number: u16) -> bool {
        let containers = self.object["spec"]["containers"].as_array().into_iter().flatten();
        containers.flat_map(|container| container["ports"].as_array().into_iter().flatten()).any(|port| {
            port["name"] == name && port["containerPort"] == number && port["protocol"].as_str() == Some(protocol)
        })
    }
}

/// Labels of a namespace; the control plane gives every namespace one that names it.
pub(crate) fn namespace_labels<'a>(cluster: &'a Cluster, name: &'a str) -> BTreeMap<&'a str, &'a str> {
    match cluster.get(&Key::global(Kind::Namespace, name)) {
        Some(object) => {
            let mut labels = labels(object);
            labels.insert("kubernetes.io/metadata.name", name);
            labels
        }
        None => BTreeMap::new(),
    }
}

fn labels(object: &Value) -> BTreeMap<&str, &str> {
    let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
}
