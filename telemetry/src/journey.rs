//! One revision on its way from the datastore to a kernel, as the rooms on the way know it.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
    sync::Arc,
    time::SystemTime,
};

use tracing::Level;

use crate::{TraceId, clock, sampling::Sampling};

/// Spans for the exporter, and for nobody else: no log shows them.
pub(crate) const TARGET: &str = "cattail::journey";

/// A revision can change many keys; this many are named.
const KEYS_NAMED: usize = 8;

/// An agent that was away gets many revisions at once; of no more than these its part of the way is told.
const CHANGES_MAX: usize = 32;

/// A traced revision. There is none where nobody asked for traces, nor of a revision that was not sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journey {
    trace: TraceId,
    datastore_id: u64,
    revision: u64,
    /// The keys that it changed, as far as they are named.
    keys: Arc<str>,
    /// The replica of typha that published it, where that is known.
    publisher: Option<Arc<str>>,
}

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A client of the datastore writes.
    Write,
    /// A replica of typha has received the change and publishes it to its clients.
    Publish,
    /// An agent has received the change and verifies the state that it leads to.
    Verify,
    /// An agent computes what its node must enforce.
    Compute,
    /// The kernel is programmed, with so many failures.
    Apply {
        /// What could not be enforced.
        failures: usize,
    },
}

impl Journey {
    /// The journey of a revision that changed these keys, if it is traced. Keys are read only then.
    pub fn of<K: Display>(datastore_id: u64, revision: u64, keys: impl IntoIterator<Item = K>) -> Option<Self> {
        let sampling = Sampling::in_force()?;
        let trace = TraceId::of(datastore_id, revision);
        sampling.takes(trace).then(|| Self { trace, datastore_id, revision, keys: named(keys), publisher: None })
    }

    /// The journeys of changes, each given by its revision and its key: the newest 32 revisions that are
    /// traced. Changes are read only where somebody asked for traces.
    pub fn of_changes<K: Display>(datastore_id: u64, changes: impl IntoIterator<Item = (u64, K)>) -> Vec<Self> {
        let Some(sampling) = Sampling::in_force() else { return Vec::new() };
        let mut by_revision = BTreeMap::<u64, Vec<K>>::new();
        for (revision, key) in changes {
            by_revision.entry(revision).or_default().push(key);
        }
        let is_taken = |revision: &u64| sampling.takes(TraceId::of(datastore_id, *revision));
        let newest = by_revision.into_iter().rev().filter(|(revision, _)| is_taken(revision)).take(CHANGES_MAX);
        newest.filter_map(|(revision, keys)| Self::of(datastore_id, revision, keys)).collect()
    }

    /// As a replica of typha published it: further stages are shown below its own.
    #[must_use]
    pub fn published_by(self, replica: &Arc<str>) -> Self {
        Self { publisher: Some(Arc::clone(replica)), ..self }
    }

    /// The revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Its trace.
    pub fn trace(&self) -> TraceId {
        self.trace
    }

    /// Tells of a stage that began then and ends now. `place` is the replica, the node or the program that it was at.
    pub fn passed(&self, stage: Stage, place: &str, began: SystemTime) {
        let is_own = stage == Stage::Publish;
        let span = is_own.then(|| self.trace.publish_span(place).to_string());
        let publisher = self.publisher.as_ref().filter(|_| !is_own);
        let parent = publisher.map(|replica| self.trace.publish_span(replica).to_string());
        let failures = stage.failures();
        // Ends with this statement; `tracer` gives it the identity and the time that stand in its last fields.
        let _ended = tracing::span!(
            target: TARGET,
            parent: None,
            Level::TRACE,
            "stage",
            otel.name = stage.name(),
            otel.status_code = failures.filter(|count| *count > 0).map(|_| "ERROR"),
            cattail.datastore.id = format!("{:x}", self.datastore_id),
            cattail.revision = self.revision.cast_signed(),
            cattail.keys = &*self.keys,
            cattail.place = place,
            cattail.failures = failures,
            journey.trace = self.trace.to_string(),
            journey.span = span,
            journey.parent = parent,
            journey.began = clock::to_text(began),
        );
    }
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Publish => "publish",
            Self::Verify => "verify",
            Self::Compute => "compute",
            Self::Apply { .. } => "apply",
        }
    }

    fn failures(self) -> Option<i64> {
        match self {
            Self::Apply { failures } => Some(i64::try_from(failures).unwrap_or(i64::MAX)),
            _ => None,
        }
    }
}

fn named<K: Display>(keys: impl IntoIterator<Item = K>) -> Arc<str> {
    let mut text = String::new();
    let mut keys = keys.into_iter();
    for key in keys.by_ref().take(KEYS_NAMED) {
        let comma = if text.is_empty() { "" } else { ", " };
        // A string takes everything.
        let _ = write!(text, "{comma}{key}");
    }
    match keys.count() {
        0 => {}
        more => _ = write!(text, " and {more} more"),
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_asked_for_traces_there_is_none_and_no_key_is_read() {
        let unread = std::iter::from_fn(|| -> Option<&str> { panic!("a key was read") });
        assert_eq!(Journey::of(1, 2, unread), None);
    }

    #[test]
    fn many_keys_are_counted() {
        assert_eq!(&*named(["a", "b"]), "a, b");
        assert_eq!(&*named(0..10), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(&*named([""; 0]), "");
    }
}
