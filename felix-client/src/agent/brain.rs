//! Updates in, intents out: parses resources and runs the calculation for one node. No I/O, no clock.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use calc::{Graph, Input, Nodes};
use model::{Key, Update, Version, resource::Resource};

use super::{Intent, Rejected};
use crate::sync::Updates;

/// One node's calculation and how far it has come.
pub(super) struct Brain {
    node: Arc<str>,
    graph: Graph,
    /// The revision that the graph is at; none before the first complete state.
    taken: Option<Version>,
    /// Whether something came that no intent has told yet.
    has_news: bool,
    /// All that the graph rejects, as of `taken`.
    rejected: Arc<[Rejected]>,
}

impl Brain {
    pub(super) fn new(node: &str) -> Self {
        let node: Arc<str> = node.into();
        let graph = Graph::new(Nodes::One(Arc::clone(&node)));
        Self { node, graph, taken: None, has_news: false, rejected: Arc::new([]) }
    }

    /// Takes a cut in. Cuts add up until [`Self::intent`] is called.
    pub(super) fn take(&mut self, updates: &Updates) {
        for update in &updates.updates {
            self.apply(update);
        }
        // A repair changes what is held at the revision that it was at.
        self.has_news |= self.taken != Some(updates.revision) || !updates.updates.is_empty();
        self.taken = Some(updates.revision);
        if !updates.updates.is_empty() {
            self.refresh_rejected();
        }
    }

    /// Whether there is more than the last intent said; a later revision alone is news too, for it is to be reported.
    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    /// All that happened since the last intent.
    pub(super) fn intent(&mut self) -> Intent {
        let delta = self.graph.flush().remove(&self.node).unwrap_or_default();
        self.has_news = false;
        Intent { delta, revision: self.taken.unwrap_or_default(), rejected: Arc::clone(&self.rejected) }
    }

    /// All resources that are not enforced as they were written.
    pub(super) fn rejected(&self) -> &Arc<[Rejected]> {
        &self.rejected
    }

    fn apply(&mut self, Update { key, value, .. }: &Update) {
        let input = match value {
            None => Input::Absent,
            Some(json) => match Resource::parse(key, json) {
                Ok(resource) => Input::Present(resource),
                // The calculation decides what stays in force; it may still read the tier or the selector.
                // Copied, because it may be kept for long, and a slice of the message would keep all of that.
                Err(error) => Input::Invalid { reason: error.reason, json: Bytes::copy_from_slice(json) },
            },
        };
        self.graph.apply(key, input);
    }

    /// Logs what is new among the rejected.
    fn refresh_rejected(&mut self) {
        let before: BTreeMap<&Key, &Arc<str>> = self.rejected.iter().map(|each| (&each.key, &each.reason)).collect();
        let now: Arc<[Rejected]> =
            self.graph.rejected().map(|(key, reason)| Rejected { key: key.clone(), reason: reason.into() }).collect();
        for each in now.iter().filter(|each| before.get(&each.key) != Some(&&each.reason)) {
            tracing::warn!(key = %each.key, reason = %each.reason, "resource cannot be enforced as written; failing closed");
        }
        self.rejected = now;
    }
}
