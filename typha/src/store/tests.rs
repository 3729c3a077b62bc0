//! Whatever happened, "everything since g" leads from the state at g to the present one.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{
    Key, Kind, Update, Version,
    digest::{Digest, EntryHash},
};
use proptest::{collection::vec, option, prelude::*};
use prost::Message as _;
use proto::sync::v1::Batch;

use super::*;

/// What a reader holds: values and revisions by key.
type State = BTreeMap<String, (Bytes, Version)>;

const DATASTORE: u64 = 1;

fn key(number: u8) -> Key {
    Key::global(Kind::GlobalNetworkSet, format!("set-{number}"))
}

fn update(number: u8, value: Option<u8>, revision: Version) -> Update {
    Update { key: key(number), value: value.map(|value| Bytes::from(vec![value])), revision }
}

/// What the index says since a revision, applied to a state as a client would.
fn advance(state: &State, view: &View, since: Version, tombstones_after: Version) -> State {
    let mut state = state.clone();
    for entry in view.since(&Cursor::after(since), tombstones_after, None) {
        let mut elements = Batch::decode(entry.encoded()).expect("an element of a batch").entries;
        let element = elements.remove(0);
        assert_eq!((element.key.as_str(), element.revision), (&**entry.key(), entry.revision()));
        match element.value {
            Some(value) => state.insert(element.key, (value, element.revision)),
            None => state.remove(&element.key),
        };
    }
    state
}

fn digest(state: &State) -> Digest {
    let mut digest = Digest::default();
    for (key, (value, revision)) in state {
        digest.add(EntryHash::of(key, *revision, value));
    }
    digest
}

/// What a datastore does.
#[derive(Clone, Debug)]
enum Step {
    /// Writes keys (`None` deletes) in one transaction.
    Transaction(BTreeMap<u8, Option<u8>>),
    /// Writes keys while nobody watches, then is listed.
    Relist(Vec<BTreeMap<u8, Option<u8>>>),
    /// Writes keys that are not ours.
    Progress,
}

fn transaction() -> impl Strategy<Value = BTreeMap<u8, Option<u8>>> {
    proptest::collection::btree_map(0..12u8, option::of(any::<u8>()), 1..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => transaction().prop_map(Step::Transaction),
        1 => vec(transaction(), 0..5).prop_map(Step::Relist),
        1 => Just(Step::Progress),
    ]
}

/// A datastore, a store fed from it, and all their past.
struct World {
    truth: State,
    revision: Version,
    store: Store,
    past: Vec<(Version, State)>,
}

impl World {
    fn new() -> Self {
        let truth = State::new();
        Self { truth: truth.clone(), revision: 0, store: Store::new(DATASTORE, 0), past: vec![(0, truth)] }
    }

    fn write(&mut self, writes: &BTreeMap<u8, Option<u8>>) -> Vec<Update> {
        self.revision += 1;
        let updates: Vec<_> = writes.iter().map(|(number, value)| update(*number, *value, self.revision)).collect();
        for update in &updates {
            match &update.value {
                Some(value) => self.truth.insert(update.key.to_string(), (value.clone(), update.revision)),
                None => self.truth.remove(&update.key.to_string()),
            };
        }
        updates
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Transaction(writes) => {
                let updates = self.write(writes);
                self.store.apply(self.revision, &updates);
            }
            Step::Relist(missed) => {
                for writes in missed {
                    self.write(writes);
                }
                let mut relist = Relist::start(&self.store, DATASTORE);
                for (key, (value, revision)) in &self.truth {
                    let key = key.parse().expect("our key");
                    relist.items(&[Update { key, value: Some(value.clone()), revision: *revision }]);
                }
                self.store = relist.finish(self.revision).expect("a newer list");
            }
            Step::Progress => {
                self.revision += 1;
                self.store.advance(self.revision);
            }
        }
        self.past.push((self.revision, self.truth.clone()));
    }
}

proptest! {
    #[test]
    fn the_index_leads_from_any_past_to_the_present(steps in vec(step(), 1..40)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
            let view = world.store.view();
            prop_assert_eq!(view.revision(), world.revision);
            prop_assert_eq!(view.keys(), world.truth.len());
            prop_assert_eq!(view.digest(), digest(&world.truth));
        }
        let view = world.store.view();
        for (revision, state) in &world.past {
            prop_assert_eq!(&advance(state, &view, *revision, *revision), &world.truth, "since {}", revision);
            if let Some(known) = view.digest_at(*revision) {
                prop_assert_eq!(known, digest(state), "at {}", revision);
            }
        }
        prop_assert_eq!(&advance(&State::new(), &view, 0, view.revision()), &world.truth, "a snapshot");
        let snapshot_has_tombstones =
            view.since(&Cursor::after(0), view.revision(), None).any(|entry| entry.is_tombstone());
        prop_assert!(!snapshot_has_tombstones);
    }

    #[test]
    fn a_view_never_changes(steps in vec(step(), 2..20)) {
        let mut world = World::new();
        let mut views = Vec::new();
        for step in &steps {
            world.run(step);
            views.push((world.store.view(), world.truth.clone()));
        }
        for (view, truth) in &views {
            prop_assert_eq!(&advance(&State::new(), view, 0, view.revision()), truth);
        }
    }
}

