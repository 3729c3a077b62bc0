//! In which order a node prefers replicas. Pure, and the same wherever it is computed.
//!
//! Rendezvous hashing: every pair of node and replica has a score, and a node prefers the higher. So all agents agree
//! without talking to each other, a new replica gets its share from all others alike and nobody else moves, and the
//! clients of one that is gone spread over the rest. Replicas of the node's own zone come before others.

use std::cmp::Reverse;

use super::replica::Replica;

/// FNV-1a's constants: simple, without a seed, and the same in every version and on every machine, which agreeing takes.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
/// See [`FNV_OFFSET`].
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Between a node's name and an address; part of neither.
const SEPARATOR: u8 = 0xff;

/// The replicas, the one that the node prefers first. `zone` is the node's.
pub fn in_order(node: &str, zone: Option<&str>, replicas: &[Replica]) -> Vec<Replica> {
    let mut order = replicas.to_vec();
    order.sort_by_cached_key(|replica| {
        let is_elsewhere = zone.is_none() || replica.zone.as_deref() != zone;
        (replica.is_spare, is_elsewhere, Reverse(score(node, &replica.address)), replica.address.clone())
    });
    order
}

fn score(node: &str, address: &str) -> u64 {
    let bytes = node.bytes().chain([SEPARATOR]).chain(address.bytes());
    let hash = bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
    mix(hash)
}

/// FNV's last bytes reach few of its bits, and addresses differ in their last bytes. These are MurmurHash3's steps.
fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
