//! IPAM blocks and the nodes that own them.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use hashbrown::HashMap;
use ipnet::IpNet;
use model::{Key, resource::IpamBlockSpec};

/// What a block's affinity begins with where a node owns it.
const NODE_AFFINITY: &str = "host:";

/// All blocks that a node owns.
#[derive(Default)]
pub(crate) struct Blocks {
    by_key: HashMap<Key, (IpNet, Arc<str>)>,
    /// By prefix; where two keys claim one prefix, the least key wins.
    by_prefix: BTreeMap<IpNet, BTreeMap<Key, Arc<str>>>,
    /// How many prefixes have a length, by family (IPv6 or not).
    lengths: BTreeMap<(bool, u8), usize>,
}

impl Blocks {
    /// Takes a block in, or out. Returns prefixes whose owner may have changed.
    pub(crate) fn set(&mut self, key: &Key, block: Option<&IpamBlockSpec>) -> Vec<IpNet> {
        let new = block.filter(|block| !block.deleted).and_then(|block| {
            let owner = block.affinity.as_ref()?.strip_prefix(NODE_AFFINITY)?;
            Some((block.cidr.trunc(), Arc::from(owner)))
        });
        let old = self.by_key.get(key).cloned();
        if old == new {
            return Vec::new();
        }
        if let Some((prefix, _)) = &old {
            self.remove(key, *prefix);
        }
        if let Some((prefix, owner)) = &new {
            self.by_key.insert(key.clone(), (*prefix, owner.clone()));
            self.by_prefix.entry(*prefix).or_default().insert(key.clone(), owner.clone());
            *self.lengths.entry(slot(prefix)).or_default() += 1;
        }
        old.into_iter().chain(new).map(|(prefix, _)| prefix).collect()
    }

    fn remove(&mut self, key: &Key, prefix: IpNet) {
        self.by_key.remove(key);
        if let Some(owners) = self.by_prefix.get_mut(&prefix) {
            owners.remove(key);
            if owners.is_empty() {
                self.by_prefix.remove(&prefix);
            }
        }
        if let Some(count) = self.lengths.get_mut(&slot(&prefix)) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&slot(&prefix));
            }
        }
    }

    /// The prefixes of all blocks.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        self.by_prefix.keys().copied()
    }

    /// The owner of exactly this prefix.
    pub(crate) fn owner(&self, prefix: &IpNet) -> Option<&Arc<str>> {
        self.by_prefix.get(prefix)?.values().next()
    }

    /// The owner of the longest prefix that an address lies in.
    pub(crate) fn covering(&self, address: IpAddr) -> Option<&Arc<str>> {
        let family = address.is_ipv6();
        let lengths = self.lengths.range((family, 0)..=(family, u8::MAX)).rev();
        let mut prefixes = lengths.filter_map(|((_, length), _)| IpNet::new(address, *length).ok());
        prefixes.find_map(|prefix| self.owner(&prefix.trunc()))
    }
}

fn slot(prefix: &IpNet) -> (bool, u8) {
    (matches!(prefix, IpNet::V6(_)), prefix.prefix_len())
}
