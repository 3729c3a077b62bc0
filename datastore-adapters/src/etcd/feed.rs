//! The list-and-watch protocol as a state machine: what etcd said goes in, what to tell the reader and what to do
//! next comes out. No I/O and no clock here; [`super::source`] owns the sockets.
//!
//! What it must get right: nothing sent twice or out of order, a transaction in one piece, nothing cleared on a
//! relist, and no trust in a watch that stays silent. etcd up to 3.4.24 and 3.5.7 answers a *requested* progress
//! notification ahead of events still under way, so none is ever requested. Instead the datastore's revision is read
//! every so often, and where it stays ahead of the watch, an [`Audit`] compares the state itself.

mod message;

use std::time::{Duration, Instant};

use model::{Key, Update, Version};

pub(super) use self::message::{Audit, Audited, Broken, Canceled, Change, Plan, Probe, Reread, WatchMessage};
use super::{layout, projection::project};
use crate::SourceEvent;

/// How long the datastore's revision may be ahead of what the watch delivered before the state is compared.
pub(super) const SUSPECT_AFTER: Duration = Duration::from_secs(3);
/// The longest pause between two comparisons, which read every key's metadata in the server: writers of keys that are
/// not ours must not keep us comparing all day.
const AUDIT_PAUSE_MAX: Duration = Duration::from_mins(1);
/// A watch that fails as often at one position may have met something it can never deliver: list instead.
const WATCH_FAILURES_MAX: u32 = 5;

/// The state of one source's conversation with etcd.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// The identity of the datastore that the position belongs to; set by each list.
    datastore_id: u64,
    /// Everything up to here was sent; 0 where a list must come first.
    position: Version,
    /// Keys under our prefixes as of the position, whether or not they make sense to us.
    keys: u64,
    /// etcd has acknowledged the watch of this connection.
    watching: bool,
    /// Watches that failed, on connections that worked, since the position last moved.
    failures: u32,
    /// Since when, by the reader's clock, the datastore is ahead of the watch.
    ahead_since: Option<Instant>,
    /// The watch was already started again because of a failed audit at this position.
    silent_at: Version,
    /// Pause before the next audit; grows while audits find nothing, which is when others write to this etcd.
    audit_pause: Duration,
}

impl Feed {
    /// What to do on a new connection.
    pub(super) fn plan(&self) -> Plan {
        match self.position {
            0 => Plan::List,
            position => Plan::Watch(position + 1),
        }
    }

    /// Whether changes are being followed.
    pub(super) fn is_watching(&self) -> bool {
        self.watching
    }

    /// The datastore answered a list request: a list begins.
    pub(super) fn list_started(&mut self, datastore_id: u64) -> SourceEvent {
        *self = Self { datastore_id, ..Self::default() };
        SourceEvent::Init { datastore_id }
    }

    /// A part of the list.
    pub(super) fn listed(&mut self, page: Vec<Change>) -> SourceEvent {
        self.keys += page.len() as u64;
        let present = page.into_iter().filter_map(to_update).filter(|update| update.value.is_some());
        SourceEvent::InitItems(present.collect())
    }

    /// The list is complete.
    pub(super) fn list_done(&mut self, revision: Version) -> SourceEvent {
        self.position = revision;
        SourceEvent::InitDone { revision }
    }

    /// The watch said something.
    pub(super) fn watched(&mut self, message: WatchMessage) -> Result<Vec<SourceEvent>, Broken> {
        self.check_identity(message.datastore_id)?;
        match message.canceled {
            Some(Canceled::Compacted) => return Err(self.relist(Broken::Compacted(self.position))),
            Some(Canceled::Other(reason)) => return Err(Broken::Canceled(reason)),
            None => {}
        }
        if message.created {
            self.watching = true;
            return Ok(Vec::new());
        }
        if message.changes.is_empty() {
            // A periodic notification comes through the same queue as events, so it can be believed.
            return Ok(self.advance(message.revision).into_iter().collect());
        }
        Ok(self.apply(message.changes))
    }

    /// The next read of the datastore's revision.
    pub(super) fn probe(&self) -> Probe {
        Probe { since: self.position }
    }

    /// The revision is read.
    pub(super) fn probed(
        &mut self,
        probe: Probe,
        now: Instant,
        datastore_id: u64,
        revision: Version,
    ) -> Result<(SourceEvent, Option<Audit>), Broken> {
        self.check_identity(datastore_id)?;
        // Compared with what was known before it was read: the watch may have gone on since.
        if revision < probe.since {
            return Err(self.relist(Broken::Replaced));
        }
        let audit = self.suspect(now, revision);
        Ok((SourceEvent::Progress { revision: self.position }, audit))
    }

