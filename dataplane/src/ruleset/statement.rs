//! Statements: what a rule asks of a packet and does to it.

use std::net::IpAddr;

use ipnet::IpNet;
use model::intent::{Icmp, PortRange, Protocol};

use super::Name;

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    V4,
    V6,
}

/// Source or destination of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
}

/// The interface by which a packet came or will leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// States of a connection that policy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConntrackState {
    EstablishedOrRelated,
    Invalid,
}

/// What becomes of a packet, or where the evaluation goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(Name),
    Goto(Name),
}

/// One statement. Where there is a `negated`, true asks that the thing is not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Family(Family),
    Interface {
        way: Way,
        name: Name,
    },
    /// The interface's name begins with this.
    InterfacePrefix {
        way: Way,
        negated: bool,
        prefix: Name,
    },
    Protocol {
        negated: bool,
        protocol: Protocol,
    },
    ProtocolIn {
        negated: bool,
        set: Name,
    },
    Address {
        side: Side,
        negated: bool,
        net: IpNet,
    },
    AddressIn {
        side: Side,
        negated: bool,
        family: Family,
        set: Name,
    },
    /// Of a packet whose protocol has ports.
    Port {
        side: Side,
        negated: bool,
        range: PortRange,
    },
    PortIn {
        side: Side,
        negated: bool,
        set: Name,
    },
    /// Address, protocol and port of one side.
    AddressPortIn {
        side: Side,
        negated: bool,
        family: Family,
        set: Name,
    },
    /// The interface by which it came, and its source address.
    InterfaceAddressIn {
        negated: bool,
        family: Family,
        set: Name,
    },
    /// Of a packet whose protocol is ICMP or ICMPv6.
    Icmp {
        negated: bool,
        icmp: Icmp,
    },
    Conntrack(ConntrackState),
    /// None of these bits of the mark is set.
    MarkClear(u32),
    /// One of these bits of the mark is set.
    MarkSet(u32),
    ClearMark(u32),
    SetMark(u32),
    Log {
        prefix: Name,
    },
    /// The verdict that a map has for the interface; goes on where it has none.
    Dispatch {
        way: Way,
        map: Name,
    },
    Verdict(Verdict),
}

impl Statement {
    /// The set or map that it uses.
    pub(super) fn set(&self) -> Option<&Name> {
        match self {
            Self::ProtocolIn { set, .. }
            | Self::AddressIn { set, .. }
            | Self::PortIn { set, .. }
            | Self::AddressPortIn { set, .. }
            | Self::InterfaceAddressIn { set, .. }
            | Self::Dispatch { map: set, .. } => Some(set),
            _ => None,
        }
    }
}

impl Family {
    pub(crate) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// 4 or 6.
    pub(crate) fn version(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    /// Bytes of one of its addresses.
    pub(crate) fn address_len(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    /// Its control messages' protocol.
    pub(crate) fn icmp(self) -> Protocol {
        match self {
            Self::V4 => Protocol::ICMP,
            Self::V6 => Protocol::ICMPV6,
        }
    }
}
