//! What comes and goes leaves no more behind than there is: a replica that runs for long stays within twice its state.
//!
//! Alone in its process, because it counts what the process holds.

#[path = "abuse/memory.rs"]
mod memory;

use bytes::Bytes;
use memory::Gauge;
use model::{Key, Kind, Update};
use typha::store::Store;

/// Resources of the usual size.
const KEYS: u64 = 5000;
const VALUE_BYTES: usize = 350;

/// Pods that come and go, whose names never come again: several times what may be remembered of them.
const PASSING: u64 = 40_000;

fn update(name: &str, number: u64, revision: u64, value: Option<Bytes>) -> Update {
    let key = Key::namespaced(Kind::WorkloadEndpoint, "shop", format!("{name}-{number:06}"));
    Update { key, value, revision }
}

#[test]
fn deletions_take_no_more_than_what_exists() {
    let (gauge, mut store, mut revision) = (Gauge::start(), Store::new(1, 0).bounded(0), 0);
    let value = || Some(Bytes::from(vec![b'v'; VALUE_BYTES]));
    let mut write = |name: &str, number, value| {
        revision += 1;
        store.apply(revision, &[update(name, number, revision, value)]);
    };
    for number in 0..KEYS {
        write("kept", number, value());
    }
    let state_bytes = gauge.growth_bytes();
    for number in 0..PASSING {
        write("passing", number, value());
        write("passing", number, None);
    }
    let growth_bytes = gauge.growth_bytes();
    assert_eq!(store.view().keys() as u64, KEYS);
    assert!(growth_bytes < state_bytes * 9 / 4, "{state_bytes} bytes became {growth_bytes}");
}
