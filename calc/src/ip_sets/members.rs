//! The members of one set: counted by who contributes them, covered prefixes left out, changes noted.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use model::intent::{IpSet, SetKind, SetMember};

/// How many prefix lengths there are in both families: 0 to 32 and 0 to 128.
const LENGTHS: usize = 33 + 129;

/// The members of one set.
#[derive(Debug)]
pub(crate) struct Members {
    kind: SetKind,
    /// Who contributes what, how often.
    nets: BTreeMap<IpNet, u32>,
    /// The same for sets of addresses with ports; no member covers another there.
    ports: BTreeMap<SetMember, u32>,
    /// How many of `nets` have a prefix length, so that few lengths are asked for who covers whom.
    lengths: Lengths,
    /// What changed since [`Self::take_changes`]: `true` for what came.
    changes: BTreeMap<SetMember, bool>,
}

impl Members {
    /// A set filled at once, with nothing to report.
    pub(crate) fn of_nets(mut nets: Vec<IpNet>) -> Self {
        let mut members = Self::empty(SetKind::Net);
        nets.sort_unstable();
        let mut counted: Vec<(IpNet, u32)> = Vec::with_capacity(nets.len());
        for net in nets {
            match counted.last_mut() {
                Some((last, count)) if *last == net => *count += 1,
                _ => counted.push((net, 1)),
            }
        }
        for (net, _) in &counted {
            members.lengths.add(net);
        }
        members.nets = counted.into_iter().collect();
        members
    }

    /// A set filled at once, with nothing to report.
    pub(crate) fn of_ports(ports: impl Iterator<Item = SetMember>) -> Self {
        let mut members = Self::empty(SetKind::AddressPort);
        for port in ports {
            *members.ports.entry(port).or_default() += 1;
        }
        members
    }

    fn empty(kind: SetKind) -> Self {
        Self {
            kind,
            nets: BTreeMap::new(),
            ports: BTreeMap::new(),
            lengths: Lengths::default(),
            changes: BTreeMap::new(),
        }
    }

    /// One more contributor of a prefix.
    pub(crate) fn add_net(&mut self, net: IpNet) {
        let count = self.nets.entry(net).or_default();
        *count += 1;
        if *count > 1 {
            return;
        }
        self.lengths.add(&net);
        if !self.is_covered(&net) {
            for inner in self.outermost_within(net) {
                self.note(SetMember::Net(inner), false);
            }
            self.note(SetMember::Net(net), true);
        }
    }

    /// One contributor of a prefix less.
    pub(crate) fn remove_net(&mut self, net: IpNet) {
        let Some(count) = self.nets.get_mut(&net) else { return };
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.nets.remove(&net);
        self.lengths.remove(&net);
        if !self.is_covered(&net) {
            for inner in self.outermost_within(net) {
                self.note(SetMember::Net(inner), true);
            }
            self.note(SetMember::Net(net), false);
        }
    }

    /// One more contributor of an address with a port.
    pub(crate) fn add_port(&mut self, port: SetMember) {
        let count = self.ports.entry(port).or_default();
        *count += 1;
        if *count == 1 {
            self.note(port, true);
        }
    }

    /// One contributor of an address with a port less.
    pub(crate) fn remove_port(&mut self, port: SetMember) {
        let Some(count) = self.ports.get_mut(&port) else { return };
        *count -= 1;
        if *count == 0 {
            self.ports.remove(&port);
            self.note(port, false);
        }
    }

    /// The whole set as it is now.
    pub(crate) fn complete(&self) -> IpSet {
        let members = match self.kind {
            SetKind::AddressPort => self.ports.keys().copied().collect(),
            SetKind::Net => visible(self.nets.keys()).map(SetMember::Net).collect(),
        };
        IpSet { kind: self.kind, members }
    }

    /// What came and what left since the last call.
    pub(crate) fn take_changes(&mut self) -> (BTreeSet<SetMember>, BTreeSet<SetMember>) {
        let mut added = BTreeSet::new();
        let mut removed = BTreeSet::new();
        for (member, came) in std::mem::take(&mut self.changes) {
            if came {
                added.insert(member)
            } else {
                removed.insert(member)
            };
        }
        (added, removed)
    }

    /// Coming and leaving take turns, so a second note undoes the first.
    fn note(&mut self, member: SetMember, came: bool) {
        if self.changes.remove(&member).is_none() {
            self.changes.insert(member, came);
        }
    }

    /// Whether a wider prefix is there.
    fn is_covered(&self, net: &IpNet) -> bool {
        let wider = self.lengths.shorter_than(net);
        wider.filter_map(|length| IpNet::new(net.addr(), length).ok()).any(|wide| self.nets.contains_key(&wide.trunc()))
    }

    /// Prefixes inside a prefix, itself not among them, that nothing else inside covers.
    fn outermost_within(&self, net: IpNet) -> Vec<IpNet> {
        if !self.lengths.any_longer_than(&net) {
            return Vec::new();
        }
        let last = IpNet::from(net.broadcast());
        visible(self.nets.range(net..=last).map(|(inner, _)| inner).filter(|inner| **inner != net)).collect()
    }
}

/// Of prefixes in order, those that no earlier one covers: a wider prefix sorts before all that it covers.
fn visible<'a>(nets: impl Iterator<Item = &'a IpNet>) -> impl Iterator<Item = IpNet> {
    let mut outer: Option<IpNet> = None;
    nets.copied().filter(move |net| {
        let is_visible = outer.is_none_or(|outer| !outer.contains(net));
        if is_visible {
            outer = Some(*net);
        }
        is_visible
    })
}

/// How many prefixes have each length.
#[derive(Debug, Default)]
struct Lengths {
    /// By family (IPv6 or not) and length. Few lengths occur in one set.
    counts: BTreeMap<(bool, u8), u32>,
}

impl Lengths {
    fn add(&mut self, net: &IpNet) {
        *self.counts.entry(Self::slot(net)).or_default() += 1;
        debug_assert!(self.counts.len() <= LENGTHS);
    }

    fn remove(&mut self, net: &IpNet) {
        let slot = Self::slot(net);
        if let Some(count) = self.counts.get_mut(&slot) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&slot);
            }
        }
    }

    fn shorter_than(&self, net: &IpNet) -> impl Iterator<Item = u8> {
        let (family, length) = Self::slot(net);
        self.counts.range((family, 0)..(family, length)).map(|((_, length), _)| *length)
    }

    fn any_longer_than(&self, net: &IpNet) -> bool {
        let (family, length) = Self::slot(net);
        self.counts.range((family, length.saturating_add(1))..=(family, u8::MAX)).next().is_some()
    }

    fn slot(net: &IpNet) -> (bool, u8) {
        (matches!(net, IpNet::V6(_)), net.prefix_len())
    }
}
