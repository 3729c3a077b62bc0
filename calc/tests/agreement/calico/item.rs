//! What selectors select: endpoints and network sets, with the labels that they carry and inherit.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use model::{
    Key, Kind,
    resource::{EndpointPort, Labels, ProfileSpec, Resource},
};
use selector::Selector;

/// Every resource there is.
type Resources = BTreeMap<Key, Resource>;

/// One endpoint or network set.
pub(crate) struct Item {
    pub namespace: Option<String>,
    /// Its own labels, then those of its profiles where it has none of that name.
    pub labels: Labels,
    pub profiles: Vec<String>,
    nets: Vec<IpNet>,
    pub ports: Vec<EndpointPort>,
}

impl Item {
    /// Reads a resource that selectors can select.
    pub(crate) fn of(resources: &Resources, key: &Key) -> Option<Self> {
        let namespace = key.namespace().map(str::to_owned);
        let bare = match resources.get(key)? {
            Resource::WorkloadEndpoint(endpoint) => Self {
                namespace,
                labels: endpoint.metadata.labels.clone(),
                profiles: endpoint.spec.profiles.clone(),
                nets: endpoint.spec.ip_networks.clone(),
                ports: endpoint.spec.ports.clone(),
            },
            Resource::HostEndpoint(endpoint) => Self {
                namespace,
                labels: endpoint.metadata.labels.clone(),
                profiles: endpoint.spec.profiles.clone(),
                nets: endpoint.spec.expected_ips.iter().copied().map(IpNet::from).collect(),
                ports: endpoint.spec.ports.clone(),
            },
            Resource::NetworkSet(set) => Self {
                labels: set_labels(&set.metadata.labels, namespace.as_deref()),
                profiles: namespace.iter().map(|namespace| format!("kns.{namespace}")).collect(),
                namespace,
                nets: set.spec.nets.clone(),
                ports: Vec::new(),
            },
            _ => return None,
        };
        Some(bare.inherit(resources))
    }

    fn inherit(mut self, resources: &Resources) -> Self {
        for profile in self.profiles.iter().filter_map(|name| find_profile(resources, name)) {
            for (name, value) in &profile.labels_to_apply {
                self.labels.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        self
    }

    /// Whether the address is one of its own, or lies in the network set.
    pub(crate) fn has_address(&self, address: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(&address))
    }

    /// Whether a namespace selector selects it: `all()` is every namespace, `global()` is none.
    pub(crate) fn is_in_namespaces(&self, selector: &Selector) -> bool {
        match selector.canonical() {
            "all()" => self.namespace.is_some(),
            "global()" => self.namespace.is_none(),
            _ => selector.matches(&Prefixed { prefix: "pcns.", labels: &self.labels }),
        }
    }

    /// Whether a service account selector selects it.
    pub(crate) fn has_service_account(&self, selector: &Selector) -> bool {
        selector.matches(&Prefixed { prefix: "pcsa.", labels: &self.labels })
    }
}

/// A network set of a namespace counts as one of the namespace's own.
fn set_labels(labels: &Labels, namespace: Option<&str>) -> Labels {
    let mut labels = labels.clone();
    if let Some(namespace) = namespace {
        labels.insert("projectcalico.org/namespace".to_owned(), namespace.to_owned());
    }
    labels
}

/// A profile by its name, be it one of its own or the projection of a namespace or service account.
pub(crate) fn find_profile<'a>(resources: &'a Resources, name: &str) -> Option<&'a ProfileSpec> {
    resources.iter().find_map(|(key, resource)| match resource {
        Resource::Profile(profile) if profile_name(key) == name => Some(&profile.spec),
        _ => None,
    })
}

fn profile_name(key: &Key) -> String {
    match key.kind() {
        Kind::Namespace => format!("kns.{}", key.name()),
        Kind::ServiceAccount => format!("ksa.{}.{}", key.namespace().unwrap_or_default(), key.name()),
        _ => key.name().to_owned(),
    }
}

/// The labels of an item's namespace or service account, seen without the prefix that they travel under.
struct Prefixed<'a> {
    prefix: &'static str,
    labels: &'a Labels,
}

impl selector::Labels for Prefixed<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.labels.get(&format!("{}{name}", self.prefix)).map(String::as_str)
    }
}
