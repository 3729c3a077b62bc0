//! Every write is recognised by whoever receives it, and churn leaves no write without a fate.

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio::time::Instant;

use super::*;

fn workload(content: Content, keys: u32) -> Workload {
    Workload::new(content, keys, 1)
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
            let Write::Put(key, value) = workload.write(number, intended) else { continue };
            let value = projected(&key, &value);
            let stamp = workload.read(&key.to_string(), Some(&value));
            assert_eq!(stamp, Some(Stamp { number, intended }), "{key}");
            assert!((150..700).contains(&value.len()), "{key}: {} bytes", value.len());
            model::resource::Resource::parse(&key, &value).unwrap();
        }
    }
    assert_eq!(workload(Content::Sets, 1).read("Tier/default", Some(b"{}")), None);
    assert_eq!(workload(Content::Sets, 1).read(&grave(3).to_string(), Some(b"{}")), None);
}

#[test]
fn deletions_tell_their_number_and_time() {
    let workload = Workload::new(Content::Churn, 20, 4);
    let schedule = workload.begin(Schedule::new(Instant::now(), 10.0, 1));
    let mut deletions = 0;
    for number in 1..=200_u32 {
        let Write::Delete(key) = workload.write(number, Duration::ZERO) else { continue };
        let intended = workload.clock().since_unix(schedule.intended(u64::from((number - 1) / 4)));
        assert_eq!(workload.read(&key.to_string(), None), Some(Stamp { number, intended }), "{key}");
        deletions += 1;
    }
    assert!(deletions > 50, "{deletions}");
}

#[test]
fn churn_deletes_only_what_is_there_and_never_uses_a_pod_twice() {
    let workload = workload(Content::Churn, 20);
    let mut present: BTreeSet<Key> = BTreeSet::new();
    let mut seen: BTreeSet<Key> = BTreeSet::new();
    let writes = (1..=400_u32).map(|number| (number, workload.write(number, Duration::ZERO)));
    for (number, write) in workload.seed().map(|write| (0, write)).chain(writes) {
        match write {
            Write::Put(key, _) => {
                assert!(present.insert(key.clone()) || key.kind() != Kind::Pod, "{key} is there already");
                assert!(seen.insert(key.clone()) || key.kind() != Kind::Pod, "{key} was there before");
                assert!(number == 0 || !workload.is_irreplaceable(number), "{key}");
            }
            Write::Delete(key) => {
                assert!(present.remove(&key), "{key} is not there");
                assert!(workload.is_irreplaceable(number), "{key}");
            }
        }
    }
}
