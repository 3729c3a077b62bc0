//! One rule as the kernel is to enforce it.

use std::fmt;

use ipnet::IpNet;

use super::SetId;

/// What a matching packet meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleAction {
    /// Accepted; nothing later is asked.
    Allow,
    /// Dropped.
    Deny,
    /// The rest of this tier is skipped. In a profile: the rest of that profile.
    Pass,
    /// Logged; the next rule decides.
    Log,
}

/// An IP protocol number, with the names that Calico knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// UDP-Lite.
    pub const UDPLITE: Self = Self(136);

    /// Whether its packets carry ports that rules can match.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::SCTP | Self::UDPLITE)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ICMP => f.write_str("ICMP"),
            Self::TCP => f.write_str("TCP"),
            Self::UDP => f.write_str("UDP"),
            Self::ICMPV6 => f.write_str("ICMPv6"),
            Self::SCTP => f.write_str("SCTP"),
            Self::UDPLITE => f.write_str("UDPLite"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port; never below `first`.
    pub last: u16,
}

/// An ICMP or ICMPv6 message, by type and perhaps code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Icmp {
    /// The message's type.
    pub icmp_type: u8,
    /// Its code; `None` matches every code.
    pub code: Option<u8>,
}

/// What a rule asks of one side of a packet. Fields are AND-ed; an empty list asks nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PeerMatch {
    /// The address lies in one of these.
    pub nets: Vec<IpNet>,
    /// The address lies in none of these.
    pub not_nets: Vec<IpNet>,
    /// The address is a member of each of these.
    pub ip_sets: Vec<SetId>,
    /// The address is a member of none of these.
    pub not_ip_sets: Vec<SetId>,
    /// The port lies in one of these, or (address, protocol, port) is in one of `named_port_sets`.
    pub ports: Vec<PortRange>,
    /// See `ports`. Where either list is non-empty, one element of the two must match.
    pub named_port_sets: Vec<SetId>,
    /// The port lies in none of these.
    pub not_ports: Vec<PortRange>,
    /// (address, protocol, port) is in none of these.
    pub not_named_port_sets: Vec<SetId>,
}

/// One rule. Fields are AND-ed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleIntent {
    /// What a matching packet meets.
    pub action: RuleAction,
    /// 4 or 6: only packets of that IP version.
    pub ip_version: Option<u8>,
    /// Only packets of this protocol.
    pub protocol: Option<Protocol>,
    /// Only packets of another protocol.
    pub not_protocol: Option<Protocol>,
    /// Only this ICMP message. `protocol` is then ICMP or ICMPv6.
    pub icmp: Option<Icmp>,
    /// Not this ICMP message: NOT (type AND code).
    pub not_icmp: Option<Icmp>,
    /// What it asks of the source.
    pub source: PeerMatch,
    /// What it asks of the destination.
    pub destination: PeerMatch,
}

impl RuleIntent {
    /// A rule with this action that matches every packet.
    pub fn every(action: RuleAction) -> Self {
        Self {
            action,
            ip_version: None,
            protocol: None,
            not_protocol: None,
            icmp: None,
            not_icmp: None,
            source: PeerMatch::default(),
            destination: PeerMatch::default(),
        }
    }
}
