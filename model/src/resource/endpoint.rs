//! Workload and host endpoints.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{ProtocolName, policy::null_as_default};

/// A port that an endpoint declares, so that policies can name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointPort {
    /// Its name; may be empty in what Kubernetes pods declare.
    #[serde(default)]
    pub name: String,
    /// Its protocol.
    pub protocol: ProtocolName,
    /// Its number.
    pub port: u16,
}

/// WorkloadEndpointSpec: a pod's, container's or VM's interface on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadEndpointSpec {
    /// `k8s`, `cni`, …
    pub orchestrator: String,
    /// The node that hosts it.
    pub node: String,
    /// The pod, where the orchestrator is Kubernetes.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pod: String,
    /// The endpoint's name within the workload, usually `eth0`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// The interface's name on the host.
    pub interface_name: String,
    /// Its addresses, each as a /32 or /128.
    #[serde(rename = "ipNetworks", skip_serializing_if = "Vec::is_empty", deserialize_with = "nets_or_addresses")]
    pub ip_networks: Vec<IpNet>,
    /// Profiles it inherits labels and rules from, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub profiles: Vec<String>,
    /// Its service account, where it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// Ports that policies can name.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub ports: Vec<EndpointPort>,
}

/// HostEndpointSpec: a host's own interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HostEndpointSpec {
    /// The node.
    pub node: String,
    /// The interface, or `*` for all that are not workloads'.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub interface_name: String,
    /// Addresses by which the interface is found where it is not named; selectors' sets hold them too.
    #[serde(rename = "expectedIPs", skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub expected_ips: Vec<IpAddr>,
    /// Profiles it inherits labels and rules from, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub profiles: Vec<String>,
    /// Ports that policies can name.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub ports: Vec<EndpointPort>,
}

/// Reads prefixes, and bare addresses as full-length prefixes.
pub(super) fn nets_or_addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts: Vec<String> = null_as_default(deserializer)?;
    texts.iter().map(|text| parse_net(text).map_err(D::Error::custom)).collect()
}

/// Reads a prefix, or a bare address as a full-length prefix.
pub(crate) fn parse_net(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("{text:?} is neither an address nor a CIDR such as 10.0.0.0/24"))
}
