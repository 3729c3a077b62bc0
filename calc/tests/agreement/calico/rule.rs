//! Whether a rule, as its author wrote it, matches a packet.

use std::net::IpAddr;

use calc::verdict::{Packet, Transport};
use model::{
    intent::Protocol,
    resource::{EntityRule, IcmpFields, Port, Rule},
};

use super::{Cluster, item::Item};

/// Whether all that the rule asks holds. `namespace` is that of the rule's policy, where it has one.
pub(crate) fn matches(cluster: &Cluster, namespace: Option<&str>, rule: &Rule, packet: &Packet) -> bool {
    let version = if packet.source.is_ipv4() { 4 } else { 6 };
    let (source_port, destination_port) = match packet.transport {
        Transport::Ports { source, destination } => (Some(source), Some(destination)),
        Transport::Icmp { .. } | Transport::Opaque => (None, None),
    };
    let side = |address, port| Side { cluster, namespace, address, protocol: packet.protocol, port };
    rule.ip_version.is_none_or(|wanted| wanted == version)
        && rule.protocol.is_none_or(|wanted| wanted.0 == packet.protocol)
        && rule.not_protocol.is_none_or(|unwanted| unwanted.0 != packet.protocol)
        && rule.icmp.is_none_or(|wanted| is_message(wanted, packet))
        && rule.not_icmp.is_none_or(|unwanted| !is_message(unwanted, packet))
        && side(packet.source, source_port).satisfies(&rule.source)
        && side(packet.destination, destination_port).satisfies(&rule.destination)
}

fn is_message(asked: IcmpFields, packet: &Packet) -> bool {
    match packet.transport {
        Transport::Icmp { icmp_type, code } => {
            asked.icmp_type.is_none_or(|wanted| wanted == icmp_type) && asked.code.is_none_or(|wanted| wanted == code)
        }
        Transport::Ports { .. } | Transport::Opaque => false,
    }
}

/// One side of the packet, and what is needed to say whose it is.
struct Side<'a> {
    cluster: &'a Cluster,
    namespace: Option<&'a str>,
    address: IpAddr,
    protocol: Protocol,
    port: Option<u16>,
}

impl Side<'_> {
    fn satisfies(&self, asked: &EntityRule) -> bool {
        self.is_in_nets(asked) && self.is_selected(asked) && self.has_ports(asked)
    }

    fn is_in_nets(&self, asked: &EntityRule) -> bool {
        let same_version = |net: &&ipnet::IpNet| net.addr().is_ipv4() == self.address.is_ipv4();
        // A list without a prefix of the packet's IP version makes the rule one of the other version.
        let speaks = |nets: &[ipnet::IpNet]| nets.is_empty() || nets.iter().any(|net| same_version(&net));
        speaks(&asked.nets)
            && speaks(&asked.not_nets)
            && (asked.nets.is_empty() || asked.nets.iter().any(|net| net.contains(&self.address)))
            && !asked.not_nets.iter().any(|net| net.contains(&self.address))
    }

    /// With anything positive asked, one endpoint or network set of that address satisfies all of it and is not
    /// excluded; with an exclusion only, no endpoint and no network set of that address is excluded.
    fn is_selected(&self, asked: &EntityRule) -> bool {
        let excluded = |item: &Item| asked.not_selector.as_ref().is_some_and(|not| not.matches(&item.labels));
        if self.asks_positively(asked) {
            return self.cluster.items_at(self.address).any(|item| self.is_asked_for(asked, item) && !excluded(item));
        }
        asked.not_selector.is_none() || !self.cluster.items_at(self.address).any(excluded)
    }

    fn asks_positively(&self, asked: &EntityRule) -> bool {
        asked.selector.is_some()
            || asked.namespace_selector.is_some()
            || asked.service_accounts.is_some()
            || self.is_limited_to_namespace(asked)
    }

    /// Selectors of a namespaced policy mean its own namespace, unless they say which.
    fn is_limited_to_namespace(&self, asked: &EntityRule) -> bool {
        let selects = asked.selector.is_some() || asked.not_selector.is_some() || asked.service_accounts.is_some();
        self.namespace.is_some() && asked.namespace_selector.is_none() && selects
    }

    fn is_asked_for(&self, asked: &EntityRule, item: &Item) -> bool {
        let in_own_namespace = !self.is_limited_to_namespace(asked) || item.namespace.as_deref() == self.namespace;
        let of_service_accounts = asked.service_accounts.as_ref().is_none_or(|accounts| {
            let name = item.labels.get("projectcalico.org/serviceaccount");
            let named = accounts.names.is_empty() || name.is_some_and(|name| accounts.names.contains(name));
            named && accounts.selector.as_ref().is_none_or(|selector| item.has_service_account(selector))
        });
        in_own_namespace
            && of_service_accounts
            && asked.selector.as_ref().is_none_or(|selector| selector.matches(&item.labels))
            && asked.namespace_selector.as_ref().is_none_or(|selector| item.is_in_namespaces(selector))
    }

    fn has_ports(&self, asked: &EntityRule) -> bool {
        let is_one_of = |ports: &[Port]| ports.iter().any(|port| self.is_port(port, asked));
        (asked.ports.is_empty() || is_one_of(&asked.ports)) && !is_one_of(&asked.not_ports)
    }

    /// A name stands for the port of that name and protocol that an endpoint of the address declares, if the rule
    /// asks for that endpoint.
    fn is_port(&self, asked_port: &Port, asked: &EntityRule) -> bool {
        let Some(number) = self.port else { return false };
        match asked_port {
            Port::Range(range) => range.first <= number && number <= range.last,
            Port::Named(name) => {
                self.cluster.items_at(self.address).filter(|item| self.is_asked_for(asked, item)).any(|item| {
                    item.ports
                        .iter()
                        .any(|port| port.name == *name && port.protocol.0 == self.protocol && port.port == number)
                })
            }
        }
    }
}
