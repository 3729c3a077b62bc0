//! A datastore in memory, for tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;
use datastore_adapters::{Listing, Store, StoreError, Stored, Write};
use model::{Key, Kind, Version};

/// A store that can be told to misbehave.
#[derive(Default)]
pub(super) struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    revision: Version,
    items: BTreeMap<Key, (Bytes, Version)>,
    /// Before so many of the next updates, somebody else writes the same value again.
    races: usize,
    is_down: bool,
}

impl MemoryStore {
    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.state.lock().expect("no test panics while it holds the lock");
        if state.is_down {
            return Err(StoreError::Unavailable("memory does not answer; switch it on".to_owned()));
        }
        Ok(state)
    }

    pub(super) fn put(&self, key: &str, value: &str) {
        self.state().expect("up").put(&key.parse().expect("a key"), value.to_owned().into());
    }

    pub(super) fn race(&self, times: usize) {
        self.state().expect("up").races = times;
    }

    pub(super) fn switch_off(&self) {
        self.state().expect("up").is_down = true;
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.state().expect("up").items.keys().map(Key::to_string).collect()
    }

    pub(super) fn value(&self, key: &str) -> serde_json::Value {
        let state = self.state().expect("up");
        let (value, _) = &state.items[&key.parse::<Key>().expect("a key")];
        serde_json::from_slice(value).expect("JSON")
    }
}

impl State {
    fn put(&mut self, key: &Key, value: Bytes) -> Version {
        self.revision += 1;
        self.items.insert(key.clone(), (value, self.revision));
        self.revision
    }

    fn expect_at(&self, key: &Key, expected: Version) -> Result<(), StoreError> {
        match self.items.get(key) {
            None => Err(StoreError::NotFound(key.clone())),
            Some((_, actual)) if *actual != expected => {
                Err(StoreError::Conflict { key: key.clone(), expected, actual: *actual })
            }
            Some(_) => Ok(()),
        }
    }
}

impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let state = self.state()?;
        Ok(state.items.get(key).map(|(value, revision)| Stored {
            key: key.clone(),
            value: value.clone(),
            revision: *revision,
        }))
    }

    async fn list(&self, kind: Kind, namespace: Option<&str>) -> Result<Listing, StoreError> {
        let state = self.state()?;
        let wanted = state
            .items
            .iter()
            .filter(|(key, _)| key.kind() == kind && (namespace.is_none() || key.namespace() == namespace));
        let items = wanted
            .map(|(key, (value, revision))| Stored { key: key.clone(), value: value.clone(), revision: *revision })
            .collect();
        Ok(Listing { items, revision: state.revision })
    }

    async fn create(&self, key: &Key, value: Bytes) -> Result<Version, StoreError> {
        let mut state = self.state()?;
        if state.items.contains_key(key) {
            return Err(StoreError::AlreadyExists(key.clone()));
        }
        Ok(state.put(key, value))
    }

    async fn update(&self, key: &Key, value: Bytes, expected: Version) -> Result<Version, StoreError> {
        let mut state = self.state()?;
        if state.races > 0 {
            state.races -= 1;
            let (same, _) = state.items[key].clone();
            state.put(key, same);
        }
        state.expect_at(key, expected)?;
        Ok(state.put(key, value))
    }

    async fn delete(&self, key: &Key, expected: Option<Version>) -> Result<Version, StoreError> {
        let mut state = self.state()?;
        if state.items.remove(key).is_none() {
            return Err(StoreError::NotFound(key.clone()));
        }
        assert_eq!(expected, None, "cattailctl deletes whatever is there");
        state.revision += 1;
        Ok(state.revision)
    }

    async fn transact(&self, _writes: Vec<Write>) -> Result<Version, StoreError> {
        unreachable!("cattailctl writes one resource at a time")
    }
}
