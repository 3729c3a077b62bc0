//! The identity of a resource, and its one text form.
//!
//! The text form (`Kind/name` or `Kind/namespace/name`) is what travels between typha and its clients and what logs
//! and errors print. Where a datastore keeps a resource is that adapter's business, not this file's.

use std::{fmt, str::FromStr, sync::Arc};

use thiserror::Error;

/// What a resource is. Kinds of Kubernetes itself are stored as users wrote them and travel in their v3 projection
/// (see [`crate::resource::Resource::parse`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `projectcalico.org/v3` ClusterInformation.
    ClusterInformation,
    /// `projectcalico.org/v3` FelixConfiguration.
    FelixConfiguration,
    /// `projectcalico.org/v3` GlobalNetworkPolicy.
    GlobalNetworkPolicy,
    /// `projectcalico.org/v3` GlobalNetworkSet.
    GlobalNetworkSet,
    /// `projectcalico.org/v3` HostEndpoint.
    HostEndpoint,
    /// An IPAM block; its name is the CIDR with `-` for `/`, as in Calico's etcd keys.
    IpamBlock,
    /// `projectcalico.org/v3` IPPool.
    IpPool,
    /// `networking.k8s.io/v1` NetworkPolicy. Projection: a v3 NetworkPolicy in tier `default`, order 1000.
    KubernetesNetworkPolicy,
    /// `v1` Namespace. Projection: the v3 Profile `kns.NAME`.
    Namespace,
    /// `projectcalico.org/v3` NetworkPolicy.
    NetworkPolicy,
    /// `projectcalico.org/v3` NetworkSet.
    NetworkSet,
    /// `projectcalico.org/v3` Node.
    Node,
    /// `v1` Pod. Projection: a v3 WorkloadEndpoint; none for host-networked, unscheduled and finished pods.
    Pod,
    /// `projectcalico.org/v3` Profile.
    Profile,
    /// `v1` ServiceAccount. Projection: the v3 Profile `ksa.NAMESPACE.NAME`.
    ServiceAccount,
    /// `projectcalico.org/v3` Tier.
    Tier,
    /// `projectcalico.org/v3` WorkloadEndpoint.
    WorkloadEndpoint,
}

impl Kind {
    /// Every kind, in the order of their names.
    pub const ALL: [Kind; 17] = [
        Kind::ClusterInformation,
        Kind::FelixConfiguration,
        Kind::GlobalNetworkPolicy,
        Kind::GlobalNetworkSet,
        Kind::HostEndpoint,
        Kind::IpamBlock,
        Kind::IpPool,
        Kind::KubernetesNetworkPolicy,
        Kind::Namespace,
        Kind::NetworkPolicy,
        Kind::NetworkSet,
        Kind::Node,
        Kind::Pod,
        Kind::Profile,
        Kind::ServiceAccount,
        Kind::Tier,
        Kind::WorkloadEndpoint,
    ];

    /// The kind's name in keys; equal to the API kind except for [`Kind::KubernetesNetworkPolicy`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::ClusterInformation => "ClusterInformation",
            Kind::FelixConfiguration => "FelixConfiguration",
            Kind::GlobalNetworkPolicy => "GlobalNetworkPolicy",
            Kind::GlobalNetworkSet => "GlobalNetworkSet",
            Kind::HostEndpoint => "HostEndpoint",
            Kind::IpamBlock => "IPAMBlock",
            Kind::IpPool => "IPPool",
            Kind::KubernetesNetworkPolicy => "KubernetesNetworkPolicy",
            Kind::Namespace => "Namespace",
            Kind::NetworkPolicy => "NetworkPolicy",
            Kind::NetworkSet => "NetworkSet",
            Kind::Node => "Node",
            Kind::Pod => "Pod",
            Kind::Profile => "Profile",
            Kind::ServiceAccount => "ServiceAccount",
            Kind::Tier => "Tier",
            Kind::WorkloadEndpoint => "WorkloadEndpoint",
        }
    }

    /// Whether resources of this kind live in a namespace.
    pub const fn is_namespaced(self) -> bool {
        matches!(
            self,
            Kind::KubernetesNetworkPolicy
                | Kind::NetworkPolicy
                | Kind::NetworkSet
                | Kind::Pod
                | Kind::ServiceAccount
                | Kind::WorkloadEndpoint
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The identity of one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: Kind,
    /// Empty for kinds that live in no namespace.
    namespace: Arc<str>,
    name: Arc<str>,
}

impl Key {
    /// A key of a kind that lives in a namespace.
    ///
    /// # Panics
    /// In debug builds, where `kind` is not a namespaced one.
    pub fn namespaced(kind: Kind, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        debug_assert!(kind.is_namespaced(), "{kind} lives in no namespace");
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// A key of a kind that lives in no namespace.
    ///
    /// # Panics
    /// In debug builds, where `kind` is a namespaced one.
    pub fn global(kind: Kind, name: impl Into<Arc<str>>) -> Self {
        debug_assert!(!kind.is_namespaced(), "{kind} lives in a namespace");
        Self { kind, namespace: "".into(), name: name.into() }
    }

    /// The same key with its namespace's text shared, so that many keys of one namespace keep it once.
    ///
    /// # Panics
    /// In debug builds, where `namespace` is another one.
    pub fn sharing_namespace(self, namespace: Arc<str>) -> Self {
        debug_assert_eq!(self.namespace(), Some(&*namespace));
        Self { namespace, ..self }
    }

    /// What the resource is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The namespace, where the kind has one.
    pub fn namespace(&self) -> Option<&str> {
        self.kind.is_namespaced().then_some(&*self.namespace)
    }

    /// The name within kind and namespace.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{}/{}/{}", self.kind, namespace, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

/// Why a text is not a key.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ParseKeyError {
    /// The first segment names no kind of ours; a newer peer may know it, so a reader skips the entry.
    #[error("unknown kind {0:?}")]
    UnknownKind(String),
    /// The text does not have the segments its kind needs.
    #[error("{0:?} is not Kind/name or Kind/namespace/name")]
    Shape(String),
}

impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shape = || ParseKeyError::Shape(text.to_owned());
        let (kind_text, rest) = text.split_once('/').ok_or_else(shape)?;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == kind_text)
            .ok_or_else(|| ParseKeyError::UnknownKind(kind_text.to_owned()))?;
        let (namespace, name) = if kind.is_namespaced() { rest.split_once('/').ok_or_else(shape)? } else { ("", rest) };
        if name.is_empty() || (kind.is_namespaced() && namespace.is_empty()) {
            return Err(shape());
        }
        Ok(Self { kind, namespace: namespace.into(), name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_total_both_ways() {
        for kind in Kind::ALL {
            let key = if kind.is_namespaced() {
                Key::namespaced(kind, "shop", "web.v1")
            } else {
                Key::global(kind, "web.v1")
            };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in ["", "Tier", "Tier/", "NetworkPolicy/web", "NetworkPolicy//web", "Gizmo/x"] {
            assert!(text.parse::<Key>().is_err(), "{text:?}");
        }
    }
}
