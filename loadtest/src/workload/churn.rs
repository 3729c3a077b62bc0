//! A cluster's daily life: of ten slots eight are pods that are made and deleted in turn, each under a new name; one is
//! a network set and one an IPAM block, which change whenever pods around them do.
//!
//! Even pod slots begin with a pod, odd ones without, so that the number of pods stays about the same.

use bytes::Bytes;
use datastore_adapters::Write;
use model::{Key, Kind};

use super::{Stamp, sets};

const NAMESPACE: &str = "loadtest";

/// What a slot holds.
enum Part {
    Pod,
    Set,
    Block,
}

fn part(slot: u32) -> Part {
    match slot % 10 {
        0 => Part::Set,
        5 => Part::Block,
        _ => Part::Pod,
    }
}

/// What a slot holds before the run.
pub(super) fn seed(slot: u32) -> Option<Write> {
    let stamp = Stamp::default();
    match part(slot) {
        Part::Pod if slot % 2 == 1 => None,
        Part::Pod => Some(Write::Put(pod_key(slot, 0), pod(slot, 0, stamp))),
        Part::Set | Part::Block => Some(write(slot, 0, stamp)),
    }
}

/// What happens to a slot at its visit of this number, from 0 on.
pub(super) fn write(slot: u32, visit: u32, stamp: Stamp) -> Write {
    match part(slot) {
        Part::Set => Write::Put(sets::key(slot), sets::value(slot, stamp)),
        Part::Block => Write::Put(block_key(slot), block(slot, stamp)),
        Part::Pod => {
            let life = life(slot, visit);
            let key = pod_key(slot, life);
            if is_deletion(slot, visit) { Write::Delete(key) } else { Write::Put(key, pod(slot, life, stamp)) }
        }
    }
}

/// Whether a visit deletes the slot's pod.
pub(super) fn is_deletion(slot: u32, visit: u32) -> bool {
    matches!(part(slot), Part::Pod) && visit % 2 == slot % 2
}

/// The pod that a visit is about: a pod is made at one visit and deleted at the next.
fn life(slot: u32, visit: u32) -> u32 {
    if slot % 2 == 1 { visit / 2 } else { visit.div_ceil(2) }
}

/// The visit that deletes a pod.
fn last_visit(slot: u32, life: u32) -> u32 {
    life * 2 + slot % 2
}

/// The slot of a key; `None` for keys that are not ours.
pub(super) fn slot(key: &str) -> Option<u32> {
    let block = |key: &str| {
        let mut octets = key.strip_prefix("IPAMBlock/10.")?.strip_suffix(".0-26")?.split('.');
        Some(octets.next()?.parse::<u32>().ok()? << 8 | octets.next()?.parse::<u32>().ok()?)
    };
    pod_of(key).map(|(slot, _)| slot).or_else(|| sets::index(key)).or_else(|| block(key))
}

/// The slot and the visit of the deletion of a key.
pub(super) fn deletion(key: &str) -> Option<(u32, u32)> {
    let (slot, life) = pod_of(key)?;
    Some((slot, last_visit(slot, life)))
}

fn pod_of(key: &str) -> Option<(u32, u32)> {
    let (slot, life) = key.strip_prefix("Pod/loadtest/loadtest-")?.split_once('-')?;
    Some((slot.parse().ok()?, life.parse().ok()?))
}

fn pod_key(slot: u32, life: u32) -> Key {
    Key::namespaced(Kind::Pod, NAMESPACE, format!("loadtest-{slot:04}-{life:07}"))
}

fn block_key(slot: u32) -> Key {
    Key::global(Kind::IpamBlock, format!("10.{}.{}.0-26", slot >> 8, slot & 0xff))
}

fn pod(slot: u32, life: u32, stamp: Stamp) -> Bytes {
    let (high, low) = (slot >> 8, slot & 0xff);
    format!(
        concat!(
            r#"{{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"loadtest-{slot:04}-{life:07}","#,
            r#""namespace":"loadtest","labels":{{"app":"loadtest","loadtest-write":"{stamp}"}}}},"#,
            r#""spec":{{"nodeName":"loadtest-{node:05}","serviceAccountName":"default"}},"#,
            r#""status":{{"phase":"Running","podIP":"10.{high}.{low}.{host}"}}}}"#
        ),
        slot = slot,
        life = life,
        stamp = stamp,
        node = slot % 100,
        high = high,
        low = low,
        host = 1 + life % 62
    )
    .into()
}

fn block(slot: u32, stamp: Stamp) -> Bytes {
    format!(
        concat!(
            r#"{{"cidr":"10.{}.{}.0/26","affinity":"host:loadtest-{:05}","allocations":[0,null],"#,
            r#""attributes":[{{"handle_id":"loadtest","secondary":{{"loadtest-write":"{}"}}}}]}}"#
        ),
        slot >> 8,
        slot & 0xff,
        slot % 100,
        stamp
    )
    .into()
}
