//! A feed that looks at its own state, puts away what is damaged and asks its source for it again.
//!
//! Fail closed: from the moment that damage is found until the datastore has said what the keys are, nobody is served.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use datastore_adapters::REREAD_KEYS_MAX;
use model::{Key, Update};

use super::{Feed, News, auditor::Complaint};
use crate::store::{Damage, End, Wanted};

/// An answer that has not come by then will not: the source met an outage.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Damaged entries are named in the log one by one up to this many in a slice.
const NAMED: usize = 10;

/// What audits found since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Rounds that were completed, over all of the state or over the ranges that clients complained of.
    pub audits: u64,
    /// Entries that were found damaged.
    pub damaged_entries: u64,
    /// Rounds in which all entries were whole and the sums over them were not.
    pub damaged_sums: u64,
    /// Entries that were read again from the datastore.
    pub reread_entries: u64,
    /// Damaged entries that are not read again yet. While there are any, nobody is served.
    pub lost_entries: usize,
    /// Complaints of clients up to this number were looked into.
    pub settled: u64,
}

impl Feed {
    /// When [`Self::audit`] is to be called next.
    pub fn audit_due(&self) -> Option<Instant> {
        self.auditor.due()
    }

    /// A client found a digest wrong: the ranges in which its state differs from ours are looked at soon.
    pub fn complain(&mut self, ranges: model::digest::RangeSet, number: u64, now: Instant) {
        tracing::warn!(ranges = ranges.len(), "a client's digest disagreed; the state here is checked");
        self.auditor.complain(Complaint { ranges, number }, now);
    }

    /// Looks at the next slice of the state.
    pub fn audit(&mut self, now: Instant) -> News {
        let view = self.store.view();
        let finding = self.auditor.slice(&view, now);
        let (damaged, end) = (finding.slice.damaged, finding.slice.end);
        self.integrity.damaged_entries += damaged.len() as u64;
        self.integrity.audits += u64::from(end.is_some());
        if !damaged.is_empty() {
            tell(&damaged);
            self.put_away(&damaged);
        } else if end == Some(End::SumsDiffer) {
            self.integrity.damaged_sums += 1;
            tracing::error!(
                keys = view.keys(),
                "the digests or the index of the state in memory were damaged; made anew"
            );
            self.put_away(&[]);
        } else if finding.settled.is_some() {
            // The client may have met bytes that were damaged after they were made of whole entries.
            self.store.renew();
        } else {
            return News::Freshness;
        }
        self.integrity.settled = finding.settled.unwrap_or(self.integrity.settled);
        News::Entries
    }

    /// What to ask the source for at present; an empty question is for a complete list.
    pub fn question(&mut self, now: Instant) -> Option<Vec<Key>> {
        let wanted = self.store.wanted(REREAD_KEYS_MAX)?;
        if self.ask_at.is_some_and(|at| now < at) {
            return None;
        }
        self.ask_at = Some(now + ASK_AGAIN);
        Some(match wanted {
            Wanted::Keys(keys) => keys,
            Wanted::List => Vec::new(),
        })
    }

    /// When [`Self::question`] has one; none while nothing is lost.
    pub fn question_due(&self, now: Instant) -> Option<Instant> {
        (!self.store.is_whole()).then(|| self.ask_at.unwrap_or(now))
    }

    pub(super) fn on_reread(&mut self, items: &[Update]) -> News {
        let lost = self.store.lost_keys();
        self.store.restore(items);
        let found = lost - self.store.lost_keys();
        self.integrity.reread_entries += found as u64;
        self.ask_at = None;
        if self.store.is_whole() {
            tracing::info!(entries = found, "what was damaged was read again; the state is whole");
        }
        News::Entries
    }

    pub(super) fn integrity(&self) -> Integrity {
        Integrity { lost_entries: self.store.lost_keys(), ..self.integrity }
    }

    /// Why the state is not whole.
    pub(super) fn damage(&self) -> Option<Arc<str>> {
        let lost = self.store.lost_keys();
        (lost > 0).then(|| format!("{lost} entries in memory were damaged and are being read again").into())
    }

    fn put_away(&mut self, damaged: &[Damage]) {
        self.store.put_away(damaged);
        if let Some(relist) = &mut self.relist {
            relist.put_away(damaged);
        }
        self.ask_at = None;
    }
}

fn tell(damaged: &[Damage]) {
    for damage in damaged.iter().take(NAMED) {
        let Damage { key, range, what, .. } = damage;
        tracing::error!(%key, range, what, "an entry in memory is damaged; it is read again from the datastore");
    }
    if damaged.len() > NAMED {
        tracing::error!(entries = damaged.len(), "more entries are damaged than are named here");
    }
}
