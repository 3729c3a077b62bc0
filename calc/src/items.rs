//! What carries labels: endpoints and network sets, and the addresses that they stand for.

use std::{hash::BuildHasher, net::IpAddr, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashTable};
use ipnet::IpNet;
use model::{
    Key,
    intent::{Attachment, EndpointId, Protocol, SetMember},
};

use crate::{label_index::ClassId, symbols::Symbol};

/// An item's number; reused after the item is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ItemId(u32);

impl ItemId {
    /// Not above any other.
    pub(crate) const MIN: Self = Self(u32::MIN);
    /// Not below any other.
    pub(crate) const MAX: Self = Self(u32::MAX);
}

/// An endpoint or a network set.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) class: ClassId,
    /// Its place among the items of its class.
    pub(crate) place: u32,
    pub(crate) content: Content,
}

/// What an item stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A workload or host endpoint.
    Endpoint(Endpoint),
    /// A network set's prefixes, without host bits.
    NetworkSet(Box<[IpNet]>),
    /// A network set whose labels are known and whose prefixes are not.
    UnknownNets,
}

/// What is kept of an endpoint wherever it lives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The node that hosts it; a symbol held by the item.
    pub(crate) node: Symbol,
    pub(crate) addresses: Box<[IpAddr]>,
    pub(crate) ports: Box<[NamedPort]>,
    /// Whether it is a workload, whose addresses are routed; a host's are not ours to route.
    pub(crate) is_workload: bool,
    /// Only for endpoints of wanted nodes.
    pub(crate) local: Option<Arc<LocalEndpoint>>,
}

/// What is kept of an endpoint of a wanted node besides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LocalEndpoint {
    pub(crate) id: EndpointId,
    pub(crate) node: Arc<str>,
    pub(crate) attachment: Attachment,
}

/// A port that an endpoint declares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedPort {
    /// A symbol held by the item.
    pub(crate) name: Symbol,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

/// Which ports of endpoints a named-port set holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortFilter {
    pub(crate) name: Symbol,
    /// `None`: the port by that name in any protocol.
    pub(crate) protocol: Option<Protocol>,
}

impl Item {
    /// The endpoint, where it is one.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        match &self.content {
            Content::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        }
    }

    /// Whether it is an endpoint of a wanted node.
    pub(crate) fn is_wanted(&self) -> bool {
        self.content.is_wanted()
    }

    /// What it adds to a set of addresses.
    pub(crate) fn nets(&self) -> impl Iterator<Item = IpNet> + '_ {
        let (addresses, nets): (&[IpAddr], &[IpNet]) = match &self.content {
            Content::Endpoint(endpoint) => (&endpoint.addresses, &[]),
            Content::NetworkSet(nets) => (&[], nets),
            Content::UnknownNets => (&[], &[]),
        };
        addresses.iter().copied().map(IpNet::from).chain(nets.iter().copied())
    }

    /// What it adds to a set of named ports; network sets have no ports.
    pub(crate) fn ports(&self, filter: PortFilter) -> impl Iterator<Item = SetMember> + '_ {
        self.endpoint().into_iter().flat_map(move |endpoint| {
            let asked = endpoint.ports.iter().filter(move |port| {
                port.name == filter.name && filter.protocol.is_none_or(|protocol| protocol == port.protocol)
            });
            asked.flat_map(|port| {
                endpoint.addresses.iter().map(|address| SetMember::AddressPort(*address, port.protocol, port.port))
            })
        })
    }
}

impl Content {
    /// Whether it is an endpoint of a wanted node.
    pub(crate) fn is_wanted(&self) -> bool {
        matches!(self, Self::Endpoint(endpoint) if endpoint.local.is_some())
    }
}

/// All items, by number and by key.
#[derive(Default)]
pub(crate) struct Items {
    /// Items by their keys, which are kept in `slots` only: there are very many.
    by_key: HashTable<ItemId>,
    hasher: DefaultHashBuilder,
    /// Indexed by item; `None` where a number is free.
    slots: Vec<Option<Item>>,
    free: Vec<ItemId>,
}

impl Items {
    /// Adds an item whose key is not there yet.
    pub(crate) fn insert(&mut self, item: Item) -> ItemId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            ItemId(self.slots.len() as u32 - 1)
        });
        let hash = self.hasher.hash_one(Some(&item.key));
        self.slots[id.0 as usize] = Some(item);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_key.insert_unique(hash, id, |id| hasher.hash_one(key_of(slots, *id)));
        id
    }

    /// Takes an item out. Its number stays taken until [`Self::free`].
    pub(crate) fn detach(&mut self, id: ItemId) -> Option<Item> {
        let hash = self.hasher.hash_one(key_of(&self.slots, id));
        if let Ok(entry) = self.by_key.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        self.slots[id.0 as usize].take()
    }

    /// Gives the number of a detached item back.
    pub(crate) fn free(&mut self, id: ItemId) {
        debug_assert!(self.get(id).is_none());
        self.free.push(id);
    }

    /// The number of a key's item.
    pub(crate) fn find(&self, key: &Key) -> Option<ItemId> {
        let hash = self.hasher.hash_one(Some(key));
        self.by_key.find(hash, |id| key_of(&self.slots, *id) == Some(key)).copied()
    }

    /// An item that exists, or none.
    pub(crate) fn get(&self, id: ItemId) -> Option<&Item> {
        self.slots.get(id.0 as usize)?.as_ref()
    }

    /// An item that exists, or none.
    pub(crate) fn get_mut(&mut self, id: ItemId) -> Option<&mut Item> {
        self.slots.get_mut(id.0 as usize)?.as_mut()
    }
}

fn key_of(slots: &[Option<Item>], id: ItemId) -> Option<&Key> {
    slots[id.0 as usize].as_ref().map(|item| &item.key)
}
