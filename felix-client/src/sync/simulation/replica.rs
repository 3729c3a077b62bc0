//! A replica: typha's own feed, store, batches, admission and sessions, and a source whose events take their time.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use datastore_adapters::SourceEvent;
use model::{Key, Update, Version, digest::RangeSet};
use prost::Message as _;
use proto::sync::v1 as wire;
use typha::{
    admission::{Admission, AdmissionLimits},
    batch::Batches,
    feed::{Feed, News, Published},
    session::Drain,
};

use super::{
    datastore::{Datastore, KEYS, key},
    plants::Plants,
    point::Point,
    witness::Witness,
};

/// So small that every entry is a message of its own.
const MESSAGE_BYTES: usize = 1;

/// So small that messages are made again all the time; but one replica forgets none, so that what is damaged stays.
const CACHE_BYTES: usize = 3000;
const LARGE_CACHE_BYTES: usize = 1 << 20;

/// None: tombstones are forgotten as soon as they take more than what there is.
const TOMBSTONE_ALLOWANCE_BYTES: usize = 0;

/// So small that clients wait in line, a share of it for each client.
fn admission_limits(clients: usize) -> AdmissionLimits {
    AdmissionLimits {
        budget_bytes: 250 * clients as u64,
        share_bytes: 1000,
        window: Duration::from_secs(5),
        patience: Duration::from_secs(10),
        retry: Duration::from_secs(5),
        waiting: clients.div_ceil(4),
    }
}

pub(super) struct Replica {
    pub(super) name: Arc<str>,
    number: usize,
    clients: usize,
    feed: Feed,
    pub(super) batches: Batches,
    pub(super) admission: Arc<Admission>,
    pub(super) published: Arc<Published>,
    beat: u64,
    /// Which datastore and up to where the source has told; none before its list.
    told: Option<(u64, Version)>,
    /// What the source told and the replica has not taken in.
    events: VecDeque<SourceEvent>,
    /// Whether the source reaches the datastore.
    pub(super) is_connected: bool,
    /// Whether there is a process.
    pub(super) is_up: bool,
    /// How it asks its clients to go, and when it ends.
    drain: Option<(Drain, Instant)>,
    /// Complaints of its clients.
    complaints: u64,
    plants: Plants,
    /// Whether it takes the next client for one that holds nothing.
    pub(super) forgets: bool,
    /// Counts restarts: sessions of an earlier life are gone.
    pub(super) life: u64,
}

impl Replica {
    pub(super) fn new(number: usize, clients: usize) -> Self {
        let feed = Feed::new().bounded(TOMBSTONE_ALLOWANCE_BYTES);
        let cache_bytes = if number == 0 { LARGE_CACHE_BYTES } else { CACHE_BYTES };
        Self {
            name: format!("replica-{number}").into(),
            number,
            clients,
            published: Arc::new(feed.state(0)),
            feed,
            batches: Batches::bounded(MESSAGE_BYTES, cache_bytes),
            admission: Arc::new(Admission::new(admission_limits(clients))),
            beat: 0,
            told: None,
            events: VecDeque::new(),
            is_connected: true,
            is_up: true,
            drain: None,
            complaints: 0,
            plants: Plants::default(),
            forgets: false,
            life: 0,
        }
    }

    /// A new process, with nothing.
    pub(super) fn restart(&mut self, witness: &mut Witness) {
        self.plants.ended(witness);
        let fresh = Self::new(self.number, self.clients);
        *self = Self { life: self.life + 1, is_connected: self.is_connected, ..fresh };
    }

    /// It asks its clients to go, and ends after this.
    pub(super) fn begin_drain(&mut self, within: Duration, now: Instant) {
        let reason = "a new version".to_owned();
        self.drain.get_or_insert((Drain { reason, within }, now + within));
    }

    /// Whether it takes connections: one that drains has closed its door.
    pub(super) fn takes_streams(&self) -> bool {
        self.is_up && self.drain.is_none()
    }

    pub(super) fn drain(&self) -> Option<&Drain> {
        self.drain.as_ref().map(|(drain, _)| drain)
    }

    /// The source tells what there is to tell.
    pub(super) fn source(&mut self, datastore: &Datastore, witness: &mut Witness) {
        if !self.is_connected {
            self.events.push_back(SourceEvent::Unavailable { reason: "cut off".to_owned() });
            return;
        }
        let told = self.told.filter(|(id, _)| *id == datastore.id);
        let history = told.and_then(|(_, at)| datastore.since(at));
        match history {
            None => {
                if told.is_some() {
                    witness.hit(Point::ListedWithoutHistory);
                }
                self.list(datastore);
            }
            Some(history) => {
                let tell = |(at, updates): &(_, Vec<_>)| SourceEvent::Apply { revision: *at, updates: updates.clone() };
                self.events.extend(history.map(tell));
                self.events.push_back(SourceEvent::Progress { revision: datastore.revision });
            }
        }
        self.told = Some((datastore.id, datastore.revision));
    }

