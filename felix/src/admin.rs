//! The admin endpoint: probes for a supervisor, metrics for Prometheus, and the agent's status for people.
//!
//! It reads; nothing here changes anything.

mod metrics;
mod status;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use axum::{Json, Router, extract::State, http::StatusCode, http::header, response::IntoResponse, routing::get};
use felix_client::agent;
use tokio::{net::TcpListener, sync::watch};

use self::metrics::Metrics;
pub(crate) use self::status::Page;
use crate::enforcement::Enforced;

/// What the endpoint shows, as it is at the moment of asking.
#[derive(Clone)]
pub(crate) struct Views {
    pub(crate) node: Arc<str>,
    pub(crate) agent: watch::Receiver<agent::Status>,
    pub(crate) enforced: watch::Receiver<Enforced>,
    pub(crate) sync: Arc<felix_client::sync::Config>,
}

/// A bound endpoint.
pub(crate) struct Admin {
    listener: TcpListener,
    router: Router,
}

impl Admin {
    /// Binds, so that a port that is taken is known at start.
    pub(crate) async fn bind(address: SocketAddr, views: Views) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot serve --admin-listen {address}; is the port taken?"))?;
        tracing::info!(address = %listener.local_addr()?, "serving /healthz /readyz /metrics /status");
        Ok(Self { listener, router: router(views) })
    }

    /// Serves until dropped.
    pub(crate) async fn serve(self) -> anyhow::Result<()> {
        telemetry::admin::serve(self.listener, self.router).await;
        Ok(())
    }
}

fn router(views: Views) -> Router {
    let metrics = Arc::new(Metrics::new(&views));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/status", get(async |State(views): State<Views>| Json(Page::of(&views))))
        .route(
            "/metrics",
            get(async move |State(views): State<Views>| {
                ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.text(&views))
            }),
        )
        .with_state(views)
}

/// Ready once the kernel enforces a whole state; being cut off from typha later changes nothing about that.
async fn readyz(State(views): State<Views>) -> impl IntoResponse {
    let is_enforcing = views.enforced.borrow().revision.is_some();
    if is_enforcing {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", Page::of(&views).why_not_ready()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{io::AsyncReadExt as _, net::TcpStream, task::JoinSet, time::timeout};

    use super::*;

    #[tokio::test]
    async fn a_connection_that_asks_nothing_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(Admin { listener, router: Router::new() }.serve());
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let closed = timeout(Duration::from_secs(20), stream.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "it may be held for ever");
    }
}
