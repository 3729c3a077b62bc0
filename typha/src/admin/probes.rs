//! What a supervisor asks: whether to restart the process (`/healthz`), and whether to send clients here (`/readyz`).
//! With `?verbose` each answers line by line, as a kube-apiserver does.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};

use crate::server::Shared;

/// Whether the process works. A replica that is cut off from its datastore does: restarting it would not help. One of
/// whose parts is wedged does not, and restarting it helps.
pub(super) async fn healthz(State(shared): State<Arc<Shared>>, query: RawQuery) -> (StatusCode, String) {
    let now = Instant::now();
    let complaint = shared.pulses.complaint(now);
    let code = if complaint.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if !is_verbose(&query) {
        return (code, complaint.unwrap_or_else(|| "ok".to_owned()) + "\n");
    }
    let mut lines: Vec<_> = shared.pulses.silences(now).iter().map(ToString::to_string).collect();
    lines.push(format!("healthz check {}\n", if complaint.is_none() { "passed" } else { "failed" }));
    (code, lines.join("\n"))
}

/// Whether clients should come here; the body says why not.
pub(super) async fn readyz(State(shared): State<Arc<Shared>>, query: RawQuery) -> (StatusCode, String) {
    let look = shared.readiness.look();
    let code = if look.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = match (is_verbose(&query), look.is_ready()) {
        (true, _) => look.verbose(),
        (false, true) => "ready\n".to_owned(),
        (false, false) => look.obstacles().join("\n") + "\n",
    };
    (code, body)
}

fn is_verbose(RawQuery(query): &RawQuery) -> bool {
    let parameters = query.as_deref().unwrap_or_default().split('&');
    parameters.map(|parameter| parameter.split('=').next()).any(|name| name == Some("verbose"))
}
