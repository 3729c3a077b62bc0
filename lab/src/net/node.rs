//! A node: a namespace with one address on the fabric, which forwards.

use std::path::Path;

use ipnet::IpNet;

use super::{LabError, Netns};

/// A node of the laboratory.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    name: String,
    /// Its address with the fabric's prefix length.
    address: IpNet,
    /// Where its kernel state lives.
    netns: Netns,
}

impl Node {
    /// Joins a new node to the fabric's bridge. `port` numbers the bridge's ports.
    pub(super) fn join(
        fabric: &Netns,
        port: usize,
        name: &str,
        address: IpNet,
        gateway: IpNet,
    ) -> Result<Self, LabError> {
        let netns = Netns::new()?;
        fabric.ip(&format!(
            "link add node{port} type veth peer name eth0 netns {path}\n\
             link set node{port} master fabric up\n",
            path = netns.path().display(),
        ))?;
        netns.ip(&format!(
            "address add {address} dev eth0\n\
             link set eth0 up\n\
             route add default via {gateway}\n",
            gateway = gateway.addr(),
        ))?;
        netns.sysctl("ipv4/ip_forward", "1")?;
        if Path::new("/proc/sys/net/ipv6").exists() {
            netns.sysctl("ipv6/conf/all/forwarding", "1")?;
        }
        Ok(Self { name: name.to_owned(), address, netns })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address with the fabric's prefix length.
    pub fn address(&self) -> IpNet {
        self.address
    }

    /// Where its kernel state lives: run its agent there.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }
}
