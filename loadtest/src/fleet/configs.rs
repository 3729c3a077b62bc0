//! What each client is configured with: the same for all, but for TLS sessions where each is to resume its own.

use std::sync::Arc;

use felix_client::sync::{Config, Metrics};
use rustls::{ClientConfig, client::Resumption};

use crate::scenario::Scenario;

/// Sessions that a client remembers: of each replica one, and some to spare.
const SESSIONS: usize = 8;

/// Configures clients.
pub(crate) struct Configs {
    shared: Arc<Config>,
    /// Set where each client keeps TLS sessions of its own, as each felix does; that takes memory.
    tls: Option<ClientConfig>,
}

impl Configs {
    /// Clients of these replicas.
    pub(crate) fn new(servers: Vec<String>, mut tls: ClientConfig, scenario: &Scenario) -> Self {
        tls.resumption = Resumption::disabled();
        let own = scenario.tls_resumption.then(|| tls.clone());
        let shared = Config { takes_zstd: scenario.zstd, ..Config::new(servers, Arc::new(tls)) };
        Self { shared: Arc::new(shared), tls: own }
    }

    /// What the next client is configured with.
    pub(super) fn next(&self) -> Arc<Config> {
        let Some(mut tls) = self.tls.clone() else { return Arc::clone(&self.shared) };
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        let shared = Config::clone(&self.shared);
        Arc::new(Config { tls: Arc::new(Arc::new(tls).into()), ..shared })
    }

    pub(super) fn servers(&self) -> &[Arc<str>] {
        self.shared.discovery.entries()
    }

    /// The counters of all clients.
    pub(super) fn metrics(&self) -> Metrics {
        self.shared.metrics.clone()
    }
}
