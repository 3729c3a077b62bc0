//! What the node enforces, told to typha: newest only, at most one a second, again until it arrives.
//!
//! A report that is not delivered is replaced by the next, never queued. Each new connection gets the newest one, for
//! its replica may not have heard it.

use std::{
    convert::Infallible,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use model::Version;
use proto::sync::v1::{self, ReportRequest};
use tokio::{sync::watch, time};

use super::transport::Reports;

/// Reports follow each other at least this far apart, and a failed one is tried again after it. People read them, and
/// typha pays for each: a thousand nodes cost it a thousand small calls a second at most.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// A report that is not answered within this failed. The stream is not disturbed by that.
const REPORT_LIMIT: Duration = Duration::from_secs(5);

/// The protocol's bound on failures in a report.
const MAX_FAILURES: usize = 100;

/// What a node enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The revision whose consequences the kernel enforces.
    pub applied_revision: Version,
    /// When it was applied.
    pub applied_at: SystemTime,
    /// What could not be enforced; the first 100 are told.
    pub failures: Vec<Failure>,
}

/// Something that a node could not enforce.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The resource's key, or the kernel object's name.
    pub object: String,
    /// Why, for people.
    pub reason: String,
}

/// Hands reports in; cheap to clone. Never waits.
#[derive(Clone, Debug)]
pub struct Reporter {
    newest: watch::Sender<Option<Report>>,
}

/// The other end: the newest report until it is delivered.
pub(super) struct Outbox {
    newest: watch::Receiver<Option<Report>>,
}

/// Makes the two ends.
pub(super) fn channel() -> (Reporter, Outbox) {
    let (sender, receiver) = watch::channel(None);
    (Reporter { newest: sender }, Outbox { newest: receiver })
}

impl Reporter {
    /// Takes the place of whatever was not delivered yet.
    pub fn report(&self, report: Report) {
        self.newest.send_replace(Some(report));
    }
}

#[cfg(test)]
impl Reporter {
    /// Reports that go nowhere.
    pub(crate) fn to_nobody() -> Self {
        channel().0
    }
}

impl Outbox {
    /// Delivers on one connection, beginning with the newest report there is. Cancel when the connection is gone.
    pub(super) async fn deliver(&mut self, mut calls: impl Reports, node: &str) -> Infallible {
        self.newest.mark_changed();
        loop {
            if self.newest.changed().await.is_err() {
                // Nobody reports any more.
                std::future::pending::<()>().await;
            }
            let Some(report) = self.newest.borrow_and_update().clone() else { continue };
            let revision = report.applied_revision;
            match time::timeout(REPORT_LIMIT, calls.send(&request(node, report))).await {
                Ok(Ok(())) => tracing::debug!(revision, "told typha what is applied"),
                Ok(Err(error)) => {
                    tracing::debug!(revision, %error, "typha did not take the report");
                    self.newest.mark_changed();
                }
                Err(_) => {
                    tracing::debug!(revision, "typha did not answer the report");
                    self.newest.mark_changed();
                }
            }
            time::sleep(MIN_INTERVAL).await;
        }
    }
}

fn request(node: &str, report: Report) -> ReportRequest {
    let applied_at = report.applied_at.duration_since(UNIX_EPOCH).unwrap_or_default();
    ReportRequest {
        node: node.to_owned(),
        applied_revision: report.applied_revision,
        applied_at_unix_ms: u64::try_from(applied_at.as_millis()).unwrap_or(u64::MAX),
        failures: report
            .failures
            .into_iter()
            .take(MAX_FAILURES)
            .map(|failure| v1::Failure { object: failure.object, reason: failure.reason })
            .collect(),
    }
}
