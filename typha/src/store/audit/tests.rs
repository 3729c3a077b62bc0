//! Whatever part of an entry is damaged, the audit names it, and what the datastore says makes the state whole again.

use bytes::Bytes;
use model::{Kind, Update, Version};

use super::*;
use crate::store::{Cursor, Relist, Store, Wanted, damage::flip};

const KEYS: u64 = 1200;

fn key(number: u64) -> Key {
    Key::global(Kind::GlobalNetworkSet, format!("set-{number:04}"))
}

fn put(number: u64, revision: Version) -> Update {
    Update { key: key(number), value: Some(Bytes::from(format!("value {number}"))), revision }
}

fn store() -> Store {
    let mut store = Store::new(7, 0);
    for number in 1..=KEYS {
        store.apply(number, &[put(number, number)]);
    }
    store.apply(KEYS + 1, &[Update { value: None, ..put(5, KEYS + 1) }]);
    store
}

/// A whole round over some ranges.
fn audit(store: &Store, ranges: RangeSet) -> (Vec<Damage>, End) {
    let (mut audit, mut damaged) = (Audit::start(store.view(), ranges), Vec::new());
    loop {
        let slice = audit.slice();
        damaged.extend(slice.damaged);
        if let Some(end) = slice.end {
            return (damaged, end);
        }
    }
}

fn keys_of(damaged: &[Damage]) -> Vec<String> {
    damaged.iter().flat_map(|damage| &damage.candidates).map(Key::to_string).collect()
}

/// What the datastore answers to what the store wants.
fn answer(store: &mut Store, revision: Version) -> usize {
    let mut answered = 0;
    while let Some(wanted) = store.wanted(100) {
        let Wanted::Keys(keys) = wanted else { panic!("the key can be read") };
        let items = keys.iter().map(|wanted| {
            let number: Option<u64> = wanted.name().strip_prefix("set-").and_then(|number| number.parse().ok());
            let there = number.filter(|number| (1..=KEYS).contains(number) && *number != 5 && key(*number) == *wanted);
            there.map_or(Update { key: wanted.clone(), value: None, revision }, |number| put(number, number))
        });
        answered += keys.len();
        store.restore(&items.collect::<Vec<_>>());
    }
    answered
}

fn state(store: &Store) -> Vec<(Bytes, Version)> {
    let view = store.view();
    let start = Cursor::after(0);
    let entries = view.since(&start, view.revision(), None);
    entries.map(|entry| (Bytes::copy_from_slice(entry.encoded()), entry.revision())).collect()
}

#[test]
fn a_whole_state_is_found_whole_slice_by_slice() {
    let store = store();
    let mut audit = Audit::start(store.view(), RangeSet::all());
    let slices = std::iter::from_fn(|| Some(audit.slice())).take_while(|slice| slice.end.is_none()).count();
    assert_eq!(slices as u64, KEYS / 1000);
    assert_eq!(super::tests::audit(&store, RangeSet::all()), (vec![], End::Done));
}

#[test]
fn a_flipped_bit_anywhere_in_an_entry_is_found_and_mended_by_its_key_alone() {
    let whole = store();
    let (expected, digest, ranges) = (state(&whole), whole.view().digest(), whole.view().ranges().clone());
    let encoded = whole.view().get(&key(700).to_string()).expect("it is there").encoded().len();
    for at in 0..encoded {
        let mut store = store();
        flip(&store.view().get(&key(700).to_string()).expect("it is there").encoded()[at]);
        let (damaged, end) = audit(&store, RangeSet::all());
        assert_eq!((damaged.len(), end), (1, End::Done), "byte {at}");
        assert!(keys_of(&damaged).contains(&key(700).to_string()), "byte {at}");
        store.put_away(&damaged);
        assert!(!store.is_whole());
        assert_eq!(store.view().keys() as u64, KEYS - 2, "nobody gets it");
        assert!(answer(&mut store, KEYS + 1) <= 2, "at most what it is and what it looks like");
        assert!(store.is_whole());
        assert_eq!((store.view().digest(), store.view().ranges()), (digest, &ranges));
        assert_eq!(state(&store), expected);
        assert_eq!(store.view().epoch(), 0, "readers go on");
        assert_eq!(audit(&store, RangeSet::all()), (vec![], End::Done));
    }
}

#[test]
fn a_damaged_key_is_found_under_the_name_in_its_bytes() {
    for at in [0, 16, 20] {
        let mut store = store();
        let (expected, view) = (state(&store), store.view());
        flip(&view.get(&key(700).to_string()).expect("it is there").key().as_bytes()[at]);
        let (damaged, _) = audit(&store, RangeSet::all());
        assert!(keys_of(&damaged).contains(&key(700).to_string()), "byte {at}: {damaged:?}");
        store.put_away(&damaged);
        answer(&mut store, KEYS + 1);
        assert_eq!(state(&store), expected);
        assert_eq!(audit(&store, RangeSet::all()), (vec![], End::Done));
    }
}

