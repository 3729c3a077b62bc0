//! What one NetworkPolicy says.

use std::{collections::BTreeMap, net::IpAddr};

use calc::verdict::{Direction, Packet, Transport};
use ipnet::IpNet;
use model::intent::Protocol;
use serde_json::Value;

use super::{Cluster, Pod, namespace_labels};

/// Whether pods that the policy selects are isolated in this direction. Where `policyTypes` is absent every policy
/// isolates for ingress, and one that has egress rules for egress too.
pub(crate) fn isolates(spec: &Value, direction: Direction) -> bool {
    let name = match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    };
    match spec["policyTypes"].as_array() {
        Some(types) => types.iter().any(|listed| listed == name),
        None => direction == Direction::Ingress || !items(&spec["egress"]).is_empty(),
    }
}

/// Whether a label selector selects these labels; all of its terms must hold.
pub(crate) fn selects(selector: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    let by_label = selector["matchLabels"].as_object().into_iter().flatten();
    by_label.into_iter().all(|(name, value)| labels.get(name.as_str()).copied() == value.as_str())
        && items(&selector["matchExpressions"]).iter().all(|term| holds(term, labels))
}

fn holds(term: &Value, labels: &BTreeMap<&str, &str>) -> bool {
    let value = labels.get(term["key"].as_str().expect("a key"));
    let is_listed = || value.is_some_and(|value| items(&term["values"]).iter().any(|listed| listed == value));
    match term["operator"].as_str() {
        Some("In") => is_listed(),
        Some("NotIn") => !is_listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        operator => panic!("no such operator: {operator:?}"),
    }
}

/// Whether one of the policy's rules allows the packet. A rule or a peer that cannot be read allows nothing.
pub(crate) fn allows(cluster: &Cluster, namespace: &str, spec: &Value, direction: Direction, packet: &Packet) -> bool {
    let (rules, peers, peer_address) = match direction {
        Direction::Ingress => ("ingress", "from", packet.source),
        Direction::Egress => ("egress", "to", packet.destination),
    };
    items(&spec[rules]).iter().any(|rule| {
        let (peers, ports) = (items(&rule[peers]), items(&rule["ports"]));
        let from_peer = || peers.iter().any(|peer| is_peer(cluster, namespace, peer, peer_address));
        let to_port = || ports.iter().any(|port| is_port(cluster, port, packet));
        ports.iter().all(is_readable) && (peers.is_empty() || from_peer()) && (ports.is_empty() || to_port())
    })
}

fn is_peer(cluster: &Cluster, namespace: &str, peer: &Value, address: IpAddr) -> bool {
    if let Some(block) = peer.get("ipBlock") {
        let read = |cidr: &Value| cidr.as_str().and_then(|cidr| cidr.parse::<IpNet>().ok());
        let excepted: Option<Vec<IpNet>> = items(&block["except"]).iter().map(read).collect();
        let (Some(net), Some(excepted)) = (read(&block["cidr"]), excepted) else { return false };
        return net.contains(&address) && !excepted.iter().any(|net| net.contains(&address));
    }
    Pod::all(cluster).filter(|pod| pod.addresses.contains(&address)).any(|pod| {
        let in_namespace = match peer.get("namespaceSelector") {
            Some(selector) => selects(selector, &namespace_labels(cluster, pod.namespace)),
            None => pod.namespace == namespace,
        };
        in_namespace && peer.get("podSelector").is_none_or(|selector| selects(selector, &pod.labels()))
    })
}

/// Whether a port is one that the API accepts.
fn is_readable(port: &Value) -> bool {
    let (first, last) = (port["port"].as_u64(), port["endPort"].as_u64());
    first.is_none_or(|first| u16::try_from(first).is_ok()) && (port["endPort"].is_null() || first <= last)
}

/// Ports are those of the destination; a name is one that the destination pod declares.
fn is_port(cluster: &Cluster, port: &Value, packet: &Packet) -> bool {
    let Transport::Ports { destination: number, .. } = packet.transport else { return false };
    let protocol = port["protocol"].as_str().unwrap_or("TCP");
    if protocol != name_of(packet.protocol) {
        return false;
    }
    match (&port["port"], port["endPort"].as_u64()) {
        (Value::Null, _) => true,
        (Value::String(name), _) => Pod::all(cluster)
            .filter(|pod| pod.addresses.contains(&packet.destination))
            .any(|pod| pod.declares(name, protocol, number)),
        (first, Some(last)) => (first.as_u64().expect("a port")..=last).contains(&number.into()),
        (only, None) => *only == number,
    }
}

fn name_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::TCP => "TCP",
        Protocol::UDP => "UDP",
        Protocol::SCTP => "SCTP",
        _ => "",
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
