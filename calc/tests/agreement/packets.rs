//! The packets that both sides are asked about: few addresses and ports, so that rules meet them often.

use std::{collections::BTreeSet, net::IpAddr};

use calc::verdict::{Direction, Packet, Transport};
use model::{Key, intent::Protocol};

/// A workload that packets reach and leave.
#[derive(Debug)]
pub(crate) struct Workload {
    pub key: Key,
    pub node: String,
    pub addresses: Vec<IpAddr>,
}

/// Ports that generated rules speak of, and one (81) that only ranges cover.
pub(crate) const PORTS: [u16; 4] = [80, 81, 8080, 53];

/// Addresses of nobody; network sets and prefixes of rules hold some of them.
pub(crate) const OUTSIDE: [&str; 4] = ["192.0.2.1", "192.0.2.129", "10.0.9.9", "2001:db8::9"];

/// Packets between an endpoint's address and every other address of its IP version.
pub(crate) fn between(own: IpAddr, others: &BTreeSet<IpAddr>, direction: Direction) -> Vec<Packet> {
    let mut packets = Vec::new();
    for other in others.iter().copied().filter(|other| other.is_ipv4() == own.is_ipv4()) {
        let (source, destination) = match direction {
            Direction::Ingress => (other, own),
            Direction::Egress => (own, other),
        };
        packets.extend(payloads(own.is_ipv4()).into_iter().map(|(protocol, transport)| Packet {
            source,
            destination,
            protocol,
            transport,
        }));
    }
    packets
}

fn payloads(ipv4: bool) -> Vec<(Protocol, Transport)> {
    let ports = |source, destination| Transport::Ports { source, destination };
    let mut payloads: Vec<_> = PORTS.iter().map(|port| (Protocol::TCP, ports(40_000, *port))).collect();
    payloads.extend([
        (Protocol::TCP, ports(80, 40_000)),
        (Protocol::UDP, ports(40_000, 53)),
        (Protocol::SCTP, ports(40_000, 80)),
        (Protocol(47), Transport::Opaque),
    ]);
    let icmp = if ipv4 { Protocol::ICMP } else { Protocol::ICMPV6 };
    for (icmp_type, code) in [(8, 0), (8, 1), (3, 1)] {
        payloads.push((icmp, Transport::Icmp { icmp_type, code }));
    }
    payloads
}
