//! A packet, as far as rules can see it.

use std::{fmt, net::IpAddr};

use model::intent::Protocol;

/// Which way a packet goes, seen from the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To the endpoint.
    Ingress,
    /// From the endpoint.
    Egress,
}

/// The first packet of a connection. Both addresses are of one IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Whence it comes.
    pub source: IpAddr,
    /// Where it goes, after destination NAT.
    pub destination: IpAddr,
    /// What it carries.
    pub protocol: Protocol,
    /// What rules can see of what it carries.
    pub transport: Transport,
}

/// What rules can see behind the IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Ports of TCP, UDP, SCTP or UDP-Lite.
    Ports {
        /// The sender's port.
        source: u16,
        /// The receiver's port.
        destination: u16,
    },
    /// A message of ICMP or ICMPv6.
    Icmp {
        /// The message's type.
        icmp_type: u8,
        /// Its code.
        code: u8,
    },
    /// Nothing.
    Opaque,
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source: from, destination: to, protocol, transport } = self;
        match transport {
            Transport::Ports { source, destination } => write!(f, "{protocol} {from}:{source} -> {to}:{destination}"),
            Transport::Icmp { icmp_type, code } => write!(f, "{protocol} {icmp_type}/{code} {from} -> {to}"),
            Transport::Opaque => write!(f, "{protocol} {from} -> {to}"),
        }
    }
}
