//! Sets of the intent as the kernel's sets, one for each IP version.

use model::intent::{IpSet, SetId, SetKind, SetMember};

use super::{Fragment, address, name};
use crate::{
    Object,
    ruleset::{Element, Family, Schema, Set},
};

/// Renders a set. Members that are not of the set's kind are left out.
pub(crate) fn ip_set(id: &SetId, set: &IpSet) -> Fragment {
    let mut fragment = Fragment::default();
    for family in [Family::V4, Family::V6] {
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
