//! A pod, or a host outside the cluster: a namespace behind one veth, wired as Calico's CNI plugin wires it.

use std::{fmt::Write as _, net::IpAddr};

use sha1::{Digest as _, Sha1};

use super::{EchoServer, LabError, Listen, Netns};

/// The next hop of every pod, answered by whatever host it is on.
const GATEWAY: &str = "169.254.1.1";

/// The hardware address of every host end; all can be the same because each link has two ends only.
const HOST_MAC: &str = "ee:ee:ee:ee:ee:ee";

/// A pod of the laboratory.
#[derive(Debug)]
pub struct Pod {
    /// `namespace/name`, or the bare name of a host outside.
    name: String,
    /// The node it is on; `None` outside the cluster.
    node: Option<String>,
    /// The host end's name.
    interface: String,
    /// Its addresses; the first is the one that probes aim at.
    addresses: Vec<IpAddr>,
    /// Where its own end lives.
    netns: Netns,
    /// Answers on its ports; replaced by [`Pod::listen`].
    echo: Option<EchoServer>,
}

impl Pod {
    /// Wires a new pod to the host whose namespace is given. The host gets no route to it: that is the agent's work.
    pub(super) fn attach(
        host: &Netns,
        node: Option<&str>,
        name: &str,
        interface: &str,
        addresses: &[IpAddr],
    ) -> Result<Self, LabError> {
        let netns = Netns::new()?;
        host.ip(&format!(
            "link add {interface} address {HOST_MAC} type veth peer name eth0 netns {path}\n\
             link set {interface} up\n",
            path = netns.path().display(),
        ))?;
        netns.ip(&pod_commands(addresses))?;
        Ok(Self {
            name: name.to_owned(),
            node: node.map(str::to_owned),
            interface: interface.to_owned(),
            addresses: addresses.to_vec(),
            netns,
            echo: None,
        })
    }

    /// Answers on these ports from now on, instead of those before.
    pub fn listen(&mut self, ports: &[Listen]) -> Result<(), LabError> {
        // The old server's ports must be free before the new one opens them.
        drop(self.echo.take());
        self.echo = Some(EchoServer::start(&self.netns, ports)?);
        Ok(())
    }

    /// `namespace/name`, or the bare name of a host outside.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node it is on; `None` outside the cluster.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// The host end's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Its addresses; the first is the one that probes aim at.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Where its own end lives.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }
}

/// The pod's end: full-length addresses, and a default route through the host end, whose neighbour entry is static so
/// that pods need no proxy ARP.
fn pod_commands(addresses: &[IpAddr]) -> String {
    let mut commands = String::from("link set eth0 up\n");
    for address in addresses {
        let length = if address.is_ipv4() { 32 } else { 128 };
        // Duplicate detection would hold an IPv6 address back for a second; the lab gives each address once.
        let flags = if address.is_ipv4() { "" } else { " nodad" };
        let _ = writeln!(commands, "address add {address}/{length} dev eth0{flags}");
    }
    if addresses.iter().any(IpAddr::is_ipv4) {
        let _ = writeln!(commands, "neighbour replace {GATEWAY} lladdr {HOST_MAC} nud permanent dev eth0");
        let _ = writeln!(commands, "route add {GATEWAY} dev eth0 scope link");
        let _ = writeln!(commands, "route add default via {GATEWAY} dev eth0");
    }
    if addresses.iter().any(IpAddr::is_ipv6) {
        let _ = writeln!(commands, "neighbour replace fe80::1 lladdr {HOST_MAC} nud permanent dev eth0");
        let _ = writeln!(commands, "route add default via fe80::1 dev eth0");
    }
    commands
}

/// The name of a pod's host end, as Calico derives it: `cali` and the head of the hash of `namespace.name`.
pub fn interface_name(namespace: &str, name: &str) -> String {
    let hash = Sha1::digest(format!("{namespace}.{name}"));
    let mut interface = String::from("cali");
    for byte in &hash[..6] {
        let _ = write!(interface, "{byte:02x}");
    }
    // Interface names have at most 15 bytes: the prefix and 11 digits.
    interface.truncate(15);
    interface
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_named_as_calico_names_them() {
        assert_eq!(interface_name("default", "nginx"), "calic440f455693");
    }
}
