//! Where packets to workloads go, from each wanted node.
//!
//! A prefix has one destination for all nodes: what holds at the nodes named in it, and what holds elsewhere. Nodes'
//! own subnets, encapsulation and the host's other routes are not known here.

mod blocks;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use hashbrown::HashMap;
use ipnet::IpNet;
use model::{
    Key,
    intent::{Attachment, RouteIntent},
    resource::{IpamBlockSpec, NodeBgpSpec},
};

use self::blocks::Blocks;
use crate::{
    graph::Nodes,
    items::{Endpoint, Item, ItemId, Items},
    output::Output,
    symbols::Symbols,
};

/// How one prefix is routed, on all nodes at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Destination {
    /// At these nodes.
    at: BTreeMap<Arc<str>, RouteIntent>,
    /// At all others: to a node that is among them not.
    elsewhere: Option<(Arc<str>, IpAddr)>,
}

impl Destination {
    fn seen_from(&self, node: &Arc<str>) -> Option<RouteIntent> {
        self.at.get(node).cloned().or_else(|| {
            let (target, next_hop) = self.elsewhere.as_ref().filter(|(target, _)| target != node)?;
            Some(RouteIntent::RemoteNode { node: target.clone(), next_hop: *next_hop })
        })
    }
}

/// All prefixes.
pub(crate) struct Routes {
    wanted: Nodes,
    /// Addresses of Node resources.
    nodes: HashMap<Arc<str>, NodeBgpSpec>,
    /// How many endpoints of each wanted node there are.
    endpoints: HashMap<Arc<str>, usize>,
    blocks: Blocks,
    /// Workloads by address. Almost always one; of several, the least key wins.
    holders: BTreeSet<(IpAddr, ItemId)>,
    /// Prefixes whose destination may have changed.
    dirty: BTreeSet<IpNet>,
    /// As of the last [`Self::publish`].
    published: BTreeMap<IpNet, Destination>,
    /// Nodes that were told of `published`.
    told: BTreeSet<Arc<str>>,
    /// Whether nodes came or left since.
    nodes_changed: bool,
}

impl Routes {
    pub(crate) fn new(wanted: Nodes) -> Self {
        Self {
            wanted,
            nodes: HashMap::new(),
            endpoints: HashMap::new(),
            blocks: Blocks::default(),
            holders: BTreeSet::new(),
            dirty: BTreeSet::new(),
            published: BTreeMap::new(),
            told: BTreeSet::new(),
            nodes_changed: false,
        }
    }

    /// Takes a node's addresses in, or out.
    pub(crate) fn set_node(&mut self, name: &str, bgp: Option<&NodeBgpSpec>) {
        let old = match bgp {
            Some(bgp) => self.nodes.insert(name.into(), bgp.clone()),
            None => self.nodes.remove(name),
        };
        self.nodes_changed |= old.is_some() != bgp.is_some();
        if old.as_ref() != bgp {
            // Nodes change rarely, and a change concerns all that lives there.
            self.dirty.extend(self.holders.iter().map(|(address, _)| IpNet::from(*address)));
            self.dirty.extend(self.blocks.prefixes());
        }
    }

    /// Takes an IPAM block in, or out.
    pub(crate) fn set_block(&mut self, key: &Key, block: Option<&IpamBlockSpec>) {
        for prefix in self.blocks.set(key, block) {
            let inside = self.holders.range((prefix.network(), ItemId::MIN)..=(prefix.broadcast(), ItemId::MAX));
            self.dirty.extend(inside.map(|(address, _)| IpNet::from(*address)));
            self.dirty.insert(prefix);
        }
    }

    /// An endpoint came.
    pub(crate) fn endpoint_added(&mut self, id: ItemId, endpoint: &Endpoint) {
        if let Some(local) = &endpoint.local {
            let count = self.endpoints.entry(local.node.clone()).or_default();
            *count += 1;
            self.nodes_changed |= *count == 1;
        }
        for address in routed_addresses(endpoint) {
            self.holders.insert((*address, id));
            self.dirty.insert((*address).into());
        }
    }

    /// An endpoint leaves.
    pub(crate) fn endpoint_removed(&mut self, id: ItemId, endpoint: &Endpoint) {
        if let Some(local) = &endpoint.local
            && let Some(count) = self.endpoints.get_mut(&local.node)
        {
            *count -= 1;
            if *count == 0 {
                self.endpoints.remove(&local.node);
                self.nodes_changed = true;
            }
        }
        for address in routed_addresses(endpoint) {
            self.holders.remove(&(*address, id));
            self.dirty.insert((*address).into());
        }
    }

    /// Wanted nodes that exist, as of the last [`Self::publish`].
    pub(crate) fn nodes(&self) -> &BTreeSet<Arc<str>> {
        &self.told
    }

