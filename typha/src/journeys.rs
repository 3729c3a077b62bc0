//! Traced revisions between their receipt and their publication. What a trace is, `telemetry` knows.

use std::{sync::Arc, time::SystemTime};

use datastore_adapters::SourceEvent;
use telemetry::{Journey, Stage};

/// Traced revisions that may wait for their publication. Far more than come within a batch's window.
const WAITING_MAX: usize = 256;

/// The traced revisions that are not published yet.
pub(crate) struct Journeys {
    /// This replica.
    replica: Arc<str>,
    /// The datastore whose revisions come.
    datastore_id: u64,
    /// Each with the time at which it came.
    waiting: Vec<(Journey, SystemTime)>,
}

impl Journeys {
    pub(crate) fn new(replica: &str) -> Self {
        Self { replica: replica.into(), datastore_id: 0, waiting: Vec::new() }
    }

    /// Takes note of a change that came. Lists are no changes: what they hold was written long ago.
    pub(crate) fn received(&mut self, event: &SourceEvent) {
        match event {
            SourceEvent::Init { datastore_id } => self.datastore_id = *datastore_id,
            SourceEvent::Apply { revision, updates } if self.waiting.len() < WAITING_MAX => {
                let journey = Journey::of(self.datastore_id, *revision, updates.iter().map(|update| &update.key));
                self.waiting.extend(journey.map(|journey| (journey, SystemTime::now())));
            }
            _ => {}
        }
    }

    /// All that came is published now.
    pub(crate) fn published(&mut self) {
        for (journey, came) in self.waiting.drain(..) {
            journey.passed(Stage::Publish, &self.replica, came);
        }
    }
}
