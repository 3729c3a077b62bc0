//! One message through everything that reads nftables' answers.

#[allow(clippy::wildcard_imports, reason = "the kernel's numbers go by the kernel's own names")]
use super::number::*;
use super::{element::Entries, listing};
use crate::{
    netlink::{Attributes, Message},
    ruleset::{Element, Family, Schema},
};

const SCHEMAS: [Schema; 9] = [
    Schema::Addresses(Family::V4),
    Schema::Addresses(Family::V6),
    Schema::Ports,
    Schema::Protocols,
    Schema::AddressPorts(Family::V4),
    Schema::AddressPorts(Family::V6),
    Schema::InterfaceAddresses(Family::V4),
    Schema::InterfaceAddresses(Family::V6),
    Schema::Dispatch,
];

/// Elements come out sorted, whatever the kernel says.
pub(crate) fn message(message: &Message<'_>) {
    let fields = message.attributes(NFGENMSG_LEN);
    let _ = (listing::read_fingerprint(&fields), listing::read_hook(&fields));
    let Some(list) = fields.find(NFTA_SET_ELEM_LIST_ELEMENTS) else { return };
    for schema in SCHEMAS {
        let mut entries = Entries::default();
        Attributes(list).for_each(|(_, entry)| entries.take(&Attributes(entry)));
        let elements: Vec<Element> = entries.finish(schema);
        assert!(elements.is_sorted(), "elements are not sorted");
    }
}