    /// The comparison is made. It is exact: where no key of ours was modified since the position and there are as many
    /// as before, they are the same ones.
    pub(super) fn audited(&mut self, audit: Audit, found: Audited) -> Result<Option<SourceEvent>, Broken> {
        if audit.since != self.position {
            return Ok(None);
        }
        if found.modified == 0 && found.keys == self.keys {
            self.audit_pause = (self.audit_pause * 2).clamp(SUSPECT_AFTER, AUDIT_PAUSE_MAX);
            return Ok(self.advance(found.revision));
        }
        self.audit_pause = Duration::ZERO;
        self.ahead_since = None;
        if self.silent_at == self.position {
            return Err(self.relist(Broken::Silent(audit.since)));
        }
        self.silent_at = self.position;
        Err(Broken::Silent(self.position))
    }

    /// What to read for a reader that lost some keys.
    pub(super) fn reread(&mut self, keys: Vec<Key>) -> Result<Reread, Broken> {
        if keys.is_empty() { Err(self.relist(Broken::Lost)) } else { Ok(Reread { at: self.position, keys }) }
    }

    /// The keys are read again: in the order of the question, none for what does not exist.
    pub(super) fn reread_done(
        &mut self,
        reread: Reread,
        datastore_id: u64,
        found: Vec<Option<Change>>,
    ) -> Result<SourceEvent, Broken> {
        self.check_identity(datastore_id)?;
        let Reread { at, keys } = reread;
        let absent = |key| Update { key, value: None, revision: at };
        let update = |(key, change): (Key, Option<Change>)| change.and_then(to_update).unwrap_or_else(|| absent(key));
        Ok(SourceEvent::Reread { revision: at, items: keys.into_iter().zip(found).map(update).collect() })
    }

    /// The connection was lost, which says nothing about the position: it holds however long the outage.
    pub(super) fn disconnected(&mut self) {
        self.ahead_since = None;
        self.watching = false;
    }

    /// The watch failed although the connection works.
    pub(super) fn watch_failed(&mut self) {
        self.disconnected();
        self.failures += 1;
        if self.failures >= WATCH_FAILURES_MAX {
            self.position = 0;
        }
    }

    fn check_identity(&mut self, datastore_id: u64) -> Result<(), Broken> {
        if datastore_id == self.datastore_id { Ok(()) } else { Err(self.relist(Broken::Replaced)) }
    }

    fn relist(&mut self, reason: Broken) -> Broken {
        self.position = 0;
        reason
    }

    fn advance(&mut self, revision: Version) -> Option<SourceEvent> {
        if revision <= self.position {
            return None;
        }
        self.moved_to(revision);
        Some(SourceEvent::Progress { revision })
    }

    fn moved_to(&mut self, revision: Version) {
        self.position = revision;
        self.failures = 0;
        self.ahead_since = None;
    }

    /// One event per transaction. Foreign keys only move the position.
    fn apply(&mut self, changes: Vec<Change>) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        let mut changes = changes.into_iter().filter(|change| change.revision > self.position).peekable();
        let mut at = self.position;
        let mut keys = self.keys;
        while let Some(revision) = changes.peek().map(|change| change.revision) {
            let mut updates = Vec::new();
            while let Some(change) = changes.next_if(|change| change.revision == revision) {
                keys = count(keys, &change);
                updates.extend(to_update(change));
            }
            at = at.max(revision);
            if !updates.is_empty() {
                events.push(SourceEvent::Apply { revision, updates });
            }
        }
        drop(changes);
        self.keys = keys;
        if at > self.position {
            self.moved_to(at);
        }
        events
    }

    fn suspect(&mut self, now: Instant, revision: Version) -> Option<Audit> {
        if revision <= self.position {
            self.ahead_since = None;
            return None;
        }
        let since = *self.ahead_since.get_or_insert(now);
        let patience = self.audit_pause.max(SUSPECT_AFTER);
        if now.saturating_duration_since(since) < patience {
            return None;
        }
        // The next one, if this one stays without answer, after as long again.
        self.ahead_since = Some(now);
        Some(Audit { since: self.position })
    }
}

fn count(keys: u64, change: &Change) -> u64 {
    match (layout::is_ours(&change.path), &change.value) {
        (true, None) => keys.saturating_sub(1),
        (true, Some(_)) if change.created => keys + 1,
        _ => keys,
    }
}

fn to_update(change: Change) -> Option<Update> {
    let key = layout::key(&change.path)?;
    let value = change.value.and_then(|stored| project(&key, stored));
    Some(Update { key, value, revision: change.revision })
}

#[cfg(test)]
mod tests;
