//! The laboratory: a fabric, nodes on it, pods on them, and hosts outside.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::{IpNet, Ipv4Net};

use super::{LabError, Netns, Node, Pod, interface_name};

/// The fabric's own address where nobody asks for another: servers listen there, and it is everyone's router.
const DEFAULT_FABRIC: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 18, 0, 1), 24);

/// Nodes and pods on one machine.
#[derive(Debug)]
pub struct Lab {
    /// The bridge, the servers, and the way out of the cluster.
    fabric: Netns,
    /// The fabric's address with the prefix length that nodes share.
    fabric_address: IpNet,
    /// Nodes by name.
    nodes: BTreeMap<String, Node>,
    /// Pods and hosts outside by name.
    pods: BTreeMap<String, Pod>,
}

impl Lab {
    /// A fabric with the address 172.18.0.1/24 and nobody on it.
    pub fn new() -> Result<Self, LabError> {
        Self::with_fabric_address(DEFAULT_FABRIC.into())
    }

    /// A fabric with this address and prefix length, and nobody on it.
    pub fn with_fabric_address(fabric_address: IpNet) -> Result<Self, LabError> {
        let fabric = Netns::new()?;
        fabric.ip(&format!(
            "link add fabric type bridge\n\
             address add {fabric_address} dev fabric\n\
             link set fabric up\n"
        ))?;
        fabric.sysctl("ipv4/ip_forward", "1")?;
        Ok(Self { fabric, fabric_address, nodes: BTreeMap::new(), pods: BTreeMap::new() })
    }

    /// Adds a node with this address in the fabric's network.
    pub fn add_node(&mut self, name: &str, address: IpNet) -> Result<&Node, LabError> {
        if self.nodes.contains_key(name) {
            return Err(LabError::Duplicate(name.to_owned()));
        }
        let node = Node::join(&self.fabric, self.nodes.len(), name, address, self.fabric_address)?;
        Ok(self.nodes.entry(name.to_owned()).or_insert(node))
    }

    /// Adds a pod to a node. The node gets no route to it (that is the agent's work); the fabric's router learns the
    /// pod's addresses as it would by BGP.
    pub fn add_pod(
        &mut self,
        node: &str,
        namespace: &str,
        name: &str,
        addresses: &[IpAddr],
    ) -> Result<&mut Pod, LabError> {
        let full_name = format!("{namespace}/{name}");
        if self.pods.contains_key(&full_name) {
            return Err(LabError::Duplicate(full_name));
        }
        let host = self.nodes.get(node).ok_or_else(|| LabError::UnknownNode(node.to_owned()))?;
        let interface = interface_name(namespace, name);
        let pod = Pod::attach(host.netns(), Some(node), &full_name, &interface, addresses)?;
        self.fabric.ip(&routes_to(addresses, &format!("via {}", host.address().addr())))?;
        Ok(self.pods.entry(full_name).or_insert(pod))
    }

    /// Adds a host outside the cluster, behind the fabric's router.
    pub fn add_outside(&mut self, name: &str, addresses: &[IpAddr]) -> Result<&mut Pod, LabError> {
        if self.pods.contains_key(name) {
            return Err(LabError::Duplicate(name.to_owned()));
        }
        let interface = format!("outside{}", self.pods.len());
        let host = Pod::attach(&self.fabric, None, name, &interface, addresses)?;
        self.fabric.ip(&routes_to(addresses, &format!("dev {interface} scope link")))?;
        Ok(self.pods.entry(name.to_owned()).or_insert(host))
    }

    /// Programs on every node the plain kernel routes to all pods, for tests that run without an agent.
    pub fn route_without_agents(&self) -> Result<(), LabError> {
        for node in self.nodes.values() {
            let mut commands = String::new();
            for pod in self.pods.values() {
                let hop = match pod.node().and_then(|name| self.nodes.get(name)) {
                    Some(home) if home.name() == node.name() => format!("dev {} scope link", pod.interface()),
                    Some(home) => format!("via {}", home.address().addr()),
                    None => continue,
                };
                commands.push_str(&routes_to(pod.addresses(), &hop));
            }
            node.netns().ip(&commands)?;
        }
        Ok(())
    }

    /// Removes a pod with everything in it; its host end goes with it.
    pub fn remove_pod(&mut self, full_name: &str) {
        self.pods.remove(full_name);
    }

    /// The namespace of the bridge, where servers run.
    pub fn fabric(&self) -> &Netns {
        &self.fabric
    }

    /// The address at which nodes reach the servers.
    pub fn fabric_address(&self) -> IpAddr {
        self.fabric_address.addr()
    }

    /// Nodes in the order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// Pods (`namespace/name`) and hosts outside, in the order of their names.
    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// A pod (`namespace/name`) or a host outside.
    pub fn pod(&self, full_name: &str) -> Option<&Pod> {
        self.pods.get(full_name)
    }
}

fn routes_to(addresses: &[IpAddr], hop: &str) -> String {
    let mut commands = String::new();
    // Next hops are IPv4 addresses of the fabric; IPv6 pods are reached on their own node only.
    for address in addresses.iter().filter(|address| address.is_ipv4() || hop.starts_with("dev")) {
        let _ = writeln!(commands, "route replace {}/{} {hop}", address, if address.is_ipv4() { 32 } else { 128 });
    }
    commands
}
