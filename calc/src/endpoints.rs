//! Endpoints and network sets from resources to items: labels, profiles, addresses, attachment.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use model::{
    Key,
    intent::{Attachment, EndpointId},
    resource::{EndpointPort, HostEndpointSpec, Labels, NetworkSetSpec, Object, WorkloadEndpointSpec},
};
use selector::{NAMESPACE_LABEL, NAMESPACE_PREFIX, SERVICE_ACCOUNT_PREFIX};

use crate::{
    graph::Nodes,
    items::{Content, Endpoint, LocalEndpoint, NamedPort},
    symbols::{Symbol, Symbols},
};

/// The label that tells which orchestrator runs a workload.
const ORCHESTRATOR_LABEL: &str = "projectcalico.org/orchestrator";

/// The name by which a host endpoint stands for every interface that is not a workload's.
const EVERY_INTERFACE: &str = "*";

/// An item before it has a class.
pub(crate) struct Labelled {
    pub(crate) labels: Labels,
    pub(crate) profiles: Vec<String>,
    pub(crate) content: Content,
}

/// A workload endpoint, or why it cannot be enforced.
pub(crate) fn workload(
    symbols: &mut Symbols,
    nodes: &Nodes,
    key: &Key,
    object: Object<WorkloadEndpointSpec>,
) -> Result<Labelled, String> {
    let Object { metadata, spec } = object;
    let addresses = full_length_addresses(&spec.ip_networks)?;
    let wanted = nodes.want(&spec.node);
    if wanted && spec.interface_name.is_empty() {
        return Err("spec.interfaceName: an endpoint on a node needs its interface's name".to_owned());
    }
    let mut labels = namespaced_labels(metadata.labels, key);
    if !spec.orchestrator.is_empty() {
        labels.insert(ORCHESTRATOR_LABEL.to_owned(), spec.orchestrator);
    }
    let local = wanted.then(|| {
        let attachment = Attachment::Workload {
            interface: spec.interface_name.as_str().into(),
            addresses: addresses.iter().copied().collect(),
        };
        Arc::new(local_endpoint(key, &spec.node, attachment))
    });
    let endpoint = Endpoint {
        node: symbols.acquire(&spec.node),
        addresses,
        ports: named_ports(symbols, &spec.ports),
        is_workload: true,
        local,
    };
    Ok(Labelled { labels, profiles: spec.profiles, content: Content::Endpoint(endpoint) })
}

/// A host endpoint, or why it cannot be enforced.
pub(crate) fn host(
    symbols: &mut Symbols,
    nodes: &Nodes,
    key: &Key,
    object: Object<HostEndpointSpec>,
) -> Result<Labelled, String> {
    let Object { metadata, spec } = object;
    if spec.interface_name.is_empty() && spec.expected_ips.is_empty() {
        return Err("spec: a host endpoint needs interfaceName or expectedIPs".to_owned());
    }
    let local = nodes.want(&spec.node).then(|| {
        let attachment = host_attachment(&spec.interface_name, &spec.expected_ips);
        Arc::new(local_endpoint(key, &spec.node, attachment))
    });
    let addresses: BTreeSet<IpAddr> = spec.expected_ips.into_iter().collect();
    let endpoint = Endpoint {
        node: symbols.acquire(&spec.node),
        addresses: addresses.into_iter().collect(),
        ports: named_ports(symbols, &spec.ports),
        is_workload: false,
        local,
    };
    Ok(Labelled { labels: metadata.labels, profiles: spec.profiles, content: Content::Endpoint(endpoint) })
}

/// A network set.
pub(crate) fn network_set(key: &Key, object: Object<NetworkSetSpec>) -> Labelled {
    let nets: BTreeSet<IpNet> = object.spec.nets.iter().map(IpNet::trunc).collect();
    labelled_nets(key, object.metadata.labels, Content::NetworkSet(nets.into_iter().collect()))
}

/// A network set of which only the labels could be read.
pub(crate) fn unknown_network_set(key: &Key, labels: Labels) -> Labelled {
    labelled_nets(key, labels, Content::UnknownNets)
}

/// Gives back the symbols that a content holds.
pub(crate) fn release_symbols(symbols: &mut Symbols, content: &Content) {
    if let Content::Endpoint(endpoint) = content {
        symbols.release(endpoint.node);
        for port in &endpoint.ports {
            symbols.release(port.name);
        }
    }
}

fn labelled_nets(key: &Key, labels: Labels, content: Content) -> Labelled {
    match key.namespace() {
        None => Labelled { labels, profiles: Vec::new(), content },
        Some(namespace) => {
            let profiles = vec![format!("kns.{namespace}")];
            Labelled { labels: namespaced_labels(labels, key), profiles, content }
        }
    }
}

/// What lives in a namespace cannot claim another one, nor labels of namespaces and service accounts: those are
/// inherited.
fn namespaced_labels(mut labels: Labels, key: &Key) -> Labels {
    let is_inherited = |name: &str| name.starts_with(NAMESPACE_PREFIX) || name.starts_with(SERVICE_ACCOUNT_PREFIX);
    // Looked at before it is changed: almost always there is nothing to change, and there are very many.
    if labels.keys().any(|name| is_inherited(name)) {
        labels.retain(|name, _| !is_inherited(name));
    }
    match key.namespace() {
        Some(namespace) if labels.get(NAMESPACE_LABEL).is_none_or(|claimed| claimed != namespace) => {
            labels.insert(NAMESPACE_LABEL.to_owned(), namespace.to_owned());
        }
        _ => {}
    }
    labels
}

/// Sorted, each once.
fn full_length_addresses(nets: &[IpNet]) -> Result<Box<[IpAddr]>, String> {
    let address = |net: &IpNet| {
        let is_address = net.prefix_len() == net.max_prefix_len();
        is_address.then(|| net.addr()).ok_or_else(|| format!("spec.ipNetworks: {net} is more than one address"))
    };
    let mut addresses: Vec<IpAddr> = nets.iter().map(address).collect::<Result<_, _>>()?;
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses.into())
}

fn named_ports(symbols: &mut Symbols, ports: &[EndpointPort]) -> Box<[NamedPort]> {
    let named = ports.iter().filter(|port| !port.name.is_empty());
    named
        .map(|port| NamedPort { name: acquire_name(symbols, port), protocol: port.protocol.0, port: port.port })
        .collect()
}

fn acquire_name(symbols: &mut Symbols, port: &EndpointPort) -> Symbol {
    symbols.acquire(&port.name)
}

fn host_attachment(interface: &str, expected: &[IpAddr]) -> Attachment {
    let (interface, expected) = match interface {
        EVERY_INTERFACE => (None, &[][..]),
        "" => (None, expected),
        name => (Some(name.into()), &[][..]),
    };
    Attachment::Host { interface, expected_addresses: expected.iter().copied().collect() }
}

fn local_endpoint(key: &Key, node: &str, attachment: Attachment) -> LocalEndpoint {
    LocalEndpoint { id: EndpointId(key.to_string().into()), node: node.into(), attachment }
}
