//! From a source's events to the state that sessions read.
//!
//! [`Feed`] is the pure part: events and the time in, state out. `Writer` is the task around it that decides when
//! what came is published; [`Board`] is where it is published.

mod auditor;
mod board;
mod doubts;
mod integrity;
mod window;
mod writer;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use datastore_adapters::SourceEvent;

use self::auditor::Auditor;
pub(crate) use self::writer::{EVENTS, QUESTIONS, Writer};
pub use self::{
    board::{Board, Published},
    doubts::Doubts,
    integrity::Integrity,
};
use crate::store::{ListIsOlder, Relist, Store};

/// What the source's events amount to.
pub struct Feed {
    /// The state as of the last complete transaction or list.
    store: Store,
    /// The list that is being received, if one is.
    relist: Option<Relist>,
    /// How many lists ever began.
    lists: u64,
    /// Whether a list was ever complete. A feed that is cut off later stays so, and its state ages.
    in_sync: bool,
    /// The list that was refused, until one is taken. What the source says meanwhile follows on that, not on what is
    /// known here: it is ignored, and proves nothing.
    refused: Option<ListIsOlder>,
    /// When the source last proved that the state is the datastore's: by a change, by progress, by an answer or by the
    /// end of a list. A list that begins proves nothing, or one that never ends would keep the state fresh.
    proof_of_life: Option<Instant>,
    /// What the source last complained about, until it proves the datastore alive.
    complaint: Option<Arc<str>>,
    /// What of the state is looked at next.
    auditor: Auditor,
    /// What was found.
    integrity: Integrity,
    /// When damaged entries may be asked for again.
    ask_at: Option<Instant>,
}

/// What an event means to those who wait for news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Entries changed.
    Entries,
    /// Only freshness or revision changed: no reason to wake everybody.
    Freshness,
}

impl Feed {
    /// A feed that has heard nothing yet.
    pub fn new() -> Self {
        Self {
            store: Store::new(0, 0),
            relist: None,
            lists: 0,
            in_sync: false,
            refused: None,
            proof_of_life: None,
            complaint: None,
            auditor: Auditor::default(),
            integrity: Integrity::default(),
            ask_at: None,
        }
    }

    /// The same with another allowance for tombstones than the usual one.
    pub fn bounded(self, tombstone_allowance_bytes: usize) -> Self {
        Self { store: self.store.bounded(tombstone_allowance_bytes), ..self }
    }

    /// Takes one event that came at `now`.
    pub fn on(&mut self, event: SourceEvent, now: Instant) -> News {
        match event {
            SourceEvent::Init { datastore_id } => self.on_init(datastore_id),
            SourceEvent::InitItems(items) => self.on_items(&items),
            SourceEvent::InitDone { revision } => self.on_init_done(revision, now),
            SourceEvent::Unavailable { reason } => self.on_unavailable(&reason),
            _ if self.refused.is_some() => News::Freshness,
            SourceEvent::Apply { revision, updates } => {
                self.store.apply(revision, &updates);
                self.alive(now);
                News::Entries
            }
            SourceEvent::Reread { items, .. } => {
                self.alive(now);
                self.on_reread(&items)
            }
            SourceEvent::Progress { revision } => {
                self.store.advance(revision);
                self.alive(now);
                News::Freshness
            }
        }
    }

    /// What there is to publish.
    pub fn state(&self, beat: u64) -> Published {
        Published {
            view: Arc::new(self.store.view()),
            in_sync: self.in_sync && self.store.is_whole(),
            proof_of_life: self.proof_of_life,
            complaint: self.refusal().or_else(|| self.complaint.clone()).or_else(|| self.damage()),
            integrity: self.integrity(),
            lists: self.lists,
            beat,
        }
    }

    fn on_init(&mut self, datastore_id: u64) -> News {
        tracing::info!(datastore_id = format_args!("{datastore_id:x}"), "the datastore lists its state");
        self.lists += 1;
        // After a refusal, revisions that both know may mean different things.
        self.relist = Some(match self.refused {
            Some(_) => Relist::start_beside(&self.store, datastore_id),
            None => Relist::start(&self.store, datastore_id),
        });
        News::Freshness
    }

    fn on_items(&mut self, items: &[model::Update]) -> News {
        if let Some(relist) = &mut self.relist {
            relist.items(items);
        } else {
            tracing::error!("the datastore's adapter sent a part of a list that it did not begin");
        }
        News::Freshness
    }

    fn on_init_done(&mut self, revision: model::Version, now: Instant) -> News {
        let Some(relist) = self.relist.take() else {
            tracing::error!("the datastore's adapter ended a list that it did not begin");
            return News::Freshness;
        };
        match relist.finish(revision) {
            Ok(store) => {
                let edition = self.store.view().edition();
                self.store = store;
                self.store.renew_after(edition);
                self.in_sync = true;
                self.refused = None;
                self.auditor.start(now);
                self.alive(now);
                tracing::info!(revision, keys = self.store.view().keys(), "in sync with the datastore");
                News::Entries
            }
            // No proof of life from here on: readiness goes, and the operator reads why.
            Err(error) => {
                tracing::error!("{error}");
                self.refused = Some(error);
                News::Freshness
            }
        }
    }

    /// The adapter has logged it already.
    fn on_unavailable(&mut self, reason: &str) -> News {
        self.complaint = Some(reason.into());
        News::Freshness
    }

    /// Why nothing that the source says is taken.
    fn refusal(&self) -> Option<Arc<str>> {
        self.refused.map(|error| error.to_string().into())
    }

    fn alive(&mut self, now: Instant) {
        self.proof_of_life = Some(now);
        self.complaint = None;
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}
