//! Pods as workload endpoints.

use std::{collections::BTreeMap, fmt::Write as _};

use ipnet::IpNet;
use selector::{NAMESPACE_LABEL, NAMESPACE_PREFIX, SERVICE_ACCOUNT_LABEL, SERVICE_ACCOUNT_PREFIX};
use serde::Deserialize;
use sha1::{Digest, Sha1};

use super::{ORCHESTRATOR, ORCHESTRATOR_LABEL, metadata::ObjectMeta, profile};
use crate::{
    Key,
    intent::Protocol,
    resource::{EndpointPort, Metadata, Object, ProtocolName, WorkloadEndpointSpec, null_as_default, parse_net},
};

/// Where Calico's CNI plugin notes the addresses before Kubernetes' status has them.
const POD_IPS_ANNOTATION: &str = "cni.projectcalico.org/podIPs";
const POD_IP_ANNOTATION: &str = "cni.projectcalico.org/podIP";
/// The interface within the pod.
const ENDPOINT: &str = "eth0";
/// Names of workload interfaces begin with this; the rest is a hash, because names have 15 characters at most.
const INTERFACE_PREFIX: &str = "cali";
const INTERFACE_HASH_DIGITS: usize = 11;
/// Calico gives pods of service accounts with longer names no label of it.
const MAX_SERVICE_ACCOUNT_LABEL: usize = 62;

/// The part of a Pod that makes its endpoint.
#[derive(Debug, Deserialize)]
pub(super) struct Pod {
    #[serde(default)]
    metadata: ObjectMeta,
    spec: PodSpec,
    #[serde(default, deserialize_with = "null_as_default")]
    status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    /// Empty until the pod is scheduled.
    node_name: String,
    /// Whether the pod shares its node's network.
    host_network: bool,
    service_account_name: String,
    #[serde(deserialize_with = "null_as_default")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "null_as_default")]
    init_containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<ContainerPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerPort {
    name: String,
    #[serde(rename = "containerPort")]
    number: u16,
    host_port: u16,
    protocol: Option<ProtocolName>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
    #[serde(rename = "podIPs", deserialize_with = "null_as_default")]
    pod_ips: Vec<PodIp>,
}

#[derive(Debug, Deserialize)]
struct PodIp {
    ip: String,
}

/// The endpoint, or none where the pod has no network of its own now.
pub(super) fn to_endpoint(key: &Key, pod: Pod) -> Result<Option<Object<WorkloadEndpointSpec>>, String> {
    if pod.spec.host_network || pod.spec.node_name.is_empty() || pod.is_finished() {
        return Ok(None);
    }
    let ip_networks = pod.addresses()?;
    if ip_networks.is_empty() {
        return Ok(None);
    }
    let namespace = key.namespace().unwrap_or_default();
    let metadata = Metadata {
        name: endpoint_name(&pod.spec.node_name, key.name()),
        namespace: namespace.to_owned(),
        labels: pod.labels(namespace),
    };
    let spec = WorkloadEndpointSpec {
        orchestrator: ORCHESTRATOR.to_owned(),
        pod: key.name().to_owned(),
        endpoint: ENDPOINT.to_owned(),
        interface_name: interface_name(namespace, key.name()),
        ip_networks,
        profiles: pod.profiles(namespace),
        ports: pod.ports(),
        node: pod.spec.node_name,
        service_account_name: pod.spec.service_account_name,
    };
    Ok(Some(Object { metadata, spec }))
}

impl Pod {
    /// A finished pod's addresses may belong to another already.
    fn is_finished(&self) -> bool {
        let released = self.metadata.deletion_timestamp.is_some()
            && self.metadata.annotations.get(POD_IP_ANNOTATION).is_some_and(String::is_empty);
        released || matches!(self.status.phase.as_str(), "Succeeded" | "Failed" | "Completed")
    }