    /// Tells each wanted node that exists what changed for it. Returns whether nodes came or left.
    pub(crate) fn publish(&mut self, items: &Items, symbols: &Symbols, output: &mut Output) -> bool {
        let (came, gone) = self.changed_nodes();
        let nodes_changed = !(came.is_empty() && gone.is_empty());
        for node in &gone {
            self.tell_all(node, output, false);
            self.told.remove(node);
        }
        for prefix in std::mem::take(&mut self.dirty) {
            let new = self.resolve(items, symbols, prefix);
            let old = self.published.get(&prefix).cloned().unwrap_or_default();
            if new != old {
                tell_difference(&prefix, &old, &new, &self.told, output);
                self.published.remove(&prefix);
                if new != Destination::default() {
                    self.published.insert(prefix, new);
                }
            }
        }
        for node in came {
            self.tell_all(&node, output, true);
            self.told.insert(node);
        }
        nodes_changed
    }

    /// Wanted nodes that came and that left. A node exists where it has a resource or an endpoint.
    fn changed_nodes(&mut self) -> (BTreeSet<Arc<str>>, BTreeSet<Arc<str>>) {
        if !std::mem::take(&mut self.nodes_changed) {
            return (BTreeSet::new(), BTreeSet::new());
        }
        let by_resource = self.nodes.keys().filter(|name| self.wanted.want(name));
        let known: BTreeSet<_> = by_resource.chain(self.endpoints.keys()).cloned().collect();
        (&known - &self.told, &self.told - &known)
    }

    /// Everything to a node that came, or nothing any more to one that left.
    fn tell_all(&self, node: &Arc<str>, output: &mut Output, exists: bool) {
        for (prefix, destination) in &self.published {
            if let Some(route) = destination.seen_from(node) {
                output.delta(node).routes.insert(*prefix, exists.then_some(route));
            }
        }
    }

    fn resolve(&self, items: &Items, symbols: &Symbols, prefix: IpNet) -> Destination {
        let mut destination = Destination::default();
        if prefix.prefix_len() == prefix.max_prefix_len() {
            self.resolve_workload(items, symbols, prefix.addr(), &mut destination);
        }
        if let Some(owner) = self.blocks.owner(&prefix) {
            if self.wanted.want(owner) {
                destination.at.entry(owner.clone()).or_insert(RouteIntent::Blackhole);
            }
            destination.elsewhere = destination.elsewhere.or_else(|| self.via(owner, prefix.addr()));
        }
        destination
    }

    /// The workload's own interface where it lives; its node's address elsewhere, unless a block routes there anyway.
    fn resolve_workload(&self, items: &Items, symbols: &Symbols, address: IpAddr, destination: &mut Destination) {
        let ids = self.holders.range((address, ItemId::MIN)..=(address, ItemId::MAX));
        let mut holders: Vec<&Item> = ids.filter_map(|(_, id)| items.get(*id)).collect();
        holders.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let covering = self.blocks.covering(address);
        for endpoint in holders.into_iter().filter_map(Item::endpoint) {
            if let Some(local) = &endpoint.local
                && let Attachment::Workload { interface, .. } = &local.attachment
            {
                let route = RouteIntent::LocalWorkload { interface: interface.clone() };
                destination.at.entry(local.node.clone()).or_insert(route);
            }
            let node = symbols.text(endpoint.node);
            if destination.elsewhere.is_none() && covering != Some(node) {
                destination.elsewhere = self.via(node, address);
            }
        }
    }

    /// A node and its address in the family of what lies behind it.
    fn via(&self, node: &Arc<str>, address: IpAddr) -> Option<(Arc<str>, IpAddr)> {
        let bgp = self.nodes.get(node)?;
        let own = if address.is_ipv4() { bgp.ipv4_address } else { bgp.ipv6_address };
        own.map(|own| (node.clone(), own.addr()))
    }
}

/// A host's addresses are its own business.
fn routed_addresses(endpoint: &Endpoint) -> impl Iterator<Item = &IpAddr> {
    endpoint.addresses.iter().filter(|_| endpoint.is_workload)
}

/// Tells nodes what changed for them: all, or those at the destination where nothing changed elsewhere.
fn tell_difference<'a>(
    prefix: &IpNet,
    old: &'a Destination,
    new: &'a Destination,
    nodes: &'a BTreeSet<Arc<str>>,
    output: &mut Output,
) {
    let mut tell = |node| {
        let route = new.seen_from(node);
        if route != old.seen_from(node) {
            output.delta(node).routes.insert(*prefix, route);
        }
    };
    if old.elsewhere == new.elsewhere {
        let at = old.at.keys().chain(new.at.keys()).collect::<BTreeSet<_>>();
        at.into_iter().filter(|node| nodes.contains(*node)).for_each(tell);
    } else {
        nodes.iter().for_each(&mut tell);
    }
}
