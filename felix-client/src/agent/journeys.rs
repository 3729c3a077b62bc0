//! Traced revisions on their way through the agent: computed, handed to the dataplane, reported as enforced.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use telemetry::{Journey, Stage};

use crate::sync::{self, Report};

/// Traced revisions that may wait for the kernel. A kernel that refuses everything does not fill the memory.
const WAITING_MAX: usize = 256;

/// A traced revision and when its present stage began.
type Under = (Journey, SystemTime);

/// The brain's part.
pub(super) struct Journeys {
    node: Arc<str>,
    /// Taken in, and in no intent yet.
    computed: Vec<Under>,
    handed: Arc<Mutex<Vec<Under>>>,
}

/// Takes what is enforced: it is told to typha, and ends the way of what was traced. Cheap to clone, never waits.
#[derive(Clone, Debug)]
pub struct Reporter {
    node: Arc<str>,
    reports: sync::Reporter,
    /// In an intent, and not reported as enforced yet.
    handed: Arc<Mutex<Vec<Under>>>,
}

impl Journeys {
    pub(super) fn new(node: &str, reports: sync::Reporter) -> (Self, Reporter) {
        let (node, handed) = (Arc::<str>::from(node), Arc::<Mutex<Vec<Under>>>::default());
        let reporter = Reporter { node: Arc::clone(&node), reports, handed: Arc::clone(&handed) };
        (Self { node, computed: Vec::new(), handed }, reporter)
    }

    /// The brain has begun then to take these in.
    pub(super) fn taken(&mut self, journeys: Vec<Journey>, began: SystemTime) {
        let room = WAITING_MAX.saturating_sub(self.computed.len());
        self.computed.extend(journeys.into_iter().take(room).map(|journey| (journey, began)));
    }

    /// All that was taken in is in the intent that is handed over now.
    pub(super) fn handed_over(&mut self) {
        if self.computed.is_empty() {
            return;
        }
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        for (journey, began) in self.computed.drain(..) {
            journey.passed(Stage::Compute, &self.node, began);
            if handed.len() < WAITING_MAX {
                handed.push((journey, SystemTime::now()));
            }
        }
    }
}

impl Reporter {
    /// Takes the place of whatever was not delivered to typha yet.
    pub fn report(&self, report: Report) {
        let failures = report.failures.len();
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        for (journey, began) in handed.extract_if(.., |(journey, _)| journey.revision() <= report.applied_revision) {
            journey.passed(Stage::Apply { failures }, &self.node, began);
        }
        drop(handed);
        self.reports.report(report);
    }
}
