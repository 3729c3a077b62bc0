//! A datastore in memory that knows every state it ever had.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use model::{
    Key, Kind, Update, Version,
    digest::{Digest, EntryHash},
};

use super::{Defect, witness::State};

/// How many keys there may be: few, so that they are written again and again.
pub(super) const KEYS: u64 = 30;

pub(super) struct Datastore {
    /// Its identity; another one when it is replaced.
    pub(super) id: u64,
    pub(super) revision: Version,
    pub(super) state: Arc<State>,
    /// Transactions that can still be watched, oldest first.
    log: Vec<(Version, Vec<Update>)>,
    /// Transactions up to this revision are gone.
    compacted: Version,
    /// The state at every revision of every datastore, and its digest.
    past: HashMap<(u64, Version), (Arc<State>, Digest)>,
}

impl Datastore {
    pub(super) fn new() -> Self {
        let (state, log) = (Arc::<State>::default(), Vec::new());
        let past = HashMap::from([((1, 0), (Arc::clone(&state), Digest::default()))]);
        Self { id: 1, revision: 0, state, log, compacted: 0, past }
    }

    /// One transaction: keys by number, with a value to write or none to delete.
    pub(super) fn write(&mut self, writes: &BTreeMap<u64, Option<Bytes>>) {
        self.revision += 1;
        let revision = self.revision;
        let state = Arc::make_mut(&mut self.state);
        let mut updates = Vec::new();
        for (number, value) in writes {
            let update = Update { key: key(*number), value: value.clone(), revision };
            let is_change = match &update.value {
                Some(value) => {
                    state.insert(update.key.clone(), (value.clone(), revision));
                    true
                }
                None => state.remove(&update.key).is_some(),
            };
            updates.extend(is_change.then_some(update));
        }
        if !updates.is_empty() {
            self.log.push((revision, updates));
        }
        self.remember();
    }

    /// The last transaction is told as a source with a defect would.
    pub(super) fn spoil_last(&mut self, defect: Option<Defect>) {
        let Some((revision, updates)) = self.log.pop_if(|(at, _)| *at == self.revision) else { return };
        let mut told = vec![updates];
        match defect {
            Some(Defect::DeletionsAreLost) => told[0].retain(|update| update.value.is_some()),
            Some(Defect::TransactionsAreSplit) if told[0].len() > 1 => {
                let rest = told[0].split_off(1);
                told.push(rest);
            }
            _ => {}
        }
        self.log.extend(told.into_iter().map(|updates| (revision, updates)));
    }

    /// Somebody else's key is written.
    pub(super) fn write_foreign(&mut self) {
        self.revision += 1;
        self.remember();
    }

    /// History goes; states remain.
    pub(super) fn compact(&mut self) {
        self.compacted = self.revision;
        self.log.clear();
    }

    /// Another datastore takes its place: it has some of the keys, and revisions that begin anew.
    pub(super) fn replace(&mut self, keeps: impl Fn(u64) -> bool) {
        let kept: BTreeMap<_, _> = (0..KEYS)
            .filter(|number| keeps(*number))
            .filter_map(|number| Some((number, Some(self.state.get(&key(number))?.0.clone()))))
            .collect();
        *self = Self { id: self.id + 1, revision: 0, past: std::mem::take(&mut self.past), ..Self::new() };
        self.remember();
        self.write(&kept);
    }

    /// The transactions after a revision; none where they cannot be had any more.
    pub(super) fn since(&self, revision: Version) -> Option<impl Iterator<Item = &(Version, Vec<Update>)>> {
        (revision >= self.compacted).then(|| self.log.iter().filter(move |(at, _)| *at > revision))
    }

    /// Everything there is.
    pub(super) fn list(&self) -> Vec<Update> {
        let update = |(key, (value, revision)): (&Key, &(Bytes, Version))| Update {
            key: key.clone(),
            value: Some(value.clone()),
            revision: *revision,
        };
        self.state.iter().map(update).collect()
    }

    /// What a key is now.
    pub(super) fn get(&self, key: &Key) -> Update {
        match self.state.get(key) {
            Some((value, revision)) => Update { key: key.clone(), value: Some(value.clone()), revision: *revision },
            None => Update { key: key.clone(), value: None, revision: self.revision },
        }
    }

    /// The state that a past or the present datastore had at a revision, and its digest.
    pub(super) fn at(&self, (id, revision): (u64, Version)) -> (&State, Digest) {
        let was = self.past.get(&(id, revision));
        let (state, digest) = was.unwrap_or_else(|| panic!("datastore {id} never was at revision {revision}"));
        (state, *digest)
    }

    /// The digest of the present state.
    pub(super) fn digest(&self) -> Digest {
        self.at((self.id, self.revision)).1
    }

    fn remember(&mut self) {
        self.past.insert((self.id, self.revision), (Arc::clone(&self.state), digest_of(&self.state)));
    }
}

pub(super) fn key(number: u64) -> Key {
    Key::global(Kind::GlobalNetworkSet, format!("set-{number}"))
}

pub(super) fn digest_of(state: &State) -> Digest {
    let mut digest = Digest::default();
    for (key, (value, revision)) in state {
        digest.add(EntryHash::of(&key.to_string(), *revision, value));
    }
    digest
}
