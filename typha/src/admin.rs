//! The admin API, for people and their tools: health, readiness, metrics, who is connected and how far.
//!
//! Plain HTTP on an address of its own, the loopback one by default: it tells names, and changes nothing. `page` is the
//! same for people.

mod certificates;
mod page;
mod probes;
mod replicas;

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use serde::Serialize;
use tokio::net::TcpListener;

use self::{
    certificates::{Certificate, certificates},
    replicas::Replicas,
};
use crate::{
    admission::AdmissionStatus,
    clients::{Acks, ClientStatus, Point},
    readiness::Gate,
    server::Shared,
};

/// Prometheus' text format that `prometheus_client` writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where the wrong thing is asked for.
const NOT_FOUND: &str = "there are /, /clients, /replicas, /status, /metrics, /healthz and /readyz\n";

/// The admin server.
pub(crate) struct Admin {
    shared: Arc<Shared>,
}

/// What `/status` tells.
#[derive(Debug, Serialize)]
struct Status {
    name: String,
    datastore_id: String,
    revision: u64,
    digest: String,
    keys: usize,
    state_bytes: usize,
    /// `null` where the datastore never answered.
    upstream_age_ms: Option<u64>,
    /// An age above which this replica calls itself stale.
    stale_after_ms: u64,
    in_sync: bool,
    is_draining: bool,
    /// Why clients should not come here; empty where they should.
    obstacles: Vec<String>,
    /// The conditions that make it ready, and since when each holds or does not.
    gates: Vec<Gate>,
    /// How long the certificates in force last.
    certificates: Vec<Certificate>,
    /// Why what their files hold by now cannot be used; `null` where it can.
    certificates_refused: Option<String>,
    complaint: Option<String>,
    acks: Acks,
    admission: AdmissionStatus,
}

impl Admin {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Serves for ever, unless the listener cannot be taken over.
    pub(crate) async fn run(self, listener: TcpListener) {
        // It leaves the runtime that bound it.
        let listener = match listener.into_std().and_then(TcpListener::from_std) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!("the admin server failed: {error}"),
        };
        let replicas = Arc::new(Replicas::new(self.shared.config.admin_peers.clone()));
        let replicas = Router::new().route("/replicas", get(replicas::replicas)).with_state(replicas);
        let router = page::add(Router::new())
            .route("/metrics", get(metrics))
            .route("/healthz", get(probes::healthz))
            .route("/readyz", get(probes::readyz))
            .route("/clients", get(clients))
            .route("/status", get(status))
            .with_state(self.shared)
            .merge(replicas)
            .fallback((StatusCode::NOT_FOUND, NOT_FOUND));
        telemetry::admin::serve(listener, router).await;
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    match shared.metrics.encode() {
        Ok(text) => (StatusCode::OK, [("content-type", OPENMETRICS)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [("content-type", "text/plain")], error.to_string()),
    }
}

async fn clients(State(shared): State<Arc<Shared>>) -> Json<Vec<ClientStatus>> {
    Json(shared.clients.list(Point::last_change(&shared.board.load().view), Instant::now()))
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    let latest = shared.board.load();
    let (look, now) = (shared.readiness.look(), Instant::now());
    Json(Status {
        name: shared.config.name.clone(),
        datastore_id: format!("{:x}", latest.view.datastore_id()),
        revision: latest.view.revision(),
        digest: latest.view.digest().to_string(),
        keys: latest.view.keys(),
        state_bytes: latest.view.state_bytes(),
        upstream_age_ms: latest.upstream_age(now).map(|age| age.as_millis() as u64),
        stale_after_ms: shared.config.limits.stale_after.as_millis() as u64,
        in_sync: latest.in_sync,
        is_draining: shared.board.draining().is_some(),
        obstacles: look.obstacles(),
        gates: look.gates,
        certificates: certificates(&shared.tls, SystemTime::now()),
        certificates_refused: shared.tls.refusal().map(|reason| reason.to_string()),
        complaint: latest.complaint.as_deref().map(str::to_owned),
        acks: shared.clients.acks(Point::last_change(&latest.view), now),
        admission: shared.admission.status(),
    })
}