    /// The first of these that says anything: Kubernetes' status, then the CNI plugin's annotations.
    fn addresses(&self) -> Result<Vec<IpNet>, String> {
        let annotation = |name| self.metadata.annotations.get(name).map(String::as_str).unwrap_or_default();
        let texts: Vec<&str> = if !self.status.pod_ips.is_empty() {
            self.status.pod_ips.iter().map(|address| address.ip.as_str()).collect()
        } else if !self.status.pod_ip.is_empty() {
            vec![&self.status.pod_ip]
        } else if !annotation(POD_IPS_ANNOTATION).is_empty() {
            annotation(POD_IPS_ANNOTATION).split(',').collect()
        } else if !annotation(POD_IP_ANNOTATION).is_empty() {
            vec![annotation(POD_IP_ANNOTATION)]
        } else {
            Vec::new()
        };
        texts.into_iter().map(|text| parse_address(text.trim())).collect()
    }

    /// The pod's own labels and what Calico adds. A pod cannot pose as one of another namespace or service account:
    /// labels that endpoints inherit from those are not taken from the pod.
    fn labels(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut labels = self.metadata.labels.clone();
        labels.retain(|name, _| {
            !name.starts_with(NAMESPACE_PREFIX)
                && !name.starts_with(SERVICE_ACCOUNT_PREFIX)
                && name != SERVICE_ACCOUNT_LABEL
        });
        labels.insert(NAMESPACE_LABEL.to_owned(), namespace.to_owned());
        labels.insert(ORCHESTRATOR_LABEL.to_owned(), ORCHESTRATOR.to_owned());
        let account = &self.spec.service_account_name;
        if !account.is_empty() && account.len() <= MAX_SERVICE_ACCOUNT_LABEL {
            labels.insert(SERVICE_ACCOUNT_LABEL.to_owned(), account.clone());
        }
        labels
    }

    fn profiles(&self, namespace: &str) -> Vec<String> {
        let account = &self.spec.service_account_name;
        let of_account = (!account.is_empty()).then(|| profile::service_account_profile(namespace, account));
        [profile::namespace_profile(namespace)].into_iter().chain(of_account).collect()
    }

    /// Ports with a name, or published on the node. Init containers count: restartable ones serve as sidecars.
    fn ports(&self) -> Vec<EndpointPort> {
        let containers = self.spec.containers.iter().chain(&self.spec.init_containers);
        containers
            .flat_map(|container| &container.ports)
            .filter(|port| port.number != 0 && (!port.name.is_empty() || port.host_port != 0))
            .map(|port| EndpointPort {
                name: port.name.clone(),
                protocol: port.protocol.unwrap_or(ProtocolName(Protocol::TCP)),
                port: port.number,
            })
            .collect()
    }
}

/// Annotations hold `address/length`; whatever the length, it is the pod's one address.
fn parse_address(text: &str) -> Result<IpNet, String> {
    let net = parse_net(text)?;
    Ok(IpNet::from(net.addr()))
}

/// `NODE-k8s-POD-eth0`, where a dash within a part is doubled.
fn endpoint_name(node: &str, pod: &str) -> String {
    let escape = |part: &str| part.replace('-', "--");
    format!("{}-{ORCHESTRATOR}-{}-{ENDPOINT}", escape(node), escape(pod))
}

/// The name of the host's end of a pod's veth pair.
pub fn interface_name(namespace: &str, pod: &str) -> String {
    let digest = Sha1::new().chain_update(namespace).chain_update(".").chain_update(pod).finalize();
    let mut name = INTERFACE_PREFIX.to_owned();
    for byte in digest.iter().take(INTERFACE_HASH_DIGITS.div_ceil(2)) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.truncate(INTERFACE_PREFIX.len() + INTERFACE_HASH_DIGITS);
    name
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn interface_names_are_calicos() {
        assert_eq!(interface_name("default", "my-pod"), "cali5e30f018633");
        assert_eq!(interface_name("kube-system", "coredns-5d78c9869d-abcde"), "cali4d5f75c480c");
    }

    #[test]
    fn endpoint_names_double_dashes() {
        assert_eq!(endpoint_name("node-1", "my-pod"), "node--1-k8s-my--pod-eth0");
    }

    #[test]
    fn annotations_may_carry_a_length() {
        let host = |text: &str| IpNet::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(parse_address("10.0.0.7/32"), Ok(host("10.0.0.7")));
        assert_eq!(parse_address("10.0.0.7/24"), Ok(host("10.0.0.7")));
        assert_eq!(parse_address("fd00::7"), Ok(host("fd00::7")));
        assert!(parse_address("ten").is_err());
    }
}
