//! Sets of the intent as the kernel's sets, one for each IP version.

use model::intent::{IpSet, SetId, SetKind, SetMember};

use super::{Fragment, address, name};
use crate::{
    Object,
    ruleset::{Element, Family, Schema, Set},
};

/// In which IP versions a set has members. In the others it has no kernel set, and rules do not ask for one: on a
/// network of one version this is half of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Presence {
    v4: bool,
    v6: bool,
}

impl Presence {
    /// Members are sorted, IPv4 before IPv6: the first and the last tell.
    pub(crate) fn of(set: &IpSet) -> Self {
        let is_v4 = |member: &SetMember| match member {
            SetMember::Net(net) => net.addr().is_ipv4(),
            SetMember::AddressPort(address, ..) => address.is_ipv4(),
        };
        Self { v4: set.members.first().is_some_and(is_v4), v6: set.members.last().is_some_and(|last| !is_v4(last)) }
    }

    #[cfg(test)]
    pub(super) const BOTH: Self = Self { v4: true, v6: true };

    pub(super) fn has(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

/// Renders a set. Members that are not of the set's kind are left out.
pub(crate) fn ip_set(id: &SetId, set: &IpSet) -> Fragment {
    let mut fragment = Fragment::default();
    let presence = Presence::of(set);
    for family in [Family::V4, Family::V6].into_iter().filter(|family| presence.has(*family)) {
        let (name, schema, elements) = match set.kind {
            SetKind::Net => (name::address_set(id, family), Schema::Addresses(family), nets(set, family)),
            SetKind::AddressPort => {
                (name::address_port_set(id, family), Schema::AddressPorts(family), address_ports(set, family))
            }
        };
        fragment.sets.insert(name, Set::new(Object::Set(id.clone()), schema, elements));
    }
    fragment
}

fn nets(set: &IpSet, family: Family) -> Vec<Element> {
    address::uncovered(set.members.iter().filter_map(|member| match member {
        SetMember::Net(net) if Family::of(net.addr()) == family => Some(*net),
        _ => None,
    }))
}

fn address_ports(set: &IpSet, family: Family) -> Vec<Element> {
    let members = set.members.iter().filter_map(|member| match member {
        SetMember::AddressPort(address, protocol, port) if Family::of(*address) == family => {
            Some(Element::AddressPort(*address, protocol.0, *port))
        }
        _ => None,
    });
    members.collect()
}
