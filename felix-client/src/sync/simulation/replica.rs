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
};

use super::{datastore::Datastore, memory};

/// So small that every entry is a message of its own.
const MESSAGE_BYTES: usize = 1;

/// So small that messages are made again all the time; but one replica forgets none, so that what is damaged stays.
const CACHE_BYTES: usize = 3000;
const LARGE_CACHE_BYTES: usize = 1 << 20;

/// So small that clients wait in line.
const ADMISSION: AdmissionLimits = AdmissionLimits {
    budget_bytes: 2000,
    share_bytes: 1000,
    window: Duration::from_secs(5),
    patience: Duration::from_secs(10),
    retry: Duration::from_secs(5),
    waiting: 2,
};

pub(super) struct Replica {
    pub(super) name: Arc<str>,
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
    /// Complaints of its clients.
    complaints: u64,
    /// Counts restarts: sessions of an earlier life are gone.
    pub(super) life: u64,
}

impl Replica {
    pub(super) fn new(number: usize) -> Self {
        let feed = Feed::new();
        let cache_bytes = if number == 0 { LARGE_CACHE_BYTES } else { CACHE_BYTES };
        Self {
            name: format!("replica-{number}").into(),
            published: Arc::new(feed.state(0)),
            feed,
            batches: Batches::bounded(MESSAGE_BYTES, cache_bytes),
            admission: Arc::new(Admission::new(ADMISSION)),
            beat: 0,
            told: None,
            events: VecDeque::new(),
            is_connected: true,
            complaints: 0,
            life: 0,
        }
    }

    /// A new process, with nothing.
    pub(super) fn restart(&mut self, number: usize) {
        *self = Self { life: self.life + 1, is_connected: self.is_connected, ..Self::new(number) };
    }

    /// The source tells what there is to tell.
    pub(super) fn source(&mut self, datastore: &Datastore) {
        if !self.is_connected {
            self.events.push_back(SourceEvent::Unavailable { reason: "cut off".to_owned() });
            return;
        }
        let history = self.told.filter(|(id, _)| *id == datastore.id).and_then(|(_, at)| datastore.since(at));
        match history {
            None => self.list(datastore),
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

    /// Takes in some of what the source told.
    pub(super) fn hear(&mut self, events: usize, now: Instant) {
        for event in self.events.drain(..events.min(self.events.len())) {
            self.feed.on(event, now);
        }
    }

    /// Has heard all that was told.
    pub(super) fn hear_all(&mut self, now: Instant) {
        self.hear(usize::MAX, now);
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

    /// Does what is due: slices of audits, and questions, which a source that is cut off does not answer.
    pub(super) fn work(&mut self, datastore: &Datastore, now: Instant) {
        while let Some(due) = self.feed.audit_due().filter(|due| *due <= now) {
            if self.feed.audit(due) == News::Entries {
                self.publish();
            }
        }
        if let Some(question) = self.feed.question(now).filter(|_| self.is_connected) {
            self.answer(&question, datastore);
        }
        self.admission.look(now);
    }

    fn answer(&mut self, question: &[Key], datastore: &Datastore) {
        if question.is_empty() || self.told.is_none_or(|(id, _)| id != datastore.id) {
            return self.list(datastore);
        }
        self.source(datastore);
        let items = question.iter().map(|key| datastore.get(key)).collect();
        self.events.push_back(SourceEvent::Reread { revision: datastore.revision, items });
    }

    /// A bit flips in one of its entries, as they are published; it need not have any.
    pub(super) fn damage(&self, random: &mut fastrand::Rng) {
        let numbers: Vec<u64> = (0..super::datastore::KEYS).collect();
        let keys = numbers.iter().map(|number| super::datastore::key(*number).to_string());
        let entries: Vec<_> = keys.filter_map(|key| self.published.view.get(&key).cloned()).collect();
        if let Some(entry) = entries.get(random.usize(..entries.len().max(1))) {
            memory::flip(&entry.encoded()[random.usize(..entry.encoded().len())]);
        }
    }

    /// How many damaged entries it read again in this life.
    pub(super) fn rereads(&self) -> u64 {
        self.feed.state(0).integrity.reread_entries
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
        let digest = datastore.digest_at(datastore.id, datastore.revision);
        state.in_sync && state.view.digest() == digest && datastore.list().iter().all(has)
    }
}
