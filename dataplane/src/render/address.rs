//! Prefixes as ranges that neither overlap nor touch, which is what the kernel's interval sets want.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::ruleset::Element;

/// The addresses of `nets` as few ranges, sorted.
pub(super) fn disjoint(nets: &[IpNet]) -> Vec<Element> {
    let mut nets: Vec<_> = nets.iter().map(IpNet::trunc).collect();
    nets.sort_unstable();
    let mut ranges: Vec<(IpAddr, IpAddr)> = Vec::new();
    for net in nets {
        match ranges.last_mut() {
            Some((_, last)) if reaches(*last, net.addr()) => *last = (*last).max(net.broadcast()),
            _ => ranges.push((net.addr(), net.broadcast())),
        }
    }
    ranges.into_iter().map(|(first, last)| Element::Addresses(first, last)).collect()
}

/// The addresses of `nets`, sorted: one range for each that no other covers. Unlike [`disjoint`], one more prefix
/// is one more element, so that a change of a set stays small.
pub(super) fn uncovered(nets: impl Iterator<Item = IpNet>) -> Vec<Element> {
    let mut nets: Vec<_> = nets.map(|net| net.trunc()).collect();
    nets.sort_unstable();
    let mut elements: Vec<Element> = Vec::with_capacity(nets.len());
    let mut covering: Option<IpNet> = None;
    for net in nets {
        if covering.is_none_or(|wider| !wider.contains(&net)) {
            elements.push(Element::Addresses(net.addr(), net.broadcast()));
            covering = Some(net);
        }
    }
    elements
}

/// Whether `next` lies at most one past `last`. Both come from sorted prefixes of perhaps two families.
fn reaches(last: IpAddr, next: IpAddr) -> bool {
    match (last, next) {
        (IpAddr::V4(last), IpAddr::V4(next)) => next <= Ipv4Addr::from_bits(last.to_bits().saturating_add(1)),
        (IpAddr::V6(last), IpAddr::V6(next)) => next <= Ipv6Addr::from_bits(last.to_bits().saturating_add(1)),
        _ => false,
    }
}