#[test]
fn a_relist_keeps_the_revisions_of_what_did_not_change() {
    let mut store = Store::new(DATASTORE, 0);
    store.apply(5, &[update(1, Some(1), 5), update(2, Some(2), 5)]);
    let mut relist = Relist::start(&store, DATASTORE);
    relist.items(&[update(1, Some(1), 5)]);
    let store = relist.finish(9).expect("a newer list");
    let view = store.view();
    let since: Vec<_> =
        view.since(&Cursor::after(5), 5, None).map(|entry| (entry.revision(), entry.is_tombstone())).collect();
    assert_eq!(since, [(9, true)], "only the key that is gone is news");
    assert_eq!(view.epoch(), 0, "readers go on");
}

#[test]
fn a_list_that_is_older_changes_nothing() {
    let mut store = Store::new(DATASTORE, 0);
    store.apply(5, &[update(1, Some(1), 5)]);
    let relist = Relist::start(&store, DATASTORE);
    let error = relist.finish(4).map(|_| ()).expect_err("it is older");
    assert_eq!((error.revision, error.current), (4, 5));
}

#[test]
fn a_backup_whose_revision_was_raised_replaces_what_happened_after_it() {
    let mut store = Store::new(DATASTORE, 0);
    store.apply(3, &[update(1, Some(1), 3), update(2, Some(1), 3), update(3, Some(1), 3)]);
    // The backup is made here.
    store.apply(5, &[update(1, Some(9), 5), update(2, None, 5), update(4, Some(9), 5)]);
    let mut relist = Relist::start(&store, DATASTORE);
    relist.items(&[update(1, Some(1), 3), update(2, Some(1), 3), update(3, Some(1), 3)]);
    let view = relist.finish(1000).expect("a newer list").view();
    let held = advance(&State::new(), &view, 0, view.revision());
    let expected: State = (1..=3).map(|number| (key(number).to_string(), (Bytes::from(vec![1]), 3))).collect();
    assert_eq!((&held, view.keys(), view.digest()), (&expected, 3, digest(&expected)));
    assert_ne!(view.epoch(), store.view().epoch(), "readers cannot go on");
}

#[test]
fn another_datastore_is_another_line_of_history() {
    let mut store = Store::new(DATASTORE, 0);
    store.apply(5, &[update(1, Some(1), 5)]);
    let mut relist = Relist::start(&store, DATASTORE + 1);
    relist.items(&[update(2, Some(2), 2)]);
    let view = relist.finish(3).expect("a newer list").view();
    assert_eq!((view.datastore_id(), view.revision(), view.keys()), (DATASTORE + 1, 3, 1));
    assert_ne!(view.epoch(), store.view().epoch());
}

#[test]
fn a_late_change_is_taken_and_starts_a_new_line_of_history() {
    let mut store = Store::new(DATASTORE, 0);
    store.apply(5, &[update(1, Some(1), 5)]);
    store.advance(9);
    store.apply(7, &[update(2, Some(2), 7)]);
    assert_eq!((store.view().keys(), store.revision(), store.epoch()), (2, 9, 1));
    store.apply(7, &[update(2, Some(2), 7)]);
    assert_eq!(store.epoch(), 1, "a repetition is no news");
}

#[test]
fn tombstones_are_bounded_and_the_floor_tells_what_was_dropped() {
    let mut store = Store::new(DATASTORE, 0);
    let long = |number: u64| Key::global(Kind::GlobalNetworkSet, format!("{number:0>240}"));
    let deletions = 2 * TOMBSTONE_ALLOWANCE_BYTES as u64 / 240;
    for number in 0..deletions {
        let revision = 2 * number + 1;
        store.apply(revision, &[Update { key: long(number), value: Some(Bytes::from_static(b"x")), revision }]);
        store.apply(revision + 1, &[Update { key: long(number), value: None, revision: revision + 1 }]);
    }
    let view = store.view();
    let tombstones: usize = view.since(&Cursor::after(0), 0, None).map(|entry| memory_bytes(entry)).sum();
    assert!(tombstones <= TOMBSTONE_ALLOWANCE_BYTES, "{tombstones} bytes");
    assert!(tombstones > TOMBSTONE_ALLOWANCE_BYTES / 2, "no more are dropped than must be");
    let oldest = view.since(&Cursor::after(0), 0, None).next().expect("some are left").revision();
    assert_eq!(view.floor(), oldest - 2, "the newest that was dropped");
    assert_eq!((view.keys(), view.digest()), (0, Digest::default()));
}

#[test]
fn the_history_of_digests_is_bounded() {
    let mut store = Store::new(DATASTORE, 0);
    for revision in 1..=DIGEST_HISTORY as u64 + 10 {
        store.apply(revision, &[update(1, Some(1), revision)]);
    }
    assert_eq!(store.view().digest_at(5), None);
    assert!(store.view().digest_at(20).is_some());
}
