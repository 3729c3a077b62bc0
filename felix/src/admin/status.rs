//! What /status says: one JSON object, its field names kept.

use std::{
    iter,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use felix_client::sync::{self, Found, in_order};
use pki::Life;
use serde::Serialize;

use super::Views;

/// The agent at one moment.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    node: String,
    version: &'static str,
    /// The replica that feeds the agent; none while there is none.
    typha: Option<Replica>,
    /// Why there is none.
    last_error: Option<String>,
    /// All replicas that are known, the one that this node prefers first.
    replicas: Vec<Known>,
    /// Why the last lookup of a replica's name failed; none where it did not.
    lookup_error: Option<String>,
    /// The datastore's revision that the agent has computed with.
    revision: Option<u64>,
    /// The revision that the kernel enforces.
    applied_revision: Option<u64>,
    applied_at_unix_ms: Option<u64>,
    /// How long the kernel took to take the last change.
    apply_ms: f64,
    /// How old the view of the datastore is that the agent goes by; it grows while no typha answers. None before the first.
    upstream_age_ms: Option<u64>,
    /// The certificates in force: our own, and the CA of typha's.
    certificates: Vec<Certificate>,
    /// Resources that are not enforced as they were written; they fail closed.
    rejected: Vec<Rejected>,
    /// What the kernel did not take; tried again until it does.
    failures: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Replica {
    server: String,
    address: String,
    /// How the stream began: `snapshot` or `resume`.
    mode: String,
    /// Its place in the order in which this node prefers replicas, from 1.
    rank: usize,
    /// Why this one.
    reason: String,
}

#[derive(Debug, Serialize)]
struct Known {
    address: String,
    /// Its zone, where that is known.
    zone: Option<String>,
    /// The entry of `--typha` that it comes from.
    found_by: String,
    /// Whether it is used only where all others fail: it is most likely the other IP family's address of one of them.
    is_spare: bool,
}

#[derive(Debug, Serialize)]
struct Certificate {
    /// `own` or `ca`, as in metrics.
    role: &'static str,
    file: String,
    subject: String,
    not_after_unix_ms: u64,
    /// Whether so little of its life is left that its renewal must have been missed.
    is_short: bool,
}

#[derive(Debug, Serialize)]
struct Rejected {
    key: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Failure {
    object: String,
    reason: String,
}

impl Page {
    pub(super) fn of(views: &Views) -> Self {
        let agent = views.agent.borrow().clone();
        let upstream_age_ms = agent.upstream_age(Instant::now()).map(|age| age.as_millis() as u64);
        let enforced = views.enforced.borrow().clone();
        let found = views.sync.discovery.found();
        Self {
            node: views.node.to_string(),
            version: env!("CARGO_PKG_VERSION"),
            typha: agent.connected.map(|connected| Replica {
                server: connected.server.to_string(),
                address: connected.address.to_string(),
                mode: connected.mode.to_string(),
                rank: connected.choice.rank,
                reason: connected.choice.cause.to_string(),
            }),
            last_error: agent.last_error,
            replicas: known(views, &found),
            lookup_error: found.complaint.map(|complaint| complaint.to_string()),
            revision: agent.revision,
            applied_revision: enforced.revision,
            applied_at_unix_ms: enforced.applied_at.map(unix_ms),
            apply_ms: enforced.took.as_micros() as f64 / 1000.0,
            upstream_age_ms,
            certificates: certificates(views),
            rejected: agent
                .rejected
                .iter()
                .map(|each| Rejected { key: each.key.to_string(), reason: each.reason.to_string() })
                .collect(),
            failures: enforced
                .failures
                .into_iter()
                .map(|failure| Failure { object: failure.object, reason: failure.reason })
                .collect(),
        }
    }

    pub(super) fn why_not_ready(&self) -> String {
        if self.revision.is_some() {
            let reasons = self.failures.iter().map(|failure| failure.reason.as_str());
            return iter::once("the kernel is not programmed yet").chain(reasons).collect::<Vec<_>>().join("; ");
        }
        match (&self.typha, &self.last_error) {
            (Some(typha), _) => format!("waiting for the whole state from typha {} at {}", typha.server, typha.address),
            (None, Some(error)) => error.clone(),
            (None, None) => "connecting to typha".to_owned(),
        }
    }
}

/// The replicas in the order in which this node prefers them.
fn known(views: &Views, found: &Found) -> Vec<Known> {
    let known = |replica: sync::Replica| Known {
        address: replica.address.to_string(),
        zone: replica.zone.map(|zone| zone.to_string()),
        found_by: replica.found_by.to_string(),
        is_spare: replica.is_spare,
    };
    let order = in_order(&views.node, views.sync.zone.as_deref(), &found.replicas);
    order.into_iter().map(known).collect()
}

fn certificates(views: &Views) -> Vec<Certificate> {
    let Some(expiry) = views.sync.tls.expiry() else { return Vec::new() };
    let certificate = |(role, life): (_, &Life)| Certificate {
        role,
        file: life.file.display().to_string(),
        subject: life.subject.clone(),
        not_after_unix_ms: unix_ms(life.not_after),
        is_short: life.is_short(SystemTime::now()),
    };
    expiry.named().map(certificate).into()
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
