//! Whether one rule matches one packet: an AND over its fields, an OR within each list.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use model::intent::{Icmp, IpSet, PeerMatch, PortRange, Protocol, RuleIntent, SetId, SetMember};

use super::packet::{Packet, Transport};

/// A rule refers to a set that is not there. Whether it matches cannot be known, so nobody may guess.
pub(super) struct MissingSet(pub(super) SetId);

type Sets = BTreeMap<SetId, IpSet>;

/// Whether all that the rule asks holds.
pub(super) fn matches(rule: &RuleIntent, packet: &Packet, sets: &Sets) -> Result<bool, MissingSet> {
    Ok(matches_protocol(rule, packet)
        && matches_icmp(rule, packet)
        && Side::source(packet).matches(&rule.source, sets)?
        && Side::destination(packet).matches(&rule.destination, sets)?)
}

fn matches_protocol(rule: &RuleIntent, packet: &Packet) -> bool {
    let ip_version = if packet.source.is_ipv4() { 4 } else { 6 };
    rule.ip_version.is_none_or(|version| version == ip_version)
        && rule.protocol.is_none_or(|protocol| protocol == packet.protocol)
        && rule.not_protocol.is_none_or(|protocol| protocol != packet.protocol)
}

fn matches_icmp(rule: &RuleIntent, packet: &Packet) -> bool {
    let is_message = |asked: Icmp| match packet.transport {
        Transport::Icmp { icmp_type, code } => {
            asked.icmp_type == icmp_type && asked.code.is_none_or(|asked| asked == code)
        }
        Transport::Ports { .. } | Transport::Opaque => false,
    };
    rule.icmp.is_none_or(is_message) && rule.not_icmp.is_none_or(|asked| !is_message(asked))
}

/// What a rule's source or destination fields look at.
struct Side {
    address: IpAddr,
    protocol: Protocol,
    /// `None` where the packet has no ports.
    port: Option<u16>,
}

impl Side {
    fn source(packet: &Packet) -> Self {
        let port = match packet.transport {
            Transport::Ports { source, .. } => Some(source),
            Transport::Icmp { .. } | Transport::Opaque => None,
        };
        Self { address: packet.source, protocol: packet.protocol, port }
    }

    fn destination(packet: &Packet) -> Self {
        let port = match packet.transport {
            Transport::Ports { destination, .. } => Some(destination),
            Transport::Icmp { .. } | Transport::Opaque => None,
        };
        Self { address: packet.destination, protocol: packet.protocol, port }
    }

    fn matches(&self, asked: &PeerMatch, sets: &Sets) -> Result<bool, MissingSet> {
        Ok(self.matches_nets(asked) && self.matches_sets(asked, sets)? && self.matches_ports(asked, sets)?)
    }

    fn matches_nets(&self, asked: &PeerMatch) -> bool {
        let contains = |net: &IpNet| net.contains(&self.address);
        let has_other_version_only =
            |nets: &[IpNet]| !nets.is_empty() && nets.iter().all(|net| net.addr().is_ipv4() != self.address.is_ipv4());
        // Excluded prefixes speak about their own IP version: a rule whose list says nothing about the packet's
        // version is no rule for that version at all.
        (asked.nets.is_empty() || asked.nets.iter().any(contains))
            && !has_other_version_only(&asked.not_nets)
            && !asked.not_nets.iter().any(contains)
    }

    fn matches_sets(&self, asked: &PeerMatch, sets: &Sets) -> Result<bool, MissingSet> {
        for id in &asked.ip_sets {
            if !self.is_address_in(find(id, sets)?) {
                return Ok(false);
            }
        }
        for id in &asked.not_ip_sets {
            if self.is_address_in(find(id, sets)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn matches_ports(&self, asked: &PeerMatch, sets: &Sets) -> Result<bool, MissingSet> {
        let asks_nothing = asked.ports.is_empty() && asked.named_port_sets.is_empty();
        Ok((asks_nothing || self.has_port_in(&asked.ports, &asked.named_port_sets, sets)?)
            && !self.has_port_in(&asked.not_ports, &asked.not_named_port_sets, sets)?)
    }

    fn has_port_in(&self, ranges: &[PortRange], named: &[SetId], sets: &Sets) -> Result<bool, MissingSet> {
        let Some(port) = self.port else { return Ok(false) };
        if ranges.iter().any(|range| (range.first..=range.last).contains(&port)) {
            return Ok(true);
        }
        for id in named {
            if find(id, sets)?.members.contains(&SetMember::AddressPort(self.address, self.protocol, port)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_address_in(&self, set: &IpSet) -> bool {
        set.members.iter().any(|member| match member {
            SetMember::Net(net) => net.contains(&self.address),
            SetMember::AddressPort(..) => false,
        })
    }
}

fn find<'a>(id: &SetId, sets: &'a Sets) -> Result<&'a IpSet, MissingSet> {
    sets.get(id).ok_or_else(|| MissingSet(id.clone()))
}
