//! How the agent is doing, for people and probes; kept from the events of the stream, which are logged on the way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use model::Version;
use tokio::sync::watch;

use super::Rejected;
use crate::sync::{Choice, Event, Mode, Updates};

/// A server whose own view is older than this is worth a warning: sources prove to be alive every few seconds.
const STALE_AFTER: Duration = Duration::from_secs(15);

/// A snapshot of the agent's health.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The replica that feeds this agent, while one does.
    pub connected: Option<Connected>,
    /// The revision that the agent has computed with; none before the first complete state.
    pub revision: Option<Version>,
    /// How old the replica's own view of the datastore was at the last checkpoint, and when that came; none before the
    /// first.
    upstream: Option<(Duration, Instant)>,
    /// Why the last stream or attempt ended; none while connected.
    pub last_error: Option<String>,
    /// Resources that are not enforced as they were written.
    pub rejected: Arc<[Rejected]>,
}

/// The replica that feeds an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its own name.
    pub server: Arc<str>,
    /// Where it was dialled.
    pub address: Arc<str>,
    /// How its stream began.
    pub mode: Mode,
    /// Which of the replicas it is, and why.
    pub choice: Arc<Choice>,
}

impl Status {
    /// How old the view of the datastore is that this agent goes by: it grows while no replica answers. None before the
    /// first checkpoint.
    pub fn upstream_age(&self, now: Instant) -> Option<Duration> {
        self.upstream.map(|(age, told_at)| age.saturating_add(now.saturating_duration_since(told_at)))
    }
}

/// Keeps the status and tells people what matters.
pub(super) struct Chronicle {
    status: watch::Sender<Status>,
    /// Whether it was said already that the server's view is old.
    stale: bool,
}

impl Chronicle {
    pub(super) fn new() -> (Self, watch::Receiver<Status>) {
        let (status, receiver) = watch::channel(Status::default());
        (Self { status, stale: false }, receiver)
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Connected { server, address, mode, choice } => {
                tracing::info!(%server, %address, %mode, %choice, "connected to typha");
                let (server, address, choice) = (Arc::clone(server), Arc::clone(address), Arc::clone(choice));
                let connected = Connected { server, address, mode: *mode, choice };
                self.status.send_modify(|status| {
                    status.connected = Some(connected);
                    status.last_error = None;
                });
            }
            Event::Updates(updates) => self.updates(updates),
            Event::ServerNotInSync => {
                tracing::info!("typha is still reading the datastore; what is enforced stays as it is");
            }
            Event::Disconnected { reason, retry_in } => {
                let retry_in_ms = retry_in.as_millis() as u64;
                let upstream_age = self.status.borrow().upstream_age(Instant::now());
                let upstream_age_ms = upstream_age.map(|age| age.as_millis() as u64);
                if reason.is_orderly() {
                    tracing::info!(%reason, retry_in_ms, upstream_age_ms, "leaving typha; what is enforced stays in force");
                } else {
                    tracing::warn!(%reason, retry_in_ms, upstream_age_ms, "no typha; what is enforced stays in force");
                }
                self.status.send_modify(|status| {
                    status.connected = None;
                    status.last_error = Some(reason.to_string());
                });
            }
        }
    }

    /// The resources that are rejected now.
    pub(super) fn rejected(&self, rejected: &Arc<[Rejected]>) {
        self.status.send_if_modified(|status| {
            let changed = !Arc::ptr_eq(&status.rejected, rejected);
            status.rejected = Arc::clone(rejected);
            changed
        });
    }

    fn updates(&mut self, updates: &Updates) {
        let (revision, upstream_age) = (updates.revision, updates.upstream_age);
        if updates.snapshot {
            tracing::info!(revision, updates = updates.updates.len(), "in sync with the datastore");
        }
        let stale = upstream_age > STALE_AFTER;
        let upstream_age_ms = upstream_age.as_millis() as u64;
        match (self.stale, stale) {
            (false, true) => tracing::warn!(upstream_age_ms, "typha has lost the datastore; its view grows old"),
            (true, false) => tracing::info!(upstream_age_ms, "typha sees the datastore again"),
            _ => {}
        }
        self.stale = stale;
        self.status.send_modify(|status| {
            status.revision = Some(revision);
            status.upstream = Some((upstream_age, Instant::now()));
        });
    }
}
