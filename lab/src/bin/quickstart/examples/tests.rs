//! The expected matrix, written by hand, held against what calc makes of the manifests: one of the two is wrong where
//! they differ, and no kernel is needed to see it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use calc::{
    Graph, Input, Nodes,
    verdict::{Direction, Packet, Transport, evaluate},
};
use lab::net::probe::Probe;
use model::{
    Key, Kind,
    intent::{EndpointId, EndpointToHostAction, NodeIntent, Protocol},
    kubernetes::project,
    resource::Resource,
};

use super::*;
use crate::expected::{Cell, Policies};

/// Any port that no policy speaks of.
const SOURCE_PORT: u16 = 40_000;

fn examples() -> Examples {
    Examples::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples"))).expect("readable examples")
}

fn key(document: &Value) -> Key {
    let kind_text = text(document, "/kind").expect("a kind");
    let kind = match (text(document, "/apiVersion").expect("an apiVersion"), kind_text) {
        ("networking.k8s.io/v1", "NetworkPolicy") => Kind::KubernetesNetworkPolicy,
        _ => Kind::ALL.into_iter().find(|kind| kind.as_str() == kind_text).expect("a known kind"),
    };
    let name = text(document, "/metadata/name").expect("a name");
    match text(document, "/metadata/namespace") {
        Ok(namespace) => Key::namespaced(kind, namespace, name),
        Err(_) => Key::global(kind, name),
    }
}

/// A graph and what it has said so far.
struct Nodal {
    graph: Graph,
    intents: BTreeMap<Arc<str>, NodeIntent>,
}

impl Nodal {
    fn apply(&mut self, documents: &[Value]) {
        for document in documents {
            let key = key(document);
            let json = serde_json::to_vec(document).expect("JSON");
            let projected = project(&key, &json).expect("a projection").expect("something to project");
            let resource = Resource::parse(&key, &projected).expect("a resource");
            self.graph.apply(&key, Input::Present(resource));
        }
        for (node, delta) in self.graph.flush() {
            self.intents.entry(node).or_default().apply(&delta);
        }
        assert_eq!(self.graph.rejected().count(), 0);
    }

    /// Whether both ends let a cell's packet pass.
    fn allows(&self, pods: &BTreeMap<String, PodExample>, addresses: &BTreeMap<String, IpAddr>, cell: &Cell) -> bool {
        let packet = packet(addresses[&cell.from], addresses[&cell.to], cell.probe);
        [(&cell.from, Direction::Egress), (&cell.to, Direction::Ingress)].into_iter().all(|(end, direction)| {
            let Some(pod) = pods.get(end) else { return true };
            let id = EndpointId(Key::namespaced(Kind::Pod, &*pod.namespace, &*pod.name).to_string().into());
            evaluate(&self.intents[&*pod.node], &id, direction, &packet).allowed
        })
    }
}

fn packet(source: IpAddr, destination: IpAddr, probe: Probe) -> Packet {
    let ports = |port| Transport::Ports { source: SOURCE_PORT, destination: port };
    let (protocol, transport) = match probe {
        Probe::Tcp(port) => (Protocol::TCP, ports(port)),
        Probe::Udp(port) => (Protocol::UDP, ports(port)),
        Probe::Ping => (Protocol::ICMP, Transport::Icmp { icmp_type: 8, code: 0 }),
    };
    Packet { source, destination, protocol, transport }
}

fn compare(nodal: &Nodal, examples: &Examples, pods: &[PodExample], policies: Policies) {
    let pods: BTreeMap<String, PodExample> = pods.iter().map(|pod| (pod.full_name(), pod.clone())).collect();
    let mut addresses: BTreeMap<String, IpAddr> = pods.iter().map(|(name, pod)| (name.clone(), pod.address)).collect();
    addresses.extend(examples.expected.outside.iter().map(|host| (host.name.clone(), host.address)));
    let present: Vec<String> = addresses.keys().cloned().collect();
    let cells = examples.expected.cells(policies, &present).expect("cells");
    let wrong: Vec<&Cell> = cells.iter().filter(|cell| nodal.allows(&pods, &addresses, cell) != cell.allowed).collect();
    assert!(wrong.is_empty(), "{policies:?}: {} of {} differ: {wrong:#?}", wrong.len(), cells.len());
}

#[test]
fn the_matrix_is_what_the_policies_mean() {
    let examples = examples();
    let mut nodal = Nodal { graph: Graph::new(Nodes::All), intents: BTreeMap::new() };
    let mut pods = examples.pods.clone();
    nodal.apply(&documents_of_folder(&examples.shop).expect("manifests"));
    compare(&nodal, &examples, &pods, Policies::Start);

    nodal.apply(&documents_of_file(&examples.policy_change).expect("a manifest"));
    compare(&nodal, &examples, &pods, Policies::Changed);

    nodal.apply(&documents_of_file(&examples.arriving_pod).expect("a manifest"));
    pods.push(examples.arrival.clone());
    compare(&nodal, &examples, &pods, Policies::Changed);

    nodal.apply(&documents_of_file(&examples.shop_policies).expect("manifests"));
    compare(&nodal, &examples, &pods, Policies::Start);
}

#[test]
fn every_node_has_the_settings_of_the_manifest() {
    let examples = examples();
    let mut nodal = Nodal { graph: Graph::new(Nodes::All), intents: BTreeMap::new() };
    nodal.apply(&documents_of_folder(&examples.shop).expect("manifests"));
    assert!(!nodal.intents.is_empty());
    for (node, NodeIntent { config, .. }) in &nodal.intents {
        let told = (config.endpoint_to_host_action, config.log_prefix.as_str());
        assert_eq!(told, (EndpointToHostAction::Accept, "cattail-packet"), "{node}");
        assert_eq!(config.interface_prefixes, ["cali"], "{node}");
    }
}

#[test]
fn every_port_that_is_asked_about_has_a_listener() {
    let examples = examples();
    let mut listening: BTreeSet<(String, Probe)> = BTreeSet::new();
    let mut add = |name: String, ports: Vec<Listen>| {
        listening.extend(ports.into_iter().map(|port| match port {
            Listen::Tcp(port) => (name.clone(), Probe::Tcp(port)),
            Listen::Udp(port) => (name.clone(), Probe::Udp(port)),
        }));
    };
    for pod in examples.pods.iter().chain([&examples.arrival]) {
        add(pod.full_name(), pod.listen.clone());
    }
    for host in &examples.expected.outside {
        add(host.name.clone(), host.ports().expect("ports"));
    }
    let present: Vec<String> =
        listening.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let cells = examples.expected.cells(Policies::Start, &present).expect("cells");
    let asked: BTreeSet<(String, Probe)> = cells.into_iter().map(|cell| (cell.to, cell.probe)).collect();
    let ports: BTreeSet<(String, Probe)> = asked.into_iter().filter(|(_, probe)| *probe != Probe::Ping).collect();
    assert_eq!(ports, listening);
}
