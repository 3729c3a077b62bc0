//! Every write is recognised by whoever receives it, and churn leaves no write without a fate.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::*;

fn workload(content: Content, keys: u32) -> Workload {
    Workload::new(content, keys, 1, Instant::now())
}

/// What typha hands out for a value.
fn projected(key: &Key, value: &Bytes) -> Bytes {
    match key.kind() {
        Kind::Pod => model::kubernetes::project(key, value).unwrap().expect("pods here have a network"),
        _ => value.clone(),
    }
}

#[test]
fn values_are_resources_and_carry_their_stamp() {
    for content in [Content::Sets, Content::Churn] {
        let workload = workload(content, 100);
        for number in 1..=200 {
            let intended = Duration::from_micros(u64::from(number) * 1_234_567);
            let (slot, write) = workload.write(number, intended);
            let Write::Put(key, value) = write else { continue };
            let value = projected(&key, &value);
            let arrival = workload.read(&key.to_string(), Some(&value));
            assert_eq!(arrival, Some(Arrival { slot, stamp: Stamp { number, intended } }), "{key}");
            assert!((150..700).contains(&value.len()), "{key}: {} bytes", value.len());
            model::resource::Resource::parse(&key, &value).unwrap();
        }
    }
    assert_eq!(workload(Content::Sets, 1).read("Tier/default", Some(b"{}")), None);
    assert_eq!(workload(Content::Sets, 1).read(&grave(3).to_string(), Some(b"{}")), None);
}

#[test]
fn deletions_tell_their_number_and_time() {
    let workload = Workload::new(Content::Churn, 20, 4, Instant::now());
    let schedule = workload.begin(Schedule::new(workload.epoch(), 10.0, 1));
    let mut deletions = 0;
    for number in 1..=200_u32 {
        let (slot, Write::Delete(key)) = workload.write(number, Duration::ZERO) else { continue };
        let intended = schedule.intended(u64::from((number - 1) / 4)).duration_since(workload.epoch());
        let arrival = Arrival { slot, stamp: Stamp { number, intended } };
        assert_eq!(workload.read(&key.to_string(), None), Some(arrival), "{key}");
        deletions += 1;
    }
    assert!(deletions > 50, "{deletions}");
}

#[test]
fn churn_deletes_only_what_is_there_and_never_uses_a_pod_twice() {
    let workload = workload(Content::Churn, 20);
    let mut present: BTreeSet<Key> = BTreeSet::new();
    let mut seen: BTreeSet<Key> = BTreeSet::new();
    let mut skipped: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let writes = (1..=400_u32).map(|number| (number, workload.write(number, Duration::ZERO)));
    for (number, (slot, write)) in workload.seed().map(|write| (0, (0, write))).chain(writes) {
        match write {
            Write::Put(key, _) => {
                assert!(present.insert(key.clone()) || key.kind() != Kind::Pod, "{key} is there already");
                assert!(seen.insert(key.clone()) || key.kind() != Kind::Pod, "{key} was there before");
            }
            Write::Delete(key) => {
                assert!(present.remove(&key), "{key} is not there");
                skipped.entry(slot).or_default().push(number);
            }
        }
    }
    for (slot, deletions) in skipped {
        let found: Vec<u32> = workload.irreplaceable(slot, 0, 401 + slot).collect();
        assert_eq!(found, deletions, "slot {slot}");
    }
}
