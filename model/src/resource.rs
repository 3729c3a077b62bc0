//! Typed projections of v3 resources: the smallest comparable form that agents compute with.
//!
//! JSON as the datastore holds it comes in through [`Resource::parse`] and nowhere else. What is wrong in it is named
//! with its field path. Unknown fields are ignored here; they survive in the datastore because writers keep the JSON.

mod endpoint;
mod felix_configuration;
mod metadata;
mod network;
mod policy;
mod port;

use serde::de::DeserializeOwned;
use thiserror::Error;

pub(crate) use self::{endpoint::parse_net, policy::null_as_default};
pub use self::{
    endpoint::{EndpointPort, HostEndpointSpec, WorkloadEndpointSpec},
    felix_configuration::FelixConfigurationSpec,
    metadata::{Labels, Metadata, Object},
    network::{AllocationAttribute, IpPoolSpec, IpamBlockSpec, NetworkSetSpec, NodeBgpSpec, NodeSpec},
    policy::{
        Action, EntityRule, IcmpFields, PolicySpec, PolicyType, ProfileSpec, Rule, ServiceAccountMatch, TierSpec,
    },
    port::{Port, ProtocolName},
};
use crate::{Key, Kind, kubernetes::is_projected};

/// A resource in the form that agents compute with. `Pod`s arrive as workload endpoints, `Namespace`s and
/// `ServiceAccount`s as profiles, Kubernetes network policies as policies: the source projected them.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// NetworkPolicy, GlobalNetworkPolicy, Kubernetes NetworkPolicy; the key tells which.
    Policy(Object<PolicySpec>),
    /// Tier.
    Tier(Object<TierSpec>),
    /// Profile, Namespace, ServiceAccount.
    Profile(Object<ProfileSpec>),
    /// WorkloadEndpoint, Pod.
    WorkloadEndpoint(Object<WorkloadEndpointSpec>),
    /// HostEndpoint.
    HostEndpoint(Object<HostEndpointSpec>),
    /// NetworkSet, GlobalNetworkSet.
    NetworkSet(Object<NetworkSetSpec>),
    /// IPPool.
    IpPool(Object<IpPoolSpec>),
    /// IPAM block.
    IpamBlock(IpamBlockSpec),
    /// Node.
    Node(Object<NodeSpec>),
    /// FelixConfiguration.
    FelixConfiguration(Object<FelixConfigurationSpec>),
    /// ClusterInformation; nothing in it concerns agents yet.
    ClusterInformation,
}

/// Why a stored value is not a resource of its kind.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{key}: {reason}")]
pub struct ParseResourceError {
    /// The key's text.
    pub key: String,
    /// What is wrong, with line and column of the JSON.
    pub reason: String,
}

impl Resource {
    /// Reads the JSON of a v3 projection.
    pub fn parse(key: &Key, json: &[u8]) -> Result<Self, ParseResourceError> {
        fn read<T: DeserializeOwned>(key: &Key, json: &[u8]) -> Result<T, ParseResourceError> {
            serde_json::from_slice(json)
                .map_err(|error| ParseResourceError { key: key.to_string(), reason: error.to_string() })
        }
        let resource = match key.kind() {
            Kind::NetworkPolicy | Kind::GlobalNetworkPolicy | Kind::KubernetesNetworkPolicy => {
                Self::Policy(read(key, json)?)
            }
            Kind::Tier => Self::Tier(read(key, json)?),
            Kind::Profile | Kind::Namespace | Kind::ServiceAccount => Self::Profile(read(key, json)?),
            Kind::WorkloadEndpoint | Kind::Pod => Self::WorkloadEndpoint(read(key, json)?),
            Kind::HostEndpoint => Self::HostEndpoint(read(key, json)?),
            Kind::NetworkSet | Kind::GlobalNetworkSet => Self::NetworkSet(read(key, json)?),
            Kind::IpPool => Self::IpPool(read(key, json)?),
            Kind::IpamBlock => Self::IpamBlock(read(key, json)?),
            Kind::Node => Self::Node(read(key, json)?),
            Kind::FelixConfiguration => Self::FelixConfiguration(read(key, json)?),
            Kind::ClusterInformation => Self::ClusterInformation,
        };
        if is_projected(key.kind()) && !resource.is_projection() {
            let reason = "is not in its v3 projection; as it was written it could not be projected".to_owned();
            return Err(ParseResourceError { key: key.to_string(), reason });
        }
        Ok(resource)
    }

    /// Whether it has what every projection has. All fields are optional, so an object of Kubernetes itself would
    /// read as a resource that says nothing: a policy for everyone, in the wrong directions.
    fn is_projection(&self) -> bool {
        match self {
            Self::Policy(policy) => !policy.spec.tier.is_empty(),
            Self::Profile(profile) => !profile.spec.labels_to_apply.is_empty(),
            Self::WorkloadEndpoint(endpoint) => !endpoint.spec.orchestrator.is_empty(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_writes_for_nothing_is_read_as_nothing() {
        let key: Key = "NetworkPolicy/shop/web".parse().expect("a key");
        let written = br#"{"metadata": {"name": "web", "creationTimestamp": null, "labels": null},
            "spec": {"tier": "default", "selector": null, "types": null, "ingress": [
                {"action": "Allow", "source": {}, "destination": {"nets": null, "ports": null, "selector": ""}}]}}"#;
        let Ok(Resource::Policy(policy)) = Resource::parse(&key, written) else { panic!("a policy") };
        assert_eq!(policy.spec.ingress, [Rule::new(Action::Allow)]);
        assert!(policy.spec.selector.is_all());
    }
}
