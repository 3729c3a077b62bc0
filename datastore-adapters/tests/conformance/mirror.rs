//! A reader of a source that keeps what it is told, as typha does, and fails the test as soon as the contract is broken.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use datastore_adapters::{Source, SourceEvent};
use model::{Key, Update, Version};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// How long anything may take on a busy machine, silence of a connection included.
const DEADLINE: Duration = Duration::from_secs(40);
/// Small, so that sources meet a reader that is slower than they are.
const EVENTS_MAX: usize = 4;

/// The reader's state.
pub(super) struct Mirror {
    events: mpsc::Receiver<SourceEvent>,
    questions: mpsc::Sender<Vec<Key>>,
    running: JoinHandle<()>,
    /// What is there, with the revision that last modified it.
    pub resources: BTreeMap<String, (Bytes, Version)>,
    /// Keys listed since `Init`, until `InitDone`.
    listed: Option<BTreeSet<String>>,
    /// Everything up to here was told.
    pub revision: Version,
    pub datastore_id: u64,
    /// Lists, complete ones.
    pub lists: usize,
    /// Transactions applied since the first list.
    pub applied: Vec<(Version, Vec<String>)>,
    /// Answers to questions.
    pub reread: Vec<(Version, Vec<Update>)>,
    pub unavailable: usize,
    /// Why it was not available, each time.
    pub reasons: Vec<String>,
}

impl Mirror {
    pub(super) fn of(source: impl Source) -> Self {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let (questions, asked) = mpsc::channel(1);
        Self {
            events,
            questions,
            running: tokio::spawn(source.run(sender, asked)),
            resources: BTreeMap::new(),
            listed: None,
            revision: 0,
            datastore_id: 0,
            lists: 0,
            applied: Vec::new(),
            reread: Vec::new(),
            unavailable: 0,
            reasons: Vec::new(),
        }
    }

    /// Takes events until the condition holds.
    pub(super) async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waited = timeout(DEADLINE, async {
            while !condition(self) {
                let event = self.events.recv().await.expect("a source never ends by itself");
                self.take(event);
            }
        });
        let in_time = waited.await.is_ok();
        assert!(in_time, "waited in vain for {what}; failures {:#?}; there is {:#?}", self.reasons, self.resources);
    }

    pub(super) async fn until_listed(&mut self) {
        self.until("the first list", |mirror| mirror.lists > 0).await;
    }

    pub(super) async fn until_revision(&mut self, revision: Version) {
        self.until(&format!("revision {revision}"), |mirror| mirror.revision >= revision).await;
    }

    /// Asks for keys again, and waits for the answer.
    pub(super) async fn ask(&mut self, keys: Vec<Key>) -> (Version, Vec<Update>) {
        self.questions.send(keys).await.expect("a source never ends by itself");
        self.until("an answer", |mirror| !mirror.reread.is_empty()).await;
        self.reread.remove(0)
    }

    pub(super) fn value(&self, key: &Key) -> Option<serde_json::Value> {
        let (value, _) = self.resources.get(&key.to_string())?;
        Some(serde_json::from_slice(value).expect("JSON"))
    }

    fn take(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Init { datastore_id } => {
                self.datastore_id = datastore_id;
                self.listed = Some(BTreeSet::new());
            }
            SourceEvent::InitItems(items) => {
                for update in items {
                    assert!(update.value.is_some(), "an absent item in a list: {update:?}");
                    let first = self.listed.as_mut().expect("items only in a list").insert(update.key.to_string());
                    assert!(first, "listed twice: {}", update.key);
                    self.set(update);
                }
            }
            SourceEvent::InitDone { revision } => {
                let listed = self.listed.take().expect("an end only of a list");
                self.resources.retain(|key, _| listed.contains(key));
                self.revision = revision;
                self.lists += 1;
            }
            SourceEvent::Apply { revision, updates } => {
                assert!(self.listed.is_none(), "a change in the middle of a list");
                assert!(revision > self.revision, "{revision} after {}", self.revision);
                let keys: BTreeSet<_> = updates.iter().map(|update| update.key.to_string()).collect();
                assert_eq!(keys.len(), updates.len(), "a key twice in {updates:?}");
                assert!(!updates.is_empty(), "a transaction about nothing");
                self.revision = revision;
                self.applied.push((revision, keys.into_iter().collect()));
                for update in updates {
                    self.set(update);
                }
            }
            SourceEvent::Reread { revision, items } => {
                assert!(revision <= self.revision, "an answer from {revision} is ahead of {}", self.revision);
                self.reread.push((revision, items));
            }
            SourceEvent::Progress { revision } => {
                assert!(self.listed.is_none(), "progress in the middle of a list");
                assert!(revision >= self.revision, "back from {} to {revision}", self.revision);
                self.revision = revision;
            }
            SourceEvent::Unavailable { reason } => {
                self.unavailable += 1;
                self.reasons.push(reason);
            }
        }
    }

    fn set(&mut self, update: Update) {
        let key = update.key.to_string();
        match update.value {
            Some(value) => self.resources.insert(key, (value, update.revision)),
            None => self.resources.remove(&key),
        };
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.running.abort();
    }
}