#[test]
fn damaged_sums_are_made_anew_without_asking_anybody() {
    for damage in [
        |store: &mut Store| store.view.digest = Digest::default(),
        |store: &mut Store| store.view.ranges = Ranges::default(),
        |store: &mut Store| store.view.keys += 1,
        |store: &mut Store| {
            let (place, entry) = store.view.index.get_min().expect("there are some").clone();
            drop(entry);
            store.view.index.remove(&place);
        },
    ] {
        let mut store = store();
        let (expected, digest) = (state(&store), store.view().digest());
        damage(&mut store);
        let (damaged, end) = audit(&store, RangeSet::default());
        assert_eq!((damaged, end), (vec![], End::SumsDiffer));
        store.put_away(&[]);
        assert!(store.is_whole());
        assert_eq!((state(&store), store.view().digest()), (expected, digest));
        assert_eq!(store.view().digest_at(3), None, "what was told of the past may be wrong too");
        assert_eq!(audit(&store, RangeSet::all()), (vec![], End::Done));
    }
}

#[test]
fn only_the_ranges_that_are_doubted_are_examined() {
    let store = store();
    let range = range_of(&key(700).to_string());
    flip(&store.view().get(&key(700).to_string()).expect("it is there").encoded()[30]);
    assert_eq!(audit(&store, [range.wrapping_add(1)].into_iter().collect()).0, []);
    assert_eq!(audit(&store, [range].into_iter().collect()).0.len(), 1);
}

#[test]
fn what_changes_or_goes_while_it_is_lost_is_told_as_such() {
    let mut store = store();
    for number in [700, 800] {
        flip(&store.view().get(&key(number).to_string()).expect("it is there").encoded()[30]);
    }
    let (damaged, _) = audit(&store, RangeSet::all());
    store.put_away(&damaged);
    store.apply(KEYS + 2, &[put(700, KEYS + 2), Update { value: None, ..put(800, KEYS + 2) }]);
    assert!(store.is_whole(), "both are known again");
    store.restore(&[put(700, 700), put(800, 800)]);
    let view = store.view();
    let news: Vec<_> = view.since(&Cursor::after(KEYS + 1), KEYS + 1, None).map(|entry| entry.is_tombstone()).collect();
    assert_eq!(news, [false, true], "an answer from before changes nothing, and readers hear of the end");
}

#[test]
fn a_list_makes_whole_what_nothing_can_be_read_of() {
    let mut store = store();
    let view = store.view();
    let entry = view.get(&key(700).to_string()).expect("it is there");
    let place = entry.encoded().windows(3).position(|bytes| bytes == b"set").expect("the key is in the bytes");
    flip(&entry.key().as_bytes()[3]);
    flip(&entry.encoded()[place - 5]);
    let (damaged, _) = audit(&store, RangeSet::all());
    assert_eq!(keys_of(&damaged), [""; 0]);
    store.put_away(&damaged);
    assert_eq!(store.wanted(100), Some(Wanted::List));
    let mut relist = Relist::start(&store, 7);
    relist.items(&(1..=KEYS).filter(|number| *number != 5).map(|number| put(number, number)).collect::<Vec<_>>());
    let store = relist.finish(KEYS + 2).expect("a newer list");
    assert!(store.is_whole());
    assert_eq!(state(&store), state(&super::tests::store()));
}

#[test]
fn what_a_list_no_longer_has_is_gone_for_readers_too() {
    let mut store = store();
    flip(&store.view().get(&key(700).to_string()).expect("it is there").encoded()[30]);
    let (damaged, _) = audit(&store, RangeSet::all());
    store.put_away(&damaged);
    let mut relist = Relist::start(&store, 7);
    let listed: Vec<_> = (1..=KEYS).filter(|number| ![5, 700].contains(number)).map(|n| put(n, n)).collect();
    relist.items(&listed);
    let store = relist.finish(KEYS + 2).expect("a newer list");
    let view = store.view();
    let news: Vec<_> = view.since(&Cursor::after(KEYS + 1), KEYS + 1, None).map(|entry| &**entry.key()).collect();
    assert_eq!((store.is_whole(), news), (true, vec![&*key(700).to_string()]));
}

#[test]
fn what_is_not_whole_leaves_no_digest_by_which_clients_are_judged() {
    let mut store = store();
    flip(&store.view().get(&key(700).to_string()).expect("it is there").encoded()[30]);
    let (damaged, _) = audit(&store, RangeSet::all());
    store.put_away(&damaged);
    store.apply(KEYS + 2, &[put(1, KEYS + 2)]);
    answer(&mut store, KEYS + 2);
    let whole = store.view().digest();
    assert_eq!(store.view().digest_at(KEYS + 2), Some(whole));
    store.apply(KEYS + 3, &[put(2, KEYS + 3)]);
    assert!(store.view().digest_at(KEYS + 2).is_none_or(|told| told == whole), "who has that state is right");
    assert_eq!(store.view().digest_at(KEYS + 3), Some(store.view().digest()));
}
