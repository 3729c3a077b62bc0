//! Network sets, pools, blocks, nodes.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::policy::null_as_default;

/// NetworkSetSpec and GlobalNetworkSetSpec.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSetSpec {
    /// Addresses and prefixes that the set's labels stand for.
    #[serde(deserialize_with = "super::endpoint::nets_or_addresses")]
    pub nets: Vec<IpNet>,
}

/// IPPoolSpec, as far as agents route by it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IpPoolSpec {
    /// The pool's prefix.
    pub cidr: Option<IpNet>,
    /// Whether traffic that leaves the pools is to be masqueraded.
    pub nat_outgoing: bool,
    /// `Never`, `Always` or `CrossSubnet`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ipip_mode: String,
    /// `Never`, `Always` or `CrossSubnet`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub vxlan_mode: String,
    /// Whether new addresses may come from it; existing ones stay routed.
    pub disabled: bool,
}

/// An IPAM block as Calico stores it: no metadata around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpamBlockSpec {
    /// The block's prefix.
    pub cidr: IpNet,
    /// `host:NODE`, where a node owns the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<String>,
    /// One per address: an index into `attributes`, or none where it is free.
    #[serde(default, deserialize_with = "null_as_default")]
    pub allocations: Vec<Option<usize>>,
    /// Who holds addresses.
    #[serde(default, deserialize_with = "null_as_default")]
    pub attributes: Vec<AllocationAttribute>,
    /// Whether the block is being deleted.
    #[serde(default)]
    pub deleted: bool,
}

/// Who holds addresses of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocationAttribute {
    /// The handle that releases them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle_id: Option<String>,
    /// Facts about the holder; `node` names its node.
    #[serde(deserialize_with = "null_as_default")]
    pub secondary: BTreeMap<String, String>,
}

/// NodeSpec of `projectcalico.org/v3`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeSpec {
    /// Where its addresses stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bgp: Option<NodeBgpSpec>,
}

/// The node's addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeBgpSpec {
    /// Address with the prefix length of its subnet, such as `192.168.0.1/24`.
    #[serde(rename = "ipv4Address", skip_serializing_if = "Option::is_none")]
    pub ipv4_address: Option<IpNet>,
    /// Address with the prefix length of its subnet.
    #[serde(rename = "ipv6Address", skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<IpNet>,
}
