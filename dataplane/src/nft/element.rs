//! Elements of sets and maps, to and from the kernel's keys.
//!
//! A range is two keys in the kernel: its first, and one past its last, marked as an end. A range that reaches the
//! highest key has no end. Ranges that touch stay two.

use std::{collections::BTreeMap, sync::Arc};

use super::number::{
    IFNAMSIZ, NFT_SET_ELEM_INTERVAL_END, NFTA_DATA_VALUE, NFTA_DATA_VERDICT, NFTA_LIST_ELEM, NFTA_SET_ELEM_DATA,
    NFTA_SET_ELEM_FLAGS, NFTA_SET_ELEM_KEY, NFTA_VERDICT_CHAIN, NFTA_VERDICT_CODE, VERDICT_ACCEPT, VERDICT_DROP,
    VERDICT_GOTO, VERDICT_JUMP, VERDICT_RETURN,
};
use crate::{
    netlink::{Attributes, MessageWriter, cstring, octets, parse_address},
    ruleset::{Element, Name, Schema, Verdict},
};

/// Writes an element as the one or two list entries that it is.
pub(super) fn write(writer: &mut MessageWriter, element: &Element) {
    match element {
        Element::Addresses(first, last) => write_range(writer, &octets(*first), &octets(*last)),
        Element::Ports(first, last) => write_range(writer, &first.to_be_bytes(), &last.to_be_bytes()),
        Element::Protocol(protocol) => write_key(writer, &[*protocol], 0, None),
        Element::AddressPort(address, protocol, port) => {
            // Each part of a concatenation is padded to four bytes.
            let mut key = octets(*address);
            key.extend_from_slice(&[*protocol, 0, 0, 0]);
            key.extend_from_slice(&port.to_be_bytes());
            key.extend_from_slice(&[0, 0]);
            write_key(writer, &key, 0, None);
        }
        Element::InterfaceAddress(interface, address) => {
            let mut key = interface_key(interface).to_vec();
            key.extend_from_slice(&octets(*address));
            write_key(writer, &key, 0, None);
        }
        Element::Dispatch(interface, verdict) => write_key(writer, &interface_key(interface), 0, Some(verdict)),
    }
}

pub(super) fn write_verdict(writer: &mut MessageWriter, verdict: &Verdict) {
    let (code, chain) = match verdict {
        Verdict::Accept => (VERDICT_ACCEPT, None),
        Verdict::Drop => (VERDICT_DROP, None),
        Verdict::Return => (VERDICT_RETURN, None),
        Verdict::Jump(chain) => (VERDICT_JUMP, Some(chain)),
        Verdict::Goto(chain) => (VERDICT_GOTO, Some(chain)),
    };
    writer.be32(NFTA_VERDICT_CODE, code as u32);
    if let Some(chain) = chain {
        writer.text(NFTA_VERDICT_CHAIN, chain);
    }
}

fn write_range(writer: &mut MessageWriter, first: &[u8], last: &[u8]) {
    write_key(writer, first, 0, None);
    if let Some(end) = successor(last) {
        write_key(writer, &end, NFT_SET_ELEM_INTERVAL_END, None);
    }
}

fn write_key(writer: &mut MessageWriter, key: &[u8], flags: u32, verdict: Option<&Verdict>) {
    writer.nested(NFTA_LIST_ELEM, |entry| {
        entry.nested(NFTA_SET_ELEM_KEY, |field| field.bytes(NFTA_DATA_VALUE, key));
        if flags != 0 {
            entry.be32(NFTA_SET_ELEM_FLAGS, flags);
        }
        if let Some(verdict) = verdict {
            entry.nested(NFTA_SET_ELEM_DATA, |data| {
                data.nested(NFTA_DATA_VERDICT, |fields| write_verdict(fields, verdict));
            });
        }
    });
}

/// List entries of one set, gathered until all are there: the two keys of a range may come in any order.
#[derive(Default)]
pub(super) struct Entries {
    /// Key and whether it is an end. Ends sort before firsts: where ranges touch, one ends before the next begins.
    keys: BTreeMap<(Vec<u8>, bool), Option<Verdict>>,
}

