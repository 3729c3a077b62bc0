//! Named sets and verdict maps with their elements.

use std::net::IpAddr;

use super::{Family, Name, Verdict};
use crate::Object;

/// What a set's elements are. A set's schema never changes: its name says it, and another schema is another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    /// Ranges of addresses.
    Addresses(Family),
    /// Ranges of ports.
    Ports,
    /// Protocol numbers.
    Protocols,
    /// Address, protocol and port together.
    AddressPorts(Family),
    /// Interface and address together.
    InterfaceAddresses(Family),
    /// Interface to verdict: a map.
    Dispatch,
}

/// A set or map, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    /// On whose behalf it exists.
    pub(crate) owner: Object,
    pub(crate) schema: Schema,
    /// Sorted, without duplicates; ranges do not overlap.
    pub(crate) elements: Vec<Element>,
}

/// An element of a set. Ranges include both their ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    Addresses(IpAddr, IpAddr),
    Ports(u16, u16),
    Protocol(u8),
    AddressPort(IpAddr, u8, u16),
    InterfaceAddress(Name, IpAddr),
    Dispatch(Name, Verdict),
}

impl Schema {
    /// Whether elements are ranges.
    pub(crate) fn is_interval(self) -> bool {
        matches!(self, Self::Addresses(_) | Self::Ports)
    }

    /// Whether elements lead to verdicts.
    pub(crate) fn is_map(self) -> bool {
        self == Self::Dispatch
    }
}

impl Set {
    /// A set of elements in any order.
    pub(crate) fn new(owner: Object, schema: Schema, elements: impl IntoIterator<Item = Element>) -> Self {
        let mut elements: Vec<_> = elements.into_iter().collect();
        elements.sort_unstable();
        elements.dedup();
        Self { owner, schema, elements }
    }
}
