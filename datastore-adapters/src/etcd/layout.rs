//! Where etcd keeps a resource: the paths of Calico's etcd v3 layout, and nothing about values.
//!
//! `Key <-> path` is one to one. Calico up to v3.31 stored policies of the default tier as `default.NAME`; here such a
//! path is the key `default.NAME`, never `NAME`. While Calico renames stored policies both paths exist, and if they
//! shared a key then deleting the old path would take the policy out of force. [`super::document`] shows users the
//! name they wrote.

use model::{Key, Kind};

/// Where Calico keeps its v3 resources.
const RESOURCES: &str = "/calico/resources/v3/projectcalico.org/";
/// Where Calico keeps IPAM blocks.
const BLOCKS: &str = "/calico/ipam/v2/assignment/";
/// Where we keep what Calico reads from the Kubernetes API: Kubernetes' own objects, as users wrote them.
const KUBERNETES: &str = "/cattail/kubernetes/v1/";

/// The prefixes under which every key of ours lives.
pub(super) const PREFIXES: [&str; 3] = [BLOCKS, RESOURCES, KUBERNETES];

/// The one range `[start, end)` that covers [`PREFIXES`]. One watch over it, rather than one per prefix, because only
/// within a single watch does etcd deliver a transaction in one piece. Other keys inside are ignored.
pub(super) const WATCH_RANGE: (&str, &str) = ("/calico/", "/cattail0");

/// Whether the path lies under one of [`PREFIXES`].
pub(super) fn is_ours(path: &[u8]) -> bool {
    PREFIXES.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
}

/// The path of a key.
pub(super) fn path(key: &Key) -> String {
    if key.kind() == Kind::IpamBlock {
        let family = if key.name().contains(':') { "ipv6" } else { "ipv4" };
        return format!("{BLOCKS}{family}/block/{}", key.name());
    }
    format!("{}{}", directory(key.kind(), key.namespace()), key.name())
}

/// The prefix of all keys of a kind, in one namespace or in all.
pub(super) fn directory(kind: Kind, namespace: Option<&str>) -> String {
    let root = if is_kubernetes(kind) { KUBERNETES } else { RESOURCES };
    match (kind, namespace) {
        (Kind::IpamBlock, _) => BLOCKS.to_owned(),
        (_, Some(namespace)) if kind.is_namespaced() => format!("{root}{}/{namespace}/", plural(kind)),
        _ => format!("{root}{}/", plural(kind)),
    }
}

/// The key of a path; `None` where the path is not ours to read.
pub(super) fn key(path: &[u8]) -> Option<Key> {
    let path = std::str::from_utf8(path).ok()?;
    if let Some(rest) = path.strip_prefix(BLOCKS) {
        return block(rest);
    }
    let (rest, kubernetes) = match path.strip_prefix(RESOURCES) {
        Some(rest) => (rest, false),
        None => (path.strip_prefix(KUBERNETES)?, true),
    };
    let (plural_text, rest) = rest.split_once('/')?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| *kind != Kind::IpamBlock && is_kubernetes(*kind) == kubernetes && plural(*kind) == plural_text)?;
    let (namespace, name) = if kind.is_namespaced() { rest.split_once('/')? } else { ("", rest) };
    let is_whole = !name.is_empty() && !name.contains('/') && kind.is_namespaced() != namespace.is_empty();
    is_whole
        .then(|| if namespace.is_empty() { Key::global(kind, name) } else { Key::namespaced(kind, namespace, name) })
}

/// Whether the key has a path that leads back to it; a name with a slash does not.
pub(super) fn is_storable(of: &Key) -> bool {
    key(path(of).as_bytes()).as_ref() == Some(of)
}

fn block(rest: &str) -> Option<Key> {
    let (family, name) = rest.split_once("/block/")?;
    let expected = if name.contains(':') { "ipv6" } else { "ipv4" };
    let is_whole = family == expected && !name.is_empty() && !name.contains('/');
    is_whole.then(|| Key::global(Kind::IpamBlock, name))
}

const fn is_kubernetes(kind: Kind) -> bool {
    matches!(kind, Kind::KubernetesNetworkPolicy | Kind::Namespace | Kind::Pod | Kind::ServiceAccount)
}

const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::ClusterInformation => "clusterinformations",
        Kind::FelixConfiguration => "felixconfigurations",
        Kind::GlobalNetworkPolicy => "globalnetworkpolicies",
        Kind::GlobalNetworkSet => "globalnetworksets",
        Kind::HostEndpoint => "hostendpoints",
        Kind::IpamBlock => "ipamblocks",
        Kind::IpPool => "ippools",
        Kind::KubernetesNetworkPolicy | Kind::NetworkPolicy => "networkpolicies",
        Kind::Namespace => "namespaces",
        Kind::NetworkSet => "networksets",
        Kind::Node => "nodes",
        Kind::Pod => "pods",
        Kind::Profile => "profiles",
        Kind::ServiceAccount => "serviceaccounts",
        Kind::Tier => "tiers",
        Kind::WorkloadEndpoint => "workloadendpoints",
    }
}

#[cfg(test)]
mod tests;