    /// The source lists, whatever it knows.
    pub(super) fn list(&mut self, datastore: &Datastore) {
        self.events.push_back(SourceEvent::Init { datastore_id: datastore.id });
        for part in datastore.list().chunks(7) {
            self.events.push_back(SourceEvent::InitItems(part.to_vec()));
        }
        self.events.push_back(SourceEvent::InitDone { revision: datastore.revision });
        self.told = Some((datastore.id, datastore.revision));
    }

    /// Whether the source has told all there is.
    pub(super) fn is_current(&self, datastore: &Datastore) -> bool {
        self.told == Some((datastore.id, datastore.revision))
    }

    /// Takes in some of what the source told; whether there was any.
    pub(super) fn hear(&mut self, events: usize, now: Instant, witness: &mut Witness) -> bool {
        if self.events.is_empty() {
            return false;
        }
        let rereads = self.feed.state(0).integrity.reread_entries;
        for event in self.events.drain(..events.min(self.events.len())) {
            self.feed.on(event, now);
        }
        let state = self.feed.state(0);
        self.plants.written(&state.view, witness);
        if state.integrity.lost_entries == 0 {
            self.plants.repaired(witness);
        }
        for _ in rereads..state.integrity.reread_entries {
            witness.hit(Point::EntryReread);
        }
        true
    }

    pub(super) fn publish(&mut self) {
        self.published = Arc::new(self.feed.state(self.beat));
        self.batches.retire(&self.published.view);
    }

    pub(super) fn beat(&mut self) {
        self.beat += 1;
        self.publish();
    }

    /// A client complains; the number of its complaint.
    pub(super) fn complain(&mut self, ranges: RangeSet, now: Instant) -> u64 {
        self.complaints += 1;
        self.feed.complain(ranges, self.complaints, now);
        self.complaints
    }

    /// Does what is due: slices of audits, and questions, which a source that is cut off does not answer. The process
    /// ends where its drain does.
    pub(super) fn work(&mut self, datastore: &Datastore, now: Instant, witness: &mut Witness) {
        while let Some(due) = self.feed.audit_due().filter(|due| *due <= now) {
            self.audit(due, witness);
        }
        if let Some(question) = self.feed.question(now).filter(|_| self.is_connected) {
            self.answer(&question, datastore, witness);
        }
        self.admission.look(now);
        if self.drain.as_ref().is_some_and(|(_, ends_at)| *ends_at <= now) {
            witness.hit(Point::ReplicaEnds);
            self.restart(witness);
            self.is_up = false;
        }
    }

    fn audit(&mut self, due: Instant, witness: &mut Witness) {
        let before = self.feed.state(0).integrity.damaged_entries;
        let news = self.feed.audit(due);
        let state = self.feed.state(0);
        self.plants.audited(&state.view, state.integrity.damaged_entries - before, due, witness);
        if news == News::Entries {
            self.publish();
        }
    }

    fn answer(&mut self, question: &[Key], datastore: &Datastore, witness: &mut Witness) {
        if question.is_empty() || self.told.is_none_or(|(id, _)| id != datastore.id) {
            return self.list(datastore);
        }
        self.source(datastore, witness);
        let items = question.iter().map(|key| datastore.get(key)).collect();
        self.events.push_back(SourceEvent::Reread { revision: datastore.revision, items });
    }

    /// A bit flips in one of its entries, as they are published; it need not have any.
    pub(super) fn damage(&mut self, random: &mut fastrand::Rng, now: Instant, witness: &mut Witness) {
        let view = Arc::clone(&self.published.view);
        let entries: Vec<_> = (0..KEYS).filter_map(|number| view.get(&key(number).to_string()).cloned()).collect();
        self.plants.plant(&entries, random, now, witness);
        // What is published may be old already.
        self.plants.written(&self.feed.state(0).view, witness);
    }

    /// Whether it has what the datastore has, byte for byte.
    pub(super) fn is_whole(&self, datastore: &Datastore) -> bool {
        let state = self.feed.state(0);
        let has = |update: &Update| {
            let entry = state.view.get(&update.key.to_string());
            let bytes = entry.and_then(|entry| wire::Batch::decode(entry.encoded()).ok());
            let expected = (update.key.to_string(), update.value.clone(), update.revision);
            bytes.is_some_and(|batch| {
                let told = batch.entries.into_iter().map(|entry| (entry.key, entry.value, entry.revision));
                told.eq([expected])
            })
        };
        state.in_sync && state.view.digest() == datastore.digest() && datastore.list().iter().all(has)
    }
}
