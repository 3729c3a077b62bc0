//! What the store costs at 500,000 keys, as ratios to what the same bytes cost at the least: `cargo bench -p typha`.
//!
//! Floors are measured in the same run, so that the numbers mean the same on every machine: a plain ordered map with
//! the same keys and values, and a copy of the state's bytes.

use std::{
    collections::BTreeMap,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use model::{Key, Kind, Update, Version, digest::RangeSet};
use typha::{
    batch::{Batches, Encoding, Wanted},
    store::{Audit, Cursor, Store, View},
};

const KEYS: u64 = 500_000;
const VALUE_BYTES: usize = 350;
const TRANSACTION: u64 = 20;
/// What a client missed that comes back.
const MISSED: u64 = 1000;

fn main() {
    let updates: Vec<Update> = (1..=KEYS).map(|number| put(number, 1 + number / TRANSACTION)).collect();
    let (apply, store_bytes, mut store) = measured(|| filled(&updates));
    // Afterwards: what it gives back would hide what the store takes.
    let (floor, floor_bytes, map) = measured(|| ordered_map(&updates));
    drop((map, updates));
    println!("{KEYS} keys of {VALUE_BYTES} bytes");
    row("apply, a key", apply / KEYS as u32, floor / KEYS as u32, "an ordered map");
    let state_bytes = store.view().state_bytes();
    println!(
        "{:<28} {:>9} MB  {:>5.2} x the entries' bytes ({} MB)",
        "memory",
        mb(store_bytes),
        store_bytes as f64 / state_bytes as f64,
        mb(state_bytes)
    );
    println!("{:<28} {:>9} MB", "memory of an ordered map", mb(floor_bytes));

    let (copy, ..) = measured(|| black_box(vec![1_u8; state_bytes]).len());
    let (snapshot, _, bytes) = measured(|| scan(&store.view(), 0));
    row("snapshot", snapshot, copy, "a copy of its bytes");
    assert!(bytes >= state_bytes);

    let before = store.revision();
    for number in 1..=MISSED {
        let revision = before + number;
        store.apply(revision, &[put(number * (KEYS / MISSED), revision)]);
    }
    let (resume, _, bytes) = measured(|| scan(&store.view(), before));
    let (copy, ..) = measured(|| black_box(vec![1_u8; bytes]).len());
    row("resume, 1,000 changes", resume, copy, "a copy of their bytes");

    let (audit, ..) = measured(|| audited(&store.view()));
    row("audit, a key", audit / KEYS as u32, floor / KEYS as u32, "an ordered map");

    let revision = store.revision() + 1;
    let (delete, _, ()) = measured(|| {
        let gone: Vec<_> = (1..=KEYS).map(|number| Update { value: None, ..put(number, revision) }).collect();
        store.apply(revision, &gone);
    });
    row("delete, a key", delete / KEYS as u32, floor / KEYS as u32, "an ordered map");
    let view = store.view();
    let start = Cursor::after(0);
    let tombstones: usize = view.since(&start, 0, None).map(|entry| entry.encoded().len()).sum();
    println!("{:<28} {:>9} MB, history from revision {}", "tombstones of all of them", mb(tombstones), view.floor());
}

fn put(number: u64, revision: Version) -> Update {
    let key = Key::namespaced(Kind::NetworkSet, format!("namespace-{}", number % 100), format!("set-{number:06}"));
    Update { key, value: Some(Bytes::from(vec![b'v'; VALUE_BYTES])), revision }
}

fn ordered_map(updates: &[Update]) -> BTreeMap<Arc<str>, (Box<[u8]>, Version)> {
    let item = |update: &Update| {
        let value = update.value.as_deref().unwrap_or_default();
        (Arc::from(update.key.to_string()), (Box::from(value), update.revision))
    };
    updates.iter().map(item).collect()
}

fn filled(updates: &[Update]) -> Store {
    let mut store = Store::new(1, 0);
    for transaction in updates.chunk_by(|one, next| one.revision == next.revision) {
        store.apply(transaction[0].revision, transaction);
    }
    store
}

/// All messages from a revision to the present; their bytes.
fn scan(view: &View, since: Version) -> usize {
    let batches = Batches::default();
    let (mut cursor, mut bytes) = (Cursor::after(since), 0);
    while !cursor.covers(view.revision()) {
        let wanted = Wanted {
            cursor,
            tombstones_after: since,
            ranges: None,
            checkpoint_age_ms: Some(0),
            encoding: Encoding::Identity,
        };
        let batch = batches.next(view, &wanted);
        bytes += batch.bytes.len();
        cursor = batch.next;
    }
    bytes
}

fn audited(view: &View) {
    let mut audit = Audit::start(view.clone(), RangeSet::all());
    while audit.slice().end.is_none() {}
}

/// How long something takes, by how much the process grows meanwhile, and what comes of it.
fn measured<T>(act: impl FnOnce() -> T) -> (Duration, usize, T) {
    let (before, start) = (resident_bytes(), Instant::now());
    let result = black_box(act());
    (start.elapsed(), resident_bytes().saturating_sub(before), result)
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
    kib << 10
}

fn row(what: &str, took: Duration, floor: Duration, of: &str) {
    let ratio = took.as_secs_f64() / floor.as_secs_f64();
    println!("{what:<28} {took:>12.2?}  {ratio:>5.2} x {of} ({floor:.2?})");
}

fn mb(bytes: usize) -> usize {
    bytes / 1_000_000
}
