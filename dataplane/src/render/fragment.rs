//! What one object of the intent becomes.

use std::collections::BTreeMap;

use model::intent::{PortRange, Protocol};

use super::{address, name};
use crate::{
    Object,
    ruleset::{Chain, Element, Family, Name, Schema, Set},
};

/// Chains and sets of one object, and the interned sets that its chains use.
#[derive(Debug, Default)]
pub(crate) struct Fragment {
    pub(crate) chains: BTreeMap<Name, Chain>,
    pub(crate) sets: BTreeMap<Name, Set>,
    /// Sets of literal addresses, ports and protocols, named by their content and shared by all who use it.
    pub(crate) literals: BTreeMap<Name, Set>,
    /// What could not be rendered as asked, and why; the chains are closed accordingly.
    pub(crate) failures: Vec<String>,
}

impl Fragment {
    /// Interns addresses. They may overlap and touch.
    pub(super) fn intern_addresses(&mut self, family: Family, nets: &[ipnet::IpNet]) -> Name {
        self.intern(Schema::Addresses(family), address::disjoint(nets))
    }

    /// Interns ports. Ranges may overlap and touch.
    pub(super) fn intern_ports(&mut self, ranges: &[PortRange]) -> Name {
        let mut ranges = ranges.to_vec();
        ranges.sort_unstable();
        let mut disjoint: Vec<(u16, u16)> = Vec::new();
        for range in ranges {
            match disjoint.last_mut() {
                Some((_, last)) if u32::from(range.first) <= u32::from(*last) + 1 => *last = (*last).max(range.last),
                _ => disjoint.push((range.first, range.last)),
            }
        }
        self.intern(Schema::Ports, disjoint.into_iter().map(|(first, last)| Element::Ports(first, last)).collect())
    }

    pub(super) fn intern_protocols(&mut self, protocols: &[Protocol]) -> Name {
        self.intern(Schema::Protocols, protocols.iter().map(|protocol| Element::Protocol(protocol.0)).collect())
    }

    fn intern(&mut self, schema: Schema, elements: Vec<Element>) -> Name {
        let set = Set::new(Object::Table, schema, elements);
        let content: Vec<_> = set.elements.iter().map(ToString::to_string).collect();
        let name = name::literal(schema, &content.join(","));
        self.literals.entry(name.clone()).or_insert(set);
        name
    }
}