impl Entries {
    /// Takes one list entry in.
    pub(super) fn take(&mut self, entry: &Attributes<'_>) {
        let Some(key) = entry.nested(NFTA_SET_ELEM_KEY).find(NFTA_DATA_VALUE) else { return };
        let is_end = entry.be32(NFTA_SET_ELEM_FLAGS).unwrap_or(0) & NFT_SET_ELEM_INTERVAL_END != 0;
        let verdict = read_verdict(&entry.nested(NFTA_SET_ELEM_DATA).nested(NFTA_DATA_VERDICT));
        self.keys.insert((key.to_vec(), !is_end), verdict);
    }

    /// The elements, sorted. What does not fit the schema is left out.
    pub(super) fn finish(self, schema: Schema) -> Vec<Element> {
        let mut elements: Vec<_> = if schema.is_interval() {
            self.ranges().iter().filter_map(|(first, last)| read_range(first, last)).collect()
        } else {
            self.keys.iter().filter_map(|((key, _), verdict)| read_element(schema, key, verdict.as_ref())).collect()
        };
        elements.sort_unstable();
        elements
    }

    fn ranges(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut ranges = Vec::new();
        let mut open: Option<&Vec<u8>> = None;
        for (key, is_first) in self.keys.keys() {
            if *is_first {
                open = Some(key);
            } else if let Some(first) = open.take() {
                ranges.extend(predecessor(key).map(|last| (first.clone(), last)));
            }
        }
        if let Some(first) = open {
            ranges.push((first.clone(), vec![0xff; first.len()]));
        }
        ranges
    }
}

fn read_range(first: &[u8], last: &[u8]) -> Option<Element> {
    match (<[u8; 2]>::try_from(first), <[u8; 2]>::try_from(last)) {
        (Ok(first), Ok(last)) => Some(Element::Ports(u16::from_be_bytes(first), u16::from_be_bytes(last))),
        _ => Some(Element::Addresses(parse_address(first)?, parse_address(last)?)),
    }
}

fn read_element(schema: Schema, key: &[u8], verdict: Option<&Verdict>) -> Option<Element> {
    match schema {
        Schema::Protocols => Some(Element::Protocol(*key.first()?)),
        Schema::AddressPorts(family) => {
            let (address_bytes, rest) = key.split_at_checked(family.address_len())?;
            let port = u16::from_be_bytes(rest.get(4..6)?.try_into().ok()?);
            Some(Element::AddressPort(parse_address(address_bytes)?, *rest.first()?, port))
        }
        Schema::InterfaceAddresses(family) => {
            let (interface, rest) = key.split_at_checked(IFNAMSIZ)?;
            Some(Element::InterfaceAddress(name(interface)?, parse_address(rest.get(..family.address_len())?)?))
        }
        Schema::Dispatch => Some(Element::Dispatch(name(key)?, verdict?.clone())),
        Schema::Addresses(_) | Schema::Ports => None,
    }
}

fn read_verdict(fields: &Attributes<'_>) -> Option<Verdict> {
    let chain = || fields.text(NFTA_VERDICT_CHAIN).map(Name::from);
    match fields.be32(NFTA_VERDICT_CODE)?.cast_signed() {
        VERDICT_ACCEPT => Some(Verdict::Accept),
        VERDICT_DROP => Some(Verdict::Drop),
        VERDICT_RETURN => Some(Verdict::Return),
        VERDICT_JUMP => chain().map(Verdict::Jump),
        VERDICT_GOTO => chain().map(Verdict::Goto),
        _ => None,
    }
}

fn name(key: &[u8]) -> Option<Name> {
    cstring(key).map(Arc::from)
}

/// Names that are too long for the kernel never come this far: who renders them refuses them.
pub(super) fn interface_key(name: &str) -> [u8; IFNAMSIZ] {
    let mut key = [0; IFNAMSIZ];
    let length = name.len().min(IFNAMSIZ - 1);
    key[..length].copy_from_slice(&name.as_bytes()[..length]);
    key
}

/// The next key; `None` after the highest.
fn successor(key: &[u8]) -> Option<Vec<u8>> {
    let at = key.iter().rposition(|byte| *byte != 0xff)?;
    let mut next = key.to_vec();
    next[at] += 1;
    next[at + 1..].fill(0);
    Some(next)
}

/// The key before; `None` before zero.
fn predecessor(key: &[u8]) -> Option<Vec<u8>> {
    let at = key.iter().rposition(|byte| *byte != 0)?;
    let mut before = key.to_vec();
    before[at] -= 1;
    before[at + 1..].fill(0xff);
    Some(before)
}

#[cfg(test)]
mod tests;
